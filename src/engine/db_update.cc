// Writes that depend on what is there. The key is read without a lock; under the commit lock it is enough
// to see that nothing newer has come and that it has not expired meanwhile.
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/deadline.h"
#include "format/point_index.h"

namespace varve {

Status DbImpl::UpdateOne(std::string_view key, const std::function<Update(const Current&)>& decide,
                         const WriteOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckWritable());
  Current current;
  std::string payload;
  while (true) {
    // The snapshot keeps merges from forgetting the sequence numbers of newer versions.
    const std::unique_ptr<Snapshot> snapshot = GetSnapshot();
    VARVE_RETURN_IF_ERROR(ReadCurrent(key, snapshot.get(), &current));
    const Update update = decide(current);
    if (!update.status.ok() || update.is_done) return update.status;
    std::vector<Change> changes(1);
    Change& change = changes[0];
    change.key = key;
    change.hash = PointIndexHash(key, context_.hash_salt);
    change.kind = static_cast<uint8_t>(update.value ? EntryKind::kValue : EntryKind::kDelete);
    change.value = update.value.value_or(std::string_view());
    if (update.value && update.has_deadline) {
      SetDeadline(update.deadline, store_clock_.Now(), &change);
    }
    std::deque<SeparatedValue> separated_values;
    VARVE_RETURN_IF_ERROR(SeparateLargeValues(&changes, &separated_values));
    payload.resize(StoredBytes(change));
    StoreChange(&change, payload.data());
    const bool deletes = change.kind == static_cast<uint8_t>(EntryKind::kDelete);
    const Commit commit{payload, &change, 1, deletes, WalPayloadHash(payload), snapshot->sequence(),
                        current.deadline};
    Ticket ticket;
    Status status;
    {
      CommitLockHolder lock(&commit_lock_);
      status = AppendAndApply(commit, options.durability.value_or(options_.durability), &ticket);
    }
    status = FinishCommit(ticket, std::move(status));
    if (!status.ok() || !ticket.has_changed) return status;
  }
}

Status DbImpl::ReadCurrent(std::string_view key, const Snapshot* snapshot, Current* current) {
  EpochGuard guard;
  Lookup found;
  Status status = FindFor(key, {.snapshot = snapshot}, &found);
  if (status.ok()) status = CopyValue(found, &current->value);
  if (!status.ok() && !status.IsNotFound()) return status;
  current->exists = status.ok();
  current->deadline = status.ok() ? found.deadline : 0;
  if (!status.ok()) current->value.clear();
  return Status::Ok();
}

Result<bool> DbImpl::HasChanged(const Commit& commit) {
  VARVE_ASSIGN_OR_RETURN(
      const bool changed,
      ChangedSince(commit.changes[0].key, commit.changes[0].hash, *commit.unchanged_since));
  return changed || (commit.unexpired_at != 0 && store_clock_.Now() >= commit.unexpired_at);
}

Result<bool> DbImpl::ChangedSince(std::string_view key, uint64_t hash, SequenceNumber sequence) {
  EpochGuard guard;
  SuperVersion* super = CurrentSuper();
  if (super->tombstones.MaxCovering(key, kMaxSequence) > sequence) return true;
  // The newest version decides; what is below it need not be looked at.
  Entry entry;
  if (super->active->memtable->Get(key, hash, kMaxSequence, &entry)) return entry.sequence > sequence;
  for (const auto& slot : super->immutables) {
    if (slot->memtable->Get(key, hash, kMaxSequence, &entry)) return entry.sequence > sequence;
  }
  // What has been flushed since is looked up like anything else.
  Lookup found;
  bool is_found = false;
  VARVE_RETURN_IF_ERROR(FindInRuns(super, key, hash, kMaxSequence, &found, &is_found));
  return is_found && found.entry.sequence > sequence;
}

// --- Compare-and-set.

Status DbImpl::CompareAndSet(std::string_view key, std::optional<std::string_view> expected,
                             std::optional<std::string_view> desired, const WriteOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckLimits(key, desired ? desired->size() : 0));
  const auto decide = [&](const Current& current) {
    Update update;
    const bool matches = current.exists ? expected && *expected == current.value : !expected;
    if (!matches) {
      update.status = Status::Conflict(current.exists ? "the key has another value"
                                                      : "the key is absent");
      return update;
    }
    update.value = desired;
    if (HasDeadline(options)) update.deadline = RequestedDeadline(options, store_clock_.Now());
    update.has_deadline = HasDeadline(options);
    return update;
  };
  return UpdateOne(key, decide, options);
}

// --- Time to live.

Status DbImpl::ChangeDeadline(std::string_view key, std::optional<uint64_t> deadline,
                              const WriteOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckLimits(key, 0));
  const auto decide = [&](const Current& current) {
    Update update;
    if (!current.exists) {
      update.status = Status::NotFound();
      return update;
    }
    update.is_done = deadline ? current.deadline == *deadline : current.deadline == 0;
    update.value = current.value;
    update.has_deadline = deadline.has_value();
    update.deadline = deadline.value_or(0);
    return update;
  };
  return UpdateOne(key, decide, options);
}

Status DbImpl::Expire(std::string_view key, std::chrono::milliseconds ttl,
                      const WriteOptions& options) {
  return ChangeDeadline(key, DeadlineAfter(store_clock_.Now(), ttl), options);
}

Status DbImpl::ExpireAt(std::string_view key, std::chrono::system_clock::time_point when,
                        const WriteOptions& options) {
  return ChangeDeadline(key, DeadlineAt(when), options);
}

Status DbImpl::Persist(std::string_view key, const WriteOptions& options) {
  return ChangeDeadline(key, std::nullopt, options);
}

Result<std::optional<std::chrono::milliseconds>> DbImpl::TimeToLive(std::string_view key,
                                                                    const ReadOptions& options) {
  EpochGuard guard;
  Lookup found;
  VARVE_RETURN_IF_ERROR(FindFor(key, options, &found));
  if (found.deadline == 0) return std::optional<std::chrono::milliseconds>();
  const uint64_t now = store_clock_.Now();
  if (found.deadline <= now) return Status::NotFound();
  return std::optional<std::chrono::milliseconds>(found.deadline - now);
}

}  // namespace varve
