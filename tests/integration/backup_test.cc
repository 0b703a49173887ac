// Backups and checkpoints hold the store as it was at one moment, whatever goes on, and nothing damaged
// becomes a store.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "env/crash_env.h"
#include "tests/support/backup_streams.h"
#include "tests/support/forwarding_env.h"
#include "tests/support/gate.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace backup_test {

constexpr char kDir[] = "/store";
constexpr char kCopy[] = "/copy";
constexpr size_t kLarge = 6000;  // goes to the value log

class BackupTest : public testing::Test {
 protected:
  std::unique_ptr<Db> Open(const std::string& dir = kDir) { return OpenWith(SmallStoreConfig(), dir); }
  std::unique_ptr<Db> OpenWith(const StoreConfig& config, const std::string& dir = kDir) {
    auto db = OpenerFor(config)(dir, &env_);
    EXPECT_OK(db);
    return db.ok() ? *std::move(db) : nullptr;
  }
  std::unique_ptr<Db> OpenReadOnly(const std::string& dir = kDir) {
    StoreConfig config = SmallStoreConfig();
    config.options.read_only = true;
    return OpenWith(config, dir);
  }
  static Contents ContentsOf(Db* db) {
    auto contents = ReadAllNamespaces(db);
    EXPECT_OK(contents);
    return contents.ok() ? *std::move(contents) : Contents();
  }
  static TakenBackup Take(Db* db, const BackupSummary* since = nullptr) {
    auto taken = TakeBackup(db, since);
    EXPECT_OK(taken);
    return taken.ok() ? *std::move(taken) : TakenBackup();
  }
  // The store in `dir`, opened, checked and closed again.
  Contents Checked(const std::string& dir) {
    auto db = Open(dir);
    if (db == nullptr) return {};
    const Contents contents = ContentsOf(db.get());
    const auto report = db->Verify();
    EXPECT_OK(report);
    if (report.ok()) {
      EXPECT_EQ(report->problems, std::vector<std::string>());
    }
    EXPECT_OK(db->Compact());
    EXPECT_EQ(Differing(contents, ContentsOf(db.get())), "");
    return contents;
  }
  // What a restore of `chain` gives; the directory is gone afterwards.
  Contents Restored(const std::vector<std::string_view>& chain) {
    const std::string dir = kCopy + std::to_string(++restored_);
    EXPECT_OK(RestoreFrom(chain, dir, &env_));
    return Checked(dir);
  }
  // A bit of everything, in memory, in segments and in value files.
  static void Fill(Db* db, int round) {
    const std::string tag = std::to_string(round);
    auto users = db->OpenNamespace("users");
    ASSERT_OK(users);
    for (int i = 0; i < 60; ++i) {
      const std::string key = "key" + std::to_string(i % 50 + 100);
      ASSERT_OK(db->Put(key, "value " + tag + "/" + std::to_string(i)));
      ASSERT_OK((*users)->Put(key, "user " + tag));
      if (i % 20 == 0) {
        ASSERT_OK(db->Put("large" + key, std::string(kLarge, 'a' + char(round % 26))));
      }
      if (i == 30) {
        ASSERT_OK(db->Flush());
      }
    }
    ASSERT_OK(db->Delete("key110"));
    ASSERT_OK(db->DeleteRange("key120", "key125"));
    ASSERT_OK((*users)->DeleteRange("key130", "key135"));
    ASSERT_OK(db->Put("gone later", tag, {.ttl = std::chrono::hours(5)}));
    ASSERT_OK(db->OpenNamespace("dropped" + tag));
    ASSERT_OK(db->DropNamespace("dropped" + tag));
    ASSERT_OK(db->OpenNamespace("empty" + tag));
    ASSERT_OK(db->Put("last", tag));
  }

  CrashEnv env_{1, SimClock::Mode::kFollowReal};
  int restored_ = 0;
};

