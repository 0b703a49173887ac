#include "env/posix_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "env/posix_error.h"
#include "env/posix_fd.h"

namespace varve {
namespace {

using FileId = std::pair<dev_t, ino_t>;

// Files locked by this process. Where flock is emulated with locks that belong to the process (some
// network file systems), the kernel alone would grant a second one.
class LockTable {
 public:
  static LockTable& Get() {
    static LockTable* const table = new LockTable();
    return *table;
  }
  bool Insert(const FileId& id) VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    return held_.insert(id).second;
  }
  void Erase(const FileId& id) VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    held_.erase(id);
  }

 private:
  Mutex mu_;
  std::set<FileId> held_ VARVE_GUARDED_BY(mu_);
};

// An entry of the table; the destructor takes it out.
class TableEntry {
 public:
  explicit TableEntry(FileId id) : id_(id), held_(LockTable::Get().Insert(id)) {}
  ~TableEntry() {
    if (held_) LockTable::Get().Erase(id_);
  }
  TableEntry(const TableEntry&) = delete;
  TableEntry& operator=(const TableEntry&) = delete;
  bool held() const { return held_; }

 private:
  const FileId id_;
  const bool held_;
};

class PosixFileLock final : public FileLock {
 public:
  PosixFileLock(std::unique_ptr<TableEntry> entry, UniqueFd fd)
      : entry_(std::move(entry)), fd_(std::move(fd)) {}

 private:
  const std::unique_ptr<TableEntry> entry_;  // released after the descriptor
  const UniqueFd fd_;                        // closing it releases the lock
};

std::string HolderOf(const UniqueFd& fd, const std::string& path) {
  char text[24];
  const Result<size_t> size = ReadAt(fd.get(), path, 0, sizeof(text), text);
  size_t digits = 0;
  while (size.ok() && digits < *size && text[digits] >= '0' && text[digits] <= '9') ++digits;
  return digits == 0 ? "another process" : "process " + std::string(text, digits);
}

// Best effort: the note is only for people.
void NoteHolder(const UniqueFd& fd, const std::string& path) {
  if (!TruncateTo(fd.get(), path, 0).ok()) return;
  (void)WriteAt(fd.get(), path, 0, std::to_string(::getpid()) + "\n").ok();
}

bool StillNamed(const std::string& path, const FileId& id) {
  struct stat now;
  return ::stat(path.c_str(), &now) == 0 && FileId(now.st_dev, now.st_ino) == id;
}

// One attempt. A null lock: the file was removed between opening and locking it, try again.
Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(UniqueFd fd, OpenFd(path, O_RDWR | O_CREAT));
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("lock", path, errno);
  const FileId id(info.st_dev, info.st_ino);

  auto entry = std::make_unique<TableEntry>(id);
  if (!entry->held()) {
    return Status::Busy("lock " + path + ": this process has it open already");
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 &&
      !VARVE_PLANTED_BUG("lock.of_another_process_ignored")) {
    const int error = errno;
    if (error != EWOULDBLOCK) return ErrnoStatus("lock", path, error);
    return Status::Busy("lock " + path + ": held by " + HolderOf(fd, path) +
                        "; is another process using it? Stop that one first");
  }
  if (!StillNamed(path, id)) return std::unique_ptr<FileLock>();
  NoteHolder(fd, path);
  return std::unique_ptr<FileLock>(new PosixFileLock(std::move(entry), std::move(fd)));
}

}  // namespace

Result<std::unique_ptr<FileLock>> LockPosixFile(const std::string& path) {
  constexpr int kAttempts = 16;
  for (int i = 0; i < kAttempts; ++i) {
    VARVE_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, TryLock(path));
    if (lock != nullptr) return lock;
  }
  return Status::Busy("lock " + path + ": the file is being removed again and again");
}

}  // namespace varve
