// Read-modify-write: compare-and-set, increment and the like. The value is read and changed without a
// lock; under the commit lock it is enough to see that nothing newer has come. Who loses that race tries
// again, and after some times
//   - waits for a turn: of those who have lost often, one at a time tries, the first come first;
//   - reads, with the turn held, under the commit lock as well: then nothing can come in between.
// So the number of attempts is bounded, whatever others write to the same key.
#include "base/status_macros.h"
#include "engine/db_impl.h"
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
  Durability durability = Durability::kProcess;
  NamespaceState* space = nullptr;  // null: the default one

  std::vector<Change> changes = std::vector<Change>(1);
  std::deque<SeparatedValue> separated;
  bool is_separated = false;  // changes[0] holds a pointer to a value that is always the same
  std::string current;
  std::string payload;
  Status refused;  // what the modifier said
};

Status DbImpl::ModifyStored(std::string_view key, const Modifier& modify,
                            const WriteOptions& options, NamespaceState* space) {
  VARVE_RETURN_IF_ERROR(CheckLimits(key, 0));
  VARVE_RETURN_IF_ERROR(CheckWritable());
  Modifying work;
  work.key = key;
  work.hash = PointIndexHash(key, context_.hash_salt);
  work.modify = &modify;
  work.durability = options.durability.value_or(options_.durability);
  work.space = space;
  std::optional<TurnQueue::Turn> turn;
  for (int attempt = 0;; ++attempt) {
    if (attempt == kFreeAttempts) turn.emplace(&modify_turns_);
    Ticket ticket;
    Status status = attempt < kFreeAttempts + kAttemptsInTurn ? TryModify(&work, &ticket)
                                                              : ModifyLocked(&work, &ticket);
    status = FinishCommit(ticket, std::move(status));
    if (!status.ok()) return status;
    if (!ticket.has_changed) return work.refused;
  }
}

Result<bool> DbImpl::Decide(Modifying* work, bool is_present) {
  work->refused = Status::Ok();
  std::optional<std::string_view> current;
  if (is_present) current = work->current;
  Result<Modification> decision = (*work->modify)(current);
  if (!decision.ok()) work->refused = decision.status();
  if (!decision.ok() || decision->kind == Modification::Kind::kNothing) return false;
  if (work->is_separated) return true;
  const bool is_put = decision->kind == Modification::Kind::kPut;
  VARVE_RETURN_IF_ERROR(CheckLimits(work->key, is_put ? decision->value.size() : 0));
  Change& change = work->changes[0];
  change.kind = static_cast<uint8_t>(is_put ? EntryKind::kValue : EntryKind::kDelete);
  change.key = work->key;
  change.value = is_put ? decision->value : std::string_view();
  change.hash = work->hash;
  // A value of an attempt before stays where it is, as garbage; the hold on it ends here.
  work->separated.clear();
  VARVE_RETURN_IF_ERROR(SeparateLargeValues(&work->changes, &work->separated));
  work->is_separated = is_put && decision->is_constant && !work->separated.empty();
  work->payload.resize(WalOpBytes(change.kind, change.key.size(), change.value.size()));
  StoreWalOp({change.kind, change.key, change.value}, work->payload.data());
  return true;
}

DbImpl::Commit DbImpl::CommitOf(const Modifying& work, CommitScope* scope,
                                SequenceNumber unchanged_since) {
  Commit commit{work.payload, work.changes.data(), 1, false, WalPayloadHash(work.payload),
                unchanged_since};
  commit.only_deletes = work.changes[0].kind == static_cast<uint8_t>(EntryKind::kDelete);
  if (work.space != nullptr) {
    scope->spaces = {&work.space, 1};
    commit.scope = scope;
  }
  return commit;
}

Status DbImpl::TryModify(Modifying* work, Ticket* ticket) {
  // The snapshot keeps merges from forgetting the sequence numbers of newer versions.
  const std::unique_ptr<Snapshot> snapshot = GetSnapshot();
  const Status read = GetStored(work->key, &work->current, {.snapshot = snapshot.get()});
  if (!read.ok() && !read.IsNotFound()) return read;
  VARVE_ASSIGN_OR_RETURN(const bool writes, Decide(work, read.ok()));
  if (!writes) return Status::Ok();
  CommitScope scope;
  const Commit commit = CommitOf(*work, &scope, snapshot->sequence());
  CommitLockHolder lock(&commit_lock_);
  return AppendAndApply(commit, work->durability, ticket);
}

Status DbImpl::ModifyLocked(Modifying* work, Ticket* ticket) {
  CommitLockHolder lock(&commit_lock_);
  const SequenceNumber sequence = inserted_sequence_;
  bool is_present = false;
  {
    EpochGuard guard;
    Lookup found;
    Status read = Find(CurrentSuper(), KeyFor(work->key), sequence, &found);
    if (read.ok()) read = CopyValue(found, &work->current);
    if (!read.ok() && !read.IsNotFound()) return read;
    is_present = read.ok();
  }
  VARVE_ASSIGN_OR_RETURN(const bool writes, Decide(work, is_present));
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
