// CompactionPicker: decides which runs to merge next. A pure function of their sizes.
//
// Runs are ordered newest first; the last one is the oldest and normally holds most of the data. Only
// neighbours in age may be merged, and the result takes the place of the oldest of them.
//
// The policy is lazy leveling (Dayan and Idreos, Dostoevsky, 2018): young runs gather until there are
// `tier_runs` of similar size and are merged into one (cheap writes); the last run is merged with
// everything above it when what lies above could hide too much garbage (bounded space, one place to
// look). When the store is idle the bounds are tighter, so that a quiet store is small and fast to read.
#ifndef VARVE_ENGINE_COMPACTION_PICKER_H_
#define VARVE_ENGINE_COMPACTION_PICKER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "format/version_edit.h"

namespace varve {

struct RunSize {
  uint64_t logical_bytes = 0;  // with the separated values that its entries point to
  uint64_t tombstones = 0;
  uint64_t entries = 0;
  bool has_expired = false;  // a segment of it HasManyExpired
};

struct CompactionInput {
  std::vector<RunSize> runs;  // newest first
  uint64_t value_log_bytes = 0;
  uint64_t value_log_dead_bytes = 0;  // known to be referenced by no segment
  uint64_t segment_bytes = 0;         // on disk
  bool has_covered_entries = false;   // segments that a range delete covers partly
  bool has_unmerged_versions = false;  // the last run holds overwritten versions kept for a snapshot now gone
};

struct CompactionPolicy {
  size_t tier_runs = 8;
  double space_amplification_target = 1.5;
  uint64_t small_run_bytes = 0;  // runs up to this size count as similar
};

// Runs [first, last] by index in CompactionInput::runs.
struct CompactionPick {
  size_t first = 0;
  size_t last = 0;
  bool rewrites_values = false;  // move live values out of value-log files with much garbage
  bool rewrites_all = false;     // pass every entry through the filter, also where nothing overlaps
  const char* reason = "";
};

// Whether so much of a segment has expired at `now` that it is worth writing it again: a quarter of its
// bytes. When idle a sixteenth is enough, unless twice as much will have expired when as much time again
// has passed as since the first deadline: it would be written again and again while that goes on.
bool HasManyExpired(const SegmentMeta& meta, uint64_t now, bool idle);

// nullopt: nothing to do.
std::optional<CompactionPick> PickCompaction(const CompactionInput& input,
                                             const CompactionPolicy& policy, bool idle);

}  // namespace varve

#endif  // VARVE_ENGINE_COMPACTION_PICKER_H_
