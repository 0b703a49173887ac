#include "engine/block_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/epoch.h"
#include "base/random.h"
#include "env/env.h"

namespace varve {
namespace block_cache_test {

constexpr size_t kBlock = 4080;
constexpr uint64_t kCharge = FrameAllocator::Charge(kBlock);

// The segments' content: every block's bytes follow from the segment's name and the block's index.
void Fill(Frame* frame, uint64_t segment, size_t index) {
  std::memset(frame->data(), static_cast<int>(segment * 31 + index * 7), frame->size);
}
bool IsIntact(const Frame* frame, uint64_t segment, size_t index) {
  const char expected = static_cast<char>(segment * 31 + index * 7);
  return frame->size == 0 ||
         (frame->data()[0] == expected && frame->data()[frame->size / 2] == expected &&
          frame->data()[frame->size - 1] == expected);
}

class BlockCacheTest : public ::testing::Test {
 protected:
  void Open(uint64_t capacity, size_t block_count = 100000) {
    cache_ = std::make_unique<BlockCache>(&pool_, capacity);
    slots_ = std::make_unique<BlockSlots>(cache_.get(), block_count);
  }
  void TearDown() override {
    slots_.reset();
    if (cache_ != nullptr) cache_->SetCapacity(0);
    EpochDrain();
    if (cache_ != nullptr) {
      cache_->SetCapacity(0);
      EXPECT_EQ(cache_->bytes(), 0u) << "memory lost";
    }
    cache_.reset();
    EXPECT_EQ(pool_.allocated_bytes(), 0u);
  }

  // Reads a block as a segment reader does; true when it was a hit.
  bool Read(size_t index, size_t size = kBlock) {
    EpochGuard guard;
    Frame* frame = BlockCache::Lookup(*slots_, index);
    const bool is_hit = frame != nullptr;
    if (!is_hit) frame = Load(index, size);
    EXPECT_TRUE(IsIntact(frame, 0, index)) << index;
    return is_hit;
  }
  void ReadRange(size_t begin, size_t end, size_t size = kBlock) {
    for (size_t i = begin; i < end; ++i) Read(i, size);
  }
  Frame* Load(size_t index, size_t size = kBlock) {
    Frame* frame = cache_->AllocateFrame(size);
    Fill(frame, 0, index);
    return cache_->Publish(slots_.get(), index, frame);
  }
  // Reads and keeps a pin.
  Frame* Pin(size_t index, size_t size = kBlock) {
    EpochGuard guard;
    Frame* frame = BlockCache::Lookup(*slots_, index);
    if (frame == nullptr) frame = Load(index, size);
    BlockCache::Ref(frame);
    return frame;
  }
  bool IsCached(size_t index) {
    EpochGuard guard;
    return BlockCache::Lookup(*slots_, index) != nullptr;
  }
  size_t CountCached(size_t begin, size_t end) {
    size_t count = 0;
    for (size_t i = begin; i < end; ++i) count += IsCached(i);
    return count;
  }

