// CLUSTER and its family: who has what, for clients that go to the right node directly; and keys with their contexts.
#include <algorithm>
#include <map>

#include "server/call.h"
#include "server/cluster_face.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {
namespace {

constexpr uint32_t kSlots = 16384;

// For those that act: clusters are changed by 'varve cluster'.
Status Refused(Call& call) {
  if (call.service.cluster() == nullptr) return call.Error("This instance has cluster support disabled");
  return call.Error("'" + call.command.full_name + "' is not supported: 'varve cluster' changes the cluster");
}

template <Status (*kRun)(Call&, ClusterFace&)>
Status InCluster(Call& call) {
  if (call.service.cluster() == nullptr) return call.Error("This instance has cluster support disabled");
  return kRun(call, *call.service.cluster());
}

void ReplyNode(Call& call, const ClusterView::Node& node) {
  call.reply.Array(4);
  call.reply.Bulk(node.host);
  call.reply.Integer(node.port);
  call.reply.Bulk(node.name);
  call.reply.Map(0);
}

Status Slots(Call& call, ClusterFace& face) {
  call.session.FollowCluster();
  const std::shared_ptr<const ClusterView> held = face.View();
  const ClusterView& view = *held;
  call.reply.Array(view.ranges.size());
  for (const ClusterView::Range& range : view.ranges) {
    call.reply.Array(2 + range.nodes.size());
    call.reply.Integer(range.first);
    call.reply.Integer(range.last);
    for (const size_t node : range.nodes) ReplyNode(call, view.nodes[node]);
  }
  return Status::Ok();
}

// The ranges of which a node is the first one.
std::map<size_t, std::vector<const ClusterView::Range*>> FirstOf(const ClusterView& view) {
  std::map<size_t, std::vector<const ClusterView::Range*>> first;
  for (const ClusterView::Range& range : view.ranges) {
    if (!range.nodes.empty()) first[range.nodes[0]].push_back(&range);
  }
  return first;
}

// One shard for each list of nodes.
Status Shards(Call& call, ClusterFace& face) {
  call.session.FollowCluster();
  const std::shared_ptr<const ClusterView> held = face.View();
  const ClusterView& view = *held;
  std::map<std::vector<size_t>, std::vector<const ClusterView::Range*>> shards;
  for (const ClusterView::Range& range : view.ranges) shards[range.nodes].push_back(&range);
  const auto add = [&call](std::string_view name, std::string_view text) {
    call.reply.Bulk(name);
    call.reply.Bulk(text);
  };
  call.reply.Array(shards.size());
  for (const auto& [nodes, ranges] : shards) {
    call.reply.Map(2);
    call.reply.Bulk("slots");
    call.reply.Array(2 * ranges.size());
    for (const ClusterView::Range* range : ranges) {
      call.reply.Integer(range->first);
      call.reply.Integer(range->last);
    }
    call.reply.Bulk("nodes");
    call.reply.Array(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
      const ClusterView::Node& node = view.nodes[nodes[i]];
      // In the order of Redis, for those who read it as a list.
      call.reply.Map(7);
      add("id", node.name);
      call.reply.Bulk("port");
      call.reply.Integer(node.port);
      add("ip", node.host);
      add("endpoint", node.host);
      add("role", i == 0 ? "master" : "replica");
      call.reply.Bulk("replication-offset");
      call.reply.Integer(0);
      add("health", node.is_reachable ? "online" : "failed");
    }
  }
  return Status::Ok();
}

Status Nodes(Call& call, ClusterFace& face) {
  call.session.FollowCluster();
  const std::shared_ptr<const ClusterView> held = face.View();
  const ClusterView& view = *held;
  auto first = FirstOf(view);
  std::string text;
  for (size_t i = 0; i < view.nodes.size(); ++i) {
    const ClusterView::Node& node = view.nodes[i];
    text += node.name + " " + node.host + ":" + std::to_string(node.port) + "@" + std::to_string(node.cluster_port) + " ";
    text += std::string(node.is_self ? "myself," : "") + "master" + (node.is_reachable ? "" : ",fail?");
    text += " - 0 0 " + std::to_string(view.epoch) + (node.is_reachable ? " connected" : " disconnected");
    for (const ClusterView::Range* range : first[i]) {
      text += " " + std::to_string(range->first);
      if (range->last != range->first) text += "-" + std::to_string(range->last);
    }
    text += "\n";
  }
  call.reply.Verbatim("txt", text);
  return Status::Ok();
}

Status ClusterInfo(Call& call, ClusterFace& face) {
  const std::shared_ptr<const ClusterView> held = face.View();
  const ClusterView& view = *held;
  uint32_t assigned = 0;
  for (const ClusterView::Range& range : view.ranges) assigned += range.nodes.empty() ? 0u : range.last - range.first + 1u;
  std::string text = std::string("cluster_state:") + (assigned == kSlots ? "ok" : "fail");
  const auto add = [&](const std::string& name, const std::string& value) { text += "\r\n" + name + ":" + value; };
  add("cluster_slots_assigned", std::to_string(assigned));
  add("cluster_slots_ok", std::to_string(assigned));
  add("cluster_known_nodes", std::to_string(view.nodes.size()));
  add("cluster_size", std::to_string(FirstOf(view).size()));
  add("cluster_current_epoch", std::to_string(view.epoch));
  for (const auto& [name, value] : face.Info()) add(name, value);
  call.reply.Verbatim("txt", text + "\r\n");
  return Status::Ok();
}

Status KeySlot(Call& call, ClusterFace& face) { return call.Integer(face.SlotOf(call.arg(2))); }

Status MyId(Call& call, ClusterFace& face) {
  const std::shared_ptr<const ClusterView> view = face.View();
  for (const ClusterView::Node& node : view->nodes) {
    if (node.is_self) call.reply.Bulk(node.name);
  }
  return Status::Ok();
}

Status CountKeysInSlot(Call& call, ClusterFace& face) {
  int64_t slot = 0;
  if (!call.TakeInteger(2, &slot)) return Status::Ok();
  if (slot < 0 || slot >= kSlots) return call.Error("Invalid slot");
  return call.Integer(static_cast<int64_t>(face.CountKeys(static_cast<uint16_t>(slot))));
}

Status BeginRepair(Call& call, ClusterFace& face) {
  face.Repair();
  return call.Ok();
}

// Every node may be read from at all times.
Status Nothing(Call& call, ClusterFace&) { return call.Ok(); }

// Without a cluster there is one copy, and nothing to settle.
Status OnlyInCluster(Call& call) { return call.Error("this server is no node of a cluster"); }

struct Subcommand {
  std::string_view name;
  int arity;
  bool is_admin;
  bool has_tip;
  Status (*run)(Call&) = Refused;
};

// Those that look at a cluster, and those that would change one.
constexpr Subcommand kEntries[] = {
    {"addslots", -3, true, false},        {"addslotsrange", -4, true, false},
    {"bumpepoch", 2, true, true},         {"countkeysinslot", 3, false, false, InCluster<CountKeysInSlot>},
    {"delslots", -3, true, false},        {"delslotsrange", -4, true, false},
    {"failover", -2, true, false},        {"flushslots", 2, true, false},
    {"forget", 3, true, false},           {"getkeysinslot", 4, false, true},
    {"info", 2, false, true, InCluster<ClusterInfo>}, {"keyslot", 3, false, false, InCluster<KeySlot>},
    {"links", 2, false, true},            {"meet", -4, true, false},
    {"myid", 2, false, false, InCluster<MyId>}, {"nodes", 2, false, true, InCluster<Nodes>},
    {"replicate", 3, true, false},        {"saveconfig", 2, true, false},
    {"set-config-epoch", 3, true, false}, {"setslot", -4, true, false},
    {"shards", 2, false, true, InCluster<Shards>}, {"slots", 2, false, true, InCluster<Slots>}};

}  // namespace

