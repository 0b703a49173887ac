#include "engine/merge_filter.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "format/expiry.h"

namespace varve {

size_t MergeFilter::StripeOf(SequenceNumber sequence) const {
  // Almost always there are no snapshots, or the entry is older than all of them.
  if (sequence <= rules_.boundaries.front()) return 0;
  return static_cast<size_t>(
      std::lower_bound(rules_.boundaries.begin(), rules_.boundaries.end(), sequence) -
      rules_.boundaries.begin());
}

bool MergeFilter::Keep(Entry* entry) {
  const size_t stripe = StripeOf(entry->sequence);
  if (stripe == rules_.boundaries.size() &&
      !VARVE_PLANTED_BUG("merge.hides_what_is_not_yet_visible")) {
    // Not visible yet, and who can say at which numbers readers will appear: hides nothing.
    key_.assign(entry->key);
    has_key_ = true;
    last_stripe_ = stripe;
    return true;
  }
  const bool same_key = has_key_ && entry->key == key_;
  if (same_key) {
    if (stripe == last_stripe_) return false;  // hidden by a newer one from every reader
  } else {
    key_.assign(entry->key);
    has_key_ = true;
  }
  last_stripe_ = stripe;
  if (!rules_.tombstones->empty() &&
      rules_.tombstones->MaxCovering(entry->key, rules_.boundaries.front()) > entry->sequence) {
    return false;
  }
  const uint64_t too_early = VARVE_PLANTED_BUG("merge.drops_before_the_deadline") ? 100 : 0;
  if (IsExpiredAt(entry->kind, entry->value, rules_.expired_until + too_early)) {
    entry->kind = EntryKind::kDelete;
    entry->value = {};
  }
  if (entry->kind == EntryKind::kDelete && VARVE_PLANTED_BUG("merge.loses_deletes")) return false;
  if (rules_.is_bottom && stripe == 0) {
    if (entry->kind == EntryKind::kDelete) return false;
    if (rules_.forget_sequences) entry->sequence = kOldestSequence;
  }
  if (same_key || (entry->kind == EntryKind::kDelete && rules_.is_bottom)) {
    kept_for_snapshots_ += entry->key.size() + entry->value.size();
  }
  return true;
}

}  // namespace varve
