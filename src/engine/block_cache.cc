#include "engine/block_cache.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/check.h"
#include "base/planted_bug.h"

namespace varve {
namespace {

// The small queue's part of the capacity: one in this many bytes.
constexpr uint64_t kSmallShare = 10;
// Hits in the small queue from which on a block moves to the main queue. Two, because the hits that
// follow a miss at once (the next keys of the same request) say little.
constexpr uint64_t kPromotionHeat = 2;
// Blocks that one eviction looks at before it takes the next one whatever its heat. Without the
// bound the first miss after a long time of hits would cool the whole cache, three times, under the
// mutex.
constexpr int kMaxStepsPerEviction = 16;
// The part of the capacity kept for retired frames, and its upper limit. Larger means fewer
// collections, a hundred nanoseconds or so each; the limit is what EpochRetire lets pile up anyway.
constexpr uint64_t kHeadroomShare = 32;
constexpr uint64_t kMaxHeadroomFrames = 64;
// From this size on what has been retired is freed before another frame is allocated.
constexpr size_t kCollectedBytes = 1 << 20;

uint64_t HeadroomBytes(uint64_t capacity) {
  return std::min(capacity / kHeadroomShare,
                  kMaxHeadroomFrames * FrameAllocator::Charge(FrameAllocator::kSlabBlockBytes));
}

}  // namespace

BlockSlots::BlockSlots(BlockCache* cache, size_t block_count)
    : cache_(cache), size_(block_count), words_(new std::atomic<uint64_t>[block_count]()) {}

BlockSlots::~BlockSlots() { cache_->Erase(this); }

// --- Queues.

void BlockCache::Queue::Push(Frame* frame) {
  frame->newer = nullptr;
  frame->older = newest;
  (newest != nullptr ? newest->newer : oldest) = frame;
  newest = frame;
  bytes += FrameAllocator::Charge(frame->size);
  ++count;
}

void BlockCache::Queue::Remove(Frame* frame) {
  (frame->newer != nullptr ? frame->newer->older : newest) = frame->older;
  (frame->older != nullptr ? frame->older->newer : oldest) = frame->newer;
  bytes -= FrameAllocator::Charge(frame->size);
  --count;
}

BlockCache::Queue& BlockCache::QueueOf(const Frame* frame) {
  return frame->is_in_main ? main_ : small_;
}

std::atomic<uint64_t>& BlockCache::WordOf(const Frame* frame) {
  return frame->slots->words_[frame->index];
}

uint64_t BlockCache::ColdWord(const Frame* frame) {
  const auto address = reinterpret_cast<uint64_t>(frame);
  VARVE_CHECK((address & ~kAddressMask) == 0);  // user space ends below 2^48 unless one asks for more
  return frame->size > kMaxSizeInWord ? address : address | uint64_t{frame->size} << kSizeShift;
}

uint64_t BlockCache::HeatOf(const Frame* frame) {
  return WordOf(frame).load(std::memory_order_relaxed) & kHeatMask;
}

// --- The cache.

BlockCache::BlockCache(ChunkPool* pool, uint64_t capacity_bytes)
    : frames_(pool),
      total_capacity_(capacity_bytes),
      capacity_(capacity_bytes),
      recent_capacity_(capacity_bytes) {}

BlockCache::~BlockCache() {
  bool was_used;
  {
    MutexLock lock(&mu_);
    VARVE_CHECK(small_.count + main_.count == 0);  // a BlockSlots outlives its cache
    was_used = misses_ > 0;
  }
  if (was_used) EpochDrain();  // for frames that are retired
}

Frame* BlockCache::AllocateFrame(size_t size) {
  VARVE_CHECK(size <= std::numeric_limits<uint32_t>::max());
  const uint64_t charge = FrameAllocator::Charge(size);
  // Passing frames are retired one by one and can be as large as values: none waits for a round number.
  if (size > kCollectedBytes) EpochCollect();
  Frame* victims = nullptr;
  Frame* frame = nullptr;
  {
    MutexLock lock(&mu_);
    ++misses_;
    if (size > FrameAllocator::kSlabBlockBytes && charge > capacity_ / kSmallShare) {
      frame = frames_.AllocateFromHeap(this, size);
      frame->is_passing = true;
      passing_bytes_ += charge;
      return frame;
    }
    MakeRoom(charge, &victims);
    // Slabs of large frames hold few: those that are waiting for the epoch weigh.
    const bool is_over = size > FrameAllocator::kSlabBlockBytes &&
                         frames_.bytes() - passing_bytes_ + charge > capacity_;
    if (!is_over && frames_.used_bytes() - passing_bytes_ + charge <= capacity_) {
      frame = frames_.Allocate(this, size, capacity_);
    }
  }
  Retire(victims);
  if (frame != nullptr) return frame;
  // Room has been made, but by frames which guards may still see. Earlier ones are mostly due by
  // now.
  EpochCollect();
  MutexLock lock(&mu_);
  return frames_.Allocate(this, size, capacity_);
}

Frame* BlockCache::Publish(BlockSlots* slots, size_t index, Frame* frame) {
  VARVE_DCHECK(EpochGuardIsHeld());
  VARVE_DCHECK(index < slots->size_ && slots->cache_ == this && frame->cache == this);
  std::atomic<uint64_t>& slot = slots->words_[index];
  Frame* existing = nullptr;
  Frame* victims = nullptr;
  {
    MutexLock lock(&mu_);
    const uint64_t word = slot.load(std::memory_order_acquire);
    if (IsFrame(word)) {
      existing = FrameOf(word);
    } else if (frame->is_passing) {
      frame->newer = nullptr;
      victims = frame;
    } else {
      frame->slots = slots;
      frame->index = static_cast<uint32_t>(index);
      frame->is_in_main = IsYoungGhost(word);
      QueueOf(frame).Push(frame);
      // Release: whoever finds the frame finds its bytes.
      slot.store(ColdWord(frame), std::memory_order_release);
      MakeRoom(0, &victims);
    }
  }
  Retire(victims);
  if (existing == nullptr) return frame;
  Unref(frame);
  return existing;
}

void BlockCache::Unref(Frame* frame) {
  // Acquire and release: every user's reads come before the memory is used again.
  if (frame->refs.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  BlockCache* cache = frame->cache;
  MutexLock lock(&cache->mu_);
  cache->Free(frame);
}

void BlockCache::Free(Frame* frame) {
  if (frame->is_passing) passing_bytes_ -= FrameAllocator::Charge(frame->size);
  frames_.Free(frame);
}

void BlockCache::Erase(BlockSlots* slots) {
  constexpr size_t kSlotsPerTurn = 4096;  // how long others wait for the mutex
  for (size_t begin = 0; begin < slots->size_; begin += kSlotsPerTurn) {
    const size_t end = std::min(slots->size_, begin + kSlotsPerTurn);
    Frame* victims = nullptr;
    {
      MutexLock lock(&mu_);
      for (size_t i = begin; i < end; ++i) {
        const uint64_t word = slots->words_[i].load(std::memory_order_relaxed);
        if (IsFrame(word)) {
          Unlink(FrameOf(word), 0, &victims);
        } else if (word != 0) {
          slots->words_[i].store(0, std::memory_order_relaxed);
        }
      }
    }
    Retire(victims);
  }
}

// --- Room.

void BlockCache::MakeRoom(uint64_t incoming_bytes, Frame** victims) {
  const uint64_t limit = capacity_ - HeadroomBytes(capacity_);
  while (small_.count + main_.count > 0 && HeldBytes() + incoming_bytes > limit) {
    EvictOne(victims);
  }
  EmptySlabs(victims);
}

uint64_t BlockCache::HeldBytes() const {
  return frames_.used_bytes() - passing_bytes_ - retired_bytes_;
}

void BlockCache::EvictOne(Frame** victims) {
  for (int step = 0; step < kMaxStepsPerEviction; ++step) {
    const bool main_is_due = small_.count == 0 || main_.bytes > capacity_ - capacity_ / kSmallShare;
    if (main_is_due ? StepMain(victims) : StepSmall(victims)) return;
  }
  // All that was looked at is in use: rather the latest newcomer than one of those, unless it has
  // been hit too.
  if (small_.count > 0 && HeatOf(small_.newest) < kPromotionHeat) {
    Unlink(small_.newest, kGhostBit | ++ghost_stamp_, victims);
  } else {
    Unlink(main_.count > 0 ? main_.oldest : small_.oldest, 0, victims);
  }
}

// Evicts the oldest of the small queue, or moves it to the main queue and returns false.
bool BlockCache::StepSmall(Frame** victims) {
  Frame* frame = small_.oldest;
  if (HeatOf(frame) < kPromotionHeat) {
    Unlink(frame, kGhostBit | ++ghost_stamp_, victims);
    return true;
  }
  small_.Remove(frame);
  frame->is_in_main = true;
  main_.Push(frame);
  // Cold again. Release, as in Publish: this store replaces the one that readers synchronise with.
  WordOf(frame).store(ColdWord(frame), std::memory_order_release);
  return false;
}

// Evicts the oldest of the main queue, or cools it and sends it round again and returns false.
bool BlockCache::StepMain(Frame** victims) {
  Frame* frame = main_.oldest;
  std::atomic<uint64_t>& slot = WordOf(frame);
  const uint64_t word = slot.load(std::memory_order_relaxed);
  if ((word & kHeatMask) == 0) {
    Unlink(frame, 0, victims);
    return true;
  }
  main_.Remove(frame);
  main_.Push(frame);
  slot.store(word - 1, std::memory_order_release);  // as in StepSmall
  return false;
}

// The window of the ghost queue: as many evictions as there are blocks in the cache.
bool BlockCache::IsYoungGhost(uint64_t word) const {
  return (word & kGhostBit) != 0 && ghost_stamp_ - (word & ~kGhostBit) < small_.count + main_.count;
}

// Slabs only shrink when other frames took their place in the budget, or the budget itself shrank.
void BlockCache::EmptySlabs(Frame** victims) {
  while (frames_.bytes_after_emptying() - passing_bytes_ > capacity_ &&
         frames_.free_slab_bytes() >= FrameAllocator::kUsableSlabBytes) {
    std::vector<Frame*> in_use;
    if (!frames_.StartEmptyingSlab(&in_use)) return;
    for (Frame* frame : in_use) {
      if (frame->slots != nullptr) Unlink(frame, 0, victims);
    }
  }
}

void BlockCache::Unlink(Frame* frame, uint64_t new_word, Frame** victims) {
  // Relaxed: EpochRetire orders the unlinking before the freeing.
  WordOf(frame).store(new_word, std::memory_order_relaxed);
  QueueOf(frame).Remove(frame);
  frame->slots = nullptr;
  retired_bytes_ += FrameAllocator::Charge(frame->size);
  frame->newer = *victims;
  *victims = frame;
}

void BlockCache::Retire(Frame* victims) {
  while (victims != nullptr) {
    Frame* next = victims->newer;
    if (VARVE_PLANTED_BUG("block_cache.frees_before_the_epoch")) {
      EndRetirement(victims);
    } else {
      EpochRetire(victims, &BlockCache::EndRetirement);
    }
    victims = next;
  }
}

// Drops the reference of the slot that the frame has left.
void BlockCache::EndRetirement(void* object) {
  auto* frame = static_cast<Frame*>(object);
  BlockCache* cache = frame->cache;
  MutexLock lock(&cache->mu_);
  if (!frame->is_passing) cache->retired_bytes_ -= FrameAllocator::Charge(frame->size);
  if (frame->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) cache->Free(frame);
}

// --- Capacity and counts.

void BlockCache::SetCapacity(uint64_t capacity_bytes) {
  // The second turn gives back the slabs which the first one's evictions have emptied.
  for (int turn = 0; turn < 2; ++turn) {
    Frame* victims = nullptr;
    {
      MutexLock lock(&mu_);
      total_capacity_ = capacity_bytes;
      FitCapacity(&victims);
    }
    Retire(victims);
    EpochCollect();
  }
}

void BlockCache::Reserve(int64_t bytes) {
  Frame* victims = nullptr;
  {
    MutexLock lock(&mu_);
    reserved_bytes_ += static_cast<uint64_t>(bytes);
    FitCapacity(&victims);
  }
  Retire(victims);
}

void BlockCache::FitCapacity(Frame** victims) {
  capacity_ = total_capacity_ - std::min(reserved_bytes_, total_capacity_ / 2);
  recent_capacity_.store(capacity_, std::memory_order_relaxed);
  MakeRoom(0, victims);
}

uint64_t BlockCache::capacity() {
  MutexLock lock(&mu_);
  return capacity_;
}

uint64_t BlockCache::bytes() {
  MutexLock lock(&mu_);
  return frames_.bytes();
}

uint64_t BlockCache::hits() const {
  uint64_t sum = 0;
  for (const HitCell& cell : hit_cells_) sum += cell.count.load(std::memory_order_relaxed);
  return sum;
}

uint64_t BlockCache::misses() {
  MutexLock lock(&mu_);
  return misses_;
}

}  // namespace varve
