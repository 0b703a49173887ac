// Placement: which nodes keep the copies of which partition, as a table. Nothing about it is computed from
// hashes of nodes, so that it can be balanced to one partition and changed by as little as is possible
// (planner.h).
//
// 16,384 slots (slot.h) fall into 2^bits partitions of neighbouring slots. Of a partition the table has the
// replicas in order: the first is the primary, to which clients are sent first; for reads, writes and
// votes all are equal.
#ifndef VARVE_CLUSTER_PLACEMENT_H_
#define VARVE_CLUSTER_PLACEMENT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/slot.h"
#include "cluster/types.h"

namespace varve::cluster {

inline constexpr uint32_t kMaxPartitionBits = kSlotBits;
inline constexpr uint32_t kMaxCopies = 15;

// 2^bits lists of at most `copies` different nodes each. A value; thread-compatible.
class Placement {
 public:
  Placement() : Placement(0, 1) {}
  // All lists are empty. REQUIRES: bits <= kMaxPartitionBits; 1 <= copies <= kMaxCopies.
  Placement(uint32_t bits, uint32_t copies);

  uint32_t bits() const { return bits_; }
  uint32_t copies() const { return copies_; }
  uint32_t partitions() const { return 1u << bits_; }

  PartitionId PartitionOfSlot(uint16_t slot) const {
    return PartitionId{static_cast<uint16_t>(slot >> (kSlotBits - bits_))};
  }
  // The slots of a partition: [first, first + count).
  uint16_t FirstSlot(PartitionId partition) const {
    return static_cast<uint16_t>(Value(partition) << (kSlotBits - bits_));
  }
  uint32_t SlotsPerPartition() const { return kSlots >> bits_; }

  // In order, the primary first. Valid until the placement changes.
  std::span<const NodeId> Replicas(PartitionId partition) const;
  // REQUIRES: at most copies() nodes, all different, none kNoNode.
  void SetReplicas(PartitionId partition, std::span<const NodeId> nodes);
  bool IsReplica(PartitionId partition, NodeId node) const;

  // Twice as many partitions, in which every slot lies where it lay: nothing moves.
  // REQUIRES: bits() < kMaxPartitionBits.
  Placement Split() const;
  // The same lists with room for another number of copies. REQUIRES: no list is longer than that.
  Placement WithCopies(uint32_t copies) const;

  friend bool operator==(const Placement&, const Placement&) = default;

 private:
  size_t Begin(PartitionId partition) const { return size_t{Value(partition)} * copies_; }

  uint32_t bits_;
  uint32_t copies_;
  std::vector<NodeId> table_;  // copies_ a partition, the rest of a short list kNoNode
};

// The number of copies that have to be made on the way from one to the other: replicas in `to` that are
// none in `from`. REQUIRES: as many partitions.
uint32_t CopiesToMake(const Placement& from, const Placement& to);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_PLACEMENT_H_