  ChunkPool pool_{Env::Default(), 1};
  std::unique_ptr<BlockCache> cache_;
  std::unique_ptr<BlockSlots> slots_;
};

TEST_F(BlockCacheTest, BlockIsFoundAfterItWasPublished) {
  Open(1 << 20);
  EXPECT_FALSE(Read(5));
  EXPECT_TRUE(Read(5));
  EXPECT_TRUE(Read(5));
  EXPECT_FALSE(Read(6));
  EXPECT_EQ(cache_->hits(), 2u);
  EXPECT_EQ(cache_->misses(), 2u);
}

TEST_F(BlockCacheTest, BlocksOfAllSizesAreAlignedAndWhole) {
  Open(64 << 20);
  const size_t sizes[] = {0, 1, 100, kBlock, 4096, 4097, 8192, 65537, 1 << 20};
  for (size_t i = 0; i < std::size(sizes); ++i) {
    Frame* frame = Pin(i, sizes[i]);
    EXPECT_EQ(frame->size, sizes[i]);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(frame->data()) % 64, 0u);
    BlockCache::Unref(frame);
    EXPECT_TRUE(Read(i));
  }
}

TEST_F(BlockCacheTest, FirstPublisherWins) {
  Open(1 << 20);
  EpochGuard guard;
  Frame* mine = cache_->AllocateFrame(kBlock);
  Fill(mine, 0, 3);
  Frame* theirs = Load(3);
  EXPECT_EQ(cache_->Publish(slots_.get(), 3, mine), theirs);
  EXPECT_EQ(BlockCache::Lookup(*slots_, 3), theirs);
  EXPECT_EQ(cache_->bytes(), kCharge);
}

TEST_F(BlockCacheTest, FrameOfAFailedReadIsGivenBack) {
  Open(1 << 20);
  Frame* frame = cache_->AllocateFrame(kBlock);
  EXPECT_EQ(cache_->bytes(), kCharge);
  BlockCache::Unref(frame);
  EXPECT_EQ(cache_->bytes(), 0u);
  EXPECT_FALSE(IsCached(0));
}

TEST_F(BlockCacheTest, EvictedFrameLivesAsLongAsTheGuard) {
  Open(20 * kCharge);
  EpochGuard guard;
  Frame* frame = Load(0);
  for (size_t i = 1; i < 1000; ++i) Load(i);
  EXPECT_FALSE(IsCached(0));
  EXPECT_TRUE(IsIntact(frame, 0, 0));
}

TEST_F(BlockCacheTest, PinnedFrameOutlivesEvictionAndErase) {
  Open(20 * kCharge);
  Frame* evicted = Pin(0);
  ReadRange(1, 1000);
  EXPECT_FALSE(IsCached(0));
  Frame* erased = Pin(2000);
  cache_->Erase(slots_.get());
  EpochDrain();
  EXPECT_FALSE(IsCached(2000));
  EXPECT_TRUE(IsIntact(evicted, 0, 0));
  EXPECT_TRUE(IsIntact(erased, 0, 2000));
  EXPECT_EQ(cache_->bytes(), 2 * kCharge);
  BlockCache::Unref(evicted);
  BlockCache::Unref(erased);
  EXPECT_EQ(cache_->bytes(), 0u);
}

TEST_F(BlockCacheTest, PinOutlivesTheSegment) {
  Open(1 << 20);
  Frame* frame = Pin(7);
  slots_.reset();
  EpochDrain();
  EXPECT_TRUE(IsIntact(frame, 0, 7));
  BlockCache::Unref(frame);
}

// --- The budget.

TEST_F(BlockCacheTest, CapacityIsNeverExceededByMoreThanTheBlockInFlight) {
  for (const uint64_t capacity : {uint64_t{0}, kCharge, 10 * kCharge, uint64_t{300} << 10,
                                  uint64_t{3} << 20, uint64_t{17} << 20}) {
    SCOPED_TRACE(capacity);
    Open(capacity);
    Random random(1);
    uint64_t largest = 0;
    for (int i = 0; i < 20000; ++i) {
      Read(random.Uniform(20000));
      largest = std::max(largest, cache_->bytes());
    }
    // One in flight; without headroom also the one that made room for it.
    EXPECT_LE(largest, capacity + (capacity < 32 * kCharge ? 2 : 1) * kCharge);
    EXPECT_GE(largest, capacity * 98 / 100);  // and it is made use of
    TearDown();
  }
}

TEST_F(BlockCacheTest, CachedBlocksFillAlmostTheWholeCapacity) {
  Open(uint64_t{16} << 20);
  ReadRange(0, 20000);
  EXPECT_GE(CountCached(0, 20000) * kCharge, cache_->capacity() * 95 / 100);
}

TEST_F(BlockCacheTest, PinnedFramesTakeTheirRoomFromTheOthers) {
  constexpr uint64_t kCapacity = 400 * kCharge;
  Open(kCapacity);
  std::vector<Frame*> pins;
  for (size_t i = 0; i < 300; ++i) pins.push_back(Pin(i));
  ReadRange(1000, 4000);
  EXPECT_LE(cache_->bytes(), kCapacity + kCharge);
  for (size_t i = 0; i < pins.size(); ++i) EXPECT_TRUE(IsIntact(pins[i], 0, i));
  for (Frame* frame : pins) BlockCache::Unref(frame);
  ReadRange(5000, 9000);
  EXPECT_GE(CountCached(0, 9000), 350u);
}

TEST_F(BlockCacheTest, FramesPinnedBeyondTheCapacityDoNotStopReads) {
  Open(10 * kCharge);
  std::vector<Frame*> pins;
  for (size_t i = 0; i < 100; ++i) pins.push_back(Pin(i));
  EXPECT_GE(cache_->bytes(), 100 * kCharge);
  for (size_t i = 0; i < pins.size(); ++i) EXPECT_TRUE(IsIntact(pins[i], 0, i));
  for (Frame* frame : pins) BlockCache::Unref(frame);
  Read(200);
  Read(201);
  EXPECT_LE(cache_->bytes(), 11 * kCharge);
}

TEST_F(BlockCacheTest, CapacityHoldsAgainWhenAGuardElsewhereHasEnded) {
  constexpr uint64_t kCapacity = 100 * kCharge;
  Open(kCapacity);
  ReadRange(0, 1000);
  std::latch entered(1);
  std::latch end(1);
  std::thread other([&] {
    EpochGuard guard;
    entered.count_down();
    end.wait();
  });
  entered.wait();
  ReadRange(1000, 2000);
  EXPECT_GE(cache_->bytes(), 500 * kCharge);  // held back by the guard
  EXPECT_GE(CountCached(0, 2000), 90u);       // which does not empty the cache
  end.count_down();
  other.join();
  ReadRange(2000, 2002);
  EXPECT_LE(cache_->bytes(), kCapacity + kCharge);
}

TEST_F(BlockCacheTest, ShrinkingGivesMemoryBackAtOnceAndGrowingUsesIt) {
  Open(uint64_t{40} << 20);
  ReadRange(0, 20000);
  EXPECT_GE(pool_.allocated_bytes(), uint64_t{38} << 20);
  cache_->SetCapacity(uint64_t{10} << 20);
  EXPECT_EQ(cache_->capacity(), uint64_t{10} << 20);
  EXPECT_LE(cache_->bytes(), uint64_t{12} << 20);
  EXPECT_LE(pool_.allocated_bytes(), uint64_t{12} << 20);
  ReadRange(0, 20000);
  EXPECT_LE(cache_->bytes(), uint64_t{12} << 20);
  cache_->SetCapacity(uint64_t{30} << 20);
  ReadRange(0, 20000);
  EXPECT_GE(CountCached(0, 20000) * kCharge, uint64_t{28} << 20);
  cache_->SetCapacity(0);
  EXPECT_EQ(cache_->bytes(), 0u);
  EXPECT_EQ(pool_.allocated_bytes(), 0u);
}

TEST_F(BlockCacheTest, WhatIsReservedIsGivenUpAndComesBack) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  Open(20 * kMiB);
  ReadRange(0, 20000);
  cache_->Reserve(5 * kMiB);
  cache_->Reserve(2 * kMiB);
  EXPECT_EQ(cache_->capacity(), 13 * kMiB);
  ReadRange(0, 20000);
  EXPECT_LE(cache_->bytes(), 15 * kMiB);  // a slab more
  cache_->Reserve(30 * kMiB);
  EXPECT_EQ(cache_->capacity(), 10 * kMiB) << "never more than half";
  cache_->SetCapacity(30 * kMiB);
  EXPECT_EQ(cache_->capacity(), 15 * kMiB);
  cache_->Reserve(-35 * int64_t{kMiB});
  EXPECT_EQ(cache_->capacity(), 28 * kMiB);
  cache_->Reserve(-2 * int64_t{kMiB});
  EXPECT_EQ(cache_->capacity(), 30 * kMiB);
}

