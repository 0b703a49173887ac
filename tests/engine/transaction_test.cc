// Transactions of one or a few threads, in chosen interleavings, and against a model.
#include "varve/transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/gate.h"
#include "tests/support/map_iterator.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace transaction_test {

using ::testing::HasSubstr;
using test::Contents;

constexpr TransactionOptions kSnapshotIsolation{.isolation = Isolation::kSnapshot};

class TransactionTest : public ::testing::Test {
 protected:
  TransactionTest() {
    tuning_.memtable_bytes = 64 << 10;
    tuning_.segment_bytes = 32 << 10;
    tuning_.tier_runs = 3;
    tuning_.log_window_bytes = 64 << 10;
    tuning_.value_log_file_bytes = 64 << 10;
    tuning_.cache_bytes = 256 << 10;
    tuning_.max_transaction_bytes = 100'000;
    options_.env = &env_;
    Open();
  }
  void Open() {
    db_.reset();
    auto db = OpenTuned("/db", options_, tuning_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  void Put(std::string_view key, std::string_view value) { ASSERT_OK(db_->Put(key, value)); }
  std::string Get(std::string_view key) { return db_->Get(key).value_or("-"); }
  static std::string Get(Transaction& t, std::string_view key) { return t.Get(key).value_or("-"); }
  static std::string Scan(Iterator* it) {
    std::string all;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      all += std::string(it->key()) + "=" + std::string(it->value()) + " ";
    }
    EXPECT_OK(it->status());
    return all;
  }

  CrashEnv env_;
  Options options_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
};

// --- One transaction.

TEST_F(TransactionTest, OwnWritesAreVisibleInsideOnly) {
  Put("a", "1");
  Put("b", "2");
  auto t = db_->Begin();
  ASSERT_OK(t->Put("c", "3"));
  ASSERT_OK(t->Delete("a"));
  ASSERT_OK(t->Put("b", "20"));
  EXPECT_EQ(Get(*t, "a"), "-");
  EXPECT_EQ(Get(*t, "b"), "20");
  EXPECT_EQ(Get(*t, "c"), "3");
  auto pinned = t->GetPinned("b");
  ASSERT_OK(pinned);
  EXPECT_EQ(pinned->view(), "20");
  EXPECT_STATUS(kNotFound, t->GetPinned("a"));
  std::string value = "left over";
  EXPECT_STATUS(kNotFound, t->Get("a", &value));
  EXPECT_EQ(value, "");
  EXPECT_EQ(Scan(t->NewIterator().get()), "b=20 c=3 ");
  EXPECT_EQ(Get("a") + Get("b") + Get("c"), "12-");
  ASSERT_OK(t->Commit());
  EXPECT_EQ(Get("a") + Get("b") + Get("c"), "-203");
}

TEST_F(TransactionTest, ReadsOneStateWhateverIsWrittenFlushedAndMerged) {
  for (int i = 0; i < 300; ++i) Put("key" + std::to_string(i), "old");
  ASSERT_OK(db_->Compact());
  auto t = db_->Begin({.read_only = true});
  auto it = t->NewIterator();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 300; i += 2) Put("key" + std::to_string(i), std::string(300, 'n'));
    for (int i = 1; i < 300; i += 4) ASSERT_OK(db_->Delete("key" + std::to_string(i)));
    ASSERT_OK(db_->DeleteRange("key2", "key25"));
    ASSERT_OK(db_->Flush());
    ASSERT_OK(db_->Compact());
  }
  size_t count = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++count) ASSERT_EQ(it->value(), "old");
  EXPECT_EQ(count, 300u);
  auto late = t->NewIterator();
  count = 0;
  for (late->SeekToFirst(); late->Valid(); late->Next(), ++count) ASSERT_EQ(late->value(), "old");
  EXPECT_EQ(count, 300u);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(Get(*t, "key" + std::to_string(i)), "old");
}

TEST_F(TransactionTest, RollbackAndDestructionForgetWrites) {
  auto t = db_->Begin();
  ASSERT_OK(t->Put("a", "1"));
  ASSERT_OK(t->Rollback());
  t = db_->Begin();
  ASSERT_OK(t->Put("a", "1"));
  t.reset();
  EXPECT_EQ(Get("a"), "-");
}

