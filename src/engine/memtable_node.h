// The nodes of MemTableTree, and how one writer changes them while others read.
//
// Every node has one word, `version`: a counter and, in the low byte, the number of its entries.
// What a change can touch exists twice, and bit 0 of the counter says which of the two is in force:
//
//   leaf    slots (tag, head, record), in the order they were filled  order[0]   order[1]
//           a slot that is not live is free                           live[0]    live[1]
//                                                                     high[0]    high[1]
//   inner                                                             half[0]    half[1]
//
// The writer fills the half that is not in force, and free slots, and then stores version + 1,
// which turns the half over. A reader loads the version, reads the half in force, and loads the
// version again: what it read was whole if the version is the same, for the half it read, and the
// slots named there, are not touched before the version after next. Hence a writer suspended
// anywhere blocks nobody, and a reader repeats its work only after the writer has completed a
// change to the same node.
//
// Memory order: every field of a half is stored with release and loaded with acquire. A reader that
// meets a value from the version after next therefore also sees the next version when it looks
// again; and whoever loads a pointer sees what it points to, even when the pointer turns out to be
// outdated. Pointers within the count are never null and never dangle, outdated or not, because
// nodes and records are not freed.
//
// Heads: a node knows a number of bytes that all its keys have in common. It stores, per key, the
// eight bytes after these as a number (the head), so that most comparisons need not look at the
// record. Between two given fences the common bytes are those of the fences. A node at an edge of
// the tree has only one fence or none; there they are taken from the keys present, and keys to be
// searched are compared with them first (`check`).
//
// Tags: a leaf also keeps a byte of the hash of each key, so that the search for one key reads the
// tags of all slots, which are one cache line, and then the record, and not the heads.
#ifndef VARVE_ENGINE_MEMTABLE_NODE_H_
#define VARVE_ENGINE_MEMTABLE_NODE_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "engine/memtable_tree.h"
#include "format/internal_key.h"

namespace varve {

// A field that the writer stores and readers load at the same time.
template <typename T>
class MemTableShared {
 public:
  T Load() const { return value_.load(std::memory_order_acquire); }
  void Store(T value) { value_.store(value, std::memory_order_release); }

