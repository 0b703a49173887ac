// Flush, compaction and the log's helper: what happens by itself.
#include <algorithm>

#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/memtable_iterator.h"
#include "engine/merging_iterator.h"
#include "format/filename.h"
#include "format/value_log.h"

namespace varve {

namespace {

// How long a background thread waits before it tries again what failed (a full disk, say).
constexpr uint64_t kRetryMicros = 200'000;
constexpr uint64_t kIdlePollMicros = 100'000;
// A value-log file is worth emptying from this share of dead bytes on.
constexpr double kDeadShareToEmpty = 0.10;
constexpr size_t kMaxSpareLogs = 3;

}  // namespace

void DbImpl::ReportBackgroundError(const char* what, const Status& status) {
  events_.Add(std::string(what) + " failed: " + status.ToString());
  MutexLock lock(&mu_);
  background_error_ = status.WithContext(what);
  progress_.NotifyAll();
}

// --- What merges may drop.

std::vector<SequenceNumber> DbImpl::BoundariesLocked() {
  std::vector<SequenceNumber> boundaries(snapshots_.begin(), snapshots_.end());
  boundaries.push_back(visible_sequence_.load(std::memory_order_acquire));
  return boundaries;
}

std::unique_ptr<DbImpl::MergeContext> DbImpl::NewMergeContext(
    const std::vector<std::shared_ptr<MemTableSlot>>& flushing, bool is_bottom) {
  auto context = std::make_unique<MergeContext>();
  // Range deletes are applied when they are as durable as what they delete: those of the version, and
  // those that go into it together with this flush. Others are in the log only, which a loss of power
  // may take back.
  std::vector<RangeTombstone> durable;
  SequenceNumber lowest_other = kMaxSequence;
  MutexLock lock(&mu_);
  context->rules.boundaries = BoundariesLocked();
  durable = versions_.current()->range_tombstones();
  const auto add = [&](const std::shared_ptr<MemTableSlot>& slot) {
    const bool is_flushing = std::find(flushing.begin(), flushing.end(), slot) != flushing.end();
    for (const RangeTombstone& tombstone : slot->range_tombstones) {
      if (is_flushing) {
        durable.push_back(tombstone);
      } else {
        lowest_other = std::min(lowest_other, tombstone.sequence);
      }
    }
  };
  for (const auto& slot : immutables_) add(slot);
  add(active_shared_);
  context->filtered_sequence = std::min(context->rules.boundaries.front(), lowest_other - 1);
  if (!durable.empty()) context->tombstones = RangeTombstones(durable, context->rules.boundaries);
  context->rules.tombstones = &context->tombstones;
  context->rules.expired_until = store_clock_.Now();
  context->rules.is_bottom = is_bottom;
  context->rules.forget_sequences = is_bottom && durable.empty() && lowest_other == kMaxSequence;
  return context;
}

SegmentOutputOptions DbImpl::OutputOptions(uint64_t run_id, bool is_bottom, bool is_flush) {
  SegmentOutputOptions options;
  options.env = env_;
  options.dir = dir_;
  options.run_id = run_id;
  options.compression = options_.compression;
  if (options_.compression == Compression::kAuto) {
    options.compression = is_flush    ? Compression::kNone
                          : is_bottom ? Compression::kZstd
                                      : Compression::kLz4;
  }
  options.hash_salt = context_.hash_salt;
  options.now_millis = store_clock_.Now();
  options.target_bytes = tuning_.segment_bytes;
  options.next_file_number = [this] { return versions_.NextFileNumber(); };
  return options;
}

void DbImpl::InstallSuperVersion() {
  auto super = std::make_unique<SuperVersion>();
  super->active = active_shared_;
  super->immutables.assign(immutables_.rbegin(), immutables_.rend());
  super->version = versions_.current();
  std::vector<RangeTombstone> all = super->version->range_tombstones();
  const auto add = [&](const MemTableSlot& slot) {
    all.insert(all.end(), slot.range_tombstones.begin(), slot.range_tombstones.end());
  };
  for (const auto& slot : immutables_) add(*slot);
  if (active_shared_ != nullptr) add(*active_shared_);
  if (!all.empty()) super->tombstones = RangeTombstones(all, BoundariesLocked());
  run_count_.store(static_cast<uint32_t>(super->version->runs().size()), std::memory_order_relaxed);
  // Release: the super version is complete. Readers may still hold the old one until the epoch is over.
  SuperVersion* old = super_version_.exchange(super.release(), std::memory_order_acq_rel);
  // Retiring runs the deleters of whatever is due, which is no work to do under a lock.
  if (old != nullptr) old_supers_.push_back(old);
}

void DbImpl::RetireOldSupers() {
  std::vector<SuperVersion*> old;
  {
    MutexLock lock(&mu_);
    old.swap(old_supers_);
  }
  for (SuperVersion* super : old) {
    EpochRetire(super, [](void* retired) { static_cast<SuperVersion*>(retired)->Unref(); });
  }
  if (!old.empty()) EpochCollect();
}

// --- Flush: immutable memtables become one run.

void DbImpl::FlushLoop() {
  while (true) {
    std::vector<std::shared_ptr<MemTableSlot>> slots;
    {
      MutexLock lock(&mu_);
      while (!stop_.load(std::memory_order_relaxed) && (immutables_.empty() || !fatal_.ok())) {
        work_.Wait(&mu_);
      }
      if (stop_.load(std::memory_order_relaxed)) return;
      slots.assign(immutables_.begin(), immutables_.end());
      is_flushing_ = true;
    }
    Status status = FlushImmutables(slots);
    slots.clear();
    RetireLogs();
    {
      MutexLock lock(&mu_);
      is_flushing_ = false;
      ++flush_attempts_;
      background_error_ = status.ok() ? Status::Ok() : status.WithContext("flush");
      compaction_is_due_ = true;
      work_.NotifyAll();
      progress_.NotifyAll();
    }
    if (status.ok() || status.code() == StatusCode::kAborted) continue;
    ReportBackgroundError("flush", status);
    if (versions_.is_broken()) Fail(status);
    MutexLock lock(&mu_);
    if (!stop_.load(std::memory_order_relaxed)) work_.WaitFor(&mu_, kRetryMicros);
  }
}

Status DbImpl::FlushImmutables(const std::vector<std::shared_ptr<MemTableSlot>>& slots) {
  // The log has the pointers to these values, so the values go first.
  if (Status status = values_.Sync(); !status.ok()) {
    Fail(status);
    return status;
  }
  const std::unique_ptr<MergeContext> context = NewMergeContext(slots, /*is_bottom=*/false);
  uint64_t run_id;
  {
    MutexLock lock(&mu_);
    run_id = next_run_id_++;
  }
  SegmentOutputOptions options = OutputOptions(run_id, /*is_bottom=*/false, /*is_flush=*/true);
  options.filtered_sequence = context->filtered_sequence;
  SegmentOutput output(std::move(options));

  std::vector<std::unique_ptr<InternalIterator>> sources;
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    sources.push_back(std::make_unique<MemTableIterator>((*slot)->memtable));
  }
  auto merged = NewMergingIterator(std::move(sources));
  MergeFilter filter(context->rules);
  uint64_t count = 0;
  for (merged->SeekToFirst(); merged->Valid(); merged->Next()) {
    if ((++count & 1023) == 0 && stop_.load(std::memory_order_relaxed)) {
      return Status::Aborted("the store is closing");
    }
    Entry entry = merged->entry();
    if (filter.Keep(&entry)) VARVE_RETURN_IF_ERROR(output.Add(entry));
  }
  VARVE_RETURN_IF_ERROR(output.Finish());

