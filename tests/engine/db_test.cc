// The interface of a store, over small memtables and segments so that flushes and merges happen.
#include "varve/db.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace db_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Larger than what stays beside its key.
std::string Large(char c) { return std::string(10000, c); }

IteratorOptions Within(std::string_view prefix, std::optional<std::string_view> lower = {},
                       std::optional<std::string_view> upper = {}) {
  IteratorOptions options;
  options.prefix = prefix;
  options.lower_bound = lower;
  options.upper_bound = upper;
  return options;
}
IteratorOptions At(const std::unique_ptr<Snapshot>& snapshot) {
  IteratorOptions options;
  options.snapshot = snapshot.get();
  return options;
}

// With a mapped log and with a written one.
class DbTest : public ::testing::TestWithParam<bool> {
 protected:
  DbTest() {
    tuning_.memtable_bytes = 64 << 10;
    tuning_.segment_bytes = 32 << 10;
    tuning_.tier_runs = 3;
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
  void Close() { db_.reset(); }
  void Reopen() {
    Close();
    Open();
  }
  void OpenReadOnly() {
    Close();
    options_.read_only = true;
    Open();
  }

  void Put(std::string_view key, std::string_view value) { ASSERT_OK(db_->Put(key, value)); }
  void Delete(std::string_view key) { ASSERT_OK(db_->Delete(key)); }
  void DeleteRange(std::string_view begin, std::string_view end) {
    ASSERT_OK(db_->DeleteRange(begin, end));
  }
  void Flush() { ASSERT_OK(db_->Flush()); }
  void Compact() { ASSERT_OK(db_->Compact()); }
  // Enough of other keys for several flushes and merges.
  void Churn() {
    for (int i = 0; i < 600; ++i) Put("churn" + std::to_string(i % 97), std::string(500, 'x'));
    ASSERT_OK(db_->WaitForBackgroundWork());
  }

  // The value; "(none)" for an absent key.
  std::string Get(std::string_view key, const Snapshot* snapshot = nullptr) {
    auto value = db_->Get(key, {.snapshot = snapshot});
    if (value.status().IsNotFound()) return "(none)";
    return value.ok() ? *value : value.status().ToString();
  }
  static std::string Show(Iterator* it) {
    const std::string shown = std::string(it->key()) + "=" + std::string(it->value());
    return shown;
  }
  std::vector<std::string> Forwards(const IteratorOptions& options = {}) {
    auto it = db_->NewIterator(options);
    std::vector<std::string> rows;
    for (it->SeekToFirst(); it->Valid(); it->Next()) rows.push_back(Show(it.get()));
    EXPECT_OK(it->status());
    return rows;
  }
  std::vector<std::string> Backwards(const IteratorOptions& options = {}) {
    auto it = db_->NewIterator(options);
    std::vector<std::string> rows;
    for (it->SeekToLast(); it->Valid(); it->Prev()) rows.push_back(Show(it.get()));
    EXPECT_OK(it->status());
    return rows;
  }

  CrashEnv env_;
  Options options_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
};
INSTANTIATE_TEST_SUITE_P(Logs, DbTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Mapped" : "Written"; });

// --- Single keys.

TEST_P(DbTest, NewStoreIsEmpty) {
  EXPECT_EQ(Get("a"), "(none)");
  EXPECT_THAT(Forwards(), IsEmpty());
  EXPECT_OK(db_->Flush());
  EXPECT_OK(db_->Compact());
  EXPECT_OK(db_->WaitForBackgroundWork());
}

TEST_P(DbTest, PutOverwritesAndDeleteRemovesInEveryLayer) {
  for (int layer = 0; layer < 4; ++layer) {
    Put("a", "1");
    Put("b", "1");
    if (layer == 1) Flush();
    Put("a", "2");
    Delete("b");
    Delete("absent");
    if (layer == 2) Flush();
    if (layer == 3) Compact();
    EXPECT_EQ(Get("a"), "2");
    EXPECT_EQ(Get("b"), "(none)");
  }
}

TEST_P(DbTest, EmptyKeyAndEmptyValueAreLegal) {
  Put("", "of the empty key");
  Put("k", "");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(Get(""), "of the empty key");
    EXPECT_EQ(Get("k"), "");
    EXPECT_THAT(Forwards(), ElementsAre("=of the empty key", "k="));
    EXPECT_THAT(Backwards(), ElementsAre("k=", "=of the empty key"));
    if (round == 0) Compact();
    if (round == 1) Reopen();
  }
  Delete("");
  Compact();
  EXPECT_THAT(Forwards(), ElementsAre("k="));
}

TEST_P(DbTest, KeysOfAnyBytesAndOfTheGreatestLength) {
  const std::string zeros(9, '\0');
  const std::string high(65535, '\xff');
  Put(zeros, "1");
  Put(high, "2");
  Put(high.substr(1), "3");
  Put(zeros.substr(1), "4");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(Get(zeros), "1");
    EXPECT_EQ(Get(high), "2");
    EXPECT_EQ(Get(high.substr(1)), "3");
    EXPECT_EQ(Get(zeros.substr(1)), "4");
    EXPECT_EQ(Forwards().size(), 4u);
    if (round == 0) Compact();
    if (round == 1) Reopen();
  }
}

