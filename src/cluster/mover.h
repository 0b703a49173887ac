// Mover: changes the topology, by compare and swap, as far as that follows from what the operator has decided: moves begin, go
// on and end, members come up and go, and this node gets its actor.
#ifndef VARVE_CLUSTER_MOVER_H_
#define VARVE_CLUSTER_MOVER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cluster/node_context.h"
#include "cluster/topology_change.h"

namespace varve::cluster {

// One node drives for all: the first member in the order of ids that is reachable. It asks the replicas of moves how far
// they are, and makes all changes that are due in one version. If nothing comes of it for a while, the second one
// does the same, then the third, and so on. Two at once do no harm: every change is justified by what its maker knows to be
// durable, and the store takes only one. Thread-compatible.
class Mover {
 public:
  explicit Mover(NodeContext* context) : context_(context) {}

  // The store holds `revision`, which is that of the topology of the context.
  void OnStored(uint64_t revision, Epoch epoch) {
    revision_ = revision;
    stored_epoch_ = epoch;
  }
  // The topology of the context is another one.
  void OnTopology(Nanos now) { last_change_ = now; }
  // `needs_actor`: this node has none that it may use.
  void OnTime(Nanos now, bool needs_actor, Actions* actions);
  // A ProgressReply; others are ignored. What one says stays true, whoever has asked and whenever.
  void OnMessage(const Message& reply);
  // The bytes that were swapped in, if they were.
  std::optional<std::string> OnSwapped(uint64_t swap, SwapOutcome outcome, Nanos now);

 private:
  struct Evidence {
    Epoch since = kNoEpoch;
    MoveEvidence evidence;
    std::optional<Nanos> waits_since;  // for replicas that leave, since all else is there
  };

  bool IsDriver(Nanos now) const;
  void AskReplicas(Actions* actions);
  // Each returns whether there was something to change.
  bool AdvanceMoves(Nanos now, TopologyChange* change);
  bool WaitsForLeavers(const ReplicaSets& sets, const MoveRules& rules, Nanos now, Evidence* known) const;
  bool AbortMoves(TopologyChange* change) const;
  bool StartMoves(TopologyChange* change) const;
  bool ChangeMembers(TopologyChange* change) const;
  void Swap(Nanos now, bool needs_actor, Actions* actions);

  NodeContext* const context_;
  uint64_t revision_ = 0;
  Epoch stored_epoch_ = kNoEpoch;
  Nanos last_change_ = 0;
  Nanos next_ask_ = 0;
  std::map<PartitionId, Evidence> evidence_;
  std::optional<std::string> swap_;  // under way
  uint64_t swap_number_ = 0;         // its, or that of the last one
  Nanos swapped_at_ = 0;
  Nanos next_swap_ = 0;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_MOVER_H_