  VersionEdit edit;
  edit.added_segments = output.Release();
  if (!edit.added_segments.empty()) edit.added_runs.push_back(run_id);
  for (const auto& slot : slots) {
    edit.added_range_tombstones.insert(edit.added_range_tombstones.end(),
                                       slot->range_tombstones.begin(),
                                       slot->range_tombstones.end());
  }
  {
    MutexLock lock(&mu_);
    edit.oldest_log_number = slots.size() < immutables_.size() ? immutables_[slots.size()]->log_number
                                                               : active_shared_->log_number;
    kept_for_snapshots_ += filter.kept_for_snapshots();
  }
  const uint64_t written = output.written_bytes();
  VARVE_RETURN_IF_ERROR(ApplyEdit(std::move(edit), &slots));
  flush_bytes_.fetch_add(written, std::memory_order_relaxed);
  flush_count_.fetch_add(1, std::memory_order_relaxed);
  events_.Add("flushed " + std::to_string(count) + " entries into " + std::to_string(written) +
              " bytes, run " + std::to_string(run_id));
  return Status::Ok();
}

Status DbImpl::ApplyEdit(VersionEdit edit, const std::vector<std::shared_ptr<MemTableSlot>>* flushed) {
  // Segments may hold changes that are not visible yet; their numbers must not be given out again.
  SequenceNumber last = visible_sequence_.load(std::memory_order_acquire);
  for (const SegmentMeta& meta : edit.added_segments) last = std::max(last, meta.largest_sequence);
  for (const RangeTombstone& tombstone : edit.added_range_tombstones) {
    last = std::max(last, tombstone.sequence);
  }
  return versions_.Apply(
      std::move(edit), last,
      [this, flushed](const Version& base, VersionEdit* complete) {
        CompleteEdit(base, flushed == nullptr, complete);
      },
      [this, flushed](const std::shared_ptr<const Version>&) {
        MutexLock lock(&mu_);
        if (flushed != nullptr) {
          for (size_t i = 0; i < flushed->size(); ++i) {
            if (immutables_.front()->log != nullptr) {
              retired_logs_.push_back(immutables_.front()->log);
            } else {
              DoomFile(JoinPath(dir_, WalFileName(immutables_.front()->log_number)));
            }
            immutables_.pop_front();
          }
          immutable_count_.store(static_cast<uint32_t>(immutables_.size()),
                                 std::memory_order_relaxed);
        }
        InstallSuperVersion();
        progress_.NotifyAll();
      });
}

