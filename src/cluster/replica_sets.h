// ReplicaSets: who has to answer for a read or a write of one partition to count, at one version of the topology.
//
// Outside of moves there is one set of replicas. While copies move there are two, the current and the
// next one, and both must be satisfied in this way:
//
//   stage     writes                     reads
//   kNone     W of the current           R of the current
//   kCopy     W of both                  R of the current
//   kSettle   W of both                  R of the next
//
// A majority is one of each set, however many nodes it has. R and W by number are not cut to the size of a set (quorum.h).
//
// The fence. `since` is the epoch at which the sets or the stage of this partition last changed. A request carries the
// `since` that its sender works with, and a replica serves it only if its own, which it has made durable, is
// the same (Admit). So a quorum is always one of a single version, and once so many replicas have gone on that
// those left are no quorum, none of an older version can come about any more, whatever the senders believe.
#ifndef VARVE_CLUSTER_REPLICA_SETS_H_
#define VARVE_CLUSTER_REPLICA_SETS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/types.h"

namespace varve::cluster {

enum class MoveStage : uint8_t {
  kNone = 0,    // nothing moves
  kCopy = 1,    // new replicas take writes, and are filled from the current ones
  kSettle = 2,  // new replicas are full; reads that still ask the old ones die out
};

enum class Admission : uint8_t {
  kServe,
  kSenderIsBehind,    // refuse, and say so: the sender fetches the topology and begins again
  kReceiverIsBehind,  // fetch the topology and make it durable first
};

constexpr Admission Admit(Epoch senders_since, Epoch own_since) {
  if (senders_since == own_since) return Admission::kServe;
  return senders_since < own_since ? Admission::kSenderIsBehind : Admission::kReceiverIsBehind;
}

// How many of a set of `size` replicas a quorum of `quorum` of N is; 0: a majority of those that there are.
constexpr size_t QuorumOf(size_t size, size_t quorum) { return quorum == 0 ? size / 2 + 1 : std::min(size, quorum); }

// A value. Thread-compatible.
struct ReplicaSets {
  Epoch since = kNoEpoch;
  MoveStage stage = MoveStage::kNone;
  std::vector<NodeId> current;  // the primary first
  std::vector<NodeId> next;     // empty when stage is kNone

  // Where reads go, and whose replicas may coordinate: the others may not have everything yet.
  const std::vector<NodeId>& Readable() const {
    return stage == MoveStage::kSettle ? next : current;
  }
  // Where writes go: the current ones, then those of the next that are none of these.
  std::vector<NodeId> Writable() const;

  friend bool operator==(const ReplicaSets&, const ReplicaSets&) = default;
};

// How many of `nodes` are in `set`.
size_t CountIn(std::span<const NodeId> nodes, std::span<const NodeId> set);
bool IsIn(NodeId node, std::span<const NodeId> set);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_REPLICA_SETS_H_
