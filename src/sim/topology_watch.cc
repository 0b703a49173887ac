#include "sim/topology_watch.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "cluster/planner.h"
#include "sim/cluster_checks.h"

namespace varve::sim {
namespace {

using cluster::Move;
using cluster::MoveStage;
using cluster::NodeId;
using cluster::PartitionId;
using cluster::ReplicaSets;
using cluster::Topology;

Status Broken(PartitionId partition, const std::string& what) {
  return Status::Corruption("I10: " + NameOf(partition) + ": " + what);
}

std::vector<NodeId> Sorted(std::vector<NodeId> nodes) {
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

// Whatever their order is.
bool AreSame(const std::vector<NodeId>& one, const std::vector<NodeId>& other) { return Sorted(one) == Sorted(other); }

Status CheckPartition(const Topology& now, const Topology& next, PartitionId partition) {
  const ReplicaSets before = now.SetsOf(partition);
  const ReplicaSets after = next.SetsOf(partition);
  if (after.since < before.since) return Broken(partition, "its version goes back");
  const bool is_first = before.current.empty();
  const bool is_finished = before.stage == MoveStage::kSettle && AreSame(before.next, after.current);
  const bool has_moved = !AreSame(before.current, after.current);
  if (has_moved && !is_first && !is_finished) return Broken(partition, "its copies are other ones, and no move was at its end");
  const bool is_as_before = before.stage == after.stage && AreSame(before.next, after.next);
  // One that comes next may have begun at once.
  if (before.stage == MoveStage::kSettle && !is_as_before && !is_finished) return Broken(partition, "its move is taken back too late");
  const bool has_settled = before.stage == MoveStage::kCopy && AreSame(before.next, after.next);
  if (after.stage == MoveStage::kSettle && !is_as_before && !has_settled) return Broken(partition, "its move settles before it copies");
  if ((has_moved || !is_as_before) && after.since == before.since) return Broken(partition, "other replica sets have the same version");
  return Status::Ok();
}

}  // namespace

Status TopologyWatch::OnVersion(const std::string& bytes) {
  Result<Topology> next = cluster::DecodeTopology(bytes);
  if (!next.ok()) return Status::Corruption("I10: " + next.status().ToString());
  if (last_) {
    const Status status = cluster::ValidateSuccession(*last_, *next);
    if (!status.ok()) return Status::Corruption("I10: " + status.ToString());
    const bool is_split = last_->placement.bits() != next->placement.bits();
    for (uint32_t p = 0; !is_split && p < next->placement.partitions(); ++p) {
      VARVE_RETURN_IF_ERROR(CheckPartition(*last_, *next, PartitionId{static_cast<uint16_t>(p)}));
    }
  }
  last_ = *std::move(next);
  ++versions_;
  return Status::Ok();
}

Status TopologyWatch::CheckSettled() const {
  if (!last_->moves.empty()) {
    return Status::Corruption("I6: " + NameOf(last_->moves.front().partition) + " still moves");
  }
  if (!(last_->target == last_->placement)) return Status::Corruption("I6: copies are not where they shall be");
  for (const cluster::Member& member : last_->members) {
    // A cluster of few partitions may have nothing for one that joins.
    const bool is_under_way = member.state == cluster::MemberState::kLeaving ||
                              (member.state == cluster::MemberState::kJoining && last_->IsUsed(member.id));
    if (is_under_way) return Status::Corruption("I6: " + NameOf(member.id) + " still joins or leaves");
  }
  return Status::Ok();
}

Status TopologyWatch::CheckPlanned(uint32_t copies) const {
  std::vector<cluster::PlannerNode> nodes;
  std::map<NodeId, std::string> racks;
  for (const cluster::Member& member : last_->members) {
    const bool stays = member.state == cluster::MemberState::kJoining || member.state == cluster::MemberState::kUp;
    if (stays) nodes.push_back({member.id, member.weight, member.rack});
    racks[member.id] = member.rack;
  }
  const Result<cluster::Plan> plan = cluster::MakePlan(last_->placement, nodes, copies);
  if (!plan.ok()) return Status::Corruption("I10: " + plan.status().ToString());
  if (plan->copies_to_make != 0) {
    return Status::Corruption("I10: all is settled, and a plan would move " + std::to_string(plan->copies_to_make) + " copies");
  }
  for (uint32_t p = 0; p < last_->placement.partitions(); ++p) {
    const PartitionId partition{static_cast<uint16_t>(p)};
    const auto replicas = last_->placement.Replicas(partition);
    if (replicas.size() != plan->copies) return Broken(partition, "it has " + std::to_string(replicas.size()) + " copies");
    std::map<std::string, uint32_t> of_rack;
    for (const NodeId node : replicas) {
      if (++of_rack[racks[node]] > plan->rack_limit) return Broken(partition, "too many copies in rack " + racks[node]);
    }
  }
  return Status::Ok();
}

}  // namespace varve::sim
