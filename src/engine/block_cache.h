// BlockCache: raw (decoded and verified) blocks of immutable segment files, in memory, within a
// budget.
//
// There is no hash table. Every open segment owns a BlockSlots, one word per block, and a hit is
// one array load; it takes no lock and, once a block is warm, writes nothing that threads share.
// Misses, publishing and eviction take one mutex.
//
// A slot's word is one of
//    0                              never cached, or forgotten
//    frame address | size | heat    cached; the block's size in bits 48 to 62 (zero when it does not
//                                   fit: the frame knows), so that a hit need not wait for the
//                                   frame's header; heat in the two low bits (frames are 64-byte
//                                   aligned)
//    sign bit | stamp               evicted from the small queue as the stamp-th block: the ghost
// and changes as
//    empty or ghost -> frame        [Publish, under the mutex]
//    frame | h -> frame | h+1       [Lookup, compare-and-swap, no lock]
//    frame | h -> frame | h'        [eviction scan, under the mutex]
//    frame -> ghost or empty        [eviction, Erase: under the mutex]
//
// Policy: S3-FIFO (docs/design/0003-block-cache.md compares it with LRU). A new block enters the
// small queue, a tenth of the bytes. At its end a block that was hit meanwhile moves to the main
// queue, others leave; so blocks that a scan read once do not displace the others. A block that
// comes back while its ghost is young enters the main queue at once. At the main queue's end a
// block with heat goes round again, one degree cooler.
//
// A block larger than the small queue passes through: it is never cached and counts for its reader,
// as a copy would, so that one huge value does not empty the cache.
//
// Memory. A frame that left its slot may still be read under somebody's EpochGuard, so it is
// retired by epoch; it is freed when that is over and the last pin is gone.
//   1. A frame is linked (in a slot and in exactly one queue), or in neither.
//   2. The slot's reference counts as one; pins count beyond it.
//   3. Whenever something is allocated, linked + pinned + in flight <= capacity - headroom, or
//      nothing is linked; the headroom is for retired frames, until the epoch frees them. So
//      bytes() <= capacity, apart from passing and pinned frames, frames that guards of other
//      threads hold back, a block in flight and one just evicted per thread, and, while the sizes
//      of blocks shift, a slab or two.
#ifndef VARVE_ENGINE_BLOCK_CACHE_H_
#define VARVE_ENGINE_BLOCK_CACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/epoch.h"
#include "base/mutex.h"
#include "engine/chunk_pool.h"
#include "engine/frame_allocator.h"

namespace varve {

class BlockCache;

// The cached blocks of one segment: 8 bytes a block. The destructor takes the segment's blocks out
// of the cache; nobody may look up in it by then. Must be destroyed before its cache.
class BlockSlots {
 public:
  BlockSlots(BlockCache* cache, size_t block_count);
  ~BlockSlots();
  BlockSlots(const BlockSlots&) = delete;
  BlockSlots& operator=(const BlockSlots&) = delete;

  size_t size() const { return size_; }
  size_t memory_bytes() const { return sizeof(*this) + size_ * sizeof(words_[0]); }

 private:
  friend class BlockCache;
  BlockCache* const cache_;
  const size_t size_;
  const std::unique_ptr<std::atomic<uint64_t>[]> words_;
};

// Thread-safe.
class BlockCache {
 public:
  // Keeps at most `capacity_bytes` (see 3. above), headers of frames included. Neither `pool` nor
  // the cache's users may be gone before it.
  BlockCache(ChunkPool* pool, uint64_t capacity_bytes);
  // REQUIRES: every BlockSlots and pin is gone; no guard in the calling thread.
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  // The block if it is cached, else nullptr. The frame lives until the caller's guard ends; Ref it
  // to keep it longer. REQUIRES: an EpochGuard; index < slots.size().
  static Frame* Lookup(BlockSlots& slots, size_t index);
  // The same with the block's bytes, for which it rarely has to look at the frame.
  static Frame* Lookup(BlockSlots& slots, size_t index, std::string_view* bytes);

