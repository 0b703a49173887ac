// LogFile: one write-ahead log file being written. Bytes are placed by its user (commit_queue.h); this
// class knows how they reach the file.
//
//   mapped   Reserve returns an address inside the mapped file: what is stored there survives the end
//            of the process at once, without a system call. The default durability uses it.
//   written  Reserve returns an address in a buffer, which WriteOut hands to pwrite. For stores that
//            sync every write, and for file systems where a mapped tail would not be safe.
// docs/design/0001-log-tail.md has the measurements.
//
// Either way the file's blocks are allocated before they are needed, so that a full disk shows as an
// error of Reserve, before anything is changed, and never as a signal or a half-written record.
#ifndef VARVE_ENGINE_LOG_FILE_H_
#define VARVE_ENGINE_LOG_FILE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "engine/directory_sync.h"
#include "env/env.h"

namespace varve {

struct LogFileOptions {
  bool mapped = true;
  uint64_t capacity_bytes = 0;  // no record may end beyond
  uint64_t window_bytes = 0;    // allocation step
  // Written logs: fills what is allocated with zeros. A sync of bytes over zeros that are on the device
  // writes only them; over blocks that were only allocated it writes the file's block map, too.
  bool write_zeros = false;
  DirectorySync* directory = nullptr;  // of the file. Borrowed
};

// Reserve, Advance, TakePending: one thread at a time (the commit lock). The others: thread-safe.
class LogFile {
 public:
  // Creates `path`, or continues with the blocks of the file that is there (a recycled log). Falls back
  // from mapped to written where the file system cannot promise safe mapping.
  static Result<std::unique_ptr<LogFile>> Open(Env* env, const std::string& path, uint64_t number,
                                               const LogFileOptions& options);
  // Opens a log to be continued at `end`, which must be the end of its last record with nothing of a
  // torn one behind it.
  static Result<std::unique_ptr<LogFile>> Continue(Env* env, const std::string& path, uint64_t number,
                                                   const LogFileOptions& options, uint64_t end);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  uint64_t number() const { return number_; }
  const std::string& path() const { return path_; }
  bool is_mapped() const { return mapped_ != nullptr; }
  uint64_t end() const { return end_.load(std::memory_order_acquire); }
  uint64_t capacity() const { return options_.capacity_bytes; }
  uint64_t synced_end() const { return synced_end_.load(std::memory_order_acquire); }

  // Where `size` bytes at the end of the log are to be stored. Valid until the next call of Reserve or
  // TakePending. kIoError when the disk is full: nothing has changed, a later call may succeed.
  // A part of what is allocated is kept back for callers with `use_reserve` (deletes), so that a full disk
  // can be left by deleting.
  // REQUIRES: end() + size <= capacity().
  Result<char*> Reserve(size_t size, bool use_reserve);
  // The `size` bytes reserved last are complete.
  void Advance(size_t size);

  // The bytes that have not been written yet, for WriteOut. Empty for a mapped log.
  struct Pending {
    std::string bytes;
    uint64_t offset = 0;
    uint64_t end = 0;
  };
  Pending TakePending();
  // Hands `pending` to the operating system. One caller at a time, in the order of TakePending.
  Status WriteOut(const Pending& pending);
  // Makes everything before `end` (which was written out) survive loss of power, and so the file's name.
  Status Sync(uint64_t end);

  // Allocates the next window if the writer is close to the end of the allocated part. For a helper
  // thread. False when it failed; what is wrong is left for Reserve to find.
  bool PrepareAhead();
  bool NeedsPreparing() const;

  // Cuts the file to what is used. Nothing may be appended after. Idempotent.
  Status Close();
  // Closes, keeping the file at its full size for reuse.
  Status CloseForReuse();

 private:
  LogFile(std::string path, uint64_t number, const LogFileOptions& options)
      : path_(std::move(path)), number_(number), options_(options) {}

  uint64_t reserve_bytes() const;
  Status AllocateUpTo(uint64_t end) VARVE_EXCLUDES(allocate_mu_);
  Status AllocateWindow(uint64_t from, uint64_t size);
  Status WriteZeros(uint64_t from, uint64_t end);
  Status CloseFile(uint64_t final_size) VARVE_EXCLUDES(io_mu_, allocate_mu_);

  const std::string path_;
  const uint64_t number_;
  const LogFileOptions options_;
  // Taken before allocate_mu_.
  Mutex io_mu_;  // orders WriteOut and Sync before closing
  std::unique_ptr<MappedFile> mapped_;     // one of the two
  std::unique_ptr<WritableFile> written_;

  Mutex allocate_mu_;
  std::atomic<uint64_t> allocated_{0};
  std::atomic<uint64_t> end_{0};
  std::atomic<uint64_t> synced_end_{0};
  std::atomic<bool> name_is_synced_{false};
  bool closed_ VARVE_GUARDED_BY(io_mu_) = false;

  std::string pending_;          // written mode: bytes from pending_offset_ to end_
  uint64_t pending_offset_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_LOG_FILE_H_