TEST_F(TransactionTest, EndedTransactionRefusesEverything) {
  auto t = db_->Begin();
  ASSERT_OK(t->Put("a", "1"));
  auto it = t->NewIterator();
  it->SeekToFirst();
  ASSERT_TRUE(it->Valid());
  ASSERT_OK(t->Commit());
  EXPECT_STATUS(kInvalidArgument, t->Put("a", "2"));
  EXPECT_STATUS(kInvalidArgument, t->Delete("a"));
  EXPECT_STATUS(kInvalidArgument, t->DeleteRange("a", "b"));
  EXPECT_STATUS(kInvalidArgument, t->Get("a"));
  EXPECT_STATUS(kInvalidArgument, t->GetPinned("a"));
  EXPECT_STATUS(kInvalidArgument, t->SetSavepoint());
  EXPECT_STATUS(kInvalidArgument, t->RollbackToSavepoint());
  EXPECT_STATUS(kInvalidArgument, t->ReleaseSavepoint());
  EXPECT_STATUS(kInvalidArgument, t->Commit());
  EXPECT_STATUS(kInvalidArgument, t->Rollback());
  EXPECT_STATUS(kInvalidArgument, t->NewIterator()->status());
  it->Next();
  EXPECT_FALSE(it->Valid());
  EXPECT_STATUS(kInvalidArgument, it->status());
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(TransactionTest, ReadOnlyRefusesWritesAndNeverConflicts) {
  Put("a", "1");
  auto t = db_->Begin({.read_only = true});
  EXPECT_EQ(Get(*t, "a"), "1");
  Put("a", "2");
  EXPECT_STATUS(kInvalidArgument, t->Put("b", "1"));
  EXPECT_STATUS(kInvalidArgument, t->DeleteRange("a", "b"));
  EXPECT_EQ(Get(*t, "a"), "1");
  EXPECT_OK(t->Commit());
}

TEST_F(TransactionTest, SavepointsTakeBackWrites) {
  Put("kept", "1");
  Put("range1", "x");
  auto t = db_->Begin();
  ASSERT_OK(t->Put("a", "1"));
  ASSERT_OK(t->SetSavepoint());
  ASSERT_OK(t->Put("a", "2"));
  ASSERT_OK(t->Put("b", "2"));
  ASSERT_OK(t->SetSavepoint());
  ASSERT_OK(t->DeleteRange("a", "z"));
  EXPECT_EQ(Scan(t->NewIterator().get()), "");
  ASSERT_OK(t->RollbackToSavepoint());
  EXPECT_EQ(Scan(t->NewIterator().get()), "a=2 b=2 kept=1 range1=x ");
  ASSERT_OK(t->SetSavepoint());
  ASSERT_OK(t->Delete("range1"));
  ASSERT_OK(t->ReleaseSavepoint());
  EXPECT_EQ(Scan(t->NewIterator().get()), "a=2 b=2 kept=1 ");
  ASSERT_OK(t->RollbackToSavepoint());
  EXPECT_EQ(Scan(t->NewIterator().get()), "a=1 kept=1 range1=x ");
  EXPECT_STATUS(kNotFound, t->RollbackToSavepoint());
  EXPECT_STATUS(kNotFound, t->ReleaseSavepoint());
  ASSERT_OK(t->Commit());
  EXPECT_EQ(Scan(db_->NewIterator().get()), "a=1 kept=1 range1=x ");
}

TEST_F(TransactionTest, IteratorSurvivesWhatIsTakenBackUnderIt) {
  auto t = db_->Begin();
  ASSERT_OK(t->Put("a", "1"));
  ASSERT_OK(t->SetSavepoint());
  ASSERT_OK(t->Put("b", "2"));
  auto it = t->NewIterator();
  it->Seek("b");
  ASSERT_TRUE(it->Valid());
  ASSERT_OK(t->RollbackToSavepoint());
  EXPECT_EQ(it->key(), "b");
  EXPECT_EQ(it->value(), "2");
  it->Prev();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "a");
  it->Next();
  EXPECT_FALSE(it->Valid());
}

