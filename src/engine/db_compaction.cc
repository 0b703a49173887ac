// Compaction: the thread that merges runs, and what it tells the picker.
#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"

namespace varve {

namespace {

constexpr uint64_t kIdlePollMicros = 100'000;
// A value-log file is worth emptying from this share of dead bytes on.
constexpr double kDeadShareToEmpty = 0.10;

}  // namespace

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

namespace {

// Whether range deletes up to `applicable` may hide entries of `run` that have not been filtered yet.
bool HasCovered(const Run& run, const Version& version, SequenceNumber applicable) {
  for (const RangeTombstone& tombstone : version.range_tombstones()) {
    if (tombstone.sequence > applicable) continue;
    for (size_t i = run.FirstAtOrAfter(tombstone.begin); i < run.slices().size(); ++i) {
      const SegmentSlice& slice = run.slices()[i];
      if (slice.meta().smallest_key >= tombstone.end) break;
      if (slice.filtered_sequence < tombstone.sequence &&
          slice.meta().smallest_sequence < tombstone.sequence) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

CompactionInput DbImpl::DescribeForPicker(const Version& version, bool idle) {
  CompactionInput input;
  bool has_snapshots;
  // What a merge would apply now: others would be found covered again after it.
  SequenceNumber applicable;
  SequenceNumber visible;
  const uint64_t now = ExpiredUntil(store_clock_.Now());
  {
    MutexLock lock(&mu_);
    applicable = VARVE_PLANTED_BUG("merge.without_effect_for_ever")
                     ? kMaxSequence
                     : std::min(BoundariesLocked().front(), ApplicableLocked({}, nullptr));
    visible = BoundariesLocked().back();
    // A transaction counts from the second look on that it lives to see: there are always some short ones.
    has_snapshots = !snapshots_.empty() || read_slots_.HasOlderThan(described_sequence_);
    described_sequence_ = visible_sequence_.load(std::memory_order_acquire);
    input.has_unmerged_versions = !has_snapshots && kept_for_snapshots_ > 0 && !version.runs().empty() &&
                                  kept_for_snapshots_ * 16 > version.runs().back()->logical_bytes();
  }
  for (const auto& run : version.runs()) {
    input.runs.push_back(
        {run->logical_bytes(), has_snapshots ? 0 : run->tombstone_count(), run->entry_count()});
    input.segment_bytes += run->disk_bytes();
    for (const SegmentSlice& slice : run->slices()) {
      // What is not visible yet would be kept.
      input.runs.back().has_expired |= slice.meta().largest_sequence <= visible &&
                                       HasManyExpired(slice.meta(), now, idle);
    }
    if (!input.has_covered_entries) input.has_covered_entries = HasCovered(*run, version, applicable);
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
  for (const auto& [number, file] : version.value_logs()) {
    if (in_memory.contains(number) || values_.IsActive(number)) continue;
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
  // Merges may be late: writers are slowed before there is too much to do, and then leave processors free.
  env_->LowerPriorityOfThisThread();
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

// A file that is being appended to cannot be emptied; with much garbage in it another one is begun.
void DbImpl::SealGarbage(const Version& version) {
  for (const auto& file : values_.ActiveFiles()) {
    auto refs = version.value_refs().find(file->number());
    const uint64_t live = refs == version.value_refs().end() ? 0 : refs->second;
    if (static_cast<double>(live) < (1 - kDeadShareToEmpty) * static_cast<double>(file->bytes())) {
      values_.Seal(file->number());
    }
  }
}

// What can go without a merge: segments of which everything has expired, value-log files that nothing points
// into, segments that a range delete covers whole, range deletes that hide nothing.
bool DbImpl::DropWithoutMerge(const Version& version, Status* status) {
  VersionEdit edit;
  if (DropExpiredSegments(version, &edit)) {
    *status = ApplyEdit(std::move(edit), nullptr);
    return true;
  }
  CompleteEdit(version, /*may_drop=*/true, &edit);
  if (edit.removed_segments.empty() && edit.removed_value_logs.empty() &&
      edit.removed_range_tombstones.empty()) {
    return false;
  }
  *status = ApplyEdit({}, nullptr);
  return true;
}

bool DbImpl::CompactOnce(bool idle, bool all, Status* status) {
  std::shared_ptr<const Version> version = versions_.current();
  if (DropWithoutMerge(*version, status)) {
    // Whoever asked for a merge waits for one.
    if (!status->ok() || !all || VARVE_PLANTED_BUG("compact.drops_instead_of_merging")) return status->ok();
    version = versions_.current();
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
