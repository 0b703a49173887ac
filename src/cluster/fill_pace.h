// FillPace: how fast moves may fill this node, led by how long replicas take to answer.
#ifndef VARVE_CLUSTER_FILL_PACE_H_
#define VARVE_CLUSTER_FILL_PACE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/types.h"

namespace varve::cluster {

// A rate between 1/32 of the highest and the highest. What a fill asks of replicas waits where the requests of clients wait:
// when the 99th percentile of its answers is more than twice what it is at the lowest rate, the rate falls by a quarter,
// else it rises by 1/32 of the highest. What it is at the lowest rate is measured first, and each half minute anew, so that
// neither other values nor another load mislead it for longer. This is delay-based congestion control: Vegas (Brakmo and
// Peterson 1995), LEDBAT (RFC 6817), and LEDBAT++ for the periodic slowdown; with the 99th percentile where those have the
// minimum, as what is to be spared is the slow requests. Thread-compatible.
class FillPace {
 public:
  static constexpr uint64_t kSteps = 32;                // the highest rate, in lowest ones
  static constexpr Nanos kPeriod = 200'000'000;         // in which answers are judged together
  static constexpr Nanos kBetweenProbes = 30'000'000'000;
  static constexpr Nanos kHarmless = 1'000'000;         // so much more is no reason to slow down
  static constexpr size_t kFewest = 100;                // answers that are judged together

  static constexpr uint64_t kBytesOfAKey = 512;         // a key costs as much as so many bytes, beside its own

  // `most`: bytes a second; 0: as fast as it goes.
  explicit FillPace(uint64_t most);

  // Whether something more may be begun. In bursts of 100 ms.
  bool HasRoom(Nanos now) const { return free_at_ <= now + 100'000'000; }
  void Charge(uint64_t bytes, Nanos now);
  // An answer to something that a fill has asked for, and how long it took.
  void OnAnswer(Nanos took, Nanos now);

  uint64_t bytes_per_second() const { return rate_; }

 private:
  // kDrain: what was asked for before still comes, slow.
  enum class Phase : uint8_t { kDrain, kProbe, kLed };

  void Judge(Nanos took, Nanos now);

  const uint64_t most_;
  const uint64_t least_;
  uint64_t rate_;
  Nanos free_at_ = 0;
  Phase phase_ = Phase::kProbe;
  uint64_t rate_before_ = 0;  // the probe
  Nanos quiet_ = 0;           // what answers take at the lowest rate
  Nanos next_probe_ = 0;
  Nanos last_answer_ = 0;
  Nanos period_begun_ = 0;
  std::vector<Nanos> answers_;  // of the period
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_FILL_PACE_H_