TEST_F(BackupTest, RestoredStoreHoldsEverything) {
  auto db = Open();
  Fill(db.get(), 1);
  const TakenBackup taken = Take(db.get());
  const Contents expected = ContentsOf(db.get());
  EXPECT_EQ(taken.summary.sequence, db->Stats().last_sequence);
  EXPECT_EQ(taken.summary.since, 0u);
  EXPECT_EQ(taken.summary.carried_bytes, taken.summary.store_bytes);
  // What comes later is not in it.
  ASSERT_OK(db->Put("later", "x"));
  EXPECT_EQ(Differing(expected, Restored({taken.bytes})), "");

  ASSERT_OK(RestoreFrom({taken.bytes}, kCopy, &env_));
  auto copy = Open(kCopy);
  EXPECT_EQ(copy->Stats().last_sequence, taken.summary.sequence);
  Fill(copy.get(), 2);
  const Contents changed = ContentsOf(copy.get());
  copy.reset();
  EXPECT_EQ(Differing(changed, Checked(kCopy)), "");
  EXPECT_EQ(*db->Get("last"), "1");
}

TEST_F(BackupTest, EmptyStoreComesBackEmpty) {
  auto db = Open();
  const TakenBackup taken = Take(db.get());
  EXPECT_TRUE(Restored({taken.bytes}).empty());
}

TEST_F(BackupTest, EveryConfigurationComesBack) {
  for (uint64_t seed = 1; seed <= Scaled(12); ++seed) {
    SCOPED_TRACE(seed);
    const std::string dir = kDir + std::to_string(seed);
    auto db = OpenWith(RandomStoreConfig(seed), dir);
    Fill(db.get(), 1);
    if (seed % 3 == 0) {
      db.reset();
      db = OpenWith(RandomStoreConfig(seed), dir);
    }
    if (seed % 4 == 0) Fill(db.get(), 2);
    const TakenBackup taken = Take(db.get());
    EXPECT_EQ(Differing(ContentsOf(db.get()), Restored({taken.bytes})), "");
  }
}

TEST_F(BackupTest, ReadOnlyStoreIsBackedUpWithItsLogs) {
  auto db = Open();
  Fill(db.get(), 1);
  const Contents expected = ContentsOf(db.get());
  // Logs that were cut off in the middle, and several of them.
  auto dead = env_.CloneAfterProcessCrash();
  StoreConfig config = SmallStoreConfig();
  config.options.read_only = true;
  auto reader = OpenerFor(config)(kDir, dead.get());
  ASSERT_OK(reader);
  const TakenBackup taken = Take(reader->get());
  EXPECT_EQ(Differing(expected, Restored({taken.bytes})), "");
  EXPECT_OK((*reader)->Checkpoint(kCopy));
  auto copy = OpenerFor(SmallStoreConfig())(kCopy, dead.get());
  ASSERT_OK(copy);
  EXPECT_EQ(Differing(expected, ContentsOf(copy->get())), "");
}

// The manifest is older than the last log, and does not know that its number is taken.
TEST_F(BackupTest, ReadOnlyStoreWithANewerLogThanItsManifestIsBackedUp) {
  auto db = Open();
  ASSERT_OK(db->Put("key", "value"));
  env_.FailCall(1, Fault::kEio, FaultSpan::kForever, {{CallKind::kOpenWrite}, ".seg"});
  EXPECT_FALSE(db->Flush().ok());  // after a new log was begun
  ASSERT_OK(db->Put("key2", "value"));
  auto dead = env_.CloneAfterProcessCrash();
  env_.ClearFaults();
  StoreConfig config = SmallStoreConfig();
  config.options.read_only = true;
  auto reader = OpenerFor(config)(kDir, dead.get());
  ASSERT_OK(reader);
  EXPECT_EQ(Differing(ContentsOf(reader->get()), Restored({Take(reader->get()).bytes})), "");
}

