// Time to live, with a clock that the test sets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace ttl_test {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Large(char c) { return std::string(10000, c); }

std::chrono::system_clock::time_point At(uint64_t millis) {
  return std::chrono::system_clock::time_point(milliseconds(millis));
}

// With a mapped log and with a written one.
class TtlTest : public ::testing::TestWithParam<bool> {
 protected:
  TtlTest() {
    env_.sim_clock()->SetMode(SimClock::Mode::kManual);
    tuning_.memtable_bytes = 64 << 10;
    tuning_.segment_bytes = 32 << 10;
    tuning_.tier_runs = 3;
    // A throttled writer waits for time to pass, which a manual clock does not do.
    tuning_.max_immutable_memtables = 1000;
    tuning_.slowdown_runs = 1000;
    tuning_.log_window_bytes = 64 << 10;
    tuning_.value_log_file_bytes = 64 << 10;
    tuning_.cache_bytes = 256 << 10;
    tuning_.mapped_log = GetParam();
    options_.env = &env_;
    Open();
  }
  void Open() {
    auto db = OpenTuned("/db", options_, tuning_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  void Reopen() {
    db_.reset();
    Open();
  }
  SimClock* clock() { return env_.sim_clock(); }
  uint64_t now() { return clock()->WallMillis(); }
  void Advance(milliseconds by) {
    clock()->Advance(static_cast<uint64_t>(std::chrono::nanoseconds(by).count()));
  }
  void Put(std::string_view key, std::string_view value, milliseconds ttl) {
    ASSERT_OK(db_->Put(key, value, {.ttl = ttl}));
  }
  void Put(std::string_view key, std::string_view value) { ASSERT_OK(db_->Put(key, value)); }

  // By every way of reading, which must agree: "(none)" when absent.
  std::string Get(std::string_view key, const Snapshot* snapshot = nullptr) {
    ReadOptions options;
    options.snapshot = snapshot;
    auto value = db_->Get(key, options);
    EXPECT_TRUE(value.ok() || value.status().IsNotFound()) << value.status().ToString();
    const std::string shown = value.ok() ? *value : "(none)";
    auto pinned = db_->GetPinned(key, options);
    EXPECT_EQ(pinned.ok() ? std::string(pinned->view()) : "(none)", shown);
    auto many = db_->MultiGet({key}, options);
    EXPECT_EQ(many[0].ok() ? *many[0] : "(none)", shown);
    IteratorOptions bounds;
    bounds.snapshot = snapshot;
    auto it = db_->NewIterator(bounds);
    it->Seek(key);
    EXPECT_EQ(it->Valid() && it->key() == key ? std::string(it->value()) : "(none)", shown);
    it->SeekForPrev(key);
    EXPECT_EQ(it->Valid() && it->key() == key ? std::string(it->value()) : "(none)", shown);
    auto left = db_->TimeToLive(key, options);
    EXPECT_EQ(left.ok(), value.ok());
    return shown;
  }
  // Milliseconds; -1: does not expire, -2: absent.
  int64_t Left(std::string_view key) {
    auto left = db_->TimeToLive(key);
    if (!left.ok()) return -2;
    return *left ? (*left)->count() : -1;
  }
  std::vector<std::string> Keys() {
    std::vector<std::string> keys;
    auto it = db_->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) keys.emplace_back(it->key());
    EXPECT_OK(it->status());
    std::vector<std::string> backwards;
    for (it->SeekToLast(); it->Valid(); it->Prev()) backwards.emplace(backwards.begin(), it->key());
    EXPECT_EQ(keys, backwards);
    return keys;
  }

  CrashEnv env_;
  Options options_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
};

TEST_P(TtlTest, AKeyIsGoneFromItsDeadlineOnAndNotBefore) {
  Put("a", "1", 1000ms);
  Put("b", Large('b'), 1000ms);
  Put("c", "3");
  EXPECT_EQ(Left("a"), 1000);
  EXPECT_EQ(Left("c"), -1);
  Advance(999ms);
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), Large('b'));
  EXPECT_EQ(Left("a"), 1);
  EXPECT_THAT(Keys(), ElementsAre("a", "b", "c"));
  Advance(1ms);
  EXPECT_EQ(Get("a"), "(none)");
  EXPECT_EQ(Get("b"), "(none)");
  EXPECT_EQ(Left("a"), -2);
  EXPECT_EQ(Get("c"), "3");
  EXPECT_THAT(Keys(), ElementsAre("c"));
}

