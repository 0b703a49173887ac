#include "env/posix_mapped_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "env/posix_error.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace varve {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kXfsMagic = 0x58465342;  // absent from linux/magic.h of older headers

uint64_t RoundDown(uint64_t n) { return n / kPageBytes * kPageBytes; }
uint64_t RoundUp(uint64_t n) { return RoundDown(n + kPageBytes - 1); }

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// kNotSupported unless files in `directory` may be mapped.
Status CheckFileSystem(const std::string& directory, const std::string& path) {
  struct statfs info;
  if (::statfs(directory.c_str(), &info) != 0) return ErrnoStatus("map", path, errno);
  if (OverwritesInPlace(static_cast<uint64_t>(info.f_type))) return Status::Ok();
  return Status::NotSupported("map " + path + ": this file system may move allocated blocks");
}

// Finds out whether fallocate works here: one magic number stands for ext2, ext3 and ext4.
Status CheckAllocates(const UniqueFd& fd, const std::string& path, uint64_t size) {
  if (size > 0) return Status::Ok();  // the first Populate beyond `size` will tell
  if (::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, kPageBytes) == 0) return Status::Ok();
  const int error = errno;
  if (error == EOPNOTSUPP || error == ENOSYS) {
    return Status::NotSupported("map " + path + ": this file system cannot allocate blocks");
  }
  return ErrnoStatus("map", path, error);
}

// Bytes at the start of the file that are known to have blocks. A file that was written in full has
// no hole; one that was only allocated may report holes, and allocating it again is harmless.
uint64_t PrefixWithBlocks(const UniqueFd& fd, uint64_t size) {
  if (size == 0) return 0;
  const off_t hole = ::lseek(fd.get(), 0, SEEK_HOLE);
  return hole < 0 ? 0 : std::min(RoundDown(static_cast<uint64_t>(hole)), size);
}

}  // namespace

bool OverwritesInPlace(uint64_t file_system_type) {
  return file_system_type == EXT4_SUPER_MAGIC || file_system_type == kXfsMagic ||
         file_system_type == TMPFS_MAGIC;
}

void TouchPages(char* begin, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes; i += kPageBytes) {
    __atomic_fetch_or(begin + i, 0, __ATOMIC_RELAXED);
  }
}

Result<std::unique_ptr<MappedFile>> PosixMappedFile::Open(const std::string& path,
                                                          uint64_t capacity) {
  VARVE_CHECK(capacity > 0 && capacity % kPageBytes == 0);
  const bool existed = ::access(path.c_str(), F_OK) == 0;
  VARVE_RETURN_IF_ERROR(CheckFileSystem(existed ? path : ParentOf(path), path));
  VARVE_ASSIGN_OR_RETURN(UniqueFd fd, OpenFd(path, O_RDWR | O_CREAT));
  VARVE_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(fd.get(), path));

  Status status = CheckAllocates(fd, path, size);
  void* data = MAP_FAILED;
  if (status.ok()) {
    data = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (data == MAP_FAILED) status = ErrnoStatus("map", path, errno);
  }
  if (!status.ok()) {
    if (!existed) (void)::unlink(path.c_str());
    return status;
  }
  const uint64_t allocated = PrefixWithBlocks(fd, size);
  return std::unique_ptr<MappedFile>(
      new PosixMappedFile(std::move(fd), path, static_cast<char*>(data), capacity, allocated));
}

Status PosixMappedFile::Populate(uint64_t offset, uint64_t size) {
  VARVE_CHECK(data_ != nullptr && offset <= capacity_ && size <= capacity_ - offset);
  if (size == 0) return Status::Ok();
  const uint64_t begin = RoundDown(offset);
  const uint64_t end = RoundUp(offset + size);
  VARVE_RETURN_IF_ERROR(AllocateBlocks(begin, end));

  int result;
  do {
    result = ::madvise(data_ + begin, end - begin, MADV_POPULATE_WRITE);
  } while (result != 0 && (errno == EINTR || errno == EAGAIN));
  if (result == 0) return Status::Ok();
  const int error = errno;
  if (error == EINVAL) {
    TouchPages(data_ + begin, end - begin);
    return Status::Ok();
  }
  // EFAULT says that a store would have raised SIGBUS: the device failed, or blocks that were
  // allocated are shared with another file and there was no space to part them.
  return ErrnoStatusAt("populate", path_, offset, error == EFAULT ? EIO : error);
}

Status PosixMappedFile::AllocateBlocks(uint64_t begin, uint64_t end) {
  MutexLock lock(&mu_);
  if (end <= allocated_ || VARVE_PLANTED_BUG("mapped.blocks_not_allocated")) return Status::Ok();
  const uint64_t from = std::max(begin, allocated_);
  VARVE_RETURN_IF_ERROR(AllocateAt(fd_.get(), path_, from, end - from));
  if (from == allocated_) allocated_ = end;
  return Status::Ok();
}

Status PosixMappedFile::Close(uint64_t final_size) {
  if (data_ == nullptr) return Status::Ok();
  Status status;
  if (::munmap(std::exchange(data_, nullptr), capacity_) != 0) {
    status = ErrnoStatus("unmap", path_, errno);
  }
  if (status.ok() && final_size != kKeepSize) status = TruncateTo(fd_.get(), path_, final_size);
  const int error = fd_.Close();
  if (status.ok() && error != 0) status = ErrnoStatus("close", path_, error);
  return status;
}

}  // namespace varve