TEST_F(BackupTest, StoreThatHasFailedIsBackedUpAsItsReadersSeeIt) {
  for (const Durability durability : {Durability::kProcess, Durability::kSync}) {
    SCOPED_TRACE(static_cast<int>(durability));
    StoreConfig config = SmallStoreConfig();
    config.options.durability = durability;
    config.tuning.mapped_log = durability != Durability::kSync;
    const std::string dir = kDir + std::to_string(static_cast<int>(durability));
    auto db = OpenWith(config, dir);
    Fill(db.get(), 1);
    env_.FailCall(1, Fault::kFailedSync, FaultSpan::kForever, {{CallKind::kSync}, ".wal"});
    EXPECT_STATUS(kIoError, db->Put("lost", "x", {.durability = Durability::kSync}));
    EXPECT_STATUS(kIoError, db->Put("refused", "x"));
    const Contents seen = ContentsOf(db.get());
    const auto taken = TakeBackup(db.get());
    env_.ClearFaults();
    ASSERT_OK(taken);
    EXPECT_EQ(Differing(seen, Restored({taken->bytes})), "");
    // What could not be synced is copied, and the copy is.
    ASSERT_OK(db->Checkpoint(dir + "copy"));
    auto after = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
    auto copy = OpenerFor(SmallStoreConfig())(dir + "copy", after.get());
    ASSERT_OK(copy);
    EXPECT_EQ(Differing(seen, ContentsOf(copy->get())), "");
  }
}

TEST_F(BackupTest, FullDiskAndFailedFlushDoNotMatter) {
  auto db = Open();
  Fill(db.get(), 1);
  env_.SetFreeSpace(0);
  EXPECT_FALSE(db->Flush().ok());
  const Contents seen = ContentsOf(db.get());
  const auto taken = TakeBackup(db.get());
  env_.SetFreeSpace(uint64_t{1} << 40);
  ASSERT_OK(taken);
  EXPECT_EQ(Differing(seen, Restored({taken->bytes})), "");
}

TEST_F(BackupTest, WritesMergesAndDropsGoOnWhileItStreams) {
  auto db = Open();
  Fill(db.get(), 1);
  ASSERT_OK(db->Compact());
  Fill(db.get(), 2);
  const Contents expected = ContentsOf(db.get());
  StringSink sink;
  int round = 3;
  // Between any two pieces: all that was backed up is overwritten, merged and dropped.
  sink.before_append = [&] {
    if (round > 12) return;
    Fill(db.get(), round++);
    if (round == 5) {
      ASSERT_OK(db->DropNamespace("users"));
    }
    ASSERT_OK(db->Compact());
  };
  ASSERT_OK(db->Backup(sink));
  EXPECT_TRUE(sink.is_finished);
  EXPECT_GT(round, 6);
  EXPECT_EQ(Differing(expected, Restored({sink.bytes})), "");
  // And what it kept alive goes.
  ASSERT_OK(db->Compact());
  const Contents now = ContentsOf(db.get());
  db.reset();
  EXPECT_EQ(Differing(now, Checked(kDir)), "");
}

// --- Increments.

TEST_F(BackupTest, ChainsOfIncrementsGiveEachMoment) {
  for (uint64_t seed = 1; seed <= Scaled(6); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const std::string dir = kDir + std::to_string(seed);
    auto db = OpenWith(SmallStoreConfig(), dir);
    std::vector<TakenBackup> chain;
    std::vector<std::string_view> bytes;
    for (int i = 0; i < 7; ++i) {
      if (random.OneIn(4)) {
        ASSERT_OK(db->Compact());
      }
      if (random.OneIn(3)) {
        db.reset();
        db = OpenWith(SmallStoreConfig(), dir);
      }
      if (!random.OneIn(5)) Fill(db.get(), i);
      chain.push_back(Take(db.get(), chain.empty() ? nullptr : &chain.back().summary));
      bytes.clear();
      for (const TakenBackup& taken : chain) bytes.push_back(taken.bytes);
      ASSERT_EQ(Differing(ContentsOf(db.get()), Restored(bytes)), "") << i;
    }
    // A store that came out of a chain carries it on.
    const std::string copy = dir + "copy";
    ASSERT_OK(RestoreFrom(bytes, copy, &env_));
    auto restored = OpenWith(SmallStoreConfig(), copy);
    Fill(restored.get(), 20);
    const TakenBackup next = Take(restored.get(), &chain.back().summary);
    bytes.push_back(next.bytes);
    EXPECT_EQ(Differing(ContentsOf(restored.get()), Restored(bytes)), "");
  }
}

