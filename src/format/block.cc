#include "format/block.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace varve {

namespace {

// In the last two bytes of a block.
constexpr uint16_t kCountMask = 0x00ff;
constexpr uint16_t kWideSlots = 0x8000;
static_assert(kMaxBlockEntries <= kCountMask);

constexpr size_t kFirstCapacity = size_t{20} << 10;

}  // namespace

BlockBuilder::BlockBuilder()
    : buffer_(std::make_unique_for_overwrite<char[]>(kFirstCapacity)), capacity_(kFirstCapacity) {}

void BlockBuilder::Grow(size_t needed) {
  capacity_ = std::max(needed, capacity_ * 2);
  auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
  std::memcpy(larger.get(), buffer_.get(), data_bytes_);
  buffer_ = std::move(larger);
}

int BlockBuilder::Add(const Entry& entry) {
  VARVE_CHECK(count_ < kMaxBlockEntries);
  VARVE_DCHECK(entry.sequence <= kMaxSequence);
  VARVE_DCHECK(entry.kind != EntryKind::kDelete || entry.value.empty());
  VARVE_DCHECK(IsWellFormed(entry.kind, entry.value));
  const size_t needed = data_bytes_ + kMaxEntryHeaderBytes + entry.key.size() + entry.value.size();
  if (needed > capacity_) {
    VARVE_CHECK(needed < kMaxRawBlockBytes);
    Grow(needed);
  }
  offsets_[static_cast<size_t>(count_)] = static_cast<uint32_t>(data_bytes_);
  char* to = buffer_.get() + data_bytes_;
  to = StoreVarint(to, entry.sequence << 2 | std::min(static_cast<uint64_t>(entry.kind), kExpiringTag));
  to = StoreVarint(to, entry.key.size());
  to = StoreVarint(to, entry.value.size());
  last_key_offset_ = static_cast<size_t>(to - buffer_.get());
  last_key_size_ = entry.key.size();
  CopyBytes(to, entry.key);
  to += entry.key.size();
  CopyBytes(to, entry.value);
  data_bytes_ = static_cast<size_t>(to - buffer_.get()) + entry.value.size();
  return count_++;
}

std::string_view BlockBuilder::Finish() {
  const size_t size = EstimatedSize();
  if (size > capacity_) Grow(size);
  char* to = buffer_.get() + data_bytes_;
  const bool wide = data_bytes_ + 2 * static_cast<size_t>(count_) + 2 > 0xffff;
  for (int i = 0; i < count_; ++i) {
    const uint32_t offset = offsets_[static_cast<size_t>(i)];
    if (wide) {
      StoreFixed(to, offset);
      to += 4;
    } else {
      StoreFixed(to, static_cast<uint16_t>(offset));
      to += 2;
    }
  }
  StoreFixed(to, static_cast<uint16_t>(count_ | (wide ? kWideSlots : 0)));
  return {buffer_.get(), size};
}

bool BlockView::Parse(std::string_view raw) {
  count_ = 0;
  if (raw.size() < 2) return false;
  const uint16_t frame = LoadFixed<uint16_t>(raw.data() + raw.size() - 2);
  if ((frame & ~(kCountMask | kWideSlots)) != 0) return false;
  const bool wide = (frame & kWideSlots) != 0;
  const size_t count = frame & kCountMask;
  const size_t slot_bytes = count * (wide ? 4 : 2);
  if (slot_bytes + 2 > raw.size()) return false;
  data_ = raw.data();
  slots_ = raw.data() + raw.size() - 2 - slot_bytes;
  count_ = static_cast<int>(count);
  wide_ = wide;
  return true;
}

// Wherever the first four steps of a bisection may look: its tree has fifteen places there.
void BlockView::PrefetchFirstSteps() const {
  constexpr int kPlaces = 16;
  if (count_ < kPlaces) {
    for (int slot = 0; slot < count_; ++slot) __builtin_prefetch(AddressOf(slot));
    return;
  }
  for (int i = 1; i < kPlaces; ++i) __builtin_prefetch(AddressOf(i * count_ / kPlaces));
}

int BlockView::LowerBound(std::string_view key, SequenceNumber sequence) const {
  constexpr size_t kHeadBytes = sizeof(uint64_t);
  PrefetchFirstSteps();
  const uint64_t head = KeyHead(key);
  int low = 0;
  int high = count_;
  while (low < high) {
    const int middle = (low + high) / 2;
    // Both places where the next step may look; one miss is hidden behind this step's.
    if (high - low > 2) {
      __builtin_prefetch(AddressOf((low + middle) / 2));
      __builtin_prefetch(AddressOf((middle + 1 + high) / 2));
    }
    Entry entry;
    if (!Decode(middle, &entry)) return -1;
    bool is_before;
    // Different heads decide, without a call.
    const uint64_t entry_head =
        entry.key.size() >= kHeadBytes ? KeyHead(entry.key.substr(0, kHeadBytes)) : head;
    if (entry_head != head) {
      is_before = entry_head < head;
    } else {
      is_before = CompareInternal(entry.key, entry.sequence, key, sequence) < 0;
    }
    if (is_before) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace varve
