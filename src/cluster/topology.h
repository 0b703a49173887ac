// Topology: who is a member, and where every partition lies. One document with one version number, kept in the
// topology store; whoever changes it makes the next version from the one that he has read, and the store takes it
// only if that is still the newest (compare and swap). Nodes keep the last one that they have seen on disk and
// work with it when the store is away.
#ifndef VARVE_CLUSTER_TOPOLOGY_H_
#define VARVE_CLUSTER_TOPOLOGY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/placement.h"
#include "cluster/replica_sets.h"
#include "cluster/types.h"
#include "varve/status.h"

namespace varve::cluster {

enum class MemberState : uint8_t {
  kJoining = 0,  // may be planned for; has not yet all that it shall have
  kUp = 1,
  kLeaving = 2,  // serves what it holds, and shall hold nothing
  kRemoved = 3,  // holds nothing, and its id never comes back. Stays in the list
};

inline constexpr size_t kMaxMembers = 4096;         // removed ones included
inline constexpr size_t kMaxMemberTextBytes = 255;  // of an address, of a rack

struct Member {
  NodeId id = kNoNode;
  ActorId actor = kNoActor;  // its incarnation; kNoActor before its first
  MemberState state = MemberState::kJoining;
  uint32_t weight = 1;
  std::string rack;
  std::string address;

  friend bool operator==(const Member&, const Member&) = default;
};

// A partition on its way to other replicas.
struct Move {
  PartitionId partition{0};
  MoveStage stage = MoveStage::kCopy;
  std::vector<NodeId> next;

  friend bool operator==(const Move&, const Move&) = default;
};

// A value; compared by what it says. Thread-compatible.
struct Topology {
  uint64_t cluster = 0;  // which cluster this is: a topology of another one is refused
  Epoch epoch = kNoEpoch;
  ActorId last_actor = kNoActor;  // the highest that was given out
  std::vector<Member> members;    // in ascending order of their ids
  Placement placement;            // where copies are
  Placement target;               // where they shall be; the same when nothing is to move
  std::vector<Epoch> since;       // of each partition: replica_sets.h
  std::vector<Move> moves;        // in ascending order of their partitions

  const Member* Find(NodeId id) const;
  const Move* FindMove(PartitionId partition) const;
  ReplicaSets SetsOf(PartitionId partition) const;
  // SetsOf(partition).Readable(), not copied.
  std::span<const NodeId> Readable(PartitionId partition) const;
  // Whether the node has or shall have a copy of anything.
  bool IsUsed(NodeId id) const;

  friend bool operator==(const Topology&, const Topology&) = default;
};

// kCorruption, and what is wrong, unless the topology makes sense in itself: order, ranges, references.
Status Validate(const Topology& topology);

// Whether `next` can be a later version of `now`. kCorruption when it contradicts what can never be undone (another
// cluster, an older epoch or the same with other content, a removed member that is back, actors taken back);
// the node then keeps serving `now`.
Status ValidateSuccession(const Topology& now, const Topology& next);

// As bytes. Two topologies are equal exactly if their bytes are.
//
//   "VTOP" | version 1 | cluster u64 | varints: epoch, last actor, bits, copies, members
//   member: id, actor, state, weight, length and bytes of rack, of address
//   partition: epoch - since, replicas, each by its place among the members
//   1 if there is a target that differs, then its copies and its lists as above; else 0
//   moves: partition, stage, replicas
//   XXH3 of all that u64
//
// REQUIRES: `topology` is valid.
std::string EncodeTopology(const Topology& topology);
// kCorruption: damaged, cut, not as EncodeTopology writes it, or not valid. kNotSupported: a later version.
Result<Topology> DecodeTopology(std::string_view bytes);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_TOPOLOGY_H_
