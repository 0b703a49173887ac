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

Status Backups::Check(const Request& request) const {
  if (dir_.empty()) {
    return Status::NotSupported("there is no directory for backups: start the server with --backup-dir");
  }
  const bool are_names = IsBackupName(request.name) && (request.since.empty() || IsBackupName(request.since));
  if (!are_names && !VARVE_PLANTED_BUG("backups.any_path")) {
    return Status::InvalidArgument("a backup's name has letters, digits, '-', '_' and '.', and does not begin with '.'");
  }
  if (!request.since.empty() && !env_->FileExists(dir_ + "/" + request.since)) {
    return Status::InvalidArgument("there is no backup of the name " + request.since);
  }
  return Status::Ok();
}

Status Backups::Start(const Request& request) {
  VARVE_RETURN_IF_ERROR(Check(request));
  std::unique_ptr<Thread> ended;
  MutexLock lock(&mu_);
  if (state_.is_running) return Status(StatusCode::kBusy, "a backup is running: " + state_.name);
  if (env_->FileExists(dir_ + "/" + request.name) && !VARVE_PLANTED_BUG("backups.replaced")) {
    return Status::InvalidArgument("there is a backup of that name");
  }
  // It has said that it is done, and needs nothing any more.
  ended = std::move(thread_);
  must_end_.store(false, std::memory_order_release);
  State begun;
  begun.is_running = true;
  begun.name = request.name;
  begun.ended_millis = state_.ended_millis;
  state_ = std::move(begun);
  thread_ = env_->StartThread("varve-backup", [this, request] { Run(request); });
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

void Backups::Run(const Request& request) {
  const Status status = Make(request);
  MutexLock lock(&mu_);
  state_.error = status.ok() ? std::string() : status.ToString();
  state_.ended_millis = env_->clock()->WallMillis();
  state_.is_running = false;
}

Status Backups::Make(const Request& request) {
  BackupOptions options;
  options.bytes_per_second = request.bytes_per_second;
  BackupSummary earlier;
  if (!request.since.empty()) {
    VARVE_ASSIGN_OR_RETURN(earlier, ReadBackupSummary(dir_ + "/" + request.since, env_));
    options.since = &earlier;
  }
  options.progress = [&](const BackupProgress& progress) {
    MutexLock lock(&mu_);
    state_.done_bytes = progress.done_bytes;
    state_.total_bytes = progress.total_bytes;
    return !must_end_.load(std::memory_order_acquire);
  };
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<BackupSink> sink, NewFileBackupSink(dir_ + "/" + request.name, env_));
  return db_->Backup(*sink, options).status();
}

}  // namespace varve::server
