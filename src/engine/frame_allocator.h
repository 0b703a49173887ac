// Frame: the memory of one cached block. FrameAllocator: where frames come from, and what they
// cost.
//
// Blocks have one usual size, so frames of it are cut from 2 MiB chunks (slabs), 504 to a chunk,
// without fragmentation. Other sizes, and frames for which a whole chunk would not fit the budget
// any more, come from operator new.
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
  bool is_emptying = false;
  size_t slab_index = 0;   // position in slabs_
  size_t roomy_index = 0;  // position in roomy_, while it is there
};

// Thread-compatible: the cache's mutex protects it.
class FrameAllocator {
 public:
  static constexpr size_t kSlabBlockBytes = 4096;  // blocks up to this size come from slabs
  static constexpr size_t kSlabFrameBytes = kSlabBlockBytes + sizeof(Frame);
  static constexpr size_t kFramesPerSlab = ChunkPool::kChunkBytes / kSlabFrameBytes;

  explicit FrameAllocator(ChunkPool* pool) : pool_(pool) {}
  // REQUIRES: every frame has been freed.
  ~FrameAllocator();
  FrameAllocator(const FrameAllocator&) = delete;
  FrameAllocator& operator=(const FrameAllocator&) = delete;

  // What a frame for `size` bytes counts against a budget: its memory, and its share of what a slab
  // loses at the end.
  static constexpr uint64_t Charge(size_t size) {
    return size > kSlabBlockBytes ? size + sizeof(Frame)
                                  : (ChunkPool::kChunkBytes + kFramesPerSlab - 1) / kFramesPerSlab;
  }

  // A frame with refs 1, for `size` bytes. Takes a new slab only when bytes() stays <=
  // `limit_bytes`.
  Frame* Allocate(BlockCache* cache, size_t size, uint64_t limit_bytes);
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
  // Free frames in slabs that are not being emptied.
  uint64_t free_slab_frames() const { return free_slab_frames_; }

 private:
  Frame* AllocateFromSlab(Slab* slab);
  void AddSlab();
  void ReleaseSlab(Slab* slab);
  void AddToRoomy(Slab* slab);
  void RemoveFromRoomy(Slab* slab);

  ChunkPool* const pool_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::vector<Slab*> roomy_;  // have free frames and are not being emptied
  uint64_t used_bytes_ = 0;
  uint64_t heap_bytes_ = 0;
  uint64_t free_slab_frames_ = 0;
  uint64_t emptying_slab_count_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_FRAME_ALLOCATOR_H_
