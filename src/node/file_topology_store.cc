#include "node/file_topology_store.h"

#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "node/memory_topology_store.h"
#include "node/polling_watch.h"
#include "node/topology_file.h"

namespace varve::node {

namespace {
constexpr uint64_t kLockPauseNanos = 1'000'000;

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash);
}
}  // namespace

Result<std::unique_ptr<FileLock>> FileTopologyStore::Lock() {
  const uint64_t give_up = env_->clock()->MonotonicNanos() + options_.lock_timeout_nanos;
  while (true) {
    Result<std::unique_ptr<FileLock>> lock = env_->LockFile(path_ + ".lock");
    if (lock.ok() || lock.status().code() != StatusCode::kBusy) return lock;
    if (env_->clock()->MonotonicNanos() >= give_up) return Status::TimedOut("others hold " + path_ + ".lock");
    env_->clock()->SleepNanos(kLockPauseNanos);
  }
}

Result<TopologySnapshot> FileTopologyStore::Load() {
  Result<std::unique_ptr<RandomAccessFile>> file = env_->OpenRandomAccess(path_);
  if (!file.ok()) {
    if (file.status().IsNotFound() && !options_.is_fixed) return TopologySnapshot{};
    return Status::Unavailable(file.status().ToString());
  }
  VARVE_ASSIGN_OR_RETURN(const uint64_t size, (*file)->Size());
  std::string text(size, '\0');
  VARVE_ASSIGN_OR_RETURN(const size_t got, (*file)->Read(0, size, text.data()));
  text.resize(got);
  Result<TopologySnapshot> state = DecodeTopologyFile(text);
  if (!state.ok()) return state.status().WithContext(path_);
  return state;
}

Result<TopologySnapshot> FileTopologyStore::Read(const std::string& prefix) {
  MutexLock one(&mu_);
  std::unique_ptr<FileLock> lock;
  // What is read under the lock has been synced, and does not go back.
  if (!options_.is_fixed) {
    VARVE_ASSIGN_OR_RETURN(lock, Lock());
  }
  VARVE_ASSIGN_OR_RETURN(const TopologySnapshot state, Load());
  return UnderPrefix(state, prefix);
}

Status FileTopologyStore::WriteNew(const TopologySnapshot& state) {
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                         env_->OpenWritable(path_ + ".new", Env::OpenMode::kCreateOrTruncate));
  VARVE_RETURN_IF_ERROR(file->Write(0, EncodeTopologyFile(state)));
  VARVE_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

CommitResult FileTopologyStore::Commit(const TopologyCommit& commit) {
  if (std::optional<CommitResult> refused = CheckCommit(commit)) return *std::move(refused);
  if (options_.is_fixed) {
    return {.outcome = CommitResult::Outcome::kRefused, .reason = "the topology is fixed: " + path_};
  }
  const auto unavailable = [](const Status& status) {
    return CommitResult{.outcome = CommitResult::Outcome::kUnavailable, .reason = status.ToString()};
  };
  MutexLock one(&mu_);
  std::unique_ptr<FileLock> held;
  if (!VARVE_PLANTED_BUG("file_topology.commits_without_lock")) {
    Result<std::unique_ptr<FileLock>> lock = Lock();
    if (!lock.ok()) return unavailable(lock.status());
    held = std::move(*lock);
  }
  Result<TopologySnapshot> state = Load();
  if (!state.ok()) return unavailable(state.status());
  CommitResult result = ApplyCommit(commit, &*state);
  if (result.outcome != CommitResult::Outcome::kDone) return result;
  const Status written = WriteNew(*state);
  if (!written.ok()) return unavailable(written);
  Status status = env_->RenameFile(path_ + ".new", path_);
  if (status.ok()) status = env_->SyncDir(DirectoryOf(path_));
  if (status.ok()) return result;
  return {.outcome = CommitResult::Outcome::kUnknown, .reason = status.ToString()};
}

std::unique_ptr<TopologyWatch> FileTopologyStore::Watch(const std::string& prefix, TopologySnapshot known,
                                                        TopologyWatcher* watcher) {
  return PollingWatch::Start(env_, this, prefix, std::move(known), watcher, options_.poll_micros);
}

}  // namespace varve::node
