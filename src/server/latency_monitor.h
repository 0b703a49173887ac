// LatencyMonitor: what took longer than a limit, by kinds of events, for LATENCY.
#ifndef VARVE_SERVER_LATENCY_MONITOR_H_
#define VARVE_SERVER_LATENCY_MONITOR_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/thread_annotations.h"

namespace varve::server {

// Thread-safe. Below the limit, and without one, an event costs a comparison.
class LatencyMonitor {
 public:
  struct Sample {
    uint64_t second = 0;  // since 1970
    uint64_t millis = 0;  // the longest of that second
  };
  struct Series {
    std::deque<Sample> samples;  // the newest 160, oldest first
    uint64_t max_millis = 0;     // also of those that are gone
  };
  using AllSeries = std::map<std::string, Series, std::less<>>;

  // "command" and "fast-command", by COMMAND's flag; "wal-sync".
  void Note(std::string_view event, uint64_t nanos, uint64_t now_millis) {
    const int64_t limit = limit_millis_.load(std::memory_order_relaxed);
    if (limit > 0 && nanos / 1'000'000 >= static_cast<uint64_t>(limit)) Add(event, nanos / 1'000'000, now_millis);
  }
  AllSeries All() const VARVE_EXCLUDES(mu_);
  // False: there is none.
  bool Reset(std::string_view event) VARVE_EXCLUDES(mu_);

  // 0: nothing is kept.
  int64_t limit_millis() const { return limit_millis_.load(std::memory_order_relaxed); }
  void set_limit_millis(int64_t millis) { limit_millis_.store(millis, std::memory_order_relaxed); }

 private:
  void Add(std::string_view event, uint64_t millis, uint64_t now_millis) VARVE_EXCLUDES(mu_);

  std::atomic<int64_t> limit_millis_{0};
  mutable Mutex mu_;
  AllSeries series_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::server

#endif  // VARVE_SERVER_LATENCY_MONITOR_H_