  // For prefetching: the block's bytes if it is cached and small, else an empty view. Does not count
  // as a use. The same REQUIRES.
  static std::string_view Peek(const BlockSlots& slots, size_t index);
  // Brings the word that Lookup will load near.
  static void PrefetchSlot(const BlockSlots& slots, size_t index) {
    __builtin_prefetch(&slots.words_[index]);
  }

  // A frame of `size` bytes to read a block into, content unspecified. The caller owns its one
  // reference: Publish it, or Unref it when the read failed. Makes room by evicting. Counts one
  // miss.
  Frame* AllocateFrame(size_t size) VARVE_EXCLUDES(mu_);

  // Puts `frame` into the slot, taking over the caller's reference, and returns it. If another
  // thread was first, drops `frame` and returns the other's. The result lives until the caller's
  // guard ends. REQUIRES: an EpochGuard; index < slots->size(); `frame` from this cache's
  // AllocateFrame, whole and verified; no other use of it until now.
  Frame* Publish(BlockSlots* slots, size_t index, Frame* frame) VARVE_EXCLUDES(mu_);

  // Keeps a frame beyond the guard. REQUIRES for Ref: a guard under which `frame` was found, or a
  // pin.
  static void Ref(Frame* frame) { frame->refs.fetch_add(1, std::memory_order_relaxed); }
  // Gives a pin back, anywhere; the last one frees.
  static void Unref(Frame* frame);

  // Takes all blocks of `slots` out of the cache. Lookups may go on meanwhile (and miss).
  void Erase(BlockSlots* slots) VARVE_EXCLUDES(mu_);

  // Evicts at once what is over.
  void SetCapacity(uint64_t capacity_bytes) VARVE_EXCLUDES(mu_);
  // Gives up so many bytes of the capacity for memory that others take, or takes them back (negative).
  // Never more than half of the capacity is given up. REQUIRES: the sum of all calls is not negative.
  void Reserve(int64_t bytes) VARVE_EXCLUDES(mu_);
  uint64_t capacity() VARVE_EXCLUDES(mu_);
  // The same without the lock, of a moment ago.
  uint64_t RecentCapacity() const { return recent_capacity_.load(std::memory_order_relaxed); }
  // Memory held: frames in any state, and the free part of slabs.
  uint64_t bytes() VARVE_EXCLUDES(mu_);
  // Since construction. Hits may miss a few that two threads counted at once.
  uint64_t hits() const;
  uint64_t misses() VARVE_EXCLUDES(mu_);

 private:
  struct Queue {  // first in, first out; linked through the frames
    Frame* newest = nullptr;
    Frame* oldest = nullptr;
    uint64_t bytes = 0;
    uint64_t count = 0;
    void Push(Frame* frame);
    void Remove(Frame* frame);
  };
  struct alignas(64) HitCell {
    std::atomic<uint64_t> count{0};
  };
  static constexpr size_t kHitCells = 64;

  static constexpr uint64_t kHeatMask = 3;
  static constexpr uint64_t kGhostBit = uint64_t{1} << 63;
  static constexpr int kSizeShift = 48;
  static constexpr uint64_t kMaxSizeInWord = 0x7fff;
  static constexpr uint64_t kAddressMask = ((uint64_t{1} << kSizeShift) - 1) & ~kHeatMask;
  static bool IsFrame(uint64_t word) { return static_cast<int64_t>(word) > 0; }
  static Frame* FrameOf(uint64_t word) { return reinterpret_cast<Frame*>(word & kAddressMask); }
  // The word of a slot that holds `frame`, cold.
  static uint64_t ColdWord(const Frame* frame);

  static void EndRetirement(void* frame);
  void Free(Frame* frame) VARVE_REQUIRES(mu_);
  // Memory that competes for the capacity and will not go by itself.
  uint64_t HeldBytes() const VARVE_REQUIRES(mu_);