TEST_F(BackupTest, IncrementCarriesOnlyWhatIsNew) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.value_log_file_bytes = 1 << 20;
  auto db = OpenWith(config);
  for (int i = 0; i < 50; ++i) ASSERT_OK(db->Put("large" + std::to_string(i), std::string(kLarge, 'x')));
  ASSERT_OK(db->Flush());
  const TakenBackup full = Take(db.get());
  EXPECT_GT(full.summary.carried_bytes, 50 * kLarge);
  // The file of values is the same one, and has come on.
  ASSERT_OK(db->Put("large1000", std::string(kLarge, 'y')));
  const TakenBackup next = Take(db.get(), &full.summary);
  EXPECT_LT(next.summary.carried_bytes, 3 * kLarge);
  EXPECT_GT(next.summary.store_bytes, 50 * kLarge);
  EXPECT_EQ(next.summary.since, full.summary.id);
  EXPECT_EQ(Differing(ContentsOf(db.get()), Restored({full.bytes, next.bytes})), "");
}

// Bytes in the middle of a file of values that were on their way when the earlier backup was taken.
TEST_F(BackupTest, IncrementCarriesWhatTheEarlierOneSawHalfWritten) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.value_log_file_bytes = 1 << 20;
  auto db = OpenWith(config);
  ASSERT_OK(db->Put("first", std::string(kLarge, 'f')));
  Gate gates[2];
  std::atomic<int> writes{0};
  for (Gate& gate : gates) gate.Arm();
  env_.SetCallHook([&](const CallInfo& call) {
    // The body of a value; two writers at once get two files, so the third one meets the first.
    if (call.kind != CallKind::kWrite || call.size != kLarge) return;
    const int nth = writes++;
    if (nth < 2) gates[nth].Pass();
  });
  std::thread one([&] { EXPECT_OK(db->Put("one", std::string(kLarge, '1'))); });
  gates[0].AwaitArrival();
  std::thread two([&] { EXPECT_OK(db->Put("two", std::string(kLarge, '2'))); });
  gates[1].AwaitArrival();
  EXPECT_OK(db->Put("three", std::string(kLarge, '3')));
  EXPECT_OK(db->Put("four", std::string(kLarge, '4')));
  const Contents before = ContentsOf(db.get());
  const TakenBackup full = Take(db.get());
  for (Gate& gate : gates) gate.Open();
  one.join();
  two.join();
  env_.SetCallHook(nullptr);
  const TakenBackup next = Take(db.get(), &full.summary);
  EXPECT_EQ(Differing(before, Restored({full.bytes})), "");
  EXPECT_EQ(Differing(ContentsOf(db.get()), Restored({full.bytes, next.bytes})), "");
}

