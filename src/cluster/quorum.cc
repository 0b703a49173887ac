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

Quorum::Quorum(const std::vector<std::vector<NodeId>>& sets, Level level, uint32_t replicas) {
  for (const std::vector<NodeId>& nodes : sets) {
    const size_t majority = nodes.size() / 2 + 1;
    size_t needed = replicas;
    if (needed == 0) needed = level == Level::kOne ? 1 : level == Level::kAll ? nodes.size() : majority;
    if (level == Level::kLinear) needed = std::max(needed, majority);
    // Of an empty set there is never enough.
    sets_.push_back({nodes, std::max<size_t>(needed, 1)});
    for (const NodeId node : nodes) {
      if (std::find(members_.begin(), members_.end(), node) == members_.end()) members_.push_back(node);
    }
  }
}

bool Quorum::IsReachedBy(const std::function<bool(NodeId)>& counts) const {
  const auto is_reached = [&counts](const Set& set) {
    return static_cast<size_t>(std::count_if(set.nodes.begin(), set.nodes.end(), counts)) >= set.needed;
  };
  if (sets_.empty()) return false;
  if (VARVE_PLANTED_BUG("quorum.of_the_first_set_alone")) return is_reached(sets_.front());
  return std::all_of(sets_.begin(), sets_.end(), is_reached);
}

}  // namespace varve::cluster
