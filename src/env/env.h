// The outside world as interfaces: files, directories, mapped logs, clock, threads, randomness.
//
// No other layer makes a system call. There are two implementations: PosixEnv (posix_env.h), and
// CrashEnv (crash_env.h) which lives in memory, keeps what was synced apart from what was not,
// fails calls on request and can be cloned as it would look after a power cut.
//
// What the engine may assume of a file system (docs/media_assumptions.md):
//  - bytes written are visible to later reads at once, and survive the end of the process;
//  - they survive loss of power only after Sync() of the file, and a new, renamed or removed name
//    only after SyncDir() of its directory;
//  - what was not synced may be lost, kept or torn per 512-byte sector, in any combination;
//  - after a failed Sync() the state of unsynced bytes is unknown for ever: never retry.
#ifndef VARVE_ENV_ENV_H_
#define VARVE_ENV_ENV_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve {

// A file opened for reading at any offset. Thread-safe.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  // Reads up to `size` bytes at `offset` into `buffer` and returns how many; fewer only at the end
  // of the file. EINTR and short reads are handled inside.
  virtual Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const = 0;
  virtual Result<uint64_t> Size() const = 0;
  // Hints that [offset, offset+size) will be read soon, or is not worth caching any more.
  virtual void WillNeed(uint64_t offset, uint64_t size) const = 0;
  virtual void DontNeed(uint64_t offset, uint64_t size) const = 0;
  // What the operating system calls the open file; -1 when it does not know it. For src/env.
  virtual int descriptor() const { return -1; }
};

// A file opened for writing at any offset (and reading back). Thread-safe for disjoint ranges; Sync
// covers every write that returned before it was called.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  // Writes all of `data` at `offset`, or fails; after a failure any part may have been written.
  virtual Status Write(uint64_t offset, std::string_view data) = 0;
  // Writes `head` and right behind it `body`, as if they were one; in one system call where there is
  // such a call.
  virtual Status WriteTwo(uint64_t offset, std::string_view head, std::string_view body) {
    Status status = Write(offset, head);
    return status.ok() ? Write(offset + head.size(), body) : status;
  }
  virtual Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const = 0;
  virtual Result<uint64_t> Size() const = 0;
  // Reserves real blocks for [offset, offset+size) and extends the file, so that later writes there
  // cannot meet a full disk. kNotSupported when the file system cannot promise that.
  virtual Status Allocate(uint64_t offset, uint64_t size) = 0;
  // Keeps blocks for [offset, offset+size) ready without extending the file, so that writing there needs
  // no search for them. A hint. Truncate gives back those beyond its size.
  virtual void ReserveBlocks(uint64_t /*offset*/, uint64_t /*size*/) {}
  virtual Status Truncate(uint64_t size) = 0;
  // fdatasync: content and the metadata needed to read it back.
  virtual Status Sync() = 0;
  // Starts writing dirty pages of the range to the device without waiting. A hint.
  virtual void StartWriteback(uint64_t offset, uint64_t size) = 0;
  // Closing reports errors that only show then. Idempotent; the destructor calls it.
  virtual Status Close() = 0;
};

// A file mapped shared and writable, for the log's tail. A store into data() survives the end of
// the process. The caller stores only into [0, ready) where `ready` has been reached by Populate.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  virtual char* data() = 0;
  virtual uint64_t capacity() const = 0;  // bytes of address space; the file may be shorter
  // Allocates blocks for [offset, offset+size), within the capacity, and faults the pages in
  // writable, so that stores there neither fault nor meet a full disk. The file then reaches at
  // least to the end of the last page touched. Cheap where blocks exist, as in a file used before,
  // yet needed: nothing may be stored where this mapping was not populated. Thread-safe, also
  // against stores. kIoError when out of space.
  virtual Status Populate(uint64_t offset, uint64_t size) = 0;
  // Makes stores that happened before survive loss of power.
  virtual Status Sync() = 0;
  // Unmaps, optionally cutting the file to `final_size` bytes (kKeepSize: as it is). Idempotent:
  // only the first call does anything. The destructor calls it with kKeepSize.
  static constexpr uint64_t kKeepSize = ~uint64_t{0};
  virtual Status Close(uint64_t final_size) = 0;
};

