// Db: one ordered key-value store in one directory.
#ifndef VARVE_DB_H_
#define VARVE_DB_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "varve/async.h"
#include "varve/backup.h"
#include "varve/expiry_listener.h"
#include "varve/iterator.h"
#include "varve/namespace.h"
#include "varve/options.h"
#include "varve/repair.h"
#include "varve/scrub.h"
#include "varve/snapshot.h"
#include "varve/statistics.h"
#include "varve/status.h"
#include "varve/transaction.h"
#include "varve/write_batch.h"

namespace varve {

// What Db::Verify found.
struct VerifyReport {
  uint64_t file_count = 0;
  uint64_t block_count = 0;
  uint64_t entry_count = 0;
  uint64_t byte_count = 0;
  std::vector<std::string> problems;  // each names the file and the offset
  // Files of a store opened read-only that nothing refers to: a crash left them, and the next opening for
  // writing removes them. No problem.
  std::vector<std::string> orphans;
};

// A store. Its own operations on keys (namespace.h) are those of the default namespace; further
// namespaces are opened by name, are never mentioned to open the store, and share its log, its memory
// and its files: batches and snapshots span them. All methods are thread-safe.
//
// After a failed sync or a damaged log every write returns the same error until the store is reopened;
// reads go on. On a full disk a write returns kIoError and says so; writing resumes by itself within a
// second of space coming back.
class Db : public Namespace {
 public:
  // Opens the store in `dir`. One process at a time: kBusy when another has it. kNotFound when it is
  // missing and may not be created; kInvalidArgument when `dir` holds something else, or an option is
  // out of range; kNotSupported when a newer version wrote it; kCorruption when a file that must be
  // there is missing or damaged.
  static Result<std::unique_ptr<Db>> Open(const std::string& dir, const Options& options = {});

  // Writes what can be saved of the closed store in `dir`, which need not open, to a new store in
  // options.to, and says what is lost, by ranges of keys. `dir` stays as it is (a file LOCK may appear).
  // Snapshots are no part of it. kBusy when a process has the store open; kNotFound when `dir` holds
  // nothing of a store; kInvalidArgument when options.to is in use; kNotSupported when a newer version
  // wrote it. After an error options.to is gone again, as far as the disk lets it. Needs space for the live
  // data, and memory for the logs. docs/repair.md.
  static Result<RepairReport> Repair(const std::string& dir, const RepairOptions& options = {});

  // Closes: ends asynchronous operations (async.h), waits for running background work, makes all writes
  // (kNone too) survive the process.
  // REQUIRES: no other call is running; iterators, snapshots and pinned values are gone.
  ~Db() override = default;

  std::string_view name() const override { return {}; }

  // All changes of `batch` or none, whatever namespaces they are for; they become visible together.
  // Without a durability of its own it takes the strongest default of the namespaces that it changes.
  // kNotFound when one of these was dropped; kInvalidArgument when one belongs to another store.
  virtual Status Write(const WriteBatch& batch, const WriteOptions& = {}) = 0;

  // The same without waiting for durability (async.h, docs/async.md).
  virtual Async<Status> WriteAsync(const WriteBatch& batch, const WriteOptions& = {},
                                   std::stop_token = {});

  // One state of the whole store.
  virtual std::unique_ptr<Snapshot> GetSnapshot() = 0;

  // --- Transactions (transaction.h).

  // Runs `body` in a transaction and commits it. When it meets a conflict, `body` runs again on the
  // newest state, up to options.max_attempts times: it must have no other effects than those on the
  // transaction, or bear repetition. Returns the error of `body` (nothing is written then), or what the
  // commit returned. An exception of `body` rolls back and passes through.
  virtual Status Transact(const Transaction::Body& body, const TransactionOptions& options = {}) = 0;
  // A transaction that the caller ends. Never null.
  virtual std::unique_ptr<Transaction> Begin(const TransactionOptions& options = {}) = 0;

  // --- Namespaces. Creating, dropping and clearing take constant time, whatever a namespace holds, and
  // each is one atomic change, while others read and write. The space comes back with later merges.

  // A handle on the namespace `name` (1 to 255 bytes of any kind), which is made if it is missing.
  // kNotFound when it may not be made. Thread-safe, like all handles on the same namespace.
  virtual Result<std::shared_ptr<Namespace>> OpenNamespace(std::string_view name,
                                                           const NamespaceOptions& = {}) = 0;
  // Deletes the namespace with all its keys. kNotFound when there is none. A new one of the same name
  // is another namespace: handles on the old one do not see it.
  virtual Status DropNamespace(std::string_view name) = 0;
  // In the order of their names, without the default one.
  virtual Result<std::vector<NamespaceInfo>> ListNamespaces() = 0;

  // --- Time to live: options of writes, and calls of Namespace. docs/ttl.md.