// --- Housekeeping that goes with every edit: range deletes that hide nothing any more, value-log files
// that nothing points into.

namespace {

bool HidesNothing(const RangeTombstone& tombstone, const Version& version, const VersionEdit& edit) {
  const auto removed = [&](uint64_t file_number) {
    return std::any_of(edit.removed_segments.begin(), edit.removed_segments.end(),
                       [&](const SegmentRef& ref) { return ref.file_number == file_number; });
  };
  const auto may_hold = [&](const SegmentMeta& meta, SequenceNumber filtered) {
    return meta.largest_key >= tombstone.begin && meta.smallest_key < tombstone.end &&
           meta.smallest_sequence < tombstone.sequence && filtered < tombstone.sequence;
  };
  for (const SegmentMeta& meta : edit.added_segments) {
    if (may_hold(meta, meta.filtered_sequence)) return false;
  }
  for (const auto& run : version.runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      if (!removed(slice.meta().file_number) && may_hold(slice.meta(), slice.filtered_sequence)) {
        return false;
      }
    }
  }
  return true;
}

// Segments that a range delete visible to every reader covers whole.
void DropCoveredSegments(const Version& version, SequenceNumber seen_by_all, VersionEdit* edit) {
  for (const auto& run : version.runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      const SegmentMeta& meta = slice.meta();
      const bool listed = std::any_of(
          edit->removed_segments.begin(), edit->removed_segments.end(),
          [&](const SegmentRef& ref) { return ref.file_number == meta.file_number; });
      if (listed) continue;
      for (const RangeTombstone& tombstone : version.range_tombstones()) {
        if (tombstone.sequence <= seen_by_all && meta.largest_sequence < tombstone.sequence &&
            meta.smallest_key >= tombstone.begin && meta.largest_key < tombstone.end) {
          edit->removed_segments.push_back({run->id(), meta.file_number});
          std::erase_if(edit->segment_trims, [&](const SegmentTrim& trim) {
            return trim.file_number == meta.file_number;
          });
          break;
        }
      }
    }
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
  if (!base.range_tombstones().empty()) {
    // Only in edits of the compaction thread: a merge under way counts on its inputs.
    if (may_drop) DropCoveredSegments(base, seen_by_all, edit);
    for (const RangeTombstone& tombstone : base.range_tombstones()) {
      if (tombstone.sequence <= seen_by_all && HidesNothing(tombstone, base, *edit)) {
        edit->removed_range_tombstones.push_back(tombstone);
      }
    }
  }
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
    if (refs[file->number()] == 0 && !in_memory.contains(file->number())) {
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
    doomed.swap(doomed_files_);
  }
  for (const std::string& path : doomed) (void)env_->RemoveFile(path);
}

// --- Compaction.

bool DbImpl::IsIdle() {
  // Called once a poll: writes that happened since the last call restart the clock.
  const uint64_t now = clock_->MonotonicNanos();
  const SequenceNumber visible = visible_sequence_.load(std::memory_order_relaxed);
  if (visible != idle_sequence_) {
    idle_sequence_ = visible;
    idle_since_ = now;
  }
  return now - idle_since_ >= tuning_.idle_millis * 1'000'000;
}

