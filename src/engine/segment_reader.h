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
#include "engine/block_wait.h"
#include "engine/damage.h"
#include "engine/directory_sync.h"
#include "engine/lookup_trace.h"
#include "env/env.h"
#include "format/block.h"
#include "format/block_file.h"
#include "format/point_index.h"
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

// A lookup on its way, of which each step brings near what the next one needs. Filled by Probe.
struct PointProbe {
  enum class State : uint8_t {
    kAbsent,   // the segment does not hold the key
    kFound,    // the index leads to `location`
    kUnknown,  // not to be told without reading the file
  };
  State state = State::kUnknown;
  PointLocation location;
  Frame* frame = nullptr;  // of the block, if it is cached, from step 3 on
  std::string_view bytes;
  BlockView view;          // of the block, from step 4 on
};

// Thread-safe. The last reference removes the file when it has been marked obsolete.
class SegmentReader final : public BlockSource {
 public:
  SegmentReader(ReaderContext* context, SegmentMeta meta);
  ~SegmentReader() override;
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;

  const SegmentMeta& meta() const { return meta_; }
  std::string path() const;

  // Finds the newest version of `key` with sequence <= max_sequence. True when there is one.
  // `hash` = PointIndexHash(key, context.hash_salt). The views last as long as the caller's guard.
  // REQUIRES: an EpochGuard.
  // `trace` hears what is looked at. `Trace` is NoTrace or LookupTrace.
  template <typename Trace = NoTrace>
  Result<bool> Find(std::string_view key, uint64_t hash, SequenceNumber max_sequence,
                    FoundEntry* found, Trace trace = {});
  // The same for where memory is short and the key is likely here: a block is found by the sparse index, which
  // is in memory, so that pages of the point index, which would take as much of the cache as many blocks,
  // come and stay in it only for keys that are absent.
  template <typename Trace = NoTrace>
  Result<bool> FindSparingIndex(std::string_view key, uint64_t hash, SequenceNumber max_sequence,
                                FoundEntry* found, Trace trace = {});
  // The steps of a lookup before Find, for lookups whose cache misses overlap: each waits for one of them, and
  // starts the next. Leaving them all out, or stopping anywhere, changes no result. REQUIRE: one EpochGuard
  // for all of them.
  //   1. the point-index bucket of `hash`. This and the next count as no use of the index page.
  void Prefetch(uint64_t hash) const;
  //   2. where it leads, and the cache's word for that block
  PointProbe Probe(uint64_t hash) const;
  //   3. the block, which counts as used; its slot array and, if entries have one size, the entry.
  //      REQUIRES: probe->state == kFound
  void PrefetchEntry(PointProbe* probe) const;
  //   4. the entry, whatever its size. REQUIRES: step 3
  static void PrefetchValue(PointProbe* probe);
  // Find for the entry that `probe` leads to. False when that is not at hand in memory, or is not it:
  // Find will tell. REQUIRES: step 4
  static bool FindAt(const PointProbe& probe, std::string_view key, SequenceNumber max_sequence,
                     FoundEntry* found);

  Status Install(const MissingBlock& block, const Result<size_t>& got, const char* data,
                 CachedBlock* loaded) override;

  // The sparse index; opens the file if that has not happened.
  Result<const SegmentIndex*> Index();
  // A verified data block from the cache or the file. The frame lasts as long as the caller's guard;
  // pin it to keep it. REQUIRES: an EpochGuard; block < Index()->block_count().
  Status DataBlock(size_t block, CachedBlock* found);
  // Brings the first lines of a data block near, if it is cached. REQUIRES: an EpochGuard, and that
  // Index() has succeeded.
  void PrefetchBlock(size_t block) const;
  // Brings near what a search in `block`, one of this segment's, is likely to look at. The same REQUIRES.
  void PrefetchSearch(const CachedBlock& block) const;
  // Reads data blocks [first, first + count) in one request, verifies and unpacks them, past the cache:
  // raw blocks are appended to `*raws`, in `*buffer` or `*unpacked`.
  struct BlockBatch {
    std::string buffer;
    std::vector<std::unique_ptr<std::string>> unpacked;
    std::vector<std::string_view> raws;
  };
  Status ReadBlocks(size_t first, size_t count, BlockBatch* batch);

