// PubSub: who hears what. Messages go to who has subscribed at that moment, and are kept nowhere.
#ifndef VARVE_SERVER_PUBSUB_H_
#define VARVE_SERVER_PUBSUB_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "server/clients.h"

namespace varve::server {

enum class Subscription : uint8_t { kChannel, kPattern, kShard };
inline constexpr size_t kSubscriptionKinds = 3;

// Thread-safe.
class PubSub {
 public:
  // Whether that is new.
  bool Subscribe(Subscription kind, std::string_view name, const std::shared_ptr<Client>& client)
      VARVE_EXCLUDES(mu_);
  // Whether there was one.
  bool Unsubscribe(Subscription kind, std::string_view name, const Client& client) VARVE_EXCLUDES(mu_);

  // Sends the message to everybody who has subscribed to the channel (or shard channel), and to patterns that
  // match it. How often it was sent. Each client's messages arrive in the order of these calls.
  int64_t Publish(Subscription kind, std::string_view channel, std::string_view message)
      VARVE_EXCLUDES(mu_);

  // Without listeners a notification costs nothing.
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  // The names that match; a pattern's clients count for NUMPAT.
  std::vector<std::string> Names(Subscription kind, std::string_view pattern) const VARVE_EXCLUDES(mu_);
  int64_t CountOf(Subscription kind, std::string_view name) const VARVE_EXCLUDES(mu_);
  // How many different names.
  int64_t NameCount(Subscription kind) const VARVE_EXCLUDES(mu_);

 private:
  // By the number of the client.
  using Listeners = std::map<uint64_t, std::shared_ptr<Client>>;
  using NameMap = std::map<std::string, Listeners, std::less<>>;

  const NameMap& Of(Subscription kind) const VARVE_REQUIRES(mu_) {
    return names_[static_cast<size_t>(kind)];
  }

  mutable Mutex mu_;
  std::array<NameMap, kSubscriptionKinds> names_ VARVE_GUARDED_BY(mu_);
  std::atomic<size_t> count_{0};
};

}  // namespace varve::server

#endif  // VARVE_SERVER_PUBSUB_H_
