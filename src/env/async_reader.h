// AsyncReader: reads files without a waiting thread for each read. Env::NewAsyncReader makes the one of
// the operating system, if it has one; NewThreadedReader works anywhere.
#ifndef VARVE_ENV_ASYNC_READER_H_
#define VARVE_ENV_ASYNC_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "env/env.h"

namespace varve {

class WorkerPool;

// One read. Belongs to who submits it, and lives until Done is called.
class AsyncRead {
 public:
  AsyncRead(const RandomAccessFile* file, uint64_t offset, size_t size)
      : file_(file), offset_(offset), size_(size) {}
  AsyncRead(const AsyncRead&) = delete;
  AsyncRead& operator=(const AsyncRead&) = delete;

  const RandomAccessFile* file() const { return file_; }
  uint64_t offset() const { return offset_; }
  size_t size() const { return size_; }

  // The read is about to begin: returns `size` bytes for it, or nullptr if it is not wanted any more. In a
  // thread of the reader.
  virtual char* Begin() = 0;
  // The read has ended as RandomAccessFile::Read does, or with kAborted if it was not wanted. In a thread of
  // the reader, once; the reader does not touch the read afterwards. May submit other reads.
  virtual void Done(Result<size_t> got) = 0;

 protected:
  ~AsyncRead() = default;

 private:
  const RandomAccessFile* const file_;
  const uint64_t offset_;
  const size_t size_;
};

// Thread-safe.
class AsyncReader {
 public:
  // REQUIRES: every Done has been called and has returned, or is about to; not called by one.
  virtual ~AsyncReader() = default;
  // Begins the reads, in their order as far as it can. Any number may be under way.
  virtual void Submit(std::span<AsyncRead* const> reads) = 0;
  // "io_uring" or "threads".
  virtual std::string_view name() const = 0;
};

// Reads in the threads of `pool`, which outlives it.
std::unique_ptr<AsyncReader> NewThreadedReader(WorkerPool* pool);

// Reads by io_uring, with one thread of `env`. nullptr where the kernel has none, or does not let us.
std::unique_ptr<AsyncReader> NewUringReader(Env* env);

}  // namespace varve

#endif  // VARVE_ENV_ASYNC_READER_H_
