#include "cluster/exchange.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr Nanos kMostResends = 8;  // of Options::resend_every, between two

}  // namespace

FillPace::Asked Exchange::AskedBy(Step step) {
  switch (step) {
    case Step::kReadLeft: return FillPace::Asked::kRead;
    case Step::kMergeRight: return FillPace::Asked::kMerge;
    case Step::kMergeLeft: break;
  }
  return FillPace::Asked::kMergeBack;
}

void Exchange::Start(Nanos now, Actions* actions) {
  now_ = last_answer_ = now;
  AskForHashes(HashTree::kRoot, actions);
}

void Exchange::OnTime(Nanos now, Actions* actions) {
  if (result_ != Result::kUnderWay) return;
  now_ = now;
  const bool waits_for_room = !to_merge_.empty() && under_way_.empty() && unanswered_.empty();
  if (waits_for_room && !VARVE_PLANTED_BUG("exchange.has_no_patience_with_its_pace")) last_answer_ = now;
  if (now >= last_answer_ + options_.patience) {
    result_ = Result::kFailed;
    return;
  }
  for (auto& [request, unanswered] : unanswered_) {
    if (now < unanswered.resend_at) continue;
    // Ever more rarely: a large state may take longer.
    unanswered.resend_after = std::min(2 * unanswered.resend_after, kMostResends * options_.resend_every);
    unanswered.resend_at = now + unanswered.resend_after;
    for (const Message& message : unanswered.messages) actions->push_back(cluster::Send{message});
  }
  if (!to_merge_.empty()) StartKeys(actions);
}

// When it was asked for at first, if it is an answer that was waited for. One that asks to come again later is none.
std::optional<Nanos> Exchange::TakeAnswer(const Message& reply) {
  const auto code = std::visit(
      [](const auto& body) {
        if constexpr (requires { body.code; }) return body.code;
        return ReplyCode::kMalformed;
      },
      reply.body);
  if (code == ReplyCode::kUnknownEpoch || code == ReplyCode::kOverloaded) return std::nullopt;
  const auto found = unanswered_.find(reply.request);
  if (found == unanswered_.end()) return std::nullopt;
  const Nanos asked_at = found->second.first_sent_at;
  const size_t answered = std::erase_if(found->second.messages,
                                        [&reply](const Message& message) { return message.to == reply.from; });
  if (found->second.messages.empty()) unanswered_.erase(found);
  return answered > 0 ? std::optional(asked_at) : std::nullopt;
}

void Exchange::AskForHashes(uint32_t branch, Actions* actions) {
  const uint64_t request = next_request_++;
  trees_[request].branch = branch;
  for (const NodeId node : {options_.left, options_.right}) {
    Send(node, request, TreeRequest{branch}, actions);
  }
}

void Exchange::OnMessage(const Message& reply, Nanos now, Actions* actions) {
  if (result_ != Result::kUnderWay) return;
  if (reply.from != options_.left && reply.from != options_.right) return;
  const std::optional<Nanos> asked_at = TakeAnswer(reply);
  if (!asked_at) return;
  now_ = last_answer_ = now;
  const auto key = under_way_.find(reply.request);
  if (key != under_way_.end() && options_.pace != nullptr) {
    options_.pace->OnAnswer(AskedBy(key->second.step), now - *asked_at, now);
  }
  const bool is_right = reply.from == options_.right;
  if (const auto* tree = std::get_if<TreeReply>(&reply.body)) {
    OnTree(reply.request, is_right, *tree, actions);
  } else if (const auto* keys = std::get_if<KeysReply>(&reply.body)) {
    OnKeys(reply.request, is_right, *keys, actions);
  } else if (const auto* read = std::get_if<ReadReply>(&reply.body)) {
    OnState(reply.request, read->code, read->state, actions);
  } else if (const auto* merge = std::get_if<MergeReply>(&reply.body)) {
    OnState(reply.request, merge->code, merge->state, actions);
  }
}

void Exchange::OnTree(uint64_t request, bool is_right, const TreeReply& reply, Actions* actions) {
  const auto found = trees_.find(request);
  if (found == trees_.end()) return;
  if (reply.code != ReplyCode::kOk || reply.hashes.size() != HashTree::kFanOut) {
    result_ = Result::kFailed;
    return;
  }
  Pair& pair = found->second;
  pair.hashes[is_right] = reply.hashes;
  if (!pair.hashes[0] || !pair.hashes[1]) return;
  const Pair both = std::move(pair);
  trees_.erase(found);
  for (uint32_t i = 0; i < HashTree::kFanOut; ++i) {
    if ((*both.hashes[0])[i] == (*both.hashes[1])[i]) continue;
    if (both.branch == HashTree::kRoot) {
      AskForHashes(i, actions);
    } else if (leaves_.size() < options_.max_leaves) {
      leaves_.push_back(both.branch * HashTree::kFanOut + i);
    } else {
      is_partial_ = true;
    }
  }
  if (trees_.empty()) AskForKeys(actions);
}

void Exchange::AskForKeys(Actions* actions) {
  if (leaves_.empty()) {
    result_ = Result::kComplete;
    return;
  }
  std::sort(leaves_.begin(), leaves_.end());
  ListOn(false, {}, actions);
  ListOn(true, {}, actions);
}