TEST_P(DbTest, WhatIsTooLongIsRefusedAndNothingIsWritten) {
  options_.max_key_bytes = 10;
  options_.max_value_bytes = 20;
  Reopen();
  EXPECT_STATUS(kInvalidArgument, db_->Put(std::string(11, 'k'), "v"));
  EXPECT_STATUS(kInvalidArgument, db_->Put("k", std::string(21, 'v')));
  EXPECT_STATUS(kInvalidArgument, db_->Delete(std::string(11, 'k')));
  EXPECT_STATUS(kInvalidArgument, db_->DeleteRange("a", std::string(11, 'k')));
  WriteBatch batch;
  batch.Put("fits", "v");
  batch.Put("k", std::string(21, 'v'));
  EXPECT_STATUS(kInvalidArgument, db_->Write(batch));
  EXPECT_THAT(Forwards(), IsEmpty());
  EXPECT_OK(db_->Put(std::string(10, 'k'), std::string(20, 'v')));
}

TEST_P(DbTest, LargeValuesComeBackFromEveryLayer) {
  for (char c = 'a'; c <= 'z'; ++c) Put(std::string(1, c), Large(c));
  for (int round = 0; round < 4; ++round) {
    for (char c = 'a'; c <= 'z'; ++c) ASSERT_EQ(Get(std::string(1, c)), Large(c));
    EXPECT_EQ(Backwards().size(), 26u);
    if (round == 0) Flush();
    if (round == 1) Compact();
    if (round == 2) Reopen();
  }
}

TEST_P(DbTest, SpaceOfOverwrittenLargeValuesComesBack) {
  for (int i = 0; i < 100; ++i) {
    Put("k" + std::to_string(i % 10), Large(static_cast<char>('a' + i / 10)));
    if (i % 10 == 9) Flush();
  }
  Compact();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Get("k" + std::to_string(i)), Large('j'));
  EXPECT_LT(db_->Stats().value_log_bytes, 300000u);  // of a million bytes written
  auto report = db_->Verify();
  ASSERT_OK(report);
  EXPECT_THAT(report->problems, IsEmpty());
}

TEST_P(DbTest, AtThrowsWhenTheKeyIsAbsent) {
  Put("a", "1");
  EXPECT_EQ(db_->At("a"), "1");
  EXPECT_THROW(db_->At("b"), KeyNotFound);
}

TEST_P(DbTest, GetIntoAStringClearsItWhenAbsent) {
  std::string value = "old";
  EXPECT_STATUS(kNotFound, db_->Get("a", &value));
  EXPECT_EQ(value, "");
}

