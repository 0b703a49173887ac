// Transactions: several reads and writes as one step that nobody else can come between.
//
//   Status Pay(Transaction& t, std::string_view from, std::string_view to, int64_t cents);  // hers
//   Status Note(Transaction& t, std::string_view text);                                    // his
//
//   Status status = db->Transact([&](Transaction& t) -> Status {   // both, or neither
//     Status s = Pay(t, "anna", "ben", 500);
//     return s.ok() ? Note(t, "anna paid ben") : s;
//   });
//
// Functions that take a Transaction& compose, without knowing of each other and without an order of
// locks to agree on: nothing is locked. A transaction reads one state of the store, keeps its writes to
// itself, and on commit the store looks whether anything that it has read has changed meanwhile; if so
// nothing is written, and Transact runs the function again. docs/transactions.md.
#ifndef VARVE_TRANSACTION_H_
#define VARVE_TRANSACTION_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "varve/iterator.h"
#include "varve/options.h"
#include "varve/pinned_value.h"
#include "varve/status.h"

namespace varve {

class Namespace;

enum class Isolation : uint8_t {
  // As if transactions ran one after the other, in an order that agrees with time. What has been read
  // must be unchanged at the commit: keys, absent keys, and ranges that iterators have passed over, so
  // that no key can appear in them unnoticed.
  kSerializable = 0,
  // Reads are of one state, and no two transactions that overlap in time write the same key. Two
  // transactions that each read what the other writes may both commit (write skew). Costs no memory
  // for reads.
  kSnapshot = 1,
};

struct TransactionOptions {
  Isolation isolation = Isolation::kSerializable;
  // Refuses writes; nothing is remembered of the reads and the commit cannot conflict.
  bool read_only = false;
  // Transact gives up with kConflict when so many attempts have met a conflict. At least 1.
  int max_attempts = 100;
  // Of the commit: its durability. Unset: the strongest default of the namespaces that it changes.
  WriteOptions write = {};
};

// Thread-compatible: one thread at a time. Made by Db::Begin or passed in by Db::Transact. Must be
// destroyed before its Db, and its iterators and pinned values before itself.
//
// Reads see the store as it was when the transaction began, and on top of that the transaction's own
// writes. An error of a call leaves the transaction usable. Once it has ended (commit, rollback), every
// call returns kInvalidArgument.
//
// Memory: writes, with their keys, are held until the commit; the keys that were read (kSerializable)
// too, a range for each positioning of an iterator.
class Transaction {
 public:
  using Body = std::function<Status(Transaction&)>;

  // Rolls back when the transaction has not ended.
  virtual ~Transaction() = default;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // --- Reads. kNotFound when the key is absent.

  virtual Result<std::string> Get(std::string_view key) = 0;
  // The same into `value`, whose memory is reused; it is cleared when the result is not OK.
  virtual Status Get(std::string_view key, std::string* value) = 0;
  // The same without a copy of what lies in the store.
  virtual Result<PinnedValue> GetPinned(std::string_view key) = 0;
  // Never null. Shows the transaction's own writes as of when it moves. `options.snapshot` is ignored.
  virtual std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options = {}) = 0;

  // --- Writes: kept until the commit. kInvalidArgument names the limit that a key, a value or the
  // transaction as a whole exceeds (its writes are one record of the log: 1 GiB); nothing changes then.

  virtual Status Put(std::string_view key, std::string_view value) = 0;
  // A value that is gone from `expire_at` on, as in WriteOptions; until its end the transaction itself
  // sees it all the same.
  Status Put(std::string_view key, std::string_view value,
             std::chrono::system_clock::time_point expire_at) {
    return PutUntil(nullptr, key, value, expire_at);
  }
  virtual Status Delete(std::string_view key) = 0;
  // All keys in [begin, end). An empty or inverted range changes nothing.
  virtual Status DeleteRange(std::string_view begin, std::string_view end) = 0;

  // --- The same in a namespace (Db: the default one); one transaction may use several. Also
  // kInvalidArgument when it belongs to another store, and kNotFound when it was dropped before the
  // transaction began. The handle may go before the transaction does.

  virtual Result<std::string> Get(const Namespace& space, std::string_view key) = 0;
  virtual Status Get(const Namespace& space, std::string_view key, std::string* value) = 0;
  virtual Result<PinnedValue> GetPinned(const Namespace& space, std::string_view key) = 0;
  virtual std::unique_ptr<Iterator> NewIterator(const Namespace& space,
                                                const IteratorOptions& options = {}) = 0;
  virtual Status Put(const Namespace& space, std::string_view key, std::string_view value) = 0;
  Status Put(const Namespace& space, std::string_view key, std::string_view value,
             std::chrono::system_clock::time_point expire_at) {
    return PutUntil(&space, key, value, expire_at);
  }
  virtual Status Delete(const Namespace& space, std::string_view key) = 0;
  virtual Status DeleteRange(const Namespace& space, std::string_view begin,
                             std::string_view end) = 0;
  // Deletes all keys of the namespace.
  virtual Status DeleteAll(const Namespace& space) = 0;

  // --- Savepoints nest. They concern writes; what has been read stays read.

  virtual Status SetSavepoint() = 0;
  // Takes back all writes since the last savepoint and removes that. kNotFound when there is none.
  virtual Status RollbackToSavepoint() = 0;
  // Removes the last savepoint and keeps the writes. kNotFound when there is none.
  virtual Status ReleaseSavepoint() = 0;

  // Calls `body` with this transaction: what is written for Db::Transact works inside another
  // transaction as well. When it returns an error, which is passed on, its writes are taken back.
  Status Transact(const Body& body);

  // --- The end. Not inside Db::Transact, which ends the transaction itself: kInvalidArgument there.

  // All writes or none, for readers and after any crash. kConflict when what was read (kSerializable)
  // or written (kSnapshot) has changed since the beginning: nothing is written then, and starting over
  // may succeed. kNotFound when a namespace that it changes was dropped. The transaction has ended
  // whatever the result.
  virtual Status Commit() = 0;
  virtual Status Rollback() = 0;

 protected:
  Transaction() = default;
  // `space` nullptr: the default namespace. kNotSupported unless overridden.
  virtual Status PutUntil(const Namespace* space, std::string_view key, std::string_view value,
                          std::chrono::system_clock::time_point expire_at);
  // Identifies the store that `space` belongs to.
  static const void* StoreOf(const Namespace& space);
};

}  // namespace varve

#endif  // VARVE_TRANSACTION_H_
