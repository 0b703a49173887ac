// What readers hold on to, under the scheduler: epochs, the switch from one state of the store to the next,
// announced sequence numbers, pooled memory, the block cache. What is freed too early is found by the access.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "base/epoch.h"
#include "base/mutex.h"
#include "engine/block_cache.h"
#include "engine/chunk_pool.h"
#include "engine/memtable.h"
#include "engine/read_slots.h"
#include "tests/sched/sched_env.h"
#include "tests/sched/scheduler.h"

namespace varve {
namespace versions_test {

using sched::ExpectHolds;

template <typename T>
void DeleteAs(void* object) {
  delete static_cast<T*>(object);
}

using Shared = std::atomic<int>;

TEST(EpochSchedules, WhatAGuardMaySeeIsNotFreed) {
  ExpectHolds({.schedules = 12000}, [] {
    std::atomic<Shared*> current{new Shared(1)};
    {
      const auto read = [&] {
        for (int i = 0; i < 2; ++i) {
          EpochGuard guard;
          Shared* seen = current.load(std::memory_order_acquire);
          SCHED_REQUIRE(seen->load() > 0);
          SCHED_REQUIRE(seen->load() > 0);
        }
      };
      sched::Thread a(read), b(read);
      sched::Thread writer([&] {
        for (int i = 2; i < 5; ++i) {
          EpochRetire(current.exchange(new Shared(i)), DeleteAs<Shared>);
          EpochCollect();
        }
      });
    }
    EpochRetire(current.load(), DeleteAs<Shared>);
    EpochDrain();
  });
}

// Two who unlink and collect, guards within guards, and a wait for all that is retired.
TEST(EpochSchedules, ADrainWaitsForEverything) {
  ExpectHolds({.schedules = 5000}, [] {
    static std::atomic<int> alive;
    struct Counted {
      Counted() { alive.fetch_add(1); }
      ~Counted() { alive.fetch_sub(1); }
      Shared value{1};
    };
    alive.store(0);
    std::atomic<Counted*> current{new Counted};
    {
      const auto replace = [&] {
        EpochRetire(current.exchange(new Counted), DeleteAs<Counted>);
        EpochCollect();
      };
      sched::Thread a(replace);
      sched::Thread b([&] {
        replace();
        EpochDrain();
        SCHED_REQUIRE(alive.load() >= 1);
      });
      sched::Thread reader([&] {
        EpochGuard guard;
        Counted* seen = current.load(std::memory_order_acquire);
        EpochGuard nested;
        SCHED_REQUIRE(seen->value.load() == 1);
      });
    }
    EpochRetire(current.load(), DeleteAs<Counted>);
    EpochDrain();
    SCHED_REQUIRE(alive.load() == 0);
  });
}

// A state of the store as readers find it: a memtable behind a pointer, counted (SuperVersion).
struct State {
  explicit State(MemTable* memtable) : table(memtable) { table->Ref(); }
  ~State() { table->Unref(); }
  void Ref() { references.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  MemTable* const table;
  std::atomic<uint32_t> references{1};
};

TEST(VersionSchedules, AReaderNeverSeesAMemtableThatIsGone) {
  ExpectHolds({.schedules = 6000}, [] {
    sched::SchedEnv env;
    ChunkPool pool(&env, 0);
    const auto make = [&](SequenceNumber sequence) {
      sched::Alone alone;
      MemTable* table = MemTable::Create(&pool, 4096);
      table->Add(sequence, EntryKind::kValue, "key", "value", 7);
      State* state = new State(table);
      table->Unref();
      return state;
    };
    std::atomic<State*> current{make(1)};
    {
      const auto get = [](const State* state) {
        Entry entry;
        SCHED_REQUIRE(state->table->Get("key", 7, kMaxSequence, &entry));
        return entry.sequence;
      };
      sched::Thread reader([&] {
        SequenceNumber last = 0;
        for (int i = 0; i < 2; ++i) {
          EpochGuard guard;
          const SequenceNumber now = get(current.load(std::memory_order_acquire));
          SCHED_REQUIRE(now >= last);
          last = now;
        }
      });
      sched::Thread holder([&] {
        State* held;
        {
          EpochGuard guard;
          held = current.load(std::memory_order_acquire);
          held->Ref();
        }
        get(held);
        get(held);
        held->Unref();
      });
      sched::Thread writer([&] {
        for (SequenceNumber i = 2; i < 4; ++i) {
          State* old = current.exchange(make(i), std::memory_order_acq_rel);
          EpochRetire(old, [](void* state) { static_cast<State*>(state)->Unref(); });
          EpochCollect();
        }
      });
    }
    EpochDrain();
    current.load()->Unref();
    SCHED_REQUIRE(pool.allocated_bytes() == 0);
  });
}

// What a job may drop is what no transaction reads at (read_slots.h).
TEST(ReadSlotsSchedules, WhatATransactionReadsAtIsKept) {
  ExpectHolds({.schedules = 12000}, [] {
    ReadSlots slots;
    std::atomic<SequenceNumber> visible{1};
    std::array<std::atomic<bool>, 8> dropped{};
    const auto transaction = [&] {
      SequenceNumber at = 0;
      ReadSlots::Slot* slot = slots.Enter(visible, &at);
      if (slot == nullptr) return;
      SCHED_REQUIRE(!dropped[at].load());
      SCHED_REQUIRE(!dropped[at].load());
      ReadSlots::Leave(slot);
    };
    sched::Thread a(transaction), b(transaction);
    sched::Thread writer([&] {
      for (int i = 0; i < 3; ++i) visible.fetch_add(1);
    });
    sched::Thread job([&] {
      for (int i = 0; i < 2; ++i) {
        const SequenceNumber now = visible.load(std::memory_order_seq_cst);
        std::vector<SequenceNumber> kept;
        slots.Collect(now, &kept);
        for (SequenceNumber at = 1; at < now; ++at) {
          if (std::find(kept.begin(), kept.end(), at) == kept.end()) dropped[at].store(true);
        }
      }
    });
  });
}

TEST(ChunkPoolSchedules, AChunkHasOneOwner) {
  ExpectHolds({.schedules = 4000}, [] {
    sched::SchedEnv env;
    ChunkPool pool(&env, 1);
    {
      const auto use = [&] {
        for (int i = 0; i < 2; ++i) {
          char* chunk = pool.Allocate();
          auto* owner = new (chunk) std::atomic<int>(0);
          SCHED_REQUIRE(owner->fetch_add(1) == 0);
          SCHED_REQUIRE(owner->fetch_sub(1) == 1);
          pool.Release(chunk);
        }
      };
      sched::Thread a(use), b(use), c(use);
    }
    SCHED_REQUIRE(pool.allocated_bytes() == 0);
  });
}

constexpr size_t kBlock = 1000;

class Cache {
 public:
  // Room for two blocks.
  Cache() : cache_(&pool_, 2 * FrameAllocator::Charge(kBlock)), slots_(std::make_unique<BlockSlots>(&cache_, 8)) {}
  ~Cache() {
    slots_.reset();
    cache_.SetCapacity(0);
    EpochDrain();
    SCHED_REQUIRE(cache_.bytes() == 0);
  }
  // As a segment reader does it.
  Frame* Find(size_t index) {
    Frame* frame = BlockCache::Lookup(*slots_, index);
    if (frame != nullptr) return frame;
    frame = cache_.AllocateFrame(kBlock);
    std::memset(frame->data(), static_cast<int>(index + 1), kBlock);
    return cache_.Publish(slots_.get(), index, frame);
  }
  void Read(size_t index) {
    EpochGuard guard;
    Frame* frame = Find(index);
    Check(frame, index);
    sched::Point();
    Check(frame, index);
  }
  void ReadPinned(size_t index) {
    Frame* frame;
    {
      EpochGuard guard;
      frame = Find(index);
      BlockCache::Ref(frame);
    }
    sched::Point();
    Check(frame, index);
    BlockCache::Unref(frame);
  }
  void Erase() { cache_.Erase(slots_.get()); }
  void Shrink() { cache_.SetCapacity(FrameAllocator::Charge(kBlock)); }

