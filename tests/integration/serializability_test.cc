// Histories of concurrent transactions, recorded from a store whose memtables are flushed and merged
// behind their backs, and checked for serializability. VARVE_TEST_SCALE multiplies the seeds.
#include "tests/support/checkers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"
#include "varve/db.h"

namespace varve::test {
namespace serializability_test {

using ::testing::HasSubstr;

std::string KeyOf(uint64_t number) {
  std::string key = "k";
  key += static_cast<char>('a' + number / 10);
  key += static_cast<char>('0' + number % 10);
  return key;
}

// --- The checker, on histories whose verdict is known.

TransactionAccess R(std::string key, std::string value) { return {false, std::move(key), std::move(value)}; }
TransactionAccess W(std::string key, std::string value) { return {true, std::move(key), std::move(value)}; }
TransactionRecord Committed(uint64_t begin, uint64_t end, std::vector<TransactionAccess> accesses) {
  return {begin, end, true, std::move(accesses)};
}

std::string Anomaly(const std::vector<TransactionRecord>& history) {
  return FindAnomaly(history, Isolation::kSerializable);
}
std::string SnapshotAnomaly(const std::vector<TransactionRecord>& history) {
  return FindAnomaly(history, Isolation::kSnapshot);
}

TEST(SerializabilityCheckerTest, SerialHistory) {
  const std::vector<TransactionRecord> history{
      Committed(1, 2, {R("x", ""), W("x", "1")}),
      Committed(3, 4, {R("x", "1"), R("y", ""), W("x", "2"), W("y", "3")}),
      Committed(5, 6, {R("x", "2"), R("y", "3")})};
  EXPECT_EQ(Anomaly(history), "");
  EXPECT_EQ(SnapshotAnomaly(history), "");
}

TEST(SerializabilityCheckerTest, OverlappingTransactionsMayComeInEitherOrder) {
  EXPECT_EQ(Anomaly({Committed(1, 9, {R("x", ""), W("x", "1")}), Committed(2, 3, {R("x", "")}),
                     Committed(4, 8, {R("x", "1")})}),
            "");
}

TEST(SerializabilityCheckerTest, LostUpdate) {
  const std::vector<TransactionRecord> history{Committed(1, 9, {R("x", ""), W("x", "1")}),
                                               Committed(1, 9, {R("x", ""), W("x", "2")})};
  EXPECT_THAT(Anomaly(history), HasSubstr("cycle"));
  EXPECT_THAT(SnapshotAnomaly(history), HasSubstr("cycle"));
}

TEST(SerializabilityCheckerTest, WriteSkewIsAnAnomalyOfSerializabilityOnly) {
  const std::vector<TransactionRecord> history{
      Committed(1, 9, {R("x", ""), R("y", ""), W("x", "1")}),
      Committed(1, 9, {R("x", ""), R("y", ""), W("y", "2")})};
  EXPECT_THAT(Anomaly(history), HasSubstr("-rw->"));
  EXPECT_EQ(SnapshotAnomaly(history), "");
}

TEST(SerializabilityCheckerTest, PhantomIsAReadOfAnAbsentKey) {
  // Each counts the keys from a to b, and adds one.
  EXPECT_THAT(Anomaly({Committed(1, 9, {R("a", ""), R("b", ""), W("a", "1")}),
                       Committed(1, 9, {R("a", ""), R("b", ""), W("b", "1")})}),
              HasSubstr("cycle"));
}

TEST(SerializabilityCheckerTest, FracturedRead) {
  const std::vector<TransactionRecord> history{
      Committed(1, 9, {R("x", ""), R("y", ""), W("x", "1"), W("y", "1")}),
      Committed(1, 9, {R("x", "1"), R("y", "")})};
  EXPECT_THAT(Anomaly(history), HasSubstr("cycle"));
  EXPECT_THAT(SnapshotAnomaly(history), HasSubstr("cycle"));
}

TEST(SerializabilityCheckerTest, LongFork) {
  EXPECT_THAT(Anomaly({Committed(1, 9, {R("x", ""), W("x", "1")}), Committed(1, 9, {R("y", ""), W("y", "1")}),
                       Committed(1, 9, {R("x", "1"), R("y", "")}), Committed(1, 9, {R("x", ""), R("y", "1")})}),
              HasSubstr("cycle"));
}

TEST(SerializabilityCheckerTest, StaleReadAgainstTime) {
  const std::vector<TransactionRecord> history{Committed(1, 2, {R("x", ""), W("x", "1")}),
                                               Committed(3, 4, {R("x", "")})};
  EXPECT_THAT(Anomaly(history), HasSubstr("time"));
  EXPECT_THAT(SnapshotAnomaly(history), HasSubstr("time"));
}

TEST(SerializabilityCheckerTest, ValuesThatNobodyShouldSee) {
  TransactionRecord aborted = Committed(1, 2, {R("x", ""), W("x", "1")});
  aborted.is_committed = false;
  EXPECT_THAT(Anomaly({aborted, Committed(3, 4, {R("x", "1")})}), HasSubstr("did not commit"));
  EXPECT_EQ(Anomaly({aborted, Committed(3, 4, {R("x", "")})}), "");
  EXPECT_THAT(Anomaly({Committed(3, 4, {R("x", "1")})}), HasSubstr("nobody wrote"));
  EXPECT_THAT(Anomaly({Committed(1, 9, {R("x", ""), W("x", "1"), W("x", "2")}),
                       Committed(1, 9, {R("x", "1")})}),
              HasSubstr("had replaced"));
  EXPECT_THAT(Anomaly({Committed(1, 9, {R("x", ""), W("x", "1"), R("x", "")})}), HasSubstr("after"));
}

// --- Recording.

enum class Style { kRegister, kList };

struct Load {
  Style style = Style::kRegister;
  uint64_t keys = 12;
  TransactionOptions options;
};

class Recorder {
 public:
  uint64_t Now() { return clock_.fetch_add(1); }
  std::string NewId() { return std::to_string(ids_.fetch_add(1)); }
  void Add(TransactionRecord record) {
    std::lock_guard<std::mutex> lock(mu_);
    history_.push_back(std::move(record));
  }
  const std::vector<TransactionRecord>& history() const { return history_; }

