// The campaign `cluster`: the simulated clusters of src/sim, as one of many.
#include <memory>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "sim/cluster_torture.h"
#include "torture/campaigns.h"
#include "torture/now.h"

namespace varve::torture {
namespace {

class ClusterSimulation final : public Campaign {
 public:
  std::string_view name() const override { return "cluster"; }
  std::string_view promise() const override {
    return "what a cluster has acknowledged is in all replicas in the end, or was overwritten by who had seen it";
  }
  bool repeats() const override { return true; }

  Result<Tally> Run(const Budget& budget, const Progress& progress) override {
    sim::TortureOptions options;
    if (budget.schedule) {
      VARVE_ASSIGN_OR_RETURN(options.schedule, sim::ParseSchedule(ToText(*budget.schedule)));
    }
    Tally tally;
    const uint64_t began = MonotonicNow();
    const uint64_t most = budget.schedule ? 1 : budget.seeds;
    while (tally.seeds < most && (tally.seeds == 0 || tally.nanos < budget.nanos) && !tally.violation) {
      options.first_seed = budget.first_seed + tally.seeds;
      if (options.schedule) VARVE_RETURN_IF_ERROR(sim::CheckSchedule(options));
      Add(sim::Torture(options, [](const sim::TortureReport&) {}), options, &tally);
      tally.nanos = MonotonicNow() - began;
      progress(tally);
    }
    return tally;
  }

 private:
  static void Add(const sim::TortureReport& report, const sim::TortureOptions& options, Tally* tally) {
    tally->seeds += report.seeds;
    tally->digest = tally->digest * 1'000'000'007 + report.trace;
    tally->counts.Add("clusters", report.seeds);
    tally->counts.Add("simulated milliseconds", report.simulated / sim::kMillisecond);
    tally->counts.Add("requests checked", report.operations);
    tally->counts.Add("acknowledged writes", report.acknowledged);
    tally->counts.Add("answered reads", report.answered);
    tally->counts.Add("topologies", report.topologies);
    if (report.failure == nullptr) return;
    const sim::Failure& failure = *report.failure;
    Violation violation;
    violation.seed = failure.seed;
    violation.what = std::string(failure.status.message());
    violation.world = sim::Describe(sim::ClusterOptionsOf(options, failure.seed));
    violation.schedule = ScheduleFrom(sim::ToText(failure.schedule));
    violation.lines_before = failure.faults_before;
    violation.runs = failure.runs;
    violation.repeats = 1;
    sim::TortureOptions again = options;
    again.first_seed = failure.seed;
    again.schedule = failure.schedule;
    violation.repeated = sim::Torture(again, [](const sim::TortureReport&) {}).failure == nullptr ? 0 : 1;
    tally->violation = std::move(violation);
  }
};

}  // namespace

std::unique_ptr<Campaign> ClusterCampaign() { return std::make_unique<ClusterSimulation>(); }

}  // namespace varve::torture
