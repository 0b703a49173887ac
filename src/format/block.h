// The raw block: entries in internal order, reached directly by slot number.
//
//   entries, back to back | slot array: offset of each entry | u16 count and flags
//
// Entry: varint tag (sequence << 2 | kind), varint key length, varint value length, key, value.
// Kind 3 stands for both expiring kinds; the word of the deadline tells them apart (expiry.h).
// Keys are whole, so that a slot leads straight to its entry and a merge copies entries as they
// are. Offsets are u16, or u32 when the block is larger than 65,535 bytes (flag kWideSlots).
// docs/formats/segment.md.
#ifndef VARVE_FORMAT_BLOCK_H_
#define VARVE_FORMAT_BLOCK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/coding.h"
#include "format/expiry.h"
#include "format/internal_key.h"

namespace varve {

// A slot number is one byte in the point index.
inline constexpr int kMaxBlockEntries = 255;
// A raw block of any kind. Bounds what a reader allocates on the word of a trailer.
inline constexpr uint64_t kMaxRawBlockBytes = uint64_t{1} << 30;

// The kind in a tag that stands for the expiring kinds.
inline constexpr uint64_t kExpiringTag = 3;

// Builds one block after another in one buffer. Thread-compatible.
class BlockBuilder {
 public:
  BlockBuilder();
  BlockBuilder(const BlockBuilder&) = delete;
  BlockBuilder& operator=(const BlockBuilder&) = delete;

  // Appends `entry` and returns its slot. The order of entries is the caller's business.
  // REQUIRES: count() < kMaxBlockEntries; the block stays below kMaxRawBlockBytes; a tombstone has
  // no value.
  int Add(const Entry& entry);

  // True when `entry` may be added with the finished block not above `limit` bytes; always true of
  // an empty block, so that an entry larger than `limit` gets a block to itself.
  bool CanFit(const Entry& entry, size_t limit) const {
    if (count_ == 0) return true;
    return count_ < kMaxBlockEntries &&
           FinishedSize(data_bytes_ + EntrySize(entry), count_ + 1) <= limit;
  }

  // Size of the block if it were finished now.
  size_t EstimatedSize() const { return FinishedSize(data_bytes_, count_); }
  int count() const { return count_; }
  bool empty() const { return count_ == 0; }

  // The key of the last entry. Valid until the next Add or Reset. REQUIRES: !empty().
  std::string_view last_key() const { return {buffer_.get() + last_key_offset_, last_key_size_}; }

  // Appends slot array and frame. The view lasts until Reset. REQUIRES: no Add until then.
  std::string_view Finish();

  // Starts the next block.
  void Reset() {
    data_bytes_ = 0;
    count_ = 0;
  }

 private:
  static constexpr size_t kMaxEntryHeaderBytes = kMaxVarint64Bytes + 2 * kMaxVarint32Bytes;

  // The kind in the lowest bits of the tag never makes it longer.
  static size_t EntrySize(const Entry& entry) {
    return static_cast<size_t>(VarintLength(entry.sequence << 2) + VarintLength(entry.key.size()) +
                               VarintLength(entry.value.size())) +
           entry.key.size() + entry.value.size();
  }
  static size_t FinishedSize(size_t data_bytes, int count);
  void Grow(size_t needed);

  std::unique_ptr<char[]> buffer_;
  size_t capacity_;
  size_t data_bytes_ = 0;
  int count_ = 0;
  size_t last_key_offset_ = 0;
  size_t last_key_size_ = 0;
  std::array<uint32_t, kMaxBlockEntries> offsets_;
};

inline size_t BlockBuilder::FinishedSize(size_t data_bytes, int count) {
  const size_t narrow = data_bytes + 2 * static_cast<size_t>(count) + 2;
  return narrow <= 0xffff ? narrow : narrow + 2 * static_cast<size_t>(count);
}

// Reads a raw block in place. Copyable, owns nothing: the bytes must outlive it and every Entry
// decoded from it. Memory safe whatever the bytes are. Immutable, so any thread may read.
class BlockView {
 public:
  BlockView() = default;

