#include "sim/cluster_operator.h"

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/planner.h"
#include "sim/cluster_server.h"

namespace varve::sim {
namespace {

using cluster::Member;
using cluster::MemberState;
using cluster::NodeId;
using cluster::TopologyChange;

bool Stays(const Member& member) { return member.state == MemberState::kJoining || member.state == MemberState::kUp; }

Endpoint MachineOf(const Member& member) { return static_cast<Endpoint>(std::stoul(member.address)); }

// One that has lost its disk before it was up has nothing that another one could be filled from: it is given up.
bool IsGivenUp(const Member& member, const std::map<Endpoint, uint64_t>& wipes) {
  const auto found = wipes.find(MachineOf(member));
  return member.state == MemberState::kJoining && found != wipes.end() &&
         member.address != AddressOf(found->first, found->second);
}

std::vector<cluster::PlannerNode> NodesOf(const cluster::Topology& topology, const std::map<Endpoint, uint64_t>& wipes) {
  std::vector<cluster::PlannerNode> nodes;
  for (const Member& member : topology.members) {
    if (Stays(member) && !IsGivenUp(member, wipes)) nodes.push_back({member.id, member.weight, member.rack});
  }
  return nodes;
}

// Lets the planner say where everything shall be.
bool Aim(TopologyChange* change, uint32_t copies, const std::map<Endpoint, uint64_t>& wipes) {
  const cluster::Topology& topology = change->topology();
  const auto plan = cluster::MakePlan(topology.target, NodesOf(topology, wipes), copies);
  return plan.ok() && change->SetTarget(plan->placement).ok();
}

NodeId NewId(const cluster::Topology& topology) {
  return topology.members.empty() ? NodeId{1} : NodeId{Value(topology.members.back().id) + 1};
}

// Its rack and weight are those of the machine.
bool Add(TopologyChange* change, const ClusterOptions& options, Endpoint endpoint, uint64_t wipes) {
  const std::string rack = options.racks == 0 ? "" : "rack" + std::to_string(endpoint % options.racks);
  return change->AddMember({.id = NewId(change->topology()),
                            .weight = options.is_weighted ? 1 + endpoint * 7 % 5 : 1,
                            .rack = rack,
                            .address = AddressOf(endpoint, wipes)}).ok();
}

// The member of a machine, whatever became of its disk since.
const Member* MemberOn(const cluster::Topology& topology, Endpoint endpoint) {
  for (const Member& member : topology.members) {
    if (Stays(member) && MachineOf(member) == endpoint) return &member;
  }
  return nullptr;
}

}  // namespace

std::string FirstTopologyOf(const ClusterOptions& options) {
  cluster::Topology topology = cluster::NewTopology(1, options.partition_bits, options.copies);
  for (Endpoint endpoint = 0; endpoint < options.nodes; ++endpoint) {
    TopologyChange change(topology);
    VARVE_CHECK(Add(&change, options, endpoint, 0));
    const NodeId id = change.topology().members.back().id;
    VARVE_CHECK(change.SetState(id, MemberState::kUp).ok() && change.GiveActor(id).ok());
    topology = change.topology();
  }
  TopologyChange change(topology);
  VARVE_CHECK(Aim(&change, options.copies, {}));
  return EncodeTopology(change.topology());
}

void ClusterOperator::OnStart(Time, Actions* actions) {
  if (run_->options.changes > 0 || run_->options.wipes || run_->options.reshapes > 0) actions->SetTimer(0, random_.Uniform(run_->options.least / 2));
}

// Reads, changes, and looks again a while later whether there is anything to do.
void ClusterOperator::OnTimer(uint64_t, Time, Actions* actions) {
  actions->ReadStore(1);
  actions->SetTimer(0, 100 * kMillisecond + random_.Uniform(run_->options.least / (1 + run_->options.changes + run_->options.reshapes)));
}

void ClusterOperator::OnStore(const StoreReply& reply, Time, Actions* actions) {
  if (reply.kind == StoreReply::Kind::kCompareAndSwap) {
    run_->changes_made += reply.is_swapped && reply.id == 2 ? 1 : 0;
    return;
  }
  const StoreRecord record = SplitRecord(run_->options, reply.bytes);
  if (TakesSettings(reply.revision, record, actions)) return;
  const auto topology = cluster::DecodeTopology(record.topology);
  if (!topology.ok()) return run_->Report(topology.status());
  TopologyChange change(*topology);
  if (!Change(&change)) return;
  const std::string bytes = EncodeTopology(change.topology());
  actions->SwapStore(2, reply.revision, EncodeRecord(run_->options, {record.settings, bytes}));
}

// Whether this is a time for other settings.
bool ClusterOperator::TakesSettings(uint64_t revision, const StoreRecord& record, Actions* actions) {
  // When it is calm, at any: what is missing yet all nodes shall know before everything is read.
  if (run_->options.namespaces.empty() || (run_->calm_since == 0 && !random_.Chance(500))) return false;
  auto settings = cluster::DecodeClusterSettings(record.settings);
  if (!settings.ok()) {
    run_->Report(settings.status());
    return false;
  }
  const auto topology = cluster::DecodeTopology(record.topology);
  const bool is_green = topology.ok() && std::all_of(topology->members.begin(), topology->members.end(), [&](const Member& m) {
    const auto taken = run_->settings.find(MachineOf(m));
    return m.state == MemberState::kRemoved || (taken != run_->settings.end() && taken->second == record.settings);
  });
  const bool is_changed = run_->calm_since != 0
                              ? AddMissing(run_->options, &*settings)
                              : ChangeSettings(run_->options, is_green, &random_, &*settings);
  if (!is_changed) return false;
  const std::string text = EncodeClusterSettings(*settings);
  actions->SwapStore(3, revision, EncodeRecord(run_->options, {text, record.topology}));
  return true;
}

bool ClusterOperator::Change(TopologyChange* change) {
  if (GiveUp(change) || Replace(change)) return true;
  // A lost answer is a change, too; one more or less does not matter.
  if (run_->calm_since == 0 && run_->options.reshapes > 0) return Reshape(change);
  if (run_->calm_since != 0 || run_->changes_made >= run_->options.changes) return false;
  return random_.Chance(500) ? Join(change) : Leave(change);
}

bool ClusterOperator::Join(TopologyChange* change) {
  const uint32_t machines = run_->options.nodes + run_->options.spares;
  const auto first = static_cast<Endpoint>(random_.Uniform(machines));
  for (uint32_t i = 0; i < machines; ++i) {
    const Endpoint endpoint = (first + i) % machines;
    const std::string address = AddressOf(endpoint, run_->wipes[endpoint]);
    // A machine that has been a member with these data is never another one.
    const auto& members = change->topology().members;
    const bool was = std::any_of(members.begin(), members.end(), [&](const Member& m) { return m.address == address; });
    if (!was) return Add(change, run_->options, endpoint, run_->wipes[endpoint]) && Aim(change, run_->options.copies, run_->wipes);
  }
  return false;
}

bool ClusterOperator::Leave(TopologyChange* change) {
  const std::vector<cluster::PlannerNode> nodes = NodesOf(change->topology(), run_->wipes);
  if (nodes.size() <= run_->options.copies) return false;
  const NodeId id = nodes[random_.Uniform(nodes.size())].id;
  const bool is_up = change->topology().Find(id)->state == MemberState::kUp;
  return is_up && change->SetState(id, MemberState::kLeaving).ok() && Aim(change, run_->options.copies, run_->wipes);
}

// Some partitions shall lie on any members, and on more or fewer of them. Often on none of those where they lie.
bool ClusterOperator::Reshape(TopologyChange* change) {
  const cluster::Topology& topology = change->topology();
  std::vector<NodeId> nodes;
  for (const cluster::PlannerNode& node : NodesOf(topology, run_->wipes)) nodes.push_back(node.id);
  const size_t most = std::min<size_t>(nodes.size(), 5);
  cluster::Placement target =
      topology.target.WithCopies(std::max<uint32_t>(topology.target.copies(), static_cast<uint32_t>(most)));
  for (uint32_t p = 0; p < target.partitions(); ++p) {
    const cluster::PartitionId partition{static_cast<uint16_t>(p)};
    if (!random_.Chance(700)) continue;
    for (size_t i = nodes.size(); i > 1; --i) std::swap(nodes[i - 1], nodes[random_.Uniform(i)]);
    if (random_.Chance(400)) {
      std::stable_partition(nodes.begin(), nodes.end(), [&](NodeId node) {
        return !topology.placement.IsReplica(partition, node);
      });
    }
    if (run_->options.keeps_copies) {
      target.SetReplicas(partition, std::span(nodes).first(std::min<size_t>(run_->options.copies, nodes.size())));
      continue;
    }
    size_t size = random_.Chance(500) ? std::min<size_t>(3, most) : 1 + random_.Uniform(most);
    if (random_.Chance(run_->options.small_sets)) size = 1 + random_.Uniform(std::min<size_t>(2, most));
    target.SetReplicas(partition, std::span(nodes).first(size));
  }
  return change->SetTarget(target).ok();
}

bool ClusterOperator::GiveUp(TopologyChange* change) {
  const cluster::Topology topology = change->topology();
  for (const Member& member : topology.members) {
    if (!IsGivenUp(member, run_->wipes)) continue;
    if (!topology.IsUsed(member.id)) {
      // Though it had nothing: without its weight the shares of the others may be larger.
      return change->SetState(member.id, MemberState::kRemoved).ok() && Aim(change, run_->options.copies, run_->wipes);
    }
    for (uint32_t p = 0; p < topology.target.partitions(); ++p) {
      const cluster::PartitionId partition{static_cast<uint16_t>(p)};
      if (topology.target.IsReplica(partition, member.id)) return Aim(change, run_->options.copies, run_->wipes);
    }
  }
  return false;
}

bool ClusterOperator::Replace(TopologyChange* change) {
  for (const auto& [endpoint, wipes] : run_->wipes) {
    const Member* member = MemberOn(change->topology(), endpoint);
    if (member == nullptr || member->address == AddressOf(endpoint, wipes)) continue;
    const NodeId lost = member->id;
    if (member->state != MemberState::kUp) continue;
    // It may have joined again while the lost one was joining yet. A machine is one member, as an administrator's command sees to.
    const auto& members = change->topology().members;
    const std::string address = AddressOf(endpoint, wipes);
    const bool is_back = std::any_of(members.begin(), members.end(), [&](const Member& m) { return m.address == address; });
    if (!is_back && !Add(change, run_->options, endpoint, wipes)) continue;
    return change->SetState(lost, MemberState::kLeaving).ok() && Aim(change, run_->options.copies, run_->wipes);
  }
  return false;
}

}  // namespace varve::sim
