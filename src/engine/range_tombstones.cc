#include "engine/range_tombstones.h"

#include <algorithm>
#include <functional>
#include <set>

namespace varve {

namespace {

// Keeps the newest in each stripe between boundaries (ascending): a reader at s sees the newest <= s, and
// readers exist at the boundaries, and will appear anywhere above the last.
std::vector<SequenceNumber> KeepOnePerStripe(const std::multiset<SequenceNumber>& active,
                                             const std::vector<SequenceNumber>& boundaries) {
  std::vector<SequenceNumber> kept;
  size_t last_stripe = 0;
  for (auto it = active.rbegin(); it != active.rend(); ++it) {
    const size_t stripe = static_cast<size_t>(
        std::lower_bound(boundaries.begin(), boundaries.end(), *it) - boundaries.begin());
    if (kept.empty() || stripe != last_stripe || stripe == boundaries.size()) kept.push_back(*it);
    last_stripe = stripe;
    if (stripe == 0) break;
  }
  return kept;
}

}  // namespace

RangeTombstones::RangeTombstones(const std::vector<RangeTombstone>& tombstones,
                                 std::vector<SequenceNumber> boundaries) {
  std::sort(boundaries.begin(), boundaries.end());
  struct Event {
    std::string_view key;
    SequenceNumber sequence;
    bool opens;
  };
  std::vector<Event> events;
  events.reserve(tombstones.size() * 2);
  for (const RangeTombstone& tombstone : tombstones) {
    if (tombstone.begin >= tombstone.end) continue;
    events.push_back({tombstone.begin, tombstone.sequence, true});
    events.push_back({tombstone.end, tombstone.sequence, false});
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.key < b.key; });

  std::multiset<SequenceNumber> active;
  for (size_t i = 0; i < events.size();) {
    const std::string_view begin = events[i].key;
    for (; i < events.size() && events[i].key == begin; ++i) {
      if (events[i].opens) {
        active.insert(events[i].sequence);
      } else {
        active.erase(active.find(events[i].sequence));
      }
    }
    if (active.empty()) continue;  // i < events.size() holds below: every open range closes later
    std::vector<SequenceNumber> sequences = KeepOnePerStripe(active, boundaries);
    const std::string_view end = events[i].key;
    if (!fragments_.empty() && fragments_.back().end == begin &&
        fragments_.back().sequences == sequences) {
      fragments_.back().end = end;
    } else {
      fragments_.push_back({std::string(begin), std::string(end), std::move(sequences)});
    }
  }
}

const RangeTombstones::Fragment* RangeTombstones::Find(std::string_view key) const {
  auto after = std::upper_bound(
      fragments_.begin(), fragments_.end(), key,
      [](std::string_view k, const Fragment& fragment) { return k < fragment.begin; });
  if (after == fragments_.begin()) return nullptr;
  const Fragment& fragment = *std::prev(after);
  return key < fragment.end ? &fragment : nullptr;
}

SequenceNumber RangeTombstones::NewestOver(std::string_view begin,
                                           std::optional<std::string_view> end) const {
  auto it = std::upper_bound(
      fragments_.begin(), fragments_.end(), begin,
      [](std::string_view key, const Fragment& fragment) { return key < fragment.end; });
  SequenceNumber newest = 0;
  for (; it != fragments_.end() && (!end || it->begin < *end); ++it) {
    newest = std::max(newest, it->sequences.front());
  }
  return newest;
}

SequenceNumber RangeTombstones::NewestAtMost(const Fragment& fragment,
                                             SequenceNumber read_sequence) {
  for (SequenceNumber sequence : fragment.sequences) {
    if (sequence <= read_sequence) return sequence;
  }
  return 0;
}

SequenceNumber RangeTombstones::MaxCovering(std::string_view key,
                                            SequenceNumber read_sequence) const {
  const Fragment* fragment = Find(key);
  return fragment == nullptr ? 0 : NewestAtMost(*fragment, read_sequence);
}

}  // namespace varve
