#include "engine/segment_deadlines.h"

#include <algorithm>

#include "base/epoch.h"
#include "engine/segment_reader.h"
#include "format/block.h"
#include "format/expiry.h"

namespace varve {

namespace {

constexpr size_t kBlocksAtOnce = 64;
// Blocks that nothing is wanted of are read rather than left out, up to so many.
constexpr size_t kMaxGap = 4;

}  // namespace

std::unique_ptr<const ExpiryPlaces> ScanDeadlines(SegmentReader* segment, uint64_t now,
                                                  const std::atomic<bool>& stop) {
  auto places = std::make_unique<ExpiryPlaces>(now);
  const auto index = segment->Index();
  if (!index.ok()) return nullptr;
  SegmentReader::BlockBatch batch;
  std::string last_key;
  bool has_last = false;
  for (size_t first = 0; first < (*index)->block_count(); first += kBlocksAtOnce) {
    if (stop.load(std::memory_order_relaxed)) return nullptr;
    const size_t count = std::min(kBlocksAtOnce, (*index)->block_count() - first);
    if (!segment->ReadBlocks(first, count, &batch).ok()) return nullptr;
    for (size_t i = 0; i < count; ++i) {
      BlockView view;
      if (!view.Parse(batch.raws[i])) return nullptr;
      Entry entry;
      for (int slot = 0; slot < view.count(); ++slot) {
        if (!view.Decode(slot, &entry)) return nullptr;
        if (has_last && entry.key == last_key) continue;  // an older version
        last_key.assign(entry.key);
        has_last = true;
        if (IsExpiring(entry.kind)) places->Add(DeadlineOf(entry.value), first + i, slot);
      }
    }
  }
  places->Sort();
  return places;
}

void SegmentDeadlines::BeginLoad(size_t begin, size_t end, size_t max_bytes) {
  begin = std::max(begin, loaded_end_);
  end = std::min(end, places_->size());
  if (begin >= end) return;
  loading_.begin = begin;
  loading_.entries.resize(end - begin);
  max_key_bytes_ = std::min<size_t>(max_bytes, UINT32_MAX);
  wanted_.reserve(end - begin);
  for (size_t i = begin; i < end; ++i) {
    wanted_.push_back({static_cast<uint32_t>(places_->block(i) << 8) |
                           static_cast<uint32_t>(places_->slot(i)),
                       static_cast<uint32_t>(i - begin)});
  }
  std::sort(wanted_.begin(), wanted_.end(), [](const Wanted& a, const Wanted& b) {
    return a.block_and_slot < b.block_and_slot;
  });
}

void SegmentDeadlines::LoadStep(SegmentReader* segment, size_t reads) {
  if (!is_loading()) return;
  const Wanted* const last = wanted_.data() + wanted_.size();
  for (; reads > 0 && next_wanted_ < wanted_.size(); --reads) {
    const Wanted* const first = wanted_.data() + next_wanted_;
    const Wanted* next = first + 1;
    while (next != last && next->block() <= next[-1].block() + kMaxGap &&
           next->block() < first->block() + kBlocksAtOnce) {
      ++next;
    }
    LoadGroup(segment, first, next);
    next_wanted_ += static_cast<size_t>(next - first);
  }
  if (next_wanted_ < wanted_.size()) return;
  loading_.keys.shrink_to_fit();
  loaded_end_ = loading_.end();
  loaded_bytes_ += loading_.memory_bytes();
  windows_.push_back(std::exchange(loading_, Window()));
  wanted_ = {};
  next_wanted_ = 0;
}

void SegmentDeadlines::LoadGroup(SegmentReader* segment, const Wanted* first, const Wanted* last) {
  const size_t first_block = first->block();
  const size_t count = last[-1].block() - first_block + 1;
  if (count == 1) {
    EpochGuard guard;
    CachedBlock cached;
    if (!segment->Index().ok() || !segment->DataBlock(first_block, &cached).ok()) return;
    LoadFrom(cached.bytes, first, last);
    return;
  }
  SegmentReader::BlockBatch batch;
  if (!segment->ReadBlocks(first_block, count, &batch).ok()) return;
  while (first != last) {
    const Wanted* next = first + 1;
    while (next != last && next->block() == first->block()) ++next;
    LoadFrom(batch.raws[first->block() - first_block], first, next);
    first = next;
  }
}

void SegmentDeadlines::LoadFrom(std::string_view raw, const Wanted* first, const Wanted* last) {
  BlockView view;
  if (!view.Parse(raw)) return;
  for (; first != last; ++first) {
    Entry entry;
    if (!view.Decode(first->slot(), &entry) || !IsExpiring(entry.kind)) continue;
    if (loading_.keys.size() + entry.key.size() > max_key_bytes_) continue;
    loading_.entries[first->index] = {static_cast<uint32_t>(loading_.keys.size()),
                                      static_cast<uint32_t>(entry.key.size()), entry.sequence,
                                      DeadlineOf(entry.value)};
    loading_.keys.append(entry.key);
  }
}

void SegmentDeadlines::ForgetBefore(size_t begin) {
  while (!windows_.empty() && windows_.front().end() <= begin) {
    loaded_bytes_ -= windows_.front().memory_bytes();
    windows_.pop_front();
  }
}

bool SegmentDeadlines::Read(SegmentReader* segment, size_t i, std::string* buffer, Due* due) const {
  for (const Window& window : windows_) {
    if (i < window.begin || i >= window.end()) continue;
    const Loaded& loaded = window.entries[i - window.begin];
    if (loaded.sequence == 0) break;
    *due = {std::string_view(window.keys).substr(loaded.offset, loaded.key_bytes), loaded.sequence,
            loaded.deadline};
    return true;
  }
  EpochGuard guard;
  CachedBlock cached;
  BlockView view;
  Entry entry;
  if (!segment->Index().ok() || !segment->DataBlock(places_->block(i), &cached).ok() ||
      !view.Parse(cached.bytes) || !view.Decode(places_->slot(i), &entry) ||
      !IsExpiring(entry.kind)) {
    return false;
  }
  buffer->assign(entry.key);
  *due = {*buffer, entry.sequence, DeadlineOf(entry.value)};
  return true;
}

}  // namespace varve