TEST_P(TtlTest, DeadlinesSurviveReopenFlushAndCompaction) {
  const auto expect = [&](int64_t left) {
    EXPECT_EQ(Left("small"), left);
    EXPECT_EQ(Left("large"), left);
    EXPECT_EQ(Get("small"), left == -2 ? "(none)" : "s");
    EXPECT_EQ(Get("large"), left == -2 ? "(none)" : Large('l'));
  };
  Put("small", "s", 1000ms);
  Put("large", Large('l'), 1000ms);
  Reopen();
  expect(1000);
  ASSERT_OK(db_->Flush());
  expect(1000);
  Advance(100ms);
  Reopen();
  expect(900);
  ASSERT_OK(db_->Compact());
  expect(900);
  Reopen();
  Advance(899ms);
  expect(1);
  Advance(1ms);
  expect(-2);
  Reopen();
  expect(-2);
  ASSERT_OK(db_->Compact());
  expect(-2);
}

TEST_P(TtlTest, AnExpiredValueHidesWhatItHasReplaced) {
  for (const bool flush : {false, true}) {
    Put("k", "old");
    if (flush) {
      ASSERT_OK(db_->Flush());
    }
    Put("k", "new", 10ms);
    if (flush) {
      ASSERT_OK(db_->Flush());
    }
    Advance(10ms);
    EXPECT_EQ(Get("k"), "(none)");
    if (flush) {
      ASSERT_OK(db_->WaitForBackgroundWork());
    }
    EXPECT_EQ(Get("k"), "(none)");
    ASSERT_OK(db_->Compact());
    EXPECT_EQ(Get("k"), "(none)");
  }
}

TEST_P(TtlTest, APutWithoutTtlStays) {
  Put("k", "1", 10ms);
  Put("k", "2");
  Advance(20ms);
  EXPECT_EQ(Get("k"), "2");
  EXPECT_EQ(Left("k"), -1);
}

TEST_P(TtlTest, APastDeadlineDeletesAtOnce) {
  for (const milliseconds ttl : {0ms, -5ms, milliseconds::min()}) {
    Put("k", "1");
    Put("k", "2", ttl);
    EXPECT_EQ(Get("k"), "(none)");
    Put("k", Large('k'));
    Put("k", Large('l'), ttl);
    EXPECT_EQ(Get("k"), "(none)");
  }
  Put("k", "1");
  ASSERT_OK(db_->Put("k", "2", {.expire_at = At(now())}));
  EXPECT_EQ(Get("k"), "(none)");
  Put("k", "1");
  ASSERT_OK(db_->Expire("k", 0ms));
  EXPECT_EQ(Get("k"), "(none)");
  EXPECT_STATUS(kNotFound, db_->Expire("k", 5ms));
}

TEST_P(TtlTest, LongTimesToLiveAreForEver) {
  Put("k", "1", milliseconds::max());
  ASSERT_OK(db_->Put("l", "1", {.expire_at = std::chrono::system_clock::time_point::max()}));
  Advance(1000h);
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(Get("l"), "1");
}

TEST_P(TtlTest, TheEarlierOfTtlAndMomentHolds) {
  ASSERT_OK(db_->Put("a", "1", {.ttl = 100ms, .expire_at = At(now() + 50)}));
  ASSERT_OK(db_->Put("b", "1", {.ttl = 50ms, .expire_at = At(now() + 100)}));
  EXPECT_EQ(Left("a"), 50);
  EXPECT_EQ(Left("b"), 50);
}

TEST_P(TtlTest, ExpireAndPersistChangeTheDeadlineAlone) {
  Put("a", "1");
  Put("b", Large('b'));
  for (const char* key : {"a", "b"}) {
    const std::string value = Get(key);
    ASSERT_OK(db_->Expire(key, 100ms));
    EXPECT_EQ(Left(key), 100);
    EXPECT_EQ(Get(key), value);
    ASSERT_OK(db_->Expire(key, 200ms));
    EXPECT_EQ(Left(key), 200);
    ASSERT_OK(db_->Persist(key));
    EXPECT_EQ(Left(key), -1);
    ASSERT_OK(db_->Persist(key));
    ASSERT_OK(db_->ExpireAt(key, At(now() + 300)));
    EXPECT_EQ(Left(key), 300);
    EXPECT_EQ(Get(key), value);
  }
  Advance(300ms);
  EXPECT_STATUS(kNotFound, db_->Persist("a"));
  EXPECT_STATUS(kNotFound, db_->Expire("a", 1h));
  EXPECT_STATUS(kNotFound, db_->Persist("absent"));
  EXPECT_EQ(Get("a"), "(none)");
}

