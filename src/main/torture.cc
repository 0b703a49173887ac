#include "main/torture.h"

#include <fstream>
#include <sstream>
#include <string>

#include "base/status_macros.h"
#include "base/time_units.h"
#include "sim/cluster_profile.h"
#include "sim/cluster_torture.h"
#include "torture/now.h"

namespace varve {
namespace {

cli::TortureFigures FiguresOf(const sim::TortureReport& report) {
  return {.seeds = report.seeds,
          .events = report.events,
          .simulated_nanos = report.simulated,
          .requests = report.operations,
          .writes = report.acknowledged,
          .reads = report.answered,
          .topologies = report.topologies,
          .profiles = sim::ProfilesOf(report),
          .trace = report.trace};
}

Result<sim::Schedule> ReadSchedule(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Status::IoError(path + ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  return sim::ParseSchedule(text.str());
}

}  // namespace

Result<cli::TortureResult> TortureClusters(const cli::TortureRequest& request, const cli::TortureProgress& progress) {
  sim::TortureOptions options;
  options.first_seed = request.first_seed;
  options.seeds = request.seeds;
  options.most_nodes = request.nodes;
  options.faulty = request.simulate * sim::kSecond;
  if (request.seconds > 0) {
    const uint64_t end = torture::MonotonicNow() + request.seconds * kNanosPerSecond;
    options.may_go_on = [end] { return torture::MonotonicNow() < end; };
  }
  if (!request.profile.empty()) {
    options.profile = sim::ParseProfile(request.profile);
    if (!options.profile) {
      std::string known;
      for (size_t i = 0; i < sim::kProfiles; ++i) {
        known += (i == 0 ? "" : ", ") + std::string(sim::ProfileName(static_cast<sim::Profile>(i)));
      }
      return Status::InvalidArgument("there is no profile '" + request.profile + "': they are " + known);
    }
  }
  if (!request.schedule_file.empty()) {
    VARVE_ASSIGN_OR_RETURN(options.schedule, ReadSchedule(request.schedule_file));
    VARVE_RETURN_IF_ERROR(sim::CheckSchedule(options));
  }
  const sim::TortureReport report =
      sim::Torture(options, [&progress](const sim::TortureReport& sums) { progress(FiguresOf(sums)); });
  cli::TortureResult result{FiguresOf(report), {}};
  if (report.failure == nullptr) return result;
  const sim::Failure& failure = *report.failure;
  result.failure = cli::TortureFailure{.seed = failure.seed,
                                       .violation = std::string(failure.status.message()),
                                       .cluster = sim::Describe(sim::ClusterOptionsOf(options, failure.seed)),
                                       .schedule = sim::ToText(failure.schedule),
                                       .faults = failure.schedule.size(),
                                       .faults_before = failure.faults_before};
  return result;
}

}  // namespace varve
