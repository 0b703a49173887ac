#include "cluster/hint_keeper.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace varve::cluster {

void HintKeeper::Load(uint64_t hint, NodeId owner, PartitionId partition, std::string key,
                      std::string state) {
  Hint loaded{.owner = owner, .partition = partition, .key = std::move(key), .state = std::move(state)};
  loaded.is_durable = true;
  Count(hint, loaded, true);
  next_hint_ = std::max(next_hint_, hint + 1);
  hints_.emplace(hint, std::move(loaded));
}

size_t HintKeeper::HintsOf(PartitionId partition) const {
  size_t hints = 0;
  for (auto it = owed_.lower_bound({partition, kNoNode}); it != owed_.end(); ++it) {
    if (it->first.first != partition) break;
    hints += it->second;
  }
  return hints;
}

void HintKeeper::Count(uint64_t number, const Hint& hint, bool is_new) {
  if (is_new) {
    of_owner_[hint.owner].insert(number);
    bytes_ += hint.size();
    bytes_of_[hint.owner] += hint.size();
    ++owed_[{hint.partition, hint.owner}];
    return;
  }
  const auto of_owner = of_owner_.find(hint.owner);
  of_owner->second.erase(number);
  if (of_owner->second.empty()) of_owner_.erase(of_owner);
  bytes_ -= hint.size();
  if ((bytes_of_[hint.owner] -= hint.size()) == 0) bytes_of_.erase(hint.owner);
  const auto found = owed_.find({hint.partition, hint.owner});
  if (--found->second == 0) owed_.erase(found);
}

void HintKeeper::Reply(const Message& request, ReplyCode code, Actions* actions) const {
  actions->push_back(Send{Message{.from = options_.self,
                                  .to = request.from,
                                  .partition = request.partition,
                                  .epoch = request.epoch,
                                  .request = request.request,
                                  .body = HintReply{code, std::get<HintRequest>(request.body).owner}}});
}

void HintKeeper::OnMessage(const Message& message, Actions* actions) {
  if (const auto* reply = std::get_if<MergeReply>(&message.body)) {
    const auto found = hints_.find(message.request);
    if (found == hints_.end() || found->second.owner != message.from) return;
    const bool is_useless = reply->code == ReplyCode::kMalformed;  // no replica will ever take it
    if (reply->code != ReplyCode::kOk && !is_useless) return;
    actions->push_back(EraseHint{found->first});
    Erase(found);
    return;
  }
  const auto* request = std::get_if<HintRequest>(&message.body);
  if (request == nullptr) return;
  Hint hint{.owner = request->owner,
            .partition = message.partition,
            .key = request->key,
            .state = request->state};
  hint.request = message;
  std::get<HintRequest>(hint.request.body).state.clear();
  const size_t size = hint.size();
  const bool is_too_much = bytes_ + size > options_.max_bytes || bytes_of_[hint.owner] + size > options_.max_bytes_of_owner;
  if (is_too_much && !VARVE_PLANTED_BUG("hints.without_bound")) {
    ++refused_;
    return Reply(message, ReplyCode::kOverloaded, actions);
  }
  const uint64_t number = next_hint_++;
  Count(number, hint, true);
  actions->push_back(StoreHint{number, hint.owner, hint.partition, hint.key, hint.state});
  hints_.emplace(number, std::move(hint));
}

void HintKeeper::OnHintStored(uint64_t hint, bool is_durable, Actions* actions) {
  const auto found = hints_.find(hint);
  if (found == hints_.end()) return;
  Reply(found->second.request, is_durable ? ReplyCode::kOk : ReplyCode::kStorageFailed, actions);
  if (is_durable) {
    found->second.is_durable = true;
  } else {
    Erase(found);
  }
}

void HintKeeper::OnTime(Nanos now, const EpochOf& epoch_of, const std::set<NodeId>& suspects,
                        Actions* actions) {
  for (const auto& [owner, numbers] : of_owner_) {
    if (!suspects.contains(owner)) SendTo(owner, now, epoch_of, actions);
  }
}

void HintKeeper::SendTo(NodeId owner, Nanos now, const EpochOf& epoch_of, Actions* actions) {
  const auto found = of_owner_.find(owner);
  if (found == of_owner_.end()) return;
  size_t on_their_way = 0;
  for (const uint64_t number : found->second) {
    Hint& hint = hints_.find(number)->second;
    if (!hint.is_durable) continue;
    if (++on_their_way > options_.window) return;
    if (hint.sent_at != 0 && now < hint.sent_at + options_.resend_every) continue;
    hint.sent_at = std::max<Nanos>(now, 1);
    actions->push_back(Send{Message{.from = options_.self,
                                    .to = owner,
                                    .partition = hint.partition,
                                    .epoch = epoch_of(hint.partition),
                                    .request = number,
                                    .body = MergeRequest{hint.key, hint.state, false}}});
    if (VARVE_PLANTED_BUG("hints.sent_once")) hint.sent_at = UINT64_MAX / 2;
  }
}

void HintKeeper::ChangeOwner(PartitionId partition, NodeId owner, NodeId heir) {
  for (auto& [number, hint] : hints_) {
    if (hint.partition != partition || hint.owner != owner) continue;
    Count(number, hint, false);
    hint.owner = heir;
    hint.sent_at = 0;
    Count(number, hint, true);
  }
}

void HintKeeper::Erase(std::map<uint64_t, Hint>::iterator hint) {
  Count(hint->first, hint->second, false);
  hints_.erase(hint);
}

}  // namespace varve::cluster
