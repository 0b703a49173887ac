// 'varve cluster': who is a member and who holds what, planned, looked at and committed.
#include <algorithm>
#include <bit>
#include <chrono>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "cli/cluster_namespaces.h"
#include "cli/cluster_plan.h"
#include "cli/cluster_report.h"
#include "cli/cluster_status.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cluster/topology_change.h"
#include "node/member_address.h"

namespace varve::cli {
namespace {

using cluster::Member;
using cluster::MemberState;
using node::ClusterState;
using node::ClusterStore;

constexpr std::chrono::milliseconds kAskTimeout(2000);

// One run of the verb. Statuses that are returned have not been reported.
struct Work {
  const Context& context;
  ClusterStore* store;
  std::vector<std::string> operands;  // without the action
};

int Report(const Context& context, const Status& status) {
  if (status.code() == StatusCode::kInvalidArgument) return FailUsage(context, status);
  std::string_view hint;
  int exit_code = kExitError;
  switch (status.code()) {
    case StatusCode::kNotFound: hint = "'varve cluster init' makes one; --topology says where it is kept"; break;
    case StatusCode::kConflict: hint = "'varve cluster plan' shows what would come of it now"; break;
    case StatusCode::kUnavailable: exit_code = kExitConnection; break;
    case StatusCode::kTimedOut: exit_code = kExitTimeout; hint = "'varve cluster status' shows which"; break;
    case StatusCode::kCorruption: exit_code = kExitCorruption; break;
    default: break;
  }
  PrintError(context.console, context.json, status, hint);
  return exit_code;
}

Status CheckOperands(const Work& work, size_t min, size_t max, std::string_view wants) {
  if (work.operands.size() >= min && work.operands.size() <= max) return Status::Ok();
  return Status::InvalidArgument("this action takes " + std::string(wants));
}

Result<uint32_t> NumberFlag(const Context& context, std::string_view flag, uint32_t otherwise) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> number, context.arguments.Number(flag));
  if (number && *number > 1'000'000) return Status::InvalidArgument(std::string(flag) + " is too large");
  return number ? static_cast<uint32_t>(*number) : otherwise;
}

// --- init

Result<node::ClusterSettings> SettingsFrom(const Context& context) {
  node::ClusterSettings settings;
  VARVE_ASSIGN_OR_RETURN(settings.copies, NumberFlag(context, "--copies", 3));
  const uint32_t majority = settings.copies / 2 + 1;
  VARVE_ASSIGN_OR_RETURN(settings.read_quorum, NumberFlag(context, "--read", majority));
  VARVE_ASSIGN_OR_RETURN(settings.write_quorum, NumberFlag(context, "--write", majority));
  const std::string policy = context.arguments.Value("--conflicts").value_or("siblings");
  if (policy != "siblings" && policy != "lww") {
    return Status::InvalidArgument("--conflicts takes siblings or lww, not '" + policy + "'");
  }
  if (policy == "lww") settings.policy = cluster::ConflictPolicy::kLww;
  VARVE_RETURN_IF_ERROR(node::CheckClusterSettings(settings));
  return settings;
}

// A topology that nobody will change says from the start by which names its nodes write.
cluster::Topology WithActors(const cluster::Topology& topology) {
  cluster::TopologyChange change(topology);
  for (const Member& member : topology.members) static_cast<void>(change.GiveActor(member.id));
  return change.topology();
}

Result<int> Init(const Work& work) {
  VARVE_RETURN_IF_ERROR(CheckOperands(work, 1, cluster::kMaxNodes, "nodes: ID=HOST:PORT/CLIENTPORT[@RACK] ..."));
  VARVE_ASSIGN_OR_RETURN(const node::ClusterSettings settings, SettingsFrom(work.context));
  VARVE_ASSIGN_OR_RETURN(const uint32_t partitions, NumberFlag(work.context, "--partitions", 256));
  if (!std::has_single_bit(partitions) || partitions > cluster::kSlots) {
    return Status::InvalidArgument("--partitions takes a power of two up to " + std::to_string(cluster::kSlots));
  }
  std::vector<Member> members;
  for (const std::string& text : work.operands) {
    VARVE_ASSIGN_OR_RETURN(Member member, ParseNewMember(text));
    members.push_back(std::move(member));
  }
  const auto bits = static_cast<uint32_t>(std::countr_zero(partitions));
  VARVE_ASSIGN_OR_RETURN(const cluster::Topology topology, MakeFirstTopology(bits, settings.copies, members));
  const Status created = work.store->Create(work.context.arguments.Has("--fixed") ? WithActors(topology) : topology, settings);
  if (created.code() == StatusCode::kConflict) return Status::InvalidArgument("there is a cluster already");
  VARVE_RETURN_IF_ERROR(created);
  VARVE_ASSIGN_OR_RETURN(const ClusterState state, work.store->Read());
  PrintTopology(work.context, state);
  return kExitOk;
}