std::vector<CommandSpec> ClusterCommands() {
  constexpr std::string_view kTip = "nondeterministic_output";
  constexpr std::string_view kSummary = "Says who has what in a cluster";
  const auto sub = [&](const Subcommand& entry, std::string_view flags) {
    return CommandSpec{entry.name, entry.arity, flags, "", "", entry.has_tip ? kTip : std::string_view(), "3.0.0", "cluster",
                       kSummary, entry.run};
  };
  std::vector<CommandSpec> subcommands;
  for (const Subcommand& entry : kEntries) {
    subcommands.push_back(sub(entry, entry.is_admin ? "admin stale no_async_loading" : "stale"));
  }
  subcommands.push_back(sub({"count-failure-reports", 3, true, true}, "admin stale"));
  subcommands.push_back(sub({"replicas", 3, true, true}, "admin stale"));
  subcommands.push_back(sub({"slaves", 3, true, true}, "admin stale"));
  subcommands.push_back(sub({"reset", -2, true, false}, "admin noscript stale"));
  subcommands.push_back(sub({"help", 2, false, false}, "loading stale"));
  return {
      {.name = "cluster",
       .arity = -2,
       .since = "3.0.0",
       .group = "cluster",
       .summary = kSummary,
       .subcommands = std::move(subcommands)},
      {"asking", 1, "fast", "connection", "", "", "3.0.0", "cluster", kSummary, InCluster<Nothing>},
      {"readonly", 1, "loading stale fast", "connection", "", "", "3.0.0", "cluster", kSummary, InCluster<Nothing>},
      {"readwrite", 1, "loading stale fast", "connection", "", "", "3.0.0", "cluster", kSummary, InCluster<Nothing>},
      {"v.get", -2, "readonly fast", "keyspace", "RO access@1:0,1", "", "0.1.0", "cluster",
       "Returns all values that nobody has overwritten, and the context that settles them", OnlyInCluster},
      {"v.put", -3, "write denyoom fast", "keyspace", "RW update@1:0,1", "", "0.1.0", "cluster",
       "Sets a value in place of those that the context has seen", OnlyInCluster},
      {"v.del", -2, "write fast", "keyspace", "RW delete@1:0,1", "", "0.1.0", "cluster",
       "Deletes the values that the context has seen", OnlyInCluster},
      {"v.repair", 1, "admin noscript", "", "", "", "0.1.0", "cluster",
       "Compares the copies of this node with the others'", InCluster<BeginRepair>},
  };
}

}  // namespace varve::server