TEST_P(DbTest, MultiGetAnswersEachKeyInItsPlace) {
  for (int i = 0; i < 50; ++i) Put("k" + std::to_string(i), std::to_string(i));
  Flush();
  Put("k7", "new");
  Delete("k9");
  Put("large", Large('l'));
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) names.push_back("k" + std::to_string(i));
  std::vector<std::string_view> keys(names.begin(), names.end());
  keys.push_back("large");
  keys.push_back("k7");
  const auto results = db_->MultiGet(keys);
  ASSERT_EQ(results.size(), 62u);
  for (int i = 0; i < 60; ++i) {
    const auto& result = results[static_cast<size_t>(i)];
    if (i >= 50 || i == 9) {
      EXPECT_STATUS(kNotFound, result);
    } else {
      EXPECT_EQ(*result, i == 7 ? "new" : std::to_string(i));
    }
  }
  EXPECT_EQ(*results[60], Large('l'));
  EXPECT_EQ(*results[61], "new");
  EXPECT_THAT(db_->MultiGet({}), IsEmpty());
}

// More keys than are looked up together, over several runs and a memtable, with older versions,
// deletes, large values and absent keys: each answer is that of a Get.
TEST_P(DbTest, MultiGetAgreesWithGet) {
  Random random(11);
  std::vector<std::string> names;
  for (int i = 0; i < 400; ++i) names.push_back("key" + std::to_string(i));
  std::unique_ptr<Snapshot> snapshot;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 150; ++i) {
      const std::string& name = names[random.Uniform(300)];
      const uint64_t what = random.Uniform(10);
      if (what == 0) {
        Delete(name);
      } else {
        Put(name, what == 1 ? Large(static_cast<char>('a' + round)) : name + std::to_string(i));
      }
    }
    if (round == 2) snapshot = db_->GetSnapshot();
    if (round < 5) Flush();
  }
  ReadOptions at_snapshot;
  at_snapshot.snapshot = snapshot.get();
  for (const ReadOptions& options : {ReadOptions(), at_snapshot}) {
    for (const size_t count : {size_t{1}, size_t{31}, size_t{32}, size_t{33}, size_t{400}}) {
      std::vector<std::string_view> keys;
      for (size_t i = 0; i < count; ++i) keys.push_back(names[random.Uniform(names.size())]);
      const auto results = db_->MultiGet(keys, options);
      ASSERT_EQ(results.size(), count);
      for (size_t i = 0; i < count; ++i) {
        const auto expected = db_->Get(keys[i], options);
        ASSERT_EQ(results[i].status().code(), expected.status().code()) << keys[i];
        if (expected.ok()) {
          EXPECT_EQ(*results[i], *expected) << keys[i];
        }
      }
    }
  }
}

// Neighbours that differ in one byte only, wherever it is, and in length only.
TEST_P(DbTest, IteratorTellsNeighboursApart) {
  std::map<std::string, std::string> expected;
  for (const size_t size : {1, 7, 8, 9, 15, 16, 17, 24}) {
    const std::string base(size, 'm');
    expected[base];
    for (size_t at = 0; at < size; ++at) {
      std::string key = base;
      key[at] = 'n';
      expected[key];
    }
  }
  for (int version = 0; version < 3; ++version) {
    for (auto& [key, value] : expected) {
      value = key + std::to_string(version);
      Put(key, value);
    }
    if (version < 2) Flush();
  }
  auto it = db_->NewIterator();
  auto next = expected.begin();
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++next) {
    ASSERT_NE(next, expected.end());
    EXPECT_EQ(it->key(), next->first);
    EXPECT_EQ(it->value(), next->second);
  }
  EXPECT_OK(it->status());
  EXPECT_EQ(next, expected.end());
}

TEST_P(DbTest, PinnedValuesOutliveOverwritingFlushAndMerge) {
  Put("small", "from the memtable");
  Put("large", Large('l'));
  auto from_memtable = db_->GetPinned("small");
  ASSERT_OK(from_memtable);
  Flush();
  auto from_segment = db_->GetPinned("small");
  auto from_value_log = db_->GetPinned("large");
  ASSERT_OK(from_segment);
  ASSERT_OK(from_value_log);
  Delete("small");
  Delete("large");
  Churn();
  Compact();
  EXPECT_EQ(from_memtable->view(), "from the memtable");
  EXPECT_EQ(from_segment->view(), "from the memtable");
  EXPECT_EQ(from_value_log->view(), Large('l'));
  EXPECT_STATUS(kNotFound, db_->GetPinned("small"));
}

