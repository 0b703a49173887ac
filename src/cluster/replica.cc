#include "cluster/replica.h"

#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr size_t kRecentUpdates = 4096;
constexpr uint32_t kSweepLeaves = 256;  // listed at once
constexpr size_t kSweepWindow = 8;      // keys touched at once: the others' requests come between

// The key that a request works on, or nothing if it is none on a key.
std::string* KeyOf(Message* message) {
  if (auto* update = std::get_if<UpdateRequest>(&message->body)) return &update->key;
  if (auto* merge = std::get_if<MergeRequest>(&message->body)) return &merge->key;
  if (auto* read = std::get_if<ReadRequest>(&message->body)) return &read->key;
  return nullptr;
}

}  // namespace

Replica::Replica(Options options, const Durable& durable)
    : options_(std::move(options)),
      dots_(durable.actor, durable.lease_end, options_.lease_size),
      epoch_(durable.epoch),
      durable_epoch_(durable.epoch),
      floor_(durable.floor),
      next_operation_(options_.first_operation) {}

void Replica::Load(std::string_view key, std::string_view bytes) {
  tree_.Change(key, 0, HashTree::HashOf(key, bytes));
}

void Replica::Start(Actions* actions) { ExtendLease(actions); }

void Replica::ExtendLease(Actions* actions) {
  if (lease_is_on_its_way_) return;
  if (const auto end = dots_.LeaseToExtend()) {
    lease_is_on_its_way_ = true;
    actions->push_back(PersistLease{options_.partition, dots_.actor(), *end});
  }
}

void Replica::OnLeaseDurable(uint64_t end, Actions* actions) {
  lease_is_on_its_way_ = false;
  dots_.OnLeaseDurable(end);
  for (const Queue queue : std::exchange(waiting_for_lease_, {})) Execute(queue, actions);
}

void Replica::TakeActor(ActorId actor, uint64_t lease_end, Actions* actions) {
  if (actor == dots_.actor()) return;
  dots_ = DotSource(actor, lease_end, options_.lease_size);
  dots_on_their_way_.clear();
  lease_is_on_its_way_ = false;
  ExtendLease(actions);
  if (!dots_.IsSound()) OnLeaseDurable(0, actions);  // who waits is refused
}

void Replica::OnTopology(Epoch epoch, Actions* actions) {
  if (epoch <= epoch_) return;
  epoch_ = epoch;
  actions->push_back(PersistEpoch{options_.partition, epoch});
}

void Replica::OnEpochDurable(Epoch epoch) {
  if (epoch > durable_epoch_) durable_epoch_ = epoch;
}

void Replica::RaiseFloor(const VersionVector& floor, Actions* actions) {
  VersionVector raised = floor_;
  raised.Merge(floor);
  if (raised != floor_) actions->push_back(PersistFloor{options_.partition, std::move(raised)});
}

void Replica::OnFloorDurable(const VersionVector& floor) { floor_.Merge(floor); }

void Replica::Touch(const std::string& key, Actions* actions) { Enqueue(key, Operation{}, actions); }

void Replica::Sweep(Actions* actions) {
  sweep_leaf_ = 0;
  SweepOn(actions);
}

void Replica::SweepOn(Actions* actions) {
  while (sweep_left_ < kSweepWindow && !sweep_keys_.empty()) {
    ++sweep_left_;
    Operation touch;
    touch.is_sweep = true;
    Enqueue(sweep_keys_.back(), std::move(touch), actions);
    sweep_keys_.pop_back();
  }
  if (sweep_left_ > 0 || sweep_leaf_ >= HashTree::kLeaves) return;
  std::vector<uint32_t> leaves;
  for (uint32_t end = sweep_leaf_ + kSweepLeaves; sweep_leaf_ < end; ++sweep_leaf_) leaves.push_back(sweep_leaf_);
  ++sweep_left_;
  ++queued_;
  listings_.emplace(next_operation_, std::nullopt);
  actions->push_back(ListKeys{options_.partition, next_operation_++, std::move(leaves), {}, SIZE_MAX});
}

