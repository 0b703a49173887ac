#include "sim/cluster_torture.h"

#include <utility>

#include "sim/cluster_profile.h"
#include "sim/cluster_scenario.h"
#include "sim/stream.h"

namespace varve::sim {
namespace {

Schedule ScheduleOf(const TortureOptions& options, const ClusterOptions& cluster, uint64_t seed) {
  if (options.schedule) return *options.schedule;
  return RandomSchedule(seed, cluster.nodes + cluster.spares, cluster.clients + 1, FaultOptionsFor(cluster));
}

}  // namespace

ClusterOptions ClusterOptionsOf(const TortureOptions& options, uint64_t seed) {
  ClusterOptions cluster = RandomClusterOptions(seed, options.most_nodes, options.profile);
  cluster.least = options.faulty;
  cluster.calm = options.calm;
  return cluster;
}

std::string Describe(const ClusterOptions& options) {
  return (options.profile == Profile::kMixed ? "" : "profile " + std::string(ProfileName(options.profile)) + ": ") +
         std::to_string(options.nodes) + " nodes, " + std::to_string(options.spares) + " spares, " +
         std::to_string(options.copies) + " copies, " + std::to_string(1u << options.partition_bits) + " partitions, " +
         std::to_string(options.keys) + " keys, " + std::to_string(options.clients) + " clients" +
         (options.policy == cluster::ConflictPolicy::kLww ? ", last writer wins" : "") +
         (options.namespaces.empty() ? "" : ", " + std::to_string(options.namespaces.size()) + " namespaces") +
         (options.racks > 0 ? ", " + std::to_string(options.racks) + " racks" : "") + (options.is_weighted ? ", weights" : "") +
         (options.sloppy ? ", sloppy writes" : "") +
         (options.changes > 0 ? ", " + std::to_string(options.changes) + " joins or leaves" : "") +
         (options.reshapes > 0 ? ", " + std::to_string(options.reshapes) + " new placements" : "") +
         (options.wipes ? ", lost disks" : "") + (options.syncs ? "" : ", writes are not synced");
}

std::string ProfilesOf(const TortureReport& report) {
  std::string text;
  for (size_t i = 0; i < kProfiles; ++i) {
    if (report.profiles[i] == 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(ProfileName(static_cast<Profile>(i))) + " " +
            std::to_string(report.profiles[i]);
  }
  return text;
}

Status CheckSchedule(const TortureOptions& options) {
  const ClusterOptions cluster = ClusterOptionsOf(options, options.first_seed);
  const uint32_t endpoints = cluster.nodes + cluster.spares + cluster.clients + 1;
  for (const Fault& fault : *options.schedule) {
    if (fault.a <= endpoints && fault.b <= endpoints) continue;
    return Status::InvalidArgument("schedule: there is no such machine: " + ToText({fault}));
  }
  return Status::Ok();
}

TortureReport Torture(const TortureOptions& options, const std::function<void(const TortureReport&)>& progress) {
  const ScenarioFactory factory = [&options](uint64_t seed) {
    return std::make_unique<ClusterScenario>(ClusterOptionsOf(options, seed));
  };
  TortureReport report;
  for (uint64_t seed = options.first_seed; seed < options.first_seed + options.seeds; ++seed) {
    const ClusterOptions cluster = ClusterOptionsOf(options, seed);
    const Schedule schedule = ScheduleOf(options, cluster, seed);
    const WorldOptions world = WorldOptionsFor(cluster);
    ClusterScenario scenario(cluster);
    RunResult result = World(&scenario, seed, schedule, world).Run();
    ++report.seeds;
    report.events += result.events;
    report.simulated += result.simulated;
    report.acknowledged += scenario.run().history.acknowledged();
    report.answered += scenario.run().history.answered();
    report.operations += scenario.run().history.operations().size();
    report.topologies += scenario.run().topologies.versions() - 1;
    ++report.profiles[static_cast<size_t>(cluster.profile)];
    report.trace = Mix(report.trace, result.trace);
    const bool is_broken = !result.status.ok();
    if (!is_broken && options.checks_replay && RunOnce(factory, seed, schedule, world).trace != result.trace) {
      result.status = Status::Corruption("the same seed gave two different runs");
      report.failure = std::make_unique<Failure>(Failure{seed, result.status, schedule, schedule.size(), 2});
    } else if (is_broken) {
      report.failure = std::make_unique<Failure>(Minimise(factory, seed, schedule, world, 300));
    }
    progress(report);
    if (report.failure != nullptr || (options.may_go_on && !options.may_go_on())) break;
  }
  return report;
}

}  // namespace varve::sim
