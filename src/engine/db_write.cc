// The write path. A put is, in its caller's thread and with no system call in the default mode: encode
// and hash the change; take the commit lock; copy it behind the log's end; add it to the memtable;
// publish its sequence number; leave.
#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/deadline.h"
#include "format/filename.h"
#include "format/point_index.h"
#include "format/value_log.h"

namespace varve {

namespace {

constexpr size_t kStackPayloadBytes = 1024;
// A memtable is handed over when separated values reach so many times its size.
constexpr uint64_t kSeparatedShare = 4;
// What a range delete in memory takes beside its keys, and the share of a memtable that all may take.
constexpr uint64_t kRangeTombstoneBytes = 320;
constexpr uint64_t kRangeTombstoneShare = 2;

// Memory of this thread that grows to its largest change and stays.
std::string& ThreadBuffer() {
  thread_local std::string buffer;
  return buffer;
}

constexpr uint8_t KindOf(EntryKind kind) { return static_cast<uint8_t>(kind); }

void CountOne(std::atomic<uint64_t>* count) {  // under a lock: nobody else writes it
  count->store(count->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

// --- Entry points.

Status DbImpl::CheckLimits(std::string_view key, size_t value_bytes) const {
  if (key.size() > options_.max_key_bytes) {
    const size_t key_bytes = key.size() - StoredKeyOverhead(key);
    if (key_bytes > options_.max_key_bytes) {
      return Status::InvalidArgument("a key of " + std::to_string(key_bytes) +
                                     " bytes is over the limit of " +
                                     std::to_string(options_.max_key_bytes));
    }
  }
  if (value_bytes > options_.max_value_bytes) {
    return Status::InvalidArgument("a value of " + std::to_string(value_bytes) +
                                   " bytes is over the limit of " +
                                   std::to_string(options_.max_value_bytes));
  }
  return Status::Ok();
}

Status DbImpl::CheckWritable() {
  if (options_.read_only) return Status::InvalidArgument("the store was opened read-only");
  if (!is_failed_.load(std::memory_order_acquire)) return Status::Ok();
  MutexLock lock(&mu_);
  return fatal_;
}

Status DbImpl::Put(std::string_view key, std::string_view value, const WriteOptions& options) {
  std::string buffer;
  const std::string_view stored = Keyspace().ToStored(key, &buffer);
  return WriteOne({KindOf(EntryKind::kValue), stored, value, 0}, options);
}

Status DbImpl::Delete(std::string_view key, const WriteOptions& options) {
  std::string buffer;
  const std::string_view stored = Keyspace().ToStored(key, &buffer);
  return WriteOne({KindOf(EntryKind::kDelete), stored, {}, 0}, options);
}

Status DbImpl::DeleteRange(std::string_view begin, std::string_view end,
                           const WriteOptions& options) {
  // An empty range is logged like any other: it makes what came before as durable as it asks for.
  std::string begin_buffer, end_buffer;
  return WriteOne({kDeleteRangeOp, Keyspace().ToStored(begin, &begin_buffer),
                   Keyspace().ToStored(end, &end_buffer), 0},
                  options);
}

Status DbImpl::Clear(const WriteOptions& options) {
  return WriteOne({kDeleteRangeOp, "", kDefaultNamespaceEnd, 0}, options);
}

Status DbImpl::Write(const WriteBatch& batch, const WriteOptions& options) {
  return WriteBatchOnce(batch, options, nullptr);
}

Status DbImpl::WriteBatchOnce(const WriteBatch& batch, const WriteOptions& options, Ticket* deferred) {
  if (batch.empty()) {
    const bool sync = options.durability.value_or(options_.durability) == Durability::kSync;
    if (sync && deferred == nullptr) return Sync();
    VARVE_RETURN_IF_ERROR(CheckWritable());
    if (sync) *deferred = TicketForAll();
    return Status::Ok();
  }
  std::vector<Change> changes;
  changes.reserve(batch.count());
  WalOpReader ops(batch.rep(), batch.count());
  for (WalOp op; ops.Next(&op);) {
    Change& change = changes.emplace_back(Change{op.kind, op.key, op.value});
    if (!IsExpiring(static_cast<EntryKind>(op.kind))) continue;
    change.deadline = LoadFixed<uint64_t>(op.value.data());
    change.value.remove_prefix(kDeadlineBytes);
  }
  VARVE_CHECK(ops.ok());
  if (!batch.IsFor(static_cast<const Db*>(this))) {
    return Status::InvalidArgument("the batch has changes for a namespace of another store");
  }
  for (const Change& change : changes) {
    const bool is_range = change.kind == kDeleteRangeOp;
    VARVE_RETURN_IF_ERROR(CheckLimits(change.key, is_range ? 0 : change.value.size()));
    if (is_range) VARVE_RETURN_IF_ERROR(CheckLimits(change.value, 0));
  }
  VARVE_RETURN_IF_ERROR(CheckWritable());
  std::vector<NamespaceTable::Ref> spaces;
  bool has_default = true;
  VARVE_RETURN_IF_ERROR(FindNamespaces(changes, &spaces, &has_default));
  SetDeadlines(options, spaces, &changes);
  if (spaces.empty()) return CommitPrepared(&changes, options, nullptr, deferred);

  WriteOptions complete = options;
  if (!complete.durability) complete.durability = DurabilityOver(spaces, has_default);
  std::vector<NamespaceState*> pointers;
  for (const NamespaceTable::Ref& space : spaces) pointers.push_back(space.get());
  const CommitScope scope{pointers, nullptr};
  return CommitPrepared(&changes, complete, &scope, deferred);
}

void DbImpl::SetDeadline(uint64_t deadline, uint64_t now, Change* change) {
  if (deadline <= now) {
    change->kind = KindOf(EntryKind::kDelete);
    change->value = {};
    return;
  }
  change->kind = KindOf(EntryKind::kExpiringValue);
  change->deadline = deadline;
}

void DbImpl::SetDeadlines(const WriteOptions& options,
                          const std::vector<NamespaceTable::Ref>& spaces,
                          std::vector<Change>* changes) {
  const bool has_default = std::any_of(spaces.begin(), spaces.end(), [](const auto& space) {
    return space->default_ttl().has_value();
  });
  const auto options_for = [&](std::string_view key) {
    if (!has_default || HasDeadline(options)) return options;
    const std::optional<uint32_t> id = NamespaceIdOf(key);
    const auto space = std::find_if(spaces.begin(), spaces.end(),
                                    [&](const auto& state) { return state->id == id; });
    if (space == spaces.end()) return options;
    return WithDefaultTtl(options, (*space)->default_ttl());
  };
  uint64_t now = 0;  // read once, when needed
  const auto time = [&] { return now != 0 ? now : now = store_clock_.Now(); };
  for (Change& change : *changes) {
    if (change.kind == KindOf(EntryKind::kExpiringValue)) {
      const bool is_relative = (change.deadline & kDeadlineRelativeFlag) != 0;
      const uint64_t given = change.deadline & kMaxDeadline;
      SetDeadline(std::min(kMaxDeadline, given + (is_relative ? time() : 0)), time(), &change);
    } else if (change.kind == KindOf(EntryKind::kValue)) {
      const WriteOptions complete = options_for(change.key);
      if (HasDeadline(complete)) SetDeadline(RequestedDeadline(complete, time()), time(), &change);
    }
  }
}

size_t DbImpl::StoredBytes(const Change& change) {
  const bool is_expiring = IsExpiring(static_cast<EntryKind>(change.kind));
  return WalOpBytes(change.kind, change.key.size(),
                    change.value.size() + (is_expiring ? kDeadlineBytes : 0));
}

char* DbImpl::StoreChange(Change* change, char* to) {
  const EntryKind kind = static_cast<EntryKind>(change->kind);
  WalOp op{change->kind, change->key, change->value};
  if (!IsExpiring(kind)) return StoreWalOp(op, to);
  to = StoreExpiringWalOp(EncodeDeadline(change->deadline, kind), &op, to);
  change->value = op.value;
  return to;
}

bool DbImpl::IsLarge(const Change& change) const {
  return (change.kind == KindOf(EntryKind::kValue) ||
          change.kind == KindOf(EntryKind::kExpiringValue)) &&
         change.value.size() >= tuning_.separation_threshold_bytes;
}

void DbImpl::PointTo(const char* pointer, Change* change) {
  const bool is_expiring = change->kind == KindOf(EntryKind::kExpiringValue);
  change->kind = KindOf(is_expiring ? EntryKind::kExpiringPointer : EntryKind::kValuePointer);
  change->value = {pointer, kValuePointerBytes};
}

Status DbImpl::WriteOne(const Change& change, const WriteOptions& options, NamespaceState* space,
                        Ticket* deferred) {
  const bool is_range = change.kind == kDeleteRangeOp;
  VARVE_RETURN_IF_ERROR(CheckLimits(change.key, is_range ? 0 : change.value.size()));
  if (is_range) VARVE_RETURN_IF_ERROR(CheckLimits(change.value, 0));
  VARVE_RETURN_IF_ERROR(CheckWritable());

  const uint64_t begin = deferred == nullptr ? times_.Begin() : 0;  // its caller times a deferred one
  Change prepared = change;
  char pointer[kValuePointerBytes];
  ValueLogHold hold;
  if (change.kind == KindOf(EntryKind::kValue)) {
    const bool has_own = HasDeadline(options);
    const auto default_ttl = space != nullptr && !has_own ? space->default_ttl() : std::nullopt;
    if (has_own || default_ttl) {
      const uint64_t now = store_clock_.Now();
      SetDeadline(RequestedDeadline(WithDefaultTtl(options, default_ttl), now), now, &prepared);
    }
  }
  if (IsLarge(prepared)) {
    NoteWait();
    VARVE_ASSIGN_OR_RETURN(AppendedValue appended, values_.Append(change.key, change.value));
    hold = std::move(appended.hold);
    EncodeValuePointer(appended.where, pointer);
    PointTo(pointer, &prepared);
  }
  prepared.hash = PointIndexHash(change.key, context_.hash_salt);

  const size_t bytes = StoredBytes(prepared);
  char stack[kStackPayloadBytes];
  char* payload = stack;
  if (bytes > sizeof(stack)) {
    ThreadBuffer().resize(bytes);
    payload = ThreadBuffer().data();
  }
  StoreChange(&prepared, payload);
  const bool deletes = prepared.kind == KindOf(EntryKind::kDelete) || is_range;
  Commit commit{{payload, bytes}, &prepared, 1, deletes, 0};
  CommitScope scope;
  if (space != nullptr) {
    scope.spaces = {&space, 1};
    commit.scope = &scope;
  }
  Status status = CommitChanges(commit, options, deferred);
  if (status.ok() && deferred == nullptr) times_.End(Operation::kPut, begin);
  return status;
}

Status DbImpl::SeparateLargeValues(std::vector<Change>* changes, std::deque<SeparatedValue>* values) {
  for (Change& change : *changes) {
    if (!IsLarge(change)) continue;
    NoteWait();
    VARVE_ASSIGN_OR_RETURN(AppendedValue appended, values_.Append(change.key, change.value));
    SeparatedValue& separated = values->emplace_back();
    separated.hold = std::move(appended.hold);
    EncodeValuePointer(appended.where, separated.pointer);
    PointTo(separated.pointer, &change);
  }
  return Status::Ok();
}

Status DbImpl::CommitPrepared(std::vector<Change>* changes, const WriteOptions& options,
                              const CommitScope* scope, Ticket* deferred) {
  const uint64_t begin = deferred == nullptr ? times_.Begin() : 0;
  std::deque<SeparatedValue> separated_values;
  VARVE_RETURN_IF_ERROR(SeparateLargeValues(changes, &separated_values));

  size_t bytes = 0;
  bool only_deletes = true;
  for (Change& change : *changes) {
    change.hash = PointIndexHash(change.key, context_.hash_salt);
    bytes += StoredBytes(change);
    only_deletes &= change.kind == KindOf(EntryKind::kDelete) || change.kind == kDeleteRangeOp;
  }
  if (bytes > kMaxWalPayloadBytes || changes->size() > kMaxWalRecordOps) {
    return Status::InvalidArgument("a batch of " + std::to_string(bytes) +
                                   " bytes is over the limit of " +
                                   std::to_string(kMaxWalPayloadBytes));
  }
  std::string payload(bytes, '\0');
  char* to = payload.data();
  for (Change& change : *changes) to = StoreChange(&change, to);
  Commit commit{payload, changes->data(), static_cast<uint32_t>(changes->size()), only_deletes, 0};
  commit.scope = scope;
  Status status = CommitChanges(commit, options, deferred);
  if (status.ok() && deferred == nullptr) times_.End(WriteKind(commit.count), begin);
  return status;
}

// --- The commit.

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

// --- Room.

Status DbImpl::MakeRoom(uint64_t record_bytes, bool only_deletes) {
  while (true) {
    const uint64_t memtable_bytes = active_->memtable->memory_bytes();
    const bool log_has_room = log_->end() + record_bytes <= log_->capacity();
    // After a crash the separated values that the log points to are read once; this bounds them.
    const bool few_ranges =
        active_->range_tombstone_bytes < tuning_.memtable_bytes / kRangeTombstoneShare;
    const bool few_values = few_ranges && active_->separated_bytes < kSeparatedShare * tuning_.memtable_bytes;
    if (memtable_bytes < tuning_.memtable_bytes && few_values && log_has_room) return Status::Ok();
    const uint32_t waiting = immutable_count_.load(std::memory_order_relaxed);
    Status status;
    if (waiting < tuning_.max_immutable_memtables) {
      NoteWait();
      status = Rotate(record_bytes);
      if (status.ok()) return status;
    } else {
      // The flush is behind. Writers were slowed long before; the memtable may grow to twice its size
      // before they have to wait.
      if (memtable_bytes < 2 * tuning_.memtable_bytes && log_has_room) return Status::Ok();
      commit_lock_.Unlock();
      status = WaitForFlush();
      commit_lock_.Lock();
    }
    // A full disk can be left by deleting: that goes on in the log that there is.
    if (!status.ok() && only_deletes && log_has_room) return Status::Ok();
    VARVE_RETURN_IF_ERROR(status);
  }
}

Status DbImpl::WaitForFlush() noexcept {
  constexpr uint64_t kMaxWaitMicros = 100'000;
  const uint64_t begin = clock_->MonotonicNanos();
  NoteWaiting(begin);
  {
    MutexLock lock(&mu_);
    // What failed a while ago may work now: the outcome of a new attempt decides.
    const uint64_t attempts = flush_attempts_;
    const bool had_failed = !background_error_.ok();
    if (had_failed) work_.NotifyAll();
    if (fatal_.ok() && immutables_.size() >= tuning_.max_immutable_memtables) {
      progress_.WaitFor(&mu_, kMaxWaitMicros);
    }
    if (!fatal_.ok()) return fatal_;
    if (had_failed && flush_attempts_ != attempts && !background_error_.ok()) return background_error_;
  }
  NoteSlowdown(clock_->MonotonicNanos() - begin);
  return Status::Ok();
}

LogFileOptions DbImpl::LogOptions(uint64_t record_bytes) {
  LogFileOptions options;
  options.mapped = tuning_.mapped_log;
  options.window_bytes = tuning_.log_window_bytes;
  options.directory = &directory_;
  options.write_zeros = options_.durability == Durability::kSync;
  const uint64_t wanted =
      std::max(4 * tuning_.memtable_bytes, record_bytes + kWalFileHeaderBytes + (64 << 10));
  options.capacity_bytes = std::min((wanted + 4095) & ~uint64_t{4095}, kMaxWalBytes);
  return options;
}

Result<std::shared_ptr<LogFile>> DbImpl::NewLog(uint64_t record_bytes) {
  const LogFileOptions options = LogOptions(record_bytes);
  const uint64_t number = versions_.NextFileNumber();
  const std::string path = JoinPath(dir_, WalFileName(number));
  {
    MutexLock lock(&mu_);
    if (!spare_logs_.empty()) {
      // Its blocks are used again. If the rename fails the log simply begins as a new file.
      (void)env_->RenameFile(spare_logs_.back(), path);
      spare_logs_.pop_back();
    }
  }
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<LogFile> log, LogFile::Open(env_, path, number, options));
  WalFileHeader header;
  header.log_number = number;
  header.salt = env_->RandomSeed();
  if (log_ != nullptr) {
    header.previous_log_number = log_->number();
    header.previous_end_offset = log_->end();
    header.previous_is_synced = log_->synced_end() == log_->end() ||
                                VARVE_PLANTED_BUG("log.claims_that_the_last_one_was_synced");
  } else {
    header.previous_log_number = recovered_log_number_;
    header.previous_end_offset = recovered_log_end_;
  }
  auto to = log->Reserve(kWalFileHeaderBytes, /*use_reserve=*/true);
  if (!to.ok()) {
    (void)env_->RemoveFile(path);
    return to.status();
  }
  EncodeWalFileHeader(header, *to);
  log->Advance(kWalFileHeaderBytes);
  log_seed_ = header.seed();
  return std::shared_ptr<LogFile>(std::move(log));
}

Status DbImpl::Rotate(uint64_t record_bytes) noexcept {
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<LogFile> log, NewLog(record_bytes));
  auto slot = std::make_shared<MemTableSlot>(
      MemTable::Create(&pool_, static_cast<size_t>(tuning_.memtable_bytes)), log->number());
  slot->log = log;
  slot->first_sequence = inserted_sequence_ + 1;
  log_ = log;
  unsynced_logs_.push_back(std::move(log));
  std::shared_ptr<MemTableSlot> old = std::exchange(active_, slot);
  MutexLock lock(&mu_);
  active_shared_ = std::move(slot);
  if (old != nullptr) {
    immutables_.push_back(std::move(old));
    immutable_count_.store(static_cast<uint32_t>(immutables_.size()), std::memory_order_relaxed);
  }
  InstallSuperVersion();
  work_.NotifyAll();
  return Status::Ok();
}

// --- Back-pressure: writers are slowed smoothly as work piles up behind them. The delay belongs to the
// changes, not to the threads: each commit books the time that its changes cost, so that a hundred
// writers are held to the same rate as one.

void DbImpl::UpdateThrottle(uint32_t count, Ticket* ticket) {
  const uint32_t waiting = immutable_count_.load(std::memory_order_relaxed);
  const uint32_t runs = run_count_.load(std::memory_order_relaxed);
  if (waiting + 1 < tuning_.max_immutable_memtables && runs <= tuning_.slowdown_runs) return;
  double nanos = 0;
  if (waiting + 1 >= tuning_.max_immutable_memtables) {
    // 0 to 2: how full the memtable is that cannot be handed over.
    const double fill = static_cast<double>(active_->memtable->memory_bytes()) /
                        static_cast<double>(tuning_.memtable_bytes);
    const bool last = waiting >= tuning_.max_immutable_memtables;
    nanos = last ? 1000.0 * (1 << static_cast<int>(std::min(6.0, 6 * std::max(0.0, fill - 0.5))))
                 : 1000.0 * fill * fill;
  }
  if (runs > tuning_.slowdown_runs) nanos += 200.0 * static_cast<double>(runs - tuning_.slowdown_runs);
  const uint64_t now = clock_->MonotonicNanos();
  next_slot_ = std::max(now, next_slot_) + static_cast<uint64_t>(nanos * count);
  if (next_slot_ > now) ticket->not_before = next_slot_;
}

bool DbImpl::MustThrottle(uint64_t not_before) const {
  // Shorter waits are left to add up: one sleep for a thousand changes leaves the processor to the merge
  // that is waited for, where a thousand turns of a waiting loop would keep it.
  constexpr uint64_t kSleepFrom = 1'000'000;
  return not_before != 0 && not_before >= clock_->MonotonicNanos() + kSleepFrom;
}

void DbImpl::Throttle(uint64_t not_before) {
  constexpr uint64_t kMaxNanos = 20'000'000;  // nobody waits longer in one go
  if (!MustThrottle(not_before)) return;
  const uint64_t begin = clock_->MonotonicNanos();
  if (not_before <= begin) return;
  NoteWaiting(begin);
  clock_->SleepNanos(std::min(not_before - begin, kMaxNanos));
  NoteSlowdown(clock_->MonotonicNanos() - begin);
}

void DbImpl::NoteSlowdown(uint64_t nanos) {
  slowdown_nanos_.fetch_add(nanos, std::memory_order_relaxed);
  slowdown_count_.fetch_add(1, std::memory_order_relaxed);
  uint64_t longest = slowdown_nanos_max_.load(std::memory_order_relaxed);
  while (nanos > longest && !slowdown_nanos_max_.compare_exchange_weak(longest, nanos)) {
  }
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
