// Records what threads ask of a Db and what it answers, for the linearizability checker.
#ifndef VARVE_TORTURE_HISTORY_RECORDER_H_
#define VARVE_TORTURE_HISTORY_RECORDER_H_

#include <optional>
#include <string>
#include <vector>

#include "torture/linearizability.h"
#include "torture/now.h"
#include "varve/db.h"

namespace varve::torture {

// An operation that is called now.
inline Operation BeginOperation(int client, OperationKind kind, const std::string& key) {
  Operation operation;
  operation.client = client;
  operation.kind = kind;
  operation.key = key;
  operation.call_time = MonotonicNow();
  return operation;
}
// It returns now. One that failed may or may not have taken effect.
inline void EndOperation(const Status& status, Operation* operation) {
  operation->return_time = MonotonicNow();
  if (!status.ok()) operation->outcome = Outcome::kUnknown;
}

// The operations of one client. A client calls one after another; owned by its thread.
class ClientRecorder {
 public:
  ClientRecorder(Db* db, int client) : db_(db), client_(client) {}

  void Get(const std::string& key) {
    Operation operation = Begin(OperationKind::kGet, key);
    const Result<std::string> got = db_->Get(key);
    if (got.ok()) operation.observed = *got;
    End(std::move(operation), got.status().IsNotFound() ? Status::Ok() : got.status());
  }
  // Reads several keys as of one moment: recorded as a get of each.
  void MultiGet(const std::vector<std::string>& keys) {
    std::vector<Operation> operations;
    for (const std::string& key : keys) operations.push_back(Begin(OperationKind::kGet, key));
    const auto results = db_->MultiGet(std::vector<std::string_view>(keys.begin(), keys.end()));
    for (size_t i = 0; i < keys.size(); i++) {
      if (results[i].ok()) operations[i].observed = *results[i];
      const Status& status = results[i].status();
      End(std::move(operations[i]), status.IsNotFound() ? Status::Ok() : status);
    }
  }
  void Put(const std::string& key, const std::string& value, const WriteOptions& options) {
    Operation operation = Begin(OperationKind::kPut, key);
    operation.argument = value;
    End(std::move(operation), db_->Put(key, value, options));
  }
  void Delete(const std::string& key, const WriteOptions& options) {
    Operation operation = Begin(OperationKind::kDelete, key);
    End(std::move(operation), db_->Delete(key, options));
  }
  // Deletes `key` alone, by a range.
  void DeleteRange(const std::string& key, const WriteOptions& options) {
    Operation operation = Begin(OperationKind::kDelete, key);
    End(std::move(operation), db_->DeleteRange(key, key + '\0', options));
  }
  // Puts `value` under every key at once: recorded as a put of each.
  void PutBatch(const std::vector<std::string>& keys, const std::string& value,
                const WriteOptions& options) {
    WriteBatch batch;
    std::vector<Operation> operations;
    for (const std::string& key : keys) {
      batch.Put(key, value);
      operations.push_back(Begin(OperationKind::kPut, key));
      operations.back().argument = value;
    }
    const Status status = db_->Write(batch, options);
    for (Operation& operation : operations) End(std::move(operation), status);
  }
  void CompareAndSet(const std::string& key, const KeyState& expected, const KeyState& desired,
                     const WriteOptions& options) {
    Operation operation = Begin(OperationKind::kCompareAndSet, key);
    operation.expected = expected;
    operation.argument = desired;
    const Status status = db_->CompareAndSet(key, expected, desired, options);
    if (status.code() == StatusCode::kConflict) {
      operation.outcome = Outcome::kConflict;
      End(std::move(operation), Status::Ok());
    } else {
      End(std::move(operation), status);
    }
  }

  // What this client last saw under any key; for compare-and-sets that have a chance.
  const KeyState& last_observed() const { return last_observed_; }
  const std::vector<Operation>& operations() const { return operations_; }

 private:
  Operation Begin(OperationKind kind, const std::string& key) const { return BeginOperation(client_, kind, key); }
  void End(Operation operation, const Status& status) {
    EndOperation(status, &operation);
    if (operation.kind == OperationKind::kGet) last_observed_ = operation.observed;
    operations_.push_back(std::move(operation));
  }

  Db* const db_;
  const int client_;
  KeyState last_observed_;
  std::vector<Operation> operations_;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_HISTORY_RECORDER_H_