 private:
  std::atomic<uint64_t> clock_{1};
  std::atomic<uint64_t> ids_{1};
  std::mutex mu_;
  std::vector<TransactionRecord> history_;  // guarded by mu_ until the threads have ended
};

// One step of a transaction, chosen at random, into its record.
Status RandomStep(Transaction& t, const Load& load, Random* random, Recorder* recorder,
                  TransactionRecord* record) {
  const std::string key = KeyOf(random->Uniform(load.keys));
  const auto read = [&](const std::string& of, std::string* value) {
    Status status = t.Get(of, value);
    if (status.IsNotFound()) status = Status::Ok();
    if (status.ok()) record->accesses.push_back({false, of, *value});
    return status;
  };
  std::string value;
  const uint64_t choice = random->Uniform(10);
  if (choice < 4) return read(key, &value);
  if (choice < 8) {
    Status status = read(key, &value);
    if (!status.ok()) return status;
    value = (load.style == Style::kList ? value + "," : "") + recorder->NewId();
    record->accesses.push_back({true, key, value});
    return t.Put(key, value);
  }
  // A range, forwards or backwards: every key in it is read, those too that are not there.
  const uint64_t from = random->Uniform(load.keys);
  const uint64_t to = from + 1 + random->Uniform(4);
  const std::string lower = KeyOf(from);
  const std::string upper = KeyOf(to);
  IteratorOptions options;
  options.lower_bound = lower;
  options.upper_bound = upper;
  Contents found;
  auto it = t.NewIterator(options);
  if (choice == 8) {
    for (it->SeekToFirst(); it->Valid(); it->Next()) found[std::string(it->key())] = it->value();
  } else {
    for (it->SeekToLast(); it->Valid(); it->Prev()) found[std::string(it->key())] = it->value();
  }
  for (uint64_t i = from; i < to; ++i) record->accesses.push_back({false, KeyOf(i), found[KeyOf(i)]});
  return it->status();
}

std::unique_ptr<Db> OpenStore(uint64_t seed, CrashEnv* env) {
  auto db = OpenerFor(RandomStoreConfig(seed))("/store", env);
  EXPECT_OK(db);
  return *std::move(db);
}

// --- Several transactions of one thread, interleaved by a seed: the same every time.

std::vector<TransactionRecord> RunInterleaved(uint64_t seed, const Load& load, int transactions) {
  CrashEnv env(seed);
  auto db = OpenStore(seed, &env);
  Random random(seed);
  Recorder recorder;
  struct Open {
    std::unique_ptr<Transaction> transaction;
    TransactionRecord record;
    uint64_t steps_left;
  };
  std::vector<Open> open;
  for (int begun = 0; begun < transactions || !open.empty();) {
    if (open.size() < 4 && begun < transactions && (open.empty() || random.OneIn(4))) {
      Open one;
      one.record.begin = recorder.Now();
      one.transaction = db->Begin(load.options);
      one.steps_left = 2 + random.Uniform(6);
      open.push_back(std::move(one));
      ++begun;
      continue;
    }
    if (random.OneIn(60)) {
      EXPECT_OK(random.OneIn(3) ? db->Compact() : db->Flush());
    }
    const size_t at = random.Uniform(open.size());
    Open& one = open[at];
    if (one.steps_left-- > 0) {
      EXPECT_OK(RandomStep(*one.transaction, load, &random, &recorder, &one.record));
      continue;
    }
    const Status status = one.transaction->Commit();
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kConflict) << status.ToString();
    one.record.is_committed = status.ok();
    one.record.end = recorder.Now();
    recorder.Add(std::move(one.record));
    one = std::move(open.back());
    open.pop_back();
  }
  return recorder.history();
}

size_t CountCommitted(const std::vector<TransactionRecord>& history) {
  size_t count = 0;
  for (const TransactionRecord& record : history) count += record.is_committed;
  return count;
}

TEST(SerializabilityTest, InterleavedTransactionsAreSerializable) {
  const size_t seeds = Scaled(12);
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    const Load load{.style = seed % 2 == 0 ? Style::kRegister : Style::kList, .keys = 6 + seed % 20};
    const auto history = RunInterleaved(seed, load, 300);
    EXPECT_EQ(Anomaly(history), "") << "seed " << seed;
    EXPECT_GT(CountCommitted(history), 60u) << "seed " << seed;
  }
}