CompactionInput DbImpl::DescribeForPicker(const Version& version, bool idle) {
  CompactionInput input;
  bool has_snapshots;
  // What a merge would apply now: others would be found covered again after it.
  const std::unique_ptr<MergeContext> context = NewMergeContext({}, false);
  const SequenceNumber applicable = context->filtered_sequence;
  {
    MutexLock lock(&mu_);
    has_snapshots = !snapshots_.empty();
    input.has_unmerged_versions = !has_snapshots && kept_for_snapshots_ > 0 && !version.runs().empty() &&
                                  kept_for_snapshots_ * 16 > version.runs().back()->logical_bytes();
  }
  for (const auto& run : version.runs()) {
    input.runs.push_back(
        {run->logical_bytes(), has_snapshots ? 0 : run->tombstone_count(), run->entry_count()});
    input.segment_bytes += run->disk_bytes();
    for (const SegmentSlice& slice : run->slices()) {
      // What is not visible yet would be kept.
      input.runs.back().has_expired |=
          slice.meta().largest_sequence <= context->rules.boundaries.back() &&
          HasManyExpired(slice.meta(), context->rules.expired_until, idle);
      for (const RangeTombstone& tombstone : version.range_tombstones()) {
        input.has_covered_entries |=
            tombstone.sequence <= applicable && slice.filtered_sequence < tombstone.sequence &&
            slice.meta().smallest_sequence < tombstone.sequence &&
            slice.meta().largest_key >= tombstone.begin &&
            slice.meta().smallest_key < tombstone.end;
      }
    }
  }
  const std::set<uint64_t> emptiable = ValueFilesToEmpty(version);
  for (const auto& [number, file] : version.value_logs()) {
    input.value_log_bytes += file->bytes();
    if (!emptiable.contains(number)) continue;
    auto refs = version.value_refs().find(number);
    const uint64_t live = refs == version.value_refs().end() ? 0 : refs->second;
    input.value_log_dead_bytes += file->bytes() - std::min(file->bytes(), live);
  }
  return input;
}

std::set<uint64_t> DbImpl::ValueFilesToEmpty(const Version& version) {
  std::set<uint64_t> numbers;
  std::set<uint64_t> in_memory;
  {
    MutexLock lock(&mu_);
    for (const auto& slot : immutables_) {
      for (const auto& file : slot->value_logs) in_memory.insert(file->number());
    }
    for (const auto& file : active_shared_->value_logs) in_memory.insert(file->number());
  }
  const uint64_t active = values_.active_number();
  for (const auto& [number, file] : version.value_logs()) {
    if (number == active || in_memory.contains(number)) continue;
    auto refs = version.value_refs().find(number);
    const uint64_t live = refs == version.value_refs().end() ? 0 : refs->second;
    const uint64_t total = file->bytes();
    // A file without any live value goes by itself, once no memtable points into it.
    if (live > 0 && live < total && static_cast<double>(total - live) > kDeadShareToEmpty * static_cast<double>(total)) {
      numbers.insert(number);
    }
  }
  return numbers;
}

CompactionJobOptions DbImpl::JobFor(const Version& version, const CompactionPick& pick, bool idle) {
  CompactionJobOptions job;
  for (size_t i = pick.first; i <= pick.last; ++i) job.run_ids.push_back(version.runs()[i]->id());
  if (pick.rewrites_values) job.empty_values = ValueFilesToEmpty(version);
  job.rewrite_all = pick.rewrites_all;
  job.idle = idle;
  return job;
}

void DbImpl::CompactionLoop() {
  while (true) {
    bool idle;
    bool all;
    {
      MutexLock lock(&mu_);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!fatal_.ok() || (!compaction_is_due_ && !compact_all_)) {
        // Idleness comes with time and nobody announces it.
        work_.WaitFor(&mu_, kIdlePollMicros);
      }
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!fatal_.ok()) continue;
      idle = quiet_waiters_ > 0 || IsIdle();
      all = compact_all_;
      compaction_is_due_ = false;
      ++compactions_running_;
    }
    Status status;
    const bool worked = CompactOnce(idle, all, &status);
    {
      MutexLock lock(&mu_);
      --compactions_running_;
      if (worked) compaction_is_due_ = true;
      if (status.ok()) compaction_error_ = Status::Ok();
      if (all) {
        compact_all_ = false;
        compact_status_ = status;
      }
      progress_.NotifyAll();
    }
    if (status.ok() || status.code() == StatusCode::kAborted) continue;
    events_.Add("compaction failed: " + status.ToString());
    if (versions_.is_broken() || values_.has_failed()) Fail(status);
    MutexLock lock(&mu_);
    compaction_error_ = status.WithContext("compaction");
    progress_.NotifyAll();
    compaction_is_due_ = true;
    if (!stop_.load(std::memory_order_relaxed)) retry_.WaitFor(&mu_, kRetryMicros);
  }
}

