// What the thread that tells of expiries asks the store for.
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "format/expiry.h"
#include "format/point_index.h"

namespace varve {

Status DbImpl::SetExpiryListener(ExpiryListener listener) {
  if (expiry_.IsCallingThread()) {
    return Status::InvalidArgument("an expiry listener cannot set another one");
  }
  MutexLock lock(&listener_mu_);
  expiry_.Stop();
  if (listener == nullptr) {
    CommitLockHolder commit_lock(&commit_lock_);
    expiry_notes_.TurnOff();
    return Status::Ok();
  }
  expiry_.HoldBack();
  uint64_t now;
  {
    // Every change is either there already, or its writer notes it.
    CommitLockHolder commit_lock(&commit_lock_);
    now = store_clock_.Now();
    expiry_notes_.TurnOn(inserted_sequence_, now);
  }
  Status status = expiry_.Start(std::move(listener), now);
  if (!status.ok()) {
    CommitLockHolder commit_lock(&commit_lock_);
    expiry_notes_.TurnOff();
  }
  return status;
}

ExpirySource DbImpl::SourceOfExpiries() {
  ExpirySource source;
  source.take_notes = [this](uint64_t now) {
    CommitLockHolder lock(&commit_lock_);
    return expiry_notes_.Take(now);
  };
  source.current = [this] {
    return std::shared_ptr<SuperVersion>(RefSuper(), [](SuperVersion* pinned) { pinned->Unref(); });
  };
  source.check = [this](SuperVersion* super, std::span<DueKey> keys) { CheckDue(super, keys); };
  source.name = [this](const DueKey& due, std::string* buffer, ExpiredKey* expired) {
    return NameDue(due, buffer, expired);
  };
  source.charge = [this](int64_t bytes) {
    if (bytes > 0) {
      context_.ChargeIndex(static_cast<size_t>(bytes));
    } else {
      context_.ReleaseIndex(static_cast<size_t>(-bytes));
    }
  };
  return source;
}

// In two passes, so that the cache misses of the keys overlap.
void DbImpl::CheckDue(SuperVersion* super, std::span<DueKey> keys) {
  EpochGuard guard;
  const auto& runs = super->version->runs();
  for (DueKey& due : keys) {
    due.hash = PointIndexHash(due.key, context_.hash_salt);
    super->active->memtable->PrefetchFilter(due.hash);
    for (const auto& slot : super->immutables) slot->memtable->PrefetchFilter(due.hash);
    for (size_t i = 0; i < due.run_count; ++i) {
      if (const SegmentSlice* slice = runs[i]->Find(due.key)) slice->segment->Prefetch(due.hash);
    }
  }
  for (DueKey& due : keys) {
    // What cannot be read may be something newer.
    const Result<bool> is_superseded = IsSuperseded(super, due);
    due.is_superseded = !is_superseded.ok() || *is_superseded;
  }
}

Result<bool> DbImpl::IsSuperseded(SuperVersion* super, const DueKey& due) {
  if (!super->tombstones.empty() &&
      super->tombstones.MaxCovering(due.key, kMaxSequence) > due.sequence) {
    return true;
  }
  // The first version met is the newest. One whose number a merge has forgotten is the entry itself when it
  // has its deadline, and else newer: what is older than the entry would have gone in that merge.
  const auto is_newer = [&](const Entry& found) {
    if (found.sequence != kOldestSequence) return found.sequence > due.sequence;
    return due.sequence != kOldestSequence &&
           !(IsExpiring(found.kind) && DeadlineOf(found.value) == due.deadline);
  };
  const auto find_in = [&](const MemTableSlot& slot, Entry* entry) {
    return slot.memtable->MayContain(due.hash) &&
           slot.memtable->Get(due.key, due.hash, kMaxSequence, entry);
  };
  Entry entry;
  if (find_in(*super->active, &entry)) return is_newer(entry);
  for (const auto& slot : super->immutables) {
    if (find_in(*slot, &entry)) return is_newer(entry);
  }
  for (size_t i = 0; i < due.run_count; ++i) {
    const SegmentSlice* slice = super->version->runs()[i]->Find(due.key);
    if (slice == nullptr) continue;
    FoundEntry found;
    VARVE_ASSIGN_OR_RETURN(const bool hit,
                           slice->segment->Find(due.key, due.hash, kMaxSequence, &found));
    if (hit) return is_newer(found.entry);
  }
  return false;
}

bool DbImpl::NameDue(const DueKey& due, std::string* buffer, ExpiredKey* expired) {
  expired->expired_at_millis = due.deadline;
  const std::optional<uint32_t> id = NamespaceIdOf(due.key);
  if (!id) {
    expired->name_space = {};
    expired->key = Keyspace().ToUser(due.key, buffer);
    return true;
  }
  if (due_space_ == nullptr || due_space_->id != *id) due_space_ = namespaces_.Find(*id);
  // Acquire: nothing is told once the drop has returned.
  if (due_space_ == nullptr || (due_space_->dropped_at.load(std::memory_order_acquire) != 0 &&
                                 !VARVE_PLANTED_BUG("expiry.tells_of_dropped_namespaces"))) {
    return false;
  }
  expired->name_space = due_space_->name;
  expired->key = due_space_->keyspace.ToUser(due.key, buffer);
  return true;
}

}  // namespace varve
