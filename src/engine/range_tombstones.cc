#include "engine/range_tombstones.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
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
  Append(Split(tombstones, boundaries));
}

RangeTombstones::Fragments RangeTombstones::Split(const std::vector<RangeTombstone>& tombstones,
                                                  const std::vector<SequenceNumber>& boundaries) {
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

  Fragments fragments;
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
    if (!fragments.empty() && fragments.back().end == begin &&
        fragments.back().sequences == sequences) {
      fragments.back().end = end;
    } else {
      fragments.push_back({std::string(begin), std::string(end), std::move(sequences)});
    }
  }
  return fragments;
}

void RangeTombstones::Append(Fragments fragments) {
  size_ += fragments.size();
  // Halves, when there are too many for one: then neither is full soon.
  const size_t step = fragments.size() <= kChunkFragments ? kChunkFragments : kChunkFragments / 2;
  for (size_t first = 0; first < fragments.size(); first += step) {
    const auto from = fragments.begin() + static_cast<std::ptrdiff_t>(first);
    const auto to = from + static_cast<std::ptrdiff_t>(std::min(step, fragments.size() - first));
    chunks_.push_back(std::make_shared<const Fragments>(std::make_move_iterator(from),
                                                        std::make_move_iterator(to)));
  }
}

RangeTombstones RangeTombstones::With(const RangeTombstone& added,
                                      std::vector<SequenceNumber> boundaries) const {
  if (added.begin >= added.end) return *this;
  std::sort(boundaries.begin(), boundaries.end());
  // The chunks that the delete touches, and one at least, so that chunks do not stay small.
  auto first = std::partition_point(chunks_.begin(), chunks_.end(), [&](const Chunk& chunk) {
    return chunk->back().end < added.begin;
  });
  auto last = std::partition_point(first, chunks_.end(), [&](const Chunk& chunk) {
    return chunk->front().begin <= added.end;
  });
  if (first == last && first != chunks_.begin()) --first;
  std::vector<RangeTombstone> touched = {added};
  for (auto chunk = first; chunk != last; ++chunk) {
    for (const Fragment& fragment : **chunk) {
      for (SequenceNumber sequence : fragment.sequences) {
        touched.push_back({fragment.begin, fragment.end, sequence});
      }
    }
  }
  RangeTombstones with;
  with.chunks_.assign(chunks_.begin(), first);
  with.Append(Split(touched, boundaries));
  with.chunks_.insert(with.chunks_.end(), last, chunks_.end());
  with.size_ += size_;
  for (auto chunk = first; chunk != last; ++chunk) with.size_ -= (*chunk)->size();
  return with;
}

const RangeTombstones::Fragment* RangeTombstones::Find(std::string_view key) const {
  const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(), [&](const Chunk& c) {
    return c->back().end <= key;
  });
  if (chunk == chunks_.end()) return nullptr;
  const auto fragment =
      std::partition_point((*chunk)->begin(), (*chunk)->end(),
                           [&](const Fragment& f) { return f.end <= key; });
  return fragment->begin <= key ? &*fragment : nullptr;
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