// --- Several keys.

TEST_P(DbTest, DeleteRangeHidesFromBeginUpToEnd) {
  for (const char* key : {"a", "b", "b1", "c", "d"}) Put(key, "1");
  DeleteRange("b", "c");
  for (int round = 0; round < 4; ++round) {
    EXPECT_THAT(Forwards(), ElementsAre("a=1", "c=1", "d=1"));
    EXPECT_THAT(Backwards(), ElementsAre("d=1", "c=1", "a=1"));
    EXPECT_EQ(Get("b1"), "(none)");
    if (round == 0) Flush();
    if (round == 1) Reopen();
    if (round == 2) Compact();
  }
}

TEST_P(DbTest, WhatIsPutAfterDeleteRangeStays) {
  Put("b", "old");
  Flush();
  DeleteRange("a", "z");
  Put("b", "new");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(Get("b"), "new");
    EXPECT_THAT(Forwards(), ElementsAre("b=new"));
    if (round == 0) Compact();
    if (round == 1) Reopen();
  }
}

TEST_P(DbTest, EmptyAndInvertedRangesDeleteNothing) {
  Put("b", "1");
  DeleteRange("b", "b");
  DeleteRange("c", "a");
  WriteBatch batch;
  batch.DeleteRange("c", "a");
  ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(Get("b"), "1");
  Reopen();
  EXPECT_EQ(Get("b"), "1");
}

TEST_P(DbTest, DeletedRangesLeaveNothingBehindOnceMerged) {
  for (int i = 0; i < 1000; ++i) Put("k" + std::to_string(i), std::string(100, 'v'));
  Flush();
  DeleteRange("k", "l");
  Compact();
  EXPECT_THAT(Forwards(), IsEmpty());
  Put("x", "1");  // the edit that comes next forgets the range
  Compact();
  EXPECT_EQ(db_->Stats().range_tombstone_count, 0u);
  EXPECT_EQ(db_->Stats().entry_count, 1u);
}

TEST_P(DbTest, BatchAppliesItsChangesInTheirOrder) {
  Put("a", "0");
  WriteBatch batch;
  batch.Put("b", "1");
  batch.Put("b", "2");
  batch.Put("c", "1");
  batch.Delete("c");
  batch.DeleteRange("a", "b");
  batch.Put("a1", "after the range");
  batch.Put("large", Large('l'));
  ASSERT_OK(db_->Write(batch));
  for (int round = 0; round < 4; ++round) {
    EXPECT_THAT(Forwards(), ElementsAre("a1=after the range", "b=2", "large=" + Large('l')));
    if (round == 0) Reopen();
    if (round == 1) Flush();
    if (round == 2) Compact();
  }
  EXPECT_OK(db_->Write(WriteBatch()));
}

TEST_P(DbTest, BatchLargerThanMemtableAndLogIsWhole) {
  WriteBatch batch;
  for (int i = 0; i < 2000; ++i) batch.Put("k" + std::to_string(i), std::string(1000, 'v'));
  ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(Forwards().size(), 2000u);
  Reopen();
  EXPECT_EQ(Forwards().size(), 2000u);
}

// --- Compare and set.

TEST_P(DbTest, CompareAndSetWritesOnlyOverWhatIsExpected) {
  EXPECT_STATUS(kConflict, db_->CompareAndSet("k", "1", "2"));
  EXPECT_OK(db_->CompareAndSet("k", std::nullopt, "1"));
  EXPECT_STATUS(kConflict, db_->CompareAndSet("k", std::nullopt, "2"));
  EXPECT_STATUS(kConflict, db_->CompareAndSet("k", "3", "2"));
  Compact();
  EXPECT_OK(db_->CompareAndSet("k", "1", Large('l')));
  Flush();
  EXPECT_OK(db_->CompareAndSet("k", Large('l'), ""));
  EXPECT_EQ(Get("k"), "");
  EXPECT_OK(db_->CompareAndSet("k", "", std::nullopt));
  EXPECT_EQ(Get("k"), "(none)");
  EXPECT_OK(db_->CompareAndSet("k", std::nullopt, std::nullopt));
}

