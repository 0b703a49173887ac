#include "cli/cluster_plan.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/status_macros.h"
#include "cluster/topology_change.h"
#include "node/member_address.h"

namespace varve::cli {
namespace {

using cluster::Member;
using cluster::MemberState;
using cluster::NodeId;
using cluster::PartitionId;
using cluster::Placement;
using cluster::Topology;
using cluster::TopologyChange;

constexpr std::string_view kKindNames[] = {"join", "leave", "replace", "remove"};

template <typename T>
bool ParseNumber(std::string_view text, T* number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && stop == end && !text.empty();
}

PartitionId IdOf(uint32_t partition) { return PartitionId{static_cast<uint16_t>(partition)}; }

// Up to the next space, which goes with it.
std::string_view NextWord(std::string_view* line) {
  const size_t end = std::min(line->find(' '), line->size());
  const std::string_view word = line->substr(0, end);
  line->remove_prefix(std::min(end + 1, line->size()));
  return word;
}

std::optional<ClusterChange> DecodeChange(std::string_view line) {
  const auto* const kind = std::find(std::begin(kKindNames), std::end(kKindNames), NextWord(&line));
  if (kind == std::end(kKindNames)) return std::nullopt;
  ClusterChange change{.kind = static_cast<ClusterChange::Kind>(kind - std::begin(kKindNames))};
  uint64_t node = 0;
  if (change.kind != ClusterChange::Kind::kJoin) {
    if (!ParseNumber(NextWord(&line), &node)) return std::nullopt;
    change.node = NodeId{node};
  }
  if (change.kind == ClusterChange::Kind::kJoin || change.kind == ClusterChange::Kind::kReplace) {
    if (!ParseNumber(NextWord(&line), &node)) return std::nullopt;
    change.joins.id = NodeId{node};
    if (!ParseNumber(NextWord(&line), &change.joins.weight)) return std::nullopt;
    change.joins.address = NextWord(&line);
    change.joins.rack = line;
    line = {};
  }
  return line.empty() ? std::optional(change) : std::nullopt;
}

// Towards holding nothing.
Status Empty(TopologyChange* change, NodeId node) {
  const Member* const member = change->topology().Find(node);
  if (member == nullptr) return Status::InvalidArgument("there is no node " + std::to_string(Value(node)));
  if (member->state == MemberState::kRemoved) {
    return Status::InvalidArgument("node " + std::to_string(Value(node)) + " is no member any more");
  }
  if (member->state == MemberState::kLeaving) return Status::Ok();
  if (member->state == MemberState::kJoining) VARVE_RETURN_IF_ERROR(change->SetState(node, MemberState::kUp));
  return change->SetState(node, MemberState::kLeaving);
}

Status Apply(const ClusterChange& wanted, TopologyChange* change) {
  if (wanted.kind != ClusterChange::Kind::kJoin) VARVE_RETURN_IF_ERROR(Empty(change, wanted.node));
  if (wanted.kind == ClusterChange::Kind::kLeave || wanted.kind == ClusterChange::Kind::kRemove) return Status::Ok();
  for (const Member& member : change->topology().members) {
    if (member.state != MemberState::kRemoved && member.address == wanted.joins.address) {
      return Status::InvalidArgument("node " + std::to_string(Value(member.id)) + " is at " + member.address + " already");
    }
  }
  return change->AddMember(wanted.joins);
}

// What nodes hold, once what moves has arrived.
Placement Arriving(const Topology& topology) {
  Placement placement = topology.placement;
  for (const cluster::Move& move : topology.moves) {
    if (move.next.size() > placement.copies()) {
      placement = placement.WithCopies(static_cast<uint32_t>(move.next.size()));
    }
    placement.SetReplicas(move.partition, move.next);
  }
  return placement;
}

}  // namespace

std::string EncodeClusterPlan(const ClusterPlan& plan) {
  std::string text = "epoch " + std::to_string(Value(plan.epoch)) + "\n";
  for (const ClusterChange& change : plan.changes) {
    text += kKindNames[static_cast<size_t>(change.kind)];
    if (change.kind != ClusterChange::Kind::kJoin) text += " " + std::to_string(Value(change.node));
    if (change.kind == ClusterChange::Kind::kJoin || change.kind == ClusterChange::Kind::kReplace) {
      text += " " + std::to_string(Value(change.joins.id)) + " " + std::to_string(change.joins.weight) + " " +
              change.joins.address + " " + change.joins.rack;
    }
    text += "\n";
  }
  return text;
}

Result<ClusterPlan> DecodeClusterPlan(std::string_view text) {
  ClusterPlan plan;
  bool has_epoch = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!has_epoch) {
      uint64_t epoch = 0;
      has_epoch = NextWord(&line) == "epoch" && ParseNumber(line, &epoch);
      if (!has_epoch) return Status::Corruption("the stored plan has no epoch");
      plan.epoch = cluster::Epoch{epoch};
      continue;
    }
    const std::optional<ClusterChange> change = DecodeChange(line);
    if (!change) return Status::Corruption("the stored plan makes no sense: '" + std::string(line) + "'");
    plan.changes.push_back(*change);
  }
  return plan;
}

