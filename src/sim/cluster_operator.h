// ClusterOperator: the one who lets machines join and leave a simulated cluster, and replaces those that have lost their disks.
#ifndef VARVE_SIM_CLUSTER_OPERATOR_H_
#define VARVE_SIM_CLUSTER_OPERATOR_H_

#include <cstdint>
#include <string>

#include "cluster/topology.h"
#include "cluster/topology_change.h"
#include "sim/cluster_namespaces.h"
#include "sim/cluster_run.h"
#include "sim/node.h"
#include "sim/stream.h"

namespace varve::sim {

// The topology of a new cluster, all of whose members are up.
std::string FirstTopologyOf(const ClusterOptions& options);

// Changes the topology by compare and swap, as an administrator's command would. The nodes do the rest.
class ClusterOperator : public Node {
 public:
  ClusterOperator(ClusterRun* run, uint64_t seed) : run_(run), random_(seed, 3) {}

  void OnStart(Time now, Actions* actions) override;
  void OnMessage(Endpoint, std::string_view, Time, Actions*) override {}
  void OnTimer(uint64_t id, Time now, Actions* actions) override;
  void OnStore(const StoreReply& reply, Time now, Actions* actions) override;

 private:
  bool TakesSettings(uint64_t revision, const StoreRecord& record, Actions* actions);
  // The next version, or nothing to do.
  bool Change(cluster::TopologyChange* change);
  bool Join(cluster::TopologyChange* change);
  bool Leave(cluster::TopologyChange* change);
  bool GiveUp(cluster::TopologyChange* change);
  bool Replace(cluster::TopologyChange* change);
  bool Reshape(cluster::TopologyChange* change);

  ClusterRun* const run_;
  Stream random_;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_OPERATOR_H_