TEST_P(DbTest, CompareAndSetSeesARangeDelete) {
  Put("k", "1");
  Flush();
  DeleteRange("a", "z");
  EXPECT_STATUS(kConflict, db_->CompareAndSet("k", "1", "2"));
  EXPECT_OK(db_->CompareAndSet("k", std::nullopt, "2"));
  EXPECT_EQ(Get("k"), "2");
}

TEST_P(DbTest, CountersOfSeveralThreadsAddUp) {
  Put("n", "0");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int added = 0; added < 200;) {
        const std::string old = Get("n");
        const Status status = db_->CompareAndSet("n", old, std::to_string(std::stoi(old) + 1));
        if (status.ok()) ++added;
        ASSERT_TRUE(status.ok() || status.code() == StatusCode::kConflict) << status.ToString();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(Get("n"), "800");
}

// --- Snapshots.

TEST_P(DbTest, SnapshotSeesItsMomentThroughFlushAndMerge) {
  Put("a", "1");
  Put("b", Large('b'));
  Put("c", "1");
  auto snapshot = db_->GetSnapshot();
  Put("a", "2");
  Delete("b");
  DeleteRange("c", "d");
  Put("e", "new");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(Get("a", snapshot.get()), "1");
    EXPECT_EQ(Get("b", snapshot.get()), Large('b'));
    EXPECT_EQ(Get("c", snapshot.get()), "1");
    EXPECT_EQ(Get("e", snapshot.get()), "(none)");
    EXPECT_EQ(Forwards(At(snapshot)).size(), 3u);
    EXPECT_EQ(Backwards(At(snapshot)).size(), 3u);
    EXPECT_THAT(Forwards(), ElementsAre("a=2", "e=new"));
    if (round == 0) Flush();
    if (round == 1) Compact();
  }
  snapshot.reset();
  Compact();
  EXPECT_EQ(db_->Stats().entry_count, 2u);
}

TEST_P(DbTest, SnapshotsSeeDifferentVersionsOfOneKey) {
  std::vector<std::unique_ptr<Snapshot>> snapshots;
  for (int i = 0; i < 20; ++i) {
    Put("k", std::to_string(i));
    snapshots.push_back(db_->GetSnapshot());
    if (i % 3 == 0) Flush();
  }
  Compact();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Get("k", snapshots[static_cast<size_t>(i)].get()), std::to_string(i));
  }
  for (size_t i = 0; i < 20; i += 2) snapshots[i].reset();
  Compact();
  for (size_t i = 1; i < 20; i += 2) EXPECT_EQ(Get("k", snapshots[i].get()), std::to_string(i));
}

TEST_P(DbTest, SequenceOfASnapshotGrowsWithEveryChange) {
  auto before = db_->GetSnapshot();
  Put("a", "1");
  EXPECT_EQ(db_->GetSnapshot()->sequence(), before->sequence() + 1);
  EXPECT_EQ(db_->Stats().snapshot_count, 1u);
}

// --- Iterators.

TEST_P(DbTest, IteratorWalksOverAllLayersBothWays) {
  for (const char* key : {"a", "c", "e", "g"}) Put(key, "segment");
  Flush();
  for (const char* key : {"b", "c", "f"}) Put(key, "memtable");
  Delete("e");
  EXPECT_THAT(Forwards(), ElementsAre("a=segment", "b=memtable", "c=memtable", "f=memtable", "g=segment"));
  auto it = db_->NewIterator();
  EXPECT_FALSE(it->Valid());
  it->Seek("d");
  EXPECT_EQ(it->key(), "f");
  it->Prev();
  EXPECT_EQ(Show(it.get()), "c=memtable");
  it->Next();
  EXPECT_EQ(it->key(), "f");
  it->SeekForPrev("e");
  EXPECT_EQ(it->key(), "c");
  it->SeekForPrev("c");
  EXPECT_EQ(it->key(), "c");
  it->Next();
  EXPECT_EQ(it->key(), "f");
  it->Seek("h");
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("");
  EXPECT_FALSE(it->Valid());
  EXPECT_OK(it->status());
}

