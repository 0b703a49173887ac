#include "engine/commit_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "env/env.h"

namespace varve {
namespace commit_lock_test {

// Every look at it shows `step` nanoseconds more; counts the looks of each thread.
class SteppingClock : public Clock {
 public:
  explicit SteppingClock(uint64_t step) : step_(step) {}
  uint64_t MonotonicNanos() const override {
    ++looks_of_this_thread;
    return now_.fetch_add(step_, std::memory_order_relaxed);
  }
  uint64_t WallMillis() const override { return 0; }
  void SleepNanos(uint64_t) override {}

  static inline thread_local uint64_t looks_of_this_thread = 0;

 private:
  const uint64_t step_;
  mutable std::atomic<uint64_t> now_{1};
};

// Threads add to an unguarded number under the lock.
uint64_t CountUnder(CommitLock* lock, int threads, int rounds) {
  uint64_t count = 0;
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&count, lock, rounds] {
      for (int n = 0; n < rounds; ++n) {
        CommitLockHolder hold(lock);
        ++count;
      }
    });
  }
  for (auto& thread : running) thread.join();
  return count;
}

TEST(CommitLockTest, LocksAndUnlocksAlone) {
  SteppingClock clock(0);
  CommitLock lock(&clock);
  for (int i = 0; i < 1000; ++i) CommitLockHolder hold(&lock);
  EXPECT_EQ(SteppingClock::looks_of_this_thread, 0u);  // nobody waited
}

TEST(CommitLockTest, OneThreadAtATimeInRealTime) {
  CommitLock lock(Env::Default()->clock());
  EXPECT_EQ(CountUnder(&lock, 8, 20000), 160000u);
}

TEST(CommitLockTest, OneThreadAtATimeWhenNobodyEverStarves) {
  SteppingClock clock(0);
  CommitLock lock(&clock);
  EXPECT_EQ(CountUnder(&lock, 8, 20000), 160000u);
}

TEST(CommitLockTest, OneThreadAtATimeWhenEveryWaiterStarves) {
  SteppingClock clock(2 * CommitLock::kStarvationNanos);
  CommitLock lock(&clock);
  EXPECT_EQ(CountUnder(&lock, 8, 5000), 40000u);
}

TEST(CommitLockTest, OneThreadAtATimeWhenSomeStarve) {
  SteppingClock clock(CommitLock::kStarvationNanos / 16);
  CommitLock lock(&clock);
  EXPECT_EQ(CountUnder(&lock, 8, 20000), 160000u);
}

// An unlock that finds a sleeper looks at the clock. When the sleeper has waited long enough, the thread
// that unlocks cannot have the lock again before the sleeper has had it.
TEST(CommitLockTest, StarvingSleeperIsNotOvertaken) {
  SteppingClock clock(2 * CommitLock::kStarvationNanos);
  CommitLock lock(&clock);
  for (int round = 0; round < 100; ++round) {
    bool sleeper_had_it = false;
    lock.Lock();
    std::thread sleeper([&lock, &sleeper_had_it] {
      CommitLockHolder hold(&lock);
      sleeper_had_it = true;
    });
    bool is_done = false;
    while (!is_done) {
      const uint64_t looks = SteppingClock::looks_of_this_thread;
      lock.Unlock();
      const bool found_sleeper = SteppingClock::looks_of_this_thread > looks;
      lock.Lock();
      is_done = sleeper_had_it;
      ASSERT_TRUE(is_done || !found_sleeper);
    }
    lock.Unlock();
    sleeper.join();
  }
}

TEST(CommitLockTest, SleeperGetsTheLockWhenItIsLeftFree) {
  SteppingClock clock(0);  // never handed over: the sleeper must be woken and win by itself
  CommitLock lock(&clock);
  for (int round = 0; round < 200; ++round) {
    lock.Lock();
    std::atomic<bool> has_begun{false};
    std::vector<std::thread> sleepers;
    for (int i = 0; i < 3; ++i) {
      sleepers.emplace_back([&lock, &has_begun] {
        has_begun = true;
        CommitLockHolder hold(&lock);
      });
    }
    while (!has_begun) std::this_thread::yield();
    lock.Unlock();
    for (auto& sleeper : sleepers) sleeper.join();
  }
}

}  // namespace commit_lock_test
}  // namespace varve