// --- What nodes say

NodeAnswer AskNode(const Context& context, const Member& member, const client::Request& request) {
  NodeAnswer answer;
  const auto fail = [&](const Status& status) {
    answer.error = status.message().empty() ? StatusCodeName(status.code()) : std::string(status.message());
    return answer;
  };
  const Result<node::MemberAddress> address = node::ParseMemberAddress(member.address);
  if (!address.ok()) return fail(address.status());
  client::Endpoint endpoint;
  endpoint.host = address->clients.host;
  endpoint.port = address->clients.port;
  if (context.environment != nullptr) endpoint.password = context.environment->password.value_or("");
  client::ClientOptions options;
  options.connect_timeout = options.reply_timeout = kAskTimeout;
  const Result<std::unique_ptr<client::Client>> connected = client::Client::Connect(endpoint, options);
  if (!connected.ok()) return fail(connected.status());
  const Result<client::Reply> reply = (*connected)->Call(request);
  if (!reply.ok()) return fail(reply.status());
  answer.info = ServerInfo(reply->text);
  return answer;
}

NodeAnswers AskNodes(const Context& context, const cluster::Topology& topology, const client::Request& request) {
  NodeAnswers answers;
  for (const Member& member : topology.members) {
    if (member.state != MemberState::kRemoved) answers[member.id] = AskNode(context, member, request);
  }
  return answers;
}

NodeAnswers AskUnlessOffline(const Context& context, const cluster::Topology& topology) {
  if (context.arguments.Has("--offline")) return {};
  return AskNodes(context, topology, {"CLUSTER", "INFO"});
}

Result<int> ShowStatus(const Work& work) {
  VARVE_RETURN_IF_ERROR(CheckOperands(work, 0, 0, "no operands"));
  VARVE_ASSIGN_OR_RETURN(const ClusterState state, work.store->Read());
  const NodeAnswers answers = AskUnlessOffline(work.context, state.topology);
  const ClusterVerdict verdict = Judge(state, answers);
  PrintStatus(work.context, state, answers, verdict);
  return verdict.color == ClusterVerdict::Color::kRed ? kExitError : kExitOk;
}

Result<int> Repair(const Work& work) {
  VARVE_ASSIGN_OR_RETURN(const ClusterState state, work.store->Read());
  std::vector<Member> members;
  for (const std::string& text : work.operands) {
    VARVE_ASSIGN_OR_RETURN(const cluster::NodeId id, ParseNodeId(text));
    const Member* const member = state.topology.Find(id);
    if (member == nullptr || member->state == MemberState::kRemoved) {
      return Status::InvalidArgument("there is no node " + text);
    }
    members.push_back(*member);
  }
  if (members.empty()) members = state.topology.members;
  bool all_began = true;
  for (const Member& member : members) {
    if (member.state == MemberState::kRemoved) continue;
    const NodeAnswer answer = AskNode(work.context, member, {"V.REPAIR"});
    all_began = all_began && answer.is_there();
    PrintRepair(work.context, member, answer.error);
  }
  return all_began ? kExitOk : kExitError;
}

// --- Plans

Result<ClusterPlan> PlanOf(const ClusterState& state) {
  if (state.plan.empty()) return ClusterPlan{.epoch = state.topology.epoch, .changes = {}};
  return DecodeClusterPlan(state.plan);
}

Result<int> Commit(const Work& work, const ClusterState& state, const ClusterPlan& plan) {
  VARVE_ASSIGN_OR_RETURN(const PlannedTopology planned,
                         MakePlannedTopology(state.topology, plan.changes, state.settings.copies));
  VARVE_RETURN_IF_ERROR(work.store->ReplaceTopology(state, planned.next));
  ClusterState now = state;
  now.topology = planned.next;
  PrintCommitted(work.context, now, plan);
  return kExitOk;
}

// Adds to what is planned and shows it; with --yes it is committed at once.
Result<int> Stage(const Work& work, const std::vector<ClusterChange>& changes) {
  VARVE_ASSIGN_OR_RETURN(const ClusterState state, work.store->Read());
  VARVE_ASSIGN_OR_RETURN(ClusterPlan plan, PlanOf(state));
  plan.epoch = state.topology.epoch;
  plan.changes.insert(plan.changes.end(), changes.begin(), changes.end());
  VARVE_ASSIGN_OR_RETURN(const PlannedTopology planned,
                         MakePlannedTopology(state.topology, plan.changes, state.settings.copies));
  if (work.context.arguments.Has("--yes")) return Commit(work, state, plan);
  VARVE_RETURN_IF_ERROR(work.store->ReplacePlan(state, EncodeClusterPlan(plan)));
  PrintPlan(work.context, state, plan, planned, AskUnlessOffline(work.context, state.topology));
  return kExitOk;
}

