// Frame: the memory of one cached block. FrameAllocator: where frames come from, and what they
// cost.
//
// Blocks have one usual size, so frames of it are cut from 2 MiB chunks (slabs), 504 to a chunk,
// without fragmentation. Large values, 128 KiB to 1 MiB, get slabs too, of frames of one of 15 sizes: a
// chunk's 2nd to 16th part. That wastes up to a third at the upper end and 6 % at the lower, and saves the
// address translations of memory in small pages, which cost a reader of a large value more than the
// bytes (docs/design/0006-read-path.md). Other sizes, and frames for which a whole chunk would not fit
// the budget any more, come from operator new.
#ifndef VARVE_ENGINE_FRAME_ALLOCATOR_H_
#define VARVE_ENGINE_FRAME_ALLOCATOR_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/chunk_pool.h"

namespace varve {

class BlockCache;
class BlockSlots;
struct Slab;

// The header of a block in memory; the bytes follow it, aligned to 64. Users may read refs, size
// and data(), and write data() until they publish the frame. The rest belongs to the cache.
struct alignas(64) Frame {
  std::atomic<uint32_t> refs;  // 0 only while the frame is free
  uint32_t size;               // bytes of the block
  BlockCache* cache;           // constant while the frame lives
  Slab* slab;                  // constant; null when from operator new
  // Guarded by the cache's mutex. `slots` is null while the frame is not in a slot.
  BlockSlots* slots;
  uint32_t index;
  bool is_in_main;
  bool is_passing;  // too large to be cached
  Frame*
      newer;  // neighbours in the queue; `newer` also chains free frames, and victims of eviction
  Frame* older;

  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
};
static_assert(sizeof(Frame) == 64);

// A chunk cut into frames. Only FrameAllocator looks inside.
struct Slab {
  char* memory = nullptr;
  Frame* free_list = nullptr;  // given back
  uint32_t cut_count = 0;      // frames cut so far; behind them the chunk is untouched
  uint32_t used_count = 0;
  uint32_t frames = 0;  // how many frames the chunk is cut into: its size class
  bool is_emptying = false;
  size_t slab_index = 0;   // position in slabs_
  size_t roomy_index = 0;  // position in the roomy list of its class, while it is there

  size_t frame_bytes() const;
  uint64_t free_bytes() const { return uint64_t{frames - used_count} * frame_bytes(); }
};

// Thread-compatible: the cache's mutex protects it.
class FrameAllocator {
 public:
  static constexpr size_t kSlabBlockBytes = 4096;  // blocks up to this size come from slabs
  static constexpr size_t kSlabFrameBytes = kSlabBlockBytes + sizeof(Frame);
  static constexpr size_t kFramesPerSlab = ChunkPool::kChunkBytes / kSlabFrameBytes;
  // Slabs of large frames are cut into this many.
  static constexpr size_t kMinLargeFrames = 2;
  static constexpr size_t kMaxLargeFrames = 16;
  // What the frames of a slab take together, whatever their size: at least this.
  static constexpr size_t kUsableSlabBytes =
      ChunkPool::kChunkBytes - kMaxLargeFrames * alignof(Frame);
  static_assert(kUsableSlabBytes <= kFramesPerSlab * kSlabFrameBytes);

  explicit FrameAllocator(ChunkPool* pool) : pool_(pool) {}
  // REQUIRES: every frame has been freed.
  ~FrameAllocator();
  FrameAllocator(const FrameAllocator&) = delete;
  FrameAllocator& operator=(const FrameAllocator&) = delete;

  // What a frame for `size` bytes counts against a budget: its memory, and its share of what a slab
  // loses at the end.
  static constexpr uint64_t Charge(size_t size) {
    const size_t frames = FramesInSlab(size);
    return frames == 0 ? size + sizeof(Frame) : (ChunkPool::kChunkBytes + frames - 1) / frames;
  }

  // A frame with refs 1, for `size` bytes. Takes a new slab only when bytes() stays <=
  // `limit_bytes`, and for large frames only while little of the limit lies free in slabs.
  Frame* Allocate(BlockCache* cache, size_t size, uint64_t limit_bytes);
  // The same from operator new, whatever the size.
  Frame* AllocateFromHeap(BlockCache* cache, size_t size);
  // The memory goes back to its slab; a slab being emptied goes back to the pool with the last
  // frame.
  void Free(Frame* frame);

  // Picks the slab with the most free frames, stops allocating from it, and appends its frames in
  // use to `frames`. False when there is no slab left to pick.
  bool StartEmptyingSlab(std::vector<Frame*>* frames);

  // Charges of the frames that are allocated.
  uint64_t used_bytes() const { return used_bytes_; }
  // Memory held: used frames, and slabs whole.
  uint64_t bytes() const { return heap_bytes_ + slabs_.size() * ChunkPool::kChunkBytes; }
  // The same when the slabs that are being emptied will have gone.
  uint64_t bytes_after_emptying() const {
    return bytes() - emptying_slab_count_ * ChunkPool::kChunkBytes;
  }
  // Free frames in slabs that are not being emptied, in bytes.
  uint64_t free_slab_bytes() const { return free_slab_bytes_; }

 private:
  // The slabs that have free frames of one size and are not being emptied.
  using RoomyList = std::vector<Slab*>;

  // Into how many frames a slab for blocks of `size` bytes is cut; 0 when they come from operator new.
  static constexpr size_t FramesInSlab(size_t size) {
    if (size <= kSlabBlockBytes) return kFramesPerSlab;
    // Frames are whole multiples of their alignment.
    const size_t needed = (size + sizeof(Frame) + alignof(Frame) - 1) & ~(alignof(Frame) - 1);
    const size_t frames = ChunkPool::kChunkBytes / needed;
    return frames >= kMinLargeFrames && frames <= kMaxLargeFrames ? frames : 0;
  }
  RoomyList& RoomyOf(size_t frames) {
    return roomy_[frames == kFramesPerSlab ? 0 : frames - kMinLargeFrames + 1];
  }
  bool MayAddSlab(size_t frames, uint64_t limit_bytes) const;
  static Frame* Init(void* memory, BlockCache* cache, size_t size, Slab* slab);
  Frame* AllocateFromSlab(Slab* slab);
  void AddSlab(size_t frames);
  void ReleaseSlab(Slab* slab);
  void AddToRoomy(Slab* slab);
  void RemoveFromRoomy(Slab* slab);

  ChunkPool* const pool_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  RoomyList roomy_[kMaxLargeFrames - kMinLargeFrames + 2];  // by class: usual blocks first
  uint64_t used_bytes_ = 0;
  uint64_t heap_bytes_ = 0;
  uint64_t free_slab_bytes_ = 0;
  uint64_t emptying_slab_count_ = 0;
};

inline size_t Slab::frame_bytes() const {
  return frames == FrameAllocator::kFramesPerSlab
             ? FrameAllocator::kSlabFrameBytes
             : (ChunkPool::kChunkBytes / frames) & ~(alignof(Frame) - 1);
}

}  // namespace varve

#endif  // VARVE_ENGINE_FRAME_ALLOCATOR_H_
