// The way of a write to the commit (db_commit.cc). A put is, in its caller's thread and with no system call in
// the default mode: encode and hash the change; take the commit lock; copy it behind the log's end; add it to
// the memtable; publish its sequence number; leave.
#include <algorithm>

#include "base/check.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/deadline.h"
#include "format/point_index.h"
#include "format/value_log.h"

namespace varve {

namespace {

constexpr size_t kStackPayloadBytes = 1024;

// Memory of this thread that grows to its largest change and stays.
std::string& ThreadBuffer() {
  thread_local std::string buffer;
  return buffer;
}

constexpr uint8_t KindOf(EntryKind kind) { return static_cast<uint8_t>(kind); }

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

}  // namespace varve