TEST_P(TtlTest, CompareAndSetTakesAnExpiredKeyForAbsent) {
  Put("k", "1", 10ms);
  Advance(10ms);
  EXPECT_STATUS(kConflict, db_->CompareAndSet("k", "1", "2"));
  ASSERT_OK(db_->CompareAndSet("k", std::nullopt, "3", {.ttl = 10ms}));
  EXPECT_EQ(Get("k"), "3");
  Advance(10ms);
  EXPECT_EQ(Get("k"), "(none)");
}

TEST_P(TtlTest, BatchesCarryDeadlines) {
  WriteBatch batch;
  batch.Put("a", "1", 100ms);
  batch.Put("b", "2", At(now() + 70));
  batch.Put("c", "3");
  batch.Put("d", Large('d'), 100ms);
  batch.Put("e", "5", 0ms);
  batch.Put("f", "6", -1ms);
  Advance(50ms);
  ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(Left("a"), 100);  // from the writing on
  EXPECT_EQ(Left("b"), 20);
  EXPECT_EQ(Left("c"), -1);
  EXPECT_EQ(Left("d"), 100);
  EXPECT_EQ(Get("d"), Large('d'));
  EXPECT_EQ(Left("e"), -2);
  EXPECT_EQ(Left("f"), -2);
  ASSERT_OK(db_->Write(batch, {.ttl = 30ms}));
  EXPECT_EQ(Left("a"), 100);
  EXPECT_EQ(Left("c"), 30);
  Reopen();
  EXPECT_EQ(Left("a"), 100);
  EXPECT_EQ(Left("d"), 100);
}

TEST_P(TtlTest, OlderSnapshotsDoNotShowAnExpiredKeyEither) {
  Put("k", "1", 10ms);
  const auto before = db_->GetSnapshot();
  EXPECT_EQ(Get("k", before.get()), "1");
  auto it = db_->NewIterator();
  Put("k", "2");
  Advance(10ms);
  EXPECT_EQ(Get("k", before.get()), "(none)");
  EXPECT_EQ(Get("k"), "2");
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  ASSERT_OK(db_->Compact());
  EXPECT_EQ(Get("k", before.get()), "(none)");
  EXPECT_EQ(Get("k"), "2");
}

TEST_P(TtlTest, AnIteratorPassesOverWhatExpiresWhileItWalks) {
  for (const char* key : {"a", "b", "c", "d"}) Put(key, key, 10ms);
  Put("e", "e");
  auto it = db_->NewIterator();
  it->SeekToFirst();
  EXPECT_EQ(it->key(), "a");
  EXPECT_EQ(it->expire_at_millis(), now() + 10);
  Advance(10ms);
  EXPECT_EQ(it->value(), "a");  // stands on it
  it->Next();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "e");
  EXPECT_EQ(it->expire_at_millis(), 0u);
  it->Prev();
  EXPECT_FALSE(it->Valid());
}

TEST_P(TtlTest, AClockThatJumpsBackRevivesNothing) {
  Put("a", "1", 1000ms);
  Put("b", "2", 5000ms);
  Advance(1000ms);
  EXPECT_EQ(Get("a"), "(none)");
  clock()->SetWallMillis(now() - 3'600'000);
  EXPECT_EQ(Get("a"), "(none)");
  // Time goes on meanwhile, and a time to live is as long as ever.
  EXPECT_EQ(Left("b"), 4000);
  Put("c", "3", 1000ms);
  Advance(999ms);
  EXPECT_EQ(Get("c"), "3");
  Advance(1ms);
  EXPECT_EQ(Get("c"), "(none)");
  EXPECT_EQ(Left("b"), 3000);
  clock()->SetWallMillis(now() - 3'600'000);
  EXPECT_EQ(Left("b"), 3000);
  Advance(3000ms);
  EXPECT_EQ(Get("b"), "(none)");
}

TEST_P(TtlTest, AClockThatJumpsForwardExpires) {
  Put("a", "1", 1h);
  clock()->SetWallMillis(now() + 3'600'000);
  EXPECT_EQ(Get("a"), "(none)");
  clock()->SetWallMillis(now() - 3'600'000);
  EXPECT_EQ(Get("a"), "(none)");
}