// Two stores that go on from one backup give the same numbers to different files.
TEST_F(BackupTest, IncrementOverABackupOfATwinIsRight) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.tier_runs = 100;  // nothing is merged: many segments stay
  config.tuning.idle_millis = 1'000'000'000;
  auto db = OpenWith(config);
  Fill(db.get(), 1);
  const TakenBackup full = Take(db.get());
  const auto go_on = [](Db* store, char letter) {
    for (int i = 0; i < 20; ++i) {
      ASSERT_OK(store->Put("key" + std::to_string(i), std::string(50, letter)));
      ASSERT_OK(store->Put("large" + std::to_string(i), std::string(kLarge, letter)));
      ASSERT_OK(store->Flush());
    }
  };
  go_on(db.get(), 'a');
  const TakenBackup next = Take(db.get(), &full.summary);
  EXPECT_EQ(Differing(ContentsOf(db.get()), Restored({full.bytes, next.bytes})), "");
  // Opening uses numbers up: those of segments meet those of segments in one of these.
  for (int openings = 1; openings < 5; ++openings) {
    SCOPED_TRACE(openings);
    const std::string dir = "/twin" + std::to_string(openings);
    ASSERT_OK(RestoreFrom({full.bytes}, dir, &env_));
    std::unique_ptr<Db> twin;
    for (int i = 0; i < openings; ++i) {
      twin.reset();
      twin = OpenWith(config, dir);
    }
    go_on(twin.get(), 'b');
    const TakenBackup of_twin = Take(twin.get(), &next.summary);
    EXPECT_EQ(Differing(ContentsOf(twin.get()), Restored({full.bytes, next.bytes, of_twin.bytes})), "");
  }
}

TEST_F(BackupTest, ChainsThatDoNotFitAreRefused) {
  auto db = Open();
  Fill(db.get(), 1);
  const TakenBackup full = Take(db.get());
  Fill(db.get(), 2);
  const TakenBackup second = Take(db.get(), &full.summary);
  Fill(db.get(), 3);
  const TakenBackup third = Take(db.get(), &second.summary);
  const TakenBackup other_full = Take(db.get());
  for (const std::vector<std::string_view>& chain : std::vector<std::vector<std::string_view>>{
           {},
           {second.bytes},
           {full.bytes, third.bytes},
           {full.bytes, second.bytes, second.bytes},
           {full.bytes, other_full.bytes},
           {other_full.bytes, second.bytes},
           {second.bytes, full.bytes}}) {
    EXPECT_STATUS(kInvalidArgument, RestoreFrom(chain, kCopy, &env_));
    EXPECT_STATUS(kNotFound, env_.ListDir(kCopy));
  }
  EXPECT_OK(RestoreFrom({full.bytes, second.bytes, third.bytes}, kCopy, &env_));

  auto stranger = Open("/stranger");
  EXPECT_STATUS(kInvalidArgument, TakeBackup(stranger.get(), &full.summary));
  const BackupSummary nothing;
  EXPECT_FALSE(TakeBackup(db.get(), &nothing).ok());
}

// --- Damage.

// Small, and with all kinds of files.
TakenBackup SmallBackup(Env* env) {
  auto db = OpenerFor(SmallStoreConfig())(kDir, env);
  EXPECT_OK(db);
  EXPECT_OK((*db)->Put("large", std::string(4100, 'x')));
  EXPECT_OK((*db)->Put("a", "1"));
  EXPECT_OK((*db)->Flush());
  EXPECT_OK((*db)->Put("b", "2"));
  auto taken = TakeBackup(db->get());
  EXPECT_OK(taken);
  return *std::move(taken);
}

// The damage is found by both, and leaves nothing behind.
void ExpectRefused(std::string_view bytes, Env* env) {
  StringSource source(bytes);
  const auto verified = VerifyBackup(source);
  ASSERT_FALSE(verified.ok());
  EXPECT_TRUE(verified.status().IsCorruption() ||
              verified.status().code() == StatusCode::kNotSupported)
      << verified.status().ToString();
  ASSERT_FALSE(RestoreFrom({bytes}, kCopy, env).ok());
  ASSERT_FALSE(env->ListDir(kCopy).ok());
}

TEST_F(BackupTest, AnyFlippedByteIsFound) {
  const TakenBackup taken = SmallBackup(&env_);
  std::string bytes = taken.bytes;
  for (size_t i = 0; i < bytes.size(); ++i) {
    SCOPED_TRACE(i);
    const char was = bytes[i];
    bytes[i] = static_cast<char>(bytes[i] ^ (i % 2 == 0 ? 1 : 0x80));
    ExpectRefused(bytes, &env_);
    bytes[i] = was;
    if (HasFatalFailure()) return;
  }
  EXPECT_OK(RestoreFrom({bytes}, kCopy, &env_));
}

