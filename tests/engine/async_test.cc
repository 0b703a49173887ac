// Asynchronous operations: what they answer, in which order they are applied, when they are complete.
#include "varve/async.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <stop_token>
#include <thread>

#include "env/crash_env.h"
#include "tests/support/async_store.h"
#include "tests/support/gate.h"
#include "tests/support/tasks.h"

namespace varve::test {
namespace async_test {

using Value = Result<std::string>;
using Values = std::vector<Result<std::string>>;

class AsyncTest : public AsyncStoreTest {
 protected:
  // A store of its own behind a valve, which is shut; its files are open, and little is cached.
  void FillSlow(size_t count) {
    env_.MakeSlow();
    Fill(count);
    Open();
    OpenFiles();
    env_.valve().Shut();
  }
  std::string property() { return db_->GetProperty("varve.async").value_or("none"); }
};

// --- Gets.

TEST_P(AsyncTest, GetsOfEverything) {
  Fill(3000);
  for (const bool files_are_open : {false, true}) {
    Open();
    if (files_are_open) OpenFiles();
    std::vector<std::pair<std::string, std::future<Value>>> under_way;
    for (size_t i = 0; i < 3300; ++i) {
      const std::string key = KeyOf(i * 7 % 3300);
      under_way.emplace_back(key, db_->GetAsync(key));
    }
    for (auto& [key, future] : under_way) ExpectValue(key, future.get());
  }
  EXPECT_EQ(property(), GetParam() == AsyncReads::kAuto ? "io_uring" : "threads");
}

TEST_P(AsyncTest, WhatIsInMemoryIsCompleteAtOnceAndStartsNothing) {
  ASSERT_OK(db_->Put("a", "1"));
  auto got = db_->GetAsync("a");
  EXPECT_TRUE(got.IsDone());
  auto absent = db_->GetAsync("b");
  EXPECT_TRUE(absent.IsDone());
  EXPECT_STATUS(kNotFound, std::move(absent).Get());
  EXPECT_EQ(std::move(got).Get().value_or(""), "1");
  auto put = db_->PutAsync("b", "2");
  EXPECT_TRUE(put.IsDone());
  EXPECT_OK(std::move(put).Get());
  auto both = db_->MultiGetAsync({"a", "b"});
  EXPECT_TRUE(both.IsDone());
  EXPECT_EQ(std::move(both).Get()[1].value_or(""), "2");
  EXPECT_OK(db_->DeleteAsync("b").Get());
  EXPECT_STATUS(kNotFound, db_->Get("b"));
  EXPECT_EQ(property(), "off");
}

TEST_P(AsyncTest, CompressedBlocks) {
  config_.options.compression = Compression::kZstd;
  Open();
  Fill(1000);
  OpenFiles();
  for (size_t i = 0; i < 1000; ++i) ExpectValue(KeyOf(i), db_->GetAsync(KeyOf(i)).Get());
}

TEST_P(AsyncTest, TenThousandOutstanding) {
  constexpr size_t kCount = 10'000;
  FillSlow(kCount);
  std::vector<std::future<Value>> futures;
  size_t complete_at_once = 0;
  for (size_t i = 0; i < kCount; ++i) {
    auto got = db_->GetAsync(KeyOf(i * 7 % kCount));
    complete_at_once += got.IsDone();
    futures.push_back(std::move(got));
  }
  // What the cache holds.
  EXPECT_LT(complete_at_once, kCount / 4);
  env_.valve().Open();
  for (size_t i = 0; i < kCount; ++i) ExpectValue(KeyOf(i * 7 % kCount), futures[i].get());
}

TEST_P(AsyncTest, TenThousandOutstandingAtFullSpeed) {
  constexpr size_t kCount = 10'000;
  Fill(kCount);
  OpenFiles();
  std::latch ended(kCount);
  std::atomic<size_t> right{0};
  for (size_t i = 0; i < kCount; ++i) {
    const std::string key = KeyOf(i * 13 % kCount);
    db_->GetAsync(key).Then([&, key](Value value) {
      right += value.ok() && *value == model_.at(key);
      ended.count_down();
    });
  }
  ended.wait();
  EXPECT_EQ(right, kCount);
}

TEST_P(AsyncTest, ReadsTheStateOfTheCall) {
  FillSlow(1500);
  std::string key = KeyOf(0);
  auto got = db_->GetAsync(key);
  for (size_t i = 1; i < 1500 && got.IsDone(); ++i) got = db_->GetAsync(key = KeyOf(i));
  std::vector<std::string> keys;
  for (size_t i = 0; i < 1500; ++i) keys.push_back(KeyOf(i));
  auto all = db_->MultiGetAsync({keys.begin(), keys.end()});
  ASSERT_FALSE(got.IsDone());
  ASSERT_FALSE(all.IsDone());
  // All that was there goes, and new values come.
  for (const std::string& one : keys) ASSERT_OK(db_->Put(one, "new"));
  env_.valve().Open();
  ASSERT_OK(db_->Compact());
  ExpectValue(key, std::move(got).Get());
  const Values values = std::move(all).Get();
  for (size_t i = 0; i < keys.size(); ++i) ExpectValue(keys[i], values[i]);
  EXPECT_EQ(db_->GetAsync(key).Get().value_or(""), "new");
}

TEST_P(AsyncTest, ReadsASnapshotThatGoesBeforeItIsComplete) {
  FillSlow(300);
  auto snapshot = db_->GetSnapshot();
  ASSERT_OK(db_->Put(KeyOf(5), "new"));
  auto got = db_->GetAsync(KeyOf(5), {.snapshot = snapshot.get()});
  snapshot.reset();
  env_.valve().Open();
  ASSERT_OK(db_->Compact());
  ExpectValue(KeyOf(5), std::move(got).Get());
}

TEST_P(AsyncTest, MultiGetAgreesWithTheModel) {
  Fill(2000);
  OpenFiles();
  Random random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> keys;
    for (uint64_t i = random.Uniform(200); i > 0; --i) keys.push_back(KeyOf(random.Uniform(2200)));
    const Values values = db_->MultiGetAsync({keys.begin(), keys.end()}).Get();
    ASSERT_EQ(values.size(), keys.size());
    for (size_t i = 0; i < keys.size(); ++i) ExpectValue(keys[i], values[i]);
  }
}

TEST_P(AsyncTest, HandlesMayBeDropped) {
  FillSlow(200);
  for (size_t i = 0; i < 200; ++i) (void)db_->GetAsync(KeyOf(i));
  (void)db_->PutAsync("dropped", "value", {.durability = Durability::kSync});
  env_.valve().Open();
  ASSERT_OK(db_->Sync());
  EXPECT_EQ(db_->Get("dropped").value_or(""), "value");
}

// --- Errors.

TEST_P(AsyncTest, DamageIsReportedAsByPlainReads) {
  Fill(400);
  db_.reset();
  auto names = env_.ListDir(dir_.Sub("store"));
  ASSERT_OK(names);
  for (const std::string& name : *names) {
    if (!name.ends_with(".seg") && !name.ends_with(".val")) continue;
    auto file = env_.OpenWritable(JoinPath(dir_.Sub("store"), name), Env::OpenMode::kOpenExisting);
    ASSERT_OK(file);
    ASSERT_OK((*file)->Write(600, "damage"));
    ASSERT_OK((*file)->Close());
  }
  Open();
  size_t damaged = 0;
  for (int round = 0; round < 2; ++round) {  // first the files are not open, then they are
    for (size_t i = 0; i < 400; ++i) {
      const Value async = db_->GetAsync(KeyOf(i)).Get();
      const Value plain = db_->Get(KeyOf(i));
      ASSERT_EQ(async.status().ToString(), plain.status().ToString());
      ASSERT_EQ(async.value_or(""), plain.value_or(""));
      damaged += plain.status().IsCorruption();
    }
  }
  EXPECT_GT(damaged, 0u);
}

TEST(AsyncFaultTest, FailedReadsAreReportedAndForgotten) {
  CrashEnv env;
  StoreConfig config = SmallStoreConfig();
  config.tuning.cache_bytes = 64 << 10;
  auto db = OpenerFor(config)("/store", &env);
  ASSERT_OK(db);
  for (int i = 0; i < 500; ++i) ASSERT_OK((*db)->Put("k" + std::to_string(i), std::string(300, 'v')));
  ASSERT_OK((*db)->Compact());
  for (int i = 0; i < 500; ++i) ASSERT_OK((*db)->Get("k" + std::to_string(i)));
  env.FailCall(1, Fault::kEio, FaultSpan::kForever, {{CallKind::kRead}, ".seg"});
  int failed = 0;
  for (int i = 0; i < 500; ++i) {
    const Value got = (*db)->GetAsync("k" + std::to_string(i)).Get();
    if (got.ok()) continue;  // cached
    EXPECT_STATUS(kIoError, got);
    ++failed;
  }
  EXPECT_GT(failed, 100);
  const Values values = (*db)->MultiGetAsync({"k0", "k200", "k400", "k499"}).Get();
  int failed_together = 0;
  for (const Value& value : values) failed_together += value.status().code() == StatusCode::kIoError;
  EXPECT_GT(failed_together, 0);
  env.ClearFaults();
  for (int i = 0; i < 500; ++i) EXPECT_OK((*db)->GetAsync("k" + std::to_string(i)).Get());
}

// --- Writes.

TEST_P(AsyncTest, WritesOfOneThreadAreAppliedInTheirOrder) {
  Random random(11);
  std::vector<std::future<Status>> writes;
  std::string last;
  for (int i = 0; i < 2000; ++i) {
    last = std::to_string(i);
    const Durability durability = random.OneIn(10) ? Durability::kSync : Durability::kProcess;
    switch (random.Uniform(3)) {
      case 0:
        writes.push_back(db_->PutAsync("k", last, {.durability = durability}));
        break;
      case 1: {
        WriteBatch batch;
        batch.Put("k", last);
        writes.push_back(db_->WriteAsync(batch, {.durability = durability}));
        break;
      }
      default:
        ASSERT_OK(db_->Put("k", last));
    }
  }
  for (auto& write : writes) EXPECT_OK(write.get());
  EXPECT_EQ(db_->Get("k").value_or(""), last);
}

TEST_P(AsyncTest, CompleteWritesAreSeenByEverybody) {
  for (int i = 0; i < 200; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_OK(db_->PutAsync("k", value, {.durability = Durability::kSync}).Get());
    ASSERT_EQ(db_->Get("k").value_or(""), value);
  }
}

TEST_P(AsyncTest, BadWritesFailAtOnceAndWriteNothing) {
  auto put = db_->PutAsync(std::string(70'000, 'k'), "v");
  EXPECT_TRUE(put.IsDone());
  EXPECT_STATUS(kInvalidArgument, std::move(put).Get());
  auto space = db_->OpenNamespace("n");
  ASSERT_OK(space);
  ASSERT_OK(db_->DropNamespace("n"));
  EXPECT_STATUS(kNotFound, (*space)->PutAsync("k", "v").Get());
  EXPECT_STATUS(kNotFound, (*space)->GetAsync("k").Get());
  EXPECT_STATUS(kNotFound, (*space)->MultiGetAsync({"k", "l"}).Get()[1]);
}

TEST_P(AsyncTest, NamespacesHaveThemToo) {
  auto space = db_->OpenNamespace("n", {.durability = Durability::kSync});
  ASSERT_OK(space);
  std::vector<std::future<Status>> writes;
  for (size_t i = 0; i < 500; ++i) {
    writes.push_back((*space)->PutAsync(KeyOf(i), "n" + std::to_string(i) + std::string(200, '.')));
    writes.push_back(db_->PutAsync(KeyOf(i), "d"));
  }
  writes.push_back((*space)->DeleteAsync(KeyOf(3)));
  for (auto& write : writes) ASSERT_OK(write.get());
  ASSERT_OK(db_->Compact());
  for (size_t i = 0; i < 500; ++i) {
    const Value got = (*space)->GetAsync(KeyOf(i)).Get();
    if (i == 3) {
      EXPECT_STATUS(kNotFound, got);
    } else {
      EXPECT_EQ(got.value_or("").substr(0, 2), "n" + std::to_string(i).substr(0, 1));
    }
  }
  EXPECT_EQ((*space)->MultiGetAsync({KeyOf(4), KeyOf(3)}).Get()[0].value_or("")[1], '4');
  EXPECT_EQ(db_->GetAsync(KeyOf(3)).Get().value_or(""), "d");
}

TEST(AsyncWriteTest, SyncPutsSurviveLossOfPowerWhenTheyAreComplete) {
  CrashEnv env;
  auto db = OpenerFor(SmallStoreConfig())("/store", &env);
  ASSERT_OK(db);
  const auto has = [&](const std::string& key) {
    auto clone = env.CloneAfterPowerCut(PowerCut::LoseUnsynced());
    auto reopened = OpenerFor(SmallStoreConfig())("/store", clone.get());
    return reopened.ok() && (*reopened)->Get(key).ok();
  };
  ASSERT_OK((*db)->PutAsync("a", "1", {.durability = Durability::kSync}).Get());
  EXPECT_TRUE(has("a"));
  WriteBatch batch;
  batch.Put("b", std::string(6000, '2'));
  batch.Put("c", "3");
  ASSERT_OK((*db)->WriteAsync(batch, {.durability = Durability::kSync}).Get());
  EXPECT_TRUE(has("b"));
  EXPECT_TRUE(has("c"));
  ASSERT_OK((*db)->PutAsync("d", "4").Get());
  EXPECT_FALSE(has("d"));
  ASSERT_OK((*db)->WriteAsync(WriteBatch(), {.durability = Durability::kSync}).Get());
  EXPECT_TRUE(has("d"));
}

TEST(AsyncWriteTest, SyncPutsDoNotHoldTheirCallerAndShareAFlush) {
  constexpr int kPuts = 500;
  CrashEnv env;
  Gate gate;
  auto db = OpenerFor(SmallStoreConfig())("/store", &env);
  ASSERT_OK(db);
  env.SetCallHook(GateAt(&gate, CallKind::kSync, ".wal"));
  gate.Arm();
  auto first = (*db)->PutAsync("first", "v", {.durability = Durability::kSync});
  gate.AwaitArrival();
  std::vector<std::future<Status>> puts;
  for (int i = 0; i < kPuts; ++i) {
    puts.push_back((*db)->PutAsync("k" + std::to_string(i), "v", {.durability = Durability::kSync}));
  }
  EXPECT_FALSE(first.IsDone());
  EXPECT_STATUS(kNotFound, (*db)->Get("first"));  // not seen before it is durable
  const uint64_t syncs = (*db)->Stats().sync_count;
  gate.Open();
  for (auto& put : puts) EXPECT_OK(put.get());
  EXPECT_OK(std::move(first).Get());
  EXPECT_LE((*db)->Stats().sync_count, syncs + 2);
  env.SetCallHook(nullptr);
}

TEST(AsyncWriteTest, FailedSyncsAreReportedAndFinal) {
  CrashEnv env;
  auto db = OpenerFor(SmallStoreConfig())("/store", &env);
  ASSERT_OK(db);
  ASSERT_OK((*db)->Put("a", "1", {.durability = Durability::kSync}));
  env.FailCall(1, Fault::kFailedSync, FaultSpan::kOnce, {{CallKind::kSync}, ".wal"});
  std::vector<std::future<Status>> puts;
  for (int i = 0; i < 20; ++i) puts.push_back((*db)->PutAsync("b", "2", {.durability = Durability::kSync}));
  for (auto& put : puts) EXPECT_STATUS(kIoError, put.get());
  EXPECT_STATUS(kIoError, (*db)->PutAsync("c", "3").Get());
  EXPECT_EQ((*db)->GetAsync("a").Get().value_or(""), "1");
}

TEST(AsyncWriteTest, FullMemoryHoldsWritersBackAndLosesNothing) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.memtable_bytes = 4096;
  config.tuning.max_immutable_memtables = 1;
  config.tuning.tier_runs = 2;
  config.tuning.slowdown_runs = 1;
  TempDir dir;
  auto db = OpenerFor(config)(dir.Sub("store"), Env::Default());
  ASSERT_OK(db);
  std::atomic<int> ended{0};
  for (int i = 0; i < 3000; ++i) {
    (*db)->PutAsync("k" + std::to_string(i), std::string(100, 'v')).Then([&](Status status) {
      EXPECT_OK(status);
      ++ended;
    });
  }
  for (int i = 0; i < 3000; i += 37) EXPECT_OK((*db)->GetAsync("k" + std::to_string(i)).Get());
  db->reset();
  EXPECT_EQ(ended, 3000);
}

// --- Continuations.

TEST_P(AsyncTest, ContinuationsBeginFurtherOperations) {
  Fill(2000);
  OpenFiles();
  constexpr size_t kLinks = 2000;
  std::latch end(1);
  size_t links = 0;
  std::function<void(Value)> next = [&](Value value) {
    ExpectValue(KeyOf(links * 7 % 2000), value);
    if (++links == kLinks) return end.count_down();
    db_->GetAsync(KeyOf(links * 7 % 2000)).Then(next);
  };
  db_->GetAsync(KeyOf(0)).Then(next);
  end.wait();
  EXPECT_EQ(links, kLinks);
}

TEST_P(AsyncTest, ChainsInMemoryNeedNoStack) {
  constexpr int kLinks = 300'000;
  ASSERT_OK(db_->Put("k", "v"));
  int links = 0;
  std::function<void(Value)> next = [&](Value) {
    if (++links < kLinks) db_->GetAsync("k").Then(next);
  };
  db_->GetAsync("k").Then(next);
  EXPECT_EQ(links, kLinks);  // when the outermost call returns, all of it has run
}

TEST_P(AsyncTest, InnerContinuationsWaitForTheOuterOne) {
  ASSERT_OK(db_->Put("k", "v"));
  std::string order;
  db_->GetAsync("k").Then([&](Value) {
    db_->GetAsync("k").Then([&](Value) { order += "inner "; });
    order += "outer ";
  });
  EXPECT_EQ(order, "outer inner ");
}

TEST_P(AsyncTest, ContinuationsMayUseThePlainCalls) {
  FillSlow(300);
  std::promise<Status> ended;
  db_->GetAsync(KeyOf(9)).Then([&](Value) {
    Status status = db_->Put("from inside", "v", {.durability = Durability::kSync});
    if (status.ok()) status = db_->Get(KeyOf(77)).status();
    ended.set_value(status);
  });
  env_.valve().Open();
  EXPECT_OK(ended.get_future().get());
}

// --- Coroutines.

Lazy<int> CountPresent(Db* db, size_t first, size_t count) {
  int present = 0;
  for (size_t i = first; i < first + count; ++i) {
    const Value value = co_await db->GetAsync("key" + std::to_string(1'000'000 + i));
    present += value.ok();
  }
  co_return present;
}

Detached CountInTwo(Db* db, size_t count, std::promise<int>* result) {
  const int low = co_await CountPresent(db, 0, count);
  const int high = co_await CountPresent(db, count, count);
  result->set_value(low + high);
}

TEST_P(AsyncTest, CoroutinesOfTwoTypes) {
  Fill(1500);
  OpenFiles();
  constexpr int kCoroutines = 20;
  std::vector<std::promise<int>> results(kCoroutines);
  for (auto& result : results) CountInTwo(db_.get(), 1000, &result);
  for (auto& result : results) EXPECT_EQ(result.get_future().get(), 1500);
}

Detached Transfer(Db* db, int id, int rounds, std::latch* end) {
  for (int i = 0; i < rounds; ++i) {
    const std::string key = "c" + std::to_string(id);
    const Durability durability = i % 5 == 0 ? Durability::kSync : Durability::kProcess;
    const Status put = co_await db->PutAsync(key, std::to_string(i), {.durability = durability});
    EXPECT_OK(put);
    auto reading = db->GetAsync(key);  // a handle may also be awaited later
    const Value got = co_await reading;
    EXPECT_EQ(got.value_or(""), std::to_string(i));
  }
  end->count_down();
}

TEST_P(AsyncTest, CoroutinesSeeTheirOwnWrites) {
  constexpr int kCoroutines = 30;
  std::latch end(kCoroutines);
  for (int i = 0; i < kCoroutines; ++i) Transfer(db_.get(), i, 40, &end);
  end.wait();
}

// --- Cancelling.

TEST_P(AsyncTest, StopBeforeTheCall) {
  ASSERT_OK(db_->Put("k", "old"));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_STATUS(kAborted, db_->GetAsync("k", {}, stop.get_token()).Get());
  EXPECT_STATUS(kAborted, db_->MultiGetAsync({"k", "l"}, {}, stop.get_token()).Get()[1]);
  EXPECT_STATUS(kAborted, db_->PutAsync("k", "new", {}, stop.get_token()).Get());
  EXPECT_STATUS(kAborted, db_->DeleteAsync("k", {}, stop.get_token()).Get());
  WriteBatch batch;
  batch.Put("k", "new");
  EXPECT_STATUS(kAborted, db_->WriteAsync(batch, {}, stop.get_token()).Get());
  EXPECT_EQ(db_->Get("k").value_or(""), "old");
}

TEST_P(AsyncTest, StopEndsReadsThatAreUnderWay) {
  constexpr size_t kCount = 2000;
  FillSlow(kCount);
  std::stop_source stop;
  std::vector<std::future<Value>> stopped, kept;
  for (size_t i = 0; i < kCount; ++i) {
    stopped.push_back(db_->GetAsync(KeyOf(i), {}, stop.get_token()));
    if (i % 10 == 0) kept.push_back(db_->GetAsync(KeyOf(i)));
  }
  stop.request_stop();
  env_.valve().Open();
  size_t aborted = 0;
  for (size_t i = 0; i < kCount; ++i) {
    const Value value = stopped[i].get();
    if (value.status().code() == StatusCode::kAborted) {
      ++aborted;
    } else {
      ExpectValue(KeyOf(i), value);  // it was cached
    }
  }
  EXPECT_GT(aborted, kCount / 2);  // of the rest some were cached
  for (size_t i = 0; i < kept.size(); ++i) ExpectValue(KeyOf(i * 10), kept[i].get());
}

TEST_P(AsyncTest, StopAfterTheCallDoesNotUndoAWrite) {
  std::stop_source stop;
  auto put = db_->PutAsync("k", "v", {.durability = Durability::kSync}, stop.get_token());
  stop.request_stop();
  EXPECT_OK(std::move(put).Get());
  EXPECT_EQ(db_->Get("k").value_or(""), "v");
}

// --- Closing.

TEST_P(AsyncTest, CloseEndsReadsUnderWay) {
  constexpr size_t kCount = 2000;
  FillSlow(kCount);
  ASSERT_OK(db_->Put("hot", "v"));
  std::atomic<size_t> aborted{0};
  std::atomic<size_t> ended{0};
  for (size_t i = 0; i < kCount; ++i) {
    db_->GetAsync(KeyOf(i)).Then([&, i](Value value) {
      if (value.status().code() == StatusCode::kAborted) {
        ++aborted;
      } else {
        ExpectValue(KeyOf(i), value);
      }
      ++ended;
    });
  }
  Db* const db = db_.get();
  std::atomic<bool> has_refused{false};
  // Once the store closes it begins nothing more; only then may the reads go on.
  db->PutAsync("sync", "v", {.durability = Durability::kSync}).Then([&, db](Status status) {
    EXPECT_OK(status);
    while (db->GetAsync("hot").Get().status().code() != StatusCode::kAborted) std::this_thread::yield();
    EXPECT_STATUS(kAborted, db->PutAsync("late", "v").Get());
    EXPECT_STATUS(kAborted, db->WriteAsync(WriteBatch()).Get());
    EXPECT_OK(db->Put("plain", "v"));
    has_refused = true;
    env_.valve().Open();
  });
  db_.reset();
  EXPECT_TRUE(has_refused);
  EXPECT_EQ(ended, kCount);
  EXPECT_GT(aborted, kCount / 2);  // of the rest some were cached
  Open();
  EXPECT_OK(db_->Get("sync"));
  EXPECT_OK(db_->Get("plain"));
  EXPECT_STATUS(kNotFound, db_->Get("late"));
}

TEST_P(AsyncTest, CloseFinishesWrites) {
  constexpr int kCount = 500;
  std::atomic<int> good{0};
  for (int i = 0; i < kCount; ++i) {
    db_->PutAsync("k" + std::to_string(i), "v", {.durability = Durability::kSync}).Then([&](Status status) {
      good += status.ok();
    });
  }
  db_.reset();
  EXPECT_EQ(good, kCount);
  Open();
  for (int i = 0; i < kCount; ++i) EXPECT_OK(db_->Get("k" + std::to_string(i)));
}

TEST_P(AsyncTest, CloseEndsCoroutinesThatNeverStop) {
  Fill(1000);
  OpenFiles();
  std::latch end(8);
  const auto read_for_ever = [](Db* db, uint64_t seed, std::latch* done) -> Detached {
    Random random(seed);
    while (true) {
      const Value value = co_await db->GetAsync(KeyOf(random.Uniform(1000)));
      if (value.status().code() == StatusCode::kAborted) break;
      EXPECT_OK(value);
    }
    done->count_down();
  };
  // Their first reads miss: nothing of them is cached that was read so long ago.
  for (uint64_t i = 0; i < 8; ++i) read_for_ever(db_.get(), i, &end);
  db_.reset();
  EXPECT_TRUE(end.try_wait());
}

INSTANTIATE_TEST_SUITE_P(Reads, AsyncTest, ::testing::Values(AsyncReads::kAuto, AsyncReads::kThreads),
                         AsyncVariantName);

}  // namespace async_test
}  // namespace varve::test
