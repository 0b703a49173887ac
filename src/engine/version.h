// Version: which files make up the store at one moment. Immutable; readers pin one.
//
//   runs, newest first; a run is a list of segments that do not overlap, ascending
//
//     run 9   [a..f] [g..p]           an entry in a younger run is newer than any entry of the same
//     run 7   [a.........z]           key in an older run
//     run 3   [a..c] [d..k] [l..z]
//
// A merge takes neighbouring runs and proceeds in slices from low keys to high: its output replaces the
// low part of the oldest of them, segments that are used up leave, and those used up in part are trimmed
// (entries with key <= trim do not count any more). After every slice the version is whole, so that a
// merge can be interrupted, resumed or forgotten, and needs little extra space.
//
// Range deletes belong to the version, not to segments (range_tombstones.h).
#ifndef VARVE_ENGINE_VERSION_H_
#define VARVE_ENGINE_VERSION_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/segment_reader.h"
#include "engine/value_log_set.h"
#include "format/version_edit.h"

namespace varve {

// A segment as part of a run.
struct SegmentSlice {
  std::shared_ptr<SegmentReader> segment;
  std::optional<std::string> trim;       // entries with key <= trim are not part of it
  SequenceNumber filtered_sequence = 0;  // range deletes up to here have been applied

  const SegmentMeta& meta() const { return segment->meta(); }
  bool Contains(std::string_view key) const {
    return key >= meta().smallest_key && key <= meta().largest_key && !(trim && key <= *trim);
  }
};

// Immutable.
class Run {
 public:
  Run(uint64_t id, std::vector<SegmentSlice> slices);

  uint64_t id() const { return id_; }
  const std::vector<SegmentSlice>& slices() const { return slices_; }
  uint64_t logical_bytes() const { return logical_bytes_; }
  uint64_t disk_bytes() const { return disk_bytes_; }
  uint64_t entry_count() const { return entry_count_; }
  uint64_t tombstone_count() const { return tombstone_count_; }

  // The slice that may hold `key`, or nullptr. O(log segments).
  const SegmentSlice* Find(std::string_view key) const;
  // Index of the first slice whose largest key is >= `key`; slices().size() when none is.
  size_t FirstAtOrAfter(std::string_view key) const;

 private:
  const uint64_t id_;
  const std::vector<SegmentSlice> slices_;
  // KeyHead of each slice's largest and smallest key. Most searches touch no key.
  std::vector<uint64_t> largest_heads_;
  std::vector<uint64_t> smallest_heads_;
  uint64_t logical_bytes_ = 0;
  uint64_t disk_bytes_ = 0;
  uint64_t entry_count_ = 0;
  uint64_t tombstone_count_ = 0;
};

// Immutable.
class Version {
 public:
  Version() = default;

  const std::vector<std::shared_ptr<const Run>>& runs() const { return runs_; }  // newest first
  const std::vector<RangeTombstone>& range_tombstones() const { return range_tombstones_; }
  // Of all changes that are in it, seen by readers or not; 0: there are none. O(segments and range deletes).
  SequenceNumber largest_sequence() const;
  const std::map<uint64_t, std::shared_ptr<ValueLogFile>>& value_logs() const { return value_logs_; }
  // Bytes of each value-log file that entries of segments refer to; overwritten entries count until they
  // are merged away.
  const std::map<uint64_t, uint64_t>& value_refs() const { return value_refs_; }

  const Run* FindRun(uint64_t id) const;

  // The version after `edit`. `new_segments` holds the readers of edit.added_segments in order;
  // `value_logs` the files that exist then. kCorruption when the edit does not fit.
  Result<std::shared_ptr<const Version>> Apply(
      const VersionEdit& edit, const std::vector<std::shared_ptr<SegmentReader>>& new_segments,
      std::map<uint64_t, std::shared_ptr<ValueLogFile>> value_logs) const;

  // Everything this version consists of, as one edit on an empty version.
  VersionEdit Describe() const;

 private:
  void CountValueRefs();

  std::vector<std::shared_ptr<const Run>> runs_;
  std::vector<RangeTombstone> range_tombstones_;
  std::map<uint64_t, std::shared_ptr<ValueLogFile>> value_logs_;
  std::map<uint64_t, uint64_t> value_refs_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_VERSION_H_
