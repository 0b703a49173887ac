#include "cli/cluster_report.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cli/json.h"
#include "cli/text.h"
#include "cluster/node_core.h"

namespace varve::cli {
namespace {

using cluster::Member;
using cluster::MemberState;
using cluster::NodeId;

// What one node takes at most, so that clients come first.
uint64_t FillBytesPerSecond() { return cluster::NodeOptions().fill_bytes_per_second; }

using Row = std::vector<std::string>;

struct MoveCosts {
  uint64_t bytes = 0;
  uint64_t seconds = 0;  // at least
};

// With a head, in columns for people and with tabs for others.
void PrintTable(const Context& context, const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  const bool is_person = context.console.out_is_terminal;
  for (size_t r = is_person ? 0 : 1; r < rows.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows[r].size(); ++i) {
      const bool is_last = i + 1 == rows[r].size();
      line += rows[r][i];
      if (!is_last) line += is_person ? std::string(widths[i] - DisplayWidth(rows[r][i]) + 2, ' ') : "\t";
    }
    while (is_person && line.ends_with(' ')) line.pop_back();
    context.console.out << (r == 0 ? context.console.OnOut(Console::Style::kDim, line) : line) << "\n";
  }
}

uint32_t At(const std::map<NodeId, uint32_t>& counts, NodeId node) {
  const auto found = counts.find(node);
  return found == counts.end() ? 0 : found->second;
}

std::string JsonMembers(const cluster::Topology& topology, const NodeAnswers& answers) {
  const auto now = CopiesByNode(topology.placement);
  const auto then = CopiesByNode(topology.target);
  JsonArray members;
  for (const Member& member : topology.members) {
    JsonObject object;
    object.Number("node", Value(member.id)).Bytes("state", MemberStateName(member.state));
    object.Bytes("address", member.address).Bytes("rack", member.rack).Number("weight", member.weight);
    object.Number("partitions", At(now, member.id)).Number("shall_have", At(then, member.id));
    if (const auto answer = answers.find(member.id); answer != answers.end()) {
      object.Bool("answers", answer->second.is_there());
      if (!answer->second.is_there()) object.Bytes("error", answer->second.error);
    }
    members.Add(object.Take());
  }
  return members.Take();
}

void PrintMembers(const Context& context, const cluster::Topology& topology, const NodeAnswers& answers) {
  const auto now = CopiesByNode(topology.placement);
  const auto then = CopiesByNode(topology.target);
  std::vector<Row> rows = {{"node", "state", "answers", "partitions", "shall have", "address", "rack"}};
  for (const Member& member : topology.members) {
    if (member.state == MemberState::kRemoved) continue;
    const auto answer = answers.find(member.id);
    const std::string answers_text = answer == answers.end() ? "-" : answer->second.is_there() ? "yes" : "no";
    rows.push_back({std::to_string(Value(member.id)), MemberStateName(member.state), answers_text,
                    std::to_string(At(now, member.id)), std::to_string(At(then, member.id)), member.address, member.rack});
  }
  PrintTable(context, rows);
}

std::string Summary(const node::ClusterState& state) {
  const cluster::Topology& topology = state.topology;
  const auto members = std::count_if(topology.members.begin(), topology.members.end(), [](const Member& member) {
    return member.state != MemberState::kRemoved;
  });
  const node::ClusterSettings& settings = state.settings;
  return "epoch " + std::to_string(Value(topology.epoch)) + ", " + std::to_string(members) +
         (members == 1 ? " node, " : " nodes, ") + std::to_string(topology.placement.partitions()) + " partitions, N=" +
         std::to_string(settings.copies) + " R=" + std::to_string(settings.read_quorum) + " W=" +
         std::to_string(settings.write_quorum) + ", conflicts: " + node::PolicyName(settings.policy);
}

std::string JsonNamespaces(const node::ClusterSettings& settings) {
  JsonArray array;
  for (const auto& [name, space] : settings.namespaces) {
    JsonObject object;
    object.Bytes("namespace", name).Bytes("conflicts", node::PolicyName(space.policy));
    object.Number("read", space.read_quorum).Number("write", space.write_quorum);
    array.Add(object.Take());
  }
  return array.Take();
}

JsonObject JsonSummary(const node::ClusterState& state) {
  JsonObject object;
  object.Number("epoch", Value(state.topology.epoch)).Number("partitions", state.topology.placement.partitions());
  object.Number("copies", state.settings.copies).Number("read", state.settings.read_quorum);
  object.Number("write", state.settings.write_quorum);
  object.Bytes("conflicts", node::PolicyName(state.settings.policy));
  object.Raw("namespaces", JsonNamespaces(state.settings));
  return object;
}

std::string JsonTexts(const std::vector<std::string>& texts) {
  JsonArray array;
  for (const std::string& text : texts) array.Add(JsonString(text));
  return array.Take();
}

std::vector<std::string> Descriptions(const ClusterPlan& plan) {
  std::vector<std::string> texts;
  for (const ClusterChange& change : plan.changes) texts.push_back(DescribeChange(change));
  return texts;
}

// std::nullopt when no node says what it has.
std::optional<MoveCosts> CostsOf(const node::ClusterState& state, const PlannedTopology& planned, const NodeAnswers& answers) {
  const std::optional<double> bytes = BytesOfACopy(state, answers);
  if (!bytes) return std::nullopt;
  // Nodes are filled at the same time: the one that gets the most takes longest.
  const auto now = CopiesByNode(state.topology.placement);
  uint32_t most = 0;
  for (const auto& [node, count] : CopiesByNode(planned.next.target)) {
    const uint32_t had = At(now, node);
    if (count > had) most = std::max(most, count - had);
  }
  const double seconds = *bytes * most / static_cast<double>(FillBytesPerSecond());
  return MoveCosts{.bytes = static_cast<uint64_t>(*bytes * planned.plan.copies_to_make),
                   .seconds = static_cast<uint64_t>(std::ceil(seconds))};
}

std::vector<std::string> Warnings(const PlannedTopology& planned, uint32_t copies) {
  std::vector<std::string> warnings;
  if (planned.plan.is_short_of_nodes) {
    warnings.push_back("there are too few nodes for " + std::to_string(copies) + " copies: it will be " +
                       std::to_string(planned.plan.copies));
  }
  if (planned.plan.is_short_of_racks) {
    warnings.push_back("racks are too small: up to " + std::to_string(planned.plan.rack_limit) +
                       " copies of a partition will be in one");
  }
  if (planned.plan.is_bound_by_racks) warnings.push_back("racks are too unequal for shares by weight alone");
  return warnings;
}

}  // namespace

