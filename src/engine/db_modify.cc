// Read-modify-write: compare-and-set, increment, time to live and the like. The value is read and changed
// without a lock; under the commit lock it is enough to see that nothing newer has come and that it has not
// expired meanwhile. Who loses that race tries again, and after some times
//   - waits for a turn: of those who have lost often, one at a time tries, the first come first;
//   - reads, with the turn held, under the commit lock as well: then nothing can come in between.
// So the number of attempts is bounded, whatever others write to the same key.
#include <algorithm>

#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/deadline.h"
#include "format/point_index.h"

namespace varve {

namespace {

constexpr int kFreeAttempts = 4;
constexpr int kAttemptsInTurn = 12;

}  // namespace

// One operation, over its attempts.
struct DbImpl::Modifying {
  std::string_view key;
  uint64_t hash = 0;
  const Modifier* modify = nullptr;
  WriteOptions options;
  Durability durability = Durability::kProcess;
  NamespaceState* space = nullptr;  // null: the default one

  std::vector<Change> changes = std::vector<Change>(1);
  std::deque<SeparatedValue> separated;
  bool is_separated = false;  // changes[0] holds a pointer to a value that is always the same
  // What was read.
  bool is_present = false;
  uint64_t deadline = 0;  // 0: does not expire
  std::string current;
  std::string payload;
  Status refused;  // what the modifier said

