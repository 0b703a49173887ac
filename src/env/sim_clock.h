// A clock that tests set.
#ifndef VARVE_ENV_SIM_CLOCK_H_
#define VARVE_ENV_SIM_CLOCK_H_

#include "base/mutex.h"
#include "env/env.h"
#include "env/posix_system.h"

namespace varve {

// Follows real time plus what Advance added, or stands still except for Advance and SleepNanos.
// MonotonicNanos never goes back, whatever is called. Thread-safe.
class SimClock final : public Clock {
 public:
  enum class Mode {
    kFollowReal,  // starts at the real time; SleepNanos sleeps
    kManual,      // starts at a fixed time; SleepNanos advances the clock and returns at once
  };
  // What a kManual clock shows first.
  static constexpr uint64_t kFirstMonotonicNanos = 1'000'000'000;
  static constexpr uint64_t kFirstWallMillis = 1'700'000'000'000;

  explicit SimClock(Mode mode = Mode::kFollowReal);
  // A clock that shows what `other` shows now, and goes on in the same mode.
  SimClock(const SimClock& other);
  SimClock& operator=(const SimClock&) = delete;

  uint64_t MonotonicNanos() const override VARVE_EXCLUDES(mu_);
  uint64_t WallMillis() const override VARVE_EXCLUDES(mu_);
  void SleepNanos(uint64_t nanos) override VARVE_EXCLUDES(mu_);

  // Moves both times forward.
  void Advance(uint64_t nanos) VARVE_EXCLUDES(mu_);
  // Moves the wall clock alone, in either direction.
  void SetWallMillis(uint64_t millis) VARVE_EXCLUDES(mu_);
  // Goes on from the present readings in the other mode.
  void SetMode(Mode mode) VARVE_EXCLUDES(mu_);

 private:
  struct Reading {
    uint64_t monotonic_nanos;
    uint64_t wall_nanos;
  };
  Reading Now() const VARVE_REQUIRES(mu_);

  mutable Mutex mu_;
  PosixClock real_;
  Mode mode_ VARVE_GUARDED_BY(mu_);
  Reading base_ VARVE_GUARDED_BY(mu_);              // shown when real_ stood at real_base_nanos_
  uint64_t real_base_nanos_ VARVE_GUARDED_BY(mu_);  // meaningless in kManual
};

}  // namespace varve

#endif  // VARVE_ENV_SIM_CLOCK_H_
