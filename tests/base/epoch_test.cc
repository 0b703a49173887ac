#include "base/epoch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <latch>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "base/random.h"

namespace varve {
namespace epoch_test {

// Everything here shares the process-wide domain, so every test leaves it empty.
class EpochTest : public ::testing::Test {
 protected:
  void TearDown() override { EpochDrain(); }

  // Retires something that counts its deletion in deleted_.
  void Retire() {
    EpochRetire(&deleted_,
                [](void* count) { static_cast<std::atomic<int>*>(count)->fetch_add(1); });
  }
  int deleted() const { return deleted_.load(); }

  std::atomic<int> deleted_{0};
};

// A guard held by another thread until End().
class GuardElsewhere {
 public:
  GuardElsewhere() {
    std::latch entered(1);
    thread_ = std::thread([this, &entered] {
      EpochGuard guard;
      entered.count_down();
      end_.wait();
    });
    entered.wait();
  }
  ~GuardElsewhere() {
    if (thread_.joinable()) End();
  }
  void End() {
    end_.count_down();
    thread_.join();
  }

 private:
  std::latch end_{1};
  std::thread thread_;
};

TEST_F(EpochTest, WithoutGuardsACollectionDeletes) {
  Retire();
  EXPECT_EQ(deleted(), 0);
  EpochCollect();
  EXPECT_EQ(deleted(), 1);
}

TEST_F(EpochTest, OwnGuardHoldsBackUntilItEnds) {
  {
    EpochGuard guard;
    Retire();
    for (int i = 0; i < 10; ++i) EpochCollect();
    EXPECT_EQ(deleted(), 0);
  }
  EpochCollect();
  EXPECT_EQ(deleted(), 1);
}

TEST_F(EpochTest, EndOfANestedGuardDoesNotEndTheOuterOne) {
  EXPECT_FALSE(EpochGuardIsHeld());
  {
    EpochGuard outer;
    {
      EpochGuard inner;
      Retire();
    }
    EXPECT_TRUE(EpochGuardIsHeld());
    EpochCollect();
    EXPECT_EQ(deleted(), 0);
  }
  EXPECT_FALSE(EpochGuardIsHeld());
}

TEST_F(EpochTest, GuardOfAnotherThreadHoldsBackUntilItEnds) {
  GuardElsewhere other;
  Retire();
  for (int i = 0; i < 10; ++i) EpochCollect();
  EXPECT_EQ(deleted(), 0);
  other.End();
  EpochCollect();
  EXPECT_EQ(deleted(), 1);
}

TEST_F(EpochTest, GuardThatBeganAfterACollectionDoesNotHoldBackWhatWasRetiredBefore) {
  GuardElsewhere older;
  Retire();
  EpochCollect();  // in vain, but the epoch goes on
  GuardElsewhere younger;
  older.End();
  EpochCollect();
  EXPECT_EQ(deleted(), 1);
}

TEST_F(EpochTest, ReenteringAnnouncesTheNewEpoch) {
  for (int i = 1; i <= 5; ++i) {
    EpochGuard guard;
    Retire();
    EpochCollect();
    EXPECT_EQ(deleted(), i - 1);
  }
}

TEST_F(EpochTest, RetiringCollectsByItselfFromTimeToTime) {
  for (int i = 0; i < 1000; ++i) Retire();
  EXPECT_GE(deleted(), 900);
}

TEST_F(EpochTest, DeletersRunInTheOrderOfRetiring) {
  static std::vector<int>* order;
  std::vector<int> deleted_order;
  order = &deleted_order;
  int numbers[3] = {0, 1, 2};
  for (int& number : numbers) {
    EpochRetire(&number, [](void* p) { order->push_back(*static_cast<int*>(p)); });
  }
  EpochDrain();
  EXPECT_EQ(deleted_order, (std::vector<int>{0, 1, 2}));
}

TEST_F(EpochTest, DrainCoversWhatDeletersRetire) {
  static std::atomic<int> left;
  left = 100;
  static void (*chain)(void*) = [](void* p) {
    if (--left > 0) EpochRetire(p, chain);
  };
  EpochRetire(nullptr, chain);
  EpochDrain();
  EXPECT_EQ(left.load(), 0);
}

TEST_F(EpochTest, DrainWaitsForGuardsOfOtherThreads) {
  GuardElsewhere other;
  Retire();
  std::atomic<bool> has_ended{false};
  std::thread ender([&] {
    has_ended = true;
    other.End();
  });
  EpochDrain();
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(deleted(), 1);
  ender.join();
}

TEST_F(EpochTest, DrainFromManyThreadsWhileOthersRetire) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; ++i) {
        std::atomic<int> mine{0};  // on the stack: Drain must not return before its deleter has
        EpochRetire(&mine, [](void* p) { static_cast<std::atomic<int>*>(p)->store(1); });
        EpochDrain();
        EXPECT_EQ(mine.load(), 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(EpochTest, ManyMoreThreadsThanOneBlockOfSlotsEachHoldBack) {
  constexpr int kThreads = 100;
  std::latch all_entered(kThreads);
  std::atomic<uint32_t> index[kThreads];
  std::vector<std::thread> threads;
  std::vector<std::latch*> one_may_end;
  for (int t = 0; t < kThreads; ++t) one_may_end.push_back(new std::latch(1));
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      EpochGuard guard;
      index[t] = EpochThreadIndex();
      all_entered.count_down();
      one_may_end[t]->wait();
    });
  }
  all_entered.wait();
  Retire();
  std::set<uint32_t> distinct;
  for (int t = 0; t < kThreads; ++t) {
    distinct.insert(index[t]);
    EpochCollect();
    EXPECT_EQ(deleted(), 0) << "with " << kThreads - t << " guards left";
    one_may_end[t]->count_down();
    threads[t].join();
    delete one_may_end[t];
  }
  EXPECT_EQ(distinct.size(), static_cast<size_t>(kThreads));
  EpochCollect();
  EXPECT_EQ(deleted(), 1);
}

