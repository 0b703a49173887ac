// DbImpl: the store. This class owns the parts and their order; what each part does is in its own file.
//
//   db_impl.cc        open, close, maintenance calls
//   db_statistics.cc  numbers, properties
//   db_write.cc       the way of a write to the commit
//   db_commit.cc      the commit: log, memtable, sequence number, durability
//   db_room.cc        new memtables and logs, back-pressure
//   db_read.cc        gets, iterators, snapshots
//   db_multi_get.cc   gets of many keys at once
//   db_explain.cc     a get that tells how it went
//   db_async.cc       operations that do not make their caller wait
//   db_transaction.cc what is checked when a transaction commits, and the attempts
//   db_modify.cc      compare-and-set, time to live and the other read-modify-writes
//   db_namespaces.cc  the table of namespaces
//   db_expiry.cc      what the expiry listener's thread asks for
//   db_background.cc  what flush and compaction share: edits, super versions, what merges may drop
//   db_flush.cc       memtables become a run
//   db_compaction.cc  runs are merged
//   db_verify.cc      Verify
//   db_scrub.cc       the scrub
//   db_backup.cc      backups and checkpoints: one point of the store, copied
//   db_housekeeping.cc what is not needed any more goes; the log's helper
//   recovery.cc       what a directory holds after a crash
//
// Invariants
//  1. Changes get their sequence numbers, their place in the log and their place in the memtable under
//     the commit lock, so all three have one order.
//  2. visible_sequence_ <= inserted_sequence_. What is visible is as durable as its writer asked for.
//  3. A change is in the active memtable, an immutable one, or a segment of the current version; it
//     passes from one to the next in a single exchange of the super version.
//  4. A log is removed only after a manifest that no longer needs it is durable.
//  5. After a failed sync of log, values or manifest nothing is acknowledged any more (fatal_).
//
// Keys here, and below, are stored keys (format/stored_key.h); the methods that the user calls map them.
//
// Order of locks: listener_mu_ or namespace_mu_, commit_lock_, mu_. The last two are not held across I/O, except that a
// new log is opened under commit_lock_ when the helper has not prepared one, and that a read-modify-write
// which has lost every race before reads under it.
#ifndef VARVE_ENGINE_DB_IMPL_H_
#define VARVE_ENGINE_DB_IMPL_H_

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/backup_point.h"
#include "engine/block_cache.h"
#include "engine/chunk_pool.h"
#include "engine/commit_lock.h"
#include "engine/compaction_job.h"
#include "engine/compaction_picker.h"
#include "engine/directory_sync.h"
#include "engine/event_log.h"
#include "engine/expiry_notes.h"
#include "engine/expiry_notifier.h"
#include "engine/lookup_trace.h"
#include "engine/namespace_table.h"
#include "engine/operation_times.h"
#include "engine/read_slots.h"
#include "engine/recent_changes.h"
#include "engine/recovery.h"
#include "engine/scrubber.h"
#include "engine/store_clock.h"
#include "engine/super_version.h"
#include "engine/sync_group.h"
#include "engine/transaction_gate.h"
#include "engine/transaction_read_set.h"
#include "engine/tuning.h"
#include "engine/turn_queue.h"
#include "engine/turns.h"
#include "engine/value_log_set.h"
#include "engine/version_set.h"
#include "format/wal.h"
#include "varve/db.h"

namespace varve {

class DbAsync;
class DbIterator;

class DbImpl final : public Db {
 public:
  static Result<std::unique_ptr<Db>> Open(const std::string& dir, const Options& options,
                                          const Tuning& tuning);
  ~DbImpl() override;

  Status Put(std::string_view key, std::string_view value, const WriteOptions& options) override;
  Status Delete(std::string_view key, const WriteOptions& options) override;
  Status DeleteRange(std::string_view begin, std::string_view end,
                     const WriteOptions& options) override;
  Status Write(const WriteBatch& batch, const WriteOptions& options) override;
  Status Clear(const WriteOptions& options) override;

  Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view key,
                                                              const ReadOptions& options) override;