TEST_F(TransactionTest, LimitsAreNamedAndNothingIsWritten) {
  auto t = db_->Begin();
  const Status key = t->Put(std::string(70'000, 'k'), "v");
  EXPECT_STATUS(kInvalidArgument, key);
  EXPECT_THAT(std::string(key.message()), HasSubstr("65535"));
  ASSERT_OK(t->Put("a", std::string(60'000, 'v')));
  const Status whole = t->Put("b", std::string(60'000, 'v'));
  EXPECT_STATUS(kInvalidArgument, whole);
  EXPECT_THAT(std::string(whole.message()), HasSubstr("100000"));
  EXPECT_EQ(Get(*t, "b"), "-");
  ASSERT_OK(t->Put("b", "small"));
  ASSERT_OK(t->Commit());
  EXPECT_EQ(Get("a").size(), 60'000u);
  EXPECT_EQ(Get("b"), "small");
}

TEST_F(TransactionTest, LargeValuesAreSeparatedAndSurviveReopening) {
  const std::string large(10'000, 'x');
  ASSERT_OK(db_->Transact([&](Transaction& t) {
    EXPECT_OK(t.Put("large", large));
    EXPECT_EQ(Get(t, "large"), large);
    return t.Put("small", "s");
  }));
  Open();
  EXPECT_EQ(Get("large"), large);
  EXPECT_EQ(Get("small"), "s");
}

// --- Two transactions.

TEST_F(TransactionTest, ReadKeyThatChangesIsAConflict) {
  Put("a", "1");
  auto t = db_->Begin();
  EXPECT_EQ(Get(*t, "a"), "1");
  ASSERT_OK(t->Put("b", "from a"));
  Put("a", "2");
  EXPECT_STATUS(kConflict, t->Commit());
  EXPECT_EQ(Get("b"), "-");
}

TEST_F(TransactionTest, AbsentKeyThatAppearsIsAConflict) {
  auto t = db_->Begin();
  EXPECT_EQ(Get(*t, "a"), "-");
  ASSERT_OK(t->Put("b", "1"));
  Put("a", "1");
  EXPECT_STATUS(kConflict, t->Commit());
}

TEST_F(TransactionTest, RangeDeleteOverAReadKeyIsAConflict) {
  Put("m", "1");
  auto t = db_->Begin();
  EXPECT_EQ(Get(*t, "m"), "1");
  ASSERT_OK(t->Put("b", "1"));
  ASSERT_OK(db_->DeleteRange("c", "p"));
  EXPECT_STATUS(kConflict, t->Commit());
  t = db_->Begin();
  EXPECT_EQ(Get(*t, "m"), "-");
  ASSERT_OK(t->Put("b", "1"));
  ASSERT_OK(db_->DeleteRange("n", "p"));
  EXPECT_OK(t->Commit());
}

TEST_F(TransactionTest, BlindWritesDoNotConflict) {
  auto t = db_->Begin();
  ASSERT_OK(t->Put("a", "t"));
  EXPECT_EQ(Get(*t, "a"), "t");
  Put("a", "other");
  EXPECT_OK(t->Commit());
  EXPECT_EQ(Get("a"), "t");
}

TEST_F(TransactionTest, PhantomsAreCaughtWhereIteratorsHaveBeenAndNowhereElse) {
  Put("b", "1");
  Put("d", "1");
  Put("f", "1");
  Put("h", "1");
  struct Case {
    std::string key;
    bool conflicts_forward;   // after Seek("c"), Next: d, f
    bool conflicts_reverse;   // after SeekForPrev("g"), Prev: f, d
  };
  for (const Case& c : std::vector<Case>{{"b", false, false}, {"bb", false, false}, {"c", true, false},
                                         {"cc", true, false}, {"d", true, true}, {"e", true, true},
                                         {"f", true, true}, {"ff", false, true}, {"g", false, true},
                                         {"gg", false, false}, {"h", false, false}}) {
    for (const bool forward : {true, false}) {
      auto t = db_->Begin();
      {
        auto it = t->NewIterator();
        if (forward) {
          it->Seek("c");
          it->Next();
        } else {
          it->SeekForPrev("g");
          it->Prev();
        }
        ASSERT_TRUE(it->Valid());
        ASSERT_EQ(it->key(), forward ? "f" : "d");
      }
      ASSERT_OK(t->Put("z", "1"));
      const bool was_there = db_->Get(c.key).ok();
      Put(c.key, "2");
      const bool conflicts = forward ? c.conflicts_forward : c.conflicts_reverse;
      EXPECT_EQ(t->Commit().code(), conflicts ? StatusCode::kConflict : StatusCode::kOk)
          << c.key << (forward ? " forward" : " reverse");
      if (!was_there) {
        ASSERT_OK(db_->Delete(c.key));
      }
    }
  }
}

TEST_F(TransactionTest, PhantomAtTheEndsOfAScan) {
  const auto conflicts = [&](const IteratorOptions& options, bool reverse, std::string_view key) {
    auto t = db_->Begin();
    auto it = t->NewIterator(options);
    if (reverse) {
      for (it->SeekToLast(); it->Valid();) it->Prev();
    } else {
      for (it->SeekToFirst(); it->Valid();) it->Next();
    }
    EXPECT_OK(t->Put("z", "1"));
    EXPECT_OK(db_->Put(key, "1"));
    const Status status = t->Commit();  // with the iterator alive
    EXPECT_OK(db_->Delete(key));
    return status.code() == StatusCode::kConflict;
  };
  Put("m", "1");
  for (const bool reverse : {false, true}) {
    EXPECT_TRUE(conflicts({}, reverse, ""));
    EXPECT_TRUE(conflicts({}, reverse, "\xff\xff"));
    const IteratorOptions prefix{.prefix = "pre"};
    EXPECT_TRUE(conflicts(prefix, reverse, "pre"));
    EXPECT_TRUE(conflicts(prefix, reverse, "pre\xff\xff"));
    EXPECT_FALSE(conflicts(prefix, reverse, "prf"));
    EXPECT_FALSE(conflicts(prefix, reverse, "prd"));
    IteratorOptions bounds;
    bounds.lower_bound = "g";
    bounds.upper_bound = "p";
    EXPECT_TRUE(conflicts(bounds, reverse, "g"));
    EXPECT_TRUE(conflicts(bounds, reverse, "o"));
    EXPECT_FALSE(conflicts(bounds, reverse, "f"));
    EXPECT_FALSE(conflicts(bounds, reverse, "p"));
  }
}

TEST_F(TransactionTest, DeletedKeyInAScannedRangeIsAConflict) {
  Put("a", "1");
  Put("b", "1");
  auto t = db_->Begin();
  EXPECT_EQ(Scan(t->NewIterator().get()), "a=1 b=1 ");
  ASSERT_OK(t->Put("z", "1"));
  ASSERT_OK(db_->Delete("b"));
  EXPECT_STATUS(kConflict, t->Commit());
  t = db_->Begin();
  EXPECT_EQ(Scan(t->NewIterator().get()), "a=1 ");
  ASSERT_OK(t->Put("z", "1"));
  ASSERT_OK(db_->DeleteRange("a", "b"));
  EXPECT_STATUS(kConflict, t->Commit());
}

// The change may lie in the ring, in a memtable, in a segment, or be merged into the last run.
TEST_F(TransactionTest, ConflictsAreFoundWhereverTheChangeLies) {
  enum Kind { kKey, kAbsentKey, kRange };
  enum Place { kRecent, kFarBack, kFlushed, kMerged, kMergedAway };
  for (const Place place : {kRecent, kFarBack, kFlushed, kMerged, kMergedAway}) {
    for (const Kind kind : {kKey, kAbsentKey, kRange}) {
      for (const bool changes : {true, false}) {
        SCOPED_TRACE(testing::Message() << place << " " << kind << " " << changes);
        Put("key", "1");
        ASSERT_OK(db_->Delete("absent"));
        ASSERT_OK(db_->DeleteRange("range", "rangf"));
        auto t = db_->Begin();
        if (kind == kKey) {
          EXPECT_EQ(Get(*t, "key"), "1");
        }
        if (kind == kAbsentKey) {
          EXPECT_EQ(Get(*t, "absent"), "-");
        }
        if (kind == kRange) {
          EXPECT_EQ(Scan(t->NewIterator({.prefix = "range"}).get()), "");
        }
        ASSERT_OK(t->Put("z", "1"));
        if (changes) {
          if (kind == kKey) {
            ASSERT_OK(db_->Delete("key"));
          }
          if (kind == kAbsentKey) Put("absent", "1");
          if (kind == kRange) Put("range 5", "1");
        }
        if (place == kMergedAway && changes && kind != kKey) {
          ASSERT_OK(db_->Delete(kind == kRange ? "range 5" : "absent"));
        }
        const int others = place == kRecent ? 3 : 400;
        for (int i = 0; i < others; ++i) Put("other" + std::to_string(i % 50), "x");
        if (place >= kFlushed) {
          ASSERT_OK(db_->Flush());
        }
        if (place >= kMerged) {
          ASSERT_OK(db_->Compact());
        }
        EXPECT_EQ(t->Commit().code(), changes ? StatusCode::kConflict : StatusCode::kOk);
      }
    }
  }
}

TEST_F(TransactionTest, SnapshotIsolationShowsWriteSkewAndForbidsLostUpdates) {
  Put("a", "1");
  Put("b", "1");
  for (const bool serializable : {true, false}) {
    const TransactionOptions options = serializable ? TransactionOptions() : kSnapshotIsolation;
    auto t = db_->Begin(options);
    auto u = db_->Begin(options);
    EXPECT_EQ(Get(*t, "a") + Get(*t, "b"), "11");
    EXPECT_EQ(Get(*u, "a") + Get(*u, "b"), "11");
    ASSERT_OK(t->Put("a", "1"));
    ASSERT_OK(u->Put("b", "1"));
    EXPECT_OK(t->Commit());
    EXPECT_EQ(u->Commit().code(), serializable ? StatusCode::kConflict : StatusCode::kOk);
  }
  auto t = db_->Begin(kSnapshotIsolation);
  auto u = db_->Begin(kSnapshotIsolation);
  ASSERT_OK(t->Put("a", "t"));
  ASSERT_OK(u->Put("a", "u"));
  EXPECT_OK(t->Commit());
  EXPECT_STATUS(kConflict, u->Commit());
  EXPECT_EQ(Get("a"), "t");
  t = db_->Begin(kSnapshotIsolation);
  ASSERT_OK(t->DeleteRange("a", "c"));
  Put("b", "new");
  EXPECT_STATUS(kConflict, t->Commit());
}

TEST_F(TransactionTest, MoreTransactionsThanSlots) {
  Put("a", "1");
  std::vector<std::unique_ptr<Transaction>> open;
  for (int i = 0; i < 200; ++i) {
    open.push_back(db_->Begin());
    EXPECT_EQ(Get(*open.back(), "a"), "1");
    ASSERT_OK(open.back()->Put("own" + std::to_string(i), "1"));
  }
  Put("a", "2");
  ASSERT_OK(db_->Flush());
  ASSERT_OK(db_->Compact());
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(Get(*open[static_cast<size_t>(i)], "a"), "1");
    EXPECT_STATUS(kConflict, open[static_cast<size_t>(i)]->Commit());
  }
}

// --- Transact.

TEST_F(TransactionTest, TransactRunsAgainAfterAConflict) {
  Put("a", "1");
  int runs = 0;
  ASSERT_OK(db_->Transact([&](Transaction& t) {
    const std::string value = Get(t, "a");
    if (++runs < 7) Put("a", std::to_string(runs + 1));
    return t.Put("b", value);
  }));
  EXPECT_EQ(runs, 7);
  EXPECT_EQ(Get("b"), "7");
}

TEST_F(TransactionTest, TransactGivesUpWithConflict) {
  int runs = 0;
  const Status status = db_->Transact(
      [&](Transaction& t) {
        (void)t.Get("a");
        Put("a", std::to_string(++runs));
        return t.Put("b", "1");
      },
      {.max_attempts = 5});
  EXPECT_STATUS(kConflict, status);
  EXPECT_EQ(runs, 5);
  EXPECT_EQ(Get("b"), "-");
}

TEST_F(TransactionTest, ErrorOfTheFunctionRollsBackAndIsReturned) {
  int runs = 0;
  EXPECT_STATUS(kConflict, db_->Transact([&](Transaction& t) {
    ++runs;
    EXPECT_OK(t.Put("a", "1"));
    return Status::Conflict("my own");
  }));
  EXPECT_EQ(runs, 1);
  EXPECT_THROW((void)db_->Transact([&](Transaction& t) -> Status {
    EXPECT_OK(t.Put("a", "1"));
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_EQ(Get("a"), "-");
  EXPECT_OK(db_->Transact([&](Transaction& t) { return t.Put("a", "2"); }));
}

TEST_F(TransactionTest, TransactEndsTheTransactionItself) {
  EXPECT_OK(db_->Transact([&](Transaction& t) {
    EXPECT_OK(t.Put("a", "1"));
    EXPECT_STATUS(kInvalidArgument, t.Commit());
    EXPECT_STATUS(kInvalidArgument, t.Rollback());
    return Status::Ok();
  }));
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(TransactionTest, FunctionsComposeAndAFailedOneLeavesNothing) {
  const auto add = [](Transaction& t, std::string_view key, bool fails) {
    return t.Transact([&](Transaction& inner) {
      EXPECT_OK(inner.Put(key, "1"));
      return fails ? Status::Aborted("no") : Status::Ok();
    });
  };
  ASSERT_OK(db_->Transact([&](Transaction& t) {
    EXPECT_OK(add(t, "a", false));
    EXPECT_STATUS(kAborted, add(t, "b", true));
    return add(t, "c", false);
  }));
  EXPECT_EQ(Get("a") + Get("b") + Get("c"), "1-1");
}

TEST_F(TransactionTest, TransactionInsideATransactionIsAnotherOne) {
  Put("a", "1");
  int runs = 0;
  // The inner one changes what the outer one has read, every time but the last.
  ASSERT_OK(db_->Transact([&](Transaction& t) {
    const std::string value = Get(t, "a");
    if (++runs <= 6) {
      EXPECT_OK(db_->Transact([&](Transaction& u) { return u.Put("a", Get(u, "a") + "1"); }));
    }
    return t.Put("b", value);
  }));
  EXPECT_EQ(runs, 7);
  EXPECT_EQ(Get("b"), "1111111");
}

// A transaction during which others always commit, unless it has the turn.
TEST_F(TransactionTest, LongTransactionIsNotStarvedByShortOnes) {
  constexpr int kKeys = 100;
  constexpr int kShortThreads = 3;
  for (int i = 0; i < kKeys; ++i) Put("key" + std::to_string(i), "1");
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> short_commits{0};
  std::vector<std::thread> shorts;
  for (int thread = 0; thread < kShortThreads; ++thread) {
    shorts.emplace_back([&, thread] {
      Random random(static_cast<uint64_t>(thread) + 1);
      while (!stop.load(std::memory_order_relaxed)) {
        const std::string key = "key" + std::to_string(random.Uniform(kKeys));
        EXPECT_OK(db_->Transact([&](Transaction& t) { return t.Put(key, Get(t, key)); },
                                {.max_attempts = 1'000'000}));
        short_commits.fetch_add(1);
      }
    });
  }
  for (int round = 0; round < 2; ++round) {
    int sum = 0;
    EXPECT_OK(db_->Transact([&](Transaction& t) {
      const uint64_t before = short_commits.load();
      sum = 0;
      for (int i = 0; i < kKeys; ++i) sum += std::stoi(Get(t, "key" + std::to_string(i)));
      // So many that one of them has begun after this transaction; in vain if it has the turn.
      for (int i = 0; i < 3000 && short_commits.load() <= before + kShortThreads; ++i) {
        std::this_thread::yield();
      }
      return t.Put("sum", std::to_string(sum));
    }));
    EXPECT_EQ(sum, kKeys);
  }
  stop = true;
  for (std::thread& thread : shorts) thread.join();
}

// Whoever conflicts with a change that is not yet durable enough to be seen waits for that, instead of
// using up its attempts on the same old state.
TEST_F(TransactionTest, ConflictWithAChangeThatWaitsForItsSync) {
  Put("n", "0");
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      TransactionOptions options;
      if (thread % 2 == 0) options.write.durability = Durability::kSync;
      for (int i = 0; i < 100; ++i) {
        EXPECT_OK(db_->Transact(
            [&](Transaction& t) { return t.Put("n", std::to_string(std::stoi(Get(t, "n")) + 1)); },
            options));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Get("n"), "400");
}

// --- Namespaces.

TEST_F(TransactionTest, NamespacesAreKeptApartAndChangeTogether) {
  auto a = *db_->OpenNamespace("a");
  auto b = *db_->OpenNamespace("b");
  // A key of the default namespace that looks like a stored key of `a`.
  const std::string like_a("\xff\x01\0\0\0\x01k", 7);
  Put("k", "0");
  ASSERT_OK(b->Put("k", "2"));
  auto t = db_->Begin();
  ASSERT_OK(t->Put(*a, "k", "11"));
  ASSERT_OK(t->Put(like_a, "ff"));
  ASSERT_OK(t->Put(*db_, "l", "00"));
  ASSERT_OK(t->Delete(*b, "k"));
  EXPECT_EQ(t->Get(*a, "k").value_or("-"), "11");
  EXPECT_EQ(t->GetPinned(*a, "k")->view(), "11");
  EXPECT_EQ(Get(*t, "k"), "0");
  EXPECT_EQ(Get(*t, like_a), "ff");
  EXPECT_STATUS(kNotFound, t->Get(*b, "k"));
  EXPECT_EQ(Scan(t->NewIterator().get()), "k=0 l=00 " + like_a + "=ff ");
  EXPECT_EQ(Scan(t->NewIterator(*a).get()), "k=11 ");
  EXPECT_EQ(Scan(t->NewIterator(*b).get()), "");
  EXPECT_EQ(Scan(t->NewIterator({.prefix = "\xff"}).get()), like_a + "=ff ");
  EXPECT_STATUS(kNotFound, a->Get("k"));
  ASSERT_OK(t->Commit());
  EXPECT_EQ(a->Get("k").value_or("-"), "11");
  EXPECT_STATUS(kNotFound, b->Get("k"));
  EXPECT_EQ(Get(like_a), "ff");

  t = db_->Begin();
  ASSERT_OK(t->Put(*b, "x", "1"));
  ASSERT_OK(t->DeleteAll(*a));
  ASSERT_OK(t->Put(*a, "z", "1"));
  EXPECT_EQ(Scan(t->NewIterator(*a).get()), "z=1 ");
  ASSERT_OK(t->DeleteRange(*b, "", "z"));
  ASSERT_OK(t->Commit());
  EXPECT_EQ(Scan(a->NewIterator().get()), "z=1 ");
  EXPECT_EQ(Scan(b->NewIterator().get()), "");
  EXPECT_EQ(Scan(db_->NewIterator().get()), "k=0 l=00 " + like_a + "=ff ");
}

TEST_F(TransactionTest, ConflictsAreOfOneNamespace) {
  auto a = *db_->OpenNamespace("a");
  auto b = *db_->OpenNamespace("b");
  const auto commit_after = [&](auto reads, auto meanwhile) {
    auto t = db_->Begin();
    reads(*t);
    EXPECT_OK(meanwhile());
    EXPECT_OK(t->Put("result", "1"));
    return t->Commit();
  };
  const auto get_in_a = [&](Transaction& t) { EXPECT_STATUS(kNotFound, t.Get(*a, "k")); };
  const auto scan_a = [&](Transaction& t) { Scan(t.NewIterator(*a).get()); };
  const auto scan_a_back = [&](Transaction& t) {
    auto it = t.NewIterator(*a);
    for (it->SeekToLast(); it->Valid(); it->Prev()) {
    }
  };
  const auto scan_default = [&](Transaction& t) { Scan(t.NewIterator().get()); };
  EXPECT_OK(commit_after(get_in_a, [&] { return b->Put("k", "1"); }));
  EXPECT_OK(commit_after(get_in_a, [&] { return db_->Put("k", "1"); }));
  EXPECT_OK(commit_after(scan_a, [&] { return b->Put("", "1"); }));
  EXPECT_OK(commit_after(scan_a_back, [&] { return db_->Put("\xff\xff", "1"); }));
  EXPECT_OK(commit_after(scan_default, [&] { return a->Put("other", "1"); }));
  EXPECT_OK(commit_after(scan_a, [&] { return b->Clear(); }));
  EXPECT_STATUS(kConflict, commit_after(get_in_a, [&] { return a->Put("k", "1"); }));
  ASSERT_OK(a->Delete("k"));
  EXPECT_STATUS(kConflict, commit_after(get_in_a, [&] { return a->Clear(); }));
  EXPECT_STATUS(kConflict, commit_after(scan_a, [&] { return a->Put("\xff\xff", "1"); }));
  EXPECT_STATUS(kConflict, commit_after(scan_a_back, [&] { return a->Put("", "1"); }));
  EXPECT_STATUS(kConflict, commit_after(scan_default, [&] { return db_->Put("\xff\xff", "2"); }));
  EXPECT_STATUS(kConflict, commit_after(scan_a, [&] { return db_->DropNamespace("a"); }));
}

TEST_F(TransactionTest, DroppedNamespaceTakesNoCommit) {
  const auto open = [&] { return *db_->OpenNamespace("a"); };
  auto a = open();
  ASSERT_OK(a->Put("k", "1"));
  auto t = db_->Begin();
  ASSERT_OK(t->Put(*a, "l", "1"));
  ASSERT_OK(t->Put("outside", "1"));
  ASSERT_OK(db_->DropNamespace("a"));
  // The state that it reads has the namespace still.
  EXPECT_EQ(t->Get(*a, "k").value_or("-"), "1");
  EXPECT_EQ(Scan(t->NewIterator(*a).get()), "k=1 l=1 ");
  EXPECT_STATUS(kNotFound, t->Commit());
  EXPECT_EQ(Get("outside"), "-");

  // One that began after it sees no namespace, nor one of the same name.
  auto again = open();
  ASSERT_OK(again->Put("k", "2"));
  t = db_->Begin();
  std::string value = "left over";
  EXPECT_STATUS(kNotFound, t->Get(*a, "k", &value));
  EXPECT_EQ(value, "");
  EXPECT_STATUS(kNotFound, t->GetPinned(*a, "k"));
  EXPECT_STATUS(kNotFound, t->Put(*a, "k", "3"));
  EXPECT_STATUS(kNotFound, t->Delete(*a, "k"));
  EXPECT_STATUS(kNotFound, t->DeleteRange(*a, "a", "z"));
  EXPECT_STATUS(kNotFound, t->DeleteAll(*a));
  auto it = t->NewIterator(*a);
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  EXPECT_STATUS(kNotFound, it->status());
  EXPECT_EQ(t->Get(*again, "k").value_or("-"), "2");
  ASSERT_OK(t->Put(*again, "k", "3"));
  EXPECT_OK(t->Commit());
  EXPECT_EQ(again->Get("k").value_or("-"), "3");
}

// The drop comes between the commit's first look and the commit lock: a large value is being written.
TEST_F(TransactionTest, NamespaceDroppedDuringTheCommitTakesNothing) {
  auto a = *db_->OpenNamespace("a");
  auto t = db_->Begin();
  ASSERT_OK(t->Put(*a, "k", std::string(50'000, 'v')));
  ASSERT_OK(t->Put("outside", "1"));
  test::Gate gate;
  env_.SetCallHook(test::GateAt(&gate, CallKind::kWrite, ".val"));
  gate.Arm();
  Status committed;
  std::thread other([&] { committed = t->Commit(); });
  gate.AwaitArrival();
  EXPECT_OK(db_->DropNamespace("a"));
  gate.Open();
  other.join();
  env_.SetCallHook(nullptr);
  EXPECT_STATUS(kNotFound, committed);
  EXPECT_EQ(Get("outside"), "-");
}

// Whichever comes first: all of the transaction or nothing.
TEST_F(TransactionTest, CommitsRaceWithDrops) {
  for (int round = 0; round < 100; ++round) {
    auto a = *db_->OpenNamespace("a");
    std::latch start(2);
    Status committed;
    std::thread other([&] {
      auto t = db_->Begin();
      EXPECT_OK(t->Put(*a, "k", "1"));
      EXPECT_OK(t->Put("round", std::to_string(round)));
      start.arrive_and_wait();
      committed = t->Commit();
    });
    start.arrive_and_wait();
    EXPECT_OK(db_->DropNamespace("a"));
    other.join();
    ASSERT_TRUE(committed.ok() || committed.IsNotFound()) << committed.ToString();
    ASSERT_EQ(Get("round") == std::to_string(round), committed.ok());
    EXPECT_STATUS(kNotFound, a->Get("k"));
  }
}

TEST_F(TransactionTest, NamespaceOfAnotherStoreIsRefused) {
  CrashEnv other_env;
  Options other_options;
  other_options.env = &other_env;
  auto other = OpenTuned("/other", other_options, tuning_);
  ASSERT_OK(other);
  auto foreign = *(*other)->OpenNamespace("a");
  auto own = *db_->OpenNamespace("a");
  auto t = db_->Begin();
  for (const Namespace* space : {static_cast<const Namespace*>(foreign.get()),
                                 static_cast<const Namespace*>(other->get())}) {
    EXPECT_STATUS(kInvalidArgument, t->Put(*space, "k", "1"));
    EXPECT_STATUS(kInvalidArgument, t->Delete(*space, "k"));
    EXPECT_STATUS(kInvalidArgument, t->DeleteRange(*space, "k", "l"));
    EXPECT_STATUS(kInvalidArgument, t->DeleteAll(*space));
    EXPECT_STATUS(kInvalidArgument, t->Get(*space, "k"));
    EXPECT_STATUS(kInvalidArgument, t->GetPinned(*space, "k"));
    EXPECT_STATUS(kInvalidArgument, t->NewIterator(*space)->status());
  }
  ASSERT_OK(t->Put(*own, "k", "1"));
  EXPECT_OK(t->Commit());
}

TEST_F(TransactionTest, DurabilityIsTheStrongestOfTheNamespacesChanged) {
  auto synced = *db_->OpenNamespace("synced", {.durability = Durability::kSync});
  auto fast = *db_->OpenNamespace("fast", {.durability = Durability::kNone});
  const auto syncs = [&](const Transaction::Body& body, const WriteOptions& write = {}) {
    const uint64_t before = db_->Stats().sync_count;
    TransactionOptions options;
    options.write = write;
    EXPECT_OK(db_->Transact(body, options));
    return db_->Stats().sync_count - before;
  };
  const auto put = [](Transaction& t, const Namespace& space) { return t.Put(space, "k", "1"); };
  const auto both = [&](Transaction& t) {
    Status status = put(t, *fast);
    return status.ok() ? put(t, *synced) : status;
  };
  EXPECT_EQ(syncs([&](Transaction& t) { return put(t, *fast); }), 0u);
  EXPECT_EQ(syncs([&](Transaction& t) { return put(t, *db_); }), 0u);
  EXPECT_EQ(syncs([&](Transaction& t) { return put(t, *synced); }), 1u);
  EXPECT_EQ(syncs(both), 1u);
  EXPECT_EQ(syncs(both, {.durability = Durability::kNone}), 0u);
  EXPECT_EQ(syncs([&](Transaction& t) { return put(t, *fast); }, {.durability = Durability::kSync}), 1u);
  // What is only read, or taken back, does not count.
  EXPECT_EQ(syncs([&](Transaction& t) {
              EXPECT_OK(t.Get(*synced, "k"));
              EXPECT_OK(t.SetSavepoint());
              EXPECT_OK(put(t, *synced));
              EXPECT_OK(t.RollbackToSavepoint());
              return put(t, *fast);
            }),
            0u);
}

// --- Against a model: a transaction is a map over a map.

class TransactionModelTest : public TransactionTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  // In the default namespace, there with keys that are stored as others, or in a namespace of its own.
  TransactionModelTest() {
    if (GetParam() % 3 == 2) OpenSpace();
  }
  void OpenSpace() {
    named_ = *db_->OpenNamespace("model");
    for (const char* name : {"before", "behind"}) {
      auto neighbour = *db_->OpenNamespace(name);
      ASSERT_OK(neighbour->Put("c", "neighbour"));
    }
    ASSERT_OK(db_->Put("c", "neighbour"));
    ASSERT_OK(db_->Put("\xff\xff", "neighbour"));
  }
  void Reopen() {
    named_.reset();
    Open();
    if (GetParam() % 3 == 2) OpenSpace();
  }
  Namespace& space() { return named_ != nullptr ? *named_ : *db_; }

  std::string Key() {
    std::string key(1 + random_.Uniform(2), static_cast<char>('a' + random_.Uniform(12)));
    if (GetParam() % 3 == 1 && random_.OneIn(2)) {
      static constexpr char kFirst[] = {'\0', '\1', '\2', '\xff'};
      key.insert(key.begin(), kFirst[random_.Uniform(4)]);
      key.insert(key.begin(), '\xff');
    }
    return key;
  }
  std::string Value() { return std::to_string(random_.Next() % 1000); }

  void CheckIterator(Transaction& t, const Contents& model) {
    IteratorOptions options;
    const std::string lower = Key();
    const std::string upper = Key();
    if (random_.OneIn(3)) options.lower_bound = lower;
    if (random_.OneIn(3)) options.upper_bound = upper;
    auto it = t.NewIterator(space(), options);
    test::MapIterator expected(std::make_shared<const Contents>(model), options, {});
    for (int step = 0; step < 30; ++step) {
      const std::string target = Key();
      switch (expected.Valid() ? random_.Uniform(8) : random_.Uniform(4)) {
        case 0: it->SeekToFirst(), expected.SeekToFirst(); break;
        case 1: it->SeekToLast(), expected.SeekToLast(); break;
        case 2: it->Seek(target), expected.Seek(target); break;
        case 3: it->SeekForPrev(target), expected.SeekForPrev(target); break;
        case 4:
        case 5: it->Prev(), expected.Prev(); break;
        default: it->Next(), expected.Next();
      }
      ASSERT_OK(it->status());
      ASSERT_EQ(it->Valid(), expected.Valid());
      if (!it->Valid()) continue;
      ASSERT_EQ(it->key(), expected.key());
      ASSERT_EQ(it->value(), expected.value());
    }
  }

  Random random_{GetParam()};
  std::shared_ptr<Namespace> named_;
};

TEST_P(TransactionModelTest, BehavesLikeAMapOverAMap) {
  Contents committed;
  for (int round = 0; round < 25; ++round) {
    auto t = db_->Begin(random_.OneIn(2) ? TransactionOptions() : kSnapshotIsolation);
    Contents model = committed;
    std::vector<Contents> savepoints;
    for (int step = 0; step < 40; ++step) {
      const std::string key = Key();
      switch (random_.Uniform(10)) {
        case 0:
        case 1:
        case 2: {
          const std::string value = Value();
          ASSERT_OK(t->Put(space(), key, value));
          model[key] = value;
          break;
        }
        case 3:
          ASSERT_OK(t->Delete(space(), key));
          model.erase(key);
          break;
        case 4: {
          const std::string end = Key();
          ASSERT_OK(t->DeleteRange(space(), key, end));
          if (key < end) model.erase(model.lower_bound(key), model.lower_bound(end));
          break;
        }
        case 5:
          ASSERT_OK(t->SetSavepoint());
          savepoints.push_back(model);
          break;
        case 6:
          if (savepoints.empty()) break;
          ASSERT_OK(t->RollbackToSavepoint());
          model = savepoints.back();
          savepoints.pop_back();
          break;
        case 7:
          ASSERT_NO_FATAL_FAILURE(CheckIterator(*t, model));
          break;
        default: {
          const auto it = model.find(key);
          ASSERT_EQ(t->Get(space(), key).value_or("-"), it == model.end() ? "-" : it->second);
        }
      }
    }
    if (random_.OneIn(4)) {
      ASSERT_OK(t->Rollback());
    } else {
      ASSERT_OK(t->Commit());
      committed = model;
    }
    if (random_.OneIn(5)) {
      ASSERT_OK(db_->Flush());
    }
    if (random_.OneIn(8)) Reopen();
    std::string all;
    for (const auto& [key, value] : committed) all += key + "=" + value + " ";
    ASSERT_EQ(Scan(space().NewIterator().get()), all);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TransactionModelTest, ::testing::Range<uint64_t>(1, 21));

}  // namespace transaction_test
}  // namespace varve
