// RangeTombstones: which keys DeleteRange has deleted, and when.
//
// Range deletes are kept apart from keys: in the log, then beside the memtable, then in the manifest
// (never inside segments). Readers ask one immutable set of disjoint fragments:
//
//   deletes:    [a ......... m) at 10        fragments:  [a,f) {10}
//                    [f ......... t) at 25               [f,m) {25,10}   newest first
//                                                        [m,t) {25}
//
// A delete goes out of the set when no segment can hold an entry that it covers (version.h).
//
// Fragments lie in chunks, which sets share: adding one delete to a set of n fragments copies the chunks
// that it touches, and n / kChunkFragments pointers.
#ifndef VARVE_ENGINE_RANGE_TOMBSTONES_H_
#define VARVE_ENGINE_RANGE_TOMBSTONES_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "format/internal_key.h"
#include "format/version_edit.h"

namespace varve {

// Immutable after construction; thread-safe.
class RangeTombstones {
 public:
  struct Fragment {
    std::string begin;
    std::string end;
    std::vector<SequenceNumber> sequences;  // descending
  };

  RangeTombstones() = default;
  // O(n log n). Of the deletes over one fragment only those are kept that some reader can tell apart:
  // `boundaries` are the sequences of live snapshots and the visible one, in any order.
  RangeTombstones(const std::vector<RangeTombstone>& tombstones,
                  std::vector<SequenceNumber> boundaries);

  // This set and one more delete. What it does not touch stays as it is, whatever the boundaries.
  RangeTombstones With(const RangeTombstone& added, std::vector<SequenceNumber> boundaries) const;

  bool empty() const { return chunks_.empty(); }
  // Number of fragments.
  size_t size() const { return size_; }

  // The sequence of the newest delete at or before `read_sequence` that covers `key`; 0 when none.
  // O(log n).
  SequenceNumber MaxCovering(std::string_view key, SequenceNumber read_sequence) const;

  // The fragment that contains `key`, or nullptr. Lets a scan leap over a deleted range.
  const Fragment* Find(std::string_view key) const;

  static SequenceNumber NewestAtMost(const Fragment& fragment, SequenceNumber read_sequence);

 private:
  static constexpr size_t kChunkFragments = 64;
  using Fragments = std::vector<Fragment>;  // disjoint, ascending
  using Chunk = std::shared_ptr<const Fragments>;

  // The fragments that `tombstones` make; `boundaries` are sorted.
  static Fragments Split(const std::vector<RangeTombstone>& tombstones,
                         const std::vector<SequenceNumber>& boundaries);
  // Appends them as chunks.
  void Append(Fragments fragments);

  std::vector<Chunk> chunks_;  // none is empty; disjoint, ascending
  size_t size_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_RANGE_TOMBSTONES_H_
