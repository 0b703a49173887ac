// Room for a commit: memtables that are handed over, logs that begin, and writers that are slowed down when
// work piles up behind them.
#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "format/filename.h"

namespace varve {

namespace {

// A memtable is handed over when separated values reach so many times its size.
constexpr uint64_t kSeparatedShare = 4;
// The share of a memtable that all range deletes may take.
constexpr uint64_t kRangeTombstoneShare = 2;

}  // namespace

Status DbImpl::MakeRoom(uint64_t record_bytes, bool only_deletes) {
  while (true) {
    const uint64_t memtable_bytes = active_->memtable->memory_bytes();
    const bool log_has_room = log_->end() + record_bytes <= log_->capacity();
    // After a crash the separated values that the log points to are read once; this bounds them.
    const bool few_ranges =
        active_->range_tombstone_bytes < tuning_.memtable_bytes / kRangeTombstoneShare;
    const bool few_values = few_ranges && active_->separated_bytes < kSeparatedShare * tuning_.memtable_bytes;
    if (memtable_bytes < tuning_.memtable_bytes && few_values && log_has_room) return Status::Ok();
    const uint32_t waiting = immutable_count_.load(std::memory_order_relaxed);
    Status status;
    if (waiting < tuning_.max_immutable_memtables) {
      NoteWait();
      status = Rotate(record_bytes);
      if (status.ok()) return status;
    } else {
      // The flush is behind. Writers were slowed long before; the memtable may grow to twice its size
      // before they have to wait.
      if (memtable_bytes < 2 * tuning_.memtable_bytes && log_has_room) return Status::Ok();
      commit_lock_.Unlock();
      status = WaitForFlush();
      commit_lock_.Lock();
    }
    // A full disk can be left by deleting: that goes on in the log that there is.
    if (!status.ok() && only_deletes && log_has_room) return Status::Ok();
    VARVE_RETURN_IF_ERROR(status);
  }
}

Status DbImpl::WaitForFlush() noexcept {
  constexpr uint64_t kMaxWaitMicros = 100'000;
  const uint64_t begin = clock_->MonotonicNanos();
  NoteWaiting(begin);
  {
    MutexLock lock(&mu_);
    // What failed a while ago may work now: the outcome of a new attempt decides.
    const uint64_t attempts = flush_attempts_;
    const bool had_failed = !background_error_.ok();
    if (had_failed) work_.NotifyAll();
    if (fatal_.ok() && immutables_.size() >= tuning_.max_immutable_memtables) {
      progress_.WaitFor(&mu_, kMaxWaitMicros);
    }
    if (!fatal_.ok()) return fatal_;
    if (had_failed && flush_attempts_ != attempts && !background_error_.ok()) return background_error_;
  }
  NoteSlowdown(clock_->MonotonicNanos() - begin);
  return Status::Ok();
}

LogFileOptions DbImpl::LogOptions(uint64_t record_bytes) {
  LogFileOptions options;
  options.mapped = tuning_.mapped_log;
  options.window_bytes = tuning_.log_window_bytes;
  options.directory = &directory_;
  options.write_zeros = options_.durability == Durability::kSync;
  const uint64_t wanted =
      std::max(4 * tuning_.memtable_bytes, record_bytes + kWalFileHeaderBytes + (64 << 10));
  options.capacity_bytes = std::min((wanted + 4095) & ~uint64_t{4095}, kMaxWalBytes);
  return options;
}

Result<std::shared_ptr<LogFile>> DbImpl::NewLog(uint64_t record_bytes) {
  const LogFileOptions options = LogOptions(record_bytes);
  const uint64_t number = versions_.NextFileNumber();
  const std::string path = JoinPath(dir_, WalFileName(number));
  {
    MutexLock lock(&mu_);
    if (!spare_logs_.empty()) {
      // Its blocks are used again. If the rename fails the log simply begins as a new file.
      (void)env_->RenameFile(spare_logs_.back(), path);
      spare_logs_.pop_back();
    }
  }
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<LogFile> log, LogFile::Open(env_, path, number, options));
  WalFileHeader header;
  header.log_number = number;
  header.salt = env_->RandomSeed();
  if (log_ != nullptr) {
    header.previous_log_number = log_->number();
    header.previous_end_offset = log_->end();
    header.previous_is_synced = log_->synced_end() == log_->end() ||
                                VARVE_PLANTED_BUG("log.claims_that_the_last_one_was_synced");
  } else {
    header.previous_log_number = recovered_log_number_;
    header.previous_end_offset = recovered_log_end_;
  }
  auto to = log->Reserve(kWalFileHeaderBytes, /*use_reserve=*/true);
  if (!to.ok()) {
    (void)env_->RemoveFile(path);
    return to.status();
  }
  EncodeWalFileHeader(header, *to);
  log->Advance(kWalFileHeaderBytes);
  log_seed_ = header.seed();
  return std::shared_ptr<LogFile>(std::move(log));
}