TEST_F(BackupTest, AnyTruncationAndAnythingBehindIsFound) {
  const TakenBackup taken = SmallBackup(&env_);
  for (size_t size = 0; size < taken.bytes.size(); ++size) {
    SCOPED_TRACE(size);
    ExpectRefused(std::string_view(taken.bytes).substr(0, size), &env_);
    if (HasFatalFailure()) return;
  }
  ExpectRefused(taken.bytes + '\0', &env_);
  ExpectRefused(taken.bytes + taken.bytes, &env_);
}

TEST_F(BackupTest, SummaryOfAFileNeedsItsEnd) {
  const TakenBackup taken = SmallBackup(&env_);
  ASSERT_OK(env_.WriteFileForTest("/backup", taken.bytes));
  const auto summary = ReadBackupSummary("/backup", &env_);
  ASSERT_OK(summary);
  EXPECT_EQ(summary->id, taken.summary.id);
  EXPECT_EQ(summary->sequence, taken.summary.sequence);
  EXPECT_EQ(summary->state, taken.summary.state);
  for (const size_t cut : {size_t{1}, size_t{48}, size_t{1000}, taken.bytes.size()}) {
    ASSERT_OK(env_.WriteFileForTest("/backup", taken.bytes.substr(0, taken.bytes.size() - cut)));
    EXPECT_STATUS(kCorruption, ReadBackupSummary("/backup", &env_)) << cut;
  }
  EXPECT_STATUS(kNotFound, ReadBackupSummary("/missing", &env_));
}

TEST_F(BackupTest, DamagedLogIsAnErrorOfTheBackup) {
  auto db = Open();
  ASSERT_OK(db->Put("a", std::string(300, 'a')));
  ASSERT_OK(db->Put("b", "2"));
  db.reset();
  std::string log;
  for (const std::string& path : env_.FileNames()) {
    if (path.ends_with(".wal")) log = path;
  }
  // The store is open when its log rots: what it has in memory is right, the file is not.
  auto reader = OpenReadOnly();
  ASSERT_OK(env_.CorruptByte(log, 64 + 24 + 100, 1));
  EXPECT_STATUS(kCorruption, TakeBackup(reader.get()));
  EXPECT_STATUS(kCorruption, reader->Checkpoint(kCopy));
  EXPECT_STATUS(kNotFound, env_.ListDir(kCopy));
}

// --- Sinks, sources, targets.

TEST_F(BackupTest, FailingSinkEndsTheBackupAndNothingElse) {
  auto db = Open();
  Fill(db.get(), 1);
  StringSink counting;
  ASSERT_OK(db->Backup(counting));
  for (size_t nth = 1; nth <= counting.calls; ++nth) {
    StringSink sink;
    sink.fail_at = nth;
    const auto summary = db->Backup(sink);
    EXPECT_STATUS(kIoError, summary);
    EXPECT_NE(summary.status().ToString().find("the sink fails"), std::string::npos);
    EXPECT_FALSE(sink.is_finished);
    EXPECT_EQ(sink.calls, nth);
  }
  Fill(db.get(), 2);
  EXPECT_OK(db->Compact());
}

TEST_F(BackupTest, FailingSourceLeavesNothing) {
  const TakenBackup taken = SmallBackup(&env_);
  StringSource counting(taken.bytes, 500);
  ASSERT_OK(Db::Restore({&counting}, "/counting", {.env = &env_}));
  for (size_t nth = 1; nth <= counting.calls; ++nth) {
    StringSource source(taken.bytes, 500);
    source.fail_at = nth;
    EXPECT_STATUS(kIoError, Db::Restore({&source}, kCopy, {.env = &env_}));
    EXPECT_STATUS(kNotFound, env_.ListDir(kCopy));
  }
}