std::string DescribeChange(const ClusterChange& change) {
  const std::string node = "node " + std::to_string(Value(change.node));
  const std::string joins = "node " + std::to_string(Value(change.joins.id));
  const std::string place =
      " at " + change.joins.address + (change.joins.rack.empty() ? "" : " in rack " + change.joins.rack);
  switch (change.kind) {
    case ClusterChange::Kind::kJoin: return joins + " joins" + place;
    case ClusterChange::Kind::kLeave: return node + " leaves";
    case ClusterChange::Kind::kReplace: return joins + place + " replaces " + node;
    case ClusterChange::Kind::kRemove: return node + " is removed";
  }
  return "";
}

Result<NodeId> ParseNodeId(std::string_view text) {
  uint64_t id = 0;
  if (ParseNumber(text, &id) && id != 0) return NodeId{id};
  return Status::InvalidArgument("a node is a number above 0, not '" + std::string(text) + "'");
}

Result<Member> ParseNewMember(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == text.npos) {
    return Status::InvalidArgument("a new node is ID=HOST:PORT/CLIENTPORT[@RACK], not '" + std::string(text) + "'");
  }
  Member member;
  VARVE_ASSIGN_OR_RETURN(member.id, ParseNodeId(text.substr(0, equals)));
  const std::string_view place = text.substr(equals + 1);
  const size_t at = std::min(place.find('@'), place.size());
  VARVE_ASSIGN_OR_RETURN(const node::MemberAddress address, node::ParseMemberAddress(place.substr(0, at)));
  member.address = node::FormatMemberAddress(address);
  if (at < place.size()) member.rack = place.substr(at + 1);
  for (const char c : member.rack) {
    if (static_cast<unsigned char>(c) < ' ') return Status::InvalidArgument("the name of a rack is text");
  }
  return member;
}

Result<PlannedTopology> MakePlannedTopology(const Topology& now, const std::vector<ClusterChange>& changes,
                                            uint32_t copies) {
  TopologyChange change(now);
  for (const ClusterChange& wanted : changes) VARVE_RETURN_IF_ERROR(Apply(wanted, &change));
  std::vector<cluster::PlannerNode> nodes;
  for (const Member& member : change.topology().members) {
    if (member.state <= MemberState::kUp) nodes.push_back({member.id, member.weight, member.rack});
  }
  PlannedTopology planned;
  VARVE_ASSIGN_OR_RETURN(planned.plan, cluster::MakePlan(Arriving(now), nodes, copies));
  VARVE_RETURN_IF_ERROR(change.SetTarget(planned.plan.placement));
  for (const ClusterChange& wanted : changes) {
    if (wanted.kind == ClusterChange::Kind::kRemove && !change.topology().IsUsed(wanted.node)) {
      VARVE_RETURN_IF_ERROR(change.SetState(wanted.node, MemberState::kRemoved));
    }
  }
  planned.next = change.topology();
  VARVE_RETURN_IF_ERROR(cluster::Validate(planned.next));
  return planned;
}

Result<Topology> MakeFirstTopology(uint32_t bits, uint32_t copies, std::vector<Member> members) {
  std::vector<ClusterChange> changes;
  for (Member& member : members) changes.push_back({.kind = ClusterChange::Kind::kJoin, .joins = std::move(member)});
  VARVE_ASSIGN_OR_RETURN(PlannedTopology planned, MakePlannedTopology(cluster::NewTopology(1, bits, copies), changes, copies));
  TopologyChange change(planned.next);
  for (const Member& member : planned.next.members) {
    VARVE_RETURN_IF_ERROR(change.SetState(member.id, MemberState::kUp));
  }
  return change.topology();
}

std::map<NodeId, uint32_t> CopiesByNode(const Placement& placement) {
  std::map<NodeId, uint32_t> copies;
  for (uint32_t p = 0; p < placement.partitions(); ++p) {
    for (const NodeId node : placement.Replicas(IdOf(p))) ++copies[node];
  }
  return copies;
}

uint32_t PartitionsToMove(const Topology& topology) {
  uint32_t count = 0;
  for (uint32_t p = 0; p < topology.placement.partitions(); ++p) {
    count += std::ranges::equal(topology.placement.Replicas(IdOf(p)), topology.target.Replicas(IdOf(p))) ? 0 : 1;
  }
  return count;
}

const char* MemberStateName(MemberState state) {
  switch (state) {
    case MemberState::kJoining: return "joining";
    case MemberState::kUp: return "up";
    case MemberState::kLeaving: return "leaving";
    case MemberState::kRemoved: return "removed";
  }
  return "";
}

}  // namespace varve::cli