void PrintNamespaces(const Context& context, const node::ClusterSettings& settings) {
  if (context.json) {
    context.console.out << JsonNamespaces(settings) << "\n";
    return;
  }
  std::vector<Row> rows = {{"keys", "conflicts", "R", "W"}};
  for (const auto& [name, space] : settings.namespaces) {
    rows.push_back({"@" + name + "/...", node::PolicyName(space.policy), std::to_string(space.read_quorum),
                    std::to_string(space.write_quorum)});
  }
  if (rows.size() > 1) PrintTable(context, rows);
}

void PrintTopology(const Context& context, const node::ClusterState& state) {
  if (context.json) {
    JsonObject object = JsonSummary(state);
    object.Raw("nodes", JsonMembers(state.topology, {}));
    context.console.out << object.Take() << "\n";
    return;
  }
  context.console.out << Summary(state) << "\n";
  PrintMembers(context, state.topology, {});
}

void PrintStatus(const Context& context, const node::ClusterState& state, const NodeAnswers& answers,
                 const ClusterVerdict& verdict) {
  if (context.json) {
    JsonObject object;
    object.Bytes("status", ColorName(verdict.color)).Raw("reasons", JsonTexts(verdict.reasons));
    object.Number("epoch", Value(state.topology.epoch)).Number("moves", state.topology.moves.size());
    object.Number("partitions_to_move", PartitionsToMove(state.topology));
    object.Raw("settings", JsonSummary(state).Take()).Raw("nodes", JsonMembers(state.topology, answers));
    context.console.out << object.Take() << "\n";
    return;
  }
  const bool is_good = verdict.color == ClusterVerdict::Color::kGreen;
  context.console.out << context.console.OnOut(is_good ? Console::Style::kBold : Console::Style::kRed,
                                               ColorName(verdict.color))
                      << ": " << Summary(state) << "\n";
  for (const std::string& reason : verdict.reasons) context.console.out << "- " << reason << "\n";
  PrintMembers(context, state.topology, answers);
  PrintNamespaces(context, state.settings);
}

