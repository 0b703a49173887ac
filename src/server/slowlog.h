// Slowlog: the commands that took longest to execute, in memory.
#ifndef VARVE_SERVER_SLOWLOG_H_
#define VARVE_SERVER_SLOWLOG_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "server/clients.h"

namespace varve::server {

// Thread-safe. Below the limit a command costs one comparison.
class Slowlog {
 public:
  struct Entry {
    int64_t id = 0;
    uint64_t seconds = 0;  // since 1970
    uint64_t micros = 0;
    std::vector<std::string> args;  // at most 32, of at most 128 bytes, with a note of what was cut off
    std::string address;
    std::string client_name;
  };

  bool IsSlow(uint64_t nanos) const {
    const int64_t limit = limit_micros_.load(std::memory_order_relaxed);
    return limit >= 0 && nanos >= static_cast<uint64_t>(limit) * 1000;
  }
  void Add(const Client& client, const std::vector<std::string_view>& args, uint64_t now_millis,
           uint64_t nanos) VARVE_EXCLUDES(mu_);
  // The newest first.
  std::vector<Entry> Newest(size_t count) const VARVE_EXCLUDES(mu_);
  size_t size() const VARVE_EXCLUDES(mu_);
  void Clear() VARVE_EXCLUDES(mu_);

  // Negative: nothing is kept.
  int64_t limit_micros() const { return limit_micros_.load(std::memory_order_relaxed); }
  void set_limit_micros(int64_t micros) { limit_micros_.store(micros, std::memory_order_relaxed); }
  int64_t max_entries() const { return max_entries_.load(std::memory_order_relaxed); }
  void set_max_entries(int64_t count) VARVE_EXCLUDES(mu_);

 private:
  std::atomic<int64_t> limit_micros_{10000};
  std::atomic<int64_t> max_entries_{128};
  mutable Mutex mu_;
  int64_t next_id_ VARVE_GUARDED_BY(mu_) = 0;
  std::deque<Entry> entries_ VARVE_GUARDED_BY(mu_);  // newest first
};

}  // namespace varve::server

#endif  // VARVE_SERVER_SLOWLOG_H_