TEST_P(DbTest, IteratorKeepsWithinPrefixAndBounds) {
  for (const char* key : {"a", "pa", "pat", "path", "pau", "z"}) Put(key, "");
  EXPECT_THAT(Forwards(Within("pat")), ElementsAre("pat=", "path="));
  EXPECT_THAT(Backwards(Within("pat")), ElementsAre("path=", "pat="));
  EXPECT_THAT(Forwards(Within("", "pat", "pau")), ElementsAre("pat=", "path="));
  EXPECT_THAT(Backwards(Within("pa", "pat")), ElementsAre("pau=", "path=", "pat="));
  EXPECT_THAT(Forwards(Within("pa", std::nullopt, "pat")), ElementsAre("pa="));
  EXPECT_THAT(Forwards(Within("", "x", "b")), IsEmpty());
  EXPECT_THAT(Backwards(Within("", "x", "b")), IsEmpty());
  auto it = db_->NewIterator(Within("pat"));
  it->Seek("a");
  EXPECT_EQ(it->key(), "pat");
  it->Seek("zz");
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("zz");
  EXPECT_EQ(it->key(), "path");
  it->SeekForPrev("a");
  EXPECT_FALSE(it->Valid());
}

TEST_P(DbTest, PrefixOfHighBytesReachesTheEnd) {
  Put("\xfe", "");
  Put("\xff", "");
  Put("\xff\xff", "");
  Put("\xff\xff\x01", "");
  EXPECT_EQ(Forwards(Within("\xff")).size(), 3u);
  EXPECT_EQ(Backwards(Within("\xff\xff")).size(), 2u);
  EXPECT_EQ(Forwards(Within("\xfe")).size(), 1u);
}

TEST_P(DbTest, IteratorSeesTheMomentOfItsCreation) {
  for (int i = 0; i < 500; ++i) Put("k" + std::to_string(1000 + i), std::string(200, 'v'));
  Put("large", Large('l'));
  auto it = db_->NewIterator();
  DeleteRange("k", "z");
  Put("k1000x", "new");
  Churn();
  Compact();
  int count = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++count) {
    if (it->key() == "large") {
      EXPECT_EQ(it->value(), Large('l'));
    }
  }
  EXPECT_EQ(count, 501);
  for (it->SeekToLast(); it->Valid(); it->Prev()) --count;
  EXPECT_EQ(count, 0);
  EXPECT_OK(it->status());
}

// A merge proceeds from low keys to high and may stop anywhere: what it has dealt with is in one run, the
// rest still in two.
TEST_P(DbTest, HalfFinishedMergeReadsTheSameBothWays) {
  std::vector<std::string> expected;
  for (const char* round : {"old", "new"}) {
    expected.clear();
    for (int i = 0; i < 400; ++i) {
      const std::string key = "k" + std::to_string(1000 + i);
      const std::string value = i % 2 == 0 ? std::string(300, 'v') : round + std::string(300, 'v');
      if (i % 2 == 1 || round == std::string("old")) Put(key, value);
      expected.push_back(key + "=" + value);
    }
    Flush();
  }
  const std::vector<std::string> reversed(expected.rbegin(), expected.rend());
  // The merge waits before each segment that it begins, while this thread looks at the store.
  constexpr int kMerging = 0, kLooking = 1, kOver = 2;
  std::atomic<int> stage{kMerging};
  int looks = 0;
  env_.SetCallHook([&](const CallInfo& call) {
    if (call.kind != CallKind::kOpenWrite || call.path.find(".seg") == std::string::npos) return;
    stage = kLooking;
    stage.notify_all();
    stage.wait(kLooking);
  });
  std::thread merge([&] {
    Compact();
    stage = kOver;
    stage.notify_all();
  });
  while (true) {
    stage.wait(kMerging);
    if (stage == kOver) break;
    ++looks;
    EXPECT_EQ(Forwards(), expected);
    EXPECT_EQ(Backwards(), reversed);
    EXPECT_EQ(Forwards(Within("", "k1150", "k1250")).size(), 100u);
    stage = kMerging;
    stage.notify_all();
  }
  merge.join();
  EXPECT_GT(looks, 2);
  EXPECT_EQ(Forwards(), expected);
}