TEST(SerializabilityTest, SnapshotIsolationShowsItsAnomaliesAndNoOthers) {
  const size_t seeds = Scaled(12);
  size_t with_anomaly = 0;
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    Load load{.style = seed % 2 == 0 ? Style::kRegister : Style::kList, .keys = 6 + seed % 20};
    load.options.isolation = Isolation::kSnapshot;
    const auto history = RunInterleaved(seed, load, 300);
    EXPECT_EQ(SnapshotAnomaly(history), "") << "seed " << seed;
    with_anomaly += !Anomaly(history).empty();
  }
  // Or the test above could not have found any.
  EXPECT_GT(with_anomaly, seeds / 2);
}

// --- Threads.

void RunThread(Db* db, const Load& load, uint64_t seed, int transactions, Recorder* recorder) {
  Random random(seed);
  for (int i = 0; i < transactions; ++i) {
    TransactionOptions options = load.options;
    if (random.OneIn(10)) options.write.durability = Durability::kSync;
    const uint64_t begin = recorder->Now();
    std::vector<TransactionRecord> attempts;
    const Status status = db->Transact(
        [&](Transaction& t) {
          attempts.push_back({.begin = begin});
          const uint64_t steps = 1 + random.Uniform(5);
          for (uint64_t step = 0; step < steps; ++step) {
            Status done = RandomStep(t, load, &random, recorder, &attempts.back());
            if (!done.ok()) return done;
          }
          return Status::Ok();
        },
        options);
    EXPECT_OK(status);
    attempts.back().is_committed = status.ok();
    attempts.back().end = recorder->Now();
    for (TransactionRecord& attempt : attempts) recorder->Add(std::move(attempt));
    // A compare-and-set is a transaction as well.
    if (!random.OneIn(4)) continue;
    TransactionRecord record{.begin = recorder->Now()};
    const std::string key = KeyOf(random.Uniform(load.keys));
    const auto old = db->Get(key);
    const std::string before = old.value_or("");
    const std::string after = (load.style == Style::kList ? before + "," : "") + recorder->NewId();
    record.accesses = {{false, key, before}, {true, key, after}};
    const Status swapped =
        db->CompareAndSet(key, old.ok() ? std::optional<std::string_view>(before) : std::nullopt, after);
    EXPECT_TRUE(swapped.ok() || swapped.code() == StatusCode::kConflict) << swapped.ToString();
    record.is_committed = swapped.ok();
    record.end = recorder->Now();
    recorder->Add(std::move(record));
  }
}

