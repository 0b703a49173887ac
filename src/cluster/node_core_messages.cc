// Messages between nodes.
#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "cluster/message_codec.h"
#include "cluster/node_core_impl.h"

namespace varve::cluster {
namespace {

constexpr Nanos kLearningPause = 50'000'000;
constexpr size_t kRefusedUpdates = 4096;

// The reply to a request of a replica that says no more than why not.
Message::Body Refusal(const Message& request, ReplyCode code) {
  if (std::holds_alternative<UpdateRequest>(request.body)) return UpdateReply{code, {}, 0, {}};
  if (std::holds_alternative<MergeRequest>(request.body)) return MergeReply{code, {}};
  if (std::holds_alternative<ReadRequest>(request.body)) return ReadReply{code, {}};
  if (std::holds_alternative<TreeRequest>(request.body)) return TreeReply{code, {}};
  return KeysReply{code, {}, true};
}

}  // namespace

void NodeCore::Impl::OnBytes(NodeId from, std::string_view bytes, Now now, Actions* actions) {
  Result<Message> message = DecodeMessage(bytes);
  if (!message.ok()) {
    ++counters_.messages_refused;
    return;
  }
  message->from = from;
  message->to = options_.self;
  OnMessage(*std::move(message), now, actions);
}

void NodeCore::Impl::OnMessage(Message message, Now now, Actions* actions) {
  if (std::holds_alternative<UpdateRequest>(message.body) || std::holds_alternative<MergeRequest>(message.body) ||
      std::holds_alternative<ReadRequest>(message.body) || std::holds_alternative<TreeRequest>(message.body) ||
      std::holds_alternative<KeysRequest>(message.body)) {
    ToReplica(std::move(message), now, actions);
  } else if (std::holds_alternative<HintRequest>(message.body)) {
    keeper_.OnMessage(message, actions);
  } else if (std::holds_alternative<ProgressRequest>(message.body)) {
    OnProgressRequest(message, actions);
  } else if (std::holds_alternative<FloorRequest>(message.body)) {
    OnFloorRequest(message, actions);
  } else if (const auto* asked = std::get_if<TopologyRequest>(&message.body)) {
    if (topology_ && topology_->epoch > asked->known) Reply(message, TopologyReply{EncodeTopology(*topology_)}, actions);
  } else if (const auto* told = std::get_if<TopologyReply>(&message.body)) {
    static_cast<void>(OnTopology(told->topology, std::nullopt, now, actions));
  } else {
    OnReply(std::move(message), now, actions);
  }
}

void NodeCore::Impl::OnReply(Message reply, Now now, Actions* actions) {
  // A replica that refuses knows of a later topology. Looked at before the reply is given away.
  const LearnTopology later{reply.epoch, reply.from};
  const bool is_later = reply.epoch > SinceOf(reply.partition);
  switch (KindOf(reply.request)) {
    case RequestKind::kCoordinator: coordinator_.OnMessage(std::move(reply), now.monotonic, actions); break;
    case RequestKind::kHint:
      keeper_.OnMessage(reply, actions);
      keeper_.SendTo(reply.from, now.monotonic, [this](PartitionId partition) { return SinceOf(partition); }, actions);
      break;
    case RequestKind::kExchange:
      pool_.OnMessage(reply, now.monotonic, actions);
      TakeEndedExchanges(now.monotonic, actions);
      break;
    case RequestKind::kOther:
      if (!topology_) break;
      filler_.OnMessage(reply, now.monotonic, actions);
      floors_.OnMessage(reply, now.monotonic, actions);
      mover_.OnMessage(reply);
      break;
  }
  if (is_later) actions->push_back(later);
}

Epoch NodeCore::Impl::SinceOf(PartitionId partition) const {
  const bool exists = topology_ && Value(partition) < topology_->since.size();
  return exists ? topology_->since[Value(partition)] : kNoEpoch;
}

void NodeCore::Impl::ToReplica(Message message, Now now, Actions* actions) {
  const auto found = partitions_.find(message.partition);
  const Epoch since = SinceOf(message.partition);
  if (found == partitions_.end() || found->second.is_loading) {
    const bool is_replica = found != partitions_.end();
    const bool is_later = message.epoch > since;
    if (is_later) actions->push_back(LearnTopology{message.epoch, message.from});
    const ReplyCode code = is_later || is_replica ? ReplyCode::kUnknownEpoch : ReplyCode::kStaleEpoch;
    return Refuse(message, code, actions);
  }
  const bool is_update = std::holds_alternative<UpdateRequest>(message.body);
  if (is_update && refused_updates_.contains({message.from, message.request})) return;
  if (is_update && message.epoch == since && !VARVE_PLANTED_BUG("node.makes_dots_before_it_is_filled")) {
    if (!IsIn(options_.self, topology_->Readable(message.partition))) {
      return Refuse(message, ReplyCode::kCannotMakeDots, actions);
    }
  }
  found->second.replica->OnMessage(std::move(message), now.wall_micros, actions);
}

// An update that is refused must not be done when the network brings it again.
void NodeCore::Impl::Refuse(const Message& message, ReplyCode code, Actions* actions) {
  if (std::holds_alternative<UpdateRequest>(message.body)) {
    if (refused_updates_.emplace(message.from, message.request).second) {
      refused_by_age_.emplace_back(message.from, message.request);
    }
    if (refused_by_age_.size() > kRefusedUpdates) {
      refused_updates_.erase(refused_by_age_.front());
      refused_by_age_.pop_front();
    }
  }
  Reply(message, Refusal(message, code), actions);
}

void NodeCore::Impl::Reply(const Message& request, Message::Body body, Actions* actions) const {
  actions->push_back(Send{Message{.from = options_.self,
                                  .to = request.from,
                                  .partition = request.partition,
                                  .epoch = SinceOf(request.partition),
                                  .request = request.request,
                                  .body = std::move(body)}});
}

void NodeCore::Impl::OnProgressRequest(const Message& request, Actions* actions) {
  ProgressReply reply;
  reply.hints = keeper_.HintsOf(request.partition);
  const Replica* replica = FindReplica(request.partition);
  if (replica == nullptr) {
    reply.code = ReplyCode::kUnknownEpoch;
  } else {
    reply.is_replica = true;
    reply.durable_epoch = replica->durable_epoch();
    if (replica->actor() != kNoActor) reply.last = replica->LastAppliedDot();
    reply.floor = replica->floor();
    // What has been merged means something under one fence only.
    if (replica->epoch() == SinceOf(request.partition)) reply.merged = filler_.MergedOf(request.partition);
  }
  Reply(request, std::move(reply), actions);
}

// What is said of all current replicas holds here only if this is one, under the topology of who says it.
void NodeCore::Impl::OnFloorRequest(const Message& request, Actions* actions) {
  Replica* replica = FindReplica(request.partition);
  if (replica == nullptr || replica->epoch() != request.epoch || SinceOf(request.partition) != request.epoch) return;
  const ReplicaSets sets = topology_->SetsOf(request.partition);
  if (sets.stage != MoveStage::kNone || !IsIn(options_.self, sets.current)) return;
  const VersionVector& floor = std::get<FloorRequest>(request.body).floor;
  const std::vector<VersionVector>& asked = partitions_.at(request.partition).floors;
  const bool is_coming = std::any_of(asked.begin(), asked.end(),
                                     [&floor](const VersionVector& coming) { return coming.Covers(floor); });
  if (!is_coming) replica->RaiseFloor(floor, actions);
}

// Asks who has shown to know of a later topology, besides the store; not for every message.
bool NodeCore::Impl::Learn(NodeId from, Nanos now, Actions* to) {
  if (from == options_.self) return true;
  if (now < next_learning_) return false;
  next_learning_ = now + kLearningPause;
  const Epoch known = topology_ ? topology_->epoch : kNoEpoch;
  Message message{.from = options_.self, .to = from, .request = NextRequest(), .body = TopologyRequest{known}};
  to->push_back(SendBytes{from, EncodeMessage(message)});
  return true;
}

void NodeCore::Impl::Route(Now now, Actions* to) {
  for (size_t i = 0; i < raised_.size(); ++i) {
    Action action = std::move(raised_[i]);
    if (auto* send = std::get_if<Send>(&action)) {
      if (send->message.to == options_.self) {
        OnMessage(std::move(send->message), now, &raised_);
      } else {
        to->push_back(SendBytes{send->message.to, EncodeMessage(send->message)});
      }
      continue;
    }
    if (const auto* learn = std::get_if<LearnTopology>(&action)) {
      if (!Learn(learn->from, now.monotonic, to)) continue;
    } else if (const auto* put = std::get_if<FinishPut>(&action)) {
      if (!IsOver(put->client_request, put->outcome, put->reason, now.monotonic)) continue;
    } else if (const auto* get = std::get_if<FinishGet>(&action)) {
      if (!IsOver(get->client_request, get->outcome, get->reason, now.monotonic)) continue;
    } else if (auto* floor = std::get_if<PersistFloor>(&action)) {
      const auto found = partitions_.find(floor->partition);
      if (found != partitions_.end()) found->second.floors.push_back(floor->floor);
    }
    to->push_back(std::move(action));
  }
}

}  // namespace varve::cluster
