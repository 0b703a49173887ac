#include "engine/sync_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "tests/support/status_matchers.h"

namespace varve {
namespace sync_group_test {

// A log of which positions count: appended, and made durable by the group's work.
class SyncGroupTest : public ::testing::Test {
 protected:
  Result<uint64_t> Work(bool sync) {
    EXPECT_FALSE(is_working_.exchange(true)) << "two leaders at once";
    ++work_count_;
    sync_count_ += sync ? 1 : 0;
    const uint64_t reached = appended_;
    if (during_work_) during_work_();
    is_working_ = false;
    if (!failure_.ok()) return failure_;
    if (sync) synced_ = reached;
    return reached;
  }

  std::atomic<uint64_t> appended_{0};
  std::atomic<uint64_t> synced_{0};
  std::atomic<int> work_count_{0};
  std::atomic<int> sync_count_{0};
  std::atomic<bool> is_working_{false};
  std::function<void()> during_work_;
  Status failure_;
  SyncGroup group_{[this](bool sync) { return Work(sync); }};
};

TEST_F(SyncGroupTest, FirstWaiterDoesTheWork) {
  appended_ = 10;
  EXPECT_OK(group_.WaitFor(10, /*sync=*/true));
  EXPECT_EQ(work_count_, 1);
  EXPECT_EQ(sync_count_, 1);
}

TEST_F(SyncGroupTest, WhatIsDurableNeedsNoWork) {
  appended_ = 10;
  ASSERT_OK(group_.WaitFor(10, true));
  EXPECT_OK(group_.WaitFor(7, true));
  EXPECT_OK(group_.WaitFor(10, false));
  EXPECT_EQ(work_count_, 1);
}

TEST_F(SyncGroupTest, WrittenIsNotSynced) {
  appended_ = 10;
  ASSERT_OK(group_.WaitFor(10, false));
  EXPECT_EQ(sync_count_, 0);
  ASSERT_OK(group_.WaitFor(10, true));
  EXPECT_EQ(sync_count_, 1);
}

TEST_F(SyncGroupTest, FailureReachesEveryLaterPositionAndNoEarlierOne) {
  appended_ = 10;
  ASSERT_OK(group_.WaitFor(10, true));
  failure_ = Status::IoError("the device is gone");
  appended_ = 20;
  EXPECT_STATUS(kIoError, group_.WaitFor(20, true));
  failure_ = Status::Ok();  // a sync that would succeed now proves nothing
  EXPECT_STATUS(kIoError, group_.WaitFor(20, true));
  EXPECT_STATUS(kIoError, group_.WaitFor(20, false));
  EXPECT_EQ(work_count_, 2);
  EXPECT_OK(group_.WaitFor(10, true));
}

TEST_F(SyncGroupTest, WhoAppendsDuringAFlushSharesTheNext) {
  constexpr int kFollowers = 16;
  std::vector<std::thread> followers;
  std::atomic<int> appended_followers{0};
  during_work_ = [&] {
    if (work_count_ > 1) return;
    for (int i = 0; i < kFollowers; ++i) {
      followers.emplace_back([&] {
        const uint64_t position = ++appended_;
        ++appended_followers;
        EXPECT_OK(group_.WaitFor(position, true));
        EXPECT_GE(synced_.load(), position);
      });
    }
    while (appended_followers < kFollowers) std::this_thread::yield();
  };
  appended_ = 1;
  ASSERT_OK(group_.WaitFor(1, true));
  for (auto& follower : followers) follower.join();
  EXPECT_EQ(work_count_, 2);
}

TEST_F(SyncGroupTest, FailureWakesEverybodyWhoWaits) {
  constexpr int kFollowers = 8;
  std::vector<std::thread> followers;
  std::atomic<int> appended_followers{0};
  during_work_ = [&] {
    for (int i = 0; i < kFollowers; ++i) {
      followers.emplace_back([&] {
        const uint64_t position = ++appended_;
        ++appended_followers;
        EXPECT_STATUS(kIoError, group_.WaitFor(position, true));
      });
    }
    while (appended_followers < kFollowers) std::this_thread::yield();
    failure_ = Status::IoError("the device is gone");
  };
  appended_ = 1;
  EXPECT_STATUS(kIoError, group_.WaitFor(1, true));
  for (auto& follower : followers) follower.join();
  EXPECT_EQ(work_count_, 1);
}

TEST_F(SyncGroupTest, ManyThreadsNeverReturnEarlyAndNeverHang) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      for (int n = 0; n < 2000; ++n) {
        const bool sync = (n + i) % 3 != 0;
        const uint64_t position = ++appended_;
        ASSERT_OK(group_.WaitFor(position, sync));
        if (sync) {
          ASSERT_GE(synced_.load(), position);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(work_count_, 16000);
}

}  // namespace sync_group_test
}  // namespace varve
