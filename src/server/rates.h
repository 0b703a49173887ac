// Rates: how much a second of what is only ever counted up.
#ifndef VARVE_SERVER_RATES_H_
#define VARVE_SERVER_RATES_H_

#include <cstdint>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "base/time_units.h"

namespace varve::server {

// Nothing runs for it: the time it is over is from one look to a later one. Thread-safe.
class Rates {
 public:
  struct Sums {
    uint64_t commands = 0;
    uint64_t input_bytes = 0;
    uint64_t output_bytes = 0;
  };

  explicit Rates(uint64_t now) : before_{now, {}}, last_{now, {}} {}

  // Of a second, since the look before this one; over at least a second, and so since an earlier look where they come
  // more often. What was reset meanwhile counts from 0.
  Sums PerSecond(uint64_t now, const Sums& sums) VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    if (now - last_.at >= kNanosPerSecond) {
      before_ = last_;
      last_ = {now, sums};
    }
    const uint64_t nanos = now - before_.at < kNanosPerSecond ? kNanosPerSecond : now - before_.at;
    const auto rate = [nanos](uint64_t from, uint64_t to) {
      const double more = static_cast<double>(to < from ? to : to - from);
      return static_cast<uint64_t>(more * kNanosPerSecond / static_cast<double>(nanos));
    };
    return {rate(before_.sums.commands, sums.commands), rate(before_.sums.input_bytes, sums.input_bytes),
            rate(before_.sums.output_bytes, sums.output_bytes)};
  }

 private:
  struct Look {
    uint64_t at;
    Sums sums;
  };

  Mutex mu_;
  Look before_ VARVE_GUARDED_BY(mu_);
  Look last_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::server

#endif  // VARVE_SERVER_RATES_H_
