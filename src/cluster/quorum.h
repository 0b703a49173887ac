// RequestSets and Quorum: who is to answer a request, and whether enough of them have.
#ifndef VARVE_CLUSTER_QUORUM_H_
#define VARVE_CLUSTER_QUORUM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/planted_bug.h"
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

// Made once for a version of the topology, and the same for all requests under it. Never nullptr.
using SharedSets = std::shared_ptr<const RequestSets>;

RequestSets RequestSetsOf(PartitionId partition, const ReplicaSets& sets, std::vector<NodeId> fallbacks);

class Quorum {
 public:
  // `replicas`: how many of each set, of which a smaller one never has enough; 0: as `level` says. kLinear takes no less than
  // more than half. `sets` outlives it.
  Quorum(const std::vector<std::vector<NodeId>>& sets, Level level, uint32_t replicas);

  // All nodes of the sets, each once, in their order.
  const std::vector<NodeId>& members() const { return sets_->size() == 1 ? sets_->front() : union_; }

  // Whether the nodes for which `counts`, a predicate of NodeId, holds are enough.
  template <typename Predicate>
  bool IsReachedBy(const Predicate& counts) const {
    const auto is_reached = [this, &counts](const std::vector<NodeId>& set) {
      const auto count = std::count_if(set.begin(), set.end(), [&counts](NodeId node) { return counts(node); });
      return static_cast<size_t>(count) >= NeededOf(set.size());
    };
    if (sets_->empty()) return false;
    if (VARVE_PLANTED_BUG("quorum.of_the_first_set_alone")) return is_reached(sets_->front());
    return std::all_of(sets_->begin(), sets_->end(), is_reached);
  }

 private:
  size_t NeededOf(size_t size) const;

  const std::vector<std::vector<NodeId>>* sets_;
  std::vector<NodeId> union_;  // of several sets
  Level level_;
  uint32_t replicas_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_QUORUM_H_
