#include "engine/transaction_read_set.h"

#include <algorithm>

namespace varve {

void ReadSet::Reset(TransactionArena* arena) {
  arena_ = arena;
  keys_.clear();
  table_.clear();
  ranges_.clear();
}

size_t ReadSet::FindSlot(uint64_t hash) const {
  const size_t mask = table_.size() - 1;
  size_t slot = hash & mask;
  while (table_[slot] != 0 && keys_[table_[slot] - 1].hash != hash) slot = (slot + 1) & mask;
  return slot;
}

void ReadSet::GrowTable() {
  table_.assign(std::max<size_t>(64, 2 * table_.size()), 0);
  for (size_t i = 0; i < keys_.size(); ++i) {
    const size_t slot = FindSlot(keys_[i].hash);
    if (table_[slot] == 0) table_[slot] = static_cast<uint32_t>(i + 1);
  }
}

void ReadSet::AddKey(std::string_view key, uint64_t hash) {
  if (table_.empty()) {
    for (const Key& known : keys_) {
      if (known.hash == hash && known.key == key) return;
    }
    keys_.push_back({hash, arena_->Copy(key)});
    if (keys_.size() > kMaxWithoutTable) GrowTable();
    return;
  }
  const size_t slot = FindSlot(hash);
  if (table_[slot] != 0 && keys_[table_[slot] - 1].key == key) return;
  keys_.push_back({hash, arena_->Copy(key)});
  if (table_[slot] == 0) table_[slot] = static_cast<uint32_t>(keys_.size());
  if (2 * keys_.size() > table_.size()) GrowTable();
}

void ReadSet::AddRange(std::string begin, std::string end) {
  if (begin >= end) return;
  // A scan that goes on where the last one ended is one range.
  if (!ranges_.empty() && begin == ranges_.back().end) {
    ranges_.back().end = std::move(end);
    return;
  }
  ranges_.push_back({std::move(begin), std::move(end)});
}

void ReadSet::Seal() {
  if (ranges_.size() < 2) return;
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  size_t kept = 0;
  for (size_t i = 1; i < ranges_.size(); ++i) {
    Range& last = ranges_[kept];
    if (ranges_[i].begin > last.end) {
      ++kept;
      if (kept != i) ranges_[kept] = std::move(ranges_[i]);
    } else if (ranges_[i].end > last.end) {
      last.end = std::move(ranges_[i].end);
    }
  }
  ranges_.resize(kept + 1);
}

bool ReadSet::RangesContain(std::string_view key) const {
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), key,
                                [](std::string_view k, const Range& range) { return k < range.begin; });
  if (after == ranges_.begin()) return false;
  return key < std::prev(after)->end;
}

}  // namespace varve
