// TransactionImpl: a transaction of one store: the state that it reads, its writes, what it depends on.
#ifndef VARVE_ENGINE_TRANSACTION_H_
#define VARVE_ENGINE_TRANSACTION_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/db_impl.h"
#include "engine/read_slots.h"
#include "engine/transaction_arena.h"
#include "engine/transaction_iterator.h"
#include "engine/transaction_read_set.h"
#include "engine/transaction_write_set.h"
#include "varve/transaction.h"

namespace varve {

// Can be started again after its end, and keeps its memory then.
class TransactionImpl final : public Transaction {
 public:
  TransactionImpl() = default;
  ~TransactionImpl() override { End(); }

  // Begins a transaction. `is_managed`: it is Db::Transact that ends it. REQUIRES: none is under way.
  void Start(DbImpl* db, const TransactionOptions& options, bool is_managed);
  // Commits and ends. met_conflict() says whether kConflict is the result.
  Status CommitNow();
  // Forgets all writes and ends. No effect after the end.
  void End();
  bool met_conflict() const { return met_conflict_; }
  // Of a key over which the conflict was met.
  uint64_t conflict_hash() const { return conflict_hash_; }
  // True when the memory that it keeps is worth giving back.
  bool IsLarge() const { return reads_.keys().capacity() + writes_.ops().capacity() > 4096; }

  Result<std::string> Get(std::string_view key) override;
  Status Get(std::string_view key, std::string* value) override;
  Result<PinnedValue> GetPinned(std::string_view key) override;
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options) override;
  Status Put(std::string_view key, std::string_view value) override;
  Status Delete(std::string_view key) override;
  Status DeleteRange(std::string_view begin, std::string_view end) override;

  Result<std::string> Get(const Namespace& space, std::string_view key) override;
  Status Get(const Namespace& space, std::string_view key, std::string* value) override;
  Result<PinnedValue> GetPinned(const Namespace& space, std::string_view key) override;
  std::unique_ptr<Iterator> NewIterator(const Namespace& space,
                                        const IteratorOptions& options) override;
  Status Put(const Namespace& space, std::string_view key, std::string_view value) override;
  Status Delete(const Namespace& space, std::string_view key) override;
  Status DeleteRange(const Namespace& space, std::string_view begin, std::string_view end) override;
  Status DeleteAll(const Namespace& space) override;

  Status SetSavepoint() override;
  Status RollbackToSavepoint() override;
  Status ReleaseSavepoint() override;
  Status Commit() override;
  Status Rollback() override;

 protected:
  Status PutUntil(const Namespace* space, std::string_view key, std::string_view value,
                  std::chrono::system_clock::time_point expire_at) override;

 private:
  // A view of the store at the transaction's number, for the read path.
  class View : public Snapshot {
   public:
    uint64_t sequence() const override { return sequence_; }
    SequenceNumber sequence_ = 0;
  };

  Status CheckActive() const;
  // The keyspace of `space`, if this transaction may use it.
  Result<Keyspace> KeyspaceOf(const Namespace& space) const;
  // These take stored keys. REQUIRES: the transaction has not ended.
  Status CheckMayWrite(std::string_view key, std::string_view value) const;
  Status GetStored(std::string_view key, std::string* value);
  Result<PinnedValue> GetPinnedStored(std::string_view key);
  std::unique_ptr<Iterator> NewIteratorIn(const Keyspace& keyspace, const IteratorOptions& options);
  // `deadline` in milliseconds since 1970; 0: none.
  Status PutStored(std::string_view key, std::string_view value, uint64_t deadline = 0);
  Status DeleteStored(std::string_view key);
  Status DeleteStoredRange(std::string_view begin, std::string_view end);
  void NoteRead(std::string_view key);
  void AddWritesToReads();
  void CollectChanges();

  DbImpl* db_ = nullptr;
  TransactionOptions options_;
  bool is_managed_ = false;
  bool met_conflict_ = false;
  uint64_t conflict_hash_ = 0;

  View snapshot_;
  ReadSlots::Slot* slot_ = nullptr;       // what keeps merges from forgetting that state ...
  std::unique_ptr<Snapshot> held_;        // ... or this, when there was no slot
  TransactionArena arena_;
  ReadSet reads_;
  WriteSet writes_;
  std::vector<DbImpl::Change> changes_;  // for the commit
  std::vector<size_t> savepoints_;  // WriteSet::op_count of each
  TransactionView view_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_TRANSACTION_H_