TEST_F(BlockCacheTest, LargeBlocksTakeTheRoomOfUsualOnesAndBack) {
  constexpr uint64_t kCapacity = uint64_t{20} << 20;
  Open(kCapacity);
  ReadRange(0, 10000);
  uint64_t largest = 0;
  for (size_t i = 20000; i < 22000; ++i) {
    Read(i, 64 << 10);
    largest = std::max(largest, cache_->bytes());
  }
  // Nearly one slab's worth of frames may be free without being given back, and one may be on its
  // way.
  EXPECT_LE(largest, kCapacity + 2 * ChunkPool::kChunkBytes + (64 << 10) + kCharge);
  EXPECT_GE(CountCached(20000, 22000) * (64 << 10), kCapacity * 8 / 10);
  ReadRange(30000, 50000);
  EXPECT_LE(cache_->bytes(), kCapacity + kCharge);
  EXPECT_GE(CountCached(30000, 50000) * kCharge, kCapacity * 8 / 10);
}

// Frames of large values, on both sides of every border between size classes: each holds its size and
// touches no other.
TEST_F(BlockCacheTest, LargeFramesAreApartFromEachOther) {
  Open(uint64_t{512} << 20);
  std::vector<size_t> sizes;
  for (size_t parts = 1; parts <= 18; ++parts) {
    const size_t border = ChunkPool::kChunkBytes / parts - sizeof(Frame);
    for (const int offset : {-65, -64, -1, 0, 1, 64, 65}) {
      for (int copy = 0; copy < 2; ++copy) sizes.push_back(border + static_cast<size_t>(offset));
    }
  }
  std::vector<Frame*> frames;
  for (size_t i = 0; i < sizes.size(); ++i) {
    frames.push_back(Pin(i, sizes[i]));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(frames[i]) % alignof(Frame), 0u);
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    const std::string expected(sizes[i], static_cast<char>(i * 7));
    EXPECT_EQ(std::memcmp(frames[i]->data(), expected.data(), sizes[i]), 0) << sizes[i];
    EXPECT_EQ(frames[i]->size, sizes[i]);
  }
  for (Frame* frame : frames) BlockCache::Unref(frame);
}

