// A cheap clock for timing single operations.
#ifndef VARVE_BENCH_CLOCK_H_
#define VARVE_BENCH_CLOCK_H_

#include <cstdint>
#include <ctime>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace varve::bench {

// Nanoseconds of the monotonic clock.
inline uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

// Counts in ticks of the processor's time stamp counter when that runs at a constant rate in all
// states (about ten nanoseconds a reading), else in nanoseconds of the monotonic clock. Readings of
// different threads compare. Immutable after construction: thread-safe.
class TickClock {
 public:
  // Takes 20 ms to measure the rate, once.
  static const TickClock& Get();

  uint64_t Now() const {
#if defined(__x86_64__)
    if (uses_counter_) return __rdtsc();
#endif
    return NowNs();
  }
  // 0 when `to` is not after `from`.
  uint64_t Nanos(uint64_t from, uint64_t to) const {
    if (to <= from) return 0;
    return static_cast<uint64_t>((static_cast<unsigned __int128>(to - from) * scale_) >> 32);
  }
  uint64_t Ticks(double seconds) const {
    return static_cast<uint64_t>(seconds * 1e9 * 4294967296.0 / static_cast<double>(scale_));
  }
  bool uses_counter() const { return uses_counter_; }

 private:
  TickClock();
  bool uses_counter_ = false;
  uint64_t scale_ = uint64_t{1} << 32;  // nanoseconds a tick, times 2^32
};

}  // namespace varve::bench

#endif  // VARVE_BENCH_CLOCK_H_