// Held while a store is open. Released by the destructor, and by the end of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back; starts anywhere. For waiting and measuring. Nanoseconds.
  virtual uint64_t MonotonicNanos() const = 0;
  // Milliseconds since 1970-01-01 UTC; may jump. For deadlines that outlive the process.
  virtual uint64_t WallMillis() const = 0;
  virtual void SleepNanos(uint64_t nanos) = 0;
};

// A running thread; the destructor joins.
class Thread {
 public:
  virtual ~Thread() = default;
};

class AsyncReader;

// Thread-safe.
class Env {
 public:
  virtual ~Env() = default;
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  // The operating system's. Lives for ever.
  static Env* Default();

  // --- Files. Paths use '/'. kNotFound when missing; messages name the path and the operation.
  virtual Result<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(const std::string& path) = 0;
  // kCreateNew is kIoError when the file exists.
  enum class OpenMode { kCreateNew, kOpenExisting, kCreateOrTruncate };
  virtual Result<std::unique_ptr<WritableFile>> OpenWritable(const std::string& path,
                                                             OpenMode mode) = 0;
  // Maps `capacity` bytes, a positive multiple of 4096, of the file `path` (created when missing;
  // its present content is kept, and readable in data() as far as the file goes). kNotSupported
  // where the file system cannot promise that allocated blocks stay writable; then nothing was
  // created. REQUIRES: until Close, nobody else maps, writes, extends or cuts the file. Reading it
  // is fine.
  virtual Result<std::unique_ptr<MappedFile>> OpenMapped(const std::string& path,
                                                         uint64_t capacity) = 0;
  // The name goes at once, the blocks when nobody has the file open any more.
  virtual Status RemoveFile(const std::string& path) = 0;
  // Atomic, also under loss of power; replaces `to`.
  virtual Status RenameFile(const std::string& from, const std::string& to) = 0;
  // kIoError when `to` exists; kNotSupported across file systems, and on those without hard links.
  virtual Status LinkFile(const std::string& from, const std::string& to) = 0;
  virtual bool FileExists(const std::string& path) = 0;
  virtual Result<uint64_t> FileSize(const std::string& path) = 0;

  // --- Directories.
  // Names (not paths) in `dir`, in no order, without "." and "..".
  virtual Result<std::vector<std::string>> ListDir(const std::string& dir) = 0;
  // Creates `dir`, not its parents. OK when it exists.
  virtual Status CreateDir(const std::string& dir) = 0;
  virtual Status RemoveDir(const std::string& dir) = 0;
  // Makes creations, renames and removals in `dir` survive loss of power.
  virtual Status SyncDir(const std::string& dir) = 0;
  // Exclusive among processes and within this one; creates the file when missing. kBusy when held,
  // with a message that says by whom, as far as it is known.
  virtual Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) = 0;
  // Bytes that may still be written in the file system of `path`.
  virtual Result<uint64_t> FreeSpace(const std::string& path) = 0;

  // --- Clock, threads, randomness, memory.
  virtual Clock* clock() = 0;
  // `name` shows in ps and debuggers (its first 15 bytes). nullptr when the system refuses.
  virtual std::unique_ptr<Thread> StartThread(const std::string& name,
                                              std::function<void()> body) = 0;
  // From now on the calling thread gets a processor mostly when no other thread wants it. A hint, which
  // cannot be taken back.
  virtual void LowerPriorityOfThisThread() {}
  // Reads without waiting threads (async_reader.h). nullptr when there is no such way.
  virtual std::unique_ptr<AsyncReader> NewAsyncReader();
  // Unpredictable bits, for salts and seeds.
  virtual uint64_t RandomSeed() = 0;
  // Zeroed memory in large pages where the system has them; `bytes` a multiple of 2 MiB. nullptr
  // when out of memory.
  virtual void* AllocateHuge(size_t bytes) = 0;
  virtual void FreeHuge(void* memory, size_t bytes) = 0;

 protected:
  Env() = default;
};

// Whether `status` says that the disk, or the quota, is full.
bool IsNoSpace(const Status& status);

// "dir/name".
std::string JoinPath(std::string_view dir, std::string_view name);

}  // namespace varve

#endif  // VARVE_ENV_ENV_H_
