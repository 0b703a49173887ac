#include "engine/log_file.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve {

namespace {

constexpr uint64_t kFirstWindowBytes = 64 << 10;

}  // namespace

Result<std::unique_ptr<LogFile>> LogFile::Open(Env* env, const std::string& path, uint64_t number,
                                               const LogFileOptions& options) {
  std::unique_ptr<LogFile> log(new LogFile(path, number, options));
  if (options.mapped) {
    auto mapped = env->OpenMapped(path, options.capacity_bytes);
    if (mapped.ok()) {
      log->mapped_ = *std::move(mapped);
    } else if (mapped.status().code() != StatusCode::kNotSupported) {
      return mapped.status();
    }
  }
  if (log->mapped_ == nullptr) {
    const auto mode =
        env->FileExists(path) ? Env::OpenMode::kOpenExisting : Env::OpenMode::kCreateNew;
    VARVE_ASSIGN_OR_RETURN(log->written_, env->OpenWritable(path, mode));
  }
  return log;
}

Result<std::unique_ptr<LogFile>> LogFile::Continue(Env* env, const std::string& path,
                                                   uint64_t number, const LogFileOptions& options,
                                                   uint64_t end) {
  VARVE_ASSIGN_OR_RETURN(const uint64_t present, env->FileSize(path));
  VARVE_ASSIGN_OR_RETURN(auto log, Open(env, path, number, options));
  // First of all, because closing cuts the file here.
  log->end_.store(end, std::memory_order_relaxed);
  log->pending_offset_ = end;
  Status status = log->AllocateUpTo(end);
  // On a full disk it goes on with the blocks that the file has: all of them, or those in use.
  if (IsNoSpace(status)) status = log->AllocateTo(std::max(end, present));
  if (IsNoSpace(status)) status = log->AllocateTo(end);
  if (!status.ok() && VARVE_PLANTED_BUG("log.cut_when_it_cannot_be_continued")) log->end_ = 0;
  VARVE_RETURN_IF_ERROR(status);
  return log;
}

LogFile::~LogFile() { (void)Close(); }

Status LogFile::AllocateWindow(uint64_t from, uint64_t size) {
  if (mapped_ != nullptr) return mapped_->Populate(from, size);
  // Zeros never go over what the file holds already. Asked first: allocating extends the file.
  VARVE_ASSIGN_OR_RETURN(const uint64_t present, written_->Size());
  Status status = written_->Allocate(from, size);
  const bool allocates = status.code() != StatusCode::kNotSupported;
  if (allocates && (!status.ok() || !options_.write_zeros)) return status;
  return WriteZeros(std::max(from, present), from + size);
}

Status LogFile::WriteZeros(uint64_t from, uint64_t end) {
  if (from >= end) return Status::Ok();
  VARVE_RETURN_IF_ERROR(written_->Write(from, std::string(static_cast<size_t>(end - from), '\0')));
  // Under way before anybody waits for them; the next sync covers what is left.
  written_->StartWriteback(from, end - from);
  return Status::Ok();
}

Status LogFile::AllocateUpTo(uint64_t end) {
  MutexLock lock(&allocate_mu_);
  const uint64_t allocated = allocated_.load(std::memory_order_relaxed);
  if (end <= allocated) return Status::Ok();
  // Windows grow with the log, so that a small store stays small.
  const uint64_t window = std::clamp(allocated, std::min(kFirstWindowBytes, options_.window_bytes),
                                     options_.window_bytes);
  const uint64_t target =
      std::min(std::max(end, allocated + window), std::max(end, options_.capacity_bytes));
  return AllocateLocked(target);
}

Status LogFile::AllocateTo(uint64_t end) {
  MutexLock lock(&allocate_mu_);
  return AllocateLocked(end);
}

Status LogFile::AllocateLocked(uint64_t target) {
  const uint64_t allocated = allocated_.load(std::memory_order_relaxed);
  const uint64_t rounded = std::min((target + 4095) & ~uint64_t{4095}, options_.capacity_bytes);
  if (rounded <= allocated) return Status::Ok();
  VARVE_RETURN_IF_ERROR(AllocateWindow(allocated, rounded - allocated));
  allocated_.store(rounded, std::memory_order_release);
  return Status::Ok();
}

