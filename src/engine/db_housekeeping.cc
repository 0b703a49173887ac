// What goes when it is not needed any more: range deletes, value-log files, logs; and the log's helper.
#include <algorithm>
#include <set>

#include "base/epoch.h"
#include "base/planted_bug.h"
#include "engine/db_impl.h"

namespace varve {

namespace {

constexpr size_t kMaxSpareLogs = 3;

// --- Housekeeping that goes with every edit: range deletes that hide nothing any more, value-log files
// that nothing points into.

// Calls `visit(run, slice)` for the segments of `version` that overlap `range`, until it returns false.
// False when it did. O(runs log segments) and the segments.
template <typename Visit>
bool ForEachOverlapping(const Version& version, const RangeTombstone& range, const Visit& visit) {
  for (const auto& run : version.runs()) {
    for (size_t i = run->FirstAtOrAfter(range.begin); i < run->slices().size(); ++i) {
      const SegmentSlice& slice = run->slices()[i];
      if (slice.meta().smallest_key >= range.end) break;
      if (!visit(*run, slice)) return false;
    }
  }
  return true;
}

// Whether no entry of `version`, nor of the segments that `edit` adds, can be hidden by `tombstone`.
// `removed`: files that leave in `edit`.
bool HidesNothing(const RangeTombstone& tombstone, const Version& version, const VersionEdit& edit,
                  const std::set<uint64_t>& removed) {
  const auto may_hold = [&](const SegmentMeta& meta, SequenceNumber filtered) {
    return meta.smallest_sequence < tombstone.sequence && filtered < tombstone.sequence;
  };
  for (const SegmentMeta& meta : edit.added_segments) {
    if (meta.largest_key >= tombstone.begin && meta.smallest_key < tombstone.end &&
        may_hold(meta, meta.filtered_sequence)) {
      return false;
    }
  }
  return ForEachOverlapping(version, tombstone, [&](const Run&, const SegmentSlice& slice) {
    return removed.contains(slice.meta().file_number) ||
           !may_hold(slice.meta(), slice.filtered_sequence);
  });
}

std::set<uint64_t> RemovedFiles(const VersionEdit& edit) {
  std::set<uint64_t> removed;
  for (const SegmentRef& ref : edit.removed_segments) removed.insert(ref.file_number);
  return removed;
}

// Segments that a range delete visible to every reader covers whole.
void DropCoveredSegments(const Version& version, SequenceNumber seen_by_all, VersionEdit* edit) {
  std::set<uint64_t> removed = RemovedFiles(*edit);
  for (const RangeTombstone& tombstone : version.range_tombstones()) {
    if (tombstone.sequence > seen_by_all) continue;
    ForEachOverlapping(version, tombstone, [&](const Run& run, const SegmentSlice& slice) {
      const SegmentMeta& meta = slice.meta();
      if (meta.largest_sequence < tombstone.sequence && meta.smallest_key >= tombstone.begin &&
          (meta.largest_key < tombstone.end ||
           VARVE_PLANTED_BUG("merge.drops_half_covered_segments")) &&
          removed.insert(meta.file_number).second) {
        edit->removed_segments.push_back({run.id(), meta.file_number});
        std::erase_if(edit->segment_trims, [&](const SegmentTrim& trim) {
          return trim.file_number == meta.file_number;
        });
      }
      return true;
    });
  }
}

}  // namespace

bool DbImpl::DropExpiredSegments(const Version& version, VersionEdit* edit) {
  const std::unique_ptr<MergeContext> context = NewMergeContext({}, false);
  const SequenceNumber seen_by_all = context->rules.boundaries.front();
  const auto& runs = version.runs();
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const SegmentSlice& slice : runs[i]->slices()) {
      const SegmentMeta& meta = slice.meta();
      const ExpirySummary& expiry = meta.expiry;
      if (expiry.empty() || expiry.max_deadline > context->rules.expired_until ||
          expiry.entry_count + meta.tombstone_count < meta.entry_count ||
          meta.largest_sequence > seen_by_all) {
        continue;
      }
      // As tombstones its entries may still hide what is older.
      const bool hides = std::any_of(runs.begin() + static_cast<ptrdiff_t>(i) + 1, runs.end(),
                                     [&](const auto& older) {
        const size_t at = older->FirstAtOrAfter(meta.smallest_key);
        return at < older->slices().size() &&
               older->slices()[at].meta().smallest_key <= meta.largest_key;
      });
      if (!hides) edit->removed_segments.push_back({runs[i]->id(), meta.file_number});
    }
  }
  return !edit->removed_segments.empty();
}

