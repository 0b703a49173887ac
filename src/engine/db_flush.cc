// Flush: immutable memtables become one run.
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/memtable_iterator.h"
#include "engine/merging_iterator.h"

namespace varve {

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
    const bool has_failed = !status.ok() && status.code() != StatusCode::kAborted;
    if (has_failed) events_.Add("flush failed: " + status.ToString());
    {
      MutexLock lock(&mu_);
      is_flushing_ = false;
      ++flush_attempts_;
      background_error_ = status.ok() ? Status::Ok() : status.WithContext("flush");
      compaction_is_due_ = true;
      work_.NotifyAll();
      progress_.NotifyAll();
    }
    if (!has_failed) continue;
    if (versions_.is_broken() || VARVE_PLANTED_BUG("flush.full_disk_is_final")) Fail(status);
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
    if (VARVE_PLANTED_BUG("flush.loses_range_deletes")) break;
    edit.added_range_tombstones.insert(edit.added_range_tombstones.end(),
                                       slot->range_tombstones.begin(),
                                       slot->range_tombstones.end());
  }
  {
    MutexLock lock(&mu_);
    const bool is_last = slots.size() == immutables_.size() ||
                         VARVE_PLANTED_BUG("flush.gives_up_logs_too_early");
    edit.oldest_log_number =
        is_last ? active_shared_->log_number : immutables_[slots.size()]->log_number;
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

}  // namespace varve
