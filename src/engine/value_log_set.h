// ValueLogSet: the value-log files of a store: appends large values, reads them back through the block
// cache, and knows which files still matter.
//
// A value at or above the separation threshold is written here once, by the thread that puts it, before
// its pointer goes into the write-ahead log. From then on only the pointer moves. Files whose values
// have mostly died are emptied by compaction, which appends the live rest again (compaction_job.h).
#ifndef VARVE_ENGINE_VALUE_LOG_SET_H_
#define VARVE_ENGINE_VALUE_LOG_SET_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/segment_reader.h"
#include "format/value_pointer.h"
#include "varve/pinned_value.h"

namespace varve {

// The start of a value's record names its place in the cache: no two may start in one unit.
inline constexpr uint64_t kValueLogCacheUnit = 4096;

// One file. Thread-safe. The last reference removes the file when it has been marked obsolete.
class ValueLogFile final : public BlockSource {
 public:
  ValueLogFile(ReaderContext* context, uint64_t number, uint64_t max_start_offset);
  ~ValueLogFile() override;
  ValueLogFile(const ValueLogFile&) = delete;
  ValueLogFile& operator=(const ValueLogFile&) = delete;

  uint64_t number() const { return number_; }
  std::string path() const;
  uint64_t bytes() const { return end_.load(std::memory_order_relaxed); }

  // The value that `pointer` leads to; pinned in the cache. kCorruption when it is damaged.
  Result<PinnedValue> Read(const ValuePointer& pointer);
  Status Install(const MissingBlock& block, const Result<size_t>& got, const char* data,
                 CachedBlock* loaded) override;
  // The same past the cache, the whole record into `*buffer`; the view points there.
  Result<std::string_view> ReadInto(const ValuePointer& pointer, std::string* buffer);

  // Whether `pointer` leads to a whole record of `key`. With `reads_device`, past what the system holds of the
  // file. kCorruption when not.
  Status Check(std::string_view key, const ValuePointer& pointer, std::string* buffer,
               bool reads_device);

  void MarkObsolete() { is_obsolete_.store(true, std::memory_order_relaxed); }
  bool is_dirty() const { return is_dirty_.load(std::memory_order_relaxed); }
  // What an earlier process has written from `offset` on may not be durable.
  void MarkDirtyFrom(uint64_t offset) {
    rewrite_from_.store(std::min(offset, rewrite_from_.load(std::memory_order_relaxed)),
                        std::memory_order_relaxed);
    is_dirty_.store(true, std::memory_order_relaxed);
    name_is_dirty_.store(true, std::memory_order_relaxed);
  }

 private:
  friend class ValueLogSet;
  friend class ValueLogHold;
  Status EnsureOpen() VARVE_EXCLUDES(mu_);
  // Verifies the record in `frame`, of which `got` bytes were read, and puts it in the cache; or lets go of
  // it. REQUIRES: an EpochGuard.
  Status Adopt(const ValuePointer& pointer, size_t index, const Result<size_t>& got, Frame* frame,
               CachedBlock* loaded);
  // Keeps blocks ready beyond `end`, in steps that grow with the file, up to `limit`.
  void ReserveAhead(uint64_t end, uint64_t limit);
  // Gives back blocks that were kept ready. REQUIRES: nobody appends any more.
  void GiveBackReserve();

  ReaderContext* const context_;
  const uint64_t number_;
  const uint64_t max_start_offset_;
  std::atomic<uint64_t> end_{0};
  std::atomic<uint64_t> reserved_end_{0};
  std::atomic<uint64_t> rewrite_from_{~uint64_t{0}};
  std::atomic<bool> is_dirty_{false};       // has bytes that were not synced
  std::atomic<bool> name_is_dirty_{false};  // the directory entry was not synced
  std::atomic<bool> is_obsolete_{false};
  std::atomic<bool> is_open_{false};
  std::atomic<uint32_t> holds_{0};
  std::atomic<uint32_t> writing_{0};  // appends under way
  Mutex mu_;
  std::unique_ptr<RandomAccessFile> reader_;  // set once under mu_, then constant
  std::unique_ptr<WritableFile> writer_;      // only in files of this process
  std::unique_ptr<BlockSlots> slots_;
};

// Keeps a file from being removed although no entry points into it yet. Movable, not copyable.
class ValueLogHold {
 public:
  ValueLogHold() = default;
  // REQUIRES: file->holds_ was raised for it.
  explicit ValueLogHold(std::shared_ptr<ValueLogFile> file) : file_(std::move(file)) {}
  ValueLogHold(ValueLogHold&&) = default;
  ValueLogHold& operator=(ValueLogHold&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~ValueLogHold();

 private:
  std::shared_ptr<ValueLogFile> file_;
};

struct AppendedValue {
  ValuePointer where;
  ValueLogHold hold;  // to be kept until an entry with the pointer is in a memtable or in the version
};

// Thread-safe.
class ValueLogSet {
 public:
  // Files are begun anew when they reach `file_bytes`. `next_file_number` gives out numbers.
  ValueLogSet(ReaderContext* context, uint64_t file_bytes, std::function<uint64_t()> next_file_number)
      : context_(context), file_bytes_(file_bytes), next_file_number_(std::move(next_file_number)) {}