Result<int> Join(const Work& work) {
  VARVE_RETURN_IF_ERROR(CheckOperands(work, 1, cluster::kMaxNodes, "nodes: ID=HOST:PORT/CLIENTPORT[@RACK] ..."));
  std::vector<ClusterChange> changes;
  for (const std::string& text : work.operands) {
    ClusterChange change{.kind = ClusterChange::Kind::kJoin};
    VARVE_ASSIGN_OR_RETURN(change.joins, ParseNewMember(text));
    VARVE_ASSIGN_OR_RETURN(change.joins.weight, NumberFlag(work.context, "--weight", 1));
    changes.push_back(std::move(change));
  }
  return Stage(work, changes);
}

Result<int> Replace(const Work& work) {
  VARVE_RETURN_IF_ERROR(CheckOperands(work, 2, 2, "the node that goes and the one that comes: ID ID=HOST:PORT/CLIENTPORT[@RACK]"));
  ClusterChange change{.kind = ClusterChange::Kind::kReplace};
  VARVE_ASSIGN_OR_RETURN(change.node, ParseNodeId(work.operands[0]));
  VARVE_ASSIGN_OR_RETURN(change.joins, ParseNewMember(work.operands[1]));
  VARVE_ASSIGN_OR_RETURN(change.joins.weight, NumberFlag(work.context, "--weight", 1));
  return Stage(work, {change});
}

Result<int> TakeAway(const Work& work, ClusterChange::Kind kind) {
  VARVE_RETURN_IF_ERROR(CheckOperands(work, 1, cluster::kMaxNodes, "the ids of nodes"));
  std::vector<ClusterChange> changes;
  for (const std::string& text : work.operands) {
    ClusterChange change{.kind = kind};
    VARVE_ASSIGN_OR_RETURN(change.node, ParseNodeId(text));
    changes.push_back(change);
  }
  return Stage(work, changes);
}

Result<int> ShowPlan(const Work& work) {
  VARVE_RETURN_IF_ERROR(CheckOperands(work, 0, 0, "no operands"));
  VARVE_ASSIGN_OR_RETURN(const ClusterState state, work.store->Read());
  if (work.context.arguments.Has("--discard")) {
    VARVE_RETURN_IF_ERROR(work.store->ReplacePlan(state, ""));
    PrintNoPlan(work.context, state);
    return kExitOk;
  }
  VARVE_ASSIGN_OR_RETURN(ClusterPlan plan, PlanOf(state));
  if (plan.changes.empty()) {
    PrintNoPlan(work.context, state);
    return kExitOk;
  }
  VARVE_ASSIGN_OR_RETURN(const PlannedTopology planned,
                         MakePlannedTopology(state.topology, plan.changes, state.settings.copies));
  if (plan.epoch != state.topology.epoch) {
    plan.epoch = state.topology.epoch;
    VARVE_RETURN_IF_ERROR(work.store->ReplacePlan(state, EncodeClusterPlan(plan)));
  }
  PrintPlan(work.context, state, plan, planned, AskUnlessOffline(work.context, state.topology));
  return kExitOk;
}

Result<int> CommitPlan(const Work& work) {
  VARVE_RETURN_IF_ERROR(CheckOperands(work, 0, 0, "no operands"));
  VARVE_ASSIGN_OR_RETURN(const ClusterState state, work.store->Read());
  VARVE_ASSIGN_OR_RETURN(const ClusterPlan plan, PlanOf(state));
  if (plan.changes.empty()) return Status::InvalidArgument("nothing is planned");
  VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> epoch, work.context.arguments.Number("--epoch"));
  const bool is_other = epoch && *epoch != Value(state.topology.epoch);
  const bool is_stale = is_other || plan.epoch != state.topology.epoch;
  if (is_stale && !VARVE_PLANTED_BUG("cluster.commits_stale_plans")) {
    return Status::Conflict("the plan was made for epoch " + std::to_string(epoch.value_or(Value(plan.epoch))) +
                            ", and the cluster is at " + std::to_string(Value(state.topology.epoch)));
  }
  return Commit(work, state, plan);
}

