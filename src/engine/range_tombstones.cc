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
  std::vector<Event> events;
  events.reserve(tombstones.size() * 2);
  for (const RangeTombstone& tombstone : tombstones) {
    if (tombstone.begin >= tombstone.end) continue;
    events.push_back({tombstone.begin, tombstone.sequence, true});
    events.push_back({tombstone.end, tombstone.sequence, false});
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.key < b.key; });
  Build(events, std::move(boundaries));
}

RangeTombstones::RangeTombstones(const RangeTombstones& a, const RangeTombstones& b,
                                 std::vector<SequenceNumber> boundaries) {
  std::vector<Event> events;
  AppendEvents(a, &events);
  const auto middle = static_cast<ptrdiff_t>(events.size());
  AppendEvents(b, &events);
  std::inplace_merge(events.begin(), events.begin() + middle, events.end(),
                     [](const Event& x, const Event& y) { return x.key < y.key; });
  Build(events, std::move(boundaries));
}

void RangeTombstones::AppendEvents(const RangeTombstones& from, std::vector<Event>* events) {
  for (const Fragment& fragment : from.fragments_) {
    for (SequenceNumber sequence : fragment.sequences) {
      events->push_back({fragment.begin, sequence, true});
    }
    for (SequenceNumber sequence : fragment.sequences) {
      events->push_back({fragment.end, sequence, false});
    }
  }
}

void RangeTombstones::Build(const std::vector<Event>& events,
                            std::vector<SequenceNumber> boundaries) {
  std::sort(boundaries.begin(), boundaries.end());
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

size_t RangeTombstones::FirstAfter(std::string_view key) const {
  const auto after = std::upper_bound(
      fragments_.begin(), fragments_.end(), key,
      [](std::string_view k, const Fragment& fragment) { return k < fragment.begin; });
  return static_cast<size_t>(after - fragments_.begin());
}

const RangeTombstones::Fragment* RangeTombstones::Find(std::string_view key) const {
  const size_t after = FirstAfter(key);
  if (after == 0) return nullptr;
  const Fragment& fragment = fragments_[after - 1];
  return key < fragment.end ? &fragment : nullptr;
}

SequenceNumber RangeTombstones::NewestOver(std::string_view begin, std::string_view end) const {
  SequenceNumber newest = 0;
  auto fragment = std::partition_point(fragments_.begin(), fragments_.end(),
                                       [&](const Fragment& f) { return f.end <= begin; });
  for (; fragment != fragments_.end() && fragment->begin < end; ++fragment) {
    newest = std::max(newest, fragment->sequences.front());
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

// --- RangeTombstoneSet.

void RangeTombstoneSet::Add(const std::vector<RangeTombstone>& tombstones,
                            const std::vector<SequenceNumber>& boundaries) {
  auto level = std::make_shared<const RangeTombstones>(tombstones, boundaries);
  if (level->empty()) return;
  while (!levels_.empty() && levels_.back()->size() <= level->size()) {
    level = std::make_shared<const RangeTombstones>(*levels_.back(), *level, boundaries);
    levels_.pop_back();
  }
  levels_.push_back(std::move(level));
}

void RangeTombstoneSet::Include(const RangeTombstoneSet& other) {
  levels_.insert(levels_.end(), other.levels_.begin(), other.levels_.end());
}

size_t RangeTombstoneSet::size() const {
  size_t size = 0;
  for (const auto& level : levels_) size += level->size();
  return size;
}

SequenceNumber RangeTombstoneSet::MaxCovering(std::string_view key,
                                              SequenceNumber read_sequence) const {
  SequenceNumber newest = 0;
  for (const auto& level : levels_) {
    newest = std::max(newest, level->MaxCovering(key, read_sequence));
  }
  return newest;
}

SequenceNumber RangeTombstoneSet::NewestOver(std::string_view begin, std::string_view end) const {
  SequenceNumber newest = 0;
  for (const auto& level : levels_) newest = std::max(newest, level->NewestOver(begin, end));
  return newest;
}

RangeTombstoneSet::Stretch RangeTombstoneSet::StretchAround(std::string_view key,
                                                            SequenceNumber read_sequence) const {
  Stretch stretch;
  const auto ends_at = [&](std::string_view end) {
    if (!stretch.has_end || end < stretch.end) stretch.end = end;
    stretch.has_end = true;
  };
  for (const auto& level : levels_) {
    const auto& fragments = level->fragments();
    const size_t after = level->FirstAfter(key);
    if (after < fragments.size()) ends_at(fragments[after].begin);
    if (after == 0) continue;
    const RangeTombstones::Fragment& before = fragments[after - 1];
    if (key >= before.end) {
      stretch.begin = std::max(stretch.begin, std::string_view(before.end));
      continue;
    }
    stretch.begin = std::max(stretch.begin, std::string_view(before.begin));
    ends_at(before.end);
    stretch.sequence =
        std::max(stretch.sequence, RangeTombstones::NewestAtMost(before, read_sequence));
  }
  return stretch;
}

}  // namespace varve