// --- Opening again.

TEST_P(DbTest, EverythingIsThereAfterReopening) {
  Put("flushed", "1");
  Flush();
  Put("logged", "2");
  Put("large", Large('l'));
  Delete("flushed");
  ASSERT_OK(db_->Put("none", "3", {Durability::kNone}));
  ASSERT_OK(db_->Put("sync", "4", {Durability::kSync}));
  const uint64_t sequence = db_->Stats().last_sequence;
  for (int round = 0; round < 3; ++round) {
    Reopen();
    EXPECT_EQ(db_->Stats().last_sequence, sequence);
    EXPECT_THAT(Forwards(), ElementsAre("large=" + Large('l'), "logged=2", "none=3", "sync=4"));
  }
  Put("more", "5");
  Reopen();
  EXPECT_EQ(Get("more"), "5");
}

TEST_P(DbTest, StoreOfManyMergesReopens) {
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "k" + std::to_string(i * 7919 % 800);
    expected[key] = std::to_string(i) + std::string(100, 'v');
    Put(key, expected[key]);
    if (i % 700 == 699) Reopen();
  }
  ASSERT_OK(db_->WaitForBackgroundWork());
  // Of all its lives: the last one need not have flushed.
  EXPECT_FALSE(db_->Stats().runs.empty());
  Reopen();
  for (const auto& [key, value] : expected) ASSERT_EQ(Get(key), value);
  EXPECT_EQ(Forwards().size(), expected.size());
}

TEST_P(DbTest, FilesThatNothingNamesAreRemoved) {
  Put("a", "1");
  Flush();
  Close();
  ASSERT_OK(env_.WriteFileForTest("/db/900000.seg", "left by a crash"));
  ASSERT_OK(env_.WriteFileForTest("/db/900001.val", "left by a crash"));
  Open();
  Put("b", "1");
  Reopen();
  EXPECT_FALSE(env_.FileExists("/db/900000.seg"));
  EXPECT_FALSE(env_.FileExists("/db/900001.val"));
  EXPECT_THAT(Forwards(), ElementsAre("a=1", "b=1"));
}

TEST_P(DbTest, OnlyOneMayHaveTheStoreOpen) {
  EXPECT_STATUS(kBusy, OpenTuned("/db", options_, tuning_));
}

TEST_P(DbTest, ReadOnlyReadsAllChangesNothingAndRefusesWrites) {
  Put("a", "1");
  Put("large", Large('l'));
  Flush();
  Put("b", "2");
  DeleteRange("a", "b");
  Close();
  const auto contents = [&] {
    std::map<std::string, std::string> files;
    for (const std::string& name : env_.FileNames()) files[name] = *env_.ReadFileForTest(name);
    return files;
  };
  const auto before = contents();
  OpenReadOnly();
  EXPECT_THAT(Forwards(), ElementsAre("b=2", "large=" + Large('l')));
  EXPECT_STATUS(kInvalidArgument, db_->Put("c", "3"));
  EXPECT_STATUS(kInvalidArgument, db_->Delete("a"));
  EXPECT_STATUS(kInvalidArgument, db_->DeleteRange("a", "b"));
  EXPECT_STATUS(kInvalidArgument, db_->CompareAndSet("b", "2", "3"));
  EXPECT_STATUS(kInvalidArgument, db_->Flush());
  EXPECT_STATUS(kInvalidArgument, db_->Compact());
  EXPECT_STATUS(kInvalidArgument, db_->Sync());
  EXPECT_OK(db_->WaitForBackgroundWork());
  EXPECT_OK(db_->Verify());
  (void)db_->GetSnapshot();
  (void)db_->Stats();
  Close();
  EXPECT_EQ(contents(), before);
}

TEST_P(DbTest, LogOfAClosedStoreCanBeRead) {
  Put("a", "1");
  Delete("b");
  DeleteRange("c", "d");
  Put("e", Large('e'));
  Close();
  std::vector<std::string> seen;
  ASSERT_OK(ReadWal("/db", options_, [&](const WalChange& change) {
    seen.push_back(std::string(change.kind) + " " + std::string(change.key) + " " +
                   std::string(change.value));
  }));
  EXPECT_THAT(seen, ElementsAre("WRITE a 1", "DELETE b ", "DELETERANGE c d", "WRITE e " + Large('e')));
  Open();
}