using Action = Result<int> (*)(const Work& work);
struct NamedAction {
  std::string_view name;
  Action run;
};
constexpr NamedAction kActions[] = {
    {"init", Init},
    {"status", ShowStatus},
    {"join", Join},
    {"leave", [](const Work& work) { return TakeAway(work, ClusterChange::Kind::kLeave); }},
    {"replace", Replace},
    {"remove", [](const Work& work) { return TakeAway(work, ClusterChange::Kind::kRemove); }},
    {"plan", ShowPlan},
    {"commit", CommitPlan},
    {"repair", Repair},
    {"namespace", [](const Work& work) { return RunClusterNamespace(work.context, work.store, work.operands); }},
};

int RunCluster(const Context& context) {
  const std::vector<std::string>& words = context.arguments.operands();
  std::vector<std::string_view> names;
  const NamedAction* action = nullptr;
  for (const NamedAction& known : kActions) {
    if (known.name == words[0]) action = &known;
    names.push_back(known.name);
  }
  if (action == nullptr) {
    const std::optional<std::string_view> meant = Suggest(words[0], names);
    return FailUsage(context, Status::InvalidArgument("'" + words[0] + "' is no action on a cluster" +
                                                      (meant ? "; did you mean '" + std::string(*meant) + "'?" : "")));
  }
  std::optional<std::string> address = context.arguments.Value("--topology");
  if (!address && context.environment != nullptr && context.environment->variable) {
    address = context.environment->variable("VARVE_CLUSTER_TOPOLOGY");
  }
  if (!address) {
    return FailUsage(context, Status::InvalidArgument("say where the topology is kept: --topology file:PATH or "
                                                      "etcd:URL, or the variable VARVE_CLUSTER_TOPOLOGY"));
  }
  const Result<std::unique_ptr<ClusterStore>> store = context.backend.open_topology(*address);
  if (!store.ok()) return Report(context, store.status());
  const Result<int> exit_code = action->run({context, store->get(), {words.begin() + 1, words.end()}});
  return exit_code.ok() ? *exit_code : Report(context, exit_code.status());
}

}  // namespace

std::vector<Command> ClusterCommands() {
  return {
      {{.name = "cluster",
        .operands = "ACTION [NODE]",
        .min_operands = 1,
        .max_operands = cluster::kMaxNodes,
        .flags = {{"--topology", "WHERE", "file:PATH or etcd:URL,URL; without it, $VARVE_CLUSTER_TOPOLOGY"},
                  {"--copies", "N", "init: copies of each key (3)"},
                  {"--read", "R", "init, namespace: copies that answer a read (more than half)"},
                  {"--write", "W", "init, namespace: copies that have an answered write (more than half)"},
                  {"--conflicts", "POLICY", "init, namespace create: siblings or lww (siblings)"},
                  {"--partitions", "N", "init: a power of two (256)"},
                  {"--fixed", "", "init: for nodes at fixed:PATH, without a store that they share"},
                  {"--weight", "N", "join, replace: the node's share, relative to others (1)"},
                  {"--epoch", "N", "commit: only a plan that was made for this one"},
                  {"--yes", "", "join, leave, replace, remove: commit at once"},
                  {"--discard", "", "plan: forget it"},
                  {"--offline", "", "do not ask the nodes"}},
        .summary = "Says who is in a cluster and who holds what, and changes it",
        .examples = "export VARVE_CLUSTER_TOPOLOGY=etcd:http://10.0.0.1:2379\n"
                    "varve cluster init 1=10.0.0.1:7379/6379 2=10.0.0.2:7379/6379 3=10.0.0.3:7379/6379\n"
                    "varve cluster status                             # green, yellow or red, and why\n"
                    "varve cluster join 4=10.0.0.4:7379/6379@rack-b   # plans it, and shows what would move\n"
                    "varve cluster plan                               # shows it again\n"
                    "varve cluster commit\n"
                    "varve cluster leave 2                            # gives away what it has\n"
                    "varve cluster replace 3 5=10.0.0.5:7379/6379     # 3 is dead, 5 takes its place\n"
                    "varve cluster remove 2\n"
                    "varve cluster repair                             # compares all copies now\n"
                    "varve cluster namespace create sessions --read 1 --write 1 --conflicts lww\n"
                    "varve cluster namespace set sessions --write 2   # keys that begin with @sessions/\n"
                    "varve cluster namespace list\n",
        .details = "A node is ID=HOST:PORT/CLIENTPORT[@RACK]: PORT is for other nodes. What is planned is kept\n"
                   "with the topology. A commit takes place only if the topology is still the one that the plan\n"
                   "was made for: two administrators cannot collide. status ends with 1 when it is red.\n"
                   "docs/cluster.md.\n",
        .target = Target::kNone},
       RunCluster},
  };
}

}  // namespace varve::cli
