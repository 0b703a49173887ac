#include "sim/cluster_checks.h"

#include <algorithm>
#include <set>

#include "base/status_macros.h"

namespace varve::sim {
namespace {

// As everybody sees it, whatever the floors.
Result<cluster::KeyState> FilledState(const ReplicaView& replica, const std::string& key,
                                      const cluster::VersionVector& floor) {
  cluster::KeyState state;
  const auto stored = replica.stored.find(key);
  if (stored != replica.stored.end()) {
    VARVE_ASSIGN_OR_RETURN(state, cluster::KeyState::Decode(stored->second, replica.floor));
  } else {
    state.Fill(replica.floor);
  }
  state.Fill(floor);
  return state;
}

Status CheckPair(const ReplicaView& one, const ReplicaView& other) {
  if (one.floor == other.floor) {
    if (one.root == other.root && one.stored == other.stored) return Status::Ok();
    if (one.stored == other.stored) {
      return Status::Corruption("I6: " + NameOf(one.node) + " and " + NameOf(other.node) + " are equal, their hashes are not");
    }
  }
  cluster::VersionVector floor = one.floor;
  floor.Merge(other.floor);
  std::set<std::string> keys;
  for (const auto& [key, unused] : one.stored) keys.insert(key);
  for (const auto& [key, unused] : other.stored) keys.insert(key);
  for (const std::string& key : keys) {
    const auto left_bytes = one.stored.find(key);
    const auto right_bytes = other.stored.find(key);
    const bool in_both = left_bytes != one.stored.end() && right_bytes != other.stored.end();
    if (in_both && one.floor == other.floor && left_bytes->second == right_bytes->second) continue;
    VARVE_ASSIGN_OR_RETURN(const cluster::KeyState left, FilledState(one, key, floor));
    VARVE_ASSIGN_OR_RETURN(const cluster::KeyState right, FilledState(other, key, floor));
    if (left == right && one.floor != other.floor) continue;
    return Status::Corruption("I6: " + NameOf(one.node) + " and " + NameOf(other.node) + " differ in " + key);
  }
  return Status::Ok();
}

}  // namespace

Status CheckEqual(const std::vector<ReplicaView>& replicas) {
  for (size_t i = 1; i < replicas.size(); ++i) VARVE_RETURN_IF_ERROR(CheckPair(replicas[0], replicas[i]));
  return Status::Ok();
}

Status EpochWatch::OnFenceWritten(cluster::NodeId node, cluster::PartitionId partition, cluster::Epoch epoch) const {
  const auto fence = fences_.find({node, partition});
  if (fence == fences_.end() || epoch >= fence->second) return Status::Ok();
  return Status::Corruption("I9: " + NameOf(node) + " goes back to epoch " + std::to_string(Value(epoch)) + " of " +
                            NameOf(partition) + " from " + std::to_string(Value(fence->second)));
}

void EpochWatch::OnFenceDurable(cluster::NodeId node, cluster::PartitionId partition, cluster::Epoch epoch) {
  cluster::Epoch& fence = fences_[{node, partition}];
  fence = std::max(fence, epoch);  // syncs end in any order
}

Status EpochWatch::OnAcknowledged(cluster::NodeId node, cluster::PartitionId partition, cluster::Epoch epoch) const {
  const auto fence = fences_.find({node, partition});
  if (fence == fences_.end() || epoch >= fence->second) return Status::Ok();
  return Status::Corruption("I9: " + NameOf(node) + " acknowledges under epoch " + std::to_string(Value(epoch)) + " of " +
                            NameOf(partition) + " behind its fence " + std::to_string(Value(fence->second)));
}

void EpochsAsked::OnRequest(cluster::NodeId from, uint64_t request, cluster::Epoch epoch) {
  asked_[{from, request}].push_back(epoch);
}

cluster::Epoch EpochsAsked::OnReply(cluster::NodeId to, uint64_t request, cluster::ReplyCode code) {
  const auto found = asked_.find({to, request});
  if (found == asked_.end()) return cluster::kNoEpoch;
  std::vector<cluster::Epoch>& epochs = found->second;
  const bool has_passed = code == cluster::ReplyCode::kStaleEpoch || code == cluster::ReplyCode::kFenced;
  const auto answered = has_passed ? std::min_element(epochs.begin(), epochs.end())
                                   : std::max_element(epochs.begin(), epochs.end());
  const cluster::Epoch epoch = *answered;
  epochs.erase(answered);
  if (epochs.empty()) asked_.erase(found);
  return epoch;
}

Status EpochWatch::OnCompared(cluster::NodeId node, cluster::PartitionId partition, cluster::Epoch epoch) const {
  const auto fence = fences_.find({node, partition});
  if (fence != fences_.end() && fence->second >= epoch) return Status::Ok();
  return Status::Corruption("I9: " + NameOf(node) + " compares its copy of " + NameOf(partition) + " under epoch " +
                            std::to_string(Value(epoch)) + " before that fence is durable");
}

Status CheckBounds(const Figures& figures, const Figures& limits) {
  const auto check = [](const char* what, size_t figure, size_t limit) {
    if (figure <= limit) return Status::Ok();
    return Status::Corruption("I11: " + std::to_string(figure) + " " + what + ", at most " + std::to_string(limit) +
                              " are allowed");
  };
  VARVE_RETURN_IF_ERROR(check("operations", figures.operations, limits.operations));
  VARVE_RETURN_IF_ERROR(check("queued", figures.queued, limits.queued));
  VARVE_RETURN_IF_ERROR(check("bytes of hints", figures.hint_bytes, limits.hint_bytes));
  VARVE_RETURN_IF_ERROR(check("siblings", figures.siblings, limits.siblings));
  return check("dots in a cloud", figures.cloud, limits.cloud);
}

void Raise(Figures* highest, const Figures& figures) {
  for (const auto figure : {&Figures::operations, &Figures::queued, &Figures::hint_bytes, &Figures::siblings, &Figures::cloud}) {
    highest->*figure = std::max(highest->*figure, figures.*figure);
  }
}

Status BoundsWatch::OnFigures(const Figures& figures, const Figures& limits) {
  Raise(&highest_, figures);
  return CheckBounds(figures, limits);
}

}  // namespace varve::sim
