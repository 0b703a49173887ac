#include "cluster/key_state.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

bool IsEarlier(const Sibling& a, const Sibling& b) {
  return a.stamp != b.stamp ? a.stamp < b.stamp : a.dot < b.dot;
}

}  // namespace

bool KeyState::HasValue() const {
  return std::any_of(siblings_.begin(), siblings_.end(), [](const Sibling& s) { return !s.tombstone; });
}

uint64_t KeyState::stamp() const {
  uint64_t latest = 0;
  for (const Sibling& sibling : siblings_) latest = std::max(latest, sibling.stamp);
  return latest;
}

std::vector<std::string> KeyState::TakeValues(SeenContext* seen) && {
  seen->stamp = stamp();
  seen->context = std::move(context_);
  std::vector<std::string> values;
  values.reserve(siblings_.size());
  for (Sibling& sibling : siblings_) {
    if (!sibling.tombstone) values.push_back(std::move(sibling.value));
  }
  return values;
}

uint64_t KeyState::StampFor(const SeenContext& seen, uint64_t wall_micros) const {
  if (VARVE_PLANTED_BUG("kernel.stamp_of_the_clock_alone")) return std::max<uint64_t>(wall_micros, 1);
  return std::max(std::min(wall_micros, kMaxStamp / 2), std::max(seen.stamp, stamp()) + 1);
}

void KeyState::Write(const CausalContext& seen, Dot dot) {
  VARVE_CHECK(dot.actor != kNoActor && dot.counter > context_.HighestOf(dot.actor));
  std::erase_if(siblings_, [&seen](const Sibling& s) { return seen.Covers(s.dot); });
  context_.Merge(VARVE_PLANTED_BUG("kernel.put_forgets_what_was_seen") ? CausalContext() : seen);
  // All earlier dots of the actor in this key are known here; the others name writes of other keys.
  if (VARVE_PLANTED_BUG("kernel.knows_its_own_dots_one_by_one")) return context_.Add(dot);
  context_.Raise(dot.actor, dot.counter);
}

void KeyState::Insert(Sibling sibling) {
  const auto place = std::lower_bound(siblings_.begin(), siblings_.end(), sibling.dot,
                                      [](const Sibling& s, Dot d) { return s.dot < d; });
  siblings_.insert(place, std::move(sibling));
}

void KeyState::KeepLatest(ConflictPolicy policy) {
  if (policy != ConflictPolicy::kLww || siblings_.size() < 2) return;
  Sibling latest = std::move(*std::max_element(siblings_.begin(), siblings_.end(), IsEarlier));
  siblings_.clear();
  siblings_.push_back(std::move(latest));
}

void KeyState::Put(const CausalContext& seen, Dot dot, std::string_view value, uint64_t stamp,
                   ConflictPolicy policy) {
  Write(seen, dot);
  Insert({.dot = dot, .stamp = stamp, .tombstone = false, .value = std::string(value)});
  KeepLatest(policy);
}

void KeyState::Delete(const CausalContext& seen, Dot dot, uint64_t stamp, ConflictPolicy policy) {
  if (VARVE_PLANTED_BUG("kernel.delete_takes_what_it_has_not_seen")) siblings_.clear();
  Write(seen, dot);
  if (policy != ConflictPolicy::kLww) return;
  Insert({.dot = dot, .stamp = stamp, .tombstone = true, .value = {}});
  KeepLatest(policy);
}

void KeyState::Merge(KeyState other, ConflictPolicy policy) {
  if (IsUnknown()) {
    *this = std::move(other);
    return KeepLatest(policy);
  }
  std::vector<Sibling> merged;
  merged.reserve(siblings_.size() + other.siblings_.size());
  auto ours = siblings_.begin();
  auto theirs = other.siblings_.begin();
  while (ours != siblings_.end() || theirs != other.siblings_.end()) {
    const bool ours_is_next = theirs == other.siblings_.end() ||
                              (ours != siblings_.end() && ours->dot <= theirs->dot);
    const bool in_both = ours_is_next && theirs != other.siblings_.end() && ours->dot == theirs->dot;
    if (ours_is_next) {
      // One that the other knows and does not hold has been overwritten there.
      if (in_both || !other.context_.Covers(ours->dot)) merged.push_back(std::move(*ours));
      ++ours;
      if (in_both) ++theirs;
    } else {
      if (VARVE_PLANTED_BUG("kernel.merge_brings_back") || !context_.Covers(theirs->dot)) {
        merged.push_back(std::move(*theirs));
      }
      ++theirs;
    }
  }
  siblings_ = std::move(merged);
  context_.Merge(other.context_);
  KeepLatest(policy);
}

bool KeyState::IsReapable(const VersionVector& floor) const {
  if (HasValue()) return false;
  if (VARVE_PLANTED_BUG("kernel.reaps_what_not_all_have")) return true;
  CausalContext reached;
  reached.Merge(floor);
  return reached.Covers(context_);
}

}  // namespace varve::cluster