// --- Trouble.

TEST_P(DbTest, FullDiskRefusesPutsAllowsDeletesAndIsLeftByFreeingSpace) {
  for (int i = 0; i < 100; ++i) Put("k" + std::to_string(i), std::string(100, 'v'));
  env_.SetFreeSpace(0);
  Status status;
  for (int i = 0; i < 100000 && status.ok(); ++i) status = db_->Put("more", std::string(100, 'v'));
  EXPECT_STATUS(kIoError, status);
  EXPECT_THAT(status.ToString(), HasSubstr("no space"));
  EXPECT_STATUS(kIoError, db_->Put("large", Large('l')));
  EXPECT_OK(db_->Delete("k1"));
  EXPECT_EQ(Get("k1"), "(none)");
  EXPECT_EQ(Get("k2"), std::string(100, 'v'));
  env_.SetFreeSpace(uint64_t{1} << 40);
  EXPECT_OK(db_->Put("again", "1"));
  EXPECT_OK(db_->Put("large", Large('l')));
  EXPECT_OK(db_->Flush());
  Reopen();
  EXPECT_EQ(Get("k1"), "(none)");
  EXPECT_EQ(Get("again"), "1");
}

TEST_P(DbTest, AfterAFailedSyncNothingIsAcknowledgedAndReadsGoOn) {
  ASSERT_OK(db_->Put("a", "1", {Durability::kSync}));
  env_.FailCall(1, Fault::kFailedSync, FaultSpan::kOnce, {{CallKind::kSync}, ".wal"});
  const Status status = db_->Put("b", "2", {Durability::kSync});
  EXPECT_STATUS(kIoError, status);
  EXPECT_THAT(db_->Put("c", "3").ToString(), HasSubstr(std::string(status.message())));
  EXPECT_STATUS(kIoError, db_->Put("d", Large('d')));
  EXPECT_STATUS(kIoError, db_->Delete("a"));
  EXPECT_STATUS(kIoError, db_->Flush());
  EXPECT_STATUS(kIoError, db_->Compact());
  EXPECT_STATUS(kIoError, db_->Sync());
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("c"), "(none)");
  EXPECT_NE(db_->Stats().background_error, "");
  Reopen();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_OK(db_->Put("c", "3", {Durability::kSync}));
}

// --- All of it together, against a map.

TEST_P(DbTest, AgreesWithAMap) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    std::map<std::string, std::string> model;
    DeleteRange("", "\xff");
    for (int i = 0; i < 4000; ++i) {
      const std::string key = "k" + std::to_string(random.Uniform(300));
      const uint64_t action = random.Uniform(100);
      if (action < 55) {
        const std::string value(random.OneIn(20) ? 5000 + random.Uniform(9000) : random.Uniform(300),
                                static_cast<char>('a' + random.Uniform(26)));
        Put(key, value);
        model[key] = value;
      } else if (action < 70) {
        Delete(key);
        model.erase(key);
      } else if (action < 71) {
        const std::string end = key + "5";
        DeleteRange(key, end);
        model.erase(model.lower_bound(key), model.lower_bound(end));
      } else if (action < 97) {
        const auto it = model.find(key);
        ASSERT_EQ(Get(key), it == model.end() ? "(none)" : it->second) << "seed " << seed << " at " << i;
      } else if (action < 98) {
        std::vector<std::string> rows;
        for (const auto& [k, v] : model) rows.push_back(k + "=" + v);
        ASSERT_EQ(Forwards(), rows) << "seed " << seed << " at " << i;
        ASSERT_EQ(Backwards(), std::vector<std::string>(rows.rbegin(), rows.rend()));
      } else if (random.OneIn(8)) {
        Reopen();
      } else if (random.OneIn(8)) {
        Compact();
      }
    }
    auto report = db_->Verify();
    ASSERT_OK(report);
    EXPECT_THAT(report->problems, IsEmpty());
  }
}

}  // namespace db_test
}  // namespace varve