std::vector<TransactionRecord> RunThreads(uint64_t seed, const Load& load, int threads,
                                          int transactions) {
  CrashEnv env(seed);
  auto db = OpenStore(seed, &env);
  Recorder recorder;
  std::atomic<bool> stop{false};
  std::thread maintenance([&] {
    Random random(seed);
    while (!stop) EXPECT_OK(random.OneIn(4) ? db->Compact() : db->Flush());
  });
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      RunThread(db.get(), load, seed * 100 + static_cast<uint64_t>(i), transactions, &recorder);
    });
  }
  for (std::thread& thread : running) thread.join();
  stop = true;
  maintenance.join();
  return recorder.history();
}

class SerializabilityThreadsTest : public ::testing::TestWithParam<int> {};

TEST_P(SerializabilityThreadsTest, HistoriesHaveNoAnomaly) {
  const size_t seeds = Scaled(4);
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    Load load{.style = seed % 2 == 0 ? Style::kRegister : Style::kList, .keys = 6 + 5 * (seed % 4)};
    const bool is_snapshot = seed % 4 == 3;
    if (is_snapshot) load.options.isolation = Isolation::kSnapshot;
    const auto history = RunThreads(seed, load, GetParam(), 1200 / GetParam());
    EXPECT_EQ(FindAnomaly(history, load.options.isolation), "") << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, SerializabilityThreadsTest, ::testing::Values(2, 4, 8));

// Accounts that are opened, emptied and closed: the sum over all of them never changes.
TEST(SerializabilityTest, BankKeepsItsSum) {
  constexpr int kAccounts = 20;
  constexpr int64_t kTotal = 1000;
  CrashEnv env(1);
  auto db = OpenStore(7, &env);
  ASSERT_OK(db->Put("account00", std::to_string(kTotal)));
  const auto account = [](uint64_t i) { return "account" + std::string(i < 10 ? "0" : "") + std::to_string(i); };
  const auto sum = [&](Transaction& t) {
    int64_t total = 0;
    auto it = t.NewIterator({.prefix = "account"});
    for (it->SeekToFirst(); it->Valid(); it->Next()) total += std::stoll(std::string(it->value()));
    EXPECT_OK(it->status());
    return total;
  };
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      Random random(thread + 1);
      for (int i = 0; i < 250; ++i) {
        const std::string from = account(random.Uniform(kAccounts));
        const std::string to = account(random.Uniform(kAccounts));
        const bool checks = random.OneIn(4);
        EXPECT_OK(db->Transact([&](Transaction& t) {
          // In a writing transaction too: it commits only if what it saw was whole.
          if (checks) {
            EXPECT_EQ(sum(t), kTotal);
          }
          const int64_t has = std::stoll(t.Get(from).value_or("0"));
          const int64_t moved = has > 1 ? 1 + static_cast<int64_t>(random.Uniform(static_cast<uint64_t>(has))) : has;
          if (moved == 0 || from == to) return Status::Ok();
          Status status = moved == has ? t.Delete(from) : t.Put(from, std::to_string(has - moved));
          if (!status.ok()) return status;
          return t.Put(to, std::to_string(std::stoll(t.Get(to).value_or("0")) + moved));
        }));
        if (random.OneIn(10)) {
          EXPECT_OK(db->Transact(
              [&](Transaction& t) {
                EXPECT_EQ(sum(t), kTotal);
                return Status::Ok();
              },
              {.read_only = true}));
        }
        if (random.OneIn(50)) {
          EXPECT_OK(db->Flush());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_OK(db->Transact([&](Transaction& t) {
    EXPECT_EQ(sum(t), kTotal);
    return Status::Ok();
  }));
}

// Who counts a range and adds to it, at once with others: a number is never given out twice.
TEST(SerializabilityTest, CountingARangeAndInsertingIntoItGivesEachNumberOnce) {
  CrashEnv env(1);
  auto db = OpenStore(3, &env);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 60; ++i) {
        EXPECT_OK(db->Transact([&](Transaction& t) {
          int count = 0;
          auto it = t.NewIterator({.prefix = "row"});
          for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
          const std::string key = "row" + std::to_string(1000 + count);
          EXPECT_STATUS(kNotFound, t.Get(key));
          return t.Put(key, "1");
        }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_OK(db->Get("row1239"));
  EXPECT_STATUS(kNotFound, db->Get("row1240"));
}

}  // namespace serializability_test
}  // namespace varve::test
