#include "cluster/fill_pace.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr size_t kMostAnswers = 16'384;  // that are remembered; those that come later in a period are like them

Nanos Percentile99(std::vector<Nanos>* answers) {
  const auto at = answers->begin() + static_cast<std::ptrdiff_t>(answers->size() * 99 / 100);
  std::nth_element(answers->begin(), at, answers->end());
  return *at;
}

}  // namespace

FillPace::FillPace(uint64_t most)
    : most_(most), least_(most == 0 ? 0 : std::max<uint64_t>(most / kSteps, 1)), rate_(least_), rate_before_(least_) {}

void FillPace::Charge(uint64_t bytes, Nanos now) {
  if (rate_ == 0) return;
  free_at_ = std::max(free_at_, now) + static_cast<Nanos>(static_cast<double>(bytes) * 1e9 / static_cast<double>(rate_));
}

void FillPace::OnAnswer(Nanos took, Nanos now) {
  if (most_ == 0) return;
  if (now >= last_answer_ + kBetweenProbes) {  // what is known is old
    phase_ = Phase::kProbe;
    rate_ = rate_before_ = least_;
    answers_.clear();
  }
  last_answer_ = now;
  if (answers_.empty()) period_begun_ = now;
  if (answers_.size() < kMostAnswers) answers_.push_back(took);
  if (answers_.size() < kFewest || now < period_begun_ + kPeriod) return;
  Judge(Percentile99(&answers_), now);
  answers_.clear();
}

void FillPace::Judge(Nanos took, Nanos now) {
  if (phase_ == Phase::kDrain) {
    phase_ = Phase::kProbe;
    return;
  }
  if (phase_ == Phase::kProbe) {
    phase_ = Phase::kLed;
    quiet_ = took;
    rate_ = rate_before_;
    next_probe_ = now + kBetweenProbes;
    return;
  }
  if (now >= next_probe_) {
    phase_ = Phase::kDrain;
    rate_before_ = rate_;
    rate_ = least_;
    return;
  }
  quiet_ = std::min(quiet_, took);
  const bool is_slow = took > 2 * quiet_ + kHarmless && !VARVE_PLANTED_BUG("fill_pace.ignores_slow_answers");
  rate_ = is_slow ? std::max(least_, rate_ - rate_ / 4) : std::min(most_, rate_ + least_);
}

}  // namespace varve::cluster
