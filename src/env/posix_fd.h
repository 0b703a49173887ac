// A file descriptor and the loops that every call on one needs. For src/env only.
#ifndef VARVE_ENV_POSIX_FD_H_
#define VARVE_ENV_POSIX_FD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "varve/status.h"

namespace varve {

// Owns a descriptor. -1 is none. Thread-compatible.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  ~UniqueFd() { (void)Close(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Returns 0 or errno. Closing nothing is fine.
  int Close();

 private:
  int fd_;
};

// open(2) with O_CLOEXEC, repeated on EINTR. New files get mode 0644, less the umask.
Result<UniqueFd> OpenFd(const std::string& path, int flags);

// The functions below work on an open descriptor; `path` is for messages. They loop over EINTR and
// partial results.
Result<size_t> ReadAt(int fd, const std::string& path, uint64_t offset, size_t size, char* buffer);
Status WriteAt(int fd, const std::string& path, uint64_t offset, std::string_view data);
// `head` and `body`, one behind the other, in one call.
Status WriteTwoAt(int fd, const std::string& path, uint64_t offset, std::string_view head,
                  std::string_view body);
Result<uint64_t> SizeOf(int fd, const std::string& path);
// fallocate(2) that extends the file. kNotSupported when the file system has no such thing.
Status AllocateAt(int fd, const std::string& path, uint64_t offset, uint64_t size);
Status TruncateTo(int fd, const std::string& path, uint64_t size);
Status SyncData(int fd, const std::string& path);

}  // namespace varve

#endif  // VARVE_ENV_POSIX_FD_H_
