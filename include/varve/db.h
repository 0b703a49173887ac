// Db: one ordered key-value store in one directory.
#ifndef VARVE_DB_H_
#define VARVE_DB_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "varve/iterator.h"
#include "varve/options.h"
#include "varve/pinned_value.h"
#include "varve/snapshot.h"
#include "varve/statistics.h"
#include "varve/status.h"
#include "varve/write_batch.h"

namespace varve {

// Thrown by Db::At, the one call that throws.
class KeyNotFound : public std::out_of_range {
 public:
  using std::out_of_range::out_of_range;
};

// What Db::Verify found.
struct VerifyReport {
  uint64_t file_count = 0;
  uint64_t block_count = 0;
  uint64_t entry_count = 0;
  uint64_t byte_count = 0;
  std::vector<std::string> problems;  // each names the file and the offset
};

// Keys and values are any bytes; keys are ordered as unsigned bytes. The empty key and the empty value
// are legal, and an empty value is not a deleted key. All methods are thread-safe. Strongly consistent:
// when a write has returned, every later read in any thread sees it or something newer.
//
// After a failed sync or a damaged log every write returns the same error until the store is reopened;
// reads go on. On a full disk a write returns kIoError and says so; writing resumes by itself within a
// second of space coming back.
class Db {
 public:
  // Opens the store in `dir`. One process at a time: kBusy when another has it. kNotFound when it is
  // missing and may not be created; kInvalidArgument when `dir` holds something else, or an option is
  // out of range; kNotSupported when a newer version wrote it; kCorruption when a file that must be
  // there is missing or damaged.
  static Result<std::unique_ptr<Db>> Open(const std::string& dir, const Options& options = {});

  // Closes: waits for running background work, makes all writes (kNone too) survive the process.
  // REQUIRES: no other call is running; iterators, snapshots and pinned values are gone.
  virtual ~Db() = default;
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  // --- Writes. kInvalidArgument names the limit that a key or value exceeds; nothing is written then.

  virtual Status Put(std::string_view key, std::string_view value, const WriteOptions& = {}) = 0;
  // Deleting an absent key is not an error.
  virtual Status Delete(std::string_view key, const WriteOptions& = {}) = 0;
  // Deletes all keys in [begin, end) in constant time. An empty or inverted range changes nothing.
  virtual Status DeleteRange(std::string_view begin, std::string_view end,
                             const WriteOptions& = {}) = 0;
  // All changes of `batch` or none; they become visible together.
  virtual Status Write(const WriteBatch& batch, const WriteOptions& = {}) = 0;
  // Sets `key` to `desired` if its value is `expected`; std::nullopt stands for an absent key on
  // either side. One atomic step. kConflict when the value is another.
  virtual Status CompareAndSet(std::string_view key, std::optional<std::string_view> expected,
                               std::optional<std::string_view> desired,
                               const WriteOptions& = {}) = 0;

  // --- Time to live. A put takes one in its options; a put without one makes the key stay. From its
  // deadline on a key is absent for every reader, also through older snapshots. docs/ttl.md.

  // Sets when `key` expires, leaving its value alone; deletes it when `ttl` is not positive. kNotFound when
  // the key is absent. One atomic step. options.ttl and options.expire_at are not looked at.
  virtual Status Expire(std::string_view key, std::chrono::milliseconds ttl,
                        const WriteOptions& = {}) = 0;
  virtual Status ExpireAt(std::string_view key, std::chrono::system_clock::time_point when,
                          const WriteOptions& = {}) = 0;
  // Makes `key` stay. kNotFound when it is absent; one that does not expire is no error.
  virtual Status Persist(std::string_view key, const WriteOptions& = {}) = 0;
  // What is left of the time to live of `key`, more than 0; std::nullopt when it does not expire.
  // kNotFound when it is absent.
  virtual Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view key,
                                                                      const ReadOptions& = {}) = 0;

  // --- Reads. kNotFound when the key is absent.

  virtual Result<std::string> Get(std::string_view key, const ReadOptions& = {}) = 0;
  // The same into `value`, whose memory is reused; it is cleared when the result is not OK.
  virtual Status Get(std::string_view key, std::string* value, const ReadOptions& = {}) = 0;
  // The same without a copy.
  virtual Result<PinnedValue> GetPinned(std::string_view key, const ReadOptions& = {}) = 0;
  // One result for each key, all as of one moment; faster than a loop of Get because the memory and
  // disk accesses of the keys overlap.
  virtual std::vector<Result<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                                    const ReadOptions& = {}) = 0;
  // The value. Throws KeyNotFound when absent, std::runtime_error on any other failure.
  std::string At(std::string_view key);

  // Never null; a failure shows in its status(). Views in `options` need not outlive the call.
  virtual std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options = {}) = 0;
  virtual std::unique_ptr<Snapshot> GetSnapshot() = 0;

  // --- Maintenance. None of it is needed; it happens by itself.

  // Writes what is in memory to segment files and waits for that.
  virtual Status Flush() = 0;
  // Merges everything into one run, without garbage, and waits for that.
  virtual Status Compact() = 0;
  // Returns when no flush or compaction is running or due.
  virtual Status WaitForBackgroundWork() = 0;
  // Makes every acknowledged write survive loss of power.
  virtual Status Sync() = 0;
  // Reads every byte of every file and checks it. Slow; other calls go on meanwhile.
  virtual Result<VerifyReport> Verify() = 0;

  virtual Statistics Stats() = 0;
  // One number or text by name: "varve.stats" is a table for people; see docs/operating.md.
  virtual std::optional<std::string> GetProperty(std::string_view name) = 0;

 protected:
  Db() = default;
};

// Receives one change of a log, in order. `kind` is "WRITE", "DELETE" or "DELETERANGE" (value: the end
// of the range). `expire_at_millis` is when a written value expires, in milliseconds since 1970-01-01
// UTC; 0: never.
using WalVisitor =
    std::function<void(uint64_t sequence, std::string_view kind, std::string_view key,
                       std::string_view value, uint64_t expire_at_millis)>;

// Reads the write-ahead log of the closed store in `dir` and calls `visit` for every change in it,
// oldest first. Changes that have been flushed to segments are no longer in the log.
Status ReadWal(const std::string& dir, const Options& options, const WalVisitor& visit);

}  // namespace varve

#endif  // VARVE_DB_H_
