// MemTableTree: the ordered index of a memtable, a B+-tree over records of an arena.
//
// One writer inserts; any number of readers search without locks. Neither ever waits for the other:
// a reader that was overtaken by the writer starts its search again, and a writer that is suspended
// anywhere leaves every node readable. memtable_node.h says how nodes are read and changed;
// memtable_tree.cc says in what order the steps of a split become visible.
#ifndef VARVE_ENGINE_MEMTABLE_TREE_H_
#define VARVE_ENGINE_MEMTABLE_TREE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/memtable_arena.h"
#include "format/internal_key.h"

namespace varve {

struct MemTableNode;
struct MemTableLeaf;
struct MemTableInner;
struct MemTableTarget;
enum class MemTableBound;

// One version of one key as it lies in the arena: this header, the key, the value. Immutable.
struct MemTableRecord {
  uint64_t tag;  // sequence << 8 | kind
  uint32_t value_bytes;
  uint32_t key_bytes;

  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  std::string_view key() const { return {data(), key_bytes}; }
  std::string_view value() const { return {data() + key_bytes, value_bytes}; }
  SequenceNumber sequence() const { return tag >> 8; }
  EntryKind kind() const { return static_cast<EntryKind>(tag & 0xff); }
};

class MemTableTree {
 public:
  static constexpr size_t kLeafSlots = 64;

  // A copy of neighbouring records of one leaf, for cursors to walk through.
  struct Run {
    size_t count = 0;
    const MemTableRecord* next = nullptr;  // the first record after the run; nullptr = none
    const MemTableLeaf* leaf = nullptr;    // where the run was copied from,
    uint64_t version = 0;                  // and what the leaf's version was then
    const MemTableRecord* records[kLeafSlots];
  };

  // `arena` must outlive the tree, which allocates its nodes there.
  explicit MemTableTree(MemTableArena* arena);
  MemTableTree(const MemTableTree&) = delete;
  MemTableTree& operator=(const MemTableTree&) = delete;

  // Adds `record`, which must lie in memory as long as the tree. `tag` is any function of its key.
  // O(log n). REQUIRES: one thread at a time; no record of the same key and sequence number is
  // present.
  void Insert(const MemTableRecord* record, uint8_t tag);

  // The newest version of `key`, whose tag is `tag`, with a sequence number of at most `sequence`;
  // nullptr when there is none.
  const MemTableRecord* Find(std::string_view key, uint8_t tag, SequenceNumber sequence) const;

  // The ways of searches that are to come, all together, so that their cache misses overlap. They look at nodes
  // that may be changing under them: what they find is only a guess, and they change no result. Thread-safe.
  // What Find, or with `inserts` Insert, reads of the leaves where `keys` belong. REQUIRES: at most kGroup keys.
  static constexpr size_t kGroup = 16;
  void PrefetchLeaves(std::span<const std::string_view> keys, bool inserts,
                      const MemTableLeaf** leaves) const;
  // Then the records of a leaf that have this tag.
  static void PrefetchRecords(const MemTableLeaf& leaf, uint8_t tag);

  // Each fills `run` with records of one leaf; it stays empty when there is no record to find.
  // From the first record at or after / strictly after (key, sequence):
  void LoadAtOrAfter(std::string_view key, SequenceNumber sequence, Run* run) const;
  void LoadAfter(std::string_view key, SequenceNumber sequence, Run* run) const;
  // Up to the last record at or before / strictly before (key, sequence):
  void LoadAtOrBefore(std::string_view key, SequenceNumber sequence, Run* run) const;
  void LoadBefore(std::string_view key, SequenceNumber sequence, Run* run) const;
  // Up to the last record of all:
  void LoadLast(Run* run) const;
  // Whether nothing was inserted into the range of the run's leaf since the run was loaded.
  static bool IsCurrent(const Run& run);

 private:
  struct PathStep;
  struct Path;
  enum class Route;

  template <typename Prefetch, typename Visit>
  void ReadLeaf(Route route, const MemTableTarget& target, Prefetch prefetch, Visit visit) const;
  template <typename Visit>
  void ReadLeaf(Route route, const MemTableTarget& target, Visit visit) const;
  void LoadForward(MemTableTarget target, MemTableBound skipped, Run* run) const;

  bool TryAppend(const MemTableRecord* record, uint8_t tag);
  void Descend(const MemTableRecord* record, Path* path) const;
  void MakeRoomAbove(const MemTableRecord* record, Path* path);
  void GrowRoot();
  void SplitInner(const Path& path, size_t depth);
  void LinkRight(const PathStep& parent, MemTableNode* left, const MemTableRecord* separator,
                 MemTableNode* right);
  void RebuildLeaf(Path* path, const MemTableRecord* record);
  void SplitLeafAndInsert(const Path& path, size_t position, const MemTableRecord* record,
                          uint8_t tag);
  template <typename Node, typename... Args>
  Node* New(Args... args);

  MemTableArena* const arena_;
  std::atomic<MemTableNode*> root_;

  // Owned by the writer: the rightmost leaf and its last record, for keys that come in order.
  MemTableLeaf* last_leaf_;
  const MemTableRecord* last_record_ = nullptr;
};

}  // namespace varve

#endif  // VARVE_ENGINE_MEMTABLE_TREE_H_
