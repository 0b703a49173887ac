// What a server tells the oracles of what it says and hears.
#include <algorithm>
#include <utility>

#include "cluster/message_codec.h"
#include "sim/cluster_disk.h"
#include "sim/cluster_server.h"

namespace varve::sim {
namespace {

using cluster::ReplyCode;

// Of what clients bring and a maker does not have: what others have made meanwhile.
constexpr size_t kMaxCloud = 32;
// A request is looked at when its time is up, and 50 ms later at the latest.
constexpr Nanos kLateness = 100 * kMillisecond;
// Of its own, when it erases what lies below a new floor: Replica refuses requests, not those.
constexpr size_t kSweeps = 8;

ReplyCode CodeOf(const cluster::Message& message) {
  return std::visit(
      [](const auto& body) {
        if constexpr (requires { body.code; }) return body.code;
        return ReplyCode::kMalformed;
      },
      message.body);
}

// The key of a request to a replica or a keeper of hints, and the state that it brings, taken out of it.
bool KeyAndState(cluster::Message* message, std::string* key, std::string* state) {
  if (auto* update = std::get_if<cluster::UpdateRequest>(&message->body)) {
    *key = std::move(update->key);
  } else if (auto* merge = std::get_if<cluster::MergeRequest>(&message->body)) {
    *key = std::move(merge->key);
    *state = std::move(merge->state);
  } else if (auto* read = std::get_if<cluster::ReadRequest>(&message->body)) {
    *key = std::move(read->key);
  } else if (auto* hint = std::get_if<cluster::HintRequest>(&message->body)) {
    *key = std::move(hint->key);
    *state = std::move(hint->state);
  } else {
    return false;
  }
  return true;
}

cluster::CausalContext ContextOf(const std::string& state) {
  const Result<cluster::KeyState> decoded = cluster::KeyState::Decode(state);
  return decoded.ok() ? decoded->context() : cluster::CausalContext();
}

}  // namespace

void ClusterServer::WatchRequest(const NodeFrame& frame) {
  Result<cluster::Message> message = cluster::DecodeMessage(frame.bytes);
  if (!message.ok()) return;
  epochs_asked_.OnRequest(frame.from, message->request, message->epoch);
  Asked asked{.epoch = message->epoch};
  std::string state;
  if (KeyAndState(&*message, &asked.key, &state) && !state.empty()) asked.context = ContextOf(state);
  const auto [known, is_new] = asked_.try_emplace({frame.from, message->request}, std::move(asked));
  if (is_new) return;  // else nothing was moved
  // A read that writes back more and more does so under one number.
  asked.is_ambiguous = known->second.is_ambiguous ||
                       (!known->second.context.empty() && !(known->second.context == asked.context));
  known->second = std::move(asked);
}

// A reply names the epoch of the replica; what it acknowledges was asked for under another one, perhaps.
void ClusterServer::WatchReply(const cluster::NodeId to, const cluster::Message& message) {
  const auto found = asked_.find({to, message.request});
  if (found == asked_.end()) return;
  const Asked& asked = found->second;
  cluster::Epoch epoch = asked.epoch;
  const ReplyCode code = CodeOf(message);
  const bool is_of_replica = std::holds_alternative<cluster::UpdateReply>(message.body) ||
                             std::holds_alternative<cluster::MergeReply>(message.body) ||
                             std::holds_alternative<cluster::ReadReply>(message.body);
  if (is_of_replica) epoch = epochs_asked_.OnReply(to, message.request, code);
  if (epoch == cluster::kNoEpoch) return;
  const auto* update = std::get_if<cluster::UpdateReply>(&message.body);
  if (update != nullptr && !update->state.empty()) {
    run_->Report(run_->acks.OnUpdateMade(id_, message.partition, epoch));
    cluster::CausalContext dot;
    dot.Add(update->dot);
    CheckDurable(message.partition, asked.key, dot);
  }
  if (code != ReplyCode::kOk) return;
  if (std::holds_alternative<cluster::TreeReply>(message.body)) {
    return run_->Report(run_->epochs.OnCompared(id_, message.partition, epoch));
  }
  Acknowledgement ack{.replica = id_, .to = to, .since = epoch, .at = run_->now()};
  if (update != nullptr) {
    ack.kind = Acknowledgement::Kind::kWrite;
    ack.context = ContextOf(update->state);
  } else if (std::holds_alternative<cluster::MergeReply>(message.body)) {
    ack.kind = Acknowledgement::Kind::kWrite;
    ack.context = asked.context;
    if (!asked.is_ambiguous) CheckDurable(message.partition, asked.key, asked.context);
    MeetItself(message.partition, asked.context);
  } else if (const auto* read = std::get_if<cluster::ReadReply>(&message.body)) {
    CheckDurable(message.partition, asked.key, ContextOf(read->state));
  } else if (const auto* hint = std::get_if<cluster::HintReply>(&message.body)) {
    ack.kind = Acknowledgement::Kind::kHint;
    ack.replica = hint->owner;
    ack.keeper = id_;
    ack.context = asked.context;
  } else {
    return;
  }
  if (ack.kind != Acknowledgement::Kind::kHint) run_->Report(run_->epochs.OnAcknowledged(id_, message.partition, epoch));
  run_->acks.OnAcknowledged(ClusterRun::ClientKeyOf(asked.key), std::move(ack));
}

// What a server says that it has, a loss of power must not take.
bool ClusterServer::HasDurably(cluster::PartitionId partition, const std::string& key,
                               const cluster::CausalContext& context) const {
  const Disk::Records& durable = disk_.durable();
  cluster::VersionVector floor;
  if (const auto bytes = durable.find(PartitionName(partition, 'f')); bytes != durable.end()) {
    std::string_view input = bytes->second;
    if (!cluster::VersionVector::Consume(&input, &floor)) return false;
  }
  cluster::KeyState state;
  state.Fill(floor);
  if (const auto stored = durable.find(KeyName(partition, key)); stored != durable.end()) {
    const auto decoded = cluster::KeyState::Decode(stored->second, floor);
    if (!decoded.ok()) return false;
    state = *decoded;
  }
  return state.context().Covers(context);
}

void ClusterServer::CheckDurable(cluster::PartitionId partition, const std::string& key,
                                 const cluster::CausalContext& context) {
  if (!run_->options.syncs || HasDurably(partition, key, context)) return;
  run_->Report(Status::Corruption("I1: " + NameOf(id_) + " says that it has what is not durable there: " + key));
}

void ClusterServer::WatchAnswer(const Call& call, const ClientAnswer& answer) {
  if (answer.outcome != cluster::Outcome::kOk) return;
  const ClientOperation& operation = run_->history.operations()[call.number];
  AnsweredRequest answered{.partition = run_->PartitionOf(operation.key),
                           .key = operation.key,
                           .coordinator = id_,
                           .is_write = operation.kind != ClientOperation::Kind::kGet,
                           .level = operation.level,
                           .replicas = operation.replicas,
                           .sloppy = operation.sloppy,
                           .begun = operation.begun};
  const cluster::Replica* own = core_->replica(answered.partition);
  if (answered.is_write) answered.written = answer.seen.context;
  const bool has = own != nullptr && (!answered.is_write || !run_->options.syncs ||
                                      HasDurably(answered.partition, run_->ReplicaKeyOf(answered.key), answered.written));
  if (has) answered.own_since = own->epoch();
  run_->Report(run_->acks.OnAnswered(answered, run_->now()));
}

// Who meets dots of its own which it has never given has forgotten some, and makes no more of that actor.
void ClusterServer::MeetItself(cluster::PartitionId partition, const cluster::CausalContext& context) {
  if (run_->options.profile != Profile::kRestored) return;
  const cluster::NodeDurable durable = LoadNode(disk_);
  const auto record = durable.partitions.find(partition);
  if (record == durable.partitions.end() || record->second.actor == cluster::kNoActor) return;
  if (context.HighestOf(record->second.actor) > record->second.lease_end) met_.insert({partition, record->second.actor});
}

// A move goes on without a replica that leaves and is not heard by who drives the move.
void ClusterServer::WatchSwap(const cluster::SwapTopology& swap) {
  const auto next = cluster::DecodeTopology(swap.bytes);
  if (!next.ok()) return run_->Report(next.status());
  for (const cluster::Move& move : core_->topology()->moves) {
    const cluster::Move* then = next->FindMove(move.partition);
    const bool settles = move.stage == cluster::MoveStage::kCopy && then != nullptr && then->stage == cluster::MoveStage::kSettle;
    if (!settles) continue;
    for (const cluster::NodeId node : core_->topology()->placement.Replicas(move.partition)) {
      const auto peer = peers_.find(node);
      const bool is_heard = peer == peers_.end() || peer->second.is_reachable;
      if (!cluster::IsIn(node, move.next) && !is_heard) run_->unheard.insert({node, move.partition});
    }
  }
}

// What it alone had goes here.
void ClusterServer::WatchDrop(cluster::PartitionId partition) {
  if (run_->unheard.contains({id_, partition})) run_->history.OnGivenUp(partition);
}

// A maker refuses when it has as many siblings as it may; those of others come on top, which made theirs meanwhile.
Figures ClusterServer::Limits() const {
  const ClusterOptions& options = run_->options;
  const size_t makers = Value(run_->topologies.last().last_actor);
  return {options.max_requests, options.max_queued + kSweeps, options.hint_bytes, makers * options.max_siblings, kMaxCloud};
}

// I13: whoever asked is told in time, whatever has become of it, unless the process stood still.
void ClusterServer::WatchDeadline(const Call& call) {
  if (now_.monotonic <= std::max(call.deadline, awake_since_) + kLateness) return;
  run_->Report(Status::Corruption("I13: " + NameOf(id_) + " is late: request " + std::to_string(call.number) + " had time until " +
                                  std::to_string(call.deadline / kMicrosecond) + " us of its clock, where it is " +
                                  std::to_string(now_.monotonic / kMicrosecond)));
}

void ClusterServer::Watch() {
  for (const auto& [number, call] : calls_) WatchDeadline(call);
  const cluster::NodeStatus status = core_->status();
  Figures figures{.operations = status.requests, .hint_bytes = status.hint_bytes};
  for (const auto& [key, contexts] : run_->contexts) {
    const auto* replica = core_->topology() == nullptr ? nullptr : core_->replica(run_->PartitionOf(key));
    if (replica != nullptr) figures.queued = std::max(figures.queued, replica->queued());
  }
  run_->Report(run_->bounds.OnFigures(figures, Limits()));
}

void ClusterServer::WatchBounds(const cluster::KeyState& stored) {
  const Figures figures{.siblings = stored.siblings().size(), .cloud = stored.context().cloud().size()};
  run_->Report(run_->bounds.OnFigures(figures, Limits()));
}

void ClusterServer::WatchDots(cluster::PartitionId partition, const cluster::KeyState& state) {
  // After a drop the lease says 0, and others may bring what was made before.
  const auto [actor, lease_end] = LeaseOf(disk_.durable(), partition);
  const bool is_leased = lease_end == 0 || state.context().HighestOf(actor) <= lease_end;
  if (!is_leased && run_->options.profile != Profile::kRestored) {
    run_->Report(Status::Corruption("I8: " + NameOf(id_) + " gives dots beyond the lease that is durable"));
  }
  for (const cluster::Sibling& sibling : state.siblings()) {
    if (sibling.tombstone || !met_.contains({partition, sibling.dot.actor})) continue;
    if (run_->history.IsStored(sibling.value)) continue;
    run_->Report(Status::Corruption("I8: " + NameOf(id_) + " has met dots that it does not know to have given, and gives more"));
  }
}

}  // namespace varve::sim
