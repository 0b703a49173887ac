#include "engine/operation_times.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/tuning.h"
#include "env/crash_env.h"
#include "env/sim_clock.h"
#include "tests/support/forwarding_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace operation_times_test {

Statistics Collected(const OperationTimes& times) {
  Statistics stats;
  times.Collect(&stats);
  return stats;
}

// A thread of its own: what a thread has been through before does not count.
template <typename Body>
void InThread(Body body) {
  std::thread thread(body);
  thread.join();
}

TEST(OperationTimesTest, TimesAreExactWhenAllAreTimed) {
  SimClock clock(SimClock::Mode::kManual);
  OperationTimes times(&clock, 1, /*times_all=*/true);
  for (uint64_t nanos = 1; nanos <= 1000; ++nanos) {
    const uint64_t begin = times.Begin();
    clock.Advance(nanos);
    times.End(Operation::kPut, begin);
  }
  const Statistics stats = Collected(times);
  const OperationStatistics& put = stats.operation(Operation::kPut);
  EXPECT_EQ(put.timed_count, 1000u);
  EXPECT_EQ(put.timed_sum_ns, 500'500u);
  EXPECT_DOUBLE_EQ(put.MeanNanos(), 500.5);
  EXPECT_EQ(put.max_ns, 1000u);
  const auto expect_near = [](uint64_t got, double wanted) {
    EXPECT_NEAR(static_cast<double>(got), wanted, wanted * 0.032);
  };
  expect_near(put.p50_ns, 500);
  expect_near(put.p90_ns, 900);
  expect_near(put.p99_ns, 990);
  expect_near(put.p999_ns, 999);
  EXPECT_EQ(put.timed_below[0], 127u);  // of 128 ns
  EXPECT_EQ(put.timed_below[1], 255u);
  EXPECT_EQ(put.timed_below[2], 511u);
  for (size_t i = 3; i < put.timed_below.size(); ++i) EXPECT_EQ(put.timed_below[i], 1000u);
  EXPECT_EQ(stats.operation(Operation::kWrite).timed_count, 0u);
}

// The buckets, from both ends of each power of two.
TEST(OperationTimesTest, EveryTimeIsFoundAgain) {
  for (int bits = 0; bits < 45; ++bits) {
    for (const int64_t off : {-1, 0, 1}) {
      const uint64_t nanos = (uint64_t{1} << bits) + static_cast<uint64_t>(off);
      if (nanos >= uint64_t{1} << 44) continue;
      SimClock clock(SimClock::Mode::kManual);
      OperationTimes times(&clock, 1, true);
      const uint64_t begin = times.Begin();
      clock.Advance(nanos);
      times.End(Operation::kScan, begin);
      const Statistics stats = Collected(times);
      const OperationStatistics& scan = stats.operation(Operation::kScan);
      EXPECT_EQ(scan.max_ns, nanos);
      EXPECT_NEAR(static_cast<double>(scan.p50_ns), static_cast<double>(nanos),
                  static_cast<double>(nanos) * 0.032);
      for (size_t i = 0; i < OperationStatistics::kBoundCount; ++i) {
        EXPECT_EQ(scan.timed_below[i], nanos < OperationStatistics::BoundNanos(i) ? 1u : 0u)
            << nanos << " " << i;
      }
    }
  }
}

TEST(OperationTimesTest, ASampleStandsForAll) {
  SimClock clock(SimClock::Mode::kManual);
  OperationTimes times(&clock, 4, /*times_all=*/false);
  constexpr uint64_t kOperations = 200'000;
  InThread([&] {
    for (uint64_t i = 0; i < kOperations; ++i) {
      const uint64_t begin = times.Begin();
      clock.Advance(i % 2 == 0 ? 100 : 200);
      // A loop that alternates is not to be seen from one side only.
      times.End(i % 2 == 0 ? Operation::kGetHit : Operation::kGetAbsent, begin);
    }
  });
  const Statistics stats = Collected(times);
  // 3100 of them, give or take what the intervals vary by: far within a tenth. Deterministic but for the
  // number of the thread, from which its random numbers come.
  for (const Operation kind : {Operation::kGetHit, Operation::kGetAbsent}) {
    const OperationStatistics& done = stats.operation(kind);
    EXPECT_NEAR(static_cast<double>(done.timed_count), kOperations / 2.0, kOperations / 8.0);
    const double nanos = kind == Operation::kGetHit ? 100 : 200;
    EXPECT_DOUBLE_EQ(done.MeanNanos(), nanos);
    EXPECT_EQ(done.max_ns, static_cast<uint64_t>(nanos));
  }
}

TEST(OperationTimesTest, WaitsAreAlwaysTimedAndStandForThemselves) {
  SimClock clock(SimClock::Mode::kManual);
  OperationTimes times(&clock, 1, /*times_all=*/false);
  constexpr uint64_t kOperations = 64'000;
  constexpr uint64_t kWaits = 10;
  InThread([&] {
    for (uint64_t i = 0; i < kOperations; ++i) {
      const uint64_t begin = times.Begin();
      clock.Advance(300);
      if (i % (kOperations / kWaits) == 17) {
        NoteWaiting(clock.MonotonicNanos());
        clock.Advance(1'000'000);
        NoteWaiting(clock.MonotonicNanos());  // the first one counts
        clock.Advance(1'000'000);
      }
      times.End(Operation::kPut, begin);
    }
  });
  const Statistics stats = Collected(times);
  const OperationStatistics& put = stats.operation(Operation::kPut);
  const auto below = [&](uint64_t bound) {
    for (size_t i = 0; i < OperationStatistics::kBoundCount; ++i) {
      if (OperationStatistics::BoundNanos(i) >= bound) return put.timed_below[i];
    }
    return put.timed_count;
  };
  EXPECT_EQ(put.timed_count - below(1'000'000), kWaits);
  EXPECT_GE(put.max_ns, 2'000'000u);
  EXPECT_LE(put.max_ns, 2'000'300u);
  EXPECT_EQ(put.p99_ns, put.p50_ns);
}

TEST(OperationTimesTest, AWaitOutsideOfOperationsIsForgotten) {
  SimClock clock(SimClock::Mode::kManual);
  OperationTimes times(&clock, 1, /*times_all=*/false);
  InThread([&] {
    NoteWaiting(clock.MonotonicNanos());
    clock.Advance(5'000'000'000);
    for (int i = 0; i < 1000; ++i) times.End(Operation::kPut, times.Begin());
  });
  EXPECT_EQ(Collected(times).operation(Operation::kPut).max_ns, 0u);
}

TEST(OperationTimesTest, CountsOfReadsAreExactFromManyThreads) {
  SimClock clock(SimClock::Mode::kManual);
  OperationTimes times(&clock, 3, /*times_all=*/true);
  constexpr int kThreads = 40;  // more than have counters of their own
  constexpr uint64_t kGets = 2000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < kGets; ++i) {
        EpochGuard guard;
        times.EndGet(i % 4 != 0, 3, times.Begin());
        if (i % 10 == 0) times.EndMultiGet(64, 70, times.Begin());
        if (i % 100 == 0) times.CountScans(64);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Statistics stats = Collected(times);
  EXPECT_EQ(stats.operation(Operation::kGetHit).count, kThreads * kGets * 3 / 4);
  EXPECT_EQ(stats.operation(Operation::kGetAbsent).count, kThreads * kGets / 4);
  EXPECT_EQ(stats.operation(Operation::kMultiGet).count, kThreads * kGets / 10);
  EXPECT_EQ(stats.operation(Operation::kScan).count, kThreads * kGets / 100 * 64);
  EXPECT_EQ(stats.multi_get_key_count, kThreads * kGets / 10 * 64);
  EXPECT_EQ(stats.get_run_count, kThreads * (kGets * 3 + kGets / 10 * 70));
  EXPECT_EQ(stats.operation(Operation::kGetHit).timed_count, kThreads * kGets * 3 / 4);
}

TEST(OperationTimesTest, SmallBudgetsGetFewStripes) {
  EXPECT_EQ(OperationTimes::StripesFor(uint64_t{1} << 20), 1u);
  EXPECT_EQ(OperationTimes::StripesFor(uint64_t{1} << 40), OperationTimes::kMaxStripes);
  SimClock clock(SimClock::Mode::kManual);
  EXPECT_LT(OperationTimes(&clock, 1, false).memory_bytes(), 40'000u);
  for (uint64_t budget = uint64_t{8} << 20; budget < uint64_t{1} << 40; budget *= 2) {
    EXPECT_LE(OperationTimes(&clock, OperationTimes::StripesFor(budget), false).memory_bytes(),
              budget / 100);
  }
}

// --- In a store.

// Reading a file and syncing one take their time.
class SlowFile : public test::ForwardingFile {
 public:
  SlowFile(std::unique_ptr<WritableFile> base, SimClock* clock)
      : ForwardingFile(std::move(base)), clock_(clock) {}
  Status Sync() override {
    clock_->Advance(kSyncNanos);
    return ForwardingFile::Sync();
  }
  static constexpr uint64_t kSyncNanos = 4'000'000;

 private:
  SimClock* const clock_;
};

class SlowReader : public RandomAccessFile {
 public:
  SlowReader(std::unique_ptr<RandomAccessFile> base, SimClock* clock)
      : base_(std::move(base)), clock_(clock) {}
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    clock_->Advance(kReadNanos);
    return base_->Read(offset, size, buffer);
  }
  Result<uint64_t> Size() const override { return base_->Size(); }
  void WillNeed(uint64_t offset, uint64_t size) const override { base_->WillNeed(offset, size); }
  void DontNeed(uint64_t offset, uint64_t size) const override { base_->DontNeed(offset, size); }
  static constexpr uint64_t kReadNanos = 100'000;

 private:
  const std::unique_ptr<RandomAccessFile> base_;
  SimClock* const clock_;
};

class SlowEnv : public test::ForwardingEnv {
 public:
  explicit SlowEnv(Env* base) : ForwardingEnv(base) {}
  Result<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(const std::string& path) override {
    auto file = ForwardingEnv::OpenRandomAccess(path);
    if (!file.ok()) return file.status();
    return std::unique_ptr<RandomAccessFile>(new SlowReader(*std::move(file), &clock_));
  }
  Result<std::unique_ptr<WritableFile>> OpenWritable(const std::string& path,
                                                     OpenMode mode) override {
    auto file = ForwardingEnv::OpenWritable(path, mode);
    if (!file.ok()) return file.status();
    return std::unique_ptr<WritableFile>(new SlowFile(*std::move(file), &clock_));
  }
  Clock* clock() override { return &clock_; }
  SimClock clock_{SimClock::Mode::kManual};
};

class OperationStatisticsTest : public ::testing::Test {
 protected:
  explicit OperationStatisticsTest(bool times_all = true) : env_(&base_) {
    tuning_.times_all_operations = times_all;
    tuning_.memtable_bytes = 1 << 20;
    tuning_.cache_bytes = 4 << 20;
    tuning_.log_window_bytes = 64 << 10;
    Open();
  }
  void Open() {
    db_.reset();
    Options options;
    options.env = &env_;
    options.durability = Durability::kSync;
    tuning_.mapped_log = false;
    auto db = OpenTuned("/db", options, tuning_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  OperationStatistics Of(Operation kind) { return db_->Stats().operation(kind); }

  CrashEnv base_;
  SlowEnv env_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
};

TEST_F(OperationStatisticsTest, PutsWaitForTheirSync) {
  constexpr int kPuts = 10;
  for (int i = 0; i < kPuts; ++i) ASSERT_OK(db_->Put("k" + std::to_string(i), "v"));
  ASSERT_OK(db_->Delete("k1"));
  const OperationStatistics put = Of(Operation::kPut);
  EXPECT_EQ(put.count, kPuts + 1u);
  EXPECT_EQ(put.timed_count, kPuts + 1u);
  EXPECT_GE(put.max_ns, SlowFile::kSyncNanos);
  EXPECT_NEAR(static_cast<double>(put.p50_ns), SlowFile::kSyncNanos, SlowFile::kSyncNanos * 0.04);
  const OperationStatistics sync = Of(Operation::kSync);
  EXPECT_EQ(sync.count, db_->Stats().sync_count);
  EXPECT_GE(sync.count, kPuts + 1u);
  EXPECT_GE(sync.timed_sum_ns, (kPuts + 1) * SlowFile::kSyncNanos);

  WriteBatch batch;
  batch.Put("a", "1");
  batch.Put("b", "2");
  ASSERT_OK(db_->Write(batch));
  WriteBatch small;
  small.Put("c", "3");
  ASSERT_OK(db_->Write(small));
  ASSERT_OK(db_->Transact([](Transaction& t) -> Status {
    (void)t.Get("a");
    (void)t.Put("a", "2");
    return t.Put("d", "3");
  }));
  ASSERT_OK(db_->CompareAndSet("c", "3", "4"));
  EXPECT_STATUS(kConflict, db_->CompareAndSet("c", "3", "5"));
  EXPECT_EQ(Of(Operation::kWrite).count, 2u);
  EXPECT_EQ(Of(Operation::kWrite).timed_count, 2u);
  EXPECT_EQ(Of(Operation::kPut).count, kPuts + 3u);
  EXPECT_EQ(Of(Operation::kPut).timed_count, kPuts + 3u);
  EXPECT_EQ(Of(Operation::kGetHit).count, 1u);  // the transaction's
}

TEST_F(OperationStatisticsTest, GetsAreToldApart) {
  ASSERT_OK(db_->Put("present", "v"));
  ASSERT_OK(db_->Put("large", std::string(10'000, 'v')));
  std::string value;
  ASSERT_OK(db_->Get("present", &value));
  ASSERT_OK(db_->GetPinned("large"));
  ASSERT_OK(db_->TimeToLive("present"));
  EXPECT_STATUS(kNotFound, db_->Get("absent"));
  EXPECT_STATUS(kNotFound, db_->GetPinned("absent"));
  EXPECT_STATUS(kNotFound, db_->TimeToLive("absent"));
  (void)db_->MultiGet({"present", "absent", "other"});
  EXPECT_EQ(Of(Operation::kGetHit).count, 3u);
  EXPECT_EQ(Of(Operation::kGetHit).timed_count, 3u);
  EXPECT_EQ(Of(Operation::kGetAbsent).count, 3u);
  EXPECT_EQ(Of(Operation::kMultiGet).count, 1u);
  EXPECT_EQ(db_->Stats().multi_get_key_count, 3u);
  {
    auto it = db_->NewIterator();
    it->SeekToFirst();
    it->Next();
    it->Seek("p");
    it->SeekForPrev("p");
    it->SeekToLast();
  }
  EXPECT_EQ(Of(Operation::kScan).count, 4u);
  EXPECT_EQ(Of(Operation::kScan).timed_count, 4u);
}

TEST_F(OperationStatisticsTest, ReadAmplificationCountsRunsAndDiskReads) {
  ASSERT_OK(db_->Put("a", "old"));
  ASSERT_OK(db_->Put("c", "old"));
  ASSERT_OK(db_->Flush());
  EXPECT_STATUS(kNotFound, db_->Get("b"));
  EXPECT_DOUBLE_EQ(db_->Stats().ReadAmplification(), 1);
  const uint64_t reads = db_->Stats().get_disk_read_count;
  EXPECT_GT(reads, 0u);
  EXPECT_GE(Of(Operation::kGetAbsent).max_ns, SlowReader::kReadNanos);
  EXPECT_DOUBLE_EQ(db_->Stats().DiskReadsPerGet(), static_cast<double>(reads));
  std::string value;
  ASSERT_OK(db_->Get("a", &value));
  const uint64_t warm = db_->Stats().get_disk_read_count;
  ASSERT_OK(db_->Get("a", &value));
  EXPECT_EQ(db_->Stats().get_disk_read_count, warm);
  EXPECT_EQ(db_->Stats().get_run_count, 3u);
  (void)db_->MultiGet({"a", "b", "c"});
  EXPECT_EQ(db_->Stats().get_run_count, 6u);
  EXPECT_DOUBLE_EQ(db_->Stats().ReadAmplification(), 1);
}

class SampledStatisticsTest : public OperationStatisticsTest {
 protected:
  SampledStatisticsTest() : OperationStatisticsTest(/*times_all=*/false) {}
};

// Each get of a cold block shows, though only one get in 64 is drawn.
TEST_F(SampledStatisticsTest, WhatWaitsForTheDiskIsAlwaysTimed) {
  constexpr uint64_t kKeys = 50;
  WriteBatch batch;
  for (uint64_t i = 0; i < kKeys; ++i) batch.Put("k" + std::to_string(100 + i), std::string(3000, 'v'));
  ASSERT_OK(db_->Write(batch));
  ASSERT_OK(db_->Flush());
  Open();
  InThread([&] {
    std::string value;
    for (uint64_t i = 0; i < kKeys; ++i) ASSERT_OK(db_->Get("k" + std::to_string(100 + i), &value));
  });
  const Statistics stats = db_->Stats();
  const OperationStatistics& hit = stats.operation(Operation::kGetHit);
  EXPECT_EQ(hit.count, kKeys);
  size_t below_a_read = 0;
  for (size_t i = 0; OperationStatistics::BoundNanos(i) <= SlowReader::kReadNanos; ++i) {
    below_a_read = hit.timed_below[i];
  }
  // Blocks hold at most one such value.
  EXPECT_GE(hit.timed_count - below_a_read, kKeys);
  EXPECT_GE(stats.get_disk_read_count, kKeys);
}

TEST_F(OperationStatisticsTest, MemoryIsAccountedFor) {
  const Statistics before = db_->Stats();
  EXPECT_GT(before.statistics_bytes, 0u);
  ASSERT_OK(db_->DeleteRange("a", "b"));
  EXPECT_GT(db_->Stats().range_tombstone_bytes, before.range_tombstone_bytes);
  EXPECT_LE(db_->Stats().range_tombstone_bytes, db_->Stats().memtable_bytes);
}

TEST_F(OperationStatisticsTest, SpaceAmplificationIsOneWithoutGarbage) {
  EXPECT_DOUBLE_EQ(db_->Stats().SpaceAmplification(), 0);
  WriteBatch batch;
  for (int i = 0; i < 100; ++i) batch.Put("k" + std::to_string(i), std::string(100, 'v'));
  ASSERT_OK(db_->Write(batch));
  ASSERT_OK(db_->Flush());
  EXPECT_DOUBLE_EQ(db_->Stats().SpaceAmplification(), 1);
  ASSERT_OK(db_->Write(batch));
  ASSERT_OK(db_->Flush());
  const double twice = db_->Stats().SpaceAmplification();
  EXPECT_TRUE(twice > 1.5 || db_->Stats().runs.size() == 1) << twice;
  ASSERT_OK(db_->Compact());
  EXPECT_DOUBLE_EQ(db_->Stats().SpaceAmplification(), 1);
}

}  // namespace operation_times_test
}  // namespace varve
