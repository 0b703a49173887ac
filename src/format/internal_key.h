// Entry: one version of one key, the unit that memtables, blocks and merges carry.
//
// Internal order: by key (unsigned bytes) ascending, then by sequence number descending, so that the
// newest version of a key comes first.
#ifndef VARVE_FORMAT_INTERNAL_KEY_H_
#define VARVE_FORMAT_INTERNAL_KEY_H_

#include <cstdint>
#include <string_view>

namespace varve {

// Position of a change in the history of the store; the first change is 1. 56 bits.
using SequenceNumber = uint64_t;
inline constexpr SequenceNumber kMaxSequence = (uint64_t{1} << 56) - 1;

// Part of the file formats: never renumber.
enum class EntryKind : uint8_t {
  kDelete = 0,        // tombstone; no value
  kValue = 1,         // value in place
  kValuePointer = 2,  // value in the value log; the entry's value is an encoded ValuePointer
  // 3 is taken, see below. The same two with a deadline before what is stored: expiry.h.
  kExpiringValue = 4,
  kExpiringPointer = 5,
};
// In write batches and log records also:
inline constexpr uint8_t kDeleteRangeOp = 3;  // key = begin, value = end (exclusive)

struct Entry {
  std::string_view key;
  std::string_view value;
  SequenceNumber sequence = 0;
  EntryKind kind = EntryKind::kValue;
};

// <0, 0, >0 as (a_key, a_sequence) comes before, equals, comes after (b_key, b_sequence).
inline int CompareInternal(std::string_view a_key, SequenceNumber a_sequence,
                           std::string_view b_key, SequenceNumber b_sequence) {
  const int order = a_key.compare(b_key);
  if (order != 0) return order;
  return a_sequence > b_sequence ? -1 : a_sequence < b_sequence ? 1 : 0;
}

}  // namespace varve

#endif  // VARVE_FORMAT_INTERNAL_KEY_H_