Status DbImpl::Rotate(uint64_t record_bytes) noexcept {
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<LogFile> log, NewLog(record_bytes));
  auto slot = std::make_shared<MemTableSlot>(
      MemTable::Create(&pool_, static_cast<size_t>(tuning_.memtable_bytes)), log->number());
  slot->log = log;
  slot->first_sequence = inserted_sequence_ + 1;
  log_ = log;
  unsynced_logs_.push_back(std::move(log));
  std::shared_ptr<MemTableSlot> old = std::exchange(active_, slot);
  MutexLock lock(&mu_);
  active_shared_ = std::move(slot);
  if (old != nullptr) {
    immutables_.push_back(std::move(old));
    immutable_count_.store(static_cast<uint32_t>(immutables_.size()), std::memory_order_relaxed);
  }
  InstallSuperVersion();
  work_.NotifyAll();
  return Status::Ok();
}

// --- Back-pressure: writers are slowed smoothly as work piles up behind them. The delay belongs to the
// changes, not to the threads: each commit books the time that its changes cost, so that a hundred
// writers are held to the same rate as one.

void DbImpl::UpdateThrottle(uint32_t count, Ticket* ticket) {
  const uint32_t waiting = immutable_count_.load(std::memory_order_relaxed);
  const uint32_t runs = run_count_.load(std::memory_order_relaxed);
  if (waiting + 1 < tuning_.max_immutable_memtables && runs <= tuning_.slowdown_runs) return;
  double nanos = 0;
  if (waiting + 1 >= tuning_.max_immutable_memtables) {
    // 0 to 2: how full the memtable is that cannot be handed over.
    const double fill = static_cast<double>(active_->memtable->memory_bytes()) /
                        static_cast<double>(tuning_.memtable_bytes);
    const bool last = waiting >= tuning_.max_immutable_memtables;
    nanos = last ? 1000.0 * (1 << static_cast<int>(std::min(6.0, 6 * std::max(0.0, fill - 0.5))))
                 : 1000.0 * fill * fill;
  }
  if (runs > tuning_.slowdown_runs) nanos += 200.0 * static_cast<double>(runs - tuning_.slowdown_runs);
  const uint64_t now = clock_->MonotonicNanos();
  next_slot_ = std::max(now, next_slot_) + static_cast<uint64_t>(nanos * count);
  if (next_slot_ > now) ticket->not_before = next_slot_;
}

bool DbImpl::MustThrottle(uint64_t not_before) const {
  // Shorter waits are left to add up: one sleep for a thousand changes leaves the processor to the merge
  // that is waited for, where a thousand turns of a waiting loop would keep it.
  constexpr uint64_t kSleepFrom = 1'000'000;
  return not_before != 0 && not_before >= clock_->MonotonicNanos() + kSleepFrom;
}

void DbImpl::Throttle(uint64_t not_before) {
  constexpr uint64_t kMaxNanos = 20'000'000;  // nobody waits longer in one go
  if (!MustThrottle(not_before)) return;
  const uint64_t begin = clock_->MonotonicNanos();
  if (not_before <= begin) return;
  NoteWaiting(begin);
  clock_->SleepNanos(std::min(not_before - begin, kMaxNanos));
  NoteSlowdown(clock_->MonotonicNanos() - begin);
}

void DbImpl::NoteSlowdown(uint64_t nanos) {
  slowdown_nanos_.fetch_add(nanos, std::memory_order_relaxed);
  slowdown_count_.fetch_add(1, std::memory_order_relaxed);
  uint64_t longest = slowdown_nanos_max_.load(std::memory_order_relaxed);
  while (nanos > longest && !slowdown_nanos_max_.compare_exchange_weak(longest, nanos)) {
  }
}

}  // namespace varve
