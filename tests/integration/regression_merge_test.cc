// Bugs that were here once, each as one small scenario: flushes, merges, and what readers see meanwhile.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "env/crash_env.h"
#include "tests/support/gate.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace regression_merge_test {

constexpr char kDir[] = "/store";
constexpr WriteOptions kSynced{.durability = Durability::kSync};

class RegressionMergeTest : public ::testing::Test {
 protected:
  std::unique_ptr<Db> OpenIn(CrashEnv* env) {
    auto db = OpenerFor(config_)(kDir, env);
    EXPECT_OK(db);
    return db.ok() ? *std::move(db) : nullptr;
  }
  void Open() { db_ = OpenIn(&env_); }
  // Polls: nothing tells of a writer that has appended and waits.
  void AwaitPuts(uint64_t count) {
    while (db_->Stats().put_count < count) std::this_thread::yield();
  }

  StoreConfig config_ = SmallStoreConfig();
  CrashEnv env_;
  Gate gate_;  // outlives the store, whose threads pass it
  Gate second_gate_;
  std::unique_ptr<Db> db_;
};

// A sync makes the changes up to its own visible, while younger ones of the same key were flushed
// already: readers appear between the two.
TEST_F(RegressionMergeTest, FlushKeepsVersionsAtWhichReadersCanStillAppear) {
  config_.tuning.mapped_log = false;
  Open();
  ASSERT_OK(db_->Put("key", "old", kSynced));
  env_.SetCallHook([&](const CallInfo& call) {
    if (call.kind != CallKind::kSync || call.path.find(".wal") == std::string::npos) return;
    gate_.Pass();
    second_gate_.Pass();
  });
  gate_.Arm();
  std::thread first([&] { EXPECT_OK(db_->Put("key", "first", kSynced)); });
  gate_.AwaitArrival();
  std::thread second([&] { EXPECT_OK(db_->Put("key", "second", kSynced)); });
  AwaitPuts(3);
  ASSERT_OK(db_->Flush());
  second_gate_.Arm(2);  // the sync under way passes first, with a store of its own log
  gate_.Open();
  first.join();
  EXPECT_EQ(db_->Get("key").value_or("(absent)"), "first");
  second_gate_.Open();
  second.join();
  EXPECT_EQ(db_->Get("key").value_or("(absent)"), "second");
}

// What is in a segment and was never visible still has used its number.
TEST_F(RegressionMergeTest, NumberOfAFlushedChangeIsNotGivenOutAgainAfterACrash) {
  config_.tuning.mapped_log = false;
  Open();
  env_.SetCallHook(GateAt(&gate_, CallKind::kSync, ".wal"));
  gate_.Arm();
  std::thread writer([&] {
    WriteBatch batch;
    for (int i = 0; i < 10; ++i) batch.Put("key", "before the crash " + std::to_string(i));
    EXPECT_OK(db_->Write(batch, kSynced));
  });
  gate_.AwaitArrival();
  ASSERT_OK(db_->Flush());
  const auto crashed = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
  gate_.Open();
  writer.join();
  auto db = OpenIn(crashed.get());
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(db->Get("key").value_or("(absent)"), "before the crash 9");
  ASSERT_OK(db->Put("key", "after"));
  EXPECT_EQ(ReadContents(db.get()).value_or({}), (Contents{{"key", "after"}}));
  ASSERT_OK(db->Compact());
  EXPECT_EQ(db->Get("key").value_or("(absent)"), "after");
}

// The end of a batch was lost, and its number given out again: the batch was flushed before it was seen, and the edit
// of the merge that followed told the manifest of a smaller number.
TEST_F(RegressionMergeTest, RangeDeleteAtTheEndOfAFlushedBatchIsSeenWithIt) {
  config_.tuning.mapped_log = false;
  Open();
  ASSERT_OK(db_->Put("key", "old", kSynced));
  ASSERT_OK(db_->Put("other", "old", kSynced));
  ASSERT_OK(db_->Flush());
  ASSERT_OK(db_->WaitForBackgroundWork());
  env_.SetCallHook(GateAt(&gate_, CallKind::kSync, ".wal"));
  gate_.Arm();
  std::thread writer([&] {
    WriteBatch batch;
    batch.Put("key", "new");
    batch.Put("last", "new");
    batch.DeleteRange("last", "last~");
    batch.DeleteRange("other", "other~");
    EXPECT_OK(db_->Write(batch, kSynced));
  });
  gate_.AwaitArrival();
  ASSERT_OK(db_->Flush());
  ASSERT_OK(db_->Compact());
  const auto crashed = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
  gate_.Open();
  writer.join();
  auto db = OpenIn(crashed.get());
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(ReadContents(db.get()).value_or({}), (Contents{{"key", "new"}}));
  ASSERT_OK(db->Put("other", "after"));
  EXPECT_EQ(ReadContents(db.get()).value_or({}), (Contents{{"key", "new"}, {"other", "after"}}));
}

