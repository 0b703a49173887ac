#include "env/posix_file.h"

#include <fcntl.h>

#include "env/posix_error.h"

namespace varve {

// Hints have no result: the file reads and writes the same without them.

void PosixRandomAccessFile::WillNeed(uint64_t offset, uint64_t size) const {
  (void)::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                        POSIX_FADV_WILLNEED);
}

void PosixRandomAccessFile::DontNeed(uint64_t offset, uint64_t size) const {
  (void)::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                        POSIX_FADV_DONTNEED);
}

void PosixWritableFile::ReserveBlocks(uint64_t offset, uint64_t size) {
  (void)::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(size));
}

void PosixWritableFile::StartWriteback(uint64_t offset, uint64_t size) {
  (void)::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                          SYNC_FILE_RANGE_WRITE);
}

Status PosixWritableFile::Close() {
  const int error = fd_.Close();
  return error == 0 ? Status::Ok() : ErrnoStatus("close", path_, error);
}

}  // namespace varve
