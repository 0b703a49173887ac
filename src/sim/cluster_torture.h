// Torture: seed after seed, a cluster of its own under faults of its own, until one breaks an invariant.
#ifndef VARVE_SIM_CLUSTER_TORTURE_H_
#define VARVE_SIM_CLUSTER_TORTURE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sim/cluster_run.h"
#include "sim/explore.h"
#include "sim/fault.h"

namespace varve::sim {

struct TortureOptions {
  uint64_t first_seed = 0;
  uint64_t seeds = 1;
  std::optional<Profile> profile;  // of all seeds; nothing: each has its own
  uint32_t most_nodes = 5;        // machines of a cluster, at most; at least 1
  Nanos faulty = 5 * kSecond;     // how long there may be faults
  Nanos calm = 15 * kSecond;      // afterwards, for everything to come right
  std::optional<Schedule> schedule;  // instead of those that the seeds give
  bool checks_replay = false;     // run each seed twice, and compare
  std::function<bool()> may_go_on;  // asked after each seed; empty: always
};

// Sums over the seeds that were run.
struct TortureReport {
  uint64_t seeds = 0;
  uint64_t events = 0;
  Nanos simulated = 0;
  uint64_t acknowledged = 0;  // writes
  uint64_t answered = 0;      // reads
  uint64_t operations = 0;    // all, whatever became of them
  uint64_t topologies = 0;    // versions, after the first
  std::array<uint64_t, kProfiles> profiles = {};  // how many seeds were of each
  uint64_t trace = 0;  // of the traces of all seeds: the same when each of them went as it did before
  std::unique_ptr<Failure> failure;  // the first one, minimised
};

// The cluster of a seed.
ClusterOptions ClusterOptionsOf(const TortureOptions& options, uint64_t seed);
// A line for people: nodes, copies, partitions, clients.
std::string Describe(const ClusterOptions& options);

// "mixed 70, hints 3": those that were run.
std::string ProfilesOf(const TortureReport& report);

// Whether a schedule fits the cluster of the first seed: kInvalidArgument when it names endpoints that are not there.
// REQUIRES: options.schedule.
Status CheckSchedule(const TortureOptions& options);

// `progress` hears of the sums after each seed.
TortureReport Torture(const TortureOptions& options, const std::function<void(const TortureReport&)>& progress);

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_TORTURE_H_
