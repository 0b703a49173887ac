// Db::Repair: every key is right or in a range that the report names, whatever was damaged; the original
// stays as it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/crash_env.h"
#include "format/filename.h"
#include "tests/support/repair_model.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace repair_test {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDir[] = "/store";

uint64_t BaseSeed() {
  const char* seed = std::getenv("VARVE_TEST_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

Result<RepairReport> RepairIn(CrashEnv* env) {
  RepairOptions options;
  options.env = env;
  return Db::Repair(kDir, options);
}

std::string Summary(const RepairReport& report) {
  std::string text;
  for (const std::string& problem : report.problems) text += "\n  problem " + problem;
  for (const RepairLoss& loss : report.losses) {
    text += "\n  lost " + (loss.range.is_everything ? "everything" : loss.range.name_space + " [" +
                           loss.range.begin + ", " + loss.range.end.value_or("-") + ")") +
            " " + loss.file + ": " + loss.reason;
  }
  for (const RepairLoss& loss : report.undecided) text += "\n  undecided: " + loss.reason;
  return text;
}

// Does something to one file, and says what.
std::string DamageFile(CrashEnv* env, const std::string& path, Random* random) {
  std::string content = *env->ReadFileForTest(path);
  if (content.empty() || random->OneIn(6)) {
    EXPECT_OK(env->RemoveFile(path));
    env->SyncAll();
    return path + " removed";
  }
  const size_t at = random->Uniform(content.size());
  if (random->OneIn(5)) {
    EXPECT_OK(env->WriteFileForTest(path, std::string_view(content).substr(0, at)));
    return path + " cut to " + std::to_string(at) + " of " + std::to_string(content.size());
  }
  if (random->OneIn(4)) {
    const size_t page = at & ~size_t{4095};
    for (size_t i = page; i < std::min(content.size(), page + 4096); ++i) content[i] = '\0';
    EXPECT_OK(env->WriteFileForTest(path, content));
    return path + " zeroed at " + std::to_string(page);
  }
  const uint8_t mask = static_cast<uint8_t>(1u << random->Uniform(8));
  EXPECT_OK(env->CorruptByte(path, at, mask));
  return path + " flipped at " + std::to_string(at) + " of " + std::to_string(content.size());
}

TEST(RepairModelTest, EveryKeyIsRightOrItsRangeIsNamed) {
  const uint64_t base = BaseSeed();
  size_t lossless = 0, bounded = 0, everything = 0;
  for (uint64_t seed = base; seed < base + Scaled(8); ++seed) {
    // A log that was not closed ends where it ends: damage to what was never synced looks like that.
    const bool is_closed = seed % 4 != 0;
    RandomStore store(seed, 900);
    ASSERT_OK(store.Build(is_closed)) << "seed " << seed << " " << store.config();
    Random random(seed * 13 + 1);
    const std::vector<std::string> files = store.Files();
    for (int round = 0; round < 12; ++round) {
      const auto env = store.Copy();
      std::string what;
      for (uint64_t n = random.OneIn(4) ? 2 : 1; n > 0; --n) {
        const std::string& path = files[random.Uniform(files.size())];
        if ((path.ends_with(".wal") && !is_closed) || !env->FileExists(path)) continue;
        what += DamageFile(env.get(), path, &random) + "; ";
      }
      const auto original = FilesBelow(env.get(), kDir);
      const auto report = RepairIn(env.get());
      SCOPED_TRACE("VARVE_TEST_SEED=" + std::to_string(seed) + " round " + std::to_string(round) + " " +
                   what + store.config());
      ASSERT_OK(report);
      EXPECT_TRUE(FilesBelow(env.get(), kDir) == original) << "the original has changed";
      ASSERT_EQ(store.CheckRepaired(*report, env.get()), "") << Summary(*report);
      const auto is_all = [](const RepairLoss& loss) { return loss.range.is_everything; };
      if (report->is_complete()) {
        ++lossless;
      } else if (report->undecided.empty() &&
                 std::none_of(report->losses.begin(), report->losses.end(), is_all)) {
        ++bounded;
      } else {
        ++everything;
      }
    }
  }
  std::printf("  %zu repairs lost nothing, %zu named ranges, %zu could exclude no key\n", lossless,
              bounded, everything);
}

TEST(RepairModelTest, UndamagedStoreIsCopiedWithoutLoss) {
  const uint64_t base = BaseSeed();
  for (uint64_t seed = base; seed < base + Scaled(6); ++seed) {
    RandomStore store(seed, 700);
    ASSERT_OK(store.Build(seed % 2 == 0));
    const auto env = store.Copy();
    const auto report = RepairIn(env.get());
    ASSERT_OK(report);
    EXPECT_TRUE(report->is_complete()) << seed << Summary(*report);
    EXPECT_THAT(report->problems, IsEmpty()) << seed;
    EXPECT_EQ(store.CheckRepaired(*report, env.get()), "") << "VARVE_TEST_SEED=" << seed;
    EXPECT_GE(report->key_count, store.contents().size());  // what has expired is kept for its readers
  }
}

// What each missing file may cost.
TEST(RepairModelTest, EveryFileMayBeMissing) {
  RandomStore store(BaseSeed() + 100, 600);
  ASSERT_OK(store.Build(/*is_closed=*/true));
  int missed_segments = 0;
  for (const std::string& path : store.Files()) {
    const auto env = store.Copy();
    ASSERT_OK(env->RemoveFile(path));
    const auto report = RepairIn(env.get());
    ASSERT_OK(report) << path;
    EXPECT_EQ(store.CheckRepaired(*report, env.get()), "") << path << Summary(*report);
    const auto type = ParseFileName(path.substr(path.rfind('/') + 1))->type;
    if (type == FileType::kCurrent) {
      EXPECT_TRUE(report->is_complete()) << Summary(*report);
    } else if (type == FileType::kManifest) {
      EXPECT_EQ(report->undecided.size(), 1u) << Summary(*report);
    } else if (type == FileType::kSegment && !report->is_complete()) {
      // One that was merged away right before the end may still be there, and nobody misses it.
      ++missed_segments;
      ASSERT_FALSE(report->losses.empty());
      EXPECT_FALSE(report->losses[0].range.is_everything);
      EXPECT_EQ(report->losses[0].file, path);
    }
  }
  EXPECT_GT(missed_segments, 0);
}

TEST(RepairModelTest, FailedCallsLeaveTheOriginalAndNoHalfStore) {
  RandomStore store(BaseSeed() + 200, 250);
  ASSERT_OK(store.Build(/*is_closed=*/true));
  const std::vector<CallFilter> filters = {CallFilter::Changes(), CallFilter::Reads()};
  for (const CallFilter& filter : filters) {
    const size_t stride = filter.kinds == CallFilter::Reads().kinds ? 7 : 1;
    for (uint64_t nth = 1;; nth += stride) {
      const auto env = store.Copy();
      const auto original = FilesBelow(env.get(), kDir);
      env->FailCall(nth, nth % 2 == 0 ? Fault::kEio : Fault::kNoSpace, FaultSpan::kOnce, filter);
      const auto report = RepairIn(env.get());
      const bool was_reached = env->fault_count() > 0;
      env->ClearFaults();
      EXPECT_TRUE(FilesBelow(env.get(), kDir) == original) << nth;
      if (report.ok()) {
        ASSERT_EQ(store.CheckRepaired(*report, env.get()), "") << nth << Summary(*report);
      } else {
        EXPECT_FALSE(env->FileExists("/store.repaired/CURRENT")) << nth;
      }
      if (!was_reached) break;
    }
  }
}

TEST(RepairModelTest, PowerCutDuringRepairLeavesAllOrNothing) {
  RandomStore store(BaseSeed() + 300, 250);
  ASSERT_OK(store.Build(/*is_closed=*/true));
  const auto env = store.Copy();
  env->SyncAll();
  const auto original = FilesBelow(env.get(), kDir);
  std::vector<std::unique_ptr<CrashEnv>> clones;
  uint64_t calls = 0;
  env->SetCallHook([&](const CallInfo& call) {
    if (!CallFilter::Changes().Matches(call) || ++calls % 2 != 0) return;
    PowerCut cut;
    cut.seed = calls;
    clones.push_back(env->CloneAfterPowerCut(cut));
  });
  const auto report = RepairIn(env.get());
  env->SetCallHook(nullptr);
  ASSERT_OK(report);
  size_t whole = 0;
  for (const auto& clone : clones) {
    EXPECT_TRUE(FilesBelow(clone.get(), kDir) == original);
    if (!clone->FileExists("/store.repaired/CURRENT")) continue;
    ++whole;
    ASSERT_EQ(store.CheckRepaired(*report, clone.get()), "");
  }
  std::printf("  %zu cuts, %zu after the store was whole\n", clones.size(), whole);
}

// --- Single damages.

class RepairTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = SmallStoreConfig();
    config_.tuning.idle_millis = 1'000'000;
    config_.tuning.segment_bytes = 1 << 20;
    Open();
  }
  void Open() {
    auto db = OpenerFor(config_)(kDir, &env_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  void PutKeys(int from, int to, size_t bytes = 100) {
    for (int i = from; i < to; ++i) {
      ASSERT_OK(db_->Put(KeyOf(i), std::string(bytes, static_cast<char>('a' + i % 26))));
    }
  }
  static std::string KeyOf(int i) { return "key" + std::to_string(1000 + i); }
  std::vector<std::string> FilesWith(const std::string& extension) {
    std::vector<std::string> files;
    for (const std::string& path : env_.FileNames()) {
      if (path.starts_with(std::string(kDir) + "/") && path.ends_with(extension)) files.push_back(path);
    }
    return files;
  }
  // What the last merge has written. A file that went into it may still be there.
  std::string Merged() { return FilesWith(".seg").back(); }
  RepairReport Repaired() {
    db_.reset();
    auto report = RepairIn(&env_);
    EXPECT_OK(report);
    if (!report.ok()) return {};
    auto db = OpenerFor(config_)(report->to, &env_);
    EXPECT_OK(db);
    if (db.ok()) db_ = *std::move(db);
    return *report;
  }

  CrashEnv env_;
  StoreConfig config_;
  std::unique_ptr<Db> db_;
};

TEST_F(RepairTest, DamagedBlockLiesBetweenTwoKeys) {
  PutKeys(0, 120);
  ASSERT_OK(db_->Compact());
  db_.reset();
  const std::string segment = Merged();
  ASSERT_OK(env_.CorruptByte(segment, 4096 + 50, 1));  // the second block
  const RepairReport report = Repaired();
  ASSERT_EQ(report.losses.size(), 1u) << Summary(report);
  const RepairLoss& loss = report.losses[0];
  EXPECT_EQ(loss.file, segment);
  EXPECT_EQ(loss.offset, 4096u);
  uint64_t absent = 0;
  for (int i = 0; i < 120; ++i) {
    const bool is_lost = loss.range.Contains("", KeyOf(i));
    absent += is_lost ? 1 : 0;
    EXPECT_EQ(db_->Get(KeyOf(i)).ok(), !is_lost) << KeyOf(i);
  }
  EXPECT_EQ(loss.change_count, absent);
  EXPECT_GT(absent, 20u);
  EXPECT_LT(absent, 45u);
  EXPECT_EQ(report.key_count, 120 - absent);
}

TEST_F(RepairTest, DamagedIndexLosesNothing) {
  for (const Compression compression :
       {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
    db_.reset();
    config_.options.compression = compression;
    for (const std::string& path : env_.FileNames()) ASSERT_OK(env_.RemoveFile(path));
    Open();
    PutKeys(0, 400);
    ASSERT_OK(db_->Compact());
    db_.reset();
    for (const std::string& path : FilesWith(".seg")) {
      // The footer, and with it the way to index and properties.
      const uint64_t size = *env_.FileSize(path);
      for (uint64_t i = 1; i <= 64; ++i) ASSERT_OK(env_.CorruptByte(path, size - i, 0x55));
    }
    const RepairReport report = Repaired();
    EXPECT_TRUE(report.is_complete()) << Summary(report);
    EXPECT_THAT(report.problems, ::testing::Not(IsEmpty()));
    EXPECT_EQ(report.key_count, 400u);
    for (int i = 0; i < 400; ++i) EXPECT_OK(db_->Get(KeyOf(i)));
  }
}

TEST_F(RepairTest, BlocksAreFoundAroundDamageWithoutAnIndex) {
  for (const Compression compression :
       {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
    db_.reset();
    config_.options.compression = compression;
    for (const std::string& path : env_.FileNames()) ASSERT_OK(env_.RemoveFile(path));
    Open();
    Random random(7);
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 2000; ++i) {
      std::string value;
      for (int j = 0; j < 30; ++j) value.push_back(static_cast<char>('a' + random.Uniform(26)));
      ASSERT_OK(db_->Put(KeyOf(i), value));
      expected[KeyOf(i)] = value;
    }
    ASSERT_OK(db_->Compact());
    db_.reset();
    const std::string segment = Merged();
    const uint64_t size = *env_.FileSize(segment);
    ASSERT_OK(env_.CorruptByte(segment, size - 60, 0x55));
    ASSERT_OK(env_.CorruptByte(segment, 20000, 0x55));
    const RepairReport report = Repaired();
    ASSERT_EQ(report.losses.size(), 1u) << Summary(report);
    EXPECT_GT(report.key_count, 1000u);
    for (const auto& [key, value] : expected) {
      const auto got = db_->Get(key);
      if (report.losses[0].range.Contains("", key)) continue;
      ASSERT_OK(got);
      EXPECT_EQ(*got, value);
    }
    EXPECT_EQ(report.losses[0].change_count, 2000 - report.key_count);
  }
}

TEST_F(RepairTest, DamagedValueLosesItsKey) {
  PutKeys(0, 10, 6000);
  ASSERT_OK(db_->Compact());
  db_.reset();
  // There may be two: a put takes another file while the one before is still being finished.
  ASSERT_OK(env_.CorruptByte(FilesWith(".val").front(), 500, 1));
  const RepairReport report = Repaired();
  ASSERT_EQ(report.losses.size(), 1u) << Summary(report);
  EXPECT_EQ(report.losses[0].change_count, 1u);
  EXPECT_EQ(report.losses[0].range.end, report.losses[0].range.begin + '\0');
  EXPECT_EQ(report.key_count, 9u);
  EXPECT_STATUS(kNotFound, db_->Get(report.losses[0].range.begin));
}

TEST_F(RepairTest, LogIsTakenUpBehindDamage) {
  PutKeys(0, 20);
  ASSERT_OK(db_->DeleteRange(KeyOf(15), KeyOf(18)));
  db_.reset();
  const auto logs = FilesWith(".wal");
  ASSERT_EQ(logs.size(), 1u);
  ASSERT_OK(env_.CorruptByte(logs[0], 64 + 3 * 144 + 60, 1));
  EXPECT_STATUS(kCorruption, OpenerFor(config_)(kDir, &env_));
  const RepairReport report = Repaired();
  ASSERT_EQ(report.losses.size(), 1u) << Summary(report);
  EXPECT_TRUE(report.losses[0].range.is_everything);
  EXPECT_EQ(report.losses[0].change_count, 1u);
  EXPECT_EQ(report.key_count, 16u);  // of 20 one is lost and three are deleted
}

TEST_F(RepairTest, FlippedBitOfTheHeaderOfALogLosesNothing) {
  PutKeys(0, 20);
  db_.reset();
  const auto logs = FilesWith(".wal");
  ASSERT_EQ(logs.size(), 1u);
  ASSERT_OK(env_.CorruptByte(logs[0], 33, 1));
  const RepairReport report = Repaired();
  EXPECT_TRUE(report.is_complete()) << Summary(report);
  EXPECT_EQ(report.key_count, 20u);
}

TEST_F(RepairTest, NamespaceWithoutANameGetsOne) {
  const auto space = *db_->OpenNamespace("users");
  for (int i = 0; i < 60; ++i) ASSERT_OK(space->Put(KeyOf(i), std::string(300, 'x')));
  ASSERT_OK(db_->Compact());
  db_.reset();
  // The first block has the table of namespaces.
  ASSERT_OK(env_.CorruptByte(Merged(), 100, 1));
  const RepairReport report = Repaired();
  ASSERT_FALSE(report.losses.empty());
  EXPECT_EQ(report.losses[0].range.name_space, "#0");
  const auto named = db_->OpenNamespace("recovered-1", {.create_if_missing = false});
  ASSERT_OK(named);
  EXPECT_OK((*named)->Get(KeyOf(59)));
  const auto fresh = db_->OpenNamespace("new");
  ASSERT_OK(fresh);
  EXPECT_GT((*fresh)->id(), 1u);
  const auto verified = db_->Verify();
  ASSERT_OK(verified);
  EXPECT_THAT(verified->problems, IsEmpty());
}

TEST_F(RepairTest, DroppedNamespaceStaysDropped) {
  const auto space = *db_->OpenNamespace("users");
  for (int i = 0; i < 60; ++i) ASSERT_OK(space->Put(KeyOf(i), std::string(300, 'x')));
  ASSERT_OK(db_->Flush());
  ASSERT_OK(db_->DropNamespace("users"));
  const RepairReport report = Repaired();
  EXPECT_TRUE(report.is_complete()) << Summary(report);
  EXPECT_EQ(report.key_count, 0u);
  EXPECT_TRUE(db_->ListNamespaces()->empty());
}

TEST_F(RepairTest, RefusesWhatItMustNotTouch) {
  EXPECT_STATUS(kBusy, RepairIn(&env_));
  db_.reset();
  EXPECT_STATUS(kNotFound, Db::Repair("/nowhere", {.env = &env_}));
  ASSERT_OK(env_.CreateDir("/empty"));
  EXPECT_STATUS(kNotFound, Db::Repair("/empty", {.env = &env_}));
  EXPECT_STATUS(kInvalidArgument, Db::Repair(kDir, {.to = kDir, .env = &env_}));
  ASSERT_OK(env_.WriteFileForTest("/empty/mine", "x"));
  EXPECT_STATUS(kInvalidArgument, Db::Repair(kDir, {.to = "/empty", .env = &env_}));
  EXPECT_TRUE(env_.FileExists("/empty/mine"));
}

TEST_F(RepairTest, SaysSoInTheEventLogAndReportsProgress) {
  PutKeys(0, 2500, 40);
  db_.reset();
  uint64_t calls = 0;
  RepairOptions options;
  options.env = &env_;
  options.progress = [&](const RepairProgress& progress) {
    ++calls;
    EXPECT_GT(progress.bytes_total, 0u);
    EXPECT_LE(progress.bytes_done, progress.bytes_total);
  };
  ASSERT_OK(Db::Repair(kDir, options));
  EXPECT_GE(calls, 3u);
  EXPECT_THAT(*env_.ReadFileForTest("/store.repaired/EVENTS"), HasSubstr("repaired from /store: 2500 keys"));
}

}  // namespace repair_test
}  // namespace varve::test