TEST_F(BlockCacheTest, LargeFramesOfOneSizeShareChunks) {
  constexpr size_t kLarge = 256 << 10;
  Open(uint64_t{128} << 20);
  ReadRange(0, 70, kLarge);
  EXPECT_EQ(CountCached(0, 70), 70u);
  EXPECT_EQ(pool_.allocated_bytes(), 10 * ChunkPool::kChunkBytes);  // seven to a chunk
  EXPECT_EQ(cache_->bytes(), pool_.allocated_bytes());
}

// Sizes of all classes in turn and at random: the budget holds, no memory is stuck in slabs that others
// need, and usual blocks get it back.
TEST_F(BlockCacheTest, LargeFramesOfManySizesKeepTheBudget) {
  for (const uint64_t capacity : {uint64_t{12} << 20, uint64_t{48} << 20, uint64_t{200} << 20}) {
    SCOPED_TRACE(capacity);
    Open(capacity, 200000);
    Random random(7);
    uint64_t largest = 0;
    for (size_t i = 0; i < 1500; ++i) {
      Read(i, random.Uniform(2) == 0 ? kBlock : (100 << 10) + random.Uniform(900 << 10));
      largest = std::max(largest, cache_->bytes());
    }
    EXPECT_LE(largest, capacity + 2 * ChunkPool::kChunkBytes);
    ReadRange(2000, 2000 + 2 * capacity / kCharge, kBlock);
    EXPECT_LE(cache_->bytes(), capacity + ChunkPool::kChunkBytes);
    EXPECT_GE(CountCached(2000, 2000 + 2 * capacity / kCharge) * kCharge, capacity * 8 / 10);
    TearDown();
  }
}

// A hit's bytes come from the slot's word as long as the size fits there, and from the frame beyond.
TEST_F(BlockCacheTest, LookupGivesTheBytesOfEverySize) {
  Open(uint64_t{64} << 20);
  const size_t sizes[] = {0, 1, kBlock, 4096, 32766, 32767, 32768, 65535, 1 << 20};
  for (size_t i = 0; i < std::size(sizes); ++i) Read(i, sizes[i]);
  for (int round = 0; round < 5; ++round) {  // at every heat
    for (size_t i = 0; i < std::size(sizes); ++i) {
      EpochGuard guard;
      const std::string_view peeked = BlockCache::Peek(*slots_, i);
      EXPECT_EQ(peeked.size(), sizes[i] <= 32767 ? sizes[i] : 0);
      std::string_view bytes;
      Frame* frame = BlockCache::Lookup(*slots_, i, &bytes);
      ASSERT_NE(frame, nullptr);
      EXPECT_EQ(bytes.data(), frame->data());
      EXPECT_EQ(bytes.size(), sizes[i]);
      if (!peeked.empty()) {
        EXPECT_EQ(peeked.data(), frame->data());
      }
    }
  }
  EpochGuard guard;
  EXPECT_TRUE(BlockCache::Peek(*slots_, 500).empty());
}