  // Checks the frame in constant time: the count, and that the slot array fits. False when
  // malformed. Single entries are checked when they are decoded.
  bool Parse(std::string_view raw);

  int count() const { return count_; }

  // In 256ths of a byte, at most 2^32 - 1. REQUIRES: count() > 0.
  uint32_t AverageEntryBytes256() const {
    const uint64_t average = static_cast<uint64_t>(slots_ - data_) * 256 / static_cast<uint64_t>(count_);
    return static_cast<uint32_t>(average < UINT32_MAX ? average : UINT32_MAX);
  }

  // Decodes the entry in `slot`; the views point into the block. False when the entry does not lie
  // within the block or makes no sense, or when `slot` is not below count().
  bool Decode(int slot, Entry* entry) const;

  // Brings the head of the entry in `slot` near, if there is one. Harmless whatever the bytes are.
  void Prefetch(int slot) const {
    if (slot < count_) __builtin_prefetch(AddressOf(slot));
  }

  // The first slot whose entry is at or after (key, sequence) in internal order; count() when there
  // is none; -1 when an entry it looked at is malformed. O(log count); the cache misses of the first
  // four steps overlap, and the later ones hide behind each other.
  int LowerBound(std::string_view key, SequenceNumber sequence) const;

 private:
  uint32_t OffsetOf(int slot) const {
    return wide_ ? LoadFixed<uint32_t>(slots_ + 4 * slot) : LoadFixed<uint16_t>(slots_ + 2 * slot);
  }
  // For prefetching only: the address may lie anywhere when the block is malformed.
  const char* AddressOf(int slot) const { return data_ + OffsetOf(slot); }
  void PrefetchFirstSteps() const;

  // Sets the kind from the value; false when it makes no sense.
  static bool DecodeExpiring(Entry* entry) {
    if (entry->value.size() < kDeadlineBytes) return false;
    const bool is_pointer = (LoadFixed<uint64_t>(entry->value.data()) & kDeadlinePointerFlag) != 0;
    entry->kind = is_pointer ? EntryKind::kExpiringPointer : EntryKind::kExpiringValue;
    return IsWellFormed(entry->kind, entry->value);
  }

  const char* data_ = nullptr;
  const char* slots_ = nullptr;  // also the end of the entries
  int count_ = 0;
  bool wide_ = false;
};

inline bool BlockView::Decode(int slot, Entry* entry) const {
  if (static_cast<unsigned>(slot) >= static_cast<unsigned>(count_)) return false;
  const size_t data_bytes = static_cast<size_t>(slots_ - data_);
  const size_t offset = OffsetOf(slot);
  if (offset >= data_bytes) return false;
  const char* from = data_ + offset;
  uint64_t tag, key_bytes, value_bytes;
  from = LoadVarint(from, slots_, &tag);
  if (from == nullptr) return false;
  if (slots_ - from >= 2 && ((from[0] | from[1]) & 0x80) == 0) {  // both lengths in a byte each
    key_bytes = static_cast<unsigned char>(from[0]);
    value_bytes = static_cast<unsigned char>(from[1]);
    from += 2;
  } else {
    from = LoadVarint(from, slots_, &key_bytes);
    if (from == nullptr) return false;
    from = LoadVarint(from, slots_, &value_bytes);
    if (from == nullptr) return false;
  }
  const size_t left = static_cast<size_t>(slots_ - from);
  if (key_bytes > left || value_bytes > left - key_bytes) return false;
  const uint64_t kind = tag & 3;
  if ((tag >> 2) > kMaxSequence) return false;
  if (kind == static_cast<uint64_t>(EntryKind::kDelete) && value_bytes != 0) return false;
  entry->key = {from, key_bytes};
  entry->value = {from + key_bytes, value_bytes};
  entry->sequence = tag >> 2;
  entry->kind = static_cast<EntryKind>(kind);
  return kind != kExpiringTag || DecodeExpiring(entry);
}

}  // namespace varve

#endif  // VARVE_FORMAT_BLOCK_H_
