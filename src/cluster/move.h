// Moves: how the copies of a partition go from some nodes to others while reads and writes go on, so that at each
// moment every read quorum that anybody can complete meets every write quorum that was acknowledged.
//
//   planned   the target names other replicas than the placement
//     | StartMove
//   kCopy     writes need both sets, reads the current one. Every node of TargetsToFill merges what
//     |       SourcesNeeded current replicas hold, each of which serves it only once it has made this
//     |       stage's fence durable: so together they hold every write that was acknowledged with an older
//     |       view, and no such write can be acknowledged afterwards
//     |------ AbortMove: back to the current replicas, which have everything
//     | AdvanceMove, when they are filled
//   kSettle   reads ask the next set. Writes still need both: somebody may still read from the current one
//     | AdvanceMove, when FencesNeeded current replicas have this stage's fence: no such read can end any more
//   kNone     the next set is the current one. Who has left drops its copy when it learns of it
//
// Every arrow is one new version of the topology (topology_change.h). A dead node that is replaced is one of the current
// replicas that never answers; when fewer are alive than SourcesNeeded, the move waits. Nothing
// lowers that number: acknowledged writes could be on the dead ones only.
//
// W_old + |T| - |O| of the next set T hold a write that W_old of the current set O acknowledged, once the nodes of T
// that are not in O are filled: of the holders at most |O \ T| are lost, and all of T \ O is gained. So a read of
// R_new meets it if W_old + R_new > |O|. That follows from R + W > N unless the set shrinks below R. The next move counts on
// W_new of T, which is more than that when a set shrinks. All of T is filled where either does not hold.
#ifndef VARVE_CLUSTER_MOVE_H_
#define VARVE_CLUSTER_MOVE_H_

#include <cstddef>
#include <vector>

#include "cluster/replica_sets.h"
#include "cluster/types.h"
#include "varve/status.h"

namespace varve::cluster {

// The smallest quorums of which it is promised that reads meet writes. Requests with smaller ones are served; across a
// move they are promised no more than that what a replica which leaves and answers has acknowledged goes on (LeftOut).
// 0: a majority of a set, however many nodes it has.
struct MoveRules {
  size_t read_quorum = 2;
  size_t write_quorum = 2;
};

// What is known of a move in its present stage. All of it is durable at the nodes named.
struct MoveEvidence {
  struct Merge {
    NodeId target = kNoNode;
    NodeId source = kNoNode;
    friend auto operator<=>(const Merge&, const Merge&) = default;
  };
  std::vector<NodeId> fenced;  // have the fence of this stage
  std::vector<Merge> merged;   // target has all that source had, since both have the fence of kCopy
};

// The nodes that must be filled before reads may ask the next set.
std::vector<NodeId> TargetsToFill(const ReplicaSets& sets, const MoveRules& rules);
// Who may take over what a replica that leaves alone has: those, or, if there are none, all of the next set.
std::vector<NodeId> Heirs(const ReplicaSets& sets, const MoveRules& rules);
// From how many current replicas each, itself included if it is one.
size_t SourcesNeeded(const ReplicaSets& sets, const MoveRules& rules);
// How many current replicas must have the fence of kSettle before they are left alone.
size_t FencesNeeded(const ReplicaSets& sets, const MoveRules& rules);

// Ok when the move may go on to its next stage; otherwise kUnavailable, and what it waits for.
// REQUIRES: sets.stage is not kNone.
Status CanAdvance(const ReplicaSets& sets, const MoveRules& rules, const MoveEvidence& evidence);

// The replicas that leave and of which no node of the next set has merged everything. With their copies goes what they alone
// have: writes at level one. A move that may go on waits for those that answer, but not for ever.
std::vector<NodeId> LeftOut(const ReplicaSets& sets, const MoveEvidence& evidence);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_MOVE_H_