  // Calls `listener` for every key of any namespace that expires from now on, within some tens of
  // milliseconds, once, in no order. Not for a key that was put, deleted, persisted or given another deadline
  // before its deadline, or whose namespace was cleared or dropped; one that is written between its deadline
  // and the call may be left out. What expires while no listener is set, or the store is closed, is not told
  // later.
  //
  // The listener runs in a thread of its own, one call at a time. It may use the store, but neither close it
  // nor call this (kInvalidArgument). While it does not return nothing more is told, and the space of what
  // expires does not come back; reads and writes go on. An exception that it throws is dropped.
  //
  // Replaces the listener that there was; an empty function takes it away. That one is not running any more
  // when the call returns, and keys that have expired by then may be left out. Closing takes it away too.
  // Takes, from the memory budget, 16 bytes a pending key in a memtable and 8 in a segment, and up to a
  // sixteenth of the budget for keys that are due soon. On a store that holds deadlines already their
  // segments are read once, in the listener's thread. Keys that cannot be read are not told of.
  // kUnavailable when there is no thread; no listener is set then.
  virtual Status SetExpiryListener(ExpiryListener listener) = 0;

  // --- Maintenance. None of it is needed; it happens by itself.

  // Writes what is in memory to segment files and waits for that.
  virtual Status Flush() = 0;
  // Merges everything into one run, without garbage, and waits for that.
  virtual Status Compact() = 0;
  // Returns when no flush or compaction is running or due.
  virtual Status WaitForBackgroundWork() = 0;
  // Makes every acknowledged write survive loss of power.
  virtual Status Sync() = 0;
  // Whether Sync would have something to do: false only if all that anybody can read by now survives loss of power.
  // Never waits for a flush.
  virtual bool HasUnsynced() const = 0;
  // Reads every file and checks it: checksums, order, counts, and that what refers to something finds it.
  // Slow; other calls go on meanwhile.
  virtual Result<VerifyReport> Verify() = 0;

  // Does the same for manifest, segments and large values in a thread of its own, slowly and again and
  // again: past the cache, and asking the system to read the device. Findings also go to the event log.
  // Not for logs, which live too short. kInvalidArgument when an option is out of range or a scrub is
  // running; kUnavailable without a thread. Works in a store opened read-only.
  virtual Status StartScrub(const ScrubOptions& = {}) = 0;
  // Ends it, after the read it is at; closing the store does too. What was found stays readable.
  virtual void StopScrub() = 0;
  virtual ScrubState Scrub() = 0;

  // --- Copies of the store as it is at one moment of the call (docs/backup.md). Writers are not paused. Each
  // copy holds all changes up to a sequence number and none after, of all namespaces.

  // Streams a copy into `sink`. Files that leave the store meanwhile keep their space until it is done. Also
  // of a read-only store, and of one that writes no more. kNotSupported where the store is a test's double.
  virtual Result<BackupSummary> Backup(BackupSink& sink, const BackupOptions& options = {});
  // Makes a copy in `dir`, which must be missing or empty, out of hard links to the files that do not
  // change any more and copies of the others. It survives loss of power when this returns OK.
  // kNotSupported when `dir` is on another file system, or on one without hard links.
  virtual Status Checkpoint(const std::string& dir);
  // Makes the store in `dir`, which must be missing or empty, from a full backup and the increments that
  // follow it, in their order. What is damaged, cut off or does not fit together is kCorruption or
  // kInvalidArgument; then, and after a crash, there is no store in `dir`, and a restore can be tried
  // again. When it returns OK the store survives loss of power. Returns what the last backup says.
  static Result<BackupSummary> Restore(const std::vector<BackupSource*>& chain, const std::string& dir,
                                       const RestoreOptions& options = {});

  virtual Statistics Stats() = 0;
  // One number or text by name: "varve.stats" is a table for people, "varve.prometheus" is
  // Statistics::ToPrometheus, "varve.scrub" what Scrub() says; see docs/operating.md.
  virtual std::optional<std::string> GetProperty(std::string_view name) = 0;

 protected:
  Db() : Namespace(this, 0) {}
};

// One change of a log. Views live for the visit.
struct WalChange {
  uint64_t sequence = 0;
  // "WRITE", "DELETE", "DELETERANGE" (value: the end of the range), "CLEAR" (all keys), or, of a
  // namespace as a whole, "NAMESPACE" (made, or its options changed) and "DROP".
  std::string_view kind;
  // The name; empty: the default one. Of a namespace whose name is no longer known: "#" and its id.
  std::string_view name_space;
  std::string_view key;
  std::string_view value;
  // When a written value expires, in milliseconds since 1970-01-01 UTC; 0: never.
  uint64_t expire_at_millis = 0;
};
// Receives the changes in order.
using WalVisitor = std::function<void(const WalChange&)>;

// Reads the write-ahead log of the closed store in `dir` and calls `visit` for every change in it,
// oldest first. Changes that have been flushed to segments are no longer in the log.
Status ReadWal(const std::string& dir, const Options& options, const WalVisitor& visit);

}  // namespace varve

#endif  // VARVE_DB_H_
