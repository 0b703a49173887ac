// A log's tail as shared memory. See MappedFile in env.h.
//
// A store into a shared mapping cannot return an error: when the file system finds no block for it,
// the process gets SIGBUS. So every block is allocated, and every page faulted in writable, before
// the first store (Populate), by calls that do return errors; and files are mapped only on file
// systems that rewrite allocated blocks in place. A copy-on-write one would need a new block for
// every store.
#ifndef VARVE_ENV_POSIX_MAPPED_FILE_H_
#define VARVE_ENV_POSIX_MAPPED_FILE_H_

#include <memory>
#include <string>

#include "base/mutex.h"
#include "env/env.h"
#include "env/posix_fd.h"

namespace varve {

class PosixMappedFile final : public MappedFile {
 public:
  // Opens or creates `path` and maps `capacity` bytes of it. What a failure created is removed
  // again.
  static Result<std::unique_ptr<MappedFile>> Open(const std::string& path, uint64_t capacity);

  ~PosixMappedFile() override { (void)Close(kKeepSize); }

  char* data() override { return data_; }
  uint64_t capacity() const override { return capacity_; }
  Status Populate(uint64_t offset, uint64_t size) override;
  Status Sync() override { return SyncData(fd_.get(), path_); }
  Status Close(uint64_t final_size) override;

 private:
  PosixMappedFile(UniqueFd fd, std::string path, char* data, uint64_t capacity, uint64_t allocated)
      : path_(std::move(path)),
        capacity_(capacity),
        fd_(std::move(fd)),
        data_(data),
        allocated_(allocated) {}

  // Allocates what of [begin, end) is not known to be.
  Status AllocateBlocks(uint64_t begin, uint64_t end) VARVE_EXCLUDES(mu_);

  const std::string path_;
  const uint64_t capacity_;
  UniqueFd fd_;
  char* data_;

  Mutex mu_;
  uint64_t allocated_ VARVE_GUARDED_BY(mu_);  // [0, allocated_) has blocks
};

// Whether allocated blocks of files of this statfs f_type stay writable in place.
bool OverwritesInPlace(uint64_t file_system_type);

// Makes the pages of [begin, begin + bytes) present and writable by writing to each without
// changing it, safely against concurrent stores: what kernels before 5.14 leave of
// MADV_POPULATE_WRITE. REQUIRES: blocks are allocated.
void TouchPages(char* begin, uint64_t bytes);

}  // namespace varve

#endif  // VARVE_ENV_POSIX_MAPPED_FILE_H_
