#include "cluster/replica_sets.h"

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

}  // namespace varve::cluster