  // Reads the whole file past the cache and checks everything in it (segment_checker.h); `problem` hears of
  // each fault.
  struct CheckResult {
    uint64_t blocks = 0;
    uint64_t entries = 0;
    uint64_t bytes = 0;
  };
  CheckResult Check(const std::function<void(Damage)>& problem);

  // The file goes when the last reference does.
  void MarkObsolete() { is_obsolete_.store(true, std::memory_order_relaxed); }

 private:
  struct OpenState {
    std::unique_ptr<RandomAccessFile> file;
    OpenedSegment segment;
    std::unique_ptr<BlockSlots> data_slots;
    std::unique_ptr<BlockSlots> index_slots;
    // Bytes of an entry in 256ths, on average over the data block read last; 0 before. For guessing
    // where an entry lies before the slot array has arrived.
    std::atomic<uint32_t> entry_bytes_256{0};
  };

  Result<OpenState*> Open();
  Result<std::unique_ptr<OpenState>> OpenFile() const;
  Status Load(OpenState* state, BlockSlots* slots, size_t index, uint64_t offset, size_t bytes,
              BlockKind kind, CachedBlock* loaded);
  // Verifies what has been read, and puts it in the cache. REQUIRES: an EpochGuard.
  Status Adopt(BlockSlots* slots, size_t index, uint64_t offset, BlockKind kind, std::string_view disk,
               CachedBlock* loaded);
  Status LoadDataBlock(OpenState* state, size_t block, CachedBlock* loaded);
  static uint64_t IndexPageOffset(const OpenState& state, uint32_t page) {
    return state.segment.properties.point_index_offset + uint64_t{page} * kPageBytes;
  }
  Status LoadIndexPage(OpenState* state, uint32_t page, CachedBlock* loaded);
  template <typename Trace>
  Status DataBlock(OpenState* state, size_t block, CachedBlock* found, Trace trace) {
    found->frame = BlockCache::Lookup(*state->data_slots, block, &found->bytes);
    const bool is_cached = found->frame != nullptr;
    if (__builtin_expect(!is_cached, 0)) {
      if (Status status = LoadDataBlock(state, block, found); !status.ok()) return status;
    }
    if constexpr (Trace::kIsOn) {
      const SegmentIndex& index = state->segment.index;
      trace.Block(ExplainedBlock::Kind::kData, index.block_offset(block), index.block_bytes(block),
                  !is_cached);
    }
    return Status::Ok();
  }
  static void PrefetchEntryIn(const OpenState& state, std::string_view block, int slot);

  // --- Lookups, and what they tell of what they look at.
  template <typename Trace>
  Result<OpenState*> OpenFor(Trace trace);
  // An index page from the cache or the file; a use.
  template <typename Trace>
  Status IndexPage(OpenState* state, uint32_t page, CachedBlock* found, Trace trace);
  template <typename Trace>
  Result<bool> FindByIndexPage(OpenState* state, std::string_view page, std::string_view key,
                               uint64_t hash, SequenceNumber max_sequence, FoundEntry* found,
                               Trace trace);
  template <typename Trace>
  Result<bool> FindBySearch(OpenState* state, std::string_view key, SequenceNumber max_sequence,
                            FoundEntry* found, Trace trace);
  // From the newest version of a key at (block, slot) to the newest one <= max_sequence.
  template <typename Trace>
  Result<bool> FindVersion(OpenState* state, size_t block, int slot, std::string_view key,
                           SequenceNumber max_sequence, FoundEntry* found, Trace trace);
  Status Damaged(const char* what, uint64_t offset) const;

  ReaderContext* const context_;
  const SegmentMeta meta_;
  std::atomic<bool> is_obsolete_{false};
  std::atomic<OpenState*> state_{nullptr};  // set once
  Mutex open_mu_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_SEGMENT_READER_H_
