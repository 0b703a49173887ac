// The commit: log, memtable, sequence number, durability.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "format/value_log.h"

namespace varve {

namespace {

// What a range delete in memory takes beside its keys.
constexpr uint64_t kRangeTombstoneBytes = 320;

void CountOne(std::atomic<uint64_t>* count) {  // under a lock: nobody else writes it
  count->store(count->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

Status DbImpl::CommitChanges(Commit commit, const WriteOptions& options, Ticket* deferred) {
  commit.payload_hash = WalPayloadHash(commit.payload);
  Ticket ticket;
  Status status;
  {
    CommitLockHolder lock(&commit_lock_);
    status = AppendAndApply(commit, options.durability.value_or(options_.durability), &ticket);
  }
  if (deferred == nullptr) return FinishCommit(ticket, std::move(status));
  *deferred = ticket;
  return status;
}

Status DbImpl::FinishCommit(const Ticket& ticket, Status status) {
  if (is_failed_.load(std::memory_order_acquire)) {
    MutexLock lock(&mu_);
    return fatal_;
  }
  if (!status.ok()) return status;
  if (VARVE_PLANTED_BUG("write.acknowledged_before_the_sync")) return Status::Ok();
  if (ticket.wait) {
    NoteWait();
    VARVE_RETURN_IF_ERROR(sync_group_.WaitFor(ticket.position, ticket.sync));
  }
  if (ticket.not_before != 0) Throttle(ticket.not_before);
  return Status::Ok();
}

Status DbImpl::AppendAndApply(const Commit& commit, Durability durability, Ticket* ticket) {
  if (is_failed_.load(std::memory_order_relaxed)) return Status::IoError("the store has failed");
  const uint64_t record_bytes = WalRecordBytes(commit.payload.size());
  const SequenceNumber before_room = inserted_sequence_;
  VARVE_RETURN_IF_ERROR(MakeRoom(record_bytes, commit.only_deletes));
  // Making room may let go of the lock; from here on it is held to the end.
  if (commit.scope != nullptr) {
    for (const NamespaceState* space : commit.scope->spaces) {
      if (space->is_dropped) return NamespaceWasDropped(*space);
    }
  }
  const bool loses_race = inserted_sequence_ != before_room &&
                          VARVE_PLANTED_BUG("compare_and_set.loses_a_race_while_it_waits");
  if (commit.unchanged_since && !loses_race) {
    VARVE_ASSIGN_OR_RETURN(ticket->has_changed, HasChanged(commit));
    if (ticket->has_changed) return AwaitPending(ticket);
  }
  if (commit.check != nullptr) {
    VARVE_RETURN_IF_ERROR(CheckRecentChanges(commit.check));
    if (commit.check->outcome != TransactionCheck::Outcome::kUnchanged) return AwaitPending(ticket);
  }
  VARVE_ASSIGN_OR_RETURN(char* to, log_->Reserve(record_bytes, commit.only_deletes));

  const SequenceNumber first = inserted_sequence_ + 1;
  const SequenceNumber last = inserted_sequence_ + commit.count;
  WalHeaderFields header;
  header.payload_bytes = static_cast<uint32_t>(commit.payload.size());
  header.first_sequence = first;
  header.synced_offset = static_cast<uint32_t>(log_->synced_end());
  header.count = commit.count;
  char* padding = to + kWalRecordHeaderBytes + commit.payload.size();
  std::memcpy(to + kWalRecordHeaderBytes, commit.payload.data(), commit.payload.size());
  std::memset(padding, 0, static_cast<size_t>(to + record_bytes - padding));
  EncodeWalRecordHeader(header, commit.payload_hash, log_seed_, log_->end(), to);
  log_->Advance(record_bytes);

  if (VARVE_PLANTED_BUG("write.visible_before_inserted")) {
    visible_sequence_.store(last);
    std::this_thread::yield();  // so that somebody sees it
  }
  ApplyToMemTable(commit, first);
  inserted_sequence_ = last;
  position_ += record_bytes;
  put_count_.store(put_count_.load(std::memory_order_relaxed) + commit.count,
                   std::memory_order_relaxed);
  CountOne(commit.count == 1 ? &put_commit_count_ : &batch_count_);
  wal_bytes_.store(wal_bytes_.load(std::memory_order_relaxed) + record_bytes,
                   std::memory_order_relaxed);

  if (commit.scope != nullptr && commit.scope->dropped != nullptr) {
    commit.scope->dropped->is_dropped = true;
    commit.scope->dropped->drop_sequence = last;
  }
  ticket->position = position_;
  ticket->last_sequence = last;
  const bool wants_sync = durability == Durability::kSync;
  const bool wants_write = durability == Durability::kProcess && !log_->is_mapped();
  if (wants_sync || wants_write) pending_sequence_ = last;
  if (wants_sync) sync_pending_sequence_ = last;
  const SequenceNumber visible = visible_sequence_.load(std::memory_order_relaxed);
  if (pending_sequence_ > visible) {
    // Somebody before, or this change itself, is not yet as durable as it must be to be seen.
    ticket->wait = true;
    ticket->sync = sync_pending_sequence_ > visible;
  } else {
    // Release: whoever sees the number sees the change in the memtable.
    visible_sequence_.store(last, std::memory_order_release);
  }
  UpdateThrottle(commit.count, ticket);
  return Status::Ok();
}

Status DbImpl::AwaitPending(Ticket* ticket) {
  const SequenceNumber visible = visible_sequence_.load(std::memory_order_relaxed);
  ticket->position = position_;
  // Even when nothing is pending: what came behind a pending change stays hidden until its writer, or
  // the caller, has the group publish it.
  ticket->wait = inserted_sequence_ > visible;
  ticket->sync = sync_pending_sequence_ > visible;
  return Status::Ok();
}

void DbImpl::ApplyToMemTable(const Commit& commit, SequenceNumber first) noexcept {
  MemTable* memtable = active_->memtable;
  uint64_t user_bytes = 0;
  bool has_ranges = false;
  for (uint32_t i = 0; i < commit.count; ++i) {
    const Change& change = commit.changes[i];
    user_bytes += change.key.size() + change.value.size();
    if (change.kind == kDeleteRangeOp) {
      has_ranges |= change.key < change.value;
      recent_changes_.Add(first + i, 0, nullptr);
      continue;
    }
    const EntryKind kind = static_cast<EntryKind>(change.kind);
    if (HasPointer(kind)) NoteValuePointer(PlainValueOf(kind, change.value));
    const MemTableRecord* record =
        memtable->Add(first + i, kind, change.key, change.value, change.hash);
    recent_changes_.Add(first + i, change.hash, record);
    if (IsExpiring(kind) && expiry_notes_.is_on()) expiry_notes_.Add(active_->log_number, record);
  }
  user_bytes_.store(user_bytes_.load(std::memory_order_relaxed) + user_bytes,
                    std::memory_order_relaxed);
  if (!has_ranges) return;
  std::vector<RangeTombstone> ranges;
  for (uint32_t i = 0; i < commit.count; ++i) {
    const Change& change = commit.changes[i];
    if (change.kind != kDeleteRangeOp || change.key >= change.value) continue;
    ranges.push_back({std::string(change.key), std::string(change.value), first + i});
    active_->range_tombstone_bytes.fetch_add(
        kRangeTombstoneBytes + 3 * (change.key.size() + change.value.size()),
        std::memory_order_relaxed);
  }
  MutexLock lock(&mu_);
  active_->tombstones.Add(ranges, BoundariesLocked());
  active_->range_tombstones.insert(active_->range_tombstones.end(),
                                   std::make_move_iterator(ranges.begin()),
                                   std::make_move_iterator(ranges.end()));
  InstallSuperVersion();
}

void DbImpl::NoteValuePointer(std::string_view encoded) {
  ValuePointer pointer;
  VARVE_CHECK(DecodeValuePointer(encoded, &pointer));
  active_->separated_bytes += pointer.value_bytes;
  auto& files = active_->value_logs;
  const bool known = std::any_of(files.begin(), files.end(), [&](const auto& file) {
    return file->number() == pointer.file_number;
  });
  if (known) return;
  MutexLock lock(&mu_);  // the background looks at the list
  files.push_back(values_.Find(pointer.file_number));
}

// --- Durability.

Result<uint64_t> DbImpl::MakeLogDurable(bool sync) {
  std::vector<std::shared_ptr<LogFile>> logs;
  std::vector<LogFile::Pending> pendings;
  uint64_t position;
  SequenceNumber last;
  {
    CommitLockHolder lock(&commit_lock_);
    logs = unsynced_logs_;
    for (const auto& log : logs) pendings.push_back(log->TakePending());
    position = position_;
    last = inserted_sequence_;
    // All of it becomes visible, so all of it must be as durable as its writers asked for.
    sync |= sync_pending_sequence_ > visible_sequence_.load(std::memory_order_relaxed) &&
            !VARVE_PLANTED_BUG("write.visible_before_synced");
  }
  const uint64_t begin = clock_->MonotonicNanos();
  // Separated values go first: the log must not point to what is not there.
  Status status;
  if (sync && !VARVE_PLANTED_BUG("write.values_not_synced")) status = values_.Sync();
  if (status.ok() && sync) status = SyncRecoveredLogs();
  for (size_t i = 0; status.ok() && i < logs.size(); ++i) {
    status = logs[i]->WriteOut(pendings[i]);
    if (status.ok() && sync) status = logs[i]->Sync(pendings[i].end);
  }
  if (!status.ok()) {
    if (!VARVE_PLANTED_BUG("write.goes_on_after_a_failed_sync")) Fail(status);
    return status;
  }
  if (sync) {
    sync_count_.fetch_add(1, std::memory_order_relaxed);
    times_.Record(Operation::kSync, begin);
    CommitLockHolder lock(&commit_lock_);
    std::erase_if(unsynced_logs_, [&](const auto& log) VARVE_NO_THREAD_SAFETY_ANALYSIS {
      return log != log_ && log->synced_end() == log->end();
    });
  }
  SequenceNumber visible = visible_sequence_.load(std::memory_order_relaxed);
  while (visible < last && !visible_sequence_.compare_exchange_weak(
                               visible, last, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return position;
}

DbImpl::Ticket DbImpl::TicketForAll() {
  Ticket ticket;
  ticket.wait = ticket.sync = true;
  CommitLockHolder lock(&commit_lock_);
  ticket.position = position_;
  return ticket;
}

bool DbImpl::HasUnsynced() const {
  CommitLockHolder lock(&commit_lock_);  // what can be read is in `position_`
  return !sync_group_.IsDone(position_, /*sync=*/true);
}

Status DbImpl::Sync() {
  VARVE_RETURN_IF_ERROR(CheckWritable());
  return FinishCommit(TicketForAll(), Status::Ok());
}

void DbImpl::Fail(const Status& status) {
  MutexLock lock(&mu_);
  if (!fatal_.ok()) return;
  fatal_ = status.WithContext("the store has stopped accepting writes until it is reopened");
  // Release: who sees the flag finds the status.
  is_failed_.store(true, std::memory_order_release);
  events_.Add("failed: " + status.ToString());
  progress_.NotifyAll();
  work_.NotifyAll();
}

}  // namespace varve
