#include "sim/cluster_acks.h"

#include <algorithm>
#include <functional>
#include <set>

namespace varve::sim {
namespace {

using cluster::Epoch;
using cluster::Level;
using cluster::NodeId;
using cluster::PartitionId;
using cluster::ReplicaSets;

constexpr Nanos kKept = 30 * kSecond;  // no request is under way for longer

std::string NameOf(const AnsweredRequest& answered) {
  return std::string(answered.is_write ? "write" : "read") + " of " + answered.key + " (begun at " +
         std::to_string(answered.begun / kMicrosecond) + " us), which " + NameOf(answered.coordinator) + " coordinates";
}

uint64_t Bit(NodeId node) { return uint64_t{1} << (Value(node) % 64); }

}  // namespace

void AckWatch::OnTopology(const cluster::Topology& topology) {
  for (uint32_t p = 0; p < topology.placement.partitions(); ++p) {
    const PartitionId partition{static_cast<uint16_t>(p)};
    sets_.try_emplace({partition, topology.since[p]}, topology.SetsOf(partition));
  }
}

const ReplicaSets* AckWatch::SetsAt(PartitionId partition, Epoch since) const {
  const auto found = sets_.find({partition, since});
  return found == sets_.end() ? nullptr : &found->second;
}

void AckWatch::OnAcknowledged(std::string_view key, Acknowledgement acknowledgement) {
  std::deque<Acknowledgement>& known = lately_[std::string(key)];
  while (!known.empty() && known.front().at + kKept < acknowledgement.at) known.pop_front();
  known.push_back(std::move(acknowledgement));
}

// By version: who has acknowledged it.
std::map<Epoch, AckWatch::Told> AckWatch::Counted(const AnsweredRequest& answered) const {
  std::map<Epoch, Told> told;
  if (answered.own_since != cluster::kNoEpoch) told[answered.own_since].replicas.push_back(answered.coordinator);
  const auto lately = lately_.find(answered.key);
  if (lately != lately_.end()) {
    for (auto it = lately->second.rbegin(); it != lately->second.rend() && it->at >= answered.begun; ++it) {
      if (it->to != answered.coordinator) continue;
      if (answered.is_write) {
        const bool counts = it->kind == Acknowledgement::Kind::kWrite || (it->kind == Acknowledgement::Kind::kHint && answered.sloppy);
        if (!counts || !it->context.Covers(answered.written)) continue;
      } else if (it->kind == Acknowledgement::Kind::kHint) {
        continue;
      }
      if (it->kind == Acknowledgement::Kind::kHint) {
        told[it->since].hints[it->replica].push_back(it->keeper);
      } else {
        told[it->since].replicas.push_back(it->replica);
      }
    }
  }
  // What its own replica has said to a read before the topology changed is not known here.
  if (!answered.is_write) {
    for (auto& [since, counted] : told) counted.replicas.push_back(answered.coordinator);
  }
  return told;
}

// Two hints at one keeper are one more copy, not two.
size_t AckWatch::CountIn(const std::vector<NodeId>& set, const Told& told) {
  size_t count = 0;
  std::map<NodeId, NodeId> owner_of;  // keeper -> for whom it counts
  const std::function<bool(NodeId, std::set<NodeId>*)> finds_keeper = [&](NodeId owner, std::set<NodeId>* tried) {
    const auto keepers = told.hints.find(owner);
    if (keepers == told.hints.end()) return false;
    return std::any_of(keepers->second.begin(), keepers->second.end(), [&](NodeId keeper) {
      if (!tried->insert(keeper).second) return false;
      const auto taken = owner_of.find(keeper);
      if (taken != owner_of.end() && !finds_keeper(taken->second, tried)) return false;
      owner_of[keeper] = owner;
      return true;
    });
  };
  for (const NodeId node : set) {
    std::set<NodeId> tried;
    count += cluster::IsIn(node, told.replicas) || finds_keeper(node, &tried) ? 1 : 0;
  }
  return count;
}

bool AckWatch::IsComplete(const AnsweredRequest& answered, const ReplicaSets& sets,
                          const Told& told) const {
  std::vector<std::vector<NodeId>> needed = {sets.current};
  if (answered.is_write || answered.level == Level::kLinear) {
    if (sets.stage != cluster::MoveStage::kNone) needed.push_back(sets.next);
  } else {
    needed = {sets.Readable()};
  }
  return std::all_of(needed.begin(), needed.end(), [&](const std::vector<NodeId>& set) {
    const size_t majority = set.size() / 2 + 1;
    const size_t count = answered.replicas != 0      ? answered.replicas
                         : answered.level == Level::kOne ? 1 : answered.level == Level::kAll ? set.size() : majority;
    return CountIn(set, told) >= count;
  });
}

Status AckWatch::OnAnswered(const AnsweredRequest& answered, Nanos now) {
  std::vector<CompleteQuorum> complete;
  for (const auto& [since, told] : Counted(answered)) {
    const ReplicaSets* sets = SetsAt(answered.partition, since);
    if (sets == nullptr || !IsComplete(answered, *sets, told)) continue;
    uint64_t bits = 0;
    for (const NodeId node : sets->Writable()) bits |= cluster::IsIn(node, told.replicas) ? Bit(node) : 0;
    complete.push_back({since, bits, answered.is_write, now});
  }
  if (complete.empty()) {
    return Status::Corruption("I9: ok without a quorum of one version: " + NameOf(answered));
  }
  // With numbers of which nothing is promised, or of which it is not known under which version it was, there is no more to say.
  if (answered.level == Level::kOne || answered.sloppy || complete.size() > 1) return Status::Ok();
  const size_t set = SetsAt(answered.partition, complete.front().since)->current.size();
  if (answered.replicas != 0 && answered.replicas <= set / 2) return Status::Ok();
  return Meet(answered, complete.front());
}

Status AckWatch::Meet(const AnsweredRequest& answered, const CompleteQuorum& quorum) {
  std::vector<CompleteQuorum>& others = quorums_[answered.partition];
  bool is_known = false;
  for (const CompleteQuorum& other : others) {
    is_known = is_known || (other.since == quorum.since && other.nodes == quorum.nodes && other.is_write == quorum.is_write);
    if ((other.nodes & quorum.nodes) != 0) continue;
    const bool is_same = other.since == quorum.since && (other.is_write || quorum.is_write);
    const bool is_too_late = other.is_write && other.since > quorum.since && answered.begun > other.ended;
    if (!is_same && !is_too_late) continue;
    return Status::Corruption("I9: a quorum of version " + std::to_string(Value(quorum.since)) +
                              " meets none that has acknowledged a write under version " +
                              std::to_string(Value(other.since)) + ": " + NameOf(answered));
  }
  if (!is_known) others.push_back(quorum);
  return Status::Ok();
}

Status AckWatch::OnUpdateAsked(NodeId maker, PartitionId partition, Epoch since) const {
  const ReplicaSets* sets = SetsAt(partition, since);
  if (sets == nullptr || cluster::IsIn(maker, sets->Readable())) return Status::Ok();
  return Status::Corruption("I8: " + NameOf(maker) + " is asked for a dot, and may lack what it had made before");
}

Status AckWatch::OnUpdateMade(NodeId maker, PartitionId partition, Epoch since) const {
  const ReplicaSets* sets = SetsAt(partition, since);
  if (sets == nullptr || cluster::IsIn(maker, sets->Readable())) return Status::Ok();
  return Status::Corruption("I8: " + NameOf(maker) + " makes a dot, and may lack what it had made before");
}

}  // namespace varve::sim