void DbImpl::CompleteEdit(const Version& base, bool may_drop, VersionEdit* edit) {
  // Before the memtables are asked: a file that comes into use in between is held or noted by then.
  const auto unused = values_.UnusedFiles();
  SequenceNumber seen_by_all;
  std::set<uint64_t> in_memory;
  {
    MutexLock lock(&mu_);
    seen_by_all = BoundariesLocked().front();
    const auto note = [&](const MemTableSlot& slot) {
      for (const auto& file : slot.value_logs) in_memory.insert(file->number());
    };
    for (const auto& slot : immutables_) note(*slot);
    if (active_shared_ != nullptr) note(*active_shared_);
  }
  // Only in edits of the compaction thread: a merge under way counts on its inputs.
  if (may_drop) DropCoveredSegments(base, seen_by_all, edit);
  const std::set<uint64_t> removed = RemovedFiles(*edit);
  const auto is_done = [&](const RangeTombstone& tombstone) {
    return tombstone.sequence <= seen_by_all && HidesNothing(tombstone, base, *edit, removed);
  };
  for (const RangeTombstone& tombstone : base.range_tombstones()) {
    if (is_done(tombstone)) edit->removed_range_tombstones.push_back(tombstone);
  }
  // What deleted entries of the memtables that are being flushed only need not go into the version.
  std::erase_if(edit->added_range_tombstones, is_done);
  std::map<uint64_t, uint64_t> refs = base.value_refs();
  const auto forget = [&](const SegmentRef& ref) {
    for (const SegmentSlice& slice : base.FindRun(ref.run_id)->slices()) {
      if (slice.meta().file_number != ref.file_number) continue;
      for (const ValueLogRef& value : slice.meta().value_refs) refs[value.file_number] -= value.bytes;
    }
  };
  for (const SegmentRef& ref : edit->removed_segments) forget(ref);
  for (const SegmentMeta& meta : edit->added_segments) {
    for (const ValueLogRef& value : meta.value_refs) refs[value.file_number] += value.bytes;
  }
  for (const auto& file : unused) {
    if (refs[file->number()] == 0 &&
        (!in_memory.contains(file->number()) ||
         VARVE_PLANTED_BUG("value_log.removed_while_memory_points_there"))) {
      edit->removed_value_logs.push_back(file->number());
    }
  }
}

// --- Logs that are not needed any more.

void DbImpl::RetireLogs() {
  std::vector<std::shared_ptr<LogFile>> retired;
  {
    MutexLock lock(&mu_);
    if (retired_logs_.empty()) return;
  }
  {
    CommitLockHolder lock(&commit_lock_);
    MutexLock mu_lock(&mu_);
    retired.swap(retired_logs_);
    std::erase_if(unsynced_logs_, [&](const auto& log) {
      return std::find(retired.begin(), retired.end(), log) != retired.end();
    });
  }
  for (auto& log : retired) {
    // A sync leader or an old reader may still hold it; then it waits for the next round.
    if (log.use_count() > 1) {
      MutexLock lock(&mu_);
      retired_logs_.push_back(std::move(log));
      continue;
    }
    const std::string path = log->path();
    bool keep = false;
    {
      MutexLock lock(&mu_);
      keep = spare_logs_.size() < kMaxSpareLogs && background_error_.ok();
    }
    if (keep && log->CloseForReuse().ok()) {
      MutexLock lock(&mu_);
      spare_logs_.push_back(path);
    } else {
      (void)log->Close();
      DoomFile(path);
    }
  }
}

void DbImpl::LogHelperLoop() {
  while (true) {
    std::shared_ptr<MemTableSlot> slot;
    {
      MutexLock lock(&mu_);
      if (stop_.load(std::memory_order_relaxed)) return;
      slot = active_shared_;
    }
    bool again = slot->log != nullptr && slot->log->NeedsPreparing();
    if (again) again = slot->log->PrepareAhead() && slot->log->NeedsPreparing();
    slot.reset();
    RetireOldSupers();
    RetireLogs();
    RemoveDoomedFiles();
    EpochCollect();  // what has been retired since the last round number
    MutexLock lock(&mu_);
    if (stop_.load(std::memory_order_relaxed)) return;
    if (!again) helper_work_.WaitFor(&mu_, kHelperPollMicros);
  }
}

void DbImpl::DoomFile(std::string path) {
  MutexLock lock(&doomed_mu_);
  doomed_files_.push_back(std::move(path));
}

void DbImpl::RemoveDoomedFiles() {
  std::vector<std::string> doomed;
  {
    MutexLock lock(&doomed_mu_);
    if (doomed_holds_ > 0) return;  // somebody is about to open what may be among them
    doomed.swap(doomed_files_);
  }
  for (const std::string& path : doomed) (void)env_->RemoveFile(path);
}

}  // namespace varve