// A range delete that only the unsynced log holds may be lost, and what it deletes must be there then.
TEST_F(RegressionMergeTest, MergeDoesNotApplyARangeDeleteThatIsNotDurable) {
  config_.tuning.mapped_log = true;
  Open();
  Contents expected;
  for (int i = 0; i < 300; ++i) {
    const std::string key = "key" + std::to_string(1000 + i);
    expected[key] = std::string(300, static_cast<char>('a' + i % 26));
    ASSERT_OK(db_->Put(key, expected[key]));
  }
  ASSERT_OK(db_->Sync());
  ASSERT_OK(db_->Flush());
  ASSERT_OK(db_->WaitForBackgroundWork());
  // In the first slice of several; those that come after see the range delete in memory.
  env_.SetCallHook(GateAt(&gate_, CallKind::kOpenWrite, ".seg"));
  gate_.Arm();
  std::thread compaction([&] { EXPECT_OK(db_->Compact()); });
  gate_.AwaitArrival();
  ASSERT_OK(db_->DeleteRange("key", "kez"));
  gate_.Open();
  compaction.join();
  env_.SetCallHook(nullptr);
  EXPECT_EQ(ReadContents(db_.get()).value_or(expected), Contents{});
  const auto crashed = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
  auto db = OpenIn(crashed.get());
  ASSERT_NE(db, nullptr);
  const Result<Contents> contents = ReadContents(db.get());
  ASSERT_OK(contents);
  EXPECT_TRUE(*contents == expected) << Difference(expected, *contents);
}

// A flush that had begun on a full disk failed, and one that was asked for meanwhile told of it though there was room again.
TEST_F(RegressionMergeTest, FlushDoesNotTellOfWhatIsOver) {
  Open();
  const auto count_logs = [this] {
    const auto names = env_.FileNames();
    return std::count_if(names.begin(), names.end(), [](const auto& name) { return name.ends_with(".wal"); });
  };
  ASSERT_OK(db_->Put("a", "1"));
  env_.FailCall(1, Fault::kNoSpace, FaultSpan::kOnce, {{CallKind::kOpenWrite}, ".seg"});
  env_.SetCallHook(GateAt(&gate_, CallKind::kOpenWrite, ".seg"));
  gate_.Arm();
  std::thread first([&] { static_cast<void>(db_->Flush()); });
  gate_.AwaitArrival();
  ASSERT_OK(db_->Put("b", "2"));
  const auto logs = count_logs();
  std::thread second([&] { EXPECT_OK(db_->Flush()); });
  while (count_logs() == logs) std::this_thread::yield();
  gate_.Open();
  first.join();
  second.join();
  EXPECT_EQ(env_.fault_count(), 1u);
  env_.SetCallHook(nullptr);
}

// A snapshot keeps merges from applying a range delete; then they must not try again and again.
TEST_F(RegressionMergeTest, MergesThatCannotDropAnythingEnd) {
  config_.tuning.idle_millis = 0;
  Open();
  for (int i = 0; i < 100; ++i) ASSERT_OK(db_->Put("key" + std::to_string(i), "value"));
  ASSERT_OK(db_->Flush());
  auto snapshot = db_->GetSnapshot();
  ASSERT_OK(db_->DeleteRange("key1", "key5"));
  ASSERT_OK(db_->Put("other", "value"));
  ASSERT_OK(db_->Flush());
  const uint64_t before = db_->Stats().compaction_count;
  std::atomic<bool> is_quiet{false};
  std::thread waiter([&] {
    EXPECT_OK(db_->WaitForBackgroundWork());
    is_quiet = true;
  });
  constexpr uint64_t kTooMany = 200;
  while (!is_quiet && db_->Stats().compaction_count < before + kTooMany) std::this_thread::yield();
  EXPECT_LT(db_->Stats().compaction_count, before + kTooMany);
  snapshot.reset();  // now they have an effect, and end
  waiter.join();
}

