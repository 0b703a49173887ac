#include "server/pubsub.h"

#include "base/planted_bug.h"
#include "resp/reply_writer.h"
#include "server/glob.h"

namespace varve::server {

namespace {

// A push in version 3 of the protocol, an array in version 2.
std::string Message(int version, const std::vector<std::string_view>& parts) {
  std::string bytes;
  resp::ReplyWriter writer(&bytes, version);
  writer.Push(parts.size());
  for (const std::string_view part : parts) writer.Bulk(part);
  return bytes;
}

void Send(const Client& client, const std::vector<std::string_view>& parts) {
  if (client.peer.write) {
    client.peer.write(Message(client.protocol.load(std::memory_order_relaxed), parts));
  }
}

}  // namespace

bool PubSub::Subscribe(Subscription kind, std::string_view name,
                       const std::shared_ptr<Client>& client) {
  MutexLock lock(&mu_);
  Listeners& listeners = names_[static_cast<size_t>(kind)][std::string(name)];
  if (!listeners.emplace(client->peer.id, client).second) return false;
  count_.fetch_add(1, std::memory_order_release);
  return true;
}

bool PubSub::Unsubscribe(Subscription kind, std::string_view name, const Client& client) {
  MutexLock lock(&mu_);
  NameMap& names = names_[static_cast<size_t>(kind)];
  const auto found = names.find(name);
  if (VARVE_PLANTED_BUG("pubsub.the_gone_still_count")) return false;
  if (found == names.end() || found->second.erase(client.peer.id) == 0) return false;
  if (found->second.empty()) names.erase(found);
  count_.fetch_sub(1, std::memory_order_release);
  return true;
}

int64_t PubSub::Publish(Subscription kind, std::string_view channel, std::string_view message) {
  const bool is_shard = kind == Subscription::kShard;
  int64_t count = 0;
  MutexLock lock(&mu_);
  if (const auto found = Of(kind).find(channel); found != Of(kind).end()) {
    for (const auto& [id, client] : found->second) {
      Send(*client, {is_shard ? "smessage" : "message", channel, message});
      ++count;
    }
  }
  if (is_shard) return count;
  for (const auto& [pattern, listeners] : Of(Subscription::kPattern)) {
    if (!MatchesGlob(pattern, channel) && !VARVE_PLANTED_BUG("pubsub.patterns_match_all")) continue;
    for (const auto& [id, client] : listeners) {
      Send(*client, {"pmessage", pattern, channel, message});
      ++count;
    }
  }
  return count;
}

std::vector<std::string> PubSub::Names(Subscription kind, std::string_view pattern) const {
  std::vector<std::string> matching;
  MutexLock lock(&mu_);
  for (const auto& [name, listeners] : Of(kind)) {
    if (pattern == "*" || MatchesGlob(pattern, name)) matching.push_back(name);
  }
  return matching;
}

int64_t PubSub::CountOf(Subscription kind, std::string_view name) const {
  MutexLock lock(&mu_);
  const auto found = Of(kind).find(name);
  return found == Of(kind).end() ? 0 : static_cast<int64_t>(found->second.size());
}

int64_t PubSub::NameCount(Subscription kind) const {
  MutexLock lock(&mu_);
  return static_cast<int64_t>(Of(kind).size());
}

}  // namespace varve::server
