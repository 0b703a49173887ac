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
#ifndef VARVE_ENGINE_RANGE_TOMBSTONES_H_
#define VARVE_ENGINE_RANGE_TOMBSTONES_H_

#include <memory>
#include <optional>
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
  // The deletes of both. O(n).
  RangeTombstones(const RangeTombstones& a, const RangeTombstones& b,
                  std::vector<SequenceNumber> boundaries);

  bool empty() const { return fragments_.empty(); }
  size_t size() const { return fragments_.size(); }
  const std::vector<Fragment>& fragments() const { return fragments_; }  // disjoint, ascending

  // The sequence of the newest delete at or before `read_sequence` that covers `key`; 0 when none.
  // O(log n).
  SequenceNumber MaxCovering(std::string_view key, SequenceNumber read_sequence) const;

  // The sequence of the newest delete that covers a key in [begin, end), without `end`: from begin on; 0
  // when none. O(log n + fragments in the range).
  SequenceNumber NewestOver(std::string_view begin, std::string_view end) const;

  // The fragment that contains `key`, or nullptr.
  const Fragment* Find(std::string_view key) const;
  // Index of the first fragment that begins after `key`; size() when none does.
  size_t FirstAfter(std::string_view key) const;

  static SequenceNumber NewestAtMost(const Fragment& fragment, SequenceNumber read_sequence);

 private:
  // Where a delete begins or ends.
  struct Event {
    std::string_view key;
    SequenceNumber sequence;
    bool opens;
  };
  static void AppendEvents(const RangeTombstones& from, std::vector<Event>* events);
  // `events` ascending by key.
  void Build(const std::vector<Event>& events, std::vector<SequenceNumber> boundaries);

  std::vector<Fragment> fragments_;
};

// Range deletes that come in one after another: immutable levels of RangeTombstones, each larger than the
// next, which is a new delete or a merge of many. Adding one costs O(log n) amortised, a copy shares the
// levels, and readers of a copy see nothing of what is added later.
// Thread-compatible.
class RangeTombstoneSet {
 public:
  RangeTombstoneSet() = default;
  RangeTombstoneSet(const std::vector<RangeTombstone>& tombstones,
                    const std::vector<SequenceNumber>& boundaries) {
    Add(tombstones, boundaries);
  }

  // `boundaries` as in RangeTombstones.
  void Add(const std::vector<RangeTombstone>& tombstones,
           const std::vector<SequenceNumber>& boundaries);
  // Takes in the levels of `other`, as they are. O(levels).
  void Include(const RangeTombstoneSet& other);

  bool empty() const { return levels_.empty(); }
  // Fragments, over all levels.
  size_t size() const;
  size_t level_count() const { return levels_.size(); }

  // As in RangeTombstones. O(log^2 n).
  SequenceNumber MaxCovering(std::string_view key, SequenceNumber read_sequence) const;
  SequenceNumber NewestOver(std::string_view begin, std::string_view end) const;

  // A stretch of keys that for one reader are all deleted at the same sequence, or all not deleted (0).
  struct Stretch {
    std::string_view begin;
    std::string_view end;
    bool has_end = false;  // false: it goes on to the last key
    SequenceNumber sequence = 0;

    bool Contains(std::string_view key) const { return key >= begin && (!has_end || key < end); }
  };
  // The one around `key`. The views live as long as the levels. O(log^2 n).
  Stretch StretchAround(std::string_view key, SequenceNumber read_sequence) const;

 private:
  std::vector<std::shared_ptr<const RangeTombstones>> levels_;  // none is empty
};

}  // namespace varve

#endif  // VARVE_ENGINE_RANGE_TOMBSTONES_H_
