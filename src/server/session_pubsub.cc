// What a session has subscribed to, what it publishes, and what it keeps copies of.
#include <utility>

#include "server/session.h"

namespace varve::server {

namespace {
// What the entry of one takes besides its name.
constexpr size_t kSubscriptionBytes = 128;
}  // namespace

void Session::Subscribe(Subscription kind, std::string_view name) {
  const size_t i = static_cast<size_t>(kind);
  if (subscriptions_[i].contains(name)) return;
  if (!service_->Keep(name.size() + kSubscriptionBytes)) return CloseAfterReplies();
  subscriptions_[i].emplace(name);
  service_->pubsub().Subscribe(kind, name, client_);
  client_->subscriptions[i].store(static_cast<int>(subscriptions_[i].size()), std::memory_order_relaxed);
}

void Session::Unsubscribe(Subscription kind, std::string_view name) {
  const size_t i = static_cast<size_t>(kind);
  const auto found = subscriptions_[i].find(name);
  if (found == subscriptions_[i].end()) return;
  service_->pubsub().Unsubscribe(kind, name, *client_);
  service_->Release(found->size() + kSubscriptionBytes);
  subscriptions_[i].erase(found);
  client_->subscriptions[i].store(static_cast<int>(subscriptions_[i].size()), std::memory_order_relaxed);
}

std::vector<std::string> Session::Subscriptions(Subscription kind) const {
  const auto& names = subscriptions_[static_cast<size_t>(kind)];
  return {names.begin(), names.end()};
}

int64_t Session::SubscriptionCount(Subscription kind) const {
  if (kind == Subscription::kShard) return static_cast<int64_t>(subscriptions_[2].size());
  return static_cast<int64_t>(subscriptions_[0].size() + subscriptions_[1].size());
}

bool Session::is_subscribed() const {
  return !subscriptions_[0].empty() || !subscriptions_[1].empty() || !subscriptions_[2].empty();
}

bool Session::MayRunWhileSubscribed(const Command& command) const {
  for (const std::string_view name : {"ping", "subscribe", "psubscribe", "ssubscribe", "unsubscribe",
                                      "punsubscribe", "sunsubscribe", "quit", "reset"}) {
    if (command.full_name == name) return true;
  }
  return false;
}

void Session::UnsubscribeAll() {
  for (const auto kind : {Subscription::kChannel, Subscription::kPattern, Subscription::kShard}) {
    for (const std::string& name : Subscriptions(kind)) Unsubscribe(kind, name);
  }
  if (client_->monitors.exchange(false, std::memory_order_relaxed)) service_->monitors().Remove(id());
}

void Session::BeginMonitor() {
  client_->monitors.store(true, std::memory_order_relaxed);
  service_->monitors().Add(client_);
}

bool Session::Track(TrackingOptions options) {
  size_t bytes = 0;
  for (const std::string& prefix : options.prefixes) bytes += prefix.size() + kSubscriptionBytes;
  if (!service_->Keep(bytes)) return false;
  tracking_bytes_ += bytes;
  service_->tracking().Begin(client_, options);
  // Commands that began before it was known that events are wanted tell of nothing.
  service_->databases().AwaitOtherLoops(loop_index());
  tracking_ = std::move(options);
  return true;
}

void Session::EndTracking() {
  if (tracking_) service_->tracking().End(*client_);
  tracking_.reset();
  service_->Release(std::exchange(tracking_bytes_, 0));
  is_caching_set_ = false;
}

void Session::RememberKeys(const Command& command, const std::vector<std::string_view>& args) {
  if ((command.flags & kFlagReadonly) == 0 || command.spans != Command::Spans::kOne || tracking_->has_prefixes) return;
  if (tracking_->opts_in ? !is_caching_set_ : tracking_->opts_out && is_caching_set_) return;
  for (const KeyPosition& position : KeysOf(command, args)) {
    service_->tracking().Remember(*client_, args[position.index]);
  }
}

void Session::PublishEvents() {
  if (events_.empty()) return;
  service_->Publish(events_, id());
  events_.clear();
}

}  // namespace varve::server
