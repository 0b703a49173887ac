#include "cluster/dot_source.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace varve::cluster {

std::optional<Dot> DotSource::Next() {
  const bool is_used_up = last_ >= lease_end_ && !VARVE_PLANTED_BUG("dots.given_without_a_lease");
  if (!IsSound() || is_used_up) return std::nullopt;
  return Dot{actor_, ++last_};
}

std::optional<uint64_t> DotSource::LeaseToExtend() const {
  // From the middle on, so that writers do not wait for the sync.
  if (!IsSound() || lease_end_ - last_ > lease_size_ / 2) return std::nullopt;
  return lease_end_ + lease_size_;
}

void DotSource::OnLeaseDurable(uint64_t end) { lease_end_ = std::max(lease_end_, end); }

bool DotSource::Observe(const CausalContext& context) {
  if (VARVE_PLANTED_BUG("dots.amnesia_not_noticed")) return true;
  if (actor_ != kNoActor && context.HighestOf(actor_) > last_) is_amnesiac_ = true;
  return !is_amnesiac_;
}

}  // namespace varve::cluster