  // The deadline of the value that is written; 0: none.
  uint64_t NewDeadline(Modification::Deadline wanted, uint64_t now) const {
    if (wanted == Modification::Deadline::kNone) return 0;
    if (wanted == Modification::Deadline::kKept && is_present && !HasDeadline(options)) return deadline;
    const WriteOptions complete =
        space != nullptr ? WithDefaultTtl(options, space->default_ttl()) : options;
    // What is past already is 1: not never.
    return HasDeadline(complete) ? std::max<uint64_t>(1, RequestedDeadline(complete, now)) : 0;
  }
};

Status DbImpl::ModifyStored(std::string_view key, const Modifier& modify,
                            const WriteOptions& options, NamespaceState* space) {
  VARVE_RETURN_IF_ERROR(CheckLimits(key, 0));
  VARVE_RETURN_IF_ERROR(CheckWritable());
  Modifying work;
  work.key = key;
  work.hash = PointIndexHash(key, context_.hash_salt);
  work.modify = &modify;
  work.options = options;
  work.durability = options.durability.value_or(options_.durability);
  work.space = space;
  const uint64_t begin = times_.Begin();
  std::optional<TurnQueue::Turn> turn;
  for (int attempt = 0;; ++attempt) {
    if (attempt == kFreeAttempts) {
      NoteWait();
      turn.emplace(&modify_turns_);
    }
    Ticket ticket;
    Status status = attempt < kFreeAttempts + kAttemptsInTurn ? TryModify(&work, &ticket)
                                                              : ModifyLocked(&work, &ticket);
    status = FinishCommit(ticket, std::move(status));
    if (!status.ok()) return status;
    if (ticket.has_changed) continue;
    if (ticket.last_sequence != 0) times_.End(Operation::kPut, begin);
    return work.refused;
  }
}

Result<bool> DbImpl::Decide(Modifying* work) {
  work->refused = Status::Ok();
  std::optional<std::string_view> current;
  if (work->is_present) current = work->current;
  Result<Modification> decision = (*work->modify)(current);
  if (!decision.ok()) work->refused = decision.status();
  if (!decision.ok() || decision->kind == Modification::Kind::kNothing) return false;
  if (work->is_separated) return true;
  const bool is_put = decision->kind == Modification::Kind::kPut;
  const bool is_kept = decision->kind == Modification::Kind::kKeepValue;
  VARVE_RETURN_IF_ERROR(CheckLimits(work->key, is_put ? decision->value.size() : 0));
  Change& change = work->changes[0];
  change.kind = static_cast<uint8_t>(is_put || is_kept ? EntryKind::kValue : EntryKind::kDelete);
  change.key = work->key;
  change.value = is_kept ? std::string_view(work->current) : decision->value;
  if (!is_put && !is_kept) change.value = {};
  change.hash = work->hash;
  if (is_put || is_kept) {
    const uint64_t now = store_clock_.Now();
    const uint64_t deadline = work->NewDeadline(decision->deadline, now);
    if (is_kept && deadline == work->deadline) return false;
    if (deadline != 0) SetDeadline(deadline, now, &change);
  }
  // A value of an attempt before stays where it is, as garbage; the hold on it ends here.
  work->separated.clear();
  VARVE_RETURN_IF_ERROR(SeparateLargeValues(&work->changes, &work->separated));
  work->is_separated = is_put && decision->is_constant &&
                       decision->deadline != Modification::Deadline::kKept &&
                       !work->separated.empty();
  work->payload.resize(StoredBytes(change));
  StoreChange(&change, work->payload.data());
  return true;
}

DbImpl::Commit DbImpl::CommitOf(const Modifying& work, CommitScope* scope,
                                SequenceNumber unchanged_since) {
  Commit commit{work.payload, work.changes.data(), 1, false, WalPayloadHash(work.payload),
                unchanged_since};
  commit.unexpired_at = work.deadline;
  commit.only_deletes = work.changes[0].kind == static_cast<uint8_t>(EntryKind::kDelete);
  if (work.space != nullptr) {
    scope->spaces = {&work.space, 1};
    commit.scope = scope;
  }
  return commit;
}

Status DbImpl::ReadCurrent(SuperVersion* super, SequenceNumber sequence, Modifying* work) {
  Lookup found;
  Status read = Find(super, KeyFor(work->key), sequence, &found);
  if (read.ok()) read = CopyValue(found, &work->current);
  if (!read.ok() && !read.IsNotFound()) return read;
  work->is_present = read.ok();
  work->deadline = read.ok() ? found.deadline : 0;
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
  // What has been flushed since is looked up like anything else. That is rare, and a read that may touch
  // the disk is nothing to do under the lock.
  const auto& runs = super->version->runs();
  const bool may_be_newer = std::any_of(runs.begin(), runs.end(), [&](const auto& run) {
    const SegmentSlice* slice = run->Find(key);
    return slice != nullptr && slice->meta().largest_sequence > sequence;
  });
  if (!may_be_newer) return false;
  Lookup found;
  bool is_found = false;
  VARVE_RETURN_IF_ERROR(FindInRuns(super, key, hash, kMaxSequence, &found, &is_found));
  return is_found && found.entry.sequence > sequence;
}

Status DbImpl::TryModify(Modifying* work, Ticket* ticket) {
  // The snapshot keeps merges from forgetting the sequence numbers of newer versions.
  const std::unique_ptr<Snapshot> snapshot = GetSnapshot();
  {
    EpochGuard guard;
    SequenceNumber sequence;
    SuperVersion* super = ReadPoint(snapshot.get(), &sequence);
    VARVE_RETURN_IF_ERROR(ReadCurrent(super, sequence, work));
  }
  VARVE_ASSIGN_OR_RETURN(const bool writes, Decide(work));
  if (!writes) return Status::Ok();
  CommitScope scope;
  const Commit commit = CommitOf(*work, &scope, snapshot->sequence());
  CommitLockHolder lock(&commit_lock_);
  return AppendAndApply(commit, work->durability, ticket);
}

Status DbImpl::ModifyLocked(Modifying* work, Ticket* ticket) {
  CommitLockHolder lock(&commit_lock_);
  const SequenceNumber sequence = inserted_sequence_;
  {
    EpochGuard guard;
    VARVE_RETURN_IF_ERROR(ReadCurrent(CurrentSuper(), sequence, work));
  }
  VARVE_ASSIGN_OR_RETURN(const bool writes, Decide(work));
  if (writes) {
    CommitScope scope;
    // Making room may let go of the lock; then the next attempt finds room.
    return AppendAndApply(CommitOf(*work, &scope, sequence), work->durability, ticket);
  }
  // What was read may not be visible yet: the answer must wait until it is.
  return AwaitPending(ticket);
}

// --- The default namespace.

Status DbImpl::ReadModifyWrite(std::string_view key, const Modifier& modify,
                               const WriteOptions& options) {
  std::string buffer;
  return ModifyStored(Keyspace().ToStored(key, &buffer), modify, options, nullptr);
}

}  // namespace varve