  Result<std::string> Get(std::string_view key, const ReadOptions& options) override;
  Status Get(std::string_view key, std::string* value, const ReadOptions& options) override;
  Result<PinnedValue> GetPinned(std::string_view key, const ReadOptions& options) override;
  Result<Explanation> Explain(std::string_view key, const ReadOptions& options) override;
  std::vector<Result<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                            const ReadOptions& options) override;
  void Prefetch(std::span<const std::string_view> keys, Access access) override;
  Async<Result<std::string>> GetAsync(std::string_view key, const ReadOptions& options,
                                      std::stop_token stop) override;
  Async<std::vector<Result<std::string>>> MultiGetAsync(const std::vector<std::string_view>& keys,
                                                        const ReadOptions& options,
                                                        std::stop_token stop) override;
  Async<Status> PutAsync(std::string_view key, std::string_view value, const WriteOptions& options,
                         std::stop_token stop) override;
  Async<Status> DeleteAsync(std::string_view key, const WriteOptions& options,
                            std::stop_token stop) override;
  Async<Status> WriteAsync(const WriteBatch& batch, const WriteOptions& options,
                           std::stop_token stop) override;
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options) override;
  std::unique_ptr<Snapshot> GetSnapshot() override;
  Status Transact(const Transaction::Body& body, const TransactionOptions& options) override;
  std::unique_ptr<Transaction> Begin(const TransactionOptions& options) override;

  Result<std::shared_ptr<Namespace>> OpenNamespace(std::string_view name,
                                                   const NamespaceOptions& options) override;
  Status DropNamespace(std::string_view name) override;
  Result<std::vector<NamespaceInfo>> ListNamespaces() override;

  Status SetExpiryListener(ExpiryListener listener) override;

  Status Flush() override;
  Status Compact() override;
  Status WaitForBackgroundWork() override;
  Status Sync() override;
  bool HasUnsynced() const override;
  Result<VerifyReport> Verify() override;
  Status StartScrub(const ScrubOptions& options) override VARVE_EXCLUDES(scrub_mu_);
  void StopScrub() override VARVE_EXCLUDES(scrub_mu_);
  ScrubState Scrub() override VARVE_EXCLUDES(scrub_mu_);
  Result<BackupSummary> Backup(BackupSink& sink, const BackupOptions& options) override;
  Status Checkpoint(const std::string& dir) override;
  Statistics Stats() override;
  std::optional<std::string> GetProperty(std::string_view name) override;

 protected:
  Status ReadModifyWrite(std::string_view key, const Modifier& modify,
                         const WriteOptions& options) override;

 private:
  friend class DbAsync;
  friend class NamespaceImpl;
  class SnapshotImpl;
  friend class TransactionImpl;
  struct Modifying;

  // One change, ready to be applied.
  struct Change {
    uint8_t kind = 0;
    std::string_view key;
    std::string_view value;  // as given, or a pointer; StoreChange puts a deadline before it
    uint64_t hash = 0;
    uint64_t deadline = 0;  // of the expiring kinds
  };
  // Whether what a transaction depends on has changed after `base`.
  struct TransactionCheck {
    enum class Outcome {
      kUnchanged,
      kChanged,  // conflict_hash belongs to a key that has
      kStale,    // too much has been written since base to look at it under the lock
    };
    const ReadSet* reads = nullptr;
    SequenceNumber base = 0;
    bool must_decide = false;  // kStale is no answer
    Outcome outcome = Outcome::kUnchanged;
    uint64_t conflict_hash = 0;
  };
  // The namespaces that a group of changes concerns.
  struct CommitScope {
    std::span<NamespaceState* const> spaces;  // nothing is done when one of these has been dropped
    NamespaceState* dropped = nullptr;        // nothing may be written to this one from now on
  };
  // What the commit lock protects a group of changes with.
  struct Commit {
    std::string_view payload;
    const Change* changes = nullptr;
    uint32_t count = 0;
    bool only_deletes = false;
    uint64_t payload_hash = 0;  // WalPayloadHash, computed outside the lock
    // Set: nothing is done when the key of changes[0] has a version newer than this.
    std::optional<SequenceNumber> unchanged_since = std::nullopt;
    // Set: nothing is done unless it comes out as kUnchanged.
    TransactionCheck* check = nullptr;
    // With unchanged_since: from this time on the key has changed too, by expiring. 0: never.
    uint64_t unexpired_at = 0;
    const CommitScope* scope = nullptr;  // null: only the default namespace
  };
  struct Ticket {
    uint64_t position = 0;
    SequenceNumber last_sequence = 0;
    uint64_t not_before = 0;  // back-pressure: the writer returns at this time, monotonic
    bool wait = false;  // for its own durability, or behind somebody else's
    bool sync = false;
    bool has_changed = false;  // Commit::unchanged_since does not hold; nothing was done
  };
  // A value that has been written to the value log, on its way into a memtable.
  struct SeparatedValue {
    char pointer[kValuePointerBytes];
    ValueLogHold hold;
  };
  // Where a read found its entry.
  struct Lookup {
    Entry entry;            // kValue or kValuePointer, also of an expiring entry
    uint64_t deadline = 0;  // 0: does not expire
    Frame* frame = nullptr;
    MemTableSlot* slot = nullptr;
    SuperVersion* super = nullptr;
    uint32_t runs = 0;  // that were asked
  };
  struct RunningJob {
    CompactionJob job;
    bool is_bottom;
    bool has_changed;
  };

  DbImpl(std::string dir, const Options& options, const Tuning& tuning, Env* env);
  Status Start();
  Status StartThreads();
  void ReserveForExpectedKeys() VARVE_EXCLUDES(commit_lock_);
  void Close();
  void CloseLog() VARVE_EXCLUDES(commit_lock_);
  bool DiskIsNearlyFull() const;
  Status LockDirectory();
  Status SyncOwnName(bool is_new);
  Status CheckMayBecomeStore(const std::vector<std::string>& names) const;

  // --- Opening (db_recover.cc).
  Status RecoverLogs() VARVE_EXCLUDES(commit_lock_);
  Status FindValueLogs();
  Result<bool> ValuesAreWhole(const WalRecord& record);
  Status ReplayOp(SequenceNumber sequence, const WalOp& op, MemTableSlot* slot);
  Status AdoptReadOnly(std::vector<std::shared_ptr<MemTableSlot>> slots) VARVE_REQUIRES(commit_lock_);
  Status ContinueLog(const ReplayedLog& replayed, std::shared_ptr<MemTableSlot> slot)
      VARVE_REQUIRES(commit_lock_);
  Status ContinueLastLog(const ReplayedLog& replayed) VARVE_REQUIRES(commit_lock_) VARVE_EXCLUDES(mu_);
  Status RemoveForeignLogs(const LogReplay& replay) VARVE_REQUIRES(commit_lock_);
  // Gives the files that a recovered memtable came from their names anew (rewrite.h).
  Status RenewNames(const MemTableSlot& slot);
  Status SyncRecoveredLogs() VARVE_EXCLUDES(mu_);
  Status CheckSegmentsExist();
  Status RemoveLeftovers();
  LogFileOptions LogOptions(uint64_t record_bytes);

  // --- Checking (db_verify.cc).
  struct Verification;
  void VerifySegments(Verification* work);
  void VerifyValueFiles(Verification* work);
  void VerifyRangeTombstones(Verification* work);
  void VerifyEntries(Verification* work);
  void VerifyEntry(const Entry& entry, std::string* buffer, Verification* work);
  void VerifyNamespaceOf(const Entry& entry, Verification* work);
  void VerifyLog(const MemTableSlot& slot, Verification* work);
  void FindOrphans(Verification* work);
  NamespaceNames NamesOfNamespaces();
  std::string ScrubText();  // db_scrub.cc, and:
  void EndScrub() VARVE_EXCLUDES(scrub_mu_);

  // --- Backups (db_backup.cc).
  Result<BackupPoint> TakeBackupPoint() VARVE_EXCLUDES(commit_lock_, mu_);
  // All of the point but for its sequence number, which is at most that of the last change. Returns the
  // position of the log that the point is at.
  uint64_t CollectBackupPoint(const std::shared_ptr<const Version>& version, BackupPoint* point)
      VARVE_EXCLUDES(commit_lock_, mu_);
  // Opens the logs of the point. REQUIRES: doomed_holds_ since before it was collected.
  Status OpenBackupLogs(BackupPoint* point);
  // Finds out up to where each log belongs to the point, and drops those that do not.
  Status MeasureBackupLogs(BackupPoint* point);
  // Everything that makes up the store at `point`, all of it to be carried.
  Result<BackupPlan> PlanBackup(const BackupPoint& point);
  Status PlanBackupValues(const BackupPoint& point, BackupPlan* plan);
  // Brings the files of `plan` to `dir`.
  Status PlaceFiles(const BackupPlan& plan, const BackupPoint& point, const std::string& dir);
  // Whether a hard link to the file of values is as good as a copy. `is_synced`: values are.
  bool MayLinkValues(uint64_t number, bool is_synced);

  // --- Write path (db_write.cc, db_commit.cc, db_room.cc).
  Status CheckLimits(std::string_view key, size_t value_bytes) const;
  Status CheckWritable() VARVE_EXCLUDES(mu_);
  // Gives the put `change` a deadline; one that is past makes it a delete.
  static void SetDeadline(uint64_t deadline, uint64_t now, Change* change);
  // The same for the puts of a batch. `Change::deadline` is the word of the batch where it gives one.
  void SetDeadlines(const WriteOptions& options, const std::vector<NamespaceTable::Ref>& spaces,
                    std::vector<Change>* changes);
  bool IsLarge(const Change& change) const;
  // Puts an encoded pointer in the place of a large value.
  static void PointTo(const char* pointer, Change* change);
  // Bytes in a log record, and writing it there; an expiring change's value then points there.
  static size_t StoredBytes(const Change& change);
  static char* StoreChange(Change* change, char* to);
  // `space`: the named namespace that the change is in, if any. Here and below: with `deferred` the change
  // is applied, and what FinishCommit is to wait for is left to the caller.
  Status WriteOne(const Change& change, const WriteOptions& options, NamespaceState* space = nullptr,
                  Ticket* deferred = nullptr);
  Status WriteBatchOnce(const WriteBatch& batch, const WriteOptions& options, Ticket* deferred);
  // The hashes of the changes are filled in; their sizes have been checked.
  Status CommitPrepared(std::vector<Change>* changes, const WriteOptions& options,
                        const CommitScope* scope, Ticket* deferred = nullptr);
  Status SeparateLargeValues(std::vector<Change>* changes, std::deque<SeparatedValue>* values);
  Status CommitChanges(Commit commit, const WriteOptions& options, Ticket* deferred = nullptr);
  Status FinishCommit(const Ticket& ticket, Status status);
  Status AppendAndApply(const Commit& commit, Durability durability, Ticket* ticket)
      VARVE_REQUIRES(commit_lock_);
  // The caller waits until all that is inserted is visible, before it looks again.
  Status AwaitPending(Ticket* ticket) VARVE_REQUIRES(commit_lock_);
  // noexcept, here and below: half of it done could not be taken back. Out of memory ends the process, after
  // which the log has all of it or nothing.
  void ApplyToMemTable(const Commit& commit, SequenceNumber first) noexcept VARVE_REQUIRES(commit_lock_);
  void NoteValuePointer(std::string_view encoded) VARVE_REQUIRES(commit_lock_);
  Status MakeRoom(uint64_t record_bytes, bool only_deletes) VARVE_REQUIRES(commit_lock_) VARVE_EXCLUDES(mu_);
  Status Rotate(uint64_t record_bytes) noexcept VARVE_REQUIRES(commit_lock_) VARVE_EXCLUDES(mu_);
  Result<std::shared_ptr<LogFile>> NewLog(uint64_t record_bytes) VARVE_REQUIRES(commit_lock_);
  Status WaitForFlush() noexcept VARVE_EXCLUDES(mu_, commit_lock_);
  void UpdateThrottle(uint32_t count, Ticket* ticket) VARVE_REQUIRES(commit_lock_);
  // Whether a writer that may not return before this time has to sleep.
  bool MustThrottle(uint64_t not_before) const;
  void Throttle(uint64_t not_before);
  // A ticket that waits for the sync of everything written so far.
  Ticket TicketForAll() VARVE_EXCLUDES(commit_lock_);
  void NoteSlowdown(uint64_t nanos);
  static Operation WriteKind(uint32_t changes) {
    return changes == 1 ? Operation::kPut : Operation::kWrite;
  }
  // The running operation begins to wait.
  void NoteWait() { NoteWaiting(clock_->MonotonicNanos()); }
  Result<uint64_t> MakeLogDurable(bool sync) VARVE_EXCLUDES(commit_lock_);
  void Fail(const Status& status) VARVE_EXCLUDES(mu_);

  // --- Read-modify-write (db_modify.cc).
  Status ModifyStored(std::string_view key, const Modifier& modify, const WriteOptions& options,
                      NamespaceState* space);
  // Asks the modifier about work->current, and prepares what is to be written. False: nothing is.
  Result<bool> Decide(Modifying* work);
  // Reads it. REQUIRES an EpochGuard.
  Status ReadCurrent(SuperVersion* super, SequenceNumber sequence, Modifying* work);
  // An attempt each: OK and ticket->has_changed when the race was lost.
  Status TryModify(Modifying* work, Ticket* ticket) VARVE_EXCLUDES(commit_lock_);
  Status ModifyLocked(Modifying* work, Ticket* ticket) VARVE_EXCLUDES(commit_lock_);
  static Commit CommitOf(const Modifying& work, CommitScope* scope, SequenceNumber unchanged_since);
  // Whether the key of a commit with unchanged_since is not as it was read.
  Result<bool> HasChanged(const Commit& commit) VARVE_REQUIRES(commit_lock_);
  Result<bool> ChangedSince(std::string_view key, uint64_t hash, SequenceNumber sequence)
      VARVE_REQUIRES(commit_lock_);

  // --- Asynchronous operations (db_async.cc).
  // Starts its threads on first use.
  DbAsync* StartedAsync() VARVE_EXCLUDES(async_mu_);
  // kAborted when a stop is requested or the store closes.
  Status CheckMayBegin(const std::stop_token& stop) const;
  // The value of a key at one state. REQUIRES: an EpochGuard.
  Result<std::string> ReadAt(SuperVersion* super, SequenceNumber sequence, std::string_view key,
                             Lookup* found);
  // The same as far as memory goes. nullopt: `wait` knows what is missing.
  std::optional<Result<std::string>> TryReadAt(SuperVersion* super, SequenceNumber sequence,
                                               std::string_view key, BlockWait* wait,
                                               Lookup* found);
  Async<Result<std::string>> GetStoredAsync(std::string_view key, const ReadOptions& options,
                                            std::stop_token stop);
  Async<std::vector<Result<std::string>>> MultiGetStoredAsync(
      const std::vector<std::string_view>& keys, const ReadOptions& options, std::stop_token stop);
  Async<Status> WriteOneAsync(const Change& change, const WriteOptions& options,
                              NamespaceState* space, const std::stop_token& stop);
  // `begin`: what times_.Begin() said.
  Async<Status> FinishCommitAsync(const Ticket& ticket, Status status, Operation kind, uint64_t begin);

  // --- Namespaces (db_namespaces.cc).
  static Status NamespaceWasDropped(const NamespaceState& state);
  Status LoadNamespaces() VARVE_EXCLUDES(namespace_mu_);
  bool HasNamespaces();
  Result<NamespaceTable::Ref> CreateNamespace(std::string_view name, const NamespaceOptions& options)
      VARVE_REQUIRES(namespace_mu_);
  Status SetNamespaceOptions(NamespaceState* state, const NamespaceOptions& options)
      VARVE_REQUIRES(namespace_mu_);
  Status CommitNamespaceChange(std::vector<Change>* changes, NamespaceState* dropped)
      VARVE_REQUIRES(namespace_mu_);
  // The named namespaces that `changes` are in. kNotFound when one is gone.
  Status FindNamespaces(const std::vector<Change>& changes, std::vector<NamespaceTable::Ref>* found,
                        bool* has_default) const;
  Durability DurabilityOver(const std::vector<NamespaceTable::Ref>& spaces, bool has_default) const;
  Compression CompressionOf(std::string_view stored_key) const;

  // --- The expiry listener (db_expiry.cc).
  ExpirySource SourceOfExpiries();
  // Up to when merges may drop what has expired at `now`, the store's time.
  uint64_t ExpiredUntil(uint64_t now) const { return std::min(now, expiry_.expired_until()); }
  void CheckDue(SuperVersion* super, std::span<DueKey> keys);
  Result<bool> IsSuperseded(SuperVersion* super, const DueKey& due);
  bool NameDue(const DueKey& due, std::string* buffer, ExpiredKey* expired);

  // --- Read path (db_read.cc). REQUIRES an EpochGuard where a SuperVersion* is returned or taken.
  SuperVersion* CurrentSuper() const { return super_version_.load(std::memory_order_acquire); }
  // A key to look up. The runs before `first_run` are known not to hold it. With `segment`, the one of
  // first_run, the entry is probably where `probe` leads to.
  struct LookupKey {
    std::string_view key;
    uint64_t hash = 0;
    size_t first_run = 0;
    SegmentReader* segment = nullptr;
    PointProbe probe;
    uint32_t runs_passed = 0;  // those before first_run that were asked
  };
  LookupKey KeyFor(std::string_view key) const;
  // `trace` hears what is looked at (lookup_trace.h).
  template <typename Trace = NoTrace>
  Status Find(SuperVersion* super, const LookupKey& key, SequenceNumber sequence, Lookup* found,
              Trace trace = {});
  Status GetStored(std::string_view key, std::string* value, const ReadOptions& options);
  Result<std::optional<std::chrono::milliseconds>> TimeToLiveStored(std::string_view key,
                                                                    const ReadOptions& options);
  Result<PinnedValue> GetPinnedStored(std::string_view key, const ReadOptions& options);
  Result<Explanation> ExplainStored(std::string_view key, const ReadOptions& options);
  // Reads the value that `found` leads to, as Get does. REQUIRES: an EpochGuard.
  Status ExplainValue(const Lookup& found, Explanation* explanation);
  std::vector<Result<std::string>> MultiGetStored(const std::vector<std::string_view>& keys,
                                                  const ReadOptions& options);
  std::unique_ptr<DbIterator> NewIteratorIn(const Keyspace& keyspace, const IteratorOptions& options);
  // Whether the index of `run` should not take memory from its data.
  bool IsShortOfMemoryFor(const Run& run, bool is_oldest) const;
  template <typename Trace = NoTrace>
  Status FindInRuns(SuperVersion* super, std::string_view key, uint64_t hash,
                    SequenceNumber sequence, Lookup* found, bool* is_found, size_t first_run = 0,
                    Trace trace = {});
  void PrefetchIn(const Keyspace& keyspace, std::span<const std::string_view> keys, Access access);
  class PrefetchGroup;
  // Keys that are looked up together, so that their cache misses overlap.
  class MultiGetBelt;
  std::vector<Result<std::string>> MultiGetAt(SuperVersion* super, SequenceNumber sequence,
                                              const std::vector<std::string_view>& keys,
                                              uint64_t* runs_asked);
  Status FindFor(std::string_view key, const ReadOptions& options, Lookup* found);
  // Counts a point read that ends with `status`. REQUIRES: an EpochGuard.
  void EndGet(const Status& status, const Lookup& found, uint64_t begin) {
    if (status.ok() || status.IsNotFound()) times_.EndGet(status.ok(), found.runs, begin);
  }
  // A super version and the sequence to read it at, which belong together.
  SuperVersion* ReadPoint(const Snapshot* snapshot, SequenceNumber* sequence) const;
  Result<PinnedValue> ReadSeparated(const Version& version, std::string_view encoded_pointer);
  Status CopyValue(const Lookup& found, std::string* value);
  SuperVersion* RefSuper();
  static constexpr uint64_t kIteratorBytes = 2048;  // what one counts as, without the blocks it pins
  void CountIterator(int change);

  // --- Transactions (db_transaction.cc).
  Status CommitTransaction(std::vector<Change>* changes, TransactionCheck* check,
                           const WriteOptions& options);
  Status AppendTransaction(Commit* commit, Durability durability, Ticket* ticket);
  Status AwaitVisible();
  // Looks everything up that `check` depends on, without the commit lock, and moves its base to what is
  // visible now.
  Status CheckByLookup(TransactionCheck* check) VARVE_EXCLUDES(commit_lock_);
  Status CheckIn(SuperVersion* super, TransactionCheck* check);
  Result<bool> KeyChangedIn(SuperVersion* super, const ReadSet::Key& key, SequenceNumber base);
  Result<bool> RangeChangedIn(SuperVersion* super, const ReadSet::Range& range, SequenceNumber base);
  // The same from the ring of recent changes.
  Status CheckRecentChanges(TransactionCheck* check) VARVE_REQUIRES(commit_lock_);

  // --- Super version.
  std::vector<SequenceNumber> BoundariesLocked() VARVE_REQUIRES(mu_);
  void InstallSuperVersion() VARVE_REQUIRES(mu_);
  RangeTombstoneSet TombstonesOf(const Version& version) VARVE_EXCLUDES(mu_);

  // --- Background (db_background.cc, db_flush.cc, db_compaction.cc, db_housekeeping.cc).
  static constexpr uint64_t kHelperPollMicros = 5'000;
  // How long a background thread waits before it tries again what failed (a full disk, say).
  static constexpr uint64_t kRetryMicros = 200'000;
  void FlushLoop();
  void CompactionLoop();
  void LogHelperLoop();
  Status FlushImmutables(const std::vector<std::shared_ptr<MemTableSlot>>& slots);
  // Applies an edit; with `flushed`, these memtables leave in the same step.
  Status ApplyEdit(VersionEdit edit, const std::vector<std::shared_ptr<MemTableSlot>>* flushed);
  // `may_drop`: segments that range deletes cover whole may go in this edit.
  void CompleteEdit(const Version& base, bool may_drop, VersionEdit* edit);
  void RetireLogs();
  void RemoveDoomedFiles() VARVE_EXCLUDES(doomed_mu_);
  void DoomFile(std::string path) VARVE_EXCLUDES(doomed_mu_);
  // Lets go of replaced super versions; what hangs on them is freed here, outside of every lock.
  void RetireOldSupers() VARVE_EXCLUDES(mu_);
  // What a flush of `flushing`, or a merge, may drop as of now.
  struct MergeContext {
    MergeRules rules;
    RangeTombstones tombstones;
    SequenceNumber filtered_sequence = 0;  // range deletes up to here are applied
  };
  // Appends the range deletes of `flushing` to `durable`. Returns up to which sequence a merge may apply
  // what is durable: older range deletes that are in the log only do not exist.
  SequenceNumber ApplicableLocked(const std::vector<std::shared_ptr<MemTableSlot>>& flushing,
                                  std::vector<RangeTombstone>* durable) VARVE_REQUIRES(mu_);
  std::unique_ptr<MergeContext> NewMergeContext(
      const std::vector<std::shared_ptr<MemTableSlot>>& flushing, bool is_bottom) VARVE_EXCLUDES(mu_);
  SegmentOutputOptions OutputOptions(uint64_t run_id, bool is_bottom, bool is_flush);
  void SealGarbage(const Version& version);
  CompactionInput DescribeForPicker(const Version& version, bool idle);
  // Lists segments of which nothing can be read any more, because all of it has expired or is deleted, and
  // which hide nothing. False when there are none.
  bool DropExpiredSegments(const Version& version, VersionEdit* edit);
  // True when there was something; its outcome is in `*status`.
  bool DropWithoutMerge(const Version& version, Status* status);
  // True when something was merged.
  bool CompactOnce(bool idle, bool all, Status* status);
  Status RunJob(RunningJob* running);
  Status RunUrgentJobs(const RunningJob& running);
  Status RunOneSlice(RunningJob* running, bool* done);
  CompactionJobOptions JobFor(const Version& version, const CompactionPick& pick, bool idle);
  // Files with enough garbage that nothing in memory points into.
  std::set<uint64_t> ValueFilesToEmpty(const Version& version);
  bool IsIdle() VARVE_REQUIRES(mu_);

  const std::string dir_;
  const Options options_;
  const Tuning tuning_;
  Env* const env_;
  Clock* const clock_;
  StoreClock store_clock_;
  OperationTimes times_;
  std::unique_ptr<FileLock> lock_;
  EventLog events_;
  DirectorySync directory_;

  ChunkPool pool_;
  BlockCache cache_;
  ReaderContext context_;
  VersionSet versions_;
  ValueLogSet values_;

  // --- Namespaces.
  NamespaceTable namespaces_;
  Mutex namespace_mu_;  // held while one is made, changed or dropped
  uint32_t next_namespace_id_ VARVE_GUARDED_BY(namespace_mu_) = 1;
  Status namespace_status_;  // constant after Open: why the table could not be read

  // --- Write side.
  mutable CommitLock commit_lock_;
  std::shared_ptr<MemTableSlot> active_ VARVE_GUARDED_BY(commit_lock_);
  std::shared_ptr<LogFile> log_ VARVE_GUARDED_BY(commit_lock_);
  uint64_t log_seed_ VARVE_GUARDED_BY(commit_lock_) = 0;
  std::vector<std::shared_ptr<LogFile>> unsynced_logs_ VARVE_GUARDED_BY(commit_lock_);
  SequenceNumber inserted_sequence_ VARVE_GUARDED_BY(commit_lock_) = 0;
  SequenceNumber pending_sequence_ VARVE_GUARDED_BY(commit_lock_) = 0;       // not yet durable enough
  SequenceNumber sync_pending_sequence_ VARVE_GUARDED_BY(commit_lock_) = 0;  // ... waiting for a sync
  uint64_t next_slot_ VARVE_GUARDED_BY(commit_lock_) = 0;  // back-pressure: time booked so far
  // Bytes ever appended, over all logs. Starts at 1, so that what was recovered counts as not yet synced.
  uint64_t position_ VARVE_GUARDED_BY(commit_lock_) = 1;
  std::atomic<SequenceNumber> visible_sequence_{0};
  RecentChanges recent_changes_ VARVE_GUARDED_BY(commit_lock_);
  ExpiryNotes expiry_notes_ VARVE_GUARDED_BY(commit_lock_);
  ReadSlots read_slots_;
  TransactionGate gate_;
  SyncGroup sync_group_;
  TurnQueue modify_turns_;
  std::atomic<bool> is_failed_{false};       // fatal_ is set
  std::atomic<uint64_t> put_count_{0}, user_bytes_{0}, wal_bytes_{0}, sync_count_{0};
  // Commits of one change, and of several.
  std::atomic<uint64_t> put_commit_count_{0}, batch_count_{0};
  std::atomic<uint64_t> slowdown_nanos_{0}, slowdown_nanos_max_{0}, slowdown_count_{0};

  std::atomic<SuperVersion*> super_version_{nullptr};

  // --- Shared state.
  Mutex mu_;
  TurnCondVar work_{tuning_.turns};         // flush and compaction wait for something to do
  TurnCondVar retry_{tuning_.turns};        // compaction waits to try again
  TurnCondVar helper_work_{tuning_.turns};  // the log's helper waits
  TurnCondVar progress_{tuning_.turns};     // others wait for what they do
  std::deque<std::shared_ptr<MemTableSlot>> immutables_ VARVE_GUARDED_BY(mu_);  // oldest first
  std::shared_ptr<MemTableSlot> active_shared_ VARVE_GUARDED_BY(mu_);           // = active_
  std::multiset<SequenceNumber> snapshots_ VARVE_GUARDED_BY(mu_);
  Status fatal_ VARVE_GUARDED_BY(mu_);
  Status background_error_ VARVE_GUARDED_BY(mu_);  // of the last flush; cleared by success
  Status compaction_error_ VARVE_GUARDED_BY(mu_);  // of the last merge; cleared by success
  bool is_flushing_ VARVE_GUARDED_BY(mu_) = false;
  uint64_t flush_attempts_ VARVE_GUARDED_BY(mu_) = 0;
  int compactions_running_ VARVE_GUARDED_BY(mu_) = 0;
  bool compaction_is_due_ VARVE_GUARDED_BY(mu_) = true;  // something changed since the last look
  int quiet_waiters_ VARVE_GUARDED_BY(mu_) = 0;
  bool compact_all_ VARVE_GUARDED_BY(mu_) = false;
  Status compact_status_ VARVE_GUARDED_BY(mu_);
  uint64_t kept_for_snapshots_ VARVE_GUARDED_BY(mu_) = 0;
  std::vector<std::shared_ptr<LogFile>> retired_logs_ VARVE_GUARDED_BY(mu_);
  std::vector<std::string> spare_logs_ VARVE_GUARDED_BY(mu_);  // paths
  // Logs of an earlier process that have not been flushed; to be synced before anything after them.
  std::vector<std::string> unsynced_recovered_logs_ VARVE_GUARDED_BY(mu_);
  std::vector<SuperVersion*> old_supers_ VARVE_GUARDED_BY(mu_);  // replaced, not yet retired
  RangeTombstoneSet version_tombstones_ VARVE_GUARDED_BY(mu_);  // the version's
  SequenceNumber described_sequence_ VARVE_GUARDED_BY(mu_) = 0;  // visible at the picker's last look
  SequenceNumber idle_sequence_ VARVE_GUARDED_BY(mu_) = 0;
  uint64_t idle_since_ VARVE_GUARDED_BY(mu_) = 0;
  uint64_t next_run_id_ VARVE_GUARDED_BY(mu_) = 1;
  Mutex doomed_mu_;  // innermost: taken by destructors, under whatever lock they run
  std::vector<std::string> doomed_files_ VARVE_GUARDED_BY(doomed_mu_);  // paths to be removed
  uint32_t doomed_holds_ VARVE_GUARDED_BY(doomed_mu_) = 0;  // while not 0, none of them is
  std::atomic<uint32_t> immutable_count_{0};
  std::atomic<uint32_t> run_count_{0};
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> flush_bytes_{0}, compaction_read_{0}, compaction_written_{0};
  std::atomic<uint64_t> flush_count_{0}, compaction_count_{0}, iterator_count_{0};

  Mutex async_mu_;  // held while async_ is made
  std::atomic<DbAsync*> async_{nullptr};  // set once, deleted by Close

  bool is_open_ = false;
  uint64_t recovered_log_number_ = 0;  // constant after Open: the last log before this process
  uint64_t recovered_log_end_ = 0;

  Mutex listener_mu_;  // held while a listener is set
  NamespaceTable::Ref due_space_;  // of the listener's thread: where the last named key was
  ExpiryNotifier expiry_;  // stopped before the rest is taken down
  std::vector<std::unique_ptr<Thread>> threads_;

  Mutex scrub_mu_;
  std::unique_ptr<ScrubThread> scrub_ VARVE_GUARDED_BY(scrub_mu_);
};

}  // namespace varve

#endif  // VARVE_ENGINE_DB_IMPL_H_