TEST_P(TtlTest, SpaceComesBackWithoutARead) {
  for (int i = 0; i < 2000; ++i) Put("k" + std::to_string(i), std::string(100, 'v'), 1000ms);
  for (int i = 0; i < 100; ++i) Put("l" + std::to_string(i), Large('l'), 1000ms);
  ASSERT_OK(db_->Flush());
  ASSERT_OK(db_->WaitForBackgroundWork());
  EXPECT_GT(db_->Stats().segment_bytes, 200'000u);
  EXPECT_GT(db_->Stats().value_log_bytes, 1'000'000u);
  Advance(1000ms);
  ASSERT_OK(db_->WaitForBackgroundWork());
  EXPECT_EQ(db_->Stats().segment_bytes, 0u);
  // But for the file that is being appended to.
  EXPECT_LT(db_->Stats().value_log_bytes, 100'000u);
  EXPECT_OK(db_->Verify());
}

TEST_P(TtlTest, SegmentsThatHaveExpiredAreDroppedWhole) {
  for (int i = 0; i < 2000; ++i) Put("k" + std::to_string(i), std::string(100, 'v'), 1000ms);
  ASSERT_OK(db_->Flush());
  ASSERT_OK(db_->WaitForBackgroundWork());
  const uint64_t written = db_->Stats().compaction_bytes_written;
  Advance(1000ms);
  ASSERT_OK(db_->WaitForBackgroundWork());
  EXPECT_EQ(db_->Stats().entry_count, 0u);
  EXPECT_EQ(db_->Stats().compaction_bytes_written, written);
}

TEST_P(TtlTest, CompactMergesAlsoWhenSomethingCanBeDroppedWhole) {
  for (int i = 0; i < 1000; ++i) Put("a" + std::to_string(i), std::string(100, 'v'), 1000ms);
  for (int i = 0; i < 1000; ++i) Put("b" + std::to_string(i), std::string(100, 'v'));
  ASSERT_OK(db_->Compact());
  ASSERT_OK(db_->WaitForBackgroundWork());
  const uint64_t merges = db_->Stats().compaction_count;
  Advance(1000ms);
  ASSERT_OK(db_->Compact());
  EXPECT_GT(db_->Stats().compaction_count, merges);
  EXPECT_EQ(db_->Stats().entry_count, 1000u);
}

TEST_P(TtlTest, DroppingWholeDoesNotBareWhatIsBelow) {
  for (int i = 0; i < 500; ++i) Put("k" + std::to_string(i), "old");
  ASSERT_OK(db_->Compact());
  Put("k7", "new", 1000ms);
  ASSERT_OK(db_->Flush());
  Advance(1000ms);
  ASSERT_OK(db_->WaitForBackgroundWork());
  EXPECT_EQ(Get("k7"), "(none)");
  EXPECT_EQ(Get("k8"), "old");
}

TEST_P(TtlTest, PartlyExpiredSegmentsAreRewritten) {
  for (int i = 0; i < 2000; ++i) {
    Put("k" + std::to_string(i), std::string(100, 'v'), i % 2 == 0 ? 1000ms : 1000h);
  }
  ASSERT_OK(db_->Flush());
  ASSERT_OK(db_->WaitForBackgroundWork());
  Advance(2000ms);
  ASSERT_OK(db_->WaitForBackgroundWork());
  // A young run may keep some tombstones for what lies below it.
  EXPECT_LT(db_->Stats().entry_count, 1200u);
  EXPECT_EQ(Keys().size(), 1000u);
}

TEST_P(TtlTest, TheLogShowsDeadlines) {
  const uint64_t start = now();
  Put("a", "1", 1000ms);
  Put("b", Large('b'), 2000ms);
  Put("c", "3");
  db_.reset();
  std::vector<std::string> seen;
  ASSERT_OK(ReadWal("/db", options_, [&](const WalChange& change) {
    const uint64_t expire_at = change.expire_at_millis;
    seen.push_back(std::string(change.kind) + " " + std::string(change.key) + " " +
                   std::to_string(change.value.size()) + " " +
                   std::to_string(expire_at == 0 ? 0 : expire_at - start));
  }));
  EXPECT_THAT(seen, ElementsAre("WRITE a 1 1000", "WRITE b 10000 2000", "WRITE c 1 0"));
  Open();
}

INSTANTIATE_TEST_SUITE_P(Logs, TtlTest, ::testing::Bool());

}  // namespace ttl_test
}  // namespace varve