Dot Replica::LastAppliedDot() const {
  const uint64_t counter = dots_on_their_way_.empty() ? dots_.last() : dots_on_their_way_.begin()->counter - 1;
  return {dots_.actor(), counter};
}

bool Replica::IsRepeated(const Message& message) {
  const std::pair<NodeId, uint64_t> name(message.from, message.request);
  if (!recent_updates_.insert(name).second) return true;
  recent_updates_by_age_.push_back(name);
  if (recent_updates_by_age_.size() > kRecentUpdates) {
    recent_updates_.erase(recent_updates_by_age_.front());
    recent_updates_by_age_.pop_front();
  }
  return false;
}

// Refuses what is of another topology, or too much.
bool Replica::Accept(const Message& message, Actions* actions) {
  ReplyCode code = ReplyCode::kOk;
  if (message.epoch < epoch_ && !VARVE_PLANTED_BUG("replica.skips_the_fence")) {
    code = ReplyCode::kStaleEpoch;
  } else if (message.epoch > epoch_) {
    code = ReplyCode::kUnknownEpoch;
    actions->push_back(LearnTopology{message.epoch, message.from});
  } else if (queued_ >= options_.max_queued && !VARVE_PLANTED_BUG("replica.queues_without_bound")) {
    code = ReplyCode::kOverloaded;
  }
  if (code == ReplyCode::kOk) return true;
  Operation refused;
  refused.request = message;
  Reply(std::move(refused), code, actions);
  return false;
}

void Replica::OnMessage(Message message, uint64_t wall_micros, Actions* actions) {
  if (const auto* tree = std::get_if<TreeRequest>(&message.body)) {
    if (!Accept(message, actions)) return;
    // What an exchange under this topology proves is void if a crash makes this replica forget the fence.
    if (durable_epoch_ < epoch_ && !VARVE_PLANTED_BUG("replica.compares_before_its_fence_is_durable")) {
      return ReplyWith(message, TreeReply{ReplyCode::kUnknownEpoch, {}}, actions);
    }
    const bool exists = tree->branch == HashTree::kRoot || tree->branch < HashTree::kFanOut;
    ReplyWith(message,
              TreeReply{exists ? ReplyCode::kOk : ReplyCode::kMalformed,
                        exists ? tree_.Under(tree->branch) : std::vector<uint64_t>{}},
              actions);
  } else if (std::holds_alternative<KeysRequest>(message.body)) {
    if (Accept(message, actions)) ListKeysFor(message, actions);
  } else if (std::string* key = KeyOf(&message)) {
    if (std::holds_alternative<UpdateRequest>(message.body) && IsRepeated(message)) return;
    if (!Accept(message, actions)) return;
    std::string name = std::move(*key);
    Operation operation;
    operation.request = std::move(message);
    operation.wall_micros = wall_micros;
    Enqueue(std::move(name), std::move(operation), actions);
  }
}

void Replica::ListKeysFor(const Message& message, Actions* actions) {
  const uint64_t number = next_operation_++;
  listings_.emplace(number, message);
  ++queued_;
  const auto& wanted = std::get<KeysRequest>(message.body);
  actions->push_back(ListKeys{options_.partition, number, wanted.leaves, wanted.after, options_.max_listed});
}

void Replica::OnKeysListed(uint64_t operation, Result<std::vector<KeysReply::Item>> keys,
                           Actions* actions) {
  const auto found = listings_.find(operation);
  VARVE_CHECK(found != listings_.end());
  const std::optional<Message> request = std::move(found->second);
  listings_.erase(found);
  --queued_;
  if (request) {
    KeysReply reply{keys.ok() ? ReplyCode::kOk : ReplyCode::kStorageFailed, {}, true};
    if (keys.ok()) reply.items = *std::move(keys);
    reply.is_end = reply.items.size() < options_.max_listed;
    return ReplyWith(*request, std::move(reply), actions);
  }
  if (keys.ok()) {
    for (KeysReply::Item& item : *keys) sweep_keys_.push_back(std::move(item.key));
  }
  --sweep_left_;
  SweepOn(actions);
}

