#include "cluster/filler.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr size_t kFillsAtOnce = 4;
constexpr size_t kLeaverFillsAtOnce = 16;  // beside those, of what only replicas that leave have
constexpr Nanos kProgressPatience = 2'000'000'000;

}  // namespace

std::vector<NodeId> Filler::MergedOf(PartitionId partition) const {
  const auto found = fills_.find(partition);
  const bool is_present =
      found != fills_.end() && found->second.since == context_->topology()->since[Value(partition)];
  return is_present ? found->second.merged : std::vector<NodeId>{};
}

// Moves that began or changed since the last time.
void Filler::FindWork() {
  const Topology& topology = *context_->topology();
  std::map<PartitionId, Fill> fills;
  for (const Move& move : topology.moves) {
    if (move.stage != MoveStage::kCopy) continue;
    const ReplicaSets sets = topology.SetsOf(move.partition);
    const MoveRules rules = context_->rules();
    if (!IsIn(context_->self(), TakesLeavers() ? Heirs(sets, rules) : TargetsToFill(sets, rules))) continue;
    Fill& fill = fills[move.partition];
    const auto found = fills_.find(move.partition);
    if (found != fills_.end() && found->second.since == sets.since) fill = std::move(found->second);
    fill.since = sets.since;
  }
  fills_ = std::move(fills);
}

bool Filler::HasEnough(PartitionId partition, const Fill& fill) const {
  const ReplicaSets sets = context_->topology()->SetsOf(partition);
  const MoveRules rules = context_->rules();
  const size_t own = IsIn(context_->self(), sets.current) ? 1 : 0;
  return !IsIn(context_->self(), TargetsToFill(sets, rules)) || fill.merged.size() + own >= SourcesNeeded(sets, rules);
}

void Filler::OnTime(Nanos now, Actions* actions) {
  FindWork();
  size_t busy = 0;
  size_t busy_with_leavers = 0;
  for (auto& [partition, fill] : fills_) {
    const Replica* replica = context_->FindReplica(partition);
    if (replica == nullptr) continue;
    if (fill.step == Step::kAsk && now >= fill.begun + kProgressPatience) fill.step = Step::kIdle;
    if (fill.step == Step::kTakeFloor && replica->floor().Covers(fill.floor)) {
      fill.step = Step::kMergeAgain;
      BeginExchange(partition, &fill, now, actions);
    }
    if (fill.step != Step::kIdle) ++(HasEnough(partition, fill) ? busy_with_leavers : busy);
  }
  for (auto& [partition, fill] : fills_) {
    if (fill.step != Step::kIdle || context_->FindReplica(partition) == nullptr) continue;
    const bool is_for_leavers = HasEnough(partition, fill);
    size_t& of_its_kind = is_for_leavers ? busy_with_leavers : busy;
    if (of_its_kind >= (is_for_leavers ? kLeaverFillsAtOnce : kFillsAtOnce)) continue;
    Begin(partition, &fill, now, actions);
    if (fill.step != Step::kIdle) ++of_its_kind;
  }
}

void Filler::Begin(PartitionId partition, Fill* fill, Nanos now, Actions* actions) {
  const ReplicaSets sets = context_->topology()->SetsOf(partition);
  const bool has_enough = HasEnough(partition, *fill);
  std::vector<NodeId> sources;
  for (const NodeId node : sets.current) {
    if (node == context_->self() || context_->IsSuspect(node) || IsIn(node, fill->merged)) continue;
    if (!has_enough || (TakesLeavers() && !IsIn(node, sets.next))) sources.push_back(node);
  }
  if (sources.empty()) return;
  if (TakesLeavers()) {
    // The first one has to send everything: that shall not be the same one for all targets, nor who is perhaps about to fail.
    std::stable_partition(sources.begin(), sources.end(),
                          [&](NodeId node) { return IsIn(node, sets.next) == fill->merged.empty(); });
  }
  fill->source = sources[fill->tries++ % sources.size()];
  fill->step = Step::kAsk;
  fill->begun = now;
  fill->request = context_->Ask(fill->source, partition, ProgressRequest{}, actions);
}

void Filler::OnMessage(const Message& reply, Nanos now, Actions* actions) {
  const auto* progress = std::get_if<ProgressReply>(&reply.body);
  const auto found = fills_.find(reply.partition);
  if (progress == nullptr || found == fills_.end()) return;
  Fill& fill = found->second;
  if (fill.step != Step::kAsk || fill.request != reply.request) return;
  const bool is_ready = progress->is_replica && progress->durable_epoch == fill.since;
  if (!is_ready || context_->FindReplica(reply.partition) == nullptr) {
    fill.step = Step::kIdle;
    return;
  }
  fill.floor = progress->floor;
  fill.step = Step::kMerge;
  BeginExchange(reply.partition, &fill, now, actions);
}

void Filler::BeginExchange(PartitionId partition, Fill* fill, Nanos now, Actions* actions) {
  Exchange::Options options{.self = context_->self(),
                            .left = fill->source,
                            .right = context_->self(),
                            .partition = partition,
                            .epoch = fill->since,
                            .first_request = 0,
                            .patience = context_->options().exchange_patience};
  options.max_leaves = HashTree::kLeaves;
  // What those that leave have beyond that is mostly little, and the move does not wait for it for long (leaver_patience).
  options.pace = HasEnough(partition, *fill) ? nullptr : &pace_;
  fill->exchange = pool_->Begin(options, now, actions);
}

void Filler::OnEnded(const ExchangePool::Ended& ended, Nanos /*now*/, Actions* actions) {
  for (auto& [partition, fill] : fills_) {
    const bool is_mine = fill.step == Step::kMerge || fill.step == Step::kMergeAgain;
    if (!is_mine || fill.exchange != ended.exchange) continue;
    bytes_ += ended.bytes;
    Replica* replica = context_->FindReplica(partition);
    const bool is_complete = ended.result == Exchange::Result::kComplete ||
                             VARVE_PLANTED_BUG("filler.takes_an_exchange_that_failed");
    if (replica == nullptr || !is_complete) {
      fill.step = Step::kIdle;
    } else if (fill.step == Step::kMerge && !replica->floor().Covers(fill.floor)) {
      fill.step = Step::kTakeFloor;
      replica->RaiseFloor(fill.floor, actions);
    } else {
      fill.merged.push_back(fill.source);
      if (TakesLeavers()) fill.tries = 0;  // these are next
      fill.step = Step::kIdle;
    }
    return;
  }
}

}  // namespace varve::cluster
