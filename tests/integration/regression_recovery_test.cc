// Bugs that were here once, each as one small scenario: what the next process makes of the files of one that
// ended badly, and races of writers.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/epoch.h"
#include "env/crash_env.h"
#include "tests/support/gate.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace regression_recovery_test {

constexpr char kDir[] = "/store";
constexpr WriteOptions kSynced{.durability = Durability::kSync};

// The parameter: whether the log is mapped.
class RegressionRecoveryTest : public ::testing::TestWithParam<bool> {
 protected:
  RegressionRecoveryTest() { config_.tuning.mapped_log = GetParam(); }

  std::unique_ptr<Db> Open(CrashEnv* env) {
    auto db = OpenerFor(config_)(kDir, env);
    EXPECT_OK(db);
    return db.ok() ? *std::move(db) : nullptr;
  }
  // The path of log `index`, the oldest first; empty when there is none.
  static std::string LogOf(CrashEnv* env, size_t index = 0) {
    for (const std::string& path : env->FileNames()) {
      if (path.ends_with(".wal") && index-- == 0) return path;
    }
    return {};
  }
  static std::string KeyOf(int i) { return "key" + std::to_string(1000 + i); }

  // Opens the store, which holds `expected`, puts one key with a sync, cuts the power, opens `gate`, and
  // looks.
  void CheckNextSync(CrashEnv* env, Contents expected, Gate* gate) {
    auto db = Open(env);
    ASSERT_NE(db, nullptr);
    ASSERT_TRUE(ReadContents(db.get()).value_or({}) == expected);
    ASSERT_OK(db->Put("last", "value", kSynced));
    expected["last"] = "value";
    const auto crashed = env->CloneAfterPowerCut(PowerCut::LoseUnsynced());
    gate->Open();
    auto last = Open(crashed.get());
    ASSERT_NE(last, nullptr);
    const Result<Contents> contents = ReadContents(last.get());
    ASSERT_OK(contents);
    EXPECT_TRUE(*contents == expected) << Difference(expected, *contents);
  }

  StoreConfig config_ = SmallStoreConfig();
  CrashEnv env_;
};

INSTANTIATE_TEST_SUITE_P(MappedLog, RegressionRecoveryTest, ::testing::Bool());

TEST_P(RegressionRecoveryTest, NameOfTheStoreIsDurableWithItsFirstSync) {
  auto db = Open(&env_);
  ASSERT_OK(db->Put("key", "value", kSynced));
  const auto crashed = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
  config_.options.create_if_missing = false;
  auto reopened = Open(crashed.get());
  ASSERT_NE(reopened, nullptr);
  EXPECT_EQ(reopened->Get("key").value_or("(absent)"), "value");
}

TEST_P(RegressionRecoveryTest, LogThatCannotBeContinuedIsLeftWhole) {
  auto db = Open(&env_);
  ASSERT_OK(db->Put("key", "value"));
  const auto crashed = env_.CloneAfterProcessCrash();
  for (uint64_t nth = 1;; ++nth) {
    crashed->FailCall(nth, Fault::kNoSpace, FaultSpan::kForever,
                      {{CallKind::kAllocate, CallKind::kPopulate, CallKind::kWrite}, ".wal"});
    const uint64_t faults = crashed->fault_count();
    const bool is_open = OpenerFor(config_)(kDir, crashed.get()).ok();
    crashed->ClearFaults();
    if (crashed->fault_count() == faults) break;
    EXPECT_FALSE(is_open && nth == 1) << "opened, without room for its log";
    const auto again = crashed->CloneAfterProcessCrash();
    auto reopened = Open(again.get());
    ASSERT_NE(reopened, nullptr);
    EXPECT_EQ(reopened->Get("key").value_or("(absent)"), "value") << "call " << nth;
  }
}