 private:
  std::atomic<T> value_{};
};

// Byte `index` of an array of words.
inline uint8_t ByteAt(const MemTableShared<uint64_t>* words, size_t index) {
  return static_cast<uint8_t>(words[index / 8].Load() >> (index % 8 * 8));
}
inline void StoreByte(MemTableShared<uint64_t>* words, size_t index, uint8_t byte) {
  const size_t shift = index % 8 * 8;
  const uint64_t others = words[index / 8].Load() & ~(uint64_t{0xff} << shift);
  words[index / 8].Store(others | uint64_t{byte} << shift);
}

// What a search looks for.
struct MemTableTarget {
  std::string_view key;
  SequenceNumber sequence;
};

inline MemTableTarget TargetOf(const MemTableRecord* record) {
  return {record->key(), record->sequence()};
}

// `key` without its first `prefix_bytes` bytes; empty when it is shorter.
inline std::string_view AfterPrefix(std::string_view key, size_t prefix_bytes) {
  const size_t skipped = std::min(prefix_bytes, key.size());
  return {key.data() + skipped, key.size() - skipped};
}

// The eight bytes of `key` after `prefix_bytes` as a number that orders like them; zeros beyond its
// end.
inline uint64_t HeadOf(std::string_view key, size_t prefix_bytes) {
  const std::string_view rest = AfterPrefix(key, prefix_bytes);
  uint64_t head = 0;
  if (rest.size() >= sizeof(head)) {
    std::memcpy(&head, rest.data(), sizeof(head));
  } else if (!rest.empty()) {
    std::memcpy(&head, rest.data(), rest.size());
  }
  return __builtin_bswap64(head);
}

// CompareInternal(record, target) for keys whose first `prefix_bytes` bytes are equal.
inline int CompareAfterPrefix(const MemTableRecord* record, const MemTableTarget& target,
                              size_t prefix_bytes) {
  return CompareInternal(AfterPrefix(record->key(), prefix_bytes), record->sequence(),
                         AfterPrefix(target.key, prefix_bytes), target.sequence);
}

enum class MemTableBound {
  kBefore,      // entries < target
  kAtOrBefore,  // entries <= target
};

// Counts the entries of a sorted array that lie within `bound` of `target`. `head_at(i)` and
// `record_at(i)` read entry i; all keys and the target's share their first `prefix_bytes` bytes.
template <typename HeadAt, typename RecordAt>
size_t CountEntries(size_t count, size_t prefix_bytes, const MemTableTarget& target,
                    MemTableBound bound, HeadAt head_at, RecordAt record_at) {
  const uint64_t head = HeadOf(target.key, prefix_bytes);
  // Without branches on the heads, whose outcome nothing predicts.
  size_t low = 0;
  for (size_t length = count; length > 0;) {
    const size_t half = (length + 1) / 2;
    low += head_at(low + half - 1) < head ? half : 0;
    length -= half;
  }
  if (low == count || head_at(low) != head) return low;
  // Among equal heads the records decide.
  size_t high = low + 1;
  if (high < count && head_at(high) == head) {
    for (size_t length = count - high; length > 0;) {
      const size_t half = (length + 1) / 2;
      high += head_at(high + half - 1) <= head ? half : 0;
      length -= half;
    }
  }
  const int limit = bound == MemTableBound::kBefore ? 0 : 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (CompareAfterPrefix(record_at(middle), target, prefix_bytes) < limit) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The version word: counter << 8 | number of entries.
constexpr size_t CountOf(uint64_t version) { return version & 0xff; }
constexpr size_t HalfOf(uint64_t version) { return (version >> 8) & 1; }
constexpr uint64_t NextVersion(uint64_t version, size_t count) {
  return (((version >> 8) + 1) << 8) | count;
}

struct MemTableNode {
  explicit MemTableNode(size_t above_leaves) : level(static_cast<uint32_t>(above_leaves)) {}

  MemTableShared<uint64_t> version;
  const uint32_t level;  // of inner nodes between this one and the leaves; 0 = leaf
};

// The bytes that the keys of a node have in common.
struct MemTablePrefix {
  uint32_t bytes = 0;
  // A record that begins with them, when searched keys may not; else nullptr.
  const MemTableRecord* check = nullptr;

  // <0, 0, >0 as `key` comes before, begins with, comes after all that begins with the prefix.
  int Compare(std::string_view key) const {
    if (check == nullptr) return 0;
    return key.substr(0, bytes).compare(check->key().substr(0, bytes));
  }

  // For a node between `low` and `high` (nullptr: no such fence) whose entries, those to come soon
  // included, lie between `first` and `last`. `slack`: how many more bytes than the keys present
  // differ in to leave out at an edge, where keys to come may differ in more.
  static MemTablePrefix Choose(const MemTableRecord* low, const MemTableRecord* high,
                               const MemTableRecord* first, const MemTableRecord* last,
                               size_t slack);
};

// Entries in internal order. A leaf holds the records from its low fence, which is its first record
// (the leftmost leaf has none), up to but without its high fence, which is the first of the next
// leaf.
struct alignas(64) MemTableLeaf : MemTableNode {
  static constexpr size_t kSlots = MemTableTree::kLeafSlots;
  static constexpr size_t kOrderWords = kSlots / sizeof(uint64_t);
  static constexpr size_t kTagWords = kSlots / sizeof(uint64_t);

  explicit MemTableLeaf(MemTablePrefix common) : MemTableNode(0), prefix(common) {}

  // --- For readers; right only if `version` is still the leaf's afterwards.
  // The newest version of the target's key that is not newer than the target. nullptr when this
  // leaf has none, or so many candidates that a search by order is quicker.
  const MemTableRecord* FindTagged(uint64_t at_version, const MemTableTarget& target,
                                   uint8_t tag) const;
  const MemTableRecord* RecordAt(uint64_t at_version, size_t position) const {
    return records[SlotAt(at_version, position)].Load();
  }
  const MemTableRecord* HighAt(uint64_t at_version) const {
    return high[HalfOf(at_version)].Load();
  }
  size_t Count(uint64_t at_version, const MemTableTarget& target, MemTableBound bound) const;
  // Bring near what a search by order, and one by tag, will read.
  void PrefetchOrder() const;
  void PrefetchTags() const;
  // Brings near the records of this tag, as far as they are short.
  void PrefetchTagged(uint64_t at_version, uint8_t tag) const;

  // A bit for each live slot of this tag.
  uint64_t Tagged(uint64_t at_version, uint8_t tag) const;

  // --- For the writer.
  size_t count() const { return CountOf(version.Load()); }
  bool full() const { return count() == kSlots; }
  const MemTableRecord* record(size_t position) const { return RecordAt(version.Load(), position); }
  // REQUIRES: not full; `record` has the prefix and belongs at `position`.
  void Insert(size_t position, const MemTableRecord* record, uint8_t tag);
  // Puts `count` records, from `position` of `from` on, into a new leaf that no reader knows.
  void Fill(const MemTableLeaf& from, size_t position, size_t count,
            const MemTableRecord* high_fence);
  // Keeps only the first `count` entries and sets the high fence.
  void Truncate(size_t count, const MemTableRecord* high_fence);
  // Makes readers that are here look for the leaf that took this one's place.
  void Retire() { version.Store(NextVersion(NextVersion(version.Load(), 0), count())); }

  size_t SlotAt(uint64_t at_version, size_t position) const {
    return ByteAt(order[HalfOf(at_version)], position);
  }

  uint32_t last_position = kSlots;  // of the writer: where it inserted last
  const MemTablePrefix prefix;
  MemTableShared<const MemTableRecord*> high[2];
  MemTableShared<uint64_t> live[2];  // a bit for each slot

  alignas(64) MemTableShared<uint64_t> tags[kTagWords];  // a byte for each slot
  MemTableShared<uint64_t> order[2][kOrderWords];        // a byte for each entry: its slot
  MemTableShared<uint64_t> heads[kSlots];
  MemTableShared<const MemTableRecord*> records[kSlots];
};
static_assert(MemTableLeaf::kSlots == 64, "`live` has a bit for each slot");

// Children in order. Separator i > 0 is the low fence of child i; separator 0 does not exist.
struct alignas(64) MemTableInner : MemTableNode {
  static constexpr size_t kSlots = 64;

  // A half by value, for the writer to work on.
  struct Image {
    // REQUIRES: room for one more.
    void InsertAfter(size_t index, const MemTableRecord* separator, MemTableNode* child);
    // The children from `index` on.
    Image Tail(size_t index) const;
    // Chooses the prefix anew for a node between `low` and `high`, and the heads with it.
    void UpdateHeads(const MemTableRecord* low, const MemTableRecord* high);

    size_t count = 0;
    MemTablePrefix prefix;
    uint64_t heads[kSlots];
    const MemTableRecord* separators[kSlots];
    MemTableNode* children[kSlots];
  };

  explicit MemTableInner(size_t above_leaves) : MemTableNode(above_leaves) {}

  // --- For readers; right only if `version` is still the node's afterwards.
  // The index of the child where the search for `target` goes on: the last one whose separator lies
  // within `bound`.
  size_t Find(uint64_t at_version, const MemTableTarget& target, MemTableBound bound) const;
  MemTableNode* ChildAt(uint64_t at_version, size_t index) const {
    return ChildAddress(at_version, index)->Load();
  }
  const MemTableShared<MemTableNode*>* ChildAddress(uint64_t at_version, size_t index) const {
    return &halves[HalfOf(at_version)].children[index];
  }
  // Brings near what Find reads.
  void PrefetchHeads() const;

  // --- For the writer.
  size_t count() const { return CountOf(version.Load()); }
  bool full() const { return count() == kSlots; }
  const MemTableRecord* separator(size_t index) const {
    return halves[HalfOf(version.Load())].separators[index].Load();
  }
  void Read(Image* image) const;
  void Publish(const Image& image);

  struct alignas(64) Half {
    MemTableShared<uint32_t> prefix_bytes;
    MemTableShared<const MemTableRecord*> prefix_check;
    alignas(64) MemTableShared<uint64_t> heads[kSlots];
    MemTableShared<const MemTableRecord*> separators[kSlots];
    MemTableShared<MemTableNode*> children[kSlots];
  };
  Half halves[2];
};

}  // namespace varve

#endif  // VARVE_ENGINE_MEMTABLE_NODE_H_
