#include "cluster/quorum.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"

namespace varve::cluster {

RequestSets RequestSetsOf(PartitionId partition, const ReplicaSets& sets, std::vector<NodeId> fallbacks) {
  RequestSets request{.partition = partition, .epoch = sets.since, .write = {sets.current}};
  const bool moves = sets.stage != MoveStage::kNone;
  if (moves && !VARVE_PLANTED_BUG("move.writes_to_current_only")) request.write.push_back(sets.next);
  const bool too_early = VARVE_PLANTED_BUG("move.reads_from_next_too_early") && sets.stage == MoveStage::kCopy;
  request.read = {too_early ? sets.next : sets.Readable()};
  request.fallbacks = std::move(fallbacks);
  return request;
}

Quorum::Quorum(const std::vector<std::vector<NodeId>>& sets, Level level, uint32_t replicas)
    : sets_(&sets), level_(level), replicas_(replicas) {
  if (sets.size() == 1) return;
  for (const std::vector<NodeId>& nodes : sets) {
    for (const NodeId node : nodes) {
      if (!IsIn(node, union_)) union_.push_back(node);
    }
  }
}

size_t Quorum::NeededOf(size_t size) const {
  const size_t majority = size / 2 + 1;
  size_t needed = replicas_;
  if (needed == 0) needed = level_ == Level::kOne ? 1 : level_ == Level::kAll ? size : majority;
  if (level_ == Level::kLinear) needed = std::max(needed, majority);
  return std::max<size_t>(needed, 1);  // of an empty set there is never enough
}

}  // namespace varve::cluster