// The sync of one process fails: the kernel may call the pages clean without having written them. The next
// process reads them, and must not build on them before it has written them itself.
TEST_P(RegressionRecoveryTest, ContinuedLogIsSyncedBeforeWhatComesAfter) {
  for (const bool has_large : {false, true}) {
    SCOPED_TRACE(has_large ? "with large values" : "without large values");
    CrashEnv env(has_large ? 1 : 2);
    auto db = Open(&env);
    Contents expected;
    // Over many sectors, since those that are written to again are none of the lost ones.
    for (int i = 0; i < 40; ++i) {
      expected[KeyOf(i)] = std::string(has_large && i % 10 == 0 ? 10'000 : 100, 'v');
      ASSERT_OK(db->Put(KeyOf(i), expected[KeyOf(i)]));
    }
    env.FailCall(1, Fault::kFailedSync, FaultSpan::kForever, {{CallKind::kSync}, {}});
    EXPECT_FALSE(db->Sync().ok());
    const auto next = env.CloneAfterProcessCrash();
    Gate gate;
    CheckNextSync(next.get(), std::move(expected), &gate);
  }
}

// The same with so much in the log that it is flushed instead of continued, and with the flush held up.
// Names are like contents: once a sync of them has failed they need new ones.
TEST_P(RegressionRecoveryTest, LogToBeFlushedIsSyncedBeforeWhatComesAfter) {
  // The seed chooses what the failing sync makes durable all the same.
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const CallKind failing = seed % 2 == 0 ? CallKind::kSync : CallKind::kSyncDir;
    SCOPED_TRACE(std::string(CallKindName(failing)) + " fails, seed " + std::to_string(seed));
    CrashEnv env(seed);
    Gate gate;
    env.SetCallHook(GateAt(&gate, CallKind::kOpenWrite, ".seg"));
    gate.Arm();
    auto db = Open(&env);
    Contents expected;
    for (int i = 0; i < 55; ++i) {
      expected[KeyOf(i)] = std::string(i % 10 == 0 ? 6000 : 1000, static_cast<char>('a' + i % 26));
      ASSERT_OK(db->Put(KeyOf(i), expected[KeyOf(i)]));
      // The flush syncs names when it begins: the next log comes after that.
      if (i == 30) gate.AwaitArrival();
    }
    env.FailCall(1, Fault::kFailedSync, FaultSpan::kForever, {{failing}, {}});
    EXPECT_FALSE(db->Sync().ok());
    const auto next = env.CloneAfterProcessCrash();
    gate.Open();
    Gate next_gate;
    next->SetCallHook(GateAt(&next_gate, CallKind::kOpenWrite, ".seg"));
    next_gate.Arm();
    CheckNextSync(next.get(), std::move(expected), &next_gate);
  }
}

// A loss of power leaves a hole; what is intact behind it is no history, and must not become one when the
// hole is filled with records of the same size.
TEST_P(RegressionRecoveryTest, RecordsBehindAHoleStayLost) {
  auto db = Open(&env_);
  for (int i = 1; i <= 3; ++i) ASSERT_OK(db->Put(KeyOf(i), "value"));
  const auto crashed = env_.CloneAfterProcessCrash();
  const std::string path = LogOf(crashed.get());
  const std::string log = crashed->ReadFileForTest(path).value_or("");
  const size_t second = log.find(KeyOf(2));
  const size_t third = log.find(KeyOf(3));
  ASSERT_NE(third, std::string::npos);
  constexpr size_t kBeforeKey = 26;  // header, kind, length
  ASSERT_OK(crashed->WriteFileForTest(path, second - kBeforeKey, std::string(third - second, '\0')));
  {
    auto reopened = Open(crashed.get());
    ASSERT_NE(reopened, nullptr);
    EXPECT_EQ(ReadContents(reopened.get()).value_or({}), (Contents{{KeyOf(1), "value"}}));
    ASSERT_OK(reopened->Put(KeyOf(9), "value"));
    const auto again = crashed->CloneAfterProcessCrash();
    auto last = Open(again.get());
    ASSERT_NE(last, nullptr);
    EXPECT_EQ(ReadContents(last.get()).value_or({}),
              (Contents{{KeyOf(1), "value"}, {KeyOf(9), "value"}}));
  }
}

