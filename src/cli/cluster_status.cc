#include "cli/cluster_status.h"

#include <algorithm>
#include <charconv>

#include "base/planted_bug.h"
#include "cli/cluster_plan.h"

namespace varve::cli {
namespace {

using cluster::Member;
using cluster::MemberState;
using cluster::MoveStage;
using cluster::NodeId;
using cluster::PartitionId;
using cluster::Topology;
using Color = ClusterVerdict::Color;

std::string Count(size_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

class Judging {
 public:
  Judging(const node::ClusterState& state, const NodeAnswers& answers) : state_(state), answers_(answers) {}

  ClusterVerdict Judge() {
    JudgePartitions();
    JudgeMembers();
    JudgeMoves();
    std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    ClusterVerdict verdict;
    for (auto& [color, reason] : found_) {
      verdict.color = std::max(verdict.color, color);
      verdict.reasons.push_back(std::move(reason));
    }
    return verdict;
  }

 private:
  void Add(Color color, std::string reason) { found_.emplace_back(color, std::move(reason)); }

  size_t Answering(const std::vector<NodeId>& nodes) const {
    return static_cast<size_t>(std::count_if(nodes.begin(), nodes.end(), [&](NodeId node) {
      const auto found = answers_.find(node);
      return answers_.empty() || (found != answers_.end() && found->second.is_there());
    }));
  }
  bool HasQuorum(const std::vector<NodeId>& nodes, size_t quorum) const {
    if (VARVE_PLANTED_BUG("cluster.one_copy_is_enough")) quorum = 1;
    return !nodes.empty() && Answering(nodes) >= cluster::QuorumOf(nodes.size(), quorum);
  }

  void JudgePartitions() {
    size_t unreadable = 0, unwritable = 0, short_of_nodes = 0;
    const Topology& topology = state_.topology;
    for (uint32_t p = 0; p < topology.placement.partitions(); ++p) {
      const cluster::ReplicaSets sets = topology.SetsOf(PartitionId{static_cast<uint16_t>(p)});
      const bool moves = sets.stage != MoveStage::kNone;
      if (!HasQuorum(sets.Readable(), state_.settings.read_quorum)) ++unreadable;
      const bool is_writable = HasQuorum(sets.current, state_.settings.write_quorum) &&
                               (!moves || HasQuorum(sets.next, state_.settings.write_quorum));
      if (!is_writable) ++unwritable;
      if (sets.current.size() < state_.settings.copies) ++short_of_nodes;
    }
    if (unreadable > 0) Add(Color::kRed, Count(unreadable, "partition") + " cannot be read: too few of their nodes answer");
    if (unwritable > 0) Add(Color::kRed, Count(unwritable, "partition") + " cannot be written: too few of their nodes answer");
    if (short_of_nodes > 0) {
      Add(Color::kYellow, Count(short_of_nodes, "partition") + " with fewer than " +
                              std::to_string(state_.settings.copies) + " copies: there are too few nodes");
    }
  }

  void JudgeMembers() {
    for (const Member& member : state_.topology.members) {
      if (member.state == MemberState::kRemoved) continue;
      const std::string name = "node " + std::to_string(Value(member.id));
      if (member.state == MemberState::kJoining) Add(Color::kYellow, name + " is joining");
      if (member.state == MemberState::kLeaving) {
        Add(Color::kYellow, state_.topology.IsUsed(member.id)
                                ? name + " is leaving"
                                : name + " holds nothing any more: 'varve cluster remove " +
                                      std::to_string(Value(member.id)) + "' ends its membership");
      }
      if (const auto answer = answers_.find(member.id); answer != answers_.end()) JudgeAnswer(name, answer->second);
    }
  }

  void JudgeAnswer(const std::string& name, const NodeAnswer& answer) {
    if (!answer.is_there()) return Add(Color::kYellow, name + " does not answer: " + answer.error);
    const std::optional<uint64_t> epoch = answer.Number("cluster_current_epoch");
    if (!epoch) return Add(Color::kYellow, name + " answers, but not as a node of a cluster");
    if (*epoch < Value(state_.topology.epoch)) {
      Add(Color::kYellow, name + " works by epoch " + std::to_string(*epoch) + ", the cluster's is " +
                              std::to_string(Value(state_.topology.epoch)));
    }
    if (const auto hints = answer.Number("varve_hints"); hints && *hints > 0) {
      Add(Color::kYellow, name + " keeps " + Count(*hints, "write") + " for others that were away");
    }
    if (const auto found = answer.info.find("varve_unreachable"); found != answer.info.end() && !found->second.empty()) {
      Add(Color::kYellow, name + " cannot reach " + found->second);
    }
  }

  void JudgeMoves() {
    const uint32_t left = PartitionsToMove(state_.topology);
    if (left > 0) {
      Add(Color::kYellow, Count(left, "partition") + " not yet where they shall be, " +
                              std::to_string(state_.topology.moves.size()) + " of them on their way");
    }
  }

  const node::ClusterState& state_;
  const NodeAnswers& answers_;
  std::vector<std::pair<Color, std::string>> found_;
};

}  // namespace

std::optional<uint64_t> NodeAnswer::Number(const std::string& name) const {
  const auto found = info.find(name);
  if (found == info.end()) return std::nullopt;
  uint64_t number = 0;
  const char* const end = found->second.data() + found->second.size();
  const auto [stop, error_code] = std::from_chars(found->second.data(), end, number);
  if (error_code != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::map<std::string, std::string> ParseInfoLines(std::string_view text) {
  std::map<std::string, std::string> info;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon != line.npos) info[std::string(line.substr(0, colon))] = line.substr(colon + 1);
  }
  return info;
}

const char* ColorName(Color color) {
  switch (color) {
    case Color::kGreen: return "green";
    case Color::kYellow: return "yellow";
    case Color::kRed: return "red";
  }
  return "";
}

ClusterVerdict Judge(const node::ClusterState& state, const NodeAnswers& answers) {
  return Judging(state, answers).Judge();
}

std::optional<uint64_t> StoredBytes(const node::ClusterState& state, const NodeAnswers& answers) {
  uint64_t bytes = 0;
  for (const auto& [node, copies] : CopiesByNode(state.topology.placement)) {
    const auto answer = answers.find(node);
    if (answer == answers.end()) return std::nullopt;
    const std::optional<uint64_t> own = answer->second.Number("varve_stored_bytes");
    if (!own) return std::nullopt;
    bytes += *own;
  }
  return bytes;
}

}  // namespace varve::cli
