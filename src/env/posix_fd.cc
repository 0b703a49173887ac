#include "env/posix_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "env/posix_error.h"

namespace varve {
namespace {

constexpr mode_t kFileMode = 0644;

// Calls `call` until it does something else than fail with EINTR.
template <typename Call>
auto RetryInterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

int UniqueFd::Close() {
  if (fd_ < 0) return 0;
  // Linux frees the descriptor even when close fails with EINTR: repeating could close another's.
  const int result = ::close(std::exchange(fd_, -1));
  return result == 0 || errno == EINTR ? 0 : errno;
}

Result<UniqueFd> OpenFd(const std::string& path, int flags) {
  const int fd =
      RetryInterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); });
  if (fd < 0) return ErrnoStatus("open", path, errno);
  return UniqueFd(fd);
}

Result<size_t> ReadAt(int fd, const std::string& path, uint64_t offset, size_t size, char* buffer) {
  size_t done = 0;
  while (done < size) {
    const ssize_t n = RetryInterrupted(
        [&] { return ::pread(fd, buffer + done, size - done, static_cast<off_t>(offset + done)); });
    if (n < 0) return ErrnoStatusAt("read", path, offset + done, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

Status WriteAt(int fd, const std::string& path, uint64_t offset, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = RetryInterrupted(
        [&] { return ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)); });
    if (n < 0) return ErrnoStatusAt("write", path, offset, errno);
    // A write that takes nothing and reports nothing would loop for ever.
    if (n == 0) return ErrnoStatusAt("write", path, offset, EIO);
    data.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return Status::Ok();
}

Status WriteTwoAt(int fd, const std::string& path, uint64_t offset, std::string_view head,
                  std::string_view body) {
  const struct iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                                 {const_cast<char*>(body.data()), body.size()}};
  const ssize_t n =
      RetryInterrupted([&] { return ::pwritev(fd, parts, 2, static_cast<off_t>(offset)); });
  if (n < 0) return ErrnoStatusAt("write", path, offset, errno);
  // What is left after a short write goes the plain way.
  const size_t done = static_cast<size_t>(n);
  const size_t of_head = std::min(done, head.size());
  head.remove_prefix(of_head);
  body.remove_prefix(done - of_head);
  const Status status = WriteAt(fd, path, offset + of_head, head);
  return status.ok() ? WriteAt(fd, path, offset + done + head.size(), body) : status;
}

Result<uint64_t> SizeOf(int fd, const std::string& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoStatus("stat", path, errno);
  return static_cast<uint64_t>(info.st_size);
}

Status AllocateAt(int fd, const std::string& path, uint64_t offset, uint64_t size) {
  if (size == 0) return Status::Ok();
  // fallocate and not posix_fallocate: the latter falls back to writing zeros, which promises
  // nothing on a copy-on-write file system.
  const int result = RetryInterrupted(
      [&] { return ::fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(size)); });
  if (result == 0) return Status::Ok();
  const int error = errno;
  const Status status = ErrnoStatusAt("allocate", path, offset, error);
  if (error == EOPNOTSUPP || error == ENOSYS) {
    return Status::NotSupported(std::string(status.message()));
  }
  return status;
}

Status TruncateTo(int fd, const std::string& path, uint64_t size) {
  if (RetryInterrupted([&] { return ::ftruncate(fd, static_cast<off_t>(size)); }) != 0) {
    return ErrnoStatusAt("truncate", path, size, errno);
  }
  return Status::Ok();
}

Status SyncData(int fd, const std::string& path) {
  // Repeating after EINTR is safe: fdatasync was interrupted before it consumed any error.
  if (RetryInterrupted([&] { return ::fdatasync(fd); }) != 0) {
    return ErrnoStatus("sync", path, errno);
  }
  return Status::Ok();
}

}  // namespace varve
