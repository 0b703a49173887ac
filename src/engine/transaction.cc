#include "engine/transaction.h"

#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "engine/db_iterator.h"
#include "format/point_index.h"

namespace varve {

Status Transaction::Transact(const Body& body) {
  VARVE_RETURN_IF_ERROR(SetSavepoint());
  Status status = body(*this);
  if (status.ok()) return ReleaseSavepoint();
  VARVE_RETURN_IF_ERROR(RollbackToSavepoint());
  return status;
}

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

// --- Reads.

void TransactionImpl::NoteRead(std::string_view key) {
  if (view_.reads != nullptr) reads_.AddKey(key, PointIndexHash(key, db_->context_.hash_salt));
}

Status TransactionImpl::Get(std::string_view key, std::string* value) {
  Status active = CheckActive();
  if (!active.ok()) {
    value->clear();
    return active;
  }
  if (!writes_.empty()) {
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
  return db_->Get(key, value, {.snapshot = &snapshot_});
}

Result<std::string> TransactionImpl::Get(std::string_view key) {
  std::string value;
  VARVE_RETURN_IF_ERROR(Get(key, &value));
  return value;
}

Result<PinnedValue> TransactionImpl::GetPinned(std::string_view key) {
  VARVE_RETURN_IF_ERROR(CheckActive());
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
  return db_->GetPinned(key, {.snapshot = &snapshot_});
}

namespace {

// What NewIterator gives after the end.
class EndedIterator : public Iterator {
 public:
  bool Valid() const override { return false; }
  void SeekToFirst() override {}
  void SeekToLast() override {}
  void Seek(std::string_view) override {}
  void SeekForPrev(std::string_view) override {}
  void Next() override {}
  void Prev() override {}
  std::string_view key() const override { return {}; }
  std::string_view value() override { return {}; }
  Status status() const override { return Status::InvalidArgument("the transaction has ended"); }
};

}  // namespace

std::unique_ptr<Iterator> TransactionImpl::NewIterator(const IteratorOptions& options) {
  if (!view_.is_active) return std::make_unique<EndedIterator>();
  IteratorOptions base = options;
  base.snapshot = &snapshot_;
  DbIteratorParts bounds;
  ApplyBounds(base, &bounds);
  return std::make_unique<TransactionIterator>(&view_, db_->NewIterator(base),
                                               std::move(bounds.lower_bound),
                                               std::move(bounds.upper_bound));
}

// --- Writes.

Status TransactionImpl::CheckMayWrite(std::string_view key, std::string_view value) const {
  VARVE_RETURN_IF_ERROR(CheckActive());
  if (options_.read_only) return Status::InvalidArgument("the transaction is read-only");
  const uint64_t bytes =
      writes_.byte_count() + key.size() + value.size() + WriteSet::kOpOverheadBytes;
  if (bytes <= db_->tuning_.max_transaction_bytes) return Status::Ok();
  return Status::InvalidArgument("a transaction of " + std::to_string(bytes) +
                                 " bytes is over the limit of " +
                                 std::to_string(db_->tuning_.max_transaction_bytes));
}

Status TransactionImpl::Put(std::string_view key, std::string_view value) {
  VARVE_RETURN_IF_ERROR(CheckMayWrite(key, value));
  VARVE_RETURN_IF_ERROR(db_->CheckLimits(key, value.size()));
  writes_.Put(key, value);
  return Status::Ok();
}

Status TransactionImpl::Delete(std::string_view key) {
  VARVE_RETURN_IF_ERROR(CheckMayWrite(key, {}));
  VARVE_RETURN_IF_ERROR(db_->CheckLimits(key, 0));
  writes_.Delete(key);
  return Status::Ok();
}

Status TransactionImpl::DeleteRange(std::string_view begin, std::string_view end) {
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
  writes_.RollbackTo(savepoints_.back());
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
                             : static_cast<uint8_t>(EntryKind::kValue);
    changes_.push_back({kind, op.key, op.value, 0});
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
    status = db_->CommitTransaction(&changes_, reads_.empty() ? nullptr : &check, options_.write);
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
