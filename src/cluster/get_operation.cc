#include "cluster/get_operation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

// While a partition moves, what a linear read has answered must be found by those that ask the next set.
const std::vector<std::vector<NodeId>>& SetsOf(const RequestOptions& options) {
  const bool asks_both = options.level == Level::kLinear && !VARVE_PLANTED_BUG("get.linear_in_one_set");
  return asks_both ? options.sets->write : options.sets->read;
}

// Of a number, so that the same seed gives the same reads; neighbours have nothing in common.
uint64_t Scatter(uint64_t number) {
  number = (number ^ number >> 33) * 0x9E37'79B9'7F4A'7C15;
  return number ^ number >> 32;
}

}  // namespace

GetOperation::GetOperation(const CoordinatorOptions* options, const std::set<NodeId>* suspects,
                           uint64_t number, uint64_t client_request, GetRequest request)
    : options_(options),
      suspects_(suspects),
      number_(number),
      client_request_(client_request),
      request_(std::move(request)),
      policy_(options_->policy_of(request_.key)),
      quorum_(SetsOf(request_.options), request_.options.level, request_.options.replicas) {}

void GetOperation::Start(Nanos now, Actions* actions) {
  const bool are_enough =
      quorum_.IsReachedBy([this](NodeId node) { return !suspects_->contains(node); });
  if (!are_enough) return Fail(ReplyCode::kTooFewReplicas, actions);
  ChooseWhomToAsk();
  reported_.reserve(quorum_.members().size());
  const bool are_all = asked_.size() == quorum_.members().size();
  next_time_ = std::min(request_.options.deadline, now + (are_all ? options_->resend_every : options_->hedge_after));
  Ask(actions);
}

void GetOperation::ChooseWhomToAsk() {
  asked_ = quorum_.members();
  const uint64_t scattered = Scatter(number_);
  const bool is_for_repair = scattered % kReadsPerRepair == 0 && !VARVE_PLANTED_BUG("get.never_asks_all");
  if (request_.options.level == Level::kLinear || is_for_repair) return;
  const auto others = std::partition(asked_.begin(), asked_.end(), [this](NodeId node) { return node == options_->self; });
  const auto suspects = std::partition(others, asked_.end(), [this](NodeId node) { return !suspects_->contains(node); });
  const auto count = static_cast<uint64_t>(suspects - others);
  if (count > 0) std::rotate(others, others + static_cast<ptrdiff_t>(scattered / kReadsPerRepair % count), suspects);
  size_t enough = 1;
  const auto are_enough = [this, &enough](NodeId node) {
    return std::find(asked_.begin(), asked_.begin() + static_cast<ptrdiff_t>(enough), node) !=
           asked_.begin() + static_cast<ptrdiff_t>(enough);
  };
  while (enough < asked_.size() && !quorum_.IsReachedBy(are_enough)) ++enough;
  asked_.resize(enough);
}

void GetOperation::AskAll(Nanos now, Actions* actions) {
  if (asked_.size() == quorum_.members().size() || VARVE_PLANTED_BUG("get.asks_no_others")) return;
  for (const NodeId node : quorum_.members()) {
    if (std::find(asked_.begin(), asked_.end(), node) != asked_.end()) continue;
    asked_.push_back(node);
    Send(node, ReadRequest{request_.key}, actions);
  }
  next_time_ = std::min(request_.options.deadline, now + options_->resend_every);
}

// A replica that has yet to learn the topology will have in a moment.
void GetOperation::AskSoon(Nanos now) {
  if (!is_finished_) next_time_ = std::min(next_time_, now + options_->resend_every / 4);
}

// Suspects too, where all are asked: they may live, and are repaired then.
void GetOperation::Ask(Actions* actions) {
  for (const NodeId node : asked_) {
    if (HasReported(node) || refused_.contains(node)) continue;
    Send(node, ReadRequest{request_.key}, actions);
  }
}

void GetOperation::OnReply(NodeId from, Message::Body body, Nanos now, Actions* actions) {
  const std::vector<NodeId>& members = quorum_.members();
  if (std::find(members.begin(), members.end(), from) == members.end()) return;
  if (auto* read = std::get_if<ReadReply>(&body)) {
    // One that the network held up must not undo what the replica has said since.
    if (HasReported(from)) return;
    Take(from, read->code, std::move(read->state));
    Conclude(now, actions);
    if (!HasReported(from) && !is_finished_) AskAll(now, actions);
    if (read->code == ReplyCode::kUnknownEpoch) AskSoon(now);
  } else if (auto* merge = std::get_if<MergeReply>(&body)) {
    Take(from, merge->code, std::move(merge->state));
    Conclude(now, actions);
  }
}

void GetOperation::Take(NodeId from, ReplyCode code, std::string state) {
  if (code == ReplyCode::kUnknownEpoch || code == ReplyCode::kOverloaded) {
    reason_ = code;  // it is asked again
    return;
  }
  const auto is_same = [&state](const auto& report) { return report.second == state; };
  if (code != ReplyCode::kOk || std::none_of(reported_.begin(), reported_.end(), is_same)) {
    Result<KeyState> decoded = code == ReplyCode::kOk
                                   ? KeyState::Decode(state)
                                   : Result<KeyState>(Status::Unavailable("refused"));
    if (!decoded.ok()) {
      reason_ = code == ReplyCode::kOk ? ReplyCode::kMalformed : code;
      is_stale_ = is_stale_ || code == ReplyCode::kStaleEpoch;
      refused_.insert(from);
      return;
    }
    merged_.Merge(*std::move(decoded), policy_);
  }
  std::erase_if(reported_, [from](const auto& report) { return report.first == from; });
  reported_.emplace_back(from, std::move(state));
  if (request_.options.level == Level::kLinear) fresh_.insert(from);
}

