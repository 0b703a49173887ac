// CompactionJob: merges neighbouring runs, one slice after another, from low keys to high.
//
// A slice reads the inputs from where the last one stopped, writes about one segment, and describes the
// change as one edit: its output joins the oldest input run (the target), inputs that are used up leave,
// those used up in part are trimmed. Segments of the inputs that overlap nothing and need no rewriting
// are moved, not copied. Between slices the store is whole (version.h), so the caller may do something
// more urgent, or stop.
#ifndef VARVE_ENGINE_COMPACTION_JOB_H_
#define VARVE_ENGINE_COMPACTION_JOB_H_

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/merge_filter.h"
#include "engine/run_iterator.h"
#include "engine/segment_output.h"
#include "engine/version.h"

namespace varve {

struct CompactionJobOptions {
  std::vector<uint64_t> run_ids;     // newest first, neighbours; the last is the target
  bool rewrite_all = false;          // moves nothing: every entry passes the filter
  bool idle = false;                 // rewrites segments for fewer expired entries
  std::set<uint64_t> empty_values;   // value-log files to move live values out of
};

struct CompactionSlice {
  VersionEdit edit;
  std::vector<SegmentMeta> moved;  // in edit.added_segments too
  std::vector<ValueLogHold> holds;  // of moved values, until the edit has been applied
  bool is_last = false;
  bool changed = false;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t kept_for_snapshots = 0;
  uint64_t entries = 0;
};

// Thread-compatible: one thread drives a job.
class CompactionJob {
 public:
  explicit CompactionJob(CompactionJobOptions options) : options_(std::move(options)) {}

  const std::vector<uint64_t>& run_ids() const { return options_.run_ids; }
  bool empties_values() const { return !options_.empty_values.empty(); }

  // Merges the next slice on the current `version`. `output` has the sequence up to which `rules` apply
  // range deletes; its run is chosen here. `values` is where live values go when files are
  // emptied. kAborted when `*stop` became true. On failure nothing has changed and the slice may be
  // tried again.
  Result<CompactionSlice> RunSlice(const std::shared_ptr<const Version>& version,
                                   const MergeRules& rules, SegmentOutputOptions output,
                                   ValueLogSet* values, const std::atomic<bool>& stop);
  // The slice's edit has been applied.
  void SliceApplied() { done_through_ = next_done_through_; }

 private:
  // What is left of one input run.
  struct Input {
    std::shared_ptr<const Run> run;
    size_t first = 0;  // first slice with something left
  };
  std::vector<Input> Remaining(const Version& version) const;
  // Smallest key that may be left in slice `index` of `input`, and whether it is exclusive.
  std::string_view LowerKeyOf(const Input& input, size_t index) const;
  bool MustRewrite(const SegmentSlice& slice, const MergeRules& rules, const Version& version,
                   SequenceNumber filtered_sequence) const;
  // Takes segments that overlap nothing into the target, or passes over those that are there already.
  bool MoveWhole(const std::vector<Input>& inputs, const MergeRules& rules, const Version& version,
                 SequenceNumber filtered_sequence, CompactionSlice* slice);
  Status Merge(const std::vector<Input>& inputs, const MergeRules& rules, SegmentOutput* output,
               ValueLogSet* values, const Version& version, const std::atomic<bool>& stop,
               CompactionSlice* slice);
  Status MoveValue(const Version& version, ValueLogSet* values, Entry* entry, CompactionSlice* slice);
  void DescribeInputs(const std::vector<Input>& inputs, CompactionSlice* slice) const;

  const CompactionJobOptions options_;
  std::optional<std::string> done_through_;  // keys up to here are final
  std::optional<std::string> next_done_through_;
  std::string value_buffer_;
  std::string pointer_buffer_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_COMPACTION_JOB_H_
