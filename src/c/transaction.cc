// Transactions.
#include <memory>
#include <string>

#include "c/handles.h"

using namespace varve;     // NOLINT: the file is about nothing else
using namespace varve::c;  // NOLINT

namespace {

Status ReadTransactionOptions(const varve_transaction_options* given, TransactionOptions* options) {
  varve_transaction_options known;
  if (Status status = ReadOptionsStruct(given, &known); !status.ok()) return status;
  if (known.snapshot_isolation != 0) options->isolation = Isolation::kSnapshot;
  options->read_only = known.read_only != 0;
  if (known.max_attempts < 0) return Status::InvalidArgument("max_attempts is negative");
  if (known.max_attempts > 0) options->max_attempts = known.max_attempts;
  return ReadDurability(known.durability, &options->write.durability);
}

// The namespace of an operation; NULL: the default one.
const Namespace& SpaceOf(const varve_transaction* transaction, const varve_namespace* ns) {
  return ns == nullptr ? *transaction->db : *ns->space;
}

}  // namespace

int varve_transact(varve_db* db, const varve_transaction_options* options, varve_transaction_body body,
                   void* context) {
  VARVE_C_REQUIRE(db != nullptr && body != nullptr);
  return Guarded([&]() -> int {
    TransactionOptions complete;
    if (Status status = ReadTransactionOptions(options, &complete); !status.ok()) return Report(status);
    int code_of_body = 0;
    const Status status = db->db->Transact(
        [&](Transaction& transaction) -> Status {
          varve_transaction handle{&transaction, nullptr, db->db.get()};
          code_of_body = body(&handle, context);
          return code_of_body == 0 ? Status::Ok() : Status(StatusCode::kAborted);
        },
        complete);
    // The message stays what the body's own calls have left.
    return code_of_body != 0 ? code_of_body : ToCode(status);
  });
}

int varve_begin(varve_db* db, const varve_transaction_options* options,
                varve_transaction** transaction) {
  VARVE_C_REQUIRE(transaction != nullptr);
  *transaction = nullptr;
  VARVE_C_REQUIRE(db != nullptr);
  return Guarded([&]() -> Status {
    TransactionOptions complete;
    if (Status status = ReadTransactionOptions(options, &complete); !status.ok()) return status;
    auto handle = std::make_unique<varve_transaction>();
    handle->db = db->db.get();
    handle->owner = db->db->Begin(complete);
    handle->transaction = handle->owner.get();
    *transaction = handle.release();
    return Status::Ok();
  });
}

int varve_commit(varve_transaction* transaction) {
  VARVE_C_REQUIRE(transaction != nullptr);
  return Guarded([&] { return transaction->transaction->Commit(); });
}

int varve_rollback(varve_transaction* transaction) {
  VARVE_C_REQUIRE(transaction != nullptr);
  return Guarded([&] { return transaction->transaction->Rollback(); });
}

void varve_transaction_free(varve_transaction* transaction) {
  // That of varve_transact is not the caller's.
  if (transaction != nullptr && transaction->owner == nullptr) return;
  Quietly([&] { delete transaction; });
}

int varve_transaction_get(varve_transaction* transaction, varve_namespace* ns, const void* key,
                          size_t key_size, char** value, size_t* value_size) {
  VARVE_C_REQUIRE(value != nullptr && value_size != nullptr);
  *value = nullptr;
  *value_size = 0;
  VARVE_C_REQUIRE(transaction != nullptr && !IsMissing(key, key_size));
  return Guarded([&]() -> Status {
    const Result<PinnedValue> found =
        transaction->transaction->GetPinned(SpaceOf(transaction, ns), View(key, key_size));
    return found.ok() ? GiveBytes(found->view(), value, value_size) : found.status();
  });
}

int varve_transaction_put(varve_transaction* transaction, varve_namespace* ns, const void* key,
                          size_t key_size, const void* value, size_t value_size) {
  VARVE_C_REQUIRE(transaction != nullptr && !IsMissing(key, key_size) &&
                  !IsMissing(value, value_size));
  return Guarded([&] {
    return transaction->transaction->Put(SpaceOf(transaction, ns), View(key, key_size),
                                         View(value, value_size));
  });
}

int varve_transaction_delete(varve_transaction* transaction, varve_namespace* ns, const void* key,
                             size_t key_size) {
  VARVE_C_REQUIRE(transaction != nullptr && !IsMissing(key, key_size));
  return Guarded([&] {
    return transaction->transaction->Delete(SpaceOf(transaction, ns), View(key, key_size));
  });
}

int varve_transaction_delete_range(varve_transaction* transaction, varve_namespace* ns,
                                   const void* begin, size_t begin_size, const void* end,
                                   size_t end_size) {
  VARVE_C_REQUIRE(transaction != nullptr && !IsMissing(begin, begin_size) &&
                  !IsMissing(end, end_size));
  return Guarded([&] {
    return transaction->transaction->DeleteRange(SpaceOf(transaction, ns), View(begin, begin_size),
                                                 View(end, end_size));
  });
}

int varve_transaction_delete_all(varve_transaction* transaction, varve_namespace* ns) {
  VARVE_C_REQUIRE(transaction != nullptr);
  return Guarded([&] { return transaction->transaction->DeleteAll(SpaceOf(transaction, ns)); });
}

int varve_transaction_iterator(varve_transaction* transaction, varve_namespace* ns,
                               const varve_iterator_options* options, varve_iterator** iterator) {
  VARVE_C_REQUIRE(iterator != nullptr);
  *iterator = nullptr;
  VARVE_C_REQUIRE(transaction != nullptr);
  return Guarded([&]() -> Status {
    IteratorOptions complete;
    if (Status status = ReadIteratorOptions(options, &complete); !status.ok()) return status;
    complete.snapshot = nullptr;
    auto handle = std::make_unique<varve_iterator>();
    handle->iterator = transaction->transaction->NewIterator(SpaceOf(transaction, ns), complete);
    *iterator = handle.release();
    return Status::Ok();
  });
}

int varve_transaction_set_savepoint(varve_transaction* transaction) {
  VARVE_C_REQUIRE(transaction != nullptr);
  return Guarded([&] { return transaction->transaction->SetSavepoint(); });
}

int varve_transaction_rollback_to_savepoint(varve_transaction* transaction) {
  VARVE_C_REQUIRE(transaction != nullptr);
  return Guarded([&] { return transaction->transaction->RollbackToSavepoint(); });
}

int varve_transaction_release_savepoint(varve_transaction* transaction) {
  VARVE_C_REQUIRE(transaction != nullptr);
  return Guarded([&] { return transaction->transaction->ReleaseSavepoint(); });
}
