// FillPace: how fast moves may fill this node, led by how long replicas take to answer.
#ifndef VARVE_CLUSTER_FILL_PACE_H_
#define VARVE_CLUSTER_FILL_PACE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/types.h"

namespace varve::cluster {

// A rate between 1/32 of the highest and the highest. What a fill asks of replicas waits where the requests of clients wait:
// when the 99th percentile of the answers of a kind is above twice what it was when it was quiet, and a millisecond, the rate
// falls by a quarter; else it rises by 1/32 of the highest. Quiet is what it takes at the lowest rate, or less; that is
// measured first, and each half minute anew, so that neither other values nor another load mislead it for longer. This is
// delay-based congestion control: Vegas (Brakmo and Peterson 1995), LEDBAT (RFC 6817), and LEDBAT++ for the periodic
// slowdown; with the 99th percentile where those have the minimum, as what is to be spared is the slow requests.
// Thread-compatible.
class FillPace {
 public:
  static constexpr uint64_t kSteps = 32;         // the highest rate, in lowest ones
  static constexpr uint64_t kBytesOfAKey = 512;  // a key costs as much as so many bytes, beside its own
  static constexpr Nanos kHarmless = 1'000'000;
  // Answers are judged when there are many of a kind, or a few after a long time.
  static constexpr Nanos kPeriod = 200'000'000;
  static constexpr size_t kMany = 100;
  static constexpr Nanos kLongPeriod = 2'000'000'000;
  static constexpr size_t kFew = 8;
  static constexpr Nanos kBetweenProbes = 30'000'000'000;  // and at least kSteps periods

  // Answers are compared with those of their kind.
  enum class Asked : uint8_t { kRead, kMerge, kMergeBack };
  static constexpr size_t kKinds = 3;

  // `most`: bytes a second; 0: as fast as it goes.
  explicit FillPace(uint64_t most);

  // Whether another key may be begun: what was charged is paid, but for 100 ms.
  bool HasRoom(Nanos now) const;
  // A key is begun. It is charged by the size of those before: returns that, for OnState.
  uint64_t Begin(Nanos now);
  // Its state has come, which is so large.
  void OnState(uint64_t charged, uint64_t bytes, Nanos now);
  // An answer, and how long it took.
  void OnAnswer(Asked asked, Nanos took, Nanos now);

  uint64_t bytes_per_second() const { return rate_; }

 private:
  // kDrain: what was asked for before still comes, slow.
  enum class Phase : uint8_t { kDrain, kProbe, kLed };
  struct Kind {
    std::vector<Nanos> answers;  // of the period
    Nanos quiet = 0;             // the 99th percentile; 0: not known
  };

  double DebtAt(Nanos now) const;
  void Charge(double bytes, Nanos now);
  void SetRate(uint64_t rate, Nanos now);
  bool IsSlow();
  void Judge(Nanos now);

  const uint64_t most_;
  const uint64_t least_;
  uint64_t rate_;
  double debt_ = 0;  // bytes that were charged and are not paid, at debt_at_
  Nanos debt_at_ = 0;
  double mean_ = 64 << 10;  // of states, over the last few; at first so much that few are begun

  Phase phase_ = Phase::kProbe;
  uint64_t rate_before_ = 0;  // the probe
  Nanos next_probe_ = 0;
  size_t judged_ = 0;         // periods since the last one
  Nanos known_until_ = 0;     // when nothing was filled for so long that all is measured anew
  Nanos period_begun_ = 0;
  std::array<Kind, kKinds> kinds_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_FILL_PACE_H_
