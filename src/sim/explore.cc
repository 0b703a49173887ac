#include "sim/explore.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"

namespace varve::sim {
namespace {

// Runs schedules until there were enough, and says whether they fail.
class Judge {
 public:
  Judge(const ScenarioFactory& factory, uint64_t seed, const WorldOptions& options, size_t most_runs)
      : factory_(factory), seed_(seed), options_(options), left_(most_runs) {}

  bool Fails(const Schedule& schedule) {
    if (left_ == 0) return false;
    --left_;
    ++runs_;
    if (VARVE_PLANTED_BUG("sim.minimises_to_what_passes")) return true;
    return !RunOnce(factory_, seed_, schedule, options_).status.ok();
  }
  bool is_tired() const { return left_ == 0; }
  size_t runs() const { return runs_; }

 private:
  const ScenarioFactory& factory_;
  const uint64_t seed_;
  const WorldOptions& options_;
  size_t left_;
  size_t runs_ = 0;
};

// Leaves out chunks: halves first, single faults last, until no single one can go.
Schedule WithoutNeedless(Schedule schedule, Judge* judge) {
  for (size_t chunk = std::max<size_t>(1, schedule.size() / 2); !judge->is_tired();) {
    bool shrank = false;
    for (size_t begin = 0; begin < schedule.size();) {
      Schedule rest = schedule;
      const auto from = rest.begin() + static_cast<ptrdiff_t>(begin);
      rest.erase(from, from + static_cast<ptrdiff_t>(std::min(chunk, schedule.size() - begin)));
      if (judge->Fails(rest)) {
        schedule = std::move(rest);
        shrank = true;
      } else {
        begin += chunk;
      }
    }
    if (chunk == 1 && !shrank) break;
    if (chunk > 1) chunk /= 2;
  }
  return schedule;
}

void Shorten(Schedule* schedule, Judge* judge) {
  for (size_t i = 0; i < schedule->size(); ++i) {
    while ((*schedule)[i].length > kMillisecond) {
      Schedule shorter = *schedule;
      shorter[i].length /= 2;
      if (!judge->Fails(shorter)) break;
      *schedule = std::move(shorter);
    }
  }
}

}  // namespace

RunResult RunOnce(const ScenarioFactory& factory, uint64_t seed, const Schedule& schedule, const WorldOptions& options) {
  const std::unique_ptr<Scenario> scenario = factory(seed);
  return World(scenario.get(), seed, schedule, options).Run();
}

std::string Failure::ToString() const {
  return "seed " + std::to_string(seed) + ": " + status.ToString() + "\n" + std::to_string(schedule.size()) + " of " +
         std::to_string(faults_before) + " faults (" + std::to_string(runs) + " runs):\n" + sim::ToText(schedule);
}

Failure Minimise(const ScenarioFactory& factory, uint64_t seed, const Schedule& schedule, const WorldOptions& options,
                 size_t most_runs) {
  Judge judge(factory, seed, options, most_runs);
  Failure failure;
  failure.seed = seed;
  failure.faults_before = schedule.size();
  failure.schedule = WithoutNeedless(schedule, &judge);
  Shorten(&failure.schedule, &judge);
  failure.schedule = WithoutNeedless(std::move(failure.schedule), &judge);  // shorter ones may need fewer
  failure.status = RunOnce(factory, seed, failure.schedule, options).status;
  failure.runs = judge.runs() + 1;
  return failure;
}

Campaign Explore(const ScenarioFactory& factory, uint64_t first, size_t count, const FaultOptions& faults,
                 const WorldOptions& options) {
  Campaign campaign;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::unique_ptr<Scenario> scenario = factory(seed);
    const Schedule schedule = RandomSchedule(seed, scenario->servers(), scenario->clients(), faults);
    const RunResult result = World(scenario.get(), seed, schedule, options).Run();
    ++campaign.seeds;
    campaign.events += result.events;
    campaign.simulated += result.simulated;
    if (result.status.ok()) continue;
    campaign.failure = std::make_unique<Failure>(Minimise(factory, seed, schedule, options));
    break;
  }
  return campaign;
}

}  // namespace varve::sim