TEST_F(BackupTest, TargetsThatHoldSomethingAreLeftAlone) {
  const TakenBackup taken = SmallBackup(&env_);
  ASSERT_OK(RestoreFrom({taken.bytes}, kCopy, &env_));
  EXPECT_STATUS(kInvalidArgument, RestoreFrom({taken.bytes}, kCopy, &env_));  // a store
  EXPECT_EQ(Checked(kCopy).size(), 3u);
  ASSERT_OK(env_.CreateDir("/notes"));
  ASSERT_OK(env_.WriteFileForTest("/notes/todo", "x"));
  auto db = Open();
  EXPECT_STATUS(kInvalidArgument, RestoreFrom({taken.bytes}, "/notes", &env_));
  EXPECT_STATUS(kInvalidArgument, db->Checkpoint("/notes"));
  EXPECT_STATUS(kInvalidArgument, db->Checkpoint(kDir));
  EXPECT_EQ(env_.ListDir("/notes")->size(), 1u);
  // The mark of an unfinished restore excuses no file that is not of a store.
  ASSERT_OK(env_.WriteFileForTest("/notes/UNFINISHED", ""));
  EXPECT_STATUS(kInvalidArgument, RestoreFrom({taken.bytes}, "/notes", &env_));
  EXPECT_EQ(*env_.ReadFileForTest("/notes/todo"), "x");
  // An empty directory is fine.
  ASSERT_OK(env_.CreateDir("/empty"));
  EXPECT_OK(RestoreFrom({taken.bytes}, "/empty", &env_));
  // One that is not finished is no store, and says so.
  ASSERT_OK(env_.CreateDir("/unfinished"));
  ASSERT_OK(env_.WriteFileForTest("/unfinished/UNFINISHED", ""));
  ASSERT_OK(env_.WriteFileForTest("/unfinished/000007.seg", "half"));
  EXPECT_STATUS(kInvalidArgument, OpenerFor(SmallStoreConfig())("/unfinished", &env_));
  EXPECT_OK(RestoreFrom({taken.bytes}, "/unfinished", &env_));
  EXPECT_EQ(Checked("/unfinished").size(), 3u);
}

TEST_F(BackupTest, ProgressIsToldAndCanStop) {
  auto db = Open();
  Fill(db.get(), 1);
  std::vector<BackupProgress> told;
  StringSink sink;
  ASSERT_OK(db->Backup(sink, {.progress = [&](const BackupProgress& now) {
                         told.push_back(now);
                         return true;
                       }}));
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().done_bytes, told.back().total_bytes);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end(), [](const auto& a, const auto& b) {
    return a.done_bytes < b.done_bytes;
  }));
  const auto stop = [](const BackupProgress&) { return false; };
  StringSink stopped;
  EXPECT_STATUS(kAborted, db->Backup(stopped, {.progress = stop}));
  StringSource source(sink.bytes), again(sink.bytes);
  EXPECT_STATUS(kAborted, VerifyBackup(source, stop));
  EXPECT_STATUS(kAborted, Db::Restore({&again}, kCopy, {.progress = stop, .env = &env_}));
  EXPECT_STATUS(kNotFound, env_.ListDir(kCopy));
}

TEST_F(BackupTest, RateIsKeptTo) {
  CrashEnv env(1, SimClock::Mode::kManual);
  auto db = OpenerFor(SmallStoreConfig())(kDir, &env);
  ASSERT_OK(db);
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK((*db)->Put("large" + std::to_string(i), std::string(1 << 20, 'x')));
  }
  const uint64_t begin = env.clock()->MonotonicNanos();
  StringSink sink;
  const auto summary = (*db)->Backup(sink, {.bytes_per_second = 1 << 20});
  ASSERT_OK(summary);
  const double seconds = static_cast<double>(env.clock()->MonotonicNanos() - begin) / 1e9;
  EXPECT_GE(seconds, static_cast<double>(summary->carried_bytes) / (1 << 20) - 0.2);
}

