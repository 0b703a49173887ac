// Patience: waits for another process in small steps, and has an end.
#ifndef VARVE_TORTURE_PATIENCE_H_
#define VARVE_TORTURE_PATIENCE_H_

#include <cstdint>

#include "base/time_units.h"
#include "env/env.h"

namespace varve::torture {

// At least a minute. Steps are counted, not the time: while a machine sleeps, or this process and the other are both stopped, nobody waits.
// Thread-compatible.
class Patience {
 public:
  static constexpr uint64_t kStepNanos = 200'000;
  static constexpr uint64_t kSteps = 60 * kNanosPerSecond / kStepNanos;

  // `clock` outlives it.
  explicit Patience(Clock* clock) : clock_(clock) {}

  // False: it has waited for long enough.
  bool Wait() {
    if (steps_ == kSteps) return false;
    ++steps_;
    clock_->SleepNanos(kStepNanos);
    return true;
  }

 private:
  Clock* const clock_;
  uint64_t steps_ = 0;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_PATIENCE_H_
