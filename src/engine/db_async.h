// DbAsync: the operations of a store that are under way without a waiting caller, and the threads that end
// them. Made on first use. docs/design/0012-async.md.
//
// A read that misses a block pins the super version and the sequence number that it began with, has the
// block read by an AsyncReader, and looks again, in the thread in which the reader ends (block_wait.h). A
// write is applied by its caller; one thread waits for the durability of all.
#ifndef VARVE_ENGINE_DB_ASYNC_H_
#define VARVE_ENGINE_DB_ASYNC_H_

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/block_wait.h"
#include "engine/db_impl.h"
#include "env/async_reader.h"
#include "env/worker_pool.h"

namespace varve {

// Thread-safe.
class DbAsync {
 public:
  using Values = std::vector<Result<std::string>>;
  // Takes the results, one a key; runs the user's continuation.
  using ReadDone = std::function<void(Values)>;

  explicit DbAsync(DbImpl* db);
  // Returns when every operation is complete and every continuation has returned.
  ~DbAsync();
  DbAsync(const DbAsync&) = delete;
  DbAsync& operator=(const DbAsync&) = delete;

  bool is_closing() const { return is_closing_.load(std::memory_order_acquire); }
  // From here on nothing new begins. Returns when nothing is under way any more.
  void Shutdown() VARVE_EXCLUDES(mu_);

  // A read of some keys as of one state, begun by its caller in memory.
  class Read;
  // Goes on with `read`: has what it misses read. False, and nothing was begun, when the store closes.
  bool Start(std::unique_ptr<Read> read) VARVE_EXCLUDES(mu_);
  // Finishes `state` when what `ticket` stands for is durable, and its writer may go on.
  // `begin`: when it began, for the statistics.
  void AwaitCommit(const DbImpl::Ticket& ticket, Operation kind, uint64_t begin,
                   std::shared_ptr<internal::AsyncState<Status>> state) VARVE_EXCLUDES(mu_);

  // "io_uring" or "threads".
  std::string_view reader_name() const { return reader_->name(); }

 private:
  struct Commit {
    DbImpl::Ticket ticket;
    Operation kind;
    uint64_t begin;
    std::shared_ptr<internal::AsyncState<Status>> state;
  };

  void Leave() VARVE_EXCLUDES(mu_);
  void CommitLoop() VARVE_EXCLUDES(mu_);
  void EndCommits(std::vector<Commit> commits) VARVE_EXCLUDES(mu_);
  Status StatusOf(const DbImpl::Ticket& ticket, const Status& waited) const;

  DbImpl* const db_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<AsyncReader> reader_;
  std::atomic<bool> is_closing_{false};

  Mutex mu_;
  CondVar idle_;
  CondVar commits_due_;
  uint64_t under_way_ VARVE_GUARDED_BY(mu_) = 0;
  bool stop_ VARVE_GUARDED_BY(mu_) = false;
  std::vector<Commit> commits_ VARVE_GUARDED_BY(mu_);
  std::unique_ptr<Thread> commit_thread_ VARVE_GUARDED_BY(mu_);
};

// One thread at a time works on it; the blocks of a round are read by any.
class DbAsync::Read {
 public:
  // Pins `super` and borrows `db`. `keys` are stored keys. `kind`: kGetHit or kMultiGet.
  Read(DbImpl* db, SuperVersion* super, SequenceNumber sequence, Operation kind,
       std::vector<std::string> keys, std::stop_token stop, ReadDone done);
  ~Read();
  Read(const Read&) = delete;
  Read& operator=(const Read&) = delete;

  // What the caller's own attempt has found, key by key in their order: a result, or a block that is missing.
  void AddResult(Result<std::string> result, uint32_t runs);
  // `missing`: nullopt when more is needed than a block.
  void AddMissing(std::optional<MissingBlock> missing);

 private:
  friend class DbAsync;
  class Block;

  void Miss(std::optional<MissingBlock> missing);
  // Has what is missing read, or the whole looked up by a thread that may wait. `this` may be gone after it.
  void Go();
  // Looks again, with the blocks of this round. In whichever thread ended the last of them.
  void LookAgain();
  void LookUpWaiting();
  void AbortRest();
  void Finish();
  void CountAndTime();
  bool MustStop() const { return stop_.stop_requested() || async_->is_closing(); }

  DbImpl* const db_;
  DbAsync* async_ = nullptr;  // from Start on
  SuperVersion* const super_;
  const SequenceNumber sequence_;
  const Operation kind_;
  const uint64_t begin_;  // monotonic nanoseconds
  const std::vector<std::string> keys_;
  const std::stop_token stop_;
  ReadDone done_;

  std::vector<std::optional<Result<std::string>>> results_;
  std::vector<MissingBlock> missing_;  // of the round to come
  std::vector<std::unique_ptr<Block>> blocks_;
  bool must_wait_ = false;
  uint64_t runs_asked_ = 0;  // by the attempts that ended
  int round_ = 0;
  std::atomic<size_t> reading_{0};
};

}  // namespace varve

#endif  // VARVE_ENGINE_DB_ASYNC_H_
