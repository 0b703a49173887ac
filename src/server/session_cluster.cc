// Requests that the nodes of a cluster carry out. While they do, the session waits: the request stays at the beginning of
// its input, and the turn after the wake-up meets it again.
#include <utility>

#include "base/planted_bug.h"
#include "server/session.h"

namespace varve::server {
namespace {

// Beyond the cluster's own deadline, should a wake-up be lost.
constexpr uint64_t kPatienceMillis = 1000;

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

}  // namespace varve::server