void Exchange::ListOn(bool is_right, std::string after, Actions* actions) {
  listings_[is_right].request = next_request_++;
  Send(is_right ? options_.right : options_.left, *listings_[is_right].request, KeysRequest{leaves_, std::move(after)},
       actions);
}

// The pieces of both come in any order. What is equal in both when each is listed was known to both before.
void Exchange::OnKeys(uint64_t request, bool is_right, const KeysReply& reply, Actions* actions) {
  Listing& listing = listings_[is_right];
  if (request != listing.request) return;
  if (reply.code != ReplyCode::kOk || (reply.items.empty() && !reply.is_end)) {
    result_ = Result::kFailed;
    return;
  }
  listing.request.reset();
  for (const KeysReply::Item& item : reply.items) Compare(is_right, item);
  if (reply.is_end || VARVE_PLANTED_BUG("exchange.ends_after_the_first_keys")) {
    EndListing(is_right);
  } else {
    ListOn(is_right, reply.items.back().key, actions);
  }
  StartKeys(actions);
}

void Exchange::Compare(bool is_right, const KeysReply::Item& item) {
  Listing& other = listings_[!is_right];
  const auto found = other.without_other.find(item.key);
  if (found != other.without_other.end()) {
    if (found->second != item.hash) to_merge_.push_back({item.key});
    other.without_other.erase(found);
  } else if (!other.has_ended) {
    listings_[is_right].without_other.emplace(item.key, item.hash);
  } else if (!is_right || !VARVE_PLANTED_BUG("exchange.overlooks_what_left_lacks")) {
    to_merge_.push_back({item.key, !is_right});
  }
}

// What the other has listed, and this one has not, is missing here.
void Exchange::EndListing(bool is_right) {
  listings_[is_right].has_ended = true;
  std::map<std::string, uint64_t>& missing = listings_[!is_right].without_other;
  if (is_right || !VARVE_PLANTED_BUG("exchange.overlooks_what_left_lacks")) {
    for (const auto& [key, hash] : missing) to_merge_.push_back({key, is_right});
  }
  missing.clear();
}

// Left's state goes to right, and what right has then comes back, but where right had nothing and has the same then. (Where
// both have the key, left may have something to put in order though what it has is said in the same bytes.)
void Exchange::StartKeys(Actions* actions) {
  while (!to_merge_.empty() && under_way_.size() < options_.window) {
    const bool has_room = options_.pace == nullptr || options_.pace->HasRoom(now_);
    if (!has_room && !VARVE_PLANTED_BUG("exchange.ignores_its_pace")) return;
    const uint64_t request = next_request_++;
    KeyUnderWay key{.key = std::move(to_merge_.back().key), .does_right_lack = to_merge_.back().does_right_lack};
    to_merge_.pop_back();
    if (options_.pace != nullptr) key.charged = options_.pace->Begin(now_);
    Send(options_.left, request, ReadRequest{key.key}, actions);
    under_way_.emplace(request, std::move(key));
  }
  const bool are_listed = listings_[0].has_ended && listings_[1].has_ended;
  if (are_listed && under_way_.empty()) result_ = is_partial_ ? Result::kPartial : Result::kComplete;
}

void Exchange::OnState(uint64_t request, ReplyCode code, const std::string& state, Actions* actions) {
  const auto found = under_way_.find(request);
  if (found == under_way_.end()) return;
  if (code != ReplyCode::kOk) {
    result_ = Result::kFailed;
    return;
  }
  KeyUnderWay key = std::move(found->second);
  under_way_.erase(found);
  const bool is_known = (key.does_right_lack && state == key.of_left) || VARVE_PLANTED_BUG("exchange.never_tells_left");
  if (key.step == Step::kMergeLeft || (key.step == Step::kMergeRight && is_known)) {
    ++merged_;
    return StartKeys(actions);
  }
  bytes_ += state.size();
  const bool is_to_right = key.step == Step::kReadLeft;
  key.step = is_to_right ? Step::kMergeRight : Step::kMergeLeft;
  if (is_to_right && options_.pace != nullptr) options_.pace->OnState(key.charged, state.size(), now_);
  if (is_to_right && key.does_right_lack) key.of_left = state;
  const uint64_t next = next_request_++;
  Send(is_to_right ? options_.right : options_.left, next, MergeRequest{key.key, state, is_to_right}, actions);
  under_way_.emplace(next, std::move(key));
}

void Exchange::Send(NodeId to, uint64_t request, Message::Body body, Actions* actions) {
  Message message{.from = options_.self,
                  .to = to,
                  .partition = options_.partition,
                  .epoch = options_.epoch,
                  .request = request,
                  .body = std::move(body)};
  Unanswered& unanswered = unanswered_[request];
  unanswered.messages.push_back(message);
  unanswered.first_sent_at = now_;
  unanswered.resend_after = options_.resend_every;
  unanswered.resend_at = now_ + options_.resend_every;
  actions->push_back(cluster::Send{std::move(message)});
}

}  // namespace varve::cluster
