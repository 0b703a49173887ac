// Transactions, as the store sees them: what is checked at a commit, and the attempts of Transact.
//
// A transaction has read the state at sequence s. It may commit when nothing that it depends on has a
// version newer than s, visible or not. What has been written since lies in two parts:
//
//   s ......................... base ................... inserted
//     looked up key by key,          taken from the ring of recent changes, under the
//     without the lock               commit lock, which the commit keeps
//
// A short transaction has base = s and looks nothing up.
#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/memtable_iterator.h"
#include "engine/run_iterator.h"
#include "engine/transaction.h"
#include "format/point_index.h"

namespace varve {

namespace {

// Changes that are looked through under the commit lock: a few microseconds.
constexpr uint64_t kMaxInside = 256;
// Lookups of everything after which the decision is made under the lock, however long it takes.
constexpr int kMaxLookups = 3;
constexpr size_t kStackCommitBytes = 1024;
// Turns of others that a commit waits for before it goes ahead.
constexpr int kMaxTurnsAwaited = 4;

Status ConflictStatus() {
  return Status::Conflict("another writer has changed what the transaction depends on");
}

// The transaction object that this thread used last: its memory serves the next one.
thread_local std::unique_ptr<TransactionImpl> spare_transaction;

class SpareTransaction {
 public:
  SpareTransaction() : transaction_(std::move(spare_transaction)) {
    if (transaction_ == nullptr) transaction_ = std::make_unique<TransactionImpl>();
  }
  ~SpareTransaction() {
    transaction_->End();
    if (!transaction_->IsLarge()) spare_transaction = std::move(transaction_);
  }
  SpareTransaction(const SpareTransaction&) = delete;
  SpareTransaction& operator=(const SpareTransaction&) = delete;
  TransactionImpl* operator->() { return transaction_.get(); }
  TransactionImpl& operator*() { return *transaction_; }