TEST_F(BlockCacheTest, HugeBlocksPassThroughWithoutDisplacingOthers) {
  Open(uint64_t{4} << 20);
  ReadRange(0, 900);
  const size_t cached = CountCached(0, 900);
  for (size_t i = 1000; i < 1010; ++i) {
    Frame* frame = Pin(i, 3 << 20);
    EXPECT_TRUE(IsIntact(frame, 0, i));
    EXPECT_FALSE(IsCached(i));
    BlockCache::Unref(frame);
    // Those before the last are gone, although fewer than are usually collected together.
    EXPECT_LE(cache_->bytes(), cache_->capacity() + 2 * FrameAllocator::Charge(3 << 20)) << i;
  }
  EXPECT_EQ(CountCached(0, 900), cached);
  ReadRange(2000, 4000);
  EXPECT_LE(cache_->bytes(), cache_->capacity() + kCharge);
  EXPECT_GE(CountCached(0, 4000), 900u);
}

// --- The policy.

TEST_F(BlockCacheTest, BlocksInUseSurviveAScan) {
  Open(1000 * kCharge);
  for (int round = 0; round < 4; ++round) ReadRange(0, 500);
  ReadRange(10000, 20000);
  EXPECT_GE(CountCached(0, 500), 495u);
}

TEST_F(BlockCacheTest, BlockThatComesBackSoonSurvivesAScan) {
  Open(1000 * kCharge);
  ReadRange(10000, 20000);
  ReadRange(0, 200);
  ReadRange(20000, 21000);  // pushes them out of the small queue, not out of the ghost's window
  EXPECT_EQ(CountCached(0, 200), 0u);
  ReadRange(0, 200);
  ReadRange(30000, 40000);
  EXPECT_GE(CountCached(0, 200), 195u);
}

TEST_F(BlockCacheTest, BlockThatComesBackLateIsNewAgain) {
  Open(1000 * kCharge);
  ReadRange(10000, 20000);
  ReadRange(0, 200);
  ReadRange(20000, 23000);
  ReadRange(0, 200);
  ReadRange(30000, 40000);
  EXPECT_EQ(CountCached(0, 200), 0u);
}

TEST_F(BlockCacheTest, BlocksNoLongerInUseCoolDownAndLeave) {
  Open(1000 * kCharge);
  for (int round = 0; round < 4; ++round) ReadRange(0, 800);
  ReadRange(10000, 13000);  // moves them to the main queue
  for (int round = 0; round < 4; ++round) ReadRange(0, 800);
  EXPECT_GE(CountCached(0, 800), 790u);
  for (int round = 0; round < 30; ++round) ReadRange(1000, 1800);
  EXPECT_LE(CountCached(0, 800), 200u);
  EXPECT_GE(CountCached(1000, 1800), 790u);
}

TEST_F(BlockCacheTest, NewcomersGiveWayWhenAllOthersAreHot) {
  Open(1000 * kCharge);
  ReadRange(0, 2000);
  std::vector<size_t> cached;
  for (size_t i = 0; i < 2000; ++i) {
    if (IsCached(i)) cached.push_back(i);
  }
  for (int round = 0; round < 3; ++round) {
    for (size_t i : cached) EXPECT_TRUE(Read(i));
  }
  for (size_t i = 0; i < 10; ++i) Read(5000 + i);
  const size_t left = static_cast<size_t>(
      std::count_if(cached.begin(), cached.end(), [&](size_t i) { return IsCached(i); }));
  EXPECT_GE(left, cached.size() - 1);
  EXPECT_LE(left + CountCached(5000, 5010), cached.size());
}

// --- Segments that go away.

TEST_F(BlockCacheTest, ErasedSegmentCanBeReadAgain) {
  Open(1 << 20);
  ReadRange(0, 100);
  cache_->Erase(slots_.get());
  EXPECT_EQ(CountCached(0, 100), 0u);
  ReadRange(0, 100);
  EXPECT_EQ(CountCached(0, 100), 100u);
}

TEST_F(BlockCacheTest, DestroyedSegmentsLeaveOthersAlone) {
  Open(100 * kCharge);
  ReadRange(0, 50);
  for (int i = 0; i < 20; ++i) {
    BlockSlots brief(cache_.get(), 1000);
    for (size_t block = 0; block < 30; ++block) {
      EpochGuard guard;
      Frame* frame = cache_->AllocateFrame(kBlock);
      Fill(frame, 1, block);
      EXPECT_TRUE(IsIntact(cache_->Publish(&brief, block, frame), 1, block));
    }
  }
  ReadRange(1000, 1500);  // evicts through whatever the queues hold
  EXPECT_LE(cache_->bytes(), cache_->capacity() + kCharge);
}

