// MemTable: the newest changes of the store, in memory and in order.
//
// An ordered set of entries, one for each version of each key, to which entries are only added. The
// memory goes back as a whole with the last reference.
//
// One writer adds at a time; any number of threads read meanwhile, without locks. Readers never
// wait for the writer, not even for one that is suspended in the middle of an Add, and the writer
// never waits for readers.
//
// Visibility: an Add that happened-before a Get or a movement of a cursor (by any synchronisation,
// such as an acquire-load of a published sequence number) is seen by it. An Add that runs
// concurrently is seen whole or not at all. Whatever is added meanwhile, a cursor neither leaves
// out nor repeats an entry that was present before, and it always moves in order.
#ifndef VARVE_ENGINE_MEMTABLE_H_
#define VARVE_ENGINE_MEMTABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/chunk_pool.h"
#include "engine/memtable_arena.h"
#include "engine/memtable_filter.h"
#include "engine/memtable_tree.h"
#include "format/internal_key.h"
#include "format/stored_key.h"

namespace varve {

class MemTable {
 public:
  class Cursor;

  static constexpr size_t kMaxKeyBytes = kMaxStoredKeyBytes;
  static constexpr size_t kMaxValueBytes = size_t{512} << 20;

  // An empty memtable with one reference, which the caller owns. `expected_bytes` is the
  // memory_bytes() at which the caller means to stop adding; it sizes the filter and is no limit.
  // `pool` must outlive the memtable.
  static MemTable* Create(ChunkPool* pool, size_t expected_bytes);
  MemTable(const MemTable&) = delete;
  MemTable& operator=(const MemTable&) = delete;

  // Adds and drops a reference; the last one deletes the memtable. Thread-safe.
  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  // Adds an entry; key and value are copied. `key_hash` is Hash64(key), or any other function of
  // the key that Get and MayContain are given too. REQUIRES: one thread at a time, each call
  // happening-before the next; the sequence numbers of one key increase from call to call; sequence
  // <= kMaxSequence; key and value within the limits above. Returns the entry, which lives as long
  // as the memtable.
  const MemTableRecord* Add(SequenceNumber sequence, EntryKind kind, std::string_view key,
                            std::string_view value, uint64_t key_hash);

  // Finds the newest version of `key` with a sequence number of at most `max_sequence`, tombstones
  // included. Returns false, and leaves `*entry` alone, when there is none. The views in `*entry`
  // live as long as the memtable. Thread-safe.
  bool Get(std::string_view key, uint64_t key_hash, SequenceNumber max_sequence,
           Entry* entry) const;

  // False only when no entry of a key with this hash was added; true may be wrong, for about one
  // key in a hundred. Touches one cache line, which PrefetchFilter brings near, and none of an empty
  // memtable. Thread-safe.
  bool MayContain(uint64_t key_hash) const {
    return has_entries_.load(std::memory_order_relaxed) && filter_.MayContain(key_hash);
  }
  void PrefetchFilter(uint64_t key_hash) const {
    if (has_entries_.load(std::memory_order_relaxed)) filter_.Prefetch(key_hash);
  }

  // What follows in a Get, or with `inserts` in an Add, for groups of keys (MemTableTree). Thread-safe.
  void PrefetchLeaves(std::span<const std::string_view> keys, bool inserts,
                      const MemTableLeaf** leaves) const {
    tree_.PrefetchLeaves(keys, inserts, leaves);
  }
  static void PrefetchRecords(const MemTableLeaf& leaf, uint64_t key_hash);

  // Memory in use for entries, index and filter, in bytes. What is held in fact may be more by the
  // unused rest of one chunk. Thread-safe.
  size_t memory_bytes() const { return arena_.memory_bytes(); }
  uint64_t entry_count() const { return entry_count_.load(std::memory_order_acquire); }
  bool empty() const { return entry_count() == 0; }

 private:
  MemTable(ChunkPool* pool, size_t expected_bytes);
  ~MemTable() = default;

  std::atomic<uint32_t> references_{1};
  std::atomic<uint64_t> entry_count_{0};
  MemTableArena arena_;
  MemTableTree tree_;
  // What every read looks at first, on a line that the writer leaves alone after the first Add.
  alignas(64) std::atomic<bool> has_entries_{false};
  MemTableFilter filter_;
};

// A position among the entries of a memtable, in internal order: keys ascending, the versions of a
// key from the newest to the oldest. It holds no reference: the memtable must outlive it. About 600
// bytes, no allocation. Thread-compatible; cursors of different threads do not disturb each other.
class MemTable::Cursor {
 public:
  // Not valid until the first Seek.
  explicit Cursor(const MemTable* memtable) : tree_(&memtable->tree_) {}

  // Whether the cursor stands on an entry. Moving past either end makes it invalid; a Seek is the
  // way back.
  bool Valid() const { return index_ < run_.count; }

  void SeekToFirst() { Seek({}, kMaxSequence); }
  void SeekToLast();
  // To the first entry at or after (key, sequence).
  void Seek(std::string_view key, SequenceNumber sequence);
  // To the last entry at or before (key, sequence).
  void SeekForPrev(std::string_view key, SequenceNumber sequence);

  // REQUIRES: Valid().
  void Next();
  void Prev();

  // Its views live as long as the memtable. REQUIRES: Valid().
  Entry entry() const {
    const MemTableRecord* record = run_.records[index_];
    return {record->key(), record->value(), record->sequence(), record->kind()};
  }
  // The same as it lies there, for as long as the memtable lives. REQUIRES: Valid().
  const MemTableRecord* record() const { return run_.records[index_]; }

 private:
  // How many entries ahead the memory of entries is brought near.
  static constexpr size_t kPrefetchDistance = 8;

  void StandOnFirst();
  void StandOnLast();
  void Prefetch(size_t index) const;

  const MemTableTree* tree_;
  size_t index_ = 0;
  MemTableTree::Run run_;  // neighbours of the current entry, and the entry itself
};

}  // namespace varve

#endif  // VARVE_ENGINE_MEMTABLE_H_
