// Time to live in entries: a deadline before the stored value, and the one rule that says who is dead.
//
// The stored value of an expiring entry begins with a word of kDeadlineBytes; what follows it is the value
// (kExpiringValue) or an encoded ValuePointer (kExpiringPointer):
//
//   bit 63: a pointer follows | bits 62..48: zero | bits 47..0: milliseconds since 1970-01-01 UTC
//
// The entry is dead from its deadline on, to every reader whatever its snapshot, and is then what a
// tombstone with the same sequence number would be.
#ifndef VARVE_FORMAT_EXPIRY_H_
#define VARVE_FORMAT_EXPIRY_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "format/internal_key.h"
#include "format/value_pointer.h"

namespace varve {

inline constexpr size_t kDeadlineBytes = 8;
// The last deadline that can be stored, in the year 10889; later ones are stored as this.
inline constexpr uint64_t kMaxDeadline = (uint64_t{1} << 48) - 1;
inline constexpr uint64_t kDeadlinePointerFlag = uint64_t{1} << 63;
// In a write batch only: the word holds a time to live, which becomes a deadline when it is written.
inline constexpr uint64_t kDeadlineRelativeFlag = uint64_t{1} << 62;

inline bool IsExpiring(EntryKind kind) { return kind >= EntryKind::kExpiringValue; }
inline bool HasPointer(EntryKind kind) {
  return kind == EntryKind::kValuePointer || kind == EntryKind::kExpiringPointer;
}

inline uint64_t EncodeDeadline(uint64_t deadline, EntryKind kind) {
  return std::min(deadline, kMaxDeadline) |
         (kind == EntryKind::kExpiringPointer ? kDeadlinePointerFlag : 0);
}

// REQUIRES: `stored` is the stored value of an expiring entry.
inline uint64_t DeadlineOf(std::string_view stored) {
  return LoadFixed<uint64_t>(stored.data()) & kMaxDeadline;
}

// The value or encoded pointer, without a deadline.
inline std::string_view PlainValueOf(EntryKind kind, std::string_view stored) {
  return IsExpiring(kind) ? stored.substr(kDeadlineBytes) : stored;
}

// False when the entry holds no pointer, or a malformed one.
inline bool DecodePointerOf(EntryKind kind, std::string_view stored, ValuePointer* pointer) {
  return HasPointer(kind) && DecodeValuePointer(PlainValueOf(kind, stored), pointer);
}

// Whether `stored` can be the stored value of an entry of this kind, in a log or a segment.
inline bool IsWellFormed(EntryKind kind, std::string_view stored) {
  if (!IsExpiring(kind)) return true;
  const size_t pointer_bytes = kDeadlineBytes + kValuePointerBytes;
  const bool is_pointer = kind == EntryKind::kExpiringPointer;
  if (is_pointer ? stored.size() != pointer_bytes : stored.size() < kDeadlineBytes) return false;
  return (LoadFixed<uint64_t>(stored.data()) & ~kMaxDeadline) ==
         (is_pointer ? kDeadlinePointerFlag : 0);
}

inline bool IsExpiredAt(EntryKind kind, std::string_view stored, uint64_t now) {
  return IsExpiring(kind) && DeadlineOf(stored) <= now;
}

// Whether a reader may show the entry. `now()` gives the store's time, in milliseconds since 1970; it is
// asked only when that matters.
template <typename Now>
bool IsLive(EntryKind kind, std::string_view stored, Now&& now) {
  if (__builtin_expect(!IsExpiring(kind), 1)) return kind != EntryKind::kDelete;
  return DeadlineOf(stored) > now();
}

// What a segment knows about the deadlines in it.
struct ExpirySummary {
  // Keys and values that will all be dead at a time.
  struct Share {
    uint64_t until = 0;
    uint64_t bytes = 0;  // as SegmentProperties::logical_bytes
    friend bool operator==(const Share&, const Share&) = default;
  };
  uint64_t entry_count = 0;  // expiring entries
  uint64_t min_deadline = 0;
  uint64_t max_deadline = 0;
  std::vector<Share> shares;  // `until` ascending; the last is max_deadline

  bool empty() const { return entry_count == 0; }
  // Bytes that are dead at `now`, or a little less: each share counts from its end on.
  uint64_t ExpiredBytes(uint64_t now) const;

  friend bool operator==(const ExpirySummary&, const ExpirySummary&) = default;
};

// Collects a summary in constant memory. Shares end at times whose distance from `now` grows by a seventh
// to a quarter from one to the next, so that what is dead is known at most a quarter of its time to live
// late, whatever else the segment holds. Thread-compatible.
class ExpirySummaryBuilder {
 public:
  explicit ExpirySummaryBuilder(uint64_t now) : now_(now) {}
  void Add(uint64_t deadline, uint64_t bytes);
  ExpirySummary Finish() const;

 private:
  // Four to a power of two, up to 48 bits.
  static constexpr size_t kBuckets = 188;
  static size_t BucketOf(uint64_t distance);
  static uint64_t LastOf(size_t bucket);

  const uint64_t now_;
  uint64_t count_ = 0;
  uint64_t min_ = ~uint64_t{0};
  uint64_t max_ = 0;
  std::array<uint64_t, kBuckets> bytes_{};
};

// Varints: count, smallest deadline, largest less smallest, number of shares, and for each how much later
// it ends than the one before, and its bytes.
void AppendExpirySummary(const ExpirySummary& summary, std::string* to);
// False when malformed.
bool ConsumeExpirySummary(std::string_view* from, ExpirySummary* summary);

}  // namespace varve

#endif  // VARVE_FORMAT_EXPIRY_H_