// A file without entries that point into it may have a put on its way.
TEST_F(RegressionMergeTest, ValueFileStaysWhileAPutIntoItIsOnItsWay) {
  config_.tuning.memtable_bytes = 1 << 20;
  Open();
  env_.SetCallHook(GateAt(&gate_, config_.tuning.mapped_log ? CallKind::kPopulate : CallKind::kAllocate,
                          ".wal"));
  const std::string large(20'000, 'L');
  gate_.Arm();
  std::thread writer([&] {
    WriteBatch batch;
    batch.Put("large", large);
    // So much that the log must grow, which happens after the value was written.
    for (int i = 0; i < 100; ++i) batch.Put("small" + std::to_string(i), std::string(1000, 's'));
    EXPECT_OK(db_->Write(batch));
  });
  gate_.AwaitArrival();
  // Ends the file, since nothing in it is in use, and then looks for files to remove.
  for (int i = 0; i < 3; ++i) ASSERT_OK(db_->WaitForBackgroundWork());
  gate_.Open();
  writer.join();
  EXPECT_TRUE(db_->Get("large").value_or("(absent)") == large);
  db_.reset();
  Open();
  ASSERT_NE(db_, nullptr);
  EXPECT_TRUE(db_->Get("large").value_or("(absent)") == large);
}

// A leader that came without a wish to sync publishes what others have appended behind it: it must sync
// for those who asked for that.
TEST_F(RegressionMergeTest, SyncedPutIsNotSeenBeforeItsSync) {
  config_.tuning.mapped_log = false;
  for (int round = 0; round < 20 && !HasFailure(); ++round) {
    CrashEnv env(static_cast<uint64_t>(round) + 1);
    std::atomic<bool> was_seen{false};
    db_ = OpenIn(&env);
    ASSERT_OK(db_->Put("begin", "value", kSynced));
    env.SetCallHook([&](const CallInfo& call) {
      if (call.path.find(".wal") == std::string::npos) return;
      if (call.kind == CallKind::kWrite) gate_.Pass();
      if (call.kind == CallKind::kSync && db_->Get("synced").ok()) was_seen = true;
    });
    gate_.Arm();
    std::thread leader([&] { EXPECT_OK(db_->Put("written", "1")); });
    gate_.AwaitArrival();
    std::thread next([&] { EXPECT_OK(db_->Put("written", "2")); });
    AwaitPuts(3);
    std::thread last([&] { EXPECT_OK(db_->Put("synced", "value", kSynced)); });
    AwaitPuts(4);
    gate_.Open();
    leader.join();
    next.join();
    last.join();
    EXPECT_FALSE(was_seen) << "round " << round;
    db_.reset();
  }
}

// A merge that moves values and cannot sync them must not try again: the second sync may succeed without them.
TEST_F(RegressionMergeTest, FailedSyncOfMovedValuesIsFinal) {
  config_.tuning.idle_millis = 1'000'000;  // the merge is the one asked for
  Open();
  const std::string large(10'000, 'L');
  for (int i = 0; i < 10; ++i) ASSERT_OK(db_->Put("key" + std::to_string(i), large));
  ASSERT_OK(db_->Flush());
  for (int i = 0; i < 8; i += 2) ASSERT_OK(db_->Put("key" + std::to_string(i), "small"));
  ASSERT_OK(db_->Flush());
  env_.FailCall(1, Fault::kFailedSync, FaultSpan::kOnce, {{CallKind::kSync}, ".val"});
  // The first merge drops entries and so makes values garbage; the second empties their files.
  Status status = db_->Compact();
  if (status.ok()) status = db_->Compact();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(env_.fault_count(), 1u);
  // The store stops when the merge is over, a moment after its caller knows; another one comes after that.
  EXPECT_FALSE(db_->Compact().ok());
  EXPECT_FALSE(db_->Put("later", "value").ok());
}

// A reader that takes a number and a super version that do not belong together sees the put of a batch
// without its range delete.
TEST_F(RegressionMergeTest, BatchWithARangeDeleteIsSeenWhole) {
  TempDir dir;
  auto opened = OpenerFor(config_)(dir.Sub("store"), Env::Default());
  ASSERT_OK(opened);
  Db* const db = opened->get();
  WriteBatch there;
  there.Put("deleted", "1");
  there.Delete("put");
  WriteBatch back;
  back.DeleteRange("d", "e");
  back.Put("put", "1");
  ASSERT_OK(db->Write(back));
  std::atomic<bool> is_done{false};
  std::atomic<int> half_count{0};
  std::thread reader([&] {
    while (!is_done) {
      const auto seen = db->MultiGet({"deleted", "put"});
      // Each batch moves the one key from the range to the other place, or back.
      if (seen[0].ok() == seen[1].ok()) ++half_count;
    }
  });
  const size_t rounds = Scaled(5000);
  for (size_t i = 0; i < rounds && half_count == 0; ++i) {
    ASSERT_OK(db->Write(i % 2 == 0 ? there : back));
  }
  is_done = true;
  reader.join();
  EXPECT_EQ(half_count, 0);
}

}  // namespace regression_merge_test
}  // namespace varve::test
