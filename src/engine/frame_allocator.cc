#include "engine/frame_allocator.h"

#include <new>
#include <utility>

#include "base/check.h"

// Free frames in slabs are poisoned, so that AddressSanitizer sees a use after free in them too.
#if defined(__has_include)
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(address, size) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) static_cast<void>(0)
#endif

namespace varve {
namespace {

constexpr std::align_val_t kFrameAlignment{alignof(Frame)};

// Of the frame that was cut as the `position`-th.
Frame* FrameAt(const Slab* slab, uint32_t position) {
  return reinterpret_cast<Frame*>(slab->memory + position * slab->frame_bytes());
}

void Poison(Frame* frame) {
  ASAN_POISON_MEMORY_REGION(frame->data(), frame->slab->frame_bytes() - sizeof(Frame));
}
void Unpoison(Frame* frame) {
  ASAN_UNPOISON_MEMORY_REGION(frame->data(), frame->slab->frame_bytes() - sizeof(Frame));
}

}  // namespace

FrameAllocator::~FrameAllocator() {
  VARVE_CHECK(used_bytes_ == 0);
  while (!slabs_.empty()) ReleaseSlab(slabs_.back().get());
}

// Large frames share a budget with many more small ones: what lies free in their slabs must stay small
// beside it.
bool FrameAllocator::MayAddSlab(size_t frames, uint64_t limit_bytes) const {
  constexpr uint64_t kFreeShare = 16;
  if (bytes() + ChunkPool::kChunkBytes > limit_bytes) return false;
  return frames == kFramesPerSlab ||
         free_slab_bytes_ + ChunkPool::kChunkBytes <= limit_bytes / kFreeShare;
}

Frame* FrameAllocator::Allocate(BlockCache* cache, size_t size, uint64_t limit_bytes) {
  const size_t frames = FramesInSlab(size);
  if (frames == 0) return AllocateFromHeap(cache, size);
  RoomyList& roomy = RoomyOf(frames);
  if (roomy.empty() && MayAddSlab(frames, limit_bytes)) AddSlab(frames);
  if (roomy.empty()) return AllocateFromHeap(cache, size);
  Slab* slab = roomy.back();
  used_bytes_ += Charge(size);
  return Init(AllocateFromSlab(slab), cache, size, slab);
}

Frame* FrameAllocator::AllocateFromHeap(BlockCache* cache, size_t size) {
  const uint64_t charge = Charge(size);
  void* memory = ::operator new(size + sizeof(Frame), kFrameAlignment);
  heap_bytes_ += charge;
  used_bytes_ += charge;
  return Init(memory, cache, size, nullptr);
}

Frame* FrameAllocator::Init(void* memory, BlockCache* cache, size_t size, Slab* slab) {
  auto* frame = new (memory) Frame;
  frame->refs.store(1, std::memory_order_relaxed);  // nobody else knows it yet
  frame->size = static_cast<uint32_t>(size);
  frame->cache = cache;
  frame->slab = slab;
  frame->slots = nullptr;
  frame->is_passing = false;
  return frame;
}

void FrameAllocator::Free(Frame* frame) {
  const uint64_t charge = Charge(frame->size);
  used_bytes_ -= charge;
  Slab* slab = frame->slab;
  if (slab == nullptr) {
    heap_bytes_ -= charge;
    ::operator delete(frame, kFrameAlignment);
    return;
  }
  frame->newer = slab->free_list;
  slab->free_list = frame;
  Poison(frame);
  const bool was_full = slab->used_count == slab->frames;
  --slab->used_count;
  if (slab->is_emptying) {
    if (slab->used_count == 0) ReleaseSlab(slab);
    return;
  }
  free_slab_bytes_ += slab->frame_bytes();
  if (was_full) AddToRoomy(slab);
}

bool FrameAllocator::StartEmptyingSlab(std::vector<Frame*>* frames) {
  Slab* emptiest = nullptr;
  for (const RoomyList& roomy : roomy_) {
    for (Slab* slab : roomy) {
      if (emptiest == nullptr || slab->free_bytes() > emptiest->free_bytes()) emptiest = slab;
    }
  }
  if (emptiest == nullptr) return false;
  RemoveFromRoomy(emptiest);
  free_slab_bytes_ -= emptiest->free_bytes();
  emptiest->is_emptying = true;
  ++emptying_slab_count_;
  for (uint32_t i = 0; i < emptiest->cut_count; ++i) {
    Frame* frame = FrameAt(emptiest, i);
    if (frame->refs.load(std::memory_order_relaxed) != 0) frames->push_back(frame);
  }
  if (emptiest->used_count == 0) ReleaseSlab(emptiest);
  return true;
}

Frame* FrameAllocator::AllocateFromSlab(Slab* slab) {
  Frame* frame = slab->free_list;
  if (frame != nullptr) {
    slab->free_list = frame->newer;
    Unpoison(frame);
  } else {
    frame = FrameAt(slab, slab->cut_count++);
  }
  free_slab_bytes_ -= slab->frame_bytes();
  if (++slab->used_count == slab->frames) RemoveFromRoomy(slab);
  return frame;
}

void FrameAllocator::AddSlab(size_t frames) {
  auto slab = std::make_unique<Slab>();
  slab->frames = static_cast<uint32_t>(frames);
  slab->memory = pool_->Allocate();
  slab->slab_index = slabs_.size();
  AddToRoomy(slab.get());
  free_slab_bytes_ += slab->free_bytes();
  slabs_.push_back(std::move(slab));
}

void FrameAllocator::ReleaseSlab(Slab* slab) {
  VARVE_CHECK(slab->used_count == 0);
  if (slab->is_emptying) {
    --emptying_slab_count_;
  } else {
    RemoveFromRoomy(slab);
    free_slab_bytes_ -= slab->free_bytes();
  }
  ASAN_UNPOISON_MEMORY_REGION(slab->memory, ChunkPool::kChunkBytes);
  pool_->Release(slab->memory);
  const size_t hole = slab->slab_index;
  std::swap(slabs_[hole], slabs_.back());
  slabs_[hole]->slab_index = hole;
  slabs_.pop_back();
}

void FrameAllocator::AddToRoomy(Slab* slab) {
  RoomyList& roomy = RoomyOf(slab->frames);
  slab->roomy_index = roomy.size();
  roomy.push_back(slab);
}

void FrameAllocator::RemoveFromRoomy(Slab* slab) {
  RoomyList& roomy = RoomyOf(slab->frames);
  roomy[slab->roomy_index] = roomy.back();
  roomy[slab->roomy_index]->roomy_index = slab->roomy_index;
  roomy.pop_back();
}

}  // namespace varve