uint64_t LogFile::reserve_bytes() const {
  return VARVE_PLANTED_BUG("log.no_reserve_for_deletes") ? 0 : options_.window_bytes / 4;
}

Result<char*> LogFile::Reserve(size_t size, bool use_reserve) {
  const uint64_t end = end_.load(std::memory_order_relaxed);
  VARVE_CHECK(end + size <= options_.capacity_bytes);
  const uint64_t needed = std::min(end + size + reserve_bytes(), options_.capacity_bytes);
  if (needed > allocated_.load(std::memory_order_acquire)) {
    Status status = AllocateUpTo(needed);
    const bool suffices = end + size <= allocated_.load(std::memory_order_acquire);
    if (!status.ok() && !(use_reserve && suffices)) return status.WithContext("write-ahead log");
  }
  if (mapped_ != nullptr) return mapped_->data() + end;
  const size_t used = static_cast<size_t>(end - pending_offset_);
  pending_.resize(used + size);
  return pending_.data() + used;
}

void LogFile::Advance(size_t size) {
  end_.store(end_.load(std::memory_order_relaxed) + size, std::memory_order_release);
}

LogFile::Pending LogFile::TakePending() {
  Pending pending;
  pending.end = end_.load(std::memory_order_relaxed);
  if (mapped_ != nullptr) return pending;
  pending.offset = pending_offset_;
  pending.bytes.swap(pending_);
  pending.bytes.resize(static_cast<size_t>(pending.end - pending.offset));
  pending_offset_ = pending.end;
  return pending;
}

Status LogFile::WriteOut(const Pending& pending) {
  if (pending.bytes.empty()) return Status::Ok();
  MutexLock lock(&io_mu_);
  return written_->Write(pending.offset, pending.bytes);
}

Status LogFile::Sync(uint64_t end) {
  if (synced_end_.load(std::memory_order_relaxed) >= end) return Status::Ok();
  MutexLock lock(&io_mu_);
  if (!VARVE_PLANTED_BUG("log.not_synced")) {
    VARVE_RETURN_IF_ERROR(mapped_ != nullptr ? mapped_->Sync() : written_->Sync());
  }
  if (!name_is_synced_.load(std::memory_order_relaxed) &&
      !VARVE_PLANTED_BUG("log.name_not_synced")) {
    VARVE_RETURN_IF_ERROR(options_.directory->Sync());
    name_is_synced_.store(true, std::memory_order_relaxed);
  }
  if (VARVE_PLANTED_BUG("log.synced_as_far_as_it_has_grown")) end = end_.load();
  synced_end_.store(end, std::memory_order_release);
  return Status::Ok();
}

bool LogFile::NeedsPreparing() const {
  const uint64_t allocated = allocated_.load(std::memory_order_relaxed);
  const uint64_t end = end_.load(std::memory_order_relaxed);
  return allocated < options_.capacity_bytes && end > kFirstWindowBytes &&
         allocated - end < 2 * options_.window_bytes;
}

bool LogFile::PrepareAhead() {
  if (!NeedsPreparing()) return true;
  return AllocateUpTo(allocated_.load(std::memory_order_relaxed) + 1).ok();
}

Status LogFile::CloseFile(uint64_t final_size) {
  MutexLock lock(&io_mu_);
  if (closed_) return Status::Ok();
  closed_ = true;
  MutexLock allocate_lock(&allocate_mu_);
  if (mapped_ != nullptr) return mapped_->Close(final_size);
  if (written_ == nullptr) return Status::Ok();  // never opened
  if (final_size != MappedFile::kKeepSize) {
    VARVE_RETURN_IF_ERROR(written_->Truncate(final_size));
  }
  return written_->Close();
}

Status LogFile::Close() { return CloseFile(end()); }
Status LogFile::CloseForReuse() { return CloseFile(MappedFile::kKeepSize); }

}  // namespace varve
