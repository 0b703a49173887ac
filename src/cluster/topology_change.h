// TopologyChange: the next version of a topology, made from the one before. What is not allowed is refused,
// and changes nothing. Nothing is in force before the topology store has taken the result.
#ifndef VARVE_CLUSTER_TOPOLOGY_CHANGE_H_
#define VARVE_CLUSTER_TOPOLOGY_CHANGE_H_

#include <string>

#include "cluster/move.h"
#include "cluster/topology.h"
#include "cluster/types.h"
#include "varve/status.h"

namespace varve::cluster {

// A cluster without members, of 2^bits partitions with `copies` copies each. Epoch 1.
// REQUIRES: as Placement.
Topology NewTopology(uint64_t cluster, uint32_t bits, uint32_t copies);

// Errors: kNotFound (no such member, no such move), kInvalidArgument (not allowed, and why), and those
// that are named. Thread-compatible.
class TopologyChange {
 public:
  // REQUIRES: `base` is valid.
  explicit TopologyChange(const Topology& base);

  // As kJoining, without an actor, whatever `member` says. An id that ever was one is refused.
  Status AddMember(Member member);
  // Joining to up or removed, up to leaving, leaving to up or removed. Removed only who holds and shall hold
  // nothing.
  Status SetState(NodeId id, MemberState state);
  Status SetWeight(NodeId id, uint32_t weight);
  Status SetPlace(NodeId id, std::string rack, std::string address);
  // A new incarnation, which nobody has had before.
  Result<ActorId> GiveActor(NodeId id);

  // What the planner has made. Partitions without replicas get theirs at once; for the others moves follow.
  // Only joining and up members may be named.
  Status SetTarget(const Placement& target);
  // Twice as many partitions. kBusy while anything moves.
  Status Split();

  // Towards the target. A partition of which only the order changes is there at once.
  Status StartMove(PartitionId partition);
  // kUnavailable, and what is missing, when `evidence` does not allow it.
  Status AdvanceMove(PartitionId partition, const MoveRules& rules, const MoveEvidence& evidence);
  // Back. Only in kCopy.
  Status AbortMove(PartitionId partition);

  const Topology& topology() const { return next_; }

 private:
  Result<Member*> Find(NodeId id);
  Result<size_t> FindMove(PartitionId partition) const;
  void Fence(PartitionId partition) { next_.since[Value(partition)] = next_.epoch; }
  void ForgetOldCopies();

  Topology next_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_TOPOLOGY_CHANGE_H_
