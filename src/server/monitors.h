// Monitors: the clients that see every command that is executed.
#ifndef VARVE_SERVER_MONITORS_H_
#define VARVE_SERVER_MONITORS_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "server/clients.h"

namespace varve::server {

// Thread-safe.
class Monitors {
 public:
  bool empty() const { return count_.load(std::memory_order_relaxed) == 0; }
  void Add(const std::shared_ptr<Client>& client) VARVE_EXCLUDES(mu_);
  void Remove(uint64_t id) VARVE_EXCLUDES(mu_);
  // Shows them what `client` does.
  void Feed(const Client& client, const std::vector<std::string_view>& args, uint64_t now_millis)
      VARVE_EXCLUDES(mu_);

 private:
  Mutex mu_;
  std::map<uint64_t, std::shared_ptr<Client>> clients_ VARVE_GUARDED_BY(mu_);
  std::atomic<size_t> count_{0};
};

// In quotes, with escapes for what cannot be seen.
std::string Quoted(std::string_view text);

}  // namespace varve::server

#endif  // VARVE_SERVER_MONITORS_H_
