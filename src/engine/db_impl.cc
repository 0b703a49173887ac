#include "engine/db_impl.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_async.h"
#include "engine/recovery.h"
#include "engine/rewrite.h"
#include "engine/store_builder.h"
#include "format/filename.h"
#include "format/value_log.h"

namespace varve {

namespace {

// Chunks of memory kept for reuse: two memtables' worth.
size_t SpareChunks(const Tuning& tuning) {
  return static_cast<size_t>(2 * tuning.memtable_bytes / ChunkPool::kChunkBytes) + 1;
}

Status CheckOptions(const Options& options) {
  const auto bad = [](const std::string& what) { return Status::InvalidArgument("Options: " + what); };
  if (options.memory_budget_bytes < (uint64_t{1} << 20)) {
    return bad("memory_budget_bytes must be at least 1 MiB");
  }
  if (!(options.space_amplification_target >= 1.1 && options.space_amplification_target <= 10)) {
    return bad("space_amplification_target must be from 1.1 to 10");
  }
  if (options.background_threads < 1 || options.background_threads > 64) {
    return bad("background_threads must be from 1 to 64");
  }
  if (options.max_key_bytes > kMaxUserKeyBytes) return bad("max_key_bytes is at most 65535");
  if (options.max_value_bytes > MemTable::kMaxValueBytes) {
    return bad("max_value_bytes is at most 536870912");
  }
  return Status::Ok();
}

}  // namespace

Tuning Tuning::FromOptions(const Options& options) {
  Tuning tuning;
  const uint64_t budget = options.memory_budget_bytes;
  // A sixteenth a memtable: all together at most 5/16 of the budget, the cache has the rest. Indexes and
  // iterators take from the cache's part.
  tuning.memtable_bytes = std::clamp(budget / 16, uint64_t{64} << 10, uint64_t{64} << 20);
  // The active one may grow to twice its size while the flush is behind.
  const uint64_t memtables = (tuning.max_immutable_memtables + 2) * tuning.memtable_bytes;
  tuning.cache_bytes = budget - std::min(budget / 2, memtables);
  tuning.max_expiry_keys_bytes = static_cast<size_t>(budget / 16);
  tuning.log_window_bytes = std::clamp(tuning.memtable_bytes / 16, uint64_t{64} << 10, uint64_t{1} << 20);
  tuning.mapped_log = options.durability != Durability::kSync;
  return tuning;
}

// --- Open.

Result<std::unique_ptr<Db>> Db::Open(const std::string& dir, const Options& options) {
  return OpenTuned(dir, options, Tuning::FromOptions(options));
}

Result<std::unique_ptr<Db>> OpenTuned(const std::string& dir, const Options& options,
                                      const Tuning& tuning) {
  return DbImpl::Open(dir, options, tuning);
}

Result<std::unique_ptr<Db>> DbImpl::Open(const std::string& dir, const Options& options,
                                         const Tuning& tuning) {
  VARVE_RETURN_IF_ERROR(CheckOptions(options));
  Env* env = options.env != nullptr ? options.env : Env::Default();
  Tuning checked = tuning;
  checked.separation_threshold_bytes =
      std::max<size_t>(tuning.separation_threshold_bytes, kValueLogCacheUnit);
  std::unique_ptr<DbImpl> db(new DbImpl(dir, options, checked, env));
  VARVE_RETURN_IF_ERROR(db->Start());
  return std::unique_ptr<Db>(std::move(db));
}

DbImpl::DbImpl(std::string dir, const Options& options, const Tuning& tuning, Env* env)
    : dir_(std::move(dir)),
      options_(options),
      tuning_(tuning),
      env_(env),
      clock_(env->clock()),
      store_clock_(env->clock()),
      times_(env->clock(), OperationTimes::StripesFor(options.memory_budget_bytes),
             tuning.times_all_operations),
      directory_(env, dir_),
      pool_(env, SpareChunks(tuning)),
      cache_(&pool_, tuning.cache_bytes),
      versions_(&context_, &values_),
      values_(&context_, tuning.value_log_file_bytes, [this] { return versions_.NextFileNumber(); }),
      commit_lock_(env->clock()),
      expiry_notes_(tuning.max_expiry_notes),
      gate_(env->clock()),
      sync_group_([this](bool sync) { return MakeLogDurable(sync); }),
      expiry_(env, &store_clock_, tuning.max_expiry_keys_bytes, SourceOfExpiries()) {
  cache_.Reserve(static_cast<int64_t>(times_.memory_bytes()));
  context_.env = env;
  context_.dir = dir_;
  context_.cache = &cache_;
  context_.directory = &directory_;
  context_.remove_file = [this](std::string path) {
    // Removing a large file takes long on some file systems; a reader must not wait for it.
    DoomFile(std::move(path));
  };
}

Status DbImpl::LockDirectory() {
  const std::string current = JoinPath(dir_, kCurrentFileName);
  if (options_.read_only) {
    if (!env_->FileExists(current)) return Status::NotFound("no store in " + dir_);
    // A writer could remove files under the reader. Where the lock cannot be taken for another reason
    // (a read-only medium, say) there is no writer either.
    auto lock = env_->LockFile(JoinPath(dir_, kLockFileName));
    if (lock.ok()) lock_ = *std::move(lock);
    return lock.status().code() == StatusCode::kBusy ? lock.status() : Status::Ok();
  }
  auto names = env_->ListDir(dir_);
  if (!names.ok() && !names.status().IsNotFound()) return names.status();
  const bool exists = names.ok() && env_->FileExists(current);
  if (!exists && !options_.create_if_missing) {
    return Status::NotFound("no store in " + dir_ + ", and create_if_missing is off");
  }
  if (exists && options_.error_if_exists) {
    return Status::InvalidArgument("a store exists in " + dir_ + ", and error_if_exists is on");
  }
  if (!names.ok()) {
    VARVE_RETURN_IF_ERROR(env_->CreateDir(dir_));
  } else if (!exists) {
    VARVE_RETURN_IF_ERROR(CheckMayBecomeStore(*names));
  }
  // Whoever made the directory: an earlier attempt may have failed between creating and syncing it.
  if (!exists) VARVE_RETURN_IF_ERROR(SyncOwnName(/*is_new=*/!names.ok()));
  VARVE_ASSIGN_OR_RETURN(lock_, env_->LockFile(JoinPath(dir_, kLockFileName)));
  return Status::Ok();
}

// What is synced inside the directory is worth nothing while its own name is not.
Status DbImpl::SyncOwnName(bool is_new) {
  if (VARVE_PLANTED_BUG("open.name_of_the_store_not_synced")) return Status::Ok();
  Status status = env_->SyncDir(ParentOf(dir_));
  // A name that a failed sync gave up on is not helped by another sync. It must be made anew.
  if (!status.ok() && is_new) (void)env_->RemoveDir(dir_);
  return status;
}

Status DbImpl::CheckMayBecomeStore(const std::vector<std::string>& names) const {
  if (std::find(names.begin(), names.end(), kUnfinishedFileName) != names.end()) {
    return Status::InvalidArgument(dir_ + " is not a store yet: a restore or checkpoint into it was begun "
                                   "and not finished; run it again");
  }
  for (const std::string& name : names) {
    const auto parsed = ParseFileName(name);
    // A creation that was interrupted leaves these; they are begun anew.
    if (name == "CURRENT.new" || (parsed && (parsed->type == FileType::kLock ||
                                             parsed->type == FileType::kEvents ||
                                             parsed->type == FileType::kManifest))) {
      continue;
    }
    if (parsed) {
      return Status::Corruption(dir_ + " holds files of a store (" + name +
                                "), but CURRENT is missing");
    }
    return Status::InvalidArgument(dir_ + " is not a store: it holds " + name);
  }
  return Status::Ok();
}

Status DbImpl::Start() {
  VARVE_RETURN_IF_ERROR(LockDirectory());
  if (env_->FileExists(JoinPath(dir_, kCurrentFileName))) {
    VARVE_RETURN_IF_ERROR(versions_.Recover(!options_.read_only));
  } else {
    VARVE_RETURN_IF_ERROR(versions_.Create(env_->RandomSeed()));
  }
  // What a later release has written is refused by now, with nothing changed.
  if (!options_.read_only) events_.Open(env_, JoinPath(dir_, kEventsFileName));
  for (const auto& run : versions_.current()->runs()) {
    MutexLock lock(&mu_);
    next_run_id_ = std::max(next_run_id_, run->id() + 1);
  }
  if (!options_.read_only) VARVE_RETURN_IF_ERROR(RestoreNames(env_, dir_));
  VARVE_RETURN_IF_ERROR(CheckSegmentsExist());
  VARVE_RETURN_IF_ERROR(RecoverLogs());
  // The default namespace does not need the table: whoever opens another one hears what is wrong with it.
  namespace_status_ = LoadNamespaces();
  if (!options_.read_only) {
    VARVE_RETURN_IF_ERROR(RemoveLeftovers());
    ReserveForExpectedKeys();
    VARVE_RETURN_IF_ERROR(StartThreads());
  }
  is_open_ = true;
  events_.Add("opened at sequence " + std::to_string(visible_sequence_.load()));
  return Status::Ok();
}

void DbImpl::ReserveForExpectedKeys() {
  constexpr uint64_t kBytesPerKey = 128;
  if (options_.expected_keys == 0) return;
  const uint64_t bytes = std::min(options_.expected_keys, uint64_t{1} << 40) * kBytesPerKey;
  pool_.Preallocate(static_cast<size_t>(std::min(bytes, 2 * tuning_.memtable_bytes) /
                                        ChunkPool::kChunkBytes));
  CommitLockHolder lock(&commit_lock_);
  (void)log_->Preallocate(bytes);  // what there is no space for is asked for again when it is needed
}

Status DbImpl::StartThreads() {
  // Before the first: a thread that the list has no memory for would be waited for, and never told to stop.
  threads_.reserve(3);
  const auto start = [this](const char* name, std::function<void()> body) -> Status {
    Turns* const turns = tuning_.turns;
    const int number = turns == nullptr ? 0 : turns->Add();
    auto thread = env_->StartThread(name, [turns, number, body = std::move(body)] {
      if (turns != nullptr) turns->Begin(number);
      body();
      if (turns != nullptr) turns->End(number);
    });
    if (thread == nullptr) {
      if (turns != nullptr) turns->End(number);
      return Status::Unavailable("no thread could be started for " + dir_);
    }
    threads_.push_back(std::move(thread));
    return Status::Ok();
  };
  VARVE_RETURN_IF_ERROR(start("varve-log", [this] { LogHelperLoop(); }));
  VARVE_RETURN_IF_ERROR(start("varve-flush", [this] { FlushLoop(); }));
  return start("varve-compact", [this] { CompactionLoop(); });
}

// --- Close.

DbImpl::~DbImpl() { Close(); }

void DbImpl::Close() {
  expiry_.Stop();  // first: a listener may begin asynchronous operations
  EndScrub();
  if (DbAsync* async = async_.load(std::memory_order_acquire)) {
    // While it ends its operations their continuations may still call the store.
    async->Shutdown();
    delete async;
  }
  {
    MutexLock lock(&mu_);
    // Release: the loops stop after what they are at.
    stop_.store(true, std::memory_order_release);
    work_.NotifyAll();
    retry_.NotifyAll();
    helper_work_.NotifyAll();
  }
  if (tuning_.turns != nullptr) tuning_.turns->AwaitAll();
  threads_.clear();  // joins
  if (is_open_ && !options_.read_only && !is_failed_.load(std::memory_order_relaxed)) CloseLog();
  RetireOldSupers();
  SuperVersion* super = super_version_.exchange(nullptr, std::memory_order_acq_rel);
  // A store that did not get as far as readers has nothing to wait for; in a process that was forked from
  // one with readers, waiting would be for ever.
  const bool had_readers = super != nullptr ||
                           VARVE_PLANTED_BUG("close.waits_for_readers_that_cannot_be");
  if (had_readers) {
    super->Unref();
    EpochDrain();
  }
  {
    CommitLockHolder lock(&commit_lock_);
    if (log_ != nullptr) (void)(DiskIsNearlyFull() ? log_->CloseForReuse() : log_->Close());
    unsynced_logs_.clear();
    log_.reset();
    active_.reset();
  }
  std::vector<std::string> unused;
  {
    MutexLock lock(&mu_);
    active_shared_.reset();
    immutables_.clear();
    retired_logs_.clear();
    unused.swap(spare_logs_);
  }
  versions_.Release();
  values_.Release();
  if (had_readers) EpochDrain();
  if (!is_open_ || options_.read_only) return;
  RemoveDoomedFiles();
  for (const std::string& path : unused) (void)env_->RemoveFile(path);
  events_.Add("closed");
}

// The log then keeps the blocks it has: when the store is opened again on a full disk, deletes need them.
bool DbImpl::DiskIsNearlyFull() const {
  constexpr uint64_t kMinFreeBytes = uint64_t{64} << 20;
  return env_->FreeSpace(dir_).value_or(~uint64_t{0}) < kMinFreeBytes;
}

// Makes the log durable and says so, so that damage to it can be told from a crash from now on.
void DbImpl::CloseLog() {
  if (!MakeLogDurable(/*sync=*/true).ok()) return;
  VersionEdit edit;
  {
    CommitLockHolder lock(&commit_lock_);
    edit.durable_log = DurableLog{log_->number(), log_->end()};
    if (versions_.durable_log() == *edit.durable_log) return;
  }
  (void)ApplyEdit(std::move(edit), nullptr);
}

// --- Maintenance calls.

Status DbImpl::Flush() {
  VARVE_RETURN_IF_ERROR(CheckWritable());
  std::shared_ptr<MemTableSlot> last;
  {
    CommitLockHolder lock(&commit_lock_);
    bool has_ranges;
    {
      MutexLock mu_lock(&mu_);
      has_ranges = !active_->range_tombstones.empty();
    }
    if (!active_->memtable->empty() || has_ranges) VARVE_RETURN_IF_ERROR(Rotate(0));
    MutexLock mu_lock(&mu_);
    if (immutables_.empty()) return Status::Ok();
    last = immutables_.back();
  }
  MutexLock lock(&mu_);
  // An attempt that is under way may have met what is over by now.
  const uint64_t first = flush_attempts_ + (is_flushing_ && !VARVE_PLANTED_BUG("flush.tells_of_what_was") ? 2 : 1);
  background_error_ = Status::Ok();
  work_.NotifyAll();
  const auto has_left = [&]() VARVE_NO_THREAD_SAFETY_ANALYSIS {
    return std::find(immutables_.begin(), immutables_.end(), last) == immutables_.end();
  };
  bool is_flushed = has_left();
  while (fatal_.ok() && !is_flushed && (background_error_.ok() || flush_attempts_ < first)) {
    progress_.Wait(&mu_);
    is_flushed = has_left();
  }
  if (!fatal_.ok()) return fatal_;
  return is_flushed ? Status::Ok() : background_error_;
}

Status DbImpl::Compact() {
  VARVE_RETURN_IF_ERROR(Flush());
  MutexLock lock(&mu_);
  while (compact_all_) progress_.Wait(&mu_);  // somebody else's
  compact_all_ = true;
  work_.NotifyAll();
  while (compact_all_ && fatal_.ok()) progress_.Wait(&mu_);
  return fatal_.ok() ? compact_status_ : fatal_;
}

Status DbImpl::WaitForBackgroundWork() {
  if (options_.read_only) return Status::Ok();
  MutexLock lock(&mu_);
  ++quiet_waiters_;
  compaction_is_due_ = true;
  compaction_error_ = Status::Ok();  // a new attempt
  work_.NotifyAll();
  retry_.NotifyAll();
  while (fatal_.ok() && background_error_.ok() && compaction_error_.ok() &&
         (!immutables_.empty() || is_flushing_ || compactions_running_ > 0 || compaction_is_due_)) {
    progress_.Wait(&mu_);
  }
  --quiet_waiters_;
  if (!fatal_.ok()) return fatal_;
  return background_error_.ok() ? compaction_error_ : background_error_;
}

}  // namespace varve