 private:
  std::unique_ptr<TransactionImpl> transaction_;
};

}  // namespace

std::unique_ptr<Transaction> DbImpl::Begin(const TransactionOptions& options) {
  auto transaction = std::make_unique<TransactionImpl>();
  transaction->Start(this, options, /*is_managed=*/false);
  return transaction;
}

Status DbImpl::Transact(const Transaction::Body& body, const TransactionOptions& options) {
  RetryPass pass(&gate_);
  SpareTransaction transaction;
  for (int attempt = 1;; ++attempt) {
    // What began now would find everything changed when the turn is over.
    if (gate_.IsClosed()) gate_.WaitForTurn();
    transaction->Start(this, options, /*is_managed=*/true);
    Status status = body(*transaction);
    if (!status.ok()) return status;
    status = transaction->CommitNow();
    if (!transaction->met_conflict() || attempt >= options.max_attempts) return status;
    // Whoever committed before the turn began must be visible to the attempt that is made in it.
    if (pass.Wait(transaction->conflict_hash())) VARVE_RETURN_IF_ERROR(AwaitVisible());
  }
}

Status DbImpl::AwaitVisible() {
  Ticket ticket;
  Status status;
  {
    CommitLockHolder lock(&commit_lock_);
    status = AwaitPending(&ticket);
  }
  return FinishCommit(ticket, std::move(status));
}

// --- The commit.

Status DbImpl::CommitTransaction(std::vector<Change>* changes, TransactionCheck* check,
                                 const WriteOptions& options) {
  using Outcome = TransactionCheck::Outcome;
  VARVE_RETURN_IF_ERROR(CheckWritable());
  const uint64_t begin = times_.Begin();
  std::vector<NamespaceTable::Ref> spaces;
  bool has_default = true;
  VARVE_RETURN_IF_ERROR(FindNamespaces(*changes, &spaces, &has_default));
  SetDeadlines(options, spaces, changes);
  const bool has_large = std::any_of(changes->begin(), changes->end(), [this](const Change& change) {
    return change.value.size() >= tuning_.separation_threshold_bytes;
  });
  const auto looks_up = [&]() VARVE_EXCLUDES(commit_lock_) -> Status {
    VARVE_RETURN_IF_ERROR(CheckByLookup(check));
    if (check->outcome != Outcome::kChanged) return Status::Ok();
    VARVE_RETURN_IF_ERROR(AwaitVisible());
    return ConflictStatus();
  };
  const SequenceNumber visible = visible_sequence_.load(std::memory_order_acquire);
  // Large values are written before the commit: only when it has a chance.
  if (check != nullptr && (has_large || visible - check->base > kMaxInside)) {
    VARVE_RETURN_IF_ERROR(looks_up());
  }
  std::deque<SeparatedValue> separated_values;
  if (has_large) VARVE_RETURN_IF_ERROR(SeparateLargeValues(changes, &separated_values));

  Commit commit;
  size_t bytes = 0;
  commit.only_deletes = true;
  for (Change& change : *changes) {
    change.hash = PointIndexHash(change.key, context_.hash_salt);
    bytes += StoredBytes(change);
    commit.only_deletes &= change.kind == static_cast<uint8_t>(EntryKind::kDelete) ||
                           change.kind == kDeleteRangeOp;
  }
  // The transaction keeps a limit of its own, which is lower; deadlines come on top.
  if (bytes > kMaxWalPayloadBytes || changes->size() > kMaxWalRecordOps) {
    return Status::InvalidArgument("a transaction of " + std::to_string(bytes) +
                                   " bytes is over the limit of " +
                                   std::to_string(kMaxWalPayloadBytes));
  }
  char stack[kStackCommitBytes];
  std::unique_ptr<char[]> heap;
  if (bytes > sizeof(stack)) heap = std::make_unique_for_overwrite<char[]>(bytes);
  char* const payload = heap != nullptr ? heap.get() : stack;
  char* to = payload;
  for (Change& change : *changes) to = StoreChange(&change, to);
  commit.payload = {payload, bytes};
  commit.payload_hash = WalPayloadHash(commit.payload);
  commit.changes = changes->data();
  commit.count = static_cast<uint32_t>(changes->size());
  commit.check = check;
  std::vector<NamespaceState*> pointers;
  for (const NamespaceTable::Ref& space : spaces) pointers.push_back(space.get());
  const CommitScope scope{pointers, nullptr};
  if (!spaces.empty() && !VARVE_PLANTED_BUG("transaction.drops_not_checked")) commit.scope = &scope;
  const Durability durability =
      options.durability ? *options.durability : DurabilityOver(spaces, has_default);
  for (int lookups = 0;; ++lookups) {
    if (check != nullptr) check->must_decide = lookups == kMaxLookups;
    Ticket ticket;
    Status status = AppendTransaction(&commit, durability, &ticket);
    VARVE_RETURN_IF_ERROR(FinishCommit(ticket, std::move(status)));
    if (check == nullptr || check->outcome == Outcome::kUnchanged) {
      times_.End(WriteKind(commit.count), begin);
      return Status::Ok();
    }
    if (check->outcome == Outcome::kChanged) return ConflictStatus();
    VARVE_RETURN_IF_ERROR(looks_up());
  }
}

Status DbImpl::AppendTransaction(Commit* commit, Durability durability, Ticket* ticket) {
  for (int turns = 0;; ++turns) {
    {
      CommitLockHolder lock(&commit_lock_);
      if (turns >= kMaxTurnsAwaited || !gate_.IsClosed()) {
        if (commit->count > 1 && VARVE_PLANTED_BUG("transaction.two_records")) {
          const Change& one = commit->changes[0];
          Commit first = *commit;
          first.count = 1;
          first.payload =
              commit->payload.substr(0, StoredBytes(one));
          first.payload_hash = WalPayloadHash(first.payload);
          VARVE_RETURN_IF_ERROR(AppendAndApply(first, durability, ticket));
          if (commit->check != nullptr && commit->check->outcome != TransactionCheck::Outcome::kUnchanged) {
            return Status::Ok();
          }
          Commit rest = *commit;
          ++rest.changes;
          --rest.count;
          rest.check = nullptr;
          rest.payload.remove_prefix(first.payload.size());
          rest.payload_hash = WalPayloadHash(rest.payload);
          return AppendAndApply(rest, durability, ticket);
        }
        return AppendAndApply(*commit, durability, ticket);
      }
    }
    NoteWait();
    if (!gate_.WaitForTurn()) turns = kMaxTurnsAwaited;
  }
}

// --- The check.

Status DbImpl::CheckRecentChanges(TransactionCheck* check) {
  using Outcome = TransactionCheck::Outcome;
  const ReadSet& reads = *check->reads;
  check->outcome = Outcome::kUnchanged;
  const uint64_t distance = inserted_sequence_ - check->base;
  if (distance == 0) return Status::Ok();
  EpochGuard guard;  // the memtables of this super version stay
  SuperVersion* super = CurrentSuper();
  const SequenceNumber oldest = super->immutables.empty()
                                    ? super->active->first_sequence
                                    : super->immutables.back()->first_sequence;
  const bool has_ranges = !reads.ranges().empty();
  const bool is_in_ring =
      distance <= RecentChanges::kCapacity && (!has_ranges || check->base + 1 >= oldest);
  if (!check->must_decide && (!is_in_ring || distance > kMaxInside)) {
    check->outcome = Outcome::kStale;
    return Status::Ok();
  }
  if (!is_in_ring) return CheckIn(super, check);
  bool has_range_deletes = false;
  for (SequenceNumber at = check->base + 1; at <= inserted_sequence_; ++at) {
    const RecentChanges::Change& change = recent_changes_[at];
    if (change.record == nullptr) {
      has_range_deletes = true;
    } else if (reads.HasHash(change.hash) ||
               (has_ranges && reads.RangesContain(change.record->key()))) {
      check->outcome = Outcome::kChanged;
      check->conflict_hash = change.hash;
      return Status::Ok();
    }
  }
  // Rare enough for the longer way.
  return has_range_deletes ? CheckIn(super, check) : Status::Ok();
}

Status DbImpl::CheckByLookup(TransactionCheck* check) {
  SequenceNumber visible;
  SuperVersion* super;
  {
    EpochGuard guard;
    super = ReadPoint(nullptr, &visible);
    super->Ref();
  }
  // All that is visible is in the super version. What it shows beyond that counts as well.
  Status status = CheckIn(super, check);
  super->Unref();
  if (status.ok()) check->base = std::max(check->base, visible);
  return status;
}

Status DbImpl::CheckIn(SuperVersion* super, TransactionCheck* check) {
  check->outcome = TransactionCheck::Outcome::kChanged;
  for (const ReadSet::Key& key : check->reads->keys()) {
    check->conflict_hash = key.hash;
    VARVE_ASSIGN_OR_RETURN(const bool changed, KeyChangedIn(super, key, check->base));
    if (changed) return Status::Ok();
  }
  for (const ReadSet::Range& range : check->reads->ranges()) {
    check->conflict_hash = PointIndexHash(range.begin, context_.hash_salt);
    VARVE_ASSIGN_OR_RETURN(const bool changed, RangeChangedIn(super, range, check->base));
    if (changed) return Status::Ok();
  }
  check->outcome = TransactionCheck::Outcome::kUnchanged;
  return Status::Ok();
}

Result<bool> DbImpl::KeyChangedIn(SuperVersion* super, const ReadSet::Key& key,
                                  SequenceNumber base) {
  EpochGuard guard;
  if (super->tombstones.MaxCovering(key.key, kMaxSequence) > base) return true;
  // The newest version decides; a part of the store without anything newer than base need not be
  // looked at, and what is below it is older.
  Entry entry;
  const MemTableSlot* slot = super->active.get();
  for (size_t i = 0;; ++i) {
    if (slot->memtable->Get(key.key, key.hash, kMaxSequence, &entry)) return entry.sequence > base;
    if (slot->first_sequence != 0 && slot->first_sequence <= base) return false;
    if (i == super->immutables.size()) break;
    slot = super->immutables[i].get();
  }
  for (const auto& run : super->version->runs()) {
    const SegmentSlice* slice = run->Find(key.key);
    if (slice == nullptr || slice->meta().largest_sequence <= base) continue;
    FoundEntry found;
    VARVE_ASSIGN_OR_RETURN(const bool hit,
                           slice->segment->Find(key.key, key.hash, kMaxSequence, &found));
    if (hit) return found.entry.sequence > base;
  }
  return false;
}

namespace {

// Whether `source` has an entry in the range that is newer than `base`.
Result<bool> HasNewer(InternalIterator* source, const ReadSet::Range& range, SequenceNumber base) {
  for (source->Seek(range.begin, kMaxSequence); source->Valid(); source->Next()) {
    if (source->entry().key >= range.end) break;
    if (source->entry().sequence > base) return true;
  }
  VARVE_RETURN_IF_ERROR(source->status());
  return false;
}

bool MayHaveNewer(const Run& run, const ReadSet::Range& range, SequenceNumber base) {
  for (size_t i = run.FirstAtOrAfter(range.begin); i < run.slices().size(); ++i) {
    const SegmentMeta& meta = run.slices()[i].meta();
    if (meta.smallest_key >= range.end) break;
    if (meta.largest_sequence > base) return true;
  }
  return false;
}

}  // namespace

Result<bool> DbImpl::RangeChangedIn(SuperVersion* super, const ReadSet::Range& range,
                                    SequenceNumber base) {
  if (super->tombstones.NewestOver(range.begin, range.end) > base) return true;
  const MemTableSlot* slot = super->active.get();
  for (size_t i = 0;; ++i) {
    MemTableIterator entries(slot->memtable);
    VARVE_ASSIGN_OR_RETURN(const bool changed, HasNewer(&entries, range, base));
    if (changed) return true;
    if (slot->first_sequence != 0 && slot->first_sequence <= base) return false;
    if (i == super->immutables.size()) break;
    slot = super->immutables[i].get();
  }
  for (const auto& run : super->version->runs()) {
    if (!MayHaveNewer(*run, range, base)) continue;
    RunIterator entries(run, ReadMode::kCached);
    VARVE_ASSIGN_OR_RETURN(const bool changed, HasNewer(&entries, range, base));
    if (changed) return true;
  }
  return false;
}

}  // namespace varve