void Replica::Enqueue(std::string key, Operation operation, Actions* actions) {
  operation.number = next_operation_++;
  const Queue queue = queues_.try_emplace(std::move(key)).first;
  queue->second.push_back(std::move(operation));
  ++queued_;
  if (queue->second.size() == 1) Begin(queue, actions);
}

void Replica::Begin(Queue queue, Actions* actions) {
  const uint64_t number = queue->second.front().number;
  under_way_.emplace(number, queue);
  actions->push_back(ReadKey{options_.partition, number, queue->first});
}

void Replica::OnKeyRead(uint64_t operation, Result<std::optional<std::string>> bytes, Actions* actions) {
  const auto found = under_way_.find(operation);
  VARVE_CHECK(found != under_way_.end());
  const Queue queue = found->second;
  if (!bytes.ok()) return Finish(queue, ReplyCode::kStorageFailed, actions);
  queue->second.front().bytes = *std::move(bytes);
  Execute(queue, actions);
}

void Replica::Execute(Queue queue, Actions* actions) {
  Operation* const operation = &queue->second.front();
  KeyState state;
  if (operation->bytes) {
    Result<KeyState> stored = KeyState::Decode(*operation->bytes, floor_);
    if (!stored.ok()) return Finish(queue, ReplyCode::kStorageFailed, actions);
    state = *std::move(stored);
  } else {
    state.Fill(floor_);
  }
  if (!operation->request) return Store(queue, std::move(state), actions);
  if (std::holds_alternative<UpdateRequest>(operation->request->body)) {
    return ExecuteUpdate(queue, std::move(state), actions);
  }
  if (std::holds_alternative<MergeRequest>(operation->request->body)) {
    return ExecuteMerge(queue, std::move(state), actions);
  }
  operation->reply_state = state.Encode();
  Finish(queue, ReplyCode::kOk, actions);
}

void Replica::ExecuteUpdate(Queue queue, KeyState state, Actions* actions) {
  Operation* const operation = &queue->second.front();
  const auto& update = std::get<UpdateRequest>(operation->request->body);
  // The topology may have changed while this waited.
  if (operation->request->epoch < epoch_) return Finish(queue, ReplyCode::kStaleEpoch, actions);
  const bool knows_itself = dots_.Observe(update.seen.context) && dots_.Observe(state.context());
  if (!knows_itself) return Finish(queue, ReplyCode::kCannotMakeDots, actions);
  const ConflictPolicy policy = options_.policy_of(queue->first);
  const bool is_full = state.siblings().size() >= options_.max_siblings && !VARVE_PLANTED_BUG("replica.takes_any_siblings");
  if (!update.is_delete && is_full) {
    size_t settled = 0;
    for (const Sibling& sibling : state.siblings()) settled += update.seen.context.Covers(sibling.dot);
    if (settled == 0) return Finish(queue, ReplyCode::kTooManySiblings, actions);
  }
  const auto dot = dots_.Next();
  ExtendLease(actions);
  if (!dot) {
    if (!dots_.IsSound()) return Finish(queue, ReplyCode::kCannotMakeDots, actions);
    waiting_for_lease_.push_back(queue);
    return;
  }
  dots_on_their_way_.insert(*dot);
  operation->dot = *dot;
  if (policy == ConflictPolicy::kLww) {
    operation->stamp = state.StampFor(update.seen, operation->wall_micros);
  }
  if (update.is_delete) {
    state.Delete(update.seen.context, *dot, operation->stamp, policy);
  } else {
    state.Put(update.seen.context, *dot, update.value, operation->stamp, policy);
  }
  operation->reply_state = state.Encode();
  if (VARVE_PLANTED_BUG("replica.dot_leaves_before_it_is_stored")) Reply(Operation(*operation), ReplyCode::kOk, actions);
  Store(queue, std::move(state), actions);
}

void Replica::ExecuteMerge(Queue queue, KeyState state, Actions* actions) {
  Operation* const operation = &queue->second.front();
  const auto& merge = std::get<MergeRequest>(operation->request->body);
  if (operation->request->epoch < epoch_) return Finish(queue, ReplyCode::kStaleEpoch, actions);
  Result<KeyState> theirs = KeyState::Decode(merge.state);
  if (!theirs.ok()) return Finish(queue, ReplyCode::kMalformed, actions);
  // A replica that has forgotten still stores what others have; it only makes no dots.
  static_cast<void>(dots_.Observe(theirs->context()));
  state.Merge(*std::move(theirs), options_.policy_of(queue->first));
  if (merge.wants_state) operation->reply_state = state.Encode();
  Store(queue, std::move(state), actions);
}