// The values that a log points to are in no manifest when a process ends without closing.
TEST_P(RegressionRecoveryTest, ValueFilesOfARecoveredLogStay) {
  auto db = Open(&env_);
  const std::string large(10'000, 'L');
  ASSERT_OK(db->Put("large", large));
  auto crashed = env_.CloneAfterProcessCrash();
  for (int i = 0; i < 3; ++i) {
    auto next = Open(crashed.get());
    ASSERT_NE(next, nullptr);
    EXPECT_TRUE(next->Get("large").value_or("(absent)") == large) << "opened " << i + 1 << " times";
    next.reset();
    crashed = crashed->CloneAfterProcessCrash();
  }
}

// A log behind one that has lost its end is no history. Were it still there when history has gone on in a
// younger log, it would look as if something durable were missing.
TEST_P(RegressionRecoveryTest, LogsBehindALostEndAreGoneBeforeHistoryGoesOn) {
  Gate gate;
  env_.SetCallHook(GateAt(&gate, CallKind::kOpenWrite, ".seg"));
  gate.Arm();
  auto db = Open(&env_);
  std::string log;
  int count = 0;
  for (; log.empty() || LogOf(&env_, 1).empty(); ++count) {
    log = LogOf(&env_);
    ASSERT_OK(db->Put(KeyOf(count), std::string(1000, 'v')));
  }
  gate.AwaitArrival();
  const auto crashed = env_.CloneAfterProcessCrash();
  gate.Open();
  // Of the older log the last record is lost; the younger one has one record.
  const std::string content = crashed->ReadFileForTest(log).value_or("");
  const size_t last = content.find(KeyOf(count - 2));
  ASSERT_NE(last, std::string::npos);
  ASSERT_OK(crashed->WriteFileForTest(log, last, "lost"));
  Contents expected;
  for (int i = 0; i < count - 2; ++i) expected[KeyOf(i)] = std::string(1000, 'v');

  Gate next_gate;
  crashed->SetCallHook(GateAt(&next_gate, CallKind::kOpenWrite, ".seg"));
  next_gate.Arm();
  auto next = Open(crashed.get());
  ASSERT_NE(next, nullptr);
  EXPECT_TRUE(ReadContents(next.get()).value_or({}) == expected);
  // The second says that the first was durable.
  for (const char* const key : {"x", "y"}) {
    ASSERT_OK(next->Put(key, "value", kSynced));
    expected[key] = "value";
  }
  const auto again = crashed->CloneAfterProcessCrash();
  next_gate.Open();
  auto reopened = Open(again.get());
  ASSERT_NE(reopened, nullptr);
  EXPECT_TRUE(ReadContents(reopened.get()).value_or({}) == expected);
}

// Several expect the same value, and wait for room with what they have read: one may win.
TEST_P(RegressionRecoveryTest, CompareAndSetThatWaitsForRoomLooksAgain) {
  config_.tuning.separation_threshold_bytes = 1 << 30;
  config_.tuning.max_immutable_memtables = 1;
  Gate gate;
  auto db = Open(&env_);
  ASSERT_OK(db->Put("counter", "0"));
  env_.SetCallHook(GateAt(&gate, CallKind::kOpenWrite, ".seg"));
  gate.Arm();
  // The first fills a memtable, whose flush does not get on; the second fills the next one twice.
  ASSERT_OK(db->Put("fill", std::string(40'000, 'f')));
  ASSERT_OK(db->Put("small", "value"));
  ASSERT_OK(db->Put("fill", std::string(40'000, 'f')));
  gate.AwaitArrival();
  const uint64_t slowdown = db->Stats().slowdown_us;
  std::atomic<int> winners{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const Status status = db->CompareAndSet("counter", "0", "of " + std::to_string(i));
      if (status.ok()) ++winners;
      EXPECT_TRUE(status.ok() || status.code() == StatusCode::kConflict) << status.ToString();
    });
  }
  // By then they have waited a tenth of a second, and more.
  while (db->Stats().slowdown_us < slowdown + 300'000) std::this_thread::yield();
  gate.Open();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(winners, 1);
}

// A process forked from one whose readers were in the middle of something has their epochs for ever.
TEST(RegressionForkTest, RefusedOpenInAForkedProcessEnds) {
  TempDir temp;
  const std::string dir = temp.Sub("store");
  ASSERT_OK(Db::Open(dir));
  auto lock = Env::Default()->LockFile(JoinPath(dir, "LOCK"));
  ASSERT_OK(lock);
  Gate gate;
  gate.Arm();
  std::thread reader([&] {
    EpochGuard guard;
    gate.Pass();
  });
  gate.AwaitArrival();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::alarm(60);  // ends a child that waits for ever
    const auto second = Db::Open(dir);
    ::_exit(second.status().code() == StatusCode::kBusy ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  gate.Open();
  reader.join();
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace regression_recovery_test
}  // namespace varve::test
