#include "cluster/replica_sets.h"

#include "base/planted_bug.h"

namespace varve::cluster {

bool IsIn(NodeId node, std::span<const NodeId> set) {
  return std::find(set.begin(), set.end(), node) != set.end();
}

size_t CountIn(std::span<const NodeId> nodes, std::span<const NodeId> set) {
  return static_cast<size_t>(
      std::count_if(nodes.begin(), nodes.end(), [&](NodeId node) { return IsIn(node, set); }));
}

std::vector<NodeId> ReplicaSets::Writable() const {
  std::vector<NodeId> nodes = current;
  for (const NodeId node : next) {
    if (!IsIn(node, current)) nodes.push_back(node);
  }
  return nodes;
}

bool ReplicaSets::IsWritten(std::span<const NodeId> acked, size_t write_quorum) const {
  if (CountIn(acked, current) < QuorumOf(current.size(), write_quorum)) return false;
  if (stage == MoveStage::kNone || VARVE_PLANTED_BUG("move.writes_to_current_only")) return true;
  return CountIn(acked, next) >= QuorumOf(next.size(), write_quorum);
}

bool ReplicaSets::IsRead(std::span<const NodeId> answered, size_t read_quorum) const {
  const bool too_early =
      VARVE_PLANTED_BUG("move.reads_from_next_too_early") && stage == MoveStage::kCopy;
  const std::vector<NodeId>& set = too_early ? next : Readable();
  return CountIn(answered, set) >= QuorumOf(set.size(), read_quorum);
}

}  // namespace varve::cluster