// The file that is being appended to cannot be emptied; with much garbage in it another one is begun.
void DbImpl::SealGarbage(const Version& version) {
  const auto file = values_.Find(values_.active_number());
  if (file == nullptr) return;
  auto refs = version.value_refs().find(file->number());
  const uint64_t live = refs == version.value_refs().end() ? 0 : refs->second;
  if (static_cast<double>(live) < (1 - kDeadShareToEmpty) * static_cast<double>(file->bytes())) {
    values_.SealActive();
  }
}

bool DbImpl::CompactOnce(bool idle, bool all, Status* status) {
  const std::shared_ptr<const Version> version = versions_.current();
  // What can go without a merge goes first: value-log files that nothing points into, segments that a
  // range delete covers whole, range deletes that hide nothing.
  VersionEdit free_of_work;
  if (DropExpiredSegments(*version, &free_of_work)) {
    *status = ApplyEdit(std::move(free_of_work), nullptr);
    return status->ok();
  }
  CompleteEdit(*version, /*may_drop=*/true, &free_of_work);
  if (!free_of_work.removed_segments.empty() || !free_of_work.removed_value_logs.empty() ||
      !free_of_work.removed_range_tombstones.empty()) {
    *status = ApplyEdit({}, nullptr);
    return status->ok();
  }
  if (idle || all) SealGarbage(*version);
  CompactionPolicy policy;
  policy.tier_runs = tuning_.tier_runs;
  policy.space_amplification_target = options_.space_amplification_target;
  policy.small_run_bytes = tuning_.memtable_bytes / 8;
  std::optional<CompactionPick> pick;
  if (all) {
    if (!version->runs().empty()) {
      pick = CompactionPick{0, version->runs().size() - 1, true, true, "asked for"};
    }
  } else {
    pick = PickCompaction(DescribeForPicker(*version, idle), policy, idle);
  }
  if (!pick) return false;
  const bool is_bottom = pick->last + 1 == version->runs().size();
  events_.Add("compaction of " + std::to_string(pick->last - pick->first + 1) + " runs: " +
              pick->reason);
  if (is_bottom) {
    MutexLock lock(&mu_);
    kept_for_snapshots_ = 0;  // counted anew while it is rewritten
  }
  RunningJob running{CompactionJob(JobFor(*version, *pick, idle)), is_bottom, false};
  *status = RunJob(&running);
  compaction_count_.fetch_add(1, std::memory_order_relaxed);
  return status->ok() && running.has_changed;
}

Status DbImpl::RunJob(RunningJob* running) {
  bool done = false;
  while (!done) {
    VARVE_RETURN_IF_ERROR(RunUrgentJobs(*running));
    VARVE_RETURN_IF_ERROR(RunOneSlice(running, &done));
  }
  return Status::Ok();
}

Status DbImpl::RunUrgentJobs(const RunningJob& running) {
  // While a long merge is under way young runs gather above it; they are merged first when there are
  // too many of them.
  const std::shared_ptr<const Version> version = versions_.current();
  CompactionInput young;
  for (const auto& run : version->runs()) {
    if (run->id() <= running.job.run_ids().front()) break;
    young.runs.push_back({run->logical_bytes(), 0, run->entry_count()});
  }
  if (young.runs.size() < tuning_.tier_runs) return Status::Ok();
  RunningJob urgent{CompactionJob(JobFor(*version, {0, young.runs.size() - 1, false, false, ""}, false)), false, false};
  bool done = false;
  while (!done) VARVE_RETURN_IF_ERROR(RunOneSlice(&urgent, &done));
  return Status::Ok();
}

Status DbImpl::RunOneSlice(RunningJob* running, bool* done) {
  const std::unique_ptr<MergeContext> context = NewMergeContext({}, running->is_bottom);
  SegmentOutputOptions options = OutputOptions(0, running->is_bottom, /*is_flush=*/false);
  options.filtered_sequence = context->filtered_sequence;
  VARVE_ASSIGN_OR_RETURN(CompactionSlice slice,
                         running->job.RunSlice(versions_.current(), context->rules,
                                               std::move(options), &values_, stop_));
  *done = slice.is_last;
  if (slice.changed) VARVE_RETURN_IF_ERROR(ApplyEdit(std::move(slice.edit), nullptr));
  running->has_changed |= slice.changed;
  running->job.SliceApplied();
  compaction_read_.fetch_add(slice.bytes_read, std::memory_order_relaxed);
  compaction_written_.fetch_add(slice.bytes_written, std::memory_order_relaxed);
  MutexLock lock(&mu_);
  kept_for_snapshots_ += slice.kept_for_snapshots;
  return Status::Ok();
}

}  // namespace varve
