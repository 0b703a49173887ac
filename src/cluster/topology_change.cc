#include "cluster/topology_change.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve::cluster {
namespace {


Status Refused(std::string why) { return Status::InvalidArgument("topology: " + std::move(why)); }

bool IsAllowed(MemberState from, MemberState to) {
  switch (from) {
    case MemberState::kJoining: return to == MemberState::kUp || to == MemberState::kRemoved;
    case MemberState::kUp: return to == MemberState::kLeaving;
    case MemberState::kLeaving: return to == MemberState::kUp || to == MemberState::kRemoved;
    case MemberState::kRemoved: return false;
  }
  return false;
}

}  // namespace

Topology NewTopology(uint64_t cluster, uint32_t bits, uint32_t copies) {
  Topology topology;
  topology.cluster = cluster;
  topology.epoch = Epoch{1};
  topology.placement = topology.target = Placement(bits, copies);
  topology.since.assign(topology.placement.partitions(), topology.epoch);
  return topology;
}

TopologyChange::TopologyChange(const Topology& base) : next_(base) {
  next_.epoch = Next(base.epoch);
}

Result<Member*> TopologyChange::Find(NodeId id) {
  const Member* member = std::as_const(next_).Find(id);
  if (member == nullptr)
    return Status::NotFound("topology: no member " + std::to_string(Value(id)));
  return &next_.members[static_cast<size_t>(member - next_.members.data())];
}

Result<size_t> TopologyChange::FindMove(PartitionId partition) const {
  const Move* move = next_.FindMove(partition);
  if (move == nullptr) {
    return Status::NotFound("topology: partition " + std::to_string(Value(partition)) +
                            " does not move");
  }
  return static_cast<size_t>(move - next_.moves.data());
}

Status TopologyChange::AddMember(Member member) {
  if (member.id == kNoNode) return Refused("a member without an id");
  if (next_.Find(member.id) != nullptr) return Refused("this id is or was a member's");
  if (next_.members.size() == kMaxMembers) return Refused("too many members");
  if (std::max(member.rack.size(), member.address.size()) > kMaxMemberTextBytes)
    return Refused("too long a name");
  member.actor = kNoActor;
  member.state = MemberState::kJoining;
  const auto at = std::find_if(next_.members.begin(), next_.members.end(),
                               [&](const Member& other) { return other.id > member.id; });
  next_.members.insert(at, std::move(member));
  return Status::Ok();
}

Status TopologyChange::SetState(NodeId id, MemberState state) {
  VARVE_ASSIGN_OR_RETURN(Member * member, Find(id));
  if (!IsAllowed(member->state, state))
    return Refused("a member cannot go from that state to this");
  if (state == MemberState::kRemoved && next_.IsUsed(id) &&
      !VARVE_PLANTED_BUG("topology.removes_who_has_data")) {
    return Refused("this member still holds, or shall hold, copies");
  }
  member->state = state;
  return Status::Ok();
}

Status TopologyChange::SetWeight(NodeId id, uint32_t weight) {
  VARVE_ASSIGN_OR_RETURN(Member * member, Find(id));
  member->weight = weight;
  return Status::Ok();
}

Status TopologyChange::SetPlace(NodeId id, std::string rack, std::string address) {
  VARVE_ASSIGN_OR_RETURN(Member * member, Find(id));
  if (std::max(rack.size(), address.size()) > kMaxMemberTextBytes)
    return Refused("too long a name");
  member->rack = std::move(rack);
  member->address = std::move(address);
  return Status::Ok();
}

Result<ActorId> TopologyChange::GiveActor(NodeId id) {
  VARVE_ASSIGN_OR_RETURN(Member * member, Find(id));
  if (member->state == MemberState::kRemoved) return Refused("a removed member gets no actor");
  if (next_.last_actor == ActorId{~uint32_t{0}}) return Refused("all actors are given out");
  next_.last_actor = ActorId{Value(next_.last_actor) + 1};
  return member->actor = next_.last_actor;
}

