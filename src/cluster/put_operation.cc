#include "cluster/put_operation.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"

namespace varve::cluster {

PutOperation::PutOperation(const CoordinatorOptions* options, const std::set<NodeId>* suspects,
                           uint64_t number, uint64_t client_request, PutRequest request)
    : options_(options),
      suspects_(suspects),
      number_(number),
      client_request_(client_request),
      request_(std::move(request)),
      is_sloppy_(request_.options.sloppy && request_.options.level != Level::kLinear),
      quorum_(request_.options.sets->write, request_.options.level, request_.options.replicas) {}

// Whether W can be had of those that have acknowledged it or still may.
bool PutOperation::CanReach() const {
  size_t fallbacks = 0;
  if (is_sloppy_) {
    for (const NodeId node : request_.options.sets->fallbacks) fallbacks += !suspects_->contains(node);
  }
  const auto may = [this](NodeId node) {
    return (!refused_.contains(node) && (!suspects_->contains(node) || !state_.empty())) || counted_hints_.contains(node);
  };
  std::vector<NodeId> replaced;  // by fallbacks
  for (const NodeId node : quorum_.members()) {
    if (replaced.size() < fallbacks && !may(node)) replaced.push_back(node);
  }
  return quorum_.IsReachedBy([&](NodeId node) { return may(node) || IsIn(node, replaced); });
}

void PutOperation::Start(Nanos now, Actions* actions) {
  hint_at_ = now + options_->hint_after;
  next_time_ = std::min(request_.options.deadline, now + options_->resend_every);
  if (!CanReach()) return Finish(Outcome::kFailed, ReplyCode::kTooFewReplicas, actions);
  // This node first, it costs no message; suspects last. Who may not have everything yet makes no dots: a put
  // covers all earlier dots of its maker.
  const Quorum readable(request_.options.sets->read, Level::kOne, 0);
  makers_.reserve(quorum_.members().size());
  for (const NodeId node : quorum_.members()) {
    const bool has_all = std::count(readable.members().begin(), readable.members().end(), node) != 0;
    if (has_all || VARVE_PLANTED_BUG("put.made_where_not_all_is")) makers_.push_back(node);
  }
  const auto rank = [this](NodeId node) {
    return node == options_->self ? 0 : suspects_->contains(node) ? 2 : 1;
  };
  std::stable_sort(makers_.begin(), makers_.end(), [&](NodeId a, NodeId b) { return rank(a) < rank(b); });
  std::reverse(makers_.begin(), makers_.end());
  TryNextMaker(now, actions);
}

void PutOperation::TryNextMaker(Nanos now, Actions* actions) {
  // Who was refused for the topology alone tries again soon; a suspect would keep it waiting until its deadline.
  const bool is_passing = reason_ == ReplyCode::kStaleEpoch || reason_ == ReplyCode::kUnknownEpoch;
  if (is_passing && !makers_.empty() && suspects_->contains(makers_.back()) && !VARVE_PLANTED_BUG("put.tries_the_dead_last")) {
    makers_.clear();
  }
  if (makers_.empty() || now >= request_.options.deadline || !CanReach()) {
    return Finish(Outcome::kFailed, reason_, actions);
  }
  maker_ = makers_.back();
  makers_.pop_back();
  Send(maker_, request_.update, actions);
}

void PutOperation::OnReply(NodeId from, Message::Body body, Nanos now, Actions* actions) {
  if (auto* update = std::get_if<UpdateReply>(&body)) {
    if (from == maker_ && state_.empty()) OnUpdateReply(from, std::move(*update), now, actions);
  } else if (const auto* merge = std::get_if<MergeReply>(&body)) {
    switch (merge->code) {
      case ReplyCode::kOk: acknowledged_.insert(from); break;
      case ReplyCode::kStaleEpoch:
      case ReplyCode::kFenced:  // this node has yet to learn the topology, and then goes on under it
      case ReplyCode::kUnknownEpoch:
      case ReplyCode::kOverloaded:  // it is sent again
        reason_ = merge->code;
        if (!is_finished_) next_time_ = std::min(next_time_, now + options_->resend_every / 4);
        break;
      default:
        reason_ = merge->code;
        refused_.insert(from);
    }
    Conclude(actions);
  } else if (const auto* hint = std::get_if<HintReply>(&body)) {
    OnHintReply(from, *hint);
    Conclude(actions);
  }
}

void PutOperation::OnUpdateReply(NodeId from, UpdateReply&& reply, Nanos now, Actions* actions) {
  const bool is_made = reply.code == ReplyCode::kFenced && !reply.state.empty();
  if (reply.code != ReplyCode::kOk) reason_ = reply.code;
  if (reply.code != ReplyCode::kOk && !is_made) {
    if (!IsCertainlyWithoutEffect(reply.code)) return Finish(Outcome::kUnknown, reason_, actions);
    // A key that is full is full everywhere.
    if (reply.code == ReplyCode::kTooManySiblings) return Finish(Outcome::kFailed, reason_, actions);
    return TryNextMaker(now, actions);
  }
  state_ = std::move(reply.state);
  seen_ = request_.update.seen;
  seen_.context.Add(reply.dot);
  if (VARVE_PLANTED_BUG("put.context_of_the_whole_state")) seen_.context.Merge(KeyState::Decode(state_)->context());
  seen_.stamp = std::max(seen_.stamp, reply.stamp);
  if (!is_made) acknowledged_.insert(from);
  SendMerges(actions);
  SendHints(now >= hint_at_, actions);
  Conclude(actions);
}

void PutOperation::Renew(uint64_t number, SharedSets sets, Nanos now, Actions* actions) {
  number_ = number;
  request_.options.sets = std::move(sets);
  quorum_ = Quorum(request_.options.sets->write, request_.options.level, request_.options.replicas);
  if (!VARVE_PLANTED_BUG("put.counts_what_was_acknowledged_before")) {
    acknowledged_.clear();
    refused_.clear();
  }
  hints_.clear();
  counted_hints_.clear();
  kept_hints_.clear();
  next_time_ = std::min(request_.options.deadline, now + options_->resend_every);
  SendMerges(actions);
  Conclude(actions);
}

void PutOperation::OnHintReply(NodeId from, const HintReply& reply) {
  const auto asked = hints_.find(reply.owner);
  if (asked == hints_.end() || asked->second != from) return;
  if (reply.code != ReplyCode::kOk) {
    hints_.erase(asked);  // tried again with the next fallback
    return;
  }
  kept_hints_.insert(reply.owner);
  const bool is_fallback = is_sloppy_ && from != options_->self;
  if (is_fallback || VARVE_PLANTED_BUG("put.hints_count_when_nobody_asked")) {
    counted_hints_.insert(reply.owner);
  }
}

void PutOperation::SendMerges(Actions* actions) {
  for (const NodeId node : quorum_.members()) {
    if (acknowledged_.contains(node) || refused_.contains(node)) continue;
    Send(node, MergeRequest{request_.update.key, state_, false}, actions);
  }
}

// For suspects right away, for the others when they have not answered in time.
void PutOperation::SendHints(bool is_time, Actions* actions) {
  for (const NodeId node : quorum_.members()) {
    if (acknowledged_.contains(node)) continue;
    if (is_time || suspects_->contains(node)) SendHintFor(node, actions);
  }
}

void PutOperation::SendHintFor(NodeId owner, Actions* actions) {
  if (hints_.contains(owner) || VARVE_PLANTED_BUG("put.drops_hints")) return;
  NodeId keeper = options_->self;
  if (is_sloppy_ && !is_late_) {
    for (const NodeId node : request_.options.sets->fallbacks) {
      const bool is_taken = std::any_of(hints_.begin(), hints_.end(),
                                        [node](const auto& hint) { return hint.second == node; });
      if ((is_taken && !VARVE_PLANTED_BUG("put.hints_to_the_same_fallback")) || suspects_->contains(node)) continue;
      keeper = node;
      break;
    }
  }
  hints_[owner] = keeper;
  Send(keeper, HintRequest{owner, request_.update.key, state_}, actions);
}

// Says ok when it is, and goes when there is nothing left to do.
void PutOperation::Conclude(Actions* actions) {
  if (!is_finished_) {
    const bool is_reached = quorum_.IsReachedBy([this](NodeId node) {
      return acknowledged_.contains(node) || counted_hints_.contains(node);
    });
    if (is_reached || VARVE_PLANTED_BUG("put.acknowledges_before_its_quorum")) {
      Finish(Outcome::kOk, ReplyCode::kOk, actions);
    } else if (!CanReach()) {
      // Under this topology. What exists of it still spreads.
      SendHints(true, actions);
      Finish(Outcome::kUnknown, reason_, actions);
    }
  }
  is_done_ = is_finished_ && std::all_of(quorum_.members().begin(), quorum_.members().end(), [this](NodeId n) {
    return acknowledged_.contains(n) || kept_hints_.contains(n);
  });
}

// A fallback that has not said that it keeps a hint may not: then this node does. A write at level one may be here alone,
// and this copy of the partition be given up before another has it.
void PutOperation::TakeBackHints() {
  if (VARVE_PLANTED_BUG("put.leaves_hints_to_who_does_not_answer")) return;
  std::erase_if(hints_, [this](const auto& hint) { return hint.second != options_->self && !kept_hints_.contains(hint.first); });
}

void PutOperation::OnTime(Nanos now, Actions* actions) {
  is_late_ = now >= request_.options.deadline;
  if (!state_.empty()) {
    if (is_late_) TakeBackHints();
    SendHints(now >= hint_at_ || is_late_, actions);
    if (!is_late_) SendMerges(actions);
  }
  if (is_late_) {
    if (!is_finished_) Finish(Outcome::kUnknown, reason_, actions);
    is_done_ = true;
    return;
  }
  next_time_ = std::min(request_.options.deadline, now + options_->resend_every);
}

void PutOperation::Finish(Outcome outcome, ReplyCode reason, Actions* actions) {
  is_finished_ = true;
  // What failed has left nothing to spread; of an unknown one without its state nobody knows more.
  is_done_ = outcome == Outcome::kFailed || state_.empty();
  actions->push_back(FinishPut{client_request_, outcome, reason, seen_});
}

void PutOperation::Send(NodeId to, Message::Body body, Actions* actions) const {
  actions->push_back(cluster::Send{Message{.from = options_->self,
                                           .to = to,
                                           .partition = request_.options.sets->partition,
                                           .epoch = request_.options.sets->epoch,
                                           .request = number_,
                                           .body = std::move(body)}});
}

}  // namespace varve::cluster
