// RequestSets and Quorum: who is to answer a request, and whether enough of them have.
#ifndef VARVE_CLUSTER_QUORUM_H_
#define VARVE_CLUSTER_QUORUM_H_

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "cluster/replica_sets.h"
#include "cluster/types.h"

namespace varve::cluster {

// How many replicas of a set a request waits for.
enum class Level : uint8_t {
  kOne,
  kQuorum,  // more than half
  kAll,
  kLinear,  // more than half, and reads agree with each other: see get_operation.h
};

// What one request makes of the sets of its partition (ReplicaSets): a write needs enough of each set in `write`, a
// read of each in `read`. Only nodes in `read` make dots; the others may not have everything yet.
struct RequestSets {
  PartitionId partition{};
  Epoch epoch = kNoEpoch;  // ReplicaSets::since, which replicas compare with their own
  std::vector<std::vector<NodeId>> write;
  std::vector<std::vector<NodeId>> read;
  std::vector<NodeId> fallbacks;  // others, in the order in which they keep hints
};

RequestSets RequestSetsOf(PartitionId partition, const ReplicaSets& sets, std::vector<NodeId> fallbacks);

class Quorum {
 public:
  // `replicas`: how many of each set, of which a smaller one never has enough; 0: as `level` says. kLinear takes no less than
  // more than half.
  Quorum(const std::vector<std::vector<NodeId>>& sets, Level level, uint32_t replicas);

  // All nodes of the sets, each once, in their order.
  const std::vector<NodeId>& members() const { return members_; }

  // Whether the nodes for which `counts` holds are enough.
  bool IsReachedBy(const std::function<bool(NodeId)>& counts) const;
  bool IsReachedBy(const std::set<NodeId>& nodes) const {
    return IsReachedBy([&nodes](NodeId node) { return nodes.contains(node); });
  }

 private:
  struct Set {
    std::vector<NodeId> nodes;
    size_t needed;
  };
  std::vector<Set> sets_;
  std::vector<NodeId> members_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_QUORUM_H_
