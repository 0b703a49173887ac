// Tracking: clients that keep copies of values, and are told when these are no longer true (CLIENT TRACKING).
//
// What a client has read is remembered, key by key, and forgotten when the client has been told; or the client names
// prefixes, and is told of every change below them. As with Redis, a key is its name alone, whatever its database.
#ifndef VARVE_SERVER_TRACKING_H_
#define VARVE_SERVER_TRACKING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "server/clients.h"

namespace varve::server {

struct TrackingOptions {
  bool has_prefixes = false;  // BCAST: by prefixes, and not by what was read
  bool opts_in = false;       // only what is read after CLIENT CACHING YES
  bool opts_out = false;      // not what is read after CLIENT CACHING NO
  bool skips_own = false;     // NOLOOP: not what the client itself changes
  uint64_t redirect = 0;      // the client that is told instead; 0: none
  std::vector<std::string> prefixes;  // of BCAST; "" is all
};

// Thread-safe.
class Tracking {
 public:
  // `clients`: where those are looked for who are told instead. Borrowed. What is remembered takes `max_bytes`; beyond that
  // keys are forgotten, and who has read them told.
  explicit Tracking(const Clients* clients, size_t max_bytes = size_t{64} << 20) : clients_(clients), max_bytes_(max_bytes) {}

  // Whether any client tracks.
  bool is_active() const { return count_.load(std::memory_order_acquire) > 0; }
  size_t client_count() const { return count_.load(std::memory_order_acquire); }
  size_t key_count() const VARVE_EXCLUDES(mu_);

  // From now on; prefixes are added to those there are.
  void Begin(const std::shared_ptr<Client>& client, const TrackingOptions& options) VARVE_EXCLUDES(mu_);
  void End(const Client& client) VARVE_EXCLUDES(mu_);
  // Empty: it does not track, or not by prefixes.
  std::vector<std::string> PrefixesOf(const Client& client) const VARVE_EXCLUDES(mu_);

  // Before the client reads `key`, so that no change behind what it reads is missed.
  void Remember(const Client& client, std::string_view key) VARVE_EXCLUDES(mu_);
  // After a change of the key has been committed. `changer`: of the client that made it; 0: none.
  void Invalidate(std::string_view key, uint64_t changer) VARVE_EXCLUDES(mu_);
  // After a change of too many keys to name.
  void InvalidateAll() VARVE_EXCLUDES(mu_);

 private:
  struct Tracker {
    std::shared_ptr<Client> client;
    TrackingOptions options;
    std::set<std::string, std::less<>> prefixes;
  };
  using Readers = std::set<uint64_t>;
  using Keys = std::unordered_map<std::string, Readers>;

  // Nothing: all keys.
  void Tell(Tracker& tracker, const std::string_view* key) VARVE_REQUIRES(mu_);
  void Forget(Keys::iterator key, uint64_t changer) VARVE_REQUIRES(mu_);

  const Clients* const clients_;
  const size_t max_bytes_;
  std::atomic<size_t> count_{0};
  mutable Mutex mu_;
  std::map<uint64_t, Tracker> trackers_ VARVE_GUARDED_BY(mu_);
  // Readers may be gone, or have ended their tracking: they are not told.
  Keys keys_ VARVE_GUARDED_BY(mu_);
  size_t bytes_ VARVE_GUARDED_BY(mu_) = 0;
};

// Whether one begins with the other.
inline bool PrefixesOverlap(std::string_view a, std::string_view b) { return a.starts_with(b) || b.starts_with(a); }

}  // namespace varve::server

#endif  // VARVE_SERVER_TRACKING_H_