TEST_F(EpochTest, SlotsOfEndedThreadsAreUsedAgain) {
  std::set<uint32_t> indexes;
  for (int t = 0; t < 500; ++t) {
    std::thread([&] {
      EpochGuard guard;
      indexes.insert(EpochThreadIndex());
    }).join();
  }
  EXPECT_EQ(indexes.size(), 1u);
}

TEST_F(EpochTest, GuardsWorkInDestructorsAtTheEndOfAThread) {
  struct UsesGuardLate {
    ~UsesGuardLate() {
      for (int i = 0; i < 3; ++i) {
        EpochGuard guard;
        index = EpochThreadIndex();
        EpochGuard nested;
        EXPECT_TRUE(EpochGuardIsHeld());
      }
      *seen = index;
    }
    uint32_t index = 0;
    uint32_t* seen = nullptr;
  };
  std::set<uint32_t> indexes;
  for (int t = 0; t < 100; ++t) {
    uint32_t seen = ~0u;
    std::thread([&seen] {
      // Constructed before the thread's slot, hence destroyed after the slot was given back.
      thread_local UsesGuardLate late;
      late.seen = &seen;
      EpochGuard guard;
    }).join();
    indexes.insert(seen);
  }
  EXPECT_EQ(indexes.size(), 1u);  // and the late slots are given back too
}

// Readers chase a pointer that writers keep swapping; a reader must never see a deleted node. The
// deleter spoils the node first, so that the check works without a sanitizer too.
TEST_F(EpochTest, ReadersNeverSeeADeletedNode) {
  struct Node {
    explicit Node(uint64_t v) : value(v), complement(~v) {}
    uint64_t value;
    uint64_t complement;
  };
  constexpr int kPlaces = 8;
  constexpr int kSwaps = 100000;
  std::atomic<Node*> places[kPlaces];
  for (auto& place : places) place = new Node(0);
  static std::atomic<int> live;
  live = kPlaces;
  std::atomic<int> writers{2};
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> damaged{0};
  std::barrier start(6);
  std::vector<std::thread> threads;
  for (int w = 0; w < 2; ++w) {
    threads.emplace_back([&, w] {
      Random random(static_cast<uint64_t>(w));
      start.arrive_and_wait();
      for (int i = 0; i < kSwaps; ++i) {
        ++live;
        Node* old = places[random.Uniform(kPlaces)].exchange(new Node(random.Next()));
        EpochRetire(old, [](void* p) {
          auto* node = static_cast<Node*>(p);
          node->value = node->complement = 0;
          delete node;
          --live;
        });
      }
      --writers;
    });
  }
  for (int r = 0; r < 4; ++r) {
    threads.emplace_back([&, r] {
      Random random(static_cast<uint64_t>(100 + r));
      start.arrive_and_wait();
      uint64_t n = 0;
      do {
        {
          EpochGuard guard;
          const Node* node = places[random.Uniform(kPlaces)].load(std::memory_order_acquire);
          if (n % 16 == 0) std::this_thread::yield();  // stay in the guard for a while
          for (int i = 0; i < 4; ++i) damaged += node->value != ~node->complement;
        }
        if (n % 16 == 8) std::this_thread::yield();  // and outside
        ++n;
      } while (writers > 0);
      reads += n;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(reads, 0u);
  EXPECT_EQ(damaged, 0u);
  EpochDrain();
  EXPECT_EQ(live, kPlaces);
  for (auto& place : places) delete place.load();
}

// Entering must be ordered before the loads inside. The reader's stores to cold memory keep its
// announcement in the processor's store buffer; a guard that only stored would be missed by a
// collector in that time. (Such a guard fails here in most runs, on two cores.)
TEST_F(EpochTest, EntryIsOrderedBeforeTheLoadsInside) {
  struct Node {
    uint64_t value = 0;
    uint64_t complement = ~uint64_t{0};
  };
  constexpr size_t kSwaps = 200000;
  std::vector<Node> nodes(kSwaps);  // none is used twice, so a spoiled one stays spoiled
  std::atomic<Node*> place{&nodes[0]};
  std::atomic<bool> is_done{false};
  uint64_t spoiled = 0;
  std::thread reader([&] {
    Random random(5);
    std::vector<uint64_t> cold(1 << 22);
    while (!is_done.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 16; ++i) cold[random.Next() % cold.size()] = 1;
      EpochGuard guard;
      const volatile Node* node = place.load(std::memory_order_acquire);
      for (int i = 0; i < 300; ++i) spoiled += node->value != ~node->complement;
    }
  });
  for (size_t i = 1; i < kSwaps; ++i) {
    EpochRetire(place.exchange(&nodes[i]),
                [](void* p) { static_cast<volatile Node*>(p)->complement = 0; });
    EpochCollect();
  }
  is_done = true;
  reader.join();
  EXPECT_EQ(spoiled, 0u);
  EpochDrain();
}

using EpochDeathTest = EpochTest;

TEST_F(EpochDeathTest, DrainInsideAGuardIsRefused) {
  EXPECT_DEATH(
      {
        EpochGuard guard;
        EpochDrain();
      },
      "EpochGuardIsHeld");
}

}  // namespace epoch_test
}  // namespace varve
