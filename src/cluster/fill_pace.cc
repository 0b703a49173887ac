#include "cluster/fill_pace.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr size_t kMostAnswers = 16'384;  // that are remembered; those that come later in a period are like them

// Of fewer than a hundred: the largest.
Nanos Percentile99(std::vector<Nanos>* answers) {
  const auto at = answers->begin() + static_cast<std::ptrdiff_t>(answers->size() * 99 / 100);
  std::nth_element(answers->begin(), at, answers->end());
  return *at;
}

}  // namespace

FillPace::FillPace(uint64_t most)
    : most_(most), least_(most == 0 ? 0 : std::max<uint64_t>(most / kSteps, 1)), rate_(least_), rate_before_(least_) {}

double FillPace::DebtAt(Nanos now) const {
  const double paid = static_cast<double>(rate_) * static_cast<double>(now - debt_at_) / 1e9;
  return std::max(0.0, debt_ - paid);
}

bool FillPace::HasRoom(Nanos now) const { return most_ == 0 || DebtAt(now) <= static_cast<double>(rate_) / 10; }

void FillPace::Charge(double bytes, Nanos now) {
  if (most_ == 0) return;
  debt_ = std::max(0.0, DebtAt(now) + bytes);
  debt_at_ = now;
  const double seconds = debt_ / static_cast<double>(rate_);
  known_until_ = now + static_cast<Nanos>(seconds * 1e9) + kBetweenProbes;
}

void FillPace::SetRate(uint64_t rate, Nanos now) {
  debt_ = DebtAt(now);
  debt_at_ = now;
  rate_ = rate;
}

uint64_t FillPace::Begin(Nanos now) {
  const auto charged = static_cast<uint64_t>(mean_);
  if (most_ > 0 && now >= known_until_) {
    phase_ = Phase::kProbe;
    SetRate(least_, now);
    rate_before_ = least_;
    for (Kind& kind : kinds_) kind = Kind();
  }
  Charge(static_cast<double>(charged + kBytesOfAKey), now);
  return charged;
}

void FillPace::OnState(uint64_t charged, uint64_t bytes, Nanos now) {
  Charge(static_cast<double>(bytes) - static_cast<double>(charged), now);
  mean_ += (static_cast<double>(bytes) - mean_) / 8;
}

void FillPace::OnAnswer(Asked asked, Nanos took, Nanos now) {
  if (most_ == 0) return;
  size_t most = 0;
  for (const Kind& kind : kinds_) most = std::max(most, kind.answers.size());
  if (most == 0) period_begun_ = now;
  std::vector<Nanos>& answers = kinds_[static_cast<size_t>(asked)].answers;
  if (answers.size() < kMostAnswers) answers.push_back(took);
  most = std::max(most, answers.size());
  const bool are_many = most >= kMany && now >= period_begun_ + kPeriod;
  const bool are_few = most >= kFew && now >= period_begun_ + kLongPeriod;
  if (!are_many && !are_few) return;
  Judge(now);
  for (Kind& kind : kinds_) kind.answers.clear();
}

// Whether the answers of some kind were. In a probe what they take becomes what is quiet.
bool FillPace::IsSlow() {
  bool is_slow = false;
  for (Kind& kind : kinds_) {
    if (kind.answers.size() < kFew) continue;
    const Nanos took = Percentile99(&kind.answers);
    const bool is_first = phase_ == Phase::kProbe || kind.quiet == 0;
    is_slow = is_slow || (!is_first && took > 2 * kind.quiet + kHarmless);
    kind.quiet = is_first ? took : std::min(kind.quiet, took);
  }
  return is_slow && !VARVE_PLANTED_BUG("fill_pace.ignores_slow_answers");
}

void FillPace::Judge(Nanos now) {
  if (phase_ == Phase::kDrain) {
    phase_ = Phase::kProbe;
    return;
  }
  const bool is_slow = IsSlow();
  if (phase_ == Phase::kProbe) {
    phase_ = Phase::kLed;
    next_probe_ = now + kBetweenProbes;
    judged_ = 0;
    return SetRate(rate_before_, now);
  }
  SetRate(is_slow ? std::max(least_, rate_ - rate_ / 4) : std::min(most_, rate_ + least_), now);
  ++judged_;
  if (now < next_probe_ || judged_ < kSteps) return;
  phase_ = Phase::kDrain;
  rate_before_ = rate_;
  SetRate(least_, now);
}

}  // namespace varve::cluster