TEST_F(BackupTest, FileSinkReplacesOnlyWhenFinished) {
  auto db = Open();
  ASSERT_OK(db->Put("a", "1"));
  ASSERT_OK(env_.WriteFileForTest("/backup", "old"));
  const auto stop = [](const BackupProgress&) { return false; };
  {
    auto sink = NewFileBackupSink("/backup", &env_);
    ASSERT_OK(sink);
    EXPECT_STATUS(kAborted, db->Backup(**sink, {.progress = stop}));
  }
  EXPECT_EQ(*env_.ReadFileForTest("/backup"), "old");
  EXPECT_FALSE(env_.FileExists("/backup.partial"));
  auto sink = NewFileBackupSink("/backup", &env_);
  ASSERT_OK(sink);
  ASSERT_OK(db->Backup(**sink));
  sink->reset();
  auto after = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
  auto source = NewFileBackupSource("/backup", after.get());
  ASSERT_OK(source);
  EXPECT_OK(Db::Restore({source->get()}, kCopy, {.env = after.get()}));
}

// --- Checkpoints.

TEST_F(BackupTest, CheckpointIsAStoreOfItsOwn) {
  auto db = Open();
  Fill(db.get(), 1);
  ASSERT_OK(db->Checkpoint(kCopy));
  const Contents expected = ContentsOf(db.get());
  Fill(db.get(), 2);
  ASSERT_OK(db->Compact());
  const Contents later = ContentsOf(db.get());
  auto copy = Open(kCopy);
  EXPECT_EQ(Differing(expected, ContentsOf(copy.get())), "");
  for (int round = 3; round < 6; ++round) Fill(copy.get(), round);
  ASSERT_OK(copy->Compact());
  const Contents changed = ContentsOf(copy.get());
  EXPECT_EQ(Differing(later, ContentsOf(db.get())), "");
  copy.reset();
  db.reset();
  EXPECT_EQ(Differing(changed, Checked(kCopy)), "");
  EXPECT_EQ(Differing(later, Checked(kDir)), "");
}

TEST_F(BackupTest, CheckpointSurvivesLossOfPowerWhenItReturns) {
  for (uint64_t seed = 1; seed <= Scaled(10); ++seed) {
    SCOPED_TRACE(seed);
    const std::string dir = kDir + std::to_string(seed), copy = kCopy + std::to_string(seed);
    auto db = OpenWith(RandomStoreConfig(seed), dir);
    Fill(db.get(), 1);
    ASSERT_OK(db->Checkpoint(copy));
    const Contents expected = ContentsOf(db.get());
    auto after = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
    auto opened = OpenerFor(RandomStoreConfig(seed))(copy, after.get());
    ASSERT_OK(opened);
    EXPECT_EQ(Differing(expected, ContentsOf(opened->get())), "");
  }
}

// A file system that is another one, or has no hard links.
class NoLinksEnv : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  Status LinkFile(const std::string&, const std::string&) override {
    return Status::NotSupported("link: another file system");
  }
};

TEST_F(BackupTest, CheckpointElsewhereSaysWhatToDo) {
  NoLinksEnv no_links(&env_);
  auto other = OpenerFor(SmallStoreConfig())("/other", &no_links);
  ASSERT_OK(other);
  Fill(other->get(), 1);
  ASSERT_OK((*other)->Flush());
  const Status refused = (*other)->Checkpoint(kCopy);
  EXPECT_STATUS(kNotSupported, refused);
  EXPECT_NE(refused.ToString().find("take a backup instead"), std::string::npos) << refused.ToString();
  EXPECT_STATUS(kNotFound, env_.ListDir(kCopy));

  auto db = Open();
  Fill(db.get(), 1);
  ASSERT_OK(db->Flush());
  env_.FailCall(1, Fault::kEio, FaultSpan::kOnce, {{CallKind::kLink}, ""});
  EXPECT_STATUS(kIoError, db->Checkpoint(kCopy));
  EXPECT_STATUS(kNotFound, env_.ListDir(kCopy));
  EXPECT_OK(db->Checkpoint(kCopy));
}

}  // namespace backup_test
}  // namespace varve::test
