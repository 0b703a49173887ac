#include "cluster/floor_rounds.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr Nanos kAnswerPatience = 5'000'000'000;

}  // namespace

bool FloorRounds::MayBegin(PartitionId partition) const {
  const Topology& topology = *context_->topology();
  if (topology.FindMove(partition) != nullptr || context_->FindReplica(partition) == nullptr) return false;
  for (const Member& member : topology.members) {
    if (member.state != MemberState::kRemoved && context_->IsSuspect(member.id)) return false;
  }
  return true;
}

void FloorRounds::OnTime(Nanos now, Actions* actions) {
  const Topology& topology = *context_->topology();
  if (round_) {
    const bool is_stale = topology.since[Value(round_->partition)] != round_->since;
    const bool is_late = !round_->waits_for.empty() && now >= round_->begun + kAnswerPatience;
    if (is_stale || is_late) round_.reset();
  }
  const Nanos period = context_->options().floor_period;
  for (uint32_t p = 0; p < topology.placement.partitions(); ++p) {
    const PartitionId partition{static_cast<uint16_t>(p)};
    const auto replicas = topology.placement.Replicas(partition);
    if (replicas.empty() || replicas.front() != context_->self()) {
      next_.erase(partition);
      continue;
    }
    const auto [due, is_new] = next_.try_emplace(partition, now + context_->random()->Uniform(period + 1));
    if (round_ || due->second > now) continue;
    due->second = now + period;
    if (MayBegin(partition)) Begin(partition, now, actions);
  }
}

void FloorRounds::Begin(PartitionId partition, Nanos now, Actions* actions) {
  const Topology& topology = *context_->topology();
  round_ = Round{};
  round_->partition = partition;
  round_->since = topology.since[Value(partition)];
  round_->begun = now;
  for (const Member& member : topology.members) {
    if (member.state == MemberState::kRemoved) continue;
    round_->waits_for[context_->Ask(member.id, partition, ProgressRequest{}, actions)] = member.id;
  }
}

void FloorRounds::OnMessage(const Message& reply, Nanos now, Actions* actions) {
  const auto* progress = std::get_if<ProgressReply>(&reply.body);
  if (progress == nullptr || !round_ || reply.partition != round_->partition) return;
  const auto found = round_->waits_for.find(reply.request);
  if (found == round_->waits_for.end() || found->second != reply.from) return;
  round_->waits_for.erase(found);
  const ReplicaSets sets = context_->topology()->SetsOf(reply.partition);
  const bool is_replica = IsIn(reply.from, sets.current);
  const bool is_present = progress->is_replica && progress->durable_epoch == round_->since;
  const bool has_hints = progress->hints != 0 && !VARVE_PLANTED_BUG("floors.ignores_hints");
  if (sets.since != round_->since || has_hints || (is_replica && !is_present)) {
    round_.reset();
    return;
  }
  if (is_replica) {
    if (progress->last.counter != 0) round_->floor.Raise(progress->last.actor, progress->last.counter);
    round_->floors.push_back(progress->floor);
    round_->floor.Merge(progress->floor);
  }
  if (!round_->waits_for.empty()) return;
  const bool is_reached = std::all_of(round_->floors.begin(), round_->floors.end(), [this](const VersionVector& floor) {
    return floor.Covers(round_->floor);
  });
  if (is_reached) {
    round_.reset();
    return;
  }
  for (size_t i = 0; i < sets.current.size(); ++i) {
    for (size_t j = i + 1; j < sets.current.size(); ++j) round_->pairs.emplace_back(sets.current[i], sets.current[j]);
  }
  if (VARVE_PLANTED_BUG("floors.without_exchanges")) round_->pairs.clear();
  GoOn(now, actions);
}

// With the next pair, or to the end.
void FloorRounds::GoOn(Nanos now, Actions* actions) {
  if (round_->pairs.empty()) {
    for (const NodeId node : context_->topology()->SetsOf(round_->partition).current) {
      context_->Ask(node, round_->partition, FloorRequest{round_->floor}, actions);
    }
    round_.reset();
    return;
  }
  const auto [left, right] = round_->pairs.back();
  round_->pairs.pop_back();
  Exchange::Options options{.self = context_->self(),
                            .left = left,
                            .right = right,
                            .partition = round_->partition,
                            .epoch = round_->since,
                            .first_request = 0,
                            .patience = context_->options().exchange_patience};
  options.max_leaves = HashTree::kLeaves;
  round_->exchange = pool_->Begin(options, now, actions);
}

void FloorRounds::OnEnded(const ExchangePool::Ended& ended, Nanos now, Actions* actions) {
  if (!round_ || round_->exchange != ended.exchange) return;
  const bool is_stale = context_->topology()->since[Value(round_->partition)] != round_->since;
  if (is_stale || ended.result != Exchange::Result::kComplete) {
    round_.reset();
    return;
  }
  GoOn(now, actions);
}

}  // namespace varve::cluster
