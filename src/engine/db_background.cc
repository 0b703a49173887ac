// What flush and compaction share: what merges may drop, how an edit takes effect, super versions.
#include <algorithm>

#include "base/planted_bug.h"
#include "engine/db_impl.h"
#include "format/filename.h"

namespace varve {

// --- What merges may drop.

std::vector<SequenceNumber> DbImpl::BoundariesLocked() {
  std::vector<SequenceNumber> boundaries(snapshots_.begin(), snapshots_.end());
  // In this order (read_slots.h).
  const SequenceNumber visible = visible_sequence_.load(std::memory_order_seq_cst);
  if (!VARVE_PLANTED_BUG("merge.ignores_transactions")) read_slots_.Collect(visible, &boundaries);
  if (VARVE_PLANTED_BUG("merge.ignores_snapshots")) boundaries.clear();
  std::sort(boundaries.begin(), boundaries.end());
  boundaries.push_back(visible);
  return boundaries;
}

SequenceNumber DbImpl::ApplicableLocked(const std::vector<std::shared_ptr<MemTableSlot>>& flushing,
                                        std::vector<RangeTombstone>* durable) {
  SequenceNumber lowest_other = kMaxSequence;
  const auto add = [&](const std::shared_ptr<MemTableSlot>& slot) {
    const std::vector<RangeTombstone>& ranges = slot->range_tombstones;
    const bool is_flushing = std::find(flushing.begin(), flushing.end(), slot) != flushing.end();
    if (is_flushing ||
        (durable != nullptr && VARVE_PLANTED_BUG("merge.applies_range_deletes_of_the_log"))) {
      durable->insert(durable->end(), ranges.begin(), ranges.end());
    } else if (!ranges.empty()) {
      lowest_other = std::min(lowest_other, ranges.front().sequence);  // they come in order
    }
  };
  for (const auto& slot : immutables_) add(slot);
  add(active_shared_);
  return lowest_other - 1;
}

std::unique_ptr<DbImpl::MergeContext> DbImpl::NewMergeContext(
    const std::vector<std::shared_ptr<MemTableSlot>>& flushing, bool is_bottom) {
  auto context = std::make_unique<MergeContext>();
  // Range deletes are applied when they are as durable as what they delete: those of the version, and
  // those that go into it together with this flush. Others are in the log only, which a loss of power
  // may take back.
  std::vector<RangeTombstone> durable;
  {
    MutexLock lock(&mu_);
    context->rules.boundaries = BoundariesLocked();
    durable = versions_.current()->range_tombstones();
    const SequenceNumber applicable = ApplicableLocked(flushing, &durable);
    context->filtered_sequence = std::min(context->rules.boundaries.front(), applicable);
    context->rules.forget_sequences =
        is_bottom && applicable == kMaxSequence - 1 &&
        (durable.empty() || VARVE_PLANTED_BUG("merge.forgets_sequences_under_range_deletes"));
  }
  if (!durable.empty()) context->tombstones = RangeTombstones(durable, context->rules.boundaries);
  context->rules.tombstones = &context->tombstones;
  // The time first: a listener that is set after it hears of what expires after it.
  const uint64_t now = store_clock_.Now();
  context->rules.expired_until = ExpiredUntil(now);
  context->rules.is_bottom = is_bottom;
  return context;
}

SegmentOutputOptions DbImpl::OutputOptions(uint64_t run_id, bool is_bottom, bool is_flush) {
  SegmentOutputOptions options;
  options.env = env_;
  options.dir = dir_;
  options.run_id = run_id;
  const auto resolve = [is_bottom, is_flush](Compression compression) {
    if (compression != Compression::kAuto) return compression;
    return is_flush ? Compression::kNone : is_bottom ? Compression::kZstd : Compression::kLz4;
  };
  options.compression = resolve(options_.compression);
  options.compression_of = [this, resolve](std::string_view stored_key) {
    return resolve(CompressionOf(stored_key));
  };
  options.hash_salt = context_.hash_salt;
  options.now_millis = store_clock_.Now();
  options.collects_expiry_places = expiry_.is_on();
  options.target_bytes = tuning_.segment_bytes;
  options.next_file_number = [this] { return versions_.NextFileNumber(); };
  return options;
}

void DbImpl::InstallSuperVersion() {
  auto super = std::make_unique<SuperVersion>();
  super->active = active_shared_;
  super->immutables.assign(immutables_.rbegin(), immutables_.rend());
  super->version = versions_.current();
  // May be those of the version before for a moment: what has come to the version since is still in a
  // memtable, and what has left it hides nothing.
  super->tombstones = version_tombstones_;
  for (const auto& slot : immutables_) super->tombstones.Include(slot->tombstones);
  if (active_shared_ != nullptr) super->tombstones.Include(active_shared_->tombstones);
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

// --- Edits.

RangeTombstoneSet DbImpl::TombstonesOf(const Version& version) {
  if (version.range_tombstones().empty()) return {};
  std::vector<SequenceNumber> boundaries;
  {
    MutexLock lock(&mu_);
    boundaries = BoundariesLocked();
  }
  // Snapshots that are taken from here on are not older than the last boundary, beyond which every
  // delete is kept.
  return RangeTombstoneSet(version.range_tombstones(), boundaries);
}

Status DbImpl::ApplyEdit(VersionEdit edit, const std::vector<std::shared_ptr<MemTableSlot>>* flushed) {
  // Segments may hold changes that are not visible yet; their numbers must not be given out again.
  SequenceNumber last = visible_sequence_.load(std::memory_order_acquire);
  for (const SegmentMeta& meta : edit.added_segments) {
    if (VARVE_PLANTED_BUG("recovery.number_of_an_unseen_change_used_again")) break;
    last = std::max(last, meta.largest_sequence);
  }
  for (const RangeTombstone& tombstone : edit.added_range_tombstones) {
    last = std::max(last, tombstone.sequence);
  }
  return versions_.Apply(
      std::move(edit), last,
      [this, flushed](const Version& base, VersionEdit* complete) {
        CompleteEdit(base, flushed == nullptr, complete);
      },
      [this, flushed](const std::shared_ptr<const Version>& version) {
        RangeTombstoneSet tombstones = TombstonesOf(*version);
        MutexLock lock(&mu_);
        version_tombstones_ = std::move(tombstones);
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
          // Together with what shows that the flush is done: who waits for it looks at both.
          background_error_ = Status::Ok();
        }
        InstallSuperVersion();
        progress_.NotifyAll();
      });
}

}  // namespace varve
