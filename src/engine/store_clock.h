// StoreClock: what time it is for deadlines. The wall clock, which may jump, made to never go back.
//
//   wall clock jumps forward     the store's time does too: what that passes has expired
//   wall clock jumps back        the store's time goes on at the rate of the monotonic clock, until the
//                                wall clock has caught up; nothing that has expired comes back, and a
//                                time to live of a minute stays a minute
//
// Within one process: the next one begins with the wall clock as it finds it.
#ifndef VARVE_ENGINE_STORE_CLOCK_H_
#define VARVE_ENGINE_STORE_CLOCK_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/mutex.h"
#include "env/env.h"

namespace varve {

// Thread-safe. The clock must outlive it.
class StoreClock {
 public:
  explicit StoreClock(Clock* clock) : clock_(clock) {}
  StoreClock(const StoreClock&) = delete;
  StoreClock& operator=(const StoreClock&) = delete;

  // Milliseconds since 1970-01-01 UTC. Not smaller than what any call that happened before returned. The
  // price of reading the wall clock, except after a jump back.
  uint64_t Now() {
    const uint64_t wall = clock_->WallMillis();
    const uint64_t last = last_.load(std::memory_order_relaxed);
    if (wall < last || is_behind_.load(std::memory_order_relaxed)) return NowBehind();
    return Raise(wall);
  }

 private:
  // Relaxed: a single variable, whose changes have one order for everybody.
  uint64_t Raise(uint64_t now) {
    uint64_t last = last_.load(std::memory_order_relaxed);
    while (now > last && !last_.compare_exchange_weak(last, now, std::memory_order_relaxed)) {
    }
    return std::max(now, last);
  }

  // The wall clock shows less than it did, or has not caught up yet.
  uint64_t NowBehind() VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    const uint64_t wall = clock_->WallMillis();
    const uint64_t monotonic = clock_->MonotonicNanos();
    const uint64_t last = last_.load(std::memory_order_relaxed);
    if (!is_behind_.load(std::memory_order_relaxed)) {
      if (wall >= last) return Raise(wall);  // another thread was just faster
      anchor_now_ = last;
      anchor_monotonic_ = monotonic;
      is_behind_.store(true, std::memory_order_relaxed);
    }
    const uint64_t now = anchor_now_ + (monotonic - anchor_monotonic_) / 1'000'000;
    if (wall < now) return Raise(now);
    is_behind_.store(false, std::memory_order_relaxed);
    return Raise(wall);
  }

  Clock* const clock_;
  std::atomic<uint64_t> last_{0};
  std::atomic<bool> is_behind_{false};
  Mutex mu_;
  // Times that belong together, of the last jump back.
  uint64_t anchor_now_ VARVE_GUARDED_BY(mu_) = 0;
  uint64_t anchor_monotonic_ VARVE_GUARDED_BY(mu_) = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_STORE_CLOCK_H_
