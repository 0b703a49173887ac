#include "cluster/placement.h"

#include <algorithm>

#include "base/check.h"

namespace varve::cluster {

Placement::Placement(uint32_t bits, uint32_t copies) : bits_(bits), copies_(copies) {
  VARVE_CHECK(bits <= kMaxPartitionBits && copies >= 1 && copies <= kMaxCopies);
  table_.resize(size_t{partitions()} * copies_, kNoNode);
}

std::span<const NodeId> Placement::Replicas(PartitionId partition) const {
  VARVE_CHECK(Value(partition) < partitions());
  const NodeId* begin = table_.data() + Begin(partition);
  return {begin, std::find(begin, begin + copies_, kNoNode)};
}

void Placement::SetReplicas(PartitionId partition, std::span<const NodeId> nodes) {
  VARVE_CHECK(Value(partition) < partitions() && nodes.size() <= copies_);
  for (size_t i = 0; i < nodes.size(); ++i) {
    VARVE_CHECK(nodes[i] != kNoNode);
    VARVE_CHECK(std::find(nodes.begin(), nodes.begin() + static_cast<ptrdiff_t>(i), nodes[i]) ==
                nodes.begin() + static_cast<ptrdiff_t>(i));
  }
  const auto begin = table_.begin() + static_cast<ptrdiff_t>(Begin(partition));
  std::fill(std::copy(nodes.begin(), nodes.end(), begin), begin + copies_, kNoNode);
}

bool Placement::IsReplica(PartitionId partition, NodeId node) const {
  const std::span<const NodeId> nodes = Replicas(partition);
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

Placement Placement::Split() const {
  VARVE_CHECK(bits_ < kMaxPartitionBits);
  Placement halves(bits_ + 1, copies_);
  for (uint32_t i = 0; i < halves.partitions(); ++i) {
    halves.SetReplicas(PartitionId{static_cast<uint16_t>(i)},
                       Replicas(PartitionId{static_cast<uint16_t>(i >> 1)}));
  }
  return halves;
}

Placement Placement::WithCopies(uint32_t copies) const {
  Placement other(bits_, copies);
  for (uint32_t i = 0; i < partitions(); ++i) {
    const PartitionId partition{static_cast<uint16_t>(i)};
    other.SetReplicas(partition, Replicas(partition));
  }
  return other;
}

uint32_t CopiesToMake(const Placement& from, const Placement& to) {
  VARVE_CHECK(from.partitions() == to.partitions());
  uint32_t count = 0;
  for (uint32_t i = 0; i < to.partitions(); ++i) {
    const PartitionId partition{static_cast<uint16_t>(i)};
    for (const NodeId node : to.Replicas(partition)) {
      if (!from.IsReplica(partition, node)) ++count;
    }
  }
  return count;
}

}  // namespace varve::cluster
