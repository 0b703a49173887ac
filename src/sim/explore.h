// Looking for a seed with which an invariant does not hold, and then for the least that it takes.
#ifndef VARVE_SIM_EXPLORE_H_
#define VARVE_SIM_EXPLORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sim/fault.h"
#include "sim/world.h"

namespace varve::sim {

using ScenarioFactory = std::function<std::unique_ptr<Scenario>(uint64_t seed)>;

// One run with a scenario of its own.
RunResult RunOnce(const ScenarioFactory& factory, uint64_t seed, const Schedule& schedule, const WorldOptions& options);

struct Failure {
  uint64_t seed = 0;
  Status status;
  Schedule schedule;           // minimised: without any one of its faults the run passes
  size_t faults_before = 0;    // that the schedule had
  size_t runs = 0;             // that minimising took
  std::string ToString() const;  // all that is needed to run it again
};

// Takes faults out of a schedule that fails, for as long as it goes on failing (delta debugging: Zeller and
// Hildebrandt, 2002), then halves their lengths. At most `most_runs` runs.
// REQUIRES: the run with `schedule` fails.
Failure Minimise(const ScenarioFactory& factory, uint64_t seed, const Schedule& schedule, const WorldOptions& options,
                 size_t most_runs = 500);

// The sums of many runs.
struct Campaign {
  size_t seeds = 0;
  uint64_t events = 0;
  Nanos simulated = 0;
  std::unique_ptr<Failure> failure;  // the first one, minimised; none: all is well
};

// Runs the seeds from `first` on, until one fails.
Campaign Explore(const ScenarioFactory& factory, uint64_t first, size_t count, const FaultOptions& faults,
                 const WorldOptions& options);

}  // namespace varve::sim

#endif  // VARVE_SIM_EXPLORE_H_
