// The way of a write under the scheduler: the commit lock, the log, the group that syncs it; and the turns of
// operations that have lost too many races.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "engine/commit_lock.h"
#include "engine/log_file.h"
#include "engine/sync_group.h"
#include "engine/turn_queue.h"
#include "tests/sched/sched_env.h"
#include "tests/sched/scheduler.h"

namespace varve {
namespace commit_test {

using sched::ExpectHolds;

// A place that one thread at a time may be in.
class Place {
 public:
  void Visit() {
    SCHED_REQUIRE(inside_.fetch_add(1) == 0);
    ++visits_;
    SCHED_REQUIRE(inside_.fetch_sub(1) == 1);
  }
  int visits() const { return visits_; }

 private:
  std::atomic<int> inside_{0};
  int visits_ = 0;
};

TEST(CommitSchedules, CommitLockHasOneOwnerAndForgetsNobody) {
  ExpectHolds({.schedules = 12000}, [] {
    sched::SchedClock clock;
    CommitLock lock(&clock);
    Place place;
    {
      const auto visit = [&] {
        for (int i = 0; i < 2; ++i) {
          CommitLockHolder hold(&lock);
          place.Visit();
        }
      };
      sched::Thread a(visit), b(visit), c(visit);
    }
    SCHED_REQUIRE(place.visits() == 6);
  });
}

TEST(CommitSchedules, TurnsGoToOneAtATimeAndToAll) {
  ExpectHolds({.schedules = 8000}, [] {
    TurnQueue queue;
    Place place;
    {
      const auto visit = [&] {
        for (int i = 0; i < 2; ++i) {
          TurnQueue::Turn turn(&queue);
          place.Visit();
        }
      };
      sched::Thread a(visit), b(visit), c(visit);
    }
    SCHED_REQUIRE(place.visits() == 6);
  });
}

// A log as the store writes it (DbImpl::AppendAndApply and MakeLogDurable, without what comes after the log).
class Log {
 public:
  static constexpr size_t kRecordBytes = 16;

  Log() {
    const LogFileOptions options{.mapped = false, .capacity_bytes = 64 << 10, .window_bytes = 16 << 10,
                                 .write_zeros = false, .directory = &directory_};
    auto opened = LogFile::Open(&env_, "/log", 1, options);
    if (!opened.ok()) sched::Fail(opened.status().ToString());
    file_ = *std::move(opened);
  }

  uint64_t Append(char with) {
    CommitLockHolder hold(&lock_);
    auto to = file_->Reserve(kRecordBytes, false);
    SCHED_REQUIRE(to.ok());
    std::memset(*to, with, kRecordBytes);
    file_->Advance(kRecordBytes);
    return file_->end();
  }
  Status Wait(uint64_t position, bool sync) { return group_.WaitFor(position, sync); }
  void FailSync(int number) { env_.file.syncs_until_failure = number; }

  bool IsWritten(uint64_t end, char with) const { return Holds(env_.file.written, end, with); }
  bool IsSynced(uint64_t end, char with) const { return Holds(env_.file.synced, end, with); }
  // What the log says is durable is.
  void CheckSyncedEnd() const {
    const uint64_t end = file_->synced_end();
    SCHED_REQUIRE(env_.file.synced.size() >= end);
  }

 private:
  static bool Holds(const std::string& content, uint64_t end, char with) {
    const std::string record(kRecordBytes, with);
    return content.size() >= end && content.compare(end - kRecordBytes, kRecordBytes, record) == 0;
  }
  Result<uint64_t> Work(bool sync) {
    SCHED_REQUIRE(!is_working_.exchange(true));
    LogFile::Pending pending;
    {
      CommitLockHolder hold(&lock_);
      pending = file_->TakePending();
    }
    Status status = file_->WriteOut(pending);
    if (status.ok() && sync) status = file_->Sync(pending.end);
    is_working_.store(false);
    if (!status.ok()) return status;
    return pending.end;
  }

  sched::SchedEnv env_;
  sched::SchedClock clock_;
  DirectorySync directory_{&env_, "/"};
  CommitLock lock_{&clock_};
  std::unique_ptr<LogFile> file_;
  std::atomic<bool> is_working_{false};
  SyncGroup group_{[this](bool sync) { return Work(sync); }};
};

TEST(CommitSchedules, AcknowledgedIsInTheLogAndSynced) {
  ExpectHolds({.schedules = 12000}, [] {
    Log log;
    const auto put = [&](char with, bool sync) {
      return [&log, with, sync] {
        for (int i = 0; i < 2; ++i) {
          const uint64_t end = log.Append(with);
          SCHED_REQUIRE(log.Wait(end, sync).ok());
          SCHED_REQUIRE(sync ? log.IsSynced(end, with) : log.IsWritten(end, with));
        }
      };
    };
    sched::Thread a(put('a', true)), b(put('b', true)), c(put('c', false));
  });
}

TEST(CommitSchedules, WhatTheLogCallsSyncedIs) {
  ExpectHolds({.schedules = 6000}, [] {
    Log log;
    const auto put = [&](char with) {
      return [&log, with] { SCHED_REQUIRE(log.Wait(log.Append(with), true).ok()); };
    };
    sched::Thread a(put('a')), b(put('b'));
    sched::Thread c([&] {
      for (int i = 0; i < 3; ++i) log.CheckSyncedEnd();
    });
  });
}

// After a sync that failed nobody is told that what came with it, or later, is durable; and all are told.
TEST(CommitSchedules, AFailedSyncReachesAll) {
  ExpectHolds({.schedules = 6000}, [] {
    Log log;
    log.FailSync(1);
    const auto put = [&](char with) {
      return [&log, with] {
        bool has_failed = false;
        for (int i = 0; i < 2; ++i) {
          const uint64_t end = log.Append(with);
          const bool is_durable = log.Wait(end, true).ok();
          SCHED_REQUIRE(!is_durable || (!has_failed && log.IsSynced(end, with)));
          has_failed |= !is_durable;
        }
      };
    };
    sched::Thread a(put('a')), b(put('b')), c(put('c'));
  });
}

}  // namespace commit_test
}  // namespace varve
