#include "env/posix_env.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/status_macros.h"
#include "env/async_reader.h"
#include "env/posix_error.h"
#include "env/posix_fd.h"
#include "env/posix_file.h"
#include "env/posix_lock.h"
#include "env/posix_mapped_file.h"

namespace varve {
namespace {

constexpr mode_t kDirMode = 0755;

int OpenFlags(Env::OpenMode mode) {
  switch (mode) {
    case Env::OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
    case Env::OpenMode::kOpenExisting:
      return O_RDWR;
    case Env::OpenMode::kCreateOrTruncate:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDWR;
}

Status FromCall(int result, std::string_view operation, const std::string& path) {
  return result == 0 ? Status::Ok() : ErrnoStatus(operation, path, errno);
}

// A message about an operation on two names.
std::string Pair(const std::string& from, const std::string& to) { return from + " to " + to; }

struct CloseDir {
  void operator()(DIR* dir) const { (void)::closedir(dir); }
};

}  // namespace

Result<std::unique_ptr<RandomAccessFile>> PosixEnv::OpenRandomAccess(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(UniqueFd fd, OpenFd(path, O_RDONLY));
  return std::unique_ptr<RandomAccessFile>(new PosixRandomAccessFile(std::move(fd), path));
}

Result<std::unique_ptr<WritableFile>> PosixEnv::OpenWritable(const std::string& path,
                                                             OpenMode mode) {
  VARVE_ASSIGN_OR_RETURN(UniqueFd fd, OpenFd(path, OpenFlags(mode)));
  return std::unique_ptr<WritableFile>(new PosixWritableFile(std::move(fd), path));
}

Result<std::unique_ptr<MappedFile>> PosixEnv::OpenMapped(const std::string& path,
                                                         uint64_t capacity) {
  return PosixMappedFile::Open(path, capacity);
}

Status PosixEnv::RemoveFile(const std::string& path) {
  return FromCall(::unlink(path.c_str()), "remove", path);
}

Status PosixEnv::RenameFile(const std::string& from, const std::string& to) {
  return FromCall(::rename(from.c_str(), to.c_str()), "rename", Pair(from, to));
}

Status PosixEnv::LinkFile(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return Status::Ok();
  const int error = errno;
  Status status = ErrnoStatus("link", Pair(from, to), error);
  if (error != EXDEV && error != EPERM && error != EOPNOTSUPP) return status;
  return Status::NotSupported(std::string(status.message()));
}

bool PosixEnv::FileExists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<uint64_t> PosixEnv::FileSize(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return ErrnoStatus("stat", path, errno);
  return static_cast<uint64_t>(info.st_size);
}

Result<std::vector<std::string>> PosixEnv::ListDir(const std::string& dir) {
  const std::unique_ptr<DIR, CloseDir> handle(::opendir(dir.c_str()));
  if (handle == nullptr) return ErrnoStatus("list", dir, errno);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const struct dirent* const entry = ::readdir(handle.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrnoStatus("list", dir, errno);
  return names;
}

Status PosixEnv::CreateDir(const std::string& dir) {
  if (::mkdir(dir.c_str(), kDirMode) == 0) return Status::Ok();
  const int error = errno;
  struct stat info;
  if (error == EEXIST && ::stat(dir.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return Status::Ok();
  }
  return ErrnoStatus("create directory", dir, error);
}

Status PosixEnv::RemoveDir(const std::string& dir) {
  return FromCall(::rmdir(dir.c_str()), "remove directory", dir);
}

Status PosixEnv::SyncDir(const std::string& dir) {
  VARVE_ASSIGN_OR_RETURN(const UniqueFd fd, OpenFd(dir, O_RDONLY | O_DIRECTORY));
  return FromCall(::fsync(fd.get()), "sync directory", dir);
}

Result<std::unique_ptr<FileLock>> PosixEnv::LockFile(const std::string& path) {
  return LockPosixFile(path);
}

std::unique_ptr<AsyncReader> PosixEnv::NewAsyncReader() { return NewUringReader(this); }

Result<uint64_t> PosixEnv::FreeSpace(const std::string& path) {
  struct statvfs info;
  if (::statvfs(path.c_str(), &info) != 0) return ErrnoStatus("free space of", path, errno);
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace varve
