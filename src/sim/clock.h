// The clocks of one node: a monotonic one that runs at its own rate, and a wall clock that also jumps.
#ifndef VARVE_SIM_CLOCK_H_
#define VARVE_SIM_CLOCK_H_

#include <cstdint>

#include "sim/node.h"

namespace varve::sim {

class Clock {
 public:
  // Millionths by which it is too fast, or too slow; within +-100,000.
  void SetRate(int64_t millionths, Nanos now) {
    base_ = Monotonic(now);
    since_ = now;
    rate_ = millionths;
  }
  int64_t rate() const { return rate_; }
  void Jump(int64_t by) { offset_ += by; }

  Time At(Nanos now) const {
    const Nanos monotonic = Monotonic(now);
    return {monotonic, static_cast<Nanos>(static_cast<int64_t>(monotonic + kEpoch) + offset_)};
  }
  // How long a node's `delay` is. Never too short: who wakes up early would wait for no time at all, for ever.
  Nanos RealDelay(Nanos delay) const {
    if (rate_ == 0) return delay;
    return static_cast<Nanos>(static_cast<__int128>(delay) * 1'000'000 / (1'000'000 + rate_)) + 2;
  }

 private:
  // Far enough from zero for every jump.
  static constexpr Nanos kEpoch = 1'700'000'000 * kSecond;
  Nanos Monotonic(Nanos now) const {
    const Nanos passed = now - since_;
    return base_ + passed + static_cast<Nanos>(static_cast<__int128>(passed) * rate_ / 1'000'000);
  }
  Nanos base_ = 0;
  Nanos since_ = 0;
  int64_t rate_ = 0;
  int64_t offset_ = 0;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLOCK_H_
