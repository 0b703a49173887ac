// Requests that the nodes of a cluster carry out. While they do, the session waits: the request stays at the beginning of
// its input, and the turn after the wake-up meets it again. What follows on it in a pipeline is begun meanwhile, as long as it
// is for the cluster and has other keys, and is replied to when its turn comes.
#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "server/session.h"

namespace varve::server {
namespace {

// Beyond the cluster's own deadline, should a wake-up be lost.
constexpr uint64_t kPatienceMillis = 1000;
// Requests of one connection under way.
constexpr size_t kMostUnderWay = 64;

std::string NameOf(const ClusterView::Node& node) {
  const bool is_v6 = node.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + node.host + "]" : node.host) + ":" + std::to_string(node.port);
}

// Whom to go to instead for keys of this slot; empty: here is right, or nobody is better.
std::string BetterPlace(const ClusterView& view, int slot) {
  for (const ClusterView::Range& range : view.ranges) {
    if (slot < range.first || slot > range.last || range.nodes.empty()) continue;
    for (const size_t node : range.nodes) {
      if (view.nodes[node].is_self) return "";
    }
    const ClusterView::Node& first = view.nodes[range.nodes[0]];
    return first.is_reachable ? NameOf(first) : "";
  }
  return "";
}

}  // namespace

bool Session::ProcessOnCluster(const Command& command, const std::vector<std::string_view>& args, resp::ReplyWriter* reply) {
  ClusterFace* const face = service_->cluster();
  const auto refuse = [&](const std::string& error) {
    const size_t mark = reply->size();
    reply->Error(error);
    NoteCall(command, args, idle_since_, reply->Since(mark));
    return true;
  };
  switch (RuleOf(command)) {
    case ClusterRule::kLocal: return false;
    case ClusterRule::kRefused:
      return refuse("ERR '" + command.full_name + "' is not supported in a cluster");
    case ClusterRule::kKeys: break;
  }
  const int slot = SlotOfKeys(*face, command, args);
  if (slot == -2 && !VARVE_PLANTED_BUG("face.slots_not_compared")) {
    return refuse("CROSSSLOT Keys in request don't hash to the same slot");
  }
  if (follows_cluster_) {
    const std::string place = BetterPlace(*face->View(), slot);
    if (!place.empty()) return refuse("MOVED " + std::to_string(slot) + " " + place);
  }
  const uint64_t begin = idle_since_;
  const std::string error = ClusterCall::Begin(face, command, args, client_->peer.wake, &cluster_call_);
  if (!error.empty()) return refuse(error);
  cluster_call_->begun_at = begin;
  return true;
}

void Session::AwaitCluster(net::Turn* turn) const {
  turn->next = net::Turn::Next::kWait;
  turn->wait_millis = service_->cluster()->timeout_millis() + kPatienceMillis;
}

bool Session::FinishOnCluster(const std::vector<std::string_view>& args, resp::ReplyWriter* reply, net::Turn* turn) {
  if (!cluster_call_->is_done()) {
    AwaitCluster(turn);
    return false;
  }
  const std::shared_ptr<ClusterCall> call = std::exchange(cluster_call_, nullptr);
  if (ahead_.empty()) nothing_to_begin_ = false;
  const size_t mark = reply->Begin();
  call->WriteReply(reply);
  if (reply->is_full()) {
    reply->Truncate(mark);
    reply->Error("ERR the reply would have more than " + std::to_string(reply->limit()) + " bytes: ask for less at a time");
  }
  // The command was found and checked when it began.
  if (const Command* const command = FindCommand(args, &error_); command != nullptr) {
    NoteCall(*command, args, call->begun_at, reply->Since(mark));
  }
  return true;
}

void Session::BeginAhead(std::string_view input) {
  if (nothing_to_begin_) return;
  input.remove_prefix(ahead_size_);
  resp::RequestParser parser({.max_bulk_bytes = service_->max_bulk_bytes()});
  while (ahead_.size() + 1 < kMostUnderWay) {
    if (parser.Parse(input) != resp::RequestParser::Outcome::kRequest) {
      // While it waits no input comes.
      nothing_to_begin_ = true;
      return;
    }
    if (parser.is_inline() || !BeginOneAhead(parser.args(), parser.consumed())) return;
    input.remove_prefix(parser.consumed());
  }
}

bool Session::BeginOneAhead(const std::vector<std::string_view>& args, size_t size) {
  const Command* const command = FindCommand(args, &error_);
  // What others do may change what this one may do: they come first.
  if (command == nullptr || RuleOf(*command) != ClusterRule::kKeys || !command->IsArity(args.size())) return false;
  const bool is_write = (command->flags & kFlagWrite) != 0;
  if (is_queueing_ || service_->PauseLeft(is_write, now_) > 0 || MeetsOneUnderWay(*command, args)) return false;
  Ahead ahead{.size = size, .is_write = is_write};
  for (const KeyPosition& position : KeysOf(*command, args)) {
    if (position.index < args.size()) ahead.keys.emplace_back(args[position.index]);
  }
  std::shared_ptr<ClusterCall> first = std::exchange(cluster_call_, nullptr);
  resp::ReplyWriter refusal(&ahead.refusal, protocol_, service_->max_reply_bytes());
  Process(*command, args, &refusal);
  ahead.call = std::exchange(cluster_call_, std::move(first));
  if (closes_) return false;  // its user is no more
  ahead_size_ += size;
  ahead_.push_back(std::move(ahead));
  return true;
}

bool Session::TakeAhead(resp::ReplyWriter* reply) {
  Ahead ahead = std::move(ahead_.front());
  ahead_.pop_front();
  ahead_size_ -= ahead.size;
  cluster_call_ = std::move(ahead.call);
  if (cluster_call_ != nullptr) return false;
  if (ahead_.empty()) nothing_to_begin_ = false;
  reply->Begin();
  reply->Error(std::string_view(ahead.refusal).substr(1));
  return true;
}

bool Session::MeetsOneUnderWay(const Command& command, const std::vector<std::string_view>& args) const {
  if (VARVE_PLANTED_BUG("session.overtakes_its_own_writes")) return false;
  const bool is_write = (command.flags & kFlagWrite) != 0;
  std::vector<std::string_view> busy;
  const auto& first = parser_.args();
  std::string error;
  const Command* const waiting = FindCommand(first, &error);
  if (waiting == nullptr) return true;
  if (is_write || (waiting->flags & kFlagWrite) != 0) {
    for (const KeyPosition& position : KeysOf(*waiting, first)) {
      if (position.index < first.size()) busy.push_back(first[position.index]);
    }
  }
  for (const Ahead& ahead : ahead_) {
    if (is_write || ahead.is_write) busy.insert(busy.end(), ahead.keys.begin(), ahead.keys.end());
  }
  std::sort(busy.begin(), busy.end());
  for (const KeyPosition& position : KeysOf(command, args)) {
    if (position.index < args.size() && std::binary_search(busy.begin(), busy.end(), args[position.index])) return true;
  }
  return false;
}

}  // namespace varve::server