Status TopologyChange::SetTarget(const Placement& target) {
  if (target.bits() != next_.placement.bits()) return Refused("the target has other partitions");
  for (uint32_t p = 0; p < target.partitions(); ++p) {
    if (target.Replicas(PartitionIdOf(p)).empty()) return Refused("a partition would lie nowhere");
    for (const NodeId node : target.Replicas(PartitionIdOf(p))) {
      const Member* member = next_.Find(node);
      if (member == nullptr || member->state > MemberState::kUp) {
        return Refused("the target names node " + std::to_string(Value(node)) +
                       ", which does not stay");
      }
    }
  }
  // Room for lists of both lengths, until the last one is as the target wants it.
  if (target.copies() > next_.placement.copies())
    next_.placement = next_.placement.WithCopies(target.copies());
  next_.target = target;
  for (uint32_t p = 0; p < target.partitions(); ++p) {
    if (!next_.placement.Replicas(PartitionIdOf(p)).empty()) continue;
    next_.placement.SetReplicas(PartitionIdOf(p), target.Replicas(PartitionIdOf(p)));
    Fence(PartitionIdOf(p));
  }
  ForgetOldCopies();
  return Status::Ok();
}

Status TopologyChange::Split() {
  if (!next_.moves.empty() || next_.target != next_.placement) {
    return Status::Busy("topology: partitions are split when nothing moves");
  }
  if (next_.placement.bits() == kMaxPartitionBits)
    return Refused("a partition of one slot cannot be split");
  next_.placement = next_.target = next_.placement.Split();
  next_.since.assign(next_.placement.partitions(), next_.epoch);
  return Status::Ok();
}

Status TopologyChange::StartMove(PartitionId partition) {
  if (Value(partition) >= next_.placement.partitions()) return Refused("no such partition");
  if (next_.FindMove(partition) != nullptr) return Refused("this partition moves already");
  const std::span<const NodeId> from = next_.placement.Replicas(partition);
  const std::span<const NodeId> to = next_.target.Replicas(partition);
  if (std::ranges::equal(from, to)) return Refused("this partition is where it shall be");
  if (from.size() == to.size() && CountIn(to, from) == to.size()) {
    next_.placement.SetReplicas(partition, to);
    ForgetOldCopies();
    return Status::Ok();
  }
  const auto at = std::find_if(next_.moves.begin(), next_.moves.end(),
                               [&](const Move& move) { return move.partition > partition; });
  next_.moves.insert(at, Move{partition, MoveStage::kCopy, {to.begin(), to.end()}});
  Fence(partition);
  return Status::Ok();
}

Status TopologyChange::AdvanceMove(PartitionId partition, const MoveRules& rules,
                                   const MoveEvidence& evidence) {
  VARVE_ASSIGN_OR_RETURN(const size_t at, FindMove(partition));
  VARVE_RETURN_IF_ERROR(CanAdvance(next_.SetsOf(partition), rules, evidence));
  Move& move = next_.moves[at];
  Fence(partition);
  if (move.stage == MoveStage::kCopy) {
    move.stage = MoveStage::kSettle;
    return Status::Ok();
  }
  next_.placement.SetReplicas(partition, move.next);
  next_.moves.erase(next_.moves.begin() + static_cast<ptrdiff_t>(at));
  ForgetOldCopies();
  return Status::Ok();
}

Status TopologyChange::AbortMove(PartitionId partition) {
  VARVE_ASSIGN_OR_RETURN(const size_t at, FindMove(partition));
  if (next_.moves[at].stage != MoveStage::kCopy && !VARVE_PLANTED_BUG("move.aborts_too_late")) {
    return Refused("this move is past the point at which it can be taken back");
  }
  next_.moves.erase(next_.moves.begin() + static_cast<ptrdiff_t>(at));
  Fence(partition);
  ForgetOldCopies();
  return Status::Ok();
}

// When all lists are as the target has them, so is the room for them.
void TopologyChange::ForgetOldCopies() {
  if (!next_.moves.empty() || next_.placement.copies() == next_.target.copies()) return;
  for (uint32_t p = 0; p < next_.target.partitions(); ++p) {
    if (!std::ranges::equal(next_.placement.Replicas(PartitionIdOf(p)), next_.target.Replicas(PartitionIdOf(p))))
      return;
  }
  next_.placement = next_.target;
}

}  // namespace varve::cluster
