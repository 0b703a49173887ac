// ClusterScenario: a simulated cluster of NodeCores, its clients and its operator, and all that must hold of it.
#ifndef VARVE_SIM_CLUSTER_SCENARIO_H_
#define VARVE_SIM_CLUSTER_SCENARIO_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/cluster_run.h"
#include "sim/cluster_server.h"
#include "sim/fault.h"
#include "sim/world.h"

namespace varve::sim {

// A cluster by chance, of up to `most_nodes` machines: how many nodes, copies and partitions, whether they change,
// and what clients ask for. Each seed differs in more than its faults. `profile`: instead of the seed's.
ClusterOptions RandomClusterOptions(uint64_t seed, uint32_t most_nodes, std::optional<Profile> profile = {});
// The worlds and faults that fit.
WorldOptions WorldOptionsFor(const ClusterOptions& options);
FaultOptions FaultOptionsFor(const ClusterOptions& options);

class ClusterScenario : public Scenario {
 public:
  explicit ClusterScenario(const ClusterOptions& options) : run_(options) {}

  uint32_t servers() const override { return run_.options.nodes + run_.options.spares; }
  // The last one is the operator.
  uint32_t clients() const override { return run_.options.clients + 1; }
  std::string FirstTopology() const override;
  std::unique_ptr<Node> NewNode(Endpoint endpoint, const Disk* disk, uint64_t random_seed) override;
  Status Check(const World& world) override;
  // Liveness: everything has come right.
  Status CheckEnd(const World& world) override;

  const ClusterRun& run() const { return run_; }

 private:
  const ClusterServer& Server(const World& world, Endpoint endpoint) const;
  Status CheckEverywhere(const World& world) const;
  Status CheckServers(const World& world) const;
  Status CheckPartition(const World& world, cluster::PartitionId partition) const;
  ReplicaView View(const World& world, cluster::NodeId node, cluster::PartitionId partition) const;

  ClusterRun run_;
  uint64_t revision_ = 0;  // of the store, that has been looked at
  std::string last_topology_;
  bool is_last_round_ = false;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_SCENARIO_H_
