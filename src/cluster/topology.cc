#include "cluster/topology.h"

#include <algorithm>
#include <set>
#include <span>

namespace varve::cluster {
namespace {

Status Wrong(std::string what) { return Status::Corruption("topology: " + std::move(what)); }

Status ValidateMembers(const Topology& topology) {
  if (topology.members.size() > kMaxMembers) return Wrong("too many members");
  std::set<ActorId> actors;
  NodeId previous = kNoNode;
  for (const Member& member : topology.members) {
    const std::string name = "member " + std::to_string(Value(member.id));
    if (member.id <= previous) return Wrong(name + " is out of order");
    previous = member.id;
    if (member.state > MemberState::kRemoved) return Wrong(name + " is in no known state");
    if (member.actor > topology.last_actor)
      return Wrong(name + " has an actor that was not given out");
    if (member.actor != kNoActor && !actors.insert(member.actor).second) {
      return Wrong(name + " has the actor of another one");
    }
    if (std::max(member.rack.size(), member.address.size()) > kMaxMemberTextBytes) {
      return Wrong(name + " has too long a name");
    }
  }
  return Status::Ok();
}

Status ValidateList(const Topology& topology, std::span<const NodeId> list,
                    const std::string& name) {
  for (size_t i = 0; i < list.size(); ++i) {
    const Member* member = topology.Find(list[i]);
    if (member == nullptr) return Wrong(name + " names a node that is no member");
    if (member->state == MemberState::kRemoved) return Wrong(name + " names a removed member");
    if (IsIn(list[i], list.subspan(0, i))) return Wrong(name + " names a node twice");
  }
  return Status::Ok();
}

Status ValidatePartitions(const Topology& topology) {
  const Placement& placement = topology.placement;
  if (topology.since.size() != placement.partitions()) return Wrong("not one fence a partition");
  if (topology.target.bits() != placement.bits()) return Wrong("the target has other partitions");
  for (uint32_t p = 0; p < placement.partitions(); ++p) {
    const PartitionId partition{static_cast<uint16_t>(p)};
    const std::string name = "partition " + std::to_string(p);
    if (topology.since[p] > topology.epoch) return Wrong(name + " has a fence of the future");
    for (const Placement* lists : {&placement, &topology.target}) {
      const Status status = ValidateList(topology, lists->Replicas(partition), name);
      if (!status.ok()) return status;
    }
    if (!placement.Replicas(partition).empty() && topology.target.Replicas(partition).empty()) {
      return Wrong(name + " shall lie nowhere");
    }
  }
  return Status::Ok();
}

Status ValidateMoves(const Topology& topology) {
  int64_t previous = -1;
  for (const Move& move : topology.moves) {
    const std::string name = "the move of partition " + std::to_string(Value(move.partition));
    if (Value(move.partition) <= previous) return Wrong(name + " is out of order");
    previous = Value(move.partition);
    if (Value(move.partition) >= topology.placement.partitions())
      return Wrong(name + " does not exist");
    if (move.stage != MoveStage::kCopy && move.stage != MoveStage::kSettle) {
      return Wrong(name + " is in no known stage");
    }
    if (move.next.empty() || topology.placement.Replicas(move.partition).empty()) {
      return Wrong(name + " is from or to nowhere");
    }
    if (move.next.size() > kMaxCopies) return Wrong(name + " is to too many");
    const Status status = ValidateList(topology, move.next, name);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

}  // namespace

const Member* Topology::Find(NodeId id) const {
  const auto it = std::lower_bound(members.begin(), members.end(), id,
                                   [](const Member& member, NodeId b) { return member.id < b; });
  return it != members.end() && it->id == id ? &*it : nullptr;
}

const Move* Topology::FindMove(PartitionId partition) const {
  const auto it =
      std::lower_bound(moves.begin(), moves.end(), partition,
                       [](const Move& move, PartitionId b) { return move.partition < b; });
  return it != moves.end() && it->partition == partition ? &*it : nullptr;
}

ReplicaSets Topology::SetsOf(PartitionId partition) const {
  const std::span<const NodeId> list = placement.Replicas(partition);
  ReplicaSets sets{since[Value(partition)], MoveStage::kNone, {list.begin(), list.end()}, {}};
  if (const Move* move = FindMove(partition); move != nullptr) {
    sets.stage = move->stage;
    sets.next = move->next;
  }
  return sets;
}

std::span<const NodeId> Topology::Readable(PartitionId partition) const {
  const Move* move = FindMove(partition);
  if (move != nullptr && move->stage == MoveStage::kSettle) return move->next;
  return placement.Replicas(partition);
}

bool Topology::IsUsed(NodeId id) const {
  for (const Move& move : moves) {
    if (IsIn(id, move.next)) return true;
  }
  for (uint32_t p = 0; p < placement.partitions(); ++p) {
    const PartitionId partition{static_cast<uint16_t>(p)};
    if (placement.IsReplica(partition, id) || target.IsReplica(partition, id)) return true;
  }
  return false;
}

Status Validate(const Topology& topology) {
  for (const auto check : {ValidateMembers, ValidatePartitions, ValidateMoves}) {
    const Status status = check(topology);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

Status ValidateSuccession(const Topology& now, const Topology& next) {
  if (next.cluster != now.cluster) return Wrong("it is of another cluster");
  if (next.epoch < now.epoch) return Wrong("it is older than the one in force");
  if (next.epoch == now.epoch && next != now) return Wrong("there are two of the same epoch");
  if (next.last_actor < now.last_actor) return Wrong("actors are taken back");
  if (next.placement.bits() < now.placement.bits()) return Wrong("partitions are joined");
  for (const Member& member : now.members) {
    const Member* later = next.Find(member.id);
    if (later == nullptr)
      return Wrong("member " + std::to_string(Value(member.id)) + " is forgotten");
    if (member.state == MemberState::kRemoved && later->state != MemberState::kRemoved) {
      return Wrong("member " + std::to_string(Value(member.id)) + " is back");
    }
    if (later->actor < member.actor) {
      return Wrong("member " + std::to_string(Value(member.id)) + " has an earlier actor");
    }
  }
  return Status::Ok();
}

}  // namespace varve::cluster
