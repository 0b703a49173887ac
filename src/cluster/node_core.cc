#include "cluster/node_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/node_core_impl.h"

namespace varve::cluster {
namespace {

constexpr Nanos kCoordinatorPeriod = 10'000'000;  // how exactly deadlines of clients are kept

uint64_t FirstOf(RequestKind kind, Random* random) {
  // Half of the numbers of the kind lie behind it.
  return (static_cast<uint64_t>(kind) << kRequestKindShift) | (random->Next() >> 3);
}
uint64_t FirstExchange(Random* random) {
  const uint64_t first = FirstOf(RequestKind::kExchange, random);
  return first >> ExchangePool::kBitsOfOne << ExchangePool::kBitsOfOne;
}
CoordinatorOptions ForCoordinator(const NodeOptions& options, Random* random) {
  CoordinatorOptions result{.self = options.self,
                            .policy_of = options.policy_of,
                            .first_operation = FirstOf(RequestKind::kCoordinator, random)};
  result.max_operations = 2 * options.max_requests;  // those that repair yet do not keep clients out
  return result;
}
HintKeeper::Options ForKeeper(const NodeOptions& options, Random* random) {
  HintKeeper::Options result{.self = options.self, .first_hint = FirstOf(RequestKind::kHint, random)};
  result.max_bytes = options.max_hint_bytes;
  result.max_bytes_of_owner = options.max_hint_bytes_of_owner;
  return result;
}

}  // namespace

NodeCore::Impl::Impl(NodeOptions options, NodeDurable durable)
    : options_(std::move(options)),
      rules_(options_.rules),
      random_(options_.random_seed),
      next_request_(FirstOf(RequestKind::kOther, &random_)),
      durable_topology_(std::move(durable.topology)),
      may_have_lost_writes_(durable.may_have_lost_writes),
      forsaken_(durable.forsaken),
      records_(std::move(durable.partitions)),
      coordinator_(ForCoordinator(options_, &random_)),
      keeper_(ForKeeper(options_, &random_)),
      pool_(FirstExchange(&random_)),
      filler_(this, &pool_, options_.fill_bytes_per_second),
      floors_(this, &pool_),
      mover_(this) {
  VARVE_CHECK(options_.self != kNoNode);
  for (const auto& [partition, record] : records_) leftovers_.insert(partition);
  for (StoreHint& hint : durable.hints) {
    keeper_.Load(hint.hint, hint.owner, hint.partition, std::move(hint.key), std::move(hint.state));
  }
}

void NodeCore::Impl::Start(Now now, Actions* actions) {
  if (may_have_lost_writes_) {
    for (const auto& [partition, record] : records_) forsaken_ = std::max(forsaken_, record.actor);
    actions->push_back(ForsakeActor{forsaken_});
  }
  next_tick_ = now.monotonic + random_.Uniform(options_.tick + 1);
  if (Result<Topology> topology = DecodeTopology(durable_topology_); topology.ok()) {
    Adopt(*std::move(topology), now.monotonic, actions);
  }
}

void NodeCore::Impl::OnActorForsaken(ActorId actor) { forsaken_ = std::max(forsaken_, actor); }

void NodeCore::Impl::OnReachable(NodeId peer, bool is_reachable) {
  if (peer == options_.self) return;
  coordinator_.SetSuspect(peer, !is_reachable);
  if (is_reachable) {
    suspects_.erase(peer);
  } else {
    suspects_.insert(peer);
  }
}

void NodeCore::Impl::OnHintStored(uint64_t hint, bool is_durable, Actions* actions) {
  keeper_.OnHintStored(hint, is_durable, actions);
}

Nanos NodeCore::Impl::NextTime() const {
  return coordinator_.operations() == 0 ? next_tick_ : std::min(next_tick_, next_coordinator_time_);
}

void NodeCore::Impl::OnTime(Now now, Actions* actions) {
  if (now.monotonic >= next_coordinator_time_) {
    next_coordinator_time_ = now.monotonic + kCoordinatorPeriod;
    coordinator_.OnTime(now.monotonic, actions);
  }
  if (now.monotonic >= next_tick_) {
    next_tick_ = now.monotonic + options_.tick;
    Tick(now, actions);
  }
}

void NodeCore::Impl::Tick(Now now, Actions* actions) {
  pool_.OnTime(now.monotonic, actions);
  TakeEndedExchanges(now.monotonic, actions);
  RetryRequests(now, actions);
  if (!topology_) {
    actions->push_back(LearnTopology{kNoEpoch, options_.self});
    return;
  }
  for (auto& [partition, held] : partitions_) {
    if (held.is_failed) Load(partition, &held, actions);
  }
  BequeathHints();  // also those that came from who did not know the topology yet
  keeper_.OnTime(now.monotonic, [this](PartitionId partition) { return SinceOf(partition); }, suspects_, actions);
  CheckActors(actions);
  filler_.OnTime(now.monotonic, actions);
  floors_.OnTime(now.monotonic, actions);
  const Member* self = topology_->Find(options_.self);
  const bool needs_actor =
      self != nullptr && self->state != MemberState::kRemoved && self->actor <= forsaken_;
  mover_.OnTime(now.monotonic, needs_actor, actions);
  CompareWithPeers(now.monotonic, actions);
  if (!topology_->members.empty()) AskAround(now.monotonic, actions);
}

// Changes that concern nobody's requests are heard of in this way, if the store does not tell.
void NodeCore::Impl::AskAround(Nanos now, Actions* actions) {
  if (now < next_gossip_) return;
  next_gossip_ = now + options_.gossip_period / 2 + random_.Uniform(options_.gossip_period + 1);
  const std::vector<Member>& members = topology_->members;
  const Member& peer = members[random_.Uniform(members.size())];
  if (peer.id == options_.self || peer.state == MemberState::kRemoved || IsSuspect(peer.id)) return;
  Ask(peer.id, PartitionId{0}, TopologyRequest{topology_->epoch}, actions);
}

void NodeCore::Impl::Repair() {
  for (auto& [partition, held] : partitions_) {
    held.next_exchange = 1;
    held.repairs = topology_->SetsOf(partition).Readable().size();
  }
}

// With the other replicas of each partition, one after the other.
void NodeCore::Impl::CompareWithPeers(Nanos now, Actions* actions) {
  for (auto& [partition, held] : partitions_) {
    if (held.is_loading || now < held.next_exchange) continue;
    const Nanos period = options_.exchange_period;
    const bool is_first = held.next_exchange == 0;
    if (is_first) {  // not all at once after a start
      held.next_exchange = now + random_.Uniform(period + 1);
      continue;
    }
    if (comparisons_.size() >= options_.max_exchanges) return;
    held.next_exchange = now + period / 2 + random_.Uniform(period + 1);
    const ReplicaSets sets = topology_->SetsOf(partition);
    const std::vector<NodeId>& replicas = sets.Readable();
    if (!IsIn(options_.self, replicas) || replicas.size() < 2) continue;
    const NodeId peer = replicas[held.exchanges++ % replicas.size()];
    const bool goes_on = held.repairs > 0 && --held.repairs > 0;
    const bool is_there = peer != options_.self && !IsSuspect(peer);
    if (goes_on || peer == options_.self) held.next_exchange = now + 1;  // the next one
    if (!is_there) continue;
    // Otherwise all keys would differ that only one of the two has stripped.
    const VersionVector& floor = held.replica->floor();
    if (sets.stage == MoveStage::kNone && !floor.empty()) Ask(peer, partition, FloorRequest{floor}, actions);
    comparisons_.insert(pool_.Begin({.self = options_.self,
                                     .left = options_.self,
                                     .right = peer,
                                     .partition = partition,
                                     .epoch = sets.since,
                                     .first_request = 0,
                                     .patience = options_.exchange_patience},
                                    now, actions));
  }
}

void NodeCore::Impl::TakeEndedExchanges(Nanos now, Actions* actions) {
  for (const ExchangePool::Ended& ended : pool_.TakeEnded()) {
    comparisons_.erase(ended.exchange);
    ++(ended.result == Exchange::Result::kFailed ? counters_.exchanges_failed : counters_.exchanges);
    counters_.keys_merged += ended.keys;
    if (!topology_) continue;
    filler_.OnEnded(ended, now, actions);
    filler_.OnTime(now, actions);  // the next one
    floors_.OnEnded(ended, now, actions);
  }
}

NodeStatus NodeCore::Impl::status() const {
  NodeStatus status = counters_;
  if (topology_) status.epoch = topology_->epoch;
  status.actor = actor_;
  status.partitions = partitions_.size();
  for (const auto& [partition, held] : partitions_) status.partitions_loading += held.is_loading ? 1 : 0;
  status.partitions_filling = filler_.fills();
  status.requests = requests_.size();
  status.hints = keeper_.hints();
  status.hint_bytes = keeper_.bytes();
  status.hints_refused = keeper_.refused();
  status.bytes_filled = filler_.bytes();
  return status;
}

}  // namespace varve::cluster