bool GetOperation::HasReported(NodeId node) const {
  return std::any_of(reported_.begin(), reported_.end(), [node](const auto& report) { return report.first == node; });
}

void GetOperation::Conclude(Nanos now, Actions* actions) {
  const auto has_reported = [this](NodeId node) { return HasReported(node); };
  if (!is_finished_) {
    if (!quorum_.IsReachedBy([this](NodeId node) { return !refused_.contains(node); })) {
      return Fail(reason_, actions);
    }
    // Those that have not answered may never, and under the later topology there may be a quorum at once.
    const bool is_stale = is_stale_ && !VARVE_PLANTED_BUG("get.waits_under_a_stale_topology");
    if (is_stale && !quorum_.IsReachedBy(has_reported)) return Fail(ReplyCode::kStaleEpoch, actions);
    if (!quorum_.IsReachedBy(has_reported) && !VARVE_PLANTED_BUG("get.answers_before_its_quorum")) return;
    if (request_.options.level == Level::kLinear && !VARVE_PLANTED_BUG("get.linear_like_quorum")) {
      ConcludeLinear(now, actions);
    } else if (HaveAllAnswered()) {
      RepairAndGo(actions);
      return Answer(std::move(merged_), now, actions);
    } else {
      Answer(merged_, now, actions);
    }
  }
  if (is_finished_ && !is_done_ && HaveAllAnswered()) RepairAndGo(actions);
}

bool GetOperation::HaveAllAnswered() const {
  return std::all_of(asked_.begin(), asked_.end(),
                     [this](NodeId node) { return HasReported(node) || refused_.contains(node); });
}

void GetOperation::ConcludeLinear(Nanos now, Actions* actions) {
  for (const auto& report : reported_) {
    const auto says_the_same = [this, &report](NodeId node) {
      return std::any_of(reported_.begin(), reported_.end(), [&](const auto& other) {
        return other.first == node && other.second == report.second;
      });
    };
    if (quorum_.IsReachedBy(says_the_same)) return Answer(KeyState::Decode(report.second).value(), now, actions);
  }
  // What is on its way may bring agreement; a second round waits for a quorum that has seen the first.
  if (!has_written_back_ || quorum_.IsReachedBy([this](NodeId node) { return fresh_.contains(node); })) WriteBack(actions);
}

void GetOperation::WriteBack(Actions* actions) {
  has_written_back_ = true;
  fresh_.clear();
  for (const NodeId node : quorum_.members()) {
    if (refused_.contains(node)) continue;
    Send(node, MergeRequest{request_.key, merged_.Encode(), true}, actions);
  }
}

void GetOperation::Answer(KeyState state, Nanos now, Actions* actions) {
  FinishGet finish{client_request_, Outcome::kOk, ReplyCode::kOk, {}, {}};
  finish.values = std::move(state).TakeValues(&finish.seen);
  actions->push_back(std::move(finish));
  is_finished_ = true;
  repair_at_ = std::min(request_.options.deadline, now + options_->repair_wait);
  next_time_ = repair_at_;
}

void GetOperation::Fail(ReplyCode reason, Actions* actions) {
  actions->push_back(FinishGet{client_request_, Outcome::kFailed, reason, {}, {}});
  is_finished_ = true;
  is_done_ = true;
}

void GetOperation::RepairAndGo(Actions* actions) {
  is_done_ = true;
  if (VARVE_PLANTED_BUG("get.repairs_nobody")) return;
  // One that has reported twice may have said the less the last time: then equal reports are not all that is known.
  const auto is_other = [this](const auto& report) { return report.second != reported_.front().second; };
  if (!has_written_back_ && std::none_of(reported_.begin(), reported_.end(), is_other)) return;
  const std::string merged = merged_.Encode();
  for (const auto& [node, state] : reported_) {
    if (state != merged) Send(node, MergeRequest{request_.key, merged, false}, actions);
  }
}

void GetOperation::OnTime(Nanos now, Actions* actions) {
  if (is_finished_) return RepairAndGo(actions);
  if (now >= request_.options.deadline) return Fail(reason_, actions);
  if (has_written_back_) {
    WriteBack(actions);
  } else if (asked_.size() == quorum_.members().size()) {
    Ask(actions);
  } else {
    AskAll(now, actions);
  }
  next_time_ = std::min(request_.options.deadline, now + options_->resend_every);
}

void GetOperation::Send(NodeId to, Message::Body body, Actions* actions) const {
  actions->push_back(cluster::Send{Message{.from = options_->self,
                                           .to = to,
                                           .partition = request_.options.sets->partition,
                                           .epoch = request_.options.sets->epoch,
                                           .request = number_,
                                           .body = std::move(body)}});
}

}  // namespace varve::cluster
