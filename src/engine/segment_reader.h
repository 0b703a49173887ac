// SegmentReader: one immutable segment file, open for reading through the block cache.
//
// Nothing is read until it is needed: opening a store opens no segment. A point lookup touches one page
// of the point index and one data block; both live in the block cache, so index and data together stay
// within the budget.
#ifndef VARVE_ENGINE_SEGMENT_READER_H_
#define VARVE_ENGINE_SEGMENT_READER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "engine/block_cache.h"
#include "engine/directory_sync.h"
#include "env/env.h"
#include "format/block.h"
#include "format/block_file.h"
#include "format/segment.h"
#include "format/version_edit.h"

namespace varve {

// What all readers of a store share. Outlives them.
struct ReaderContext {
  Env* env = nullptr;
  std::string dir;
  BlockCache* cache = nullptr;
  DirectorySync* directory = nullptr;
  uint64_t hash_salt = 0;
  std::atomic<uint64_t> index_bytes{0};  // memory of sparse indexes and slot tables
  // Counts it, and lets the cache make room for it.
  void ChargeIndex(size_t bytes) {
    index_bytes.fetch_add(bytes, std::memory_order_relaxed);
    cache->Reserve(static_cast<int64_t>(bytes));
  }
  void ReleaseIndex(size_t bytes) {
    index_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    cache->Reserve(-static_cast<int64_t>(bytes));
  }
  // Takes the path of a file that nobody reads any more. Called from any thread, must be quick.
  std::function<void(std::string path)> remove_file;
};

// An entry and the cached block that its views point into.
struct FoundEntry {
  Entry entry;
  Frame* frame = nullptr;
};

// Thread-safe. The last reference removes the file when it has been marked obsolete.
class SegmentReader {
 public:
  SegmentReader(ReaderContext* context, SegmentMeta meta);
  ~SegmentReader();
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;

  const SegmentMeta& meta() const { return meta_; }
  std::string path() const;

  // Finds the newest version of `key` with sequence <= max_sequence. True when there is one.
  // `hash` = PointIndexHash(key, context.hash_salt). The views last as long as the caller's guard.
  // REQUIRES: an EpochGuard.
  Result<bool> Find(std::string_view key, uint64_t hash, SequenceNumber max_sequence,
                    FoundEntry* found);
  // Brings the point-index bucket of `hash` near, if it is cached. REQUIRES: an EpochGuard.
  void Prefetch(uint64_t hash) const;
  // The same for the entry that the bucket leads to. Looks at the bucket. REQUIRES: an EpochGuard.
  void PrefetchEntry(uint64_t hash) const;

  // The sparse index; opens the file if that has not happened.
  Result<const SegmentIndex*> Index();
  // A verified data block from the cache or the file. The frame lasts as long as the caller's guard;
  // pin it to keep it. REQUIRES: an EpochGuard; block < Index()->block_count().
  Result<Frame*> DataBlock(size_t block);
  // Reads data blocks [first, first + count) in one request, verifies and unpacks them, past the cache:
  // raw blocks are appended to `*raws`, in `*buffer` or `*unpacked`.
  struct BlockBatch {
    std::string buffer;
    std::vector<std::unique_ptr<std::string>> unpacked;
    std::vector<std::string_view> raws;
  };
  Status ReadBlocks(size_t first, size_t count, BlockBatch* batch);

  // Reads the whole file past the cache and checks everything in it; `problem` hears of each fault.
  struct CheckResult {
    uint64_t blocks = 0;
    uint64_t entries = 0;
    uint64_t bytes = 0;
  };
  CheckResult Check(const std::function<void(std::string)>& problem);

  // The file goes when the last reference does.
  void MarkObsolete() { is_obsolete_.store(true, std::memory_order_relaxed); }

 private:
  struct OpenState {
    std::unique_ptr<RandomAccessFile> file;
    OpenedSegment segment;
    std::unique_ptr<BlockSlots> data_slots;
    std::unique_ptr<BlockSlots> index_slots;
  };

  Result<OpenState*> Open();
  Result<std::unique_ptr<OpenState>> OpenFile() const;
  Result<Frame*> Load(OpenState* state, BlockSlots* slots, size_t index, uint64_t offset, size_t bytes,
                      BlockKind kind);
  Result<Frame*> DataBlock(OpenState* state, size_t block);
  Result<Frame*> IndexPage(OpenState* state, uint32_t page);
  Result<bool> FindBySearch(OpenState* state, std::string_view key, SequenceNumber max_sequence,
                            FoundEntry* found);
  // From the newest version of a key at (block, slot) to the newest one <= max_sequence.
  Result<bool> FindVersion(OpenState* state, size_t block, int slot, std::string_view key,
                           SequenceNumber max_sequence, FoundEntry* found);
  Status Damaged(const char* what, uint64_t offset) const;

  ReaderContext* const context_;
  const SegmentMeta meta_;
  std::atomic<bool> is_obsolete_{false};
  std::atomic<OpenState*> state_{nullptr};  // set once
  Mutex open_mu_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_SEGMENT_READER_H_