void PrintPlan(const Context& context, const node::ClusterState& state, const ClusterPlan& plan,
               const PlannedTopology& planned, const NodeAnswers& answers) {
  const std::optional<MoveCosts> costs = CostsOf(state, planned, answers);
  const std::vector<std::string> warnings = Warnings(planned, state.settings.copies);
  if (context.json) {
    JsonObject object;
    object.Number("epoch", Value(plan.epoch)).Raw("changes", JsonTexts(Descriptions(plan)));
    object.Number("copies_to_make", planned.plan.copies_to_make);
    if (costs) object.Number("bytes", costs->bytes).Number("seconds", costs->seconds);
    object.Raw("warnings", JsonTexts(warnings)).Raw("nodes", JsonMembers(planned.next, {}));
    context.console.out << object.Take() << "\n";
    return;
  }
  std::ostream& out = context.console.out;
  out << "plan for epoch " << Value(plan.epoch) << "\n";
  for (const std::string& text : Descriptions(plan)) out << "+ " << text << "\n";
  for (const std::string& text : warnings) out << "! " << text << "\n";
  PrintMembers(context, planned.next, {});
  out << planned.plan.copies_to_make << " copies of partitions are made, " << planned.plan.primaries_changed
      << " get another first node";
  if (costs) {
    out << "; " << HumanBytes(costs->bytes) << ", at least " << HumanDuration(costs->seconds * 1'000'000'000) << ", as a node takes "
        << HumanBytes(FillBytesPerSecond()) << "/s at most";
  }
  out << "\nnothing has changed yet: 'varve cluster commit' does it, 'varve cluster plan --discard' forgets it\n";
}

void PrintNoPlan(const Context& context, const node::ClusterState& state) {
  if (context.json) {
    context.console.out << JsonObject().Number("epoch", Value(state.topology.epoch)).Raw("changes", "[]").Take() << "\n";
  } else {
    context.console.out << "nothing is planned\n";
  }
}

void PrintCommitted(const Context& context, const node::ClusterState& now, const ClusterPlan& plan) {
  const uint32_t left = PartitionsToMove(now.topology);
  if (context.json) {
    JsonObject object;
    object.Number("epoch", Value(now.topology.epoch)).Raw("changes", JsonTexts(Descriptions(plan)));
    object.Number("partitions_to_move", left);
    context.console.out << object.Take() << "\n";
    return;
  }
  for (const std::string& text : Descriptions(plan)) context.console.out << "+ " << text << "\n";
  context.console.out << "committed: epoch " << Value(now.topology.epoch) << ", " << left
                      << (left == 1 ? " partition moves" : " partitions move")
                      << "; 'varve cluster status' shows how far it is\n";
}

void PrintRepair(const Context& context, const Member& member, const std::string& error) {
  if (context.json) {
    JsonObject object;
    object.Number("node", Value(member.id)).Bool("began", error.empty());
    if (!error.empty()) object.Bytes("error", error);
    context.console.out << object.Take() << "\n";
    return;
  }
  context.console.out << "node " << Value(member.id) << (error.empty() ? " compares its copies with the others'" : ": " + error)
                      << "\n";
}

}  // namespace varve::cli