void Replica::Store(Queue queue, KeyState state, Actions* actions) {
  Operation* const operation = &queue->second.front();
  std::optional<std::string> bytes;
  if (!state.IsReapable(floor_)) {
    state.Strip(floor_);
    bytes = state.Encode();
  }
  if (bytes == operation->bytes) return Finish(queue, ReplyCode::kOk, actions);
  operation->hash_after = HashTree::HashOf(queue->first, bytes);
  actions->push_back(WriteKey{options_.partition, operation->number, queue->first, std::move(bytes)});
  if (operation->request && VARVE_PLANTED_BUG("replica.acknowledges_early")) {
    Reply(Operation(*operation), ReplyCode::kOk, actions);
    operation->is_answered = true;
  }
}

void Replica::OnKeyWritten(uint64_t operation, const Status& status, Actions* actions) {
  const auto found = under_way_.find(operation);
  VARVE_CHECK(found != under_way_.end());
  const Queue queue = found->second;
  if (!status.ok()) return Finish(queue, ReplyCode::kStorageFailed, actions);
  const Operation& first = queue->second.front();
  tree_.Change(queue->first, HashTree::HashOf(queue->first, first.bytes), first.hash_after);
  Finish(queue, ReplyCode::kOk, actions);
}

void Replica::Finish(Queue queue, ReplyCode code, Actions* actions) {
  std::list<Operation> ended;
  ended.splice(ended.end(), queue->second, queue->second.begin());
  Operation& operation = ended.front();
  under_way_.erase(operation.number);
  if (code != ReplyCode::kStorageFailed) dots_on_their_way_.erase(operation.dot);
  --queued_;
  const bool is_sweep = operation.is_sweep;
  if (operation.request && !operation.is_answered) {
    const bool is_read = std::holds_alternative<ReadRequest>(operation.request->body);
    if (code == ReplyCode::kOk && operation.request->epoch < epoch_ &&
        !VARVE_PLANTED_BUG("replica.skips_the_fence")) {
      code = is_read ? ReplyCode::kStaleEpoch : ReplyCode::kFenced;
    }
    Reply(std::move(operation), code, actions);
  }
  if (queue->second.empty()) {
    queues_.erase(queue);
  } else {
    Begin(queue, actions);
  }
  if (!is_sweep) return;
  --sweep_left_;
  SweepOn(actions);
}

void Replica::Reply(Operation&& operation, ReplyCode code, Actions* actions) {
  const Message& request = *operation.request;
  // An update that is done under an old topology only can be carried on under the new one by its coordinator.
  const bool is_done = code == ReplyCode::kOk || code == ReplyCode::kFenced;
  std::string state = is_done ? std::move(operation.reply_state) : std::string();
  if (std::holds_alternative<UpdateRequest>(request.body)) {
    ReplyWith(request, UpdateReply{code, operation.dot, operation.stamp, std::move(state)}, actions);
  } else if (std::holds_alternative<MergeRequest>(request.body)) {
    ReplyWith(request, MergeReply{code, std::move(state)}, actions);
  } else if (std::holds_alternative<ReadRequest>(request.body)) {
    ReplyWith(request, ReadReply{code, std::move(state)}, actions);
  } else if (std::holds_alternative<TreeRequest>(request.body)) {
    ReplyWith(request, TreeReply{code, {}}, actions);
  } else {
    ReplyWith(request, KeysReply{code, {}, true}, actions);
  }
}

void Replica::ReplyWith(const Message& request, Message::Body body, Actions* actions) const {
  actions->push_back(Send{Message{.from = options_.self,
                                  .to = request.from,
                                  .partition = options_.partition,
                                  .epoch = epoch_,
                                  .request = request.request,
                                  .body = std::move(body)}});
}

}  // namespace varve::cluster