TEST_F(BlockCacheTest, SegmentWithoutBlocks) {
  Open(1 << 20, 0);
  EXPECT_EQ(slots_->size(), 0u);
}

// --- Many threads.

// What the threads read through their pins comes before the memory is freed, whoever is last. (For
// ThreadSanitizer.)
TEST_F(BlockCacheTest, PinsGivenBackByTwoThreadsAtOnce) {
  Open(100 * kCharge);
  for (size_t i = 0; i < 100; ++i) {
    Frame* frame = Pin(i);
    BlockCache::Ref(frame);
    cache_->Erase(slots_.get());
    EpochDrain();
    const auto read_and_unref = [frame, i] {
      EXPECT_TRUE(IsIntact(frame, 0, i));
      BlockCache::Unref(frame);
    };
    std::thread one(read_and_unref);
    std::thread other(read_and_unref);
    one.join();
    other.join();
    EXPECT_EQ(cache_->bytes(), 0u);
  }
}

// Threads read segments that come and go, pin blocks for a while, and the capacity changes: bytes
// are right all the time, and no memory is lost (TearDown).
TEST_F(BlockCacheTest, ConcurrentReadersPinsErasesAndResizes) {
  constexpr size_t kSegments = 4;
  constexpr size_t kBlocks = 600;
  constexpr int kReaders = 4;
  constexpr int kReads = 20000;
  struct Segment {
    Segment(BlockCache* cache, uint64_t its_name) : name(its_name), slots(cache, kBlocks) {}
    const uint64_t name;
    BlockSlots slots;
  };
  Open(uint64_t{4} << 20);
  std::atomic<Segment*> segments[kSegments];
  uint64_t next_name = 0;
  for (auto& segment : segments) segment = new Segment(cache_.get(), next_name++);
  std::atomic<int> readers{kReaders};
  std::atomic<uint64_t> damaged{0};
  std::atomic<uint64_t> hits{0};
  std::vector<std::thread> threads;
  for (int r = 0; r < kReaders; ++r) {
    threads.emplace_back([&, r] {
      struct PinnedBlock {
        Frame* frame = nullptr;
        uint64_t name;
        size_t index;
      };
      Random random(static_cast<uint64_t>(r));
      PinnedBlock pins[16];
      for (int i = 0; i < kReads; ++i) {
        EpochGuard guard;
        Segment* segment = segments[random.Uniform(kSegments)].load(std::memory_order_acquire);
        const size_t index = random.Uniform(1 + random.Uniform(kBlocks));
        Frame* frame = BlockCache::Lookup(segment->slots, index);
        hits += frame != nullptr;
        if (frame == nullptr) {
          frame = cache_->AllocateFrame(index % 50 == 0 ? 20000 : kBlock);
          Fill(frame, segment->name, index);
          if (random.OneIn(100)) {
            BlockCache::Unref(frame);
            continue;
          }
          frame = cache_->Publish(&segment->slots, index, frame);
        }
        if (random.OneIn(8)) std::this_thread::yield();
        damaged += !IsIntact(frame, segment->name, index);
        if (random.OneIn(4)) {
          PinnedBlock& pin = pins[random.Uniform(std::size(pins))];
          if (pin.frame != nullptr) {
            damaged += !IsIntact(pin.frame, pin.name, pin.index);
            BlockCache::Unref(pin.frame);
          }
          BlockCache::Ref(frame);
          pin = {frame, segment->name, index};
        }
      }
      for (PinnedBlock& pin : pins) {
        if (pin.frame != nullptr) BlockCache::Unref(pin.frame);
      }
      --readers;
    });
  }
  threads.emplace_back([&] {
    Random random(99);
    while (readers > 0) {
      auto* fresh = new Segment(cache_.get(), next_name++);
      Segment* old = segments[random.Uniform(kSegments)].exchange(fresh);
      EpochRetire(old, [](void* p) { delete static_cast<Segment*>(p); });
      cache_->SetCapacity((1 + random.Uniform(8)) << 20);
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(damaged, 0u);
  EXPECT_GT(hits, 0u);
  for (auto& segment : segments) delete segment.load();
}

}  // namespace block_cache_test
}  // namespace varve