  // Appends key and value and returns where. Runs in the caller's thread, concurrently with others.
  // kIoError when the disk is full: nothing refers to what was written.
  Result<AppendedValue> Append(std::string_view key, std::string_view value);

  // Makes every value appended so far survive loss of power. After a failure every further call fails:
  // a sync that is tried again may succeed without the bytes having reached the device.
  Status Sync();
  bool has_failed() const { return has_failed_.load(std::memory_order_acquire); }

  // How far `file` has come. Settled: what is in it will not change, so that more can only come behind it.
  struct Extent {
    uint64_t bytes = 0;
    bool is_active = false;
    bool is_settled = false;
  };
  Extent ExtentOf(const ValueLogFile& file);

  // An existing file, found when the store was opened.
  void AddExisting(uint64_t number, uint64_t bytes);
  // Also a removed file, while somebody still holds it.
  std::shared_ptr<ValueLogFile> Find(uint64_t number);
  std::vector<std::shared_ptr<ValueLogFile>> Files();
  // Files that are not being appended to and that nobody holds (ValueLogHold). A file with
  // neither references in segments nor in memory may be removed then.
  std::vector<std::shared_ptr<ValueLogFile>> UnusedFiles();
  // Files that are being appended to.
  std::vector<std::shared_ptr<ValueLogFile>> ActiveFiles();
  bool IsActive(uint64_t number);
  // Ends an active file, so that it can be emptied. Nothing happens when it is not active.
  void Seal(uint64_t number);
  // Forgets `number`; its last reader removes the file.
  void Remove(uint64_t number);
  // Forgets `number`, or everything, and leaves the files alone.
  void Forget(uint64_t number);
  void Release();

  uint64_t appended_bytes() const { return appended_bytes_.load(std::memory_order_relaxed); }

 private:
  // Two writers at once get two files: the kernel lets one thread at a time write to a file. One writer
  // alone stays with one file.
  static constexpr size_t kLanes = 2;

  // noexcept: a file that is active without being in files_ would never be synced.
  Result<std::shared_ptr<ValueLogFile>> ActiveFor(uint64_t record_bytes, uint64_t* offset) noexcept;
  size_t IdlestLane() const VARVE_REQUIRES(mu_);
  bool IsActiveLocked(const ValueLogFile* file) const VARVE_REQUIRES(mu_);
  Result<std::shared_ptr<ValueLogFile>> Create();
  Status SyncFile(const ValueLogFile& file);
  Status SyncDirty();
  // Takes `number` out of files_; nullptr when it is not there.
  std::shared_ptr<ValueLogFile> Take(uint64_t number) VARVE_REQUIRES(mu_);

  ReaderContext* const context_;
  const uint64_t file_bytes_;
  const std::function<uint64_t()> next_file_number_;
  std::atomic<uint64_t> appended_bytes_{0};

  Mutex mu_;
  std::map<uint64_t, std::shared_ptr<ValueLogFile>> files_ VARVE_GUARDED_BY(mu_);
  std::map<uint64_t, std::weak_ptr<ValueLogFile>> removed_ VARVE_GUARDED_BY(mu_);
  std::array<std::shared_ptr<ValueLogFile>, kLanes> active_ VARVE_GUARDED_BY(mu_);
  Mutex sync_mu_;  // one Sync at a time
  Status failure_ VARVE_GUARDED_BY(sync_mu_);
  std::atomic<bool> has_failed_{false};
};

}  // namespace varve

#endif  // VARVE_ENGINE_VALUE_LOG_SET_H_
