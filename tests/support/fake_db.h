// FakeDb: the simplest store that keeps the promises of Db, a std::map and one log file, with bugs
// to order. The checkers of the integration tests are tested on it: they must accept it without a
// bug and find every planted one.
#ifndef VARVE_TESTS_SUPPORT_FAKE_DB_H_
#define VARVE_TESTS_SUPPORT_FAKE_DB_H_

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env/env.h"
#include "tests/support/workload.h"
#include "varve/db.h"

namespace varve::test {

enum class FakeBug {
  kNone,
  kStaleRead,          // now and then a get answers what the key held before
  kNoSync,             // sync writes are acknowledged without a sync
  kNoChecksum,         // damaged bytes are returned
  kTornBatch,          // every change of a batch is a log record of its own
  kForgetsDeletes,     // replay leaves out deletes
  kForgivesSync,       // goes on writing after a failed sync
  kSwallowsErrors,     // acknowledges writes that failed
  kLosesTail,          // damage anywhere ends the replay in silence
  kStaysFull,          // after a full disk every write fails until reopen
  kPrevSkips,          // the reverse iterator leaves out a key now and then
  kSeekForPrevIsSeek,  // SeekForPrev to an absent key lands after it
  kLiveSnapshots,      // snapshots see later writes
  kBuffersWrites,      // acknowledges before the log has been written
  kUnfair,             // every fourth thread is made to wait for a hundred others
};

// In memory when options.env is null; otherwise the log lives in `dir` of that environment.
// Thread-safe under one mutex. Iterators and snapshots share copies of the map, so keep it small.
class FakeDb : public Db {
 public:
  static Result<std::unique_ptr<Db>> Open(const std::string& dir, const Options& options,
                                          FakeBug bug = FakeBug::kNone);
  ~FakeDb() override;

  Status Put(std::string_view key, std::string_view value, const WriteOptions& options) override;
  Status Delete(std::string_view key, const WriteOptions& options) override;
  Status DeleteRange(std::string_view begin, std::string_view end,
                     const WriteOptions& options) override;
  Status Write(const WriteBatch& batch, const WriteOptions& options) override;
  Status Clear(const WriteOptions& options) override;
  Result<std::string> Get(std::string_view key, const ReadOptions& options) override;
  Status Get(std::string_view key, std::string* value, const ReadOptions& options) override;
  Result<PinnedValue> GetPinned(std::string_view key, const ReadOptions& options) override;
  std::vector<Result<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                            const ReadOptions& options) override;
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options) override;
  // The double has no time to live.
  Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view,
                                                              const ReadOptions&) override {
    return Status::NotSupported("time to live");
  }
  std::unique_ptr<Snapshot> GetSnapshot() override;
  Status Transact(const Transaction::Body&, const TransactionOptions&) override {
    return Status::NotSupported("transactions");
  }
  std::unique_ptr<Transaction> Begin(const TransactionOptions&) override { return nullptr; }
  // It has the default namespace only.
  Result<std::shared_ptr<Namespace>> OpenNamespace(std::string_view,
                                                   const NamespaceOptions&) override {
    return Status::NotSupported("one namespace");
  }
  Status DropNamespace(std::string_view) override { return Status::NotSupported("one namespace"); }
  Status SetExpiryListener(ExpiryListener) override { return Status::NotSupported("a double"); }
  Result<std::vector<NamespaceInfo>> ListNamespaces() override {
    return std::vector<NamespaceInfo>();
  }
  Status Flush() override { return Sync(); }
  Status Compact() override;
  Status WaitForBackgroundWork() override { return Status::Ok(); }
  Status Sync() override;
  bool HasUnsynced() const override { return true; }
  Result<VerifyReport> Verify() override;
  Status StartScrub(const ScrubOptions&) override { return Status::NotSupported("scrubs"); }
  void StopScrub() override {}
  ScrubState Scrub() override { return {}; }
  Statistics Stats() override;
  std::optional<std::string> GetProperty(std::string_view) override { return std::nullopt; }

 protected:
  Status ReadModifyWrite(std::string_view key, const Modifier& modify,
                         const WriteOptions& options) override;

 private:
  FakeDb(const std::string& dir, const Options& options, FakeBug bug)
      : dir_(dir), options_(options), bug_(bug) {}

  Status OpenFiles();
  // The changes of the log, applied; returns where the valid part ends. `problems` may be null.
  Result<uint64_t> Replay(std::string_view log, Contents* contents,
                          std::vector<std::string>* problems) const;
  Result<std::string> ReadFile(const std::string& path) const;
  Status CheckLimits(const std::vector<Change>& changes) const;
  Status Commit(const std::vector<Change>& changes, const WriteOptions& options);
  Status CommitLocked(const std::vector<Change>& changes, const WriteOptions& options);
  Status AppendLocked(const std::vector<Change>& changes);
  Status AppendOrUseReserve(const std::vector<Change>& changes);
  Status WriteBuffered();
  // A log of the present contents, durable, in the place of the old one.
  Status WriteNewLog();
  Status SyncLocked();
  Status FailForGood(Status status);
  // The contents for writing: copied first when an iterator or a snapshot shares them.
  Contents* MutableContents();
  std::shared_ptr<const Contents> View(const Snapshot* snapshot);
  Status CloseFiles();

  std::string LogPath() const { return JoinPath(dir_, "fake.log"); }
  std::string ReservePath() const { return JoinPath(dir_, "fake.reserve"); }
  std::string SealPath() const { return JoinPath(dir_, "fake.seal"); }

  const std::string dir_;
  const Options options_;
  const FakeBug bug_;
  std::mutex mu_;
  // All below: guarded by mu_.
  std::shared_ptr<Contents> contents_ = std::make_shared<Contents>();
  Contents previous_;  // what keys held before, for kStaleRead
  uint64_t sequence_ = 0;
  uint64_t read_count_ = 0;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<WritableFile> log_;
  uint64_t log_size_ = 0;
  std::string buffered_;  // for kBuffersWrites
  Status error_;          // not OK: final
  std::atomic<uint64_t> turn_{0};
};

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_FAKE_DB_H_