 private:
  static void Check(const Frame* frame, size_t index) {
    SCHED_REQUIRE(frame->size == kBlock);
    SCHED_REQUIRE(frame->refs.load() > 0);
    const char expected = static_cast<char>(index + 1);
    SCHED_REQUIRE(frame->data()[0] == expected && frame->data()[kBlock - 1] == expected);
  }

  sched::SchedEnv env_;
  ChunkPool pool_{&env_, 0};
  BlockCache cache_;
  std::unique_ptr<BlockSlots> slots_;
};

TEST(BlockCacheSchedules, ABlockIsWholeAsLongAsAGuardOrAPinHoldsIt) {
  ExpectHolds({.schedules = 6000}, [] {
    Cache cache;
    sched::Thread a([&] {
      for (const size_t index : {0, 1, 2}) cache.Read(index);
    });
    sched::Thread b([&] {
      for (const size_t index : {2, 0, 3}) cache.ReadPinned(index);
    });
    sched::Thread c([&] {
      cache.Read(0);
      cache.Erase();
      cache.Read(2);
    });
  });
}

TEST(BlockCacheSchedules, ABlockIsWholeWhileTheCacheShrinks) {
  ExpectHolds({.schedules = 4000}, [] {
    Cache cache;
    sched::Thread a([&] {
      for (const size_t index : {0, 1, 0}) cache.Read(index);
    });
    sched::Thread b([&] { cache.ReadPinned(1); });
    sched::Thread c([&] { cache.Shrink(); });
  });
}

}  // namespace versions_test
}  // namespace varve
