#include "env/sim_clock.h"

namespace varve {
namespace {

constexpr uint64_t kNanosPerMilli = 1'000'000;

}  // namespace

SimClock::SimClock(Mode mode) : mode_(mode), real_base_nanos_(real_.MonotonicNanos()) {
  base_ = mode == Mode::kManual ? Reading{kFirstMonotonicNanos, kFirstWallMillis * kNanosPerMilli}
                                : Reading{real_base_nanos_, real_.WallMillis() * kNanosPerMilli};
}

SimClock::SimClock(const SimClock& other) {
  MutexLock lock(&other.mu_);
  mode_ = other.mode_;
  base_ = other.base_;
  real_base_nanos_ = other.real_base_nanos_;
}

SimClock::Reading SimClock::Now() const {
  const uint64_t passed = mode_ == Mode::kManual ? 0 : real_.MonotonicNanos() - real_base_nanos_;
  return {base_.monotonic_nanos + passed, base_.wall_nanos + passed};
}

uint64_t SimClock::MonotonicNanos() const {
  MutexLock lock(&mu_);
  return Now().monotonic_nanos;
}

uint64_t SimClock::WallMillis() const {
  MutexLock lock(&mu_);
  return Now().wall_nanos / kNanosPerMilli;
}

void SimClock::SleepNanos(uint64_t nanos) {
  {
    MutexLock lock(&mu_);
    if (mode_ == Mode::kManual) {
      base_.monotonic_nanos += nanos;
      base_.wall_nanos += nanos;
      return;
    }
  }
  real_.SleepNanos(nanos);
}

void SimClock::Advance(uint64_t nanos) {
  MutexLock lock(&mu_);
  base_.monotonic_nanos += nanos;
  base_.wall_nanos += nanos;
}

void SimClock::SetWallMillis(uint64_t millis) {
  MutexLock lock(&mu_);
  base_ = Now();
  real_base_nanos_ = real_.MonotonicNanos();
  base_.wall_nanos = millis * kNanosPerMilli;
}

void SimClock::SetMode(Mode mode) {
  MutexLock lock(&mu_);
  base_ = Now();
  real_base_nanos_ = real_.MonotonicNanos();
  mode_ = mode;
}

}  // namespace varve
