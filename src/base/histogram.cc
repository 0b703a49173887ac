#include "base/histogram.h"

#include <algorithm>
#include <cmath>

namespace varve {

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBucketCount; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Histogram::Mean() const {
  return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

uint64_t Histogram::MiddleOf(size_t bucket) {
  if (bucket < 2 * kSubCount) return bucket;  // one value each
  const uint64_t shift = bucket / kSubCount - 1;
  const uint64_t lower = (kSubCount + bucket % kSubCount) << shift;
  return lower + (uint64_t{1} << shift) / 2;
}

uint64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  if (!(percent > 0)) return min_;
  if (percent >= 100) return max_;
  const double exact_rank = percent / 100 * static_cast<double>(count_);
  // 99.9 % of 1000 is 999, whatever the last bits of the product say.
  const auto rank =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(exact_rank - exact_rank * 1e-12)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBucketCount; ++i) {
    seen += counts_[i];
    // The last bucket has no upper end, so its middle says nothing.
    if (seen >= rank) return i + 1 == kBucketCount ? max_ : std::clamp(MiddleOf(i), min_, max_);
  }
  return max_;
}

}  // namespace varve
