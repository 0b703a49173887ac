#include "cli/cluster_status.h"

#include <algorithm>

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
    const Topology& topology = state_.topology;
    const node::ClusterSettings& settings = state_.settings;
    size_t short_of_nodes = 0;
    for (uint32_t p = 0; p < topology.placement.partitions(); ++p) {
      const cluster::ReplicaSets sets = topology.SetsOf(PartitionId{static_cast<uint16_t>(p)});
      if (sets.current.size() < settings.copies) ++short_of_nodes;
    }
    JudgeQuorums("", settings.read_quorum, settings.write_quorum);
    for (const auto& [name, space] : settings.namespaces) {
      JudgeQuorums("of namespace " + name + ", ", space.read_quorum, space.write_quorum);
    }
    if (short_of_nodes > 0) {
      Add(Color::kYellow, Count(short_of_nodes, "partition") + " with fewer than " + std::to_string(settings.copies) +
                              " copies: there are too few nodes");
    }
  }

  // `whose`: words in front.
  void JudgeQuorums(const std::string& whose, size_t read_quorum, size_t write_quorum) {
    const auto [known, is_new] = lacking_.try_emplace({read_quorum, write_quorum});
    if (is_new) known->second = CountLacking(read_quorum, write_quorum);
    const auto [unreadable, unwritable] = known->second;
    if (unreadable > 0) Add(Color::kRed, whose + Count(unreadable, "partition") + " cannot be read: too few of their nodes answer");
    if (unwritable > 0) Add(Color::kRed, whose + Count(unwritable, "partition") + " cannot be written: too few of their nodes answer");
  }

  // How many partitions cannot be read, and written.
  std::pair<size_t, size_t> CountLacking(size_t read_quorum, size_t write_quorum) const {
    size_t unreadable = 0, unwritable = 0;
    for (uint32_t p = 0; p < state_.topology.placement.partitions(); ++p) {
      const cluster::ReplicaSets sets = state_.topology.SetsOf(PartitionId{static_cast<uint16_t>(p)});
      const bool moves = sets.stage != MoveStage::kNone;
      if (!HasQuorum(sets.Readable(), read_quorum)) ++unreadable;
      const bool is_writable = HasQuorum(sets.current, write_quorum) && (!moves || HasQuorum(sets.next, write_quorum));
      if (!is_writable) ++unwritable;
    }
    return {unreadable, unwritable};
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
    if (answer.Number("varve_actor") == 0) Add(Color::kYellow, name + " has no name for its writes yet, and makes none");
    if (const auto hints = answer.Number("varve_hints"); hints && *hints > 0) {
      Add(Color::kYellow, name + " keeps " + Count(*hints, "write") + " for others that were away");
    }
    const std::string unreachable(answer.info.Text("varve_unreachable"));
    if (!unreachable.empty()) Add(Color::kYellow, name + " cannot reach " + unreachable);
    const std::string trouble(answer.info.Text("varve_topology_trouble"));
    if (!trouble.empty()) Add(Color::kYellow, name + " cannot ask the topology store: " + trouble);
    const auto settings = answer.Number("varve_settings_revision");
    if (settings && *settings < state_.settings_revision) {
      Add(Color::kYellow, name + " has not heard yet how the namespaces were changed");
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
  std::map<std::pair<size_t, size_t>, std::pair<size_t, size_t>> lacking_;  // by R and W
  std::vector<std::pair<Color, std::string>> found_;
};

}  // namespace

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

std::optional<double> BytesOfACopy(const node::ClusterState& state, const NodeAnswers& answers) {
  uint64_t bytes = 0;
  uint64_t copies = 0;
  for (const auto& [node, count] : CopiesByNode(state.topology.placement)) {
    const auto answer = answers.find(node);
    if (answer == answers.end() || !answer->second.is_there()) continue;
    const std::optional<uint64_t> own = answer->second.Number("varve_stored_bytes");
    if (!own) continue;
    bytes += *own;
    copies += count;
  }
  if (copies == 0) return std::nullopt;
  return static_cast<double>(bytes) / static_cast<double>(copies);
}

}  // namespace varve::cli
