#include "engine/transaction.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_iterator.h"
#include "engine/deadline.h"
#include "engine/failed_iterator.h"
#include "engine/namespace_impl.h"
#include "format/point_index.h"

namespace varve {

Status Transaction::Transact(const Body& body) {
  VARVE_RETURN_IF_ERROR(SetSavepoint());
  Status status = body(*this);
  if (status.ok()) return ReleaseSavepoint();
  VARVE_RETURN_IF_ERROR(RollbackToSavepoint());
  return status;
}

Status Transaction::PutUntil(const Namespace*, std::string_view, std::string_view,
                             std::chrono::system_clock::time_point) {
  return Status::NotSupported("this transaction knows no time to live");
}

const void* Transaction::StoreOf(const Namespace& space) { return space.store_; }

void TransactionImpl::Start(DbImpl* db, const TransactionOptions& options, bool is_managed) {
  VARVE_DCHECK(!view_.is_active);
  db_ = db;
  options_ = options;
  is_managed_ = is_managed;
  met_conflict_ = false;
  arena_.Reset();
  reads_.Reset(&arena_);
  writes_.Reset(&arena_);
  savepoints_.clear();
  slot_ = db->read_slots_.Enter(db->visible_sequence_, &snapshot_.sequence_);
  if (slot_ == nullptr) {
    held_ = db->GetSnapshot();
    snapshot_.sequence_ = held_->sequence();
  }
  const bool tracks = options.isolation == Isolation::kSerializable && !options.read_only;
  view_.writes = &writes_;
  view_.reads = tracks ? &reads_ : nullptr;
  view_.is_active = true;
}

void TransactionImpl::End() {
  if (!view_.is_active) return;
  view_.is_active = false;
  if (slot_ != nullptr) ReadSlots::Leave(std::exchange(slot_, nullptr));
  held_.reset();
}

Status TransactionImpl::CheckActive() const {
  if (view_.is_active) return Status::Ok();
  return Status::InvalidArgument("the transaction has ended");
}

// --- Namespaces: keys become stored keys.

Result<Keyspace> TransactionImpl::KeyspaceOf(const Namespace& space) const {
  if (StoreOf(space) != static_cast<const Db*>(db_)) {
    return Status::InvalidArgument("the namespace belongs to another store");
  }
  if (space.id() == 0) return Keyspace();
  // All handles on named namespaces of this store are made by it.
  const auto& named = static_cast<const NamespaceImpl&>(space);
  VARVE_RETURN_IF_ERROR(named.CheckReadable(&snapshot_));
  return named.keyspace();
}

Result<std::string> TransactionImpl::Get(std::string_view key) { return Get(*db_, key); }

Result<std::string> TransactionImpl::Get(const Namespace& space, std::string_view key) {
  std::string value;
  VARVE_RETURN_IF_ERROR(Get(space, key, &value));
  return value;
}

Status TransactionImpl::Get(std::string_view key, std::string* value) {
  return Get(*db_, key, value);
}

Status TransactionImpl::Get(const Namespace& space, std::string_view key, std::string* value) {
  Status status = CheckActive();
  if (status.ok()) {
    const Result<Keyspace> keyspace = KeyspaceOf(space);
    std::string buffer;
    if (keyspace.ok()) return GetStored(keyspace->ToStored(key, &buffer), value);
    status = keyspace.status();
  }
  value->clear();
  return status;
}

Result<PinnedValue> TransactionImpl::GetPinned(std::string_view key) {
  return GetPinned(*db_, key);
}

Result<PinnedValue> TransactionImpl::GetPinned(const Namespace& space, std::string_view key) {
  VARVE_RETURN_IF_ERROR(CheckActive());
  VARVE_ASSIGN_OR_RETURN(const Keyspace keyspace, KeyspaceOf(space));
  std::string buffer;
  return GetPinnedStored(keyspace.ToStored(key, &buffer));
}

std::unique_ptr<Iterator> TransactionImpl::NewIterator(const IteratorOptions& options) {
  return NewIterator(*db_, options);
}

std::unique_ptr<Iterator> TransactionImpl::NewIterator(const Namespace& space,
                                                       const IteratorOptions& options) {
  if (Status status = CheckActive(); !status.ok()) {
    return std::make_unique<FailedIterator>(std::move(status));
  }
  const Result<Keyspace> keyspace = KeyspaceOf(space);
  if (!keyspace.ok()) return std::make_unique<FailedIterator>(keyspace.status());
  return NewIteratorIn(*keyspace, options);
}

Status TransactionImpl::Put(std::string_view key, std::string_view value) {
  return Put(*db_, key, value);
}

Status TransactionImpl::Put(const Namespace& space, std::string_view key, std::string_view value) {
  VARVE_RETURN_IF_ERROR(CheckActive());
  VARVE_ASSIGN_OR_RETURN(const Keyspace keyspace, KeyspaceOf(space));
  std::string buffer;
  return PutStored(keyspace.ToStored(key, &buffer), value);
}

Status TransactionImpl::PutUntil(const Namespace* space, std::string_view key,
                                 std::string_view value,
                                 std::chrono::system_clock::time_point expire_at) {
  VARVE_RETURN_IF_ERROR(CheckActive());
  VARVE_ASSIGN_OR_RETURN(const Keyspace keyspace, KeyspaceOf(space == nullptr ? *db_ : *space));
  std::string buffer;
  // 0 means none: a deadline so long ago is 1.
  return PutStored(keyspace.ToStored(key, &buffer), value,
                   std::max<uint64_t>(1, DeadlineAt(expire_at)));
}

Status TransactionImpl::Delete(std::string_view key) { return Delete(*db_, key); }

Status TransactionImpl::Delete(const Namespace& space, std::string_view key) {
  VARVE_RETURN_IF_ERROR(CheckActive());
  VARVE_ASSIGN_OR_RETURN(const Keyspace keyspace, KeyspaceOf(space));
  std::string buffer;
  return DeleteStored(keyspace.ToStored(key, &buffer));
}

Status TransactionImpl::DeleteRange(std::string_view begin, std::string_view end) {
  return DeleteRange(*db_, begin, end);
}

Status TransactionImpl::DeleteRange(const Namespace& space, std::string_view begin,
                                    std::string_view end) {
  VARVE_RETURN_IF_ERROR(CheckActive());
  VARVE_ASSIGN_OR_RETURN(const Keyspace keyspace, KeyspaceOf(space));
  std::string begin_buffer, end_buffer;
  return DeleteStoredRange(keyspace.ToStored(begin, &begin_buffer),
                           keyspace.ToStored(end, &end_buffer));
}

Status TransactionImpl::DeleteAll(const Namespace& space) {
  VARVE_RETURN_IF_ERROR(CheckActive());
  VARVE_ASSIGN_OR_RETURN(const Keyspace keyspace, KeyspaceOf(space));
  return DeleteStoredRange(keyspace.begin(), keyspace.end());
}

// --- Reads.

void TransactionImpl::NoteRead(std::string_view key) {
  if (view_.reads != nullptr) reads_.AddKey(key, PointIndexHash(key, db_->context_.hash_salt));
}

Status TransactionImpl::GetStored(std::string_view key, std::string* value) {
  if (!writes_.empty() && !VARVE_PLANTED_BUG("transaction.own_writes_invisible")) {
    std::string_view own;
    const WriteSet::Found found = writes_.Find(key, &own);
    if (found == WriteSet::Found::kValue) {
      value->assign(own);
      return Status::Ok();
    }
    if (found == WriteSet::Found::kDeleted) {
      value->clear();
      return Status::NotFound();
    }
  }
  NoteRead(key);
  return db_->GetStored(key, value, {.snapshot = &snapshot_});
}

Result<PinnedValue> TransactionImpl::GetPinnedStored(std::string_view key) {
  std::string_view own;
  const WriteSet::Found found = writes_.Find(key, &own);
  if (found == WriteSet::Found::kDeleted) return Status::NotFound();
  if (found == WriteSet::Found::kValue) {
    auto copy = std::make_unique<std::string>(own);
    const std::string_view view = *copy;
    return PinnedValue(view, copy.release(),
                       [](void* owner) { delete static_cast<std::string*>(owner); });
  }
  NoteRead(key);
  return db_->GetPinnedStored(key, {.snapshot = &snapshot_});
}

std::unique_ptr<Iterator> TransactionImpl::NewIteratorIn(const Keyspace& keyspace,
                                                         const IteratorOptions& options) {
  IteratorOptions base = options;
  base.snapshot = &snapshot_;
  return std::make_unique<TransactionIterator>(
      &view_, db_->NewIteratorIn(keyspace, base), keyspace,
      StoredRangeOf(keyspace, options.prefix, options.lower_bound, options.upper_bound));
}

// --- Writes.

Status TransactionImpl::CheckMayWrite(std::string_view key, std::string_view value) const {
  if (options_.read_only) return Status::InvalidArgument("the transaction is read-only");
  const uint64_t bytes =
      writes_.byte_count() + key.size() + value.size() + WriteSet::kOpOverheadBytes;
  if (bytes <= db_->tuning_.max_transaction_bytes) return Status::Ok();
  return Status::InvalidArgument("a transaction of " + std::to_string(bytes) +
                                 " bytes is over the limit of " +
                                 std::to_string(db_->tuning_.max_transaction_bytes));
}

Status TransactionImpl::PutStored(std::string_view key, std::string_view value,
                                  uint64_t deadline) {
  VARVE_RETURN_IF_ERROR(CheckMayWrite(key, value));
  VARVE_RETURN_IF_ERROR(db_->CheckLimits(key, value.size()));
  writes_.Put(key, value, deadline);
  return Status::Ok();
}

Status TransactionImpl::DeleteStored(std::string_view key) {
  VARVE_RETURN_IF_ERROR(CheckMayWrite(key, {}));
  VARVE_RETURN_IF_ERROR(db_->CheckLimits(key, 0));
  writes_.Delete(key);
  return Status::Ok();
}

Status TransactionImpl::DeleteStoredRange(std::string_view begin, std::string_view end) {
  VARVE_RETURN_IF_ERROR(CheckMayWrite(begin, end));
  VARVE_RETURN_IF_ERROR(db_->CheckLimits(begin, 0));
  VARVE_RETURN_IF_ERROR(db_->CheckLimits(end, 0));
  writes_.DeleteRange(begin, end);
  return Status::Ok();
}

Status TransactionImpl::SetSavepoint() {
  VARVE_RETURN_IF_ERROR(CheckActive());
  savepoints_.push_back(writes_.op_count());
  return Status::Ok();
}

Status TransactionImpl::RollbackToSavepoint() {
  VARVE_RETURN_IF_ERROR(CheckActive());
  if (savepoints_.empty()) return Status::NotFound("there is no savepoint");
  if (!VARVE_PLANTED_BUG("transaction.savepoint_not_rolled_back")) {
    writes_.RollbackTo(savepoints_.back());
  }
  savepoints_.pop_back();
  return Status::Ok();
}

Status TransactionImpl::ReleaseSavepoint() {
  VARVE_RETURN_IF_ERROR(CheckActive());
  if (savepoints_.empty()) return Status::NotFound("there is no savepoint");
  savepoints_.pop_back();
  return Status::Ok();
}

// --- The end.

void TransactionImpl::AddWritesToReads() {
  for (size_t i = 0; i < writes_.op_count(); ++i) {
    if (!writes_.IsInForce(i)) continue;
    const WriteSet::Op& op = writes_.ops()[i];
    if (op.kind == WriteSet::OpKind::kDeleteRange) {
      reads_.AddRange(std::string(op.key), std::string(op.value));
    } else {
      reads_.AddKey(op.key, PointIndexHash(op.key, db_->context_.hash_salt));
    }
  }
}

void TransactionImpl::CollectChanges() {
  changes_.clear();
  for (size_t i = 0; i < writes_.op_count(); ++i) {
    if (!writes_.IsInForce(i)) continue;
    const WriteSet::Op& op = writes_.ops()[i];
    const uint8_t kind = op.kind == WriteSet::OpKind::kDeleteRange ? kDeleteRangeOp
                         : op.kind == WriteSet::OpKind::kDelete
                             ? static_cast<uint8_t>(EntryKind::kDelete)
                         : op.deadline != 0 ? static_cast<uint8_t>(EntryKind::kExpiringValue)
                                            : static_cast<uint8_t>(EntryKind::kValue);
    changes_.push_back({kind, op.key, op.value, 0, op.deadline});
  }
}

Status TransactionImpl::CommitNow() {
  VARVE_RETURN_IF_ERROR(CheckActive());
  CollectChanges();
  Status status;
  // Without writes it has read one state, and comes before all that was written since.
  if (!changes_.empty()) {
    for (TransactionIterator* iterator : view_.iterators) iterator->NoteRange();
    if (options_.isolation == Isolation::kSnapshot) AddWritesToReads();
    reads_.Seal();
    DbImpl::TransactionCheck check;
    check.reads = &reads_;
    check.base = snapshot_.sequence_;
    const bool checks = !reads_.empty() && !VARVE_PLANTED_BUG("transaction.reads_not_validated");
    status = db_->CommitTransaction(&changes_, checks ? &check : nullptr, options_.write);
    met_conflict_ = check.outcome == DbImpl::TransactionCheck::Outcome::kChanged;
    conflict_hash_ = check.conflict_hash;
  }
  End();
  return status;
}

Status TransactionImpl::Commit() {
  VARVE_RETURN_IF_ERROR(CheckActive());
  if (is_managed_) {
    return Status::InvalidArgument("Transact commits by itself when its function returns OK");
  }
  return CommitNow();
}

Status TransactionImpl::Rollback() {
  VARVE_RETURN_IF_ERROR(CheckActive());
  if (is_managed_) {
    return Status::InvalidArgument("Transact rolls back when its function returns an error");
  }
  End();
  return Status::Ok();
}

}  // namespace varve