  void CountHit();
  bool IsYoungGhost(uint64_t word) const VARVE_REQUIRES(mu_);
  Queue& QueueOf(const Frame* frame) VARVE_REQUIRES(mu_);
  static std::atomic<uint64_t>& WordOf(const Frame* frame);
  static uint64_t HeatOf(const Frame* frame);
  // Those that take `victims` chain to it what they unlink, to be retired without the mutex.
  void MakeRoom(uint64_t incoming_bytes, Frame** victims) VARVE_REQUIRES(mu_);
  void EvictOne(Frame** victims) VARVE_REQUIRES(mu_);
  bool StepSmall(Frame** victims) VARVE_REQUIRES(mu_);
  bool StepMain(Frame** victims) VARVE_REQUIRES(mu_);
  void FitCapacity(Frame** victims) VARVE_REQUIRES(mu_);
  void EmptySlabs(Frame** victims) VARVE_REQUIRES(mu_);
  void Unlink(Frame* frame, uint64_t new_word, Frame** victims) VARVE_REQUIRES(mu_);
  static void Retire(Frame* victims);

  HitCell hit_cells_[kHitCells];

  Mutex mu_;
  FrameAllocator frames_ VARVE_GUARDED_BY(mu_);
  uint64_t total_capacity_ VARVE_GUARDED_BY(mu_);
  uint64_t reserved_bytes_ VARVE_GUARDED_BY(mu_) = 0;
  uint64_t capacity_ VARVE_GUARDED_BY(mu_);  // the total without what is reserved
  std::atomic<uint64_t> recent_capacity_;       // = capacity_
  Queue small_ VARVE_GUARDED_BY(mu_);
  Queue main_ VARVE_GUARDED_BY(mu_);
  uint64_t passing_bytes_ VARVE_GUARDED_BY(mu_) = 0;  // frames too large to be cached
  uint64_t retired_bytes_ VARVE_GUARDED_BY(mu_) = 0;  // others, retired, and the epoch not over
  uint64_t ghost_stamp_ VARVE_GUARDED_BY(mu_) = 0;    // blocks that left the small queue as ghosts
  uint64_t misses_ VARVE_GUARDED_BY(mu_) = 0;
};

inline void BlockCache::CountHit() {
  // A load and a store, not an addition: two threads seldom share a cell, and an exact count is not
  // worth a locked instruction in every hit.
  std::atomic<uint64_t>& count = hit_cells_[EpochThreadIndex() % kHitCells].count;
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

inline Frame* BlockCache::Lookup(BlockSlots& slots, size_t index) {
  std::string_view bytes;
  return Lookup(slots, index, &bytes);
}

inline std::string_view BlockCache::Peek(const BlockSlots& slots, size_t index) {
  // Acquire, as in Lookup.
  const uint64_t word = slots.words_[index].load(std::memory_order_acquire);
  if (!IsFrame(word)) return {};
  return {FrameOf(word)->data(), word >> kSizeShift};
}

inline Frame* BlockCache::Lookup(BlockSlots& slots, size_t index, std::string_view* bytes) {
  std::atomic<uint64_t>& slot = slots.words_[index];
  // Acquire: the block's bytes were written before the frame was published.
  uint64_t word = slot.load(std::memory_order_acquire);
  if (!IsFrame(word)) return nullptr;
  Frame* frame = FrameOf(word);
  const size_t size = word >> kSizeShift;
  *bytes = {frame->data(), size != 0 ? size : frame->size};
  // Warm blocks stay unwritten, so that their slot's line stays shared. Losing the race is losing
  // one degree. Relaxed: heat orders nothing; the word keeps pointing to the same frame.
  if ((word & kHeatMask) != kHeatMask) {
    slot.compare_exchange_strong(word, word + 1, std::memory_order_relaxed);
  }
  slots.cache_->CountHit();
  return frame;
}

}  // namespace varve

#endif  // VARVE_ENGINE_BLOCK_CACHE_H_
