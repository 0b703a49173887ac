#include "server/backups.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve::server {

namespace {

constexpr size_t kMaxNameBytes = 200;

bool IsBackupName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '.';
         });
}

}  // namespace

Backups::Backups(Db* db, Env* env, std::string dir) : db_(db), env_(env), dir_(std::move(dir)) {}

Backups::~Backups() {
  must_end_.store(true, std::memory_order_release);
  std::unique_ptr<Thread> thread;
  {
    MutexLock lock(&mu_);
    thread = std::move(thread_);
  }
}

Status Backups::Start(std::string_view name, uint64_t bytes_per_second) {
  if (dir_.empty()) return Status::NotSupported("there is no directory for backups");
  if (!IsBackupName(name) && !VARVE_PLANTED_BUG("backups.any_path")) {
    return Status::InvalidArgument("a backup's name has letters, digits, '-', '_' and '.', and does not begin with '.'");
  }
  std::string file(name);
  std::unique_ptr<Thread> ended;
  MutexLock lock(&mu_);
  if (state_.is_running) return Status(StatusCode::kBusy, "a backup is running: " + state_.name);
  if (!VARVE_PLANTED_BUG("backups.replaced") && env_->FileExists(dir_ + "/" + file)) return Status::InvalidArgument("there is a backup of that name");
  // It has said that it is done, and needs nothing any more.
  ended = std::move(thread_);
  must_end_.store(false, std::memory_order_release);
  State begun;
  begun.is_running = true;
  begun.name = file;
  begun.ended_millis = state_.ended_millis;
  state_ = std::move(begun);
  thread_ = env_->StartThread("varve-backup", [this, file, bytes_per_second] { Run(file, bytes_per_second); });
  if (thread_ == nullptr) {
    state_.is_running = false;
    state_.error = "there is no thread";
    return Status(StatusCode::kUnavailable, state_.error);
  }
  return Status::Ok();
}

bool Backups::Abort() {
  MutexLock lock(&mu_);
  if (!state_.is_running) return false;
  must_end_.store(true, std::memory_order_release);
  return true;
}

Backups::State Backups::state() const {
  MutexLock lock(&mu_);
  return state_;
}

void Backups::Run(const std::string& name, uint64_t bytes_per_second) {
  const auto make = [&]() -> Status {
    VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<BackupSink> sink, NewFileBackupSink(dir_ + "/" + name, env_));
    BackupOptions options;
    options.bytes_per_second = bytes_per_second;
    options.progress = [&](const BackupProgress& progress) {
      MutexLock lock(&mu_);
      state_.done_bytes = progress.done_bytes;
      state_.total_bytes = progress.total_bytes;
      return !must_end_.load(std::memory_order_acquire);
    };
    return db_->Backup(*sink, options).status();
  };
  const Status status = make();
  MutexLock lock(&mu_);
  state_.error = status.ok() ? std::string() : status.ToString();
  state_.ended_millis = env_->clock()->WallMillis();
  state_.is_running = false;
}

}  // namespace varve::server
