// What opening a store does about failures of an earlier attempt, and about a manifest that cannot be
// written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace db_open_test {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kParent[] = "/parent";
constexpr char kDir[] = "/parent/store";

class DbOpenTest : public ::testing::Test {
 protected:
  DbOpenTest() {
    tuning_.memtable_bytes = 256 << 10;
    tuning_.segment_bytes = 32 << 10;
    tuning_.log_window_bytes = 64 << 10;
    tuning_.cache_bytes = 256 << 10;
    EXPECT_OK(env_->CreateDir(kParent));
    EXPECT_OK(env_->SyncDir("/"));
  }
  Result<std::unique_ptr<Db>> Open(bool create = true) {
    Options options;
    options.env = env_.get();
    options.create_if_missing = create;
    return OpenTuned(kDir, options, tuning_);
  }
  void FailNext(CallKind kind, Fault fault, const std::string& path = "",
                FaultSpan span = FaultSpan::kOnce) {
    CallFilter filter;
    filter.kinds = {kind};
    filter.path_contains = path;
    env_->FailCall(1, fault, span, filter);
  }
  // Puts a key durably, takes the power away, and looks for it.
  void ExpectSyncPutSurvives() {
    auto db = Open();
    ASSERT_OK(db);
    ASSERT_OK((*db)->Put("key", "value", {.durability = Durability::kSync}));
    auto after = env_->CloneAfterPowerCut({});
    db->reset();
    env_ = std::move(after);
    db = Open(/*create=*/false);
    ASSERT_OK(db);
    auto value = (*db)->Get("key");
    ASSERT_OK(value);
    EXPECT_EQ(*value, "value");
  }

  std::unique_ptr<CrashEnv> env_ = std::make_unique<CrashEnv>();
  Tuning tuning_;
};

TEST_F(DbOpenTest, CreationThatFailedAtTheParentsSyncIsBegunAnew) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    env_ = std::make_unique<CrashEnv>(seed);
    ASSERT_OK(env_->CreateDir(kParent));
    ASSERT_OK(env_->SyncDir("/"));
    FailNext(CallKind::kSyncDir, Fault::kFailedSync);
    EXPECT_STATUS(kIoError, Open());
    ExpectSyncPutSurvives();
  }
}

TEST_F(DbOpenTest, ParentIsSyncedForADirectoryThatWasThere) {
  // By an earlier attempt that could not clean up, or by the user.
  FailNext(CallKind::kSyncDir, Fault::kEio);
  FailNext(CallKind::kRemove, Fault::kEio, "store");
  EXPECT_STATUS(kIoError, Open());
  ASSERT_OK(env_->ListDir(kDir));
  ExpectSyncPutSurvives();
}

TEST_F(DbOpenTest, DirectoryOfTheUserStaysWhenTheParentsSyncFails) {
  ASSERT_OK(env_->CreateDir(kDir));
  FailNext(CallKind::kSyncDir, Fault::kEio);
  EXPECT_STATUS(kIoError, Open());
  EXPECT_OK(env_->ListDir(kDir));
}

TEST_F(DbOpenTest, OtherFailuresOfTheNewManifestAreReported) {
  ASSERT_OK(Open());
  FailNext(CallKind::kWrite, Fault::kEio, "MANIFEST");
  EXPECT_STATUS(kIoError, Open());
  EXPECT_OK(Open());
}

TEST_F(DbOpenTest, ManifestThatCannotBeBegunIsBegunByTheFirstEditThatCan) {
  {
    auto db = Open();
    ASSERT_OK(db);
    ASSERT_OK((*db)->Put("a", "1"));
  }
  FailNext(CallKind::kWrite, Fault::kNoSpace, "MANIFEST", FaultSpan::kForever);
  auto db = Open();
  ASSERT_OK(db);
  ASSERT_OK((*db)->Put("b", "2"));
  const Status status = (*db)->Flush();
  EXPECT_STATUS(kIoError, status);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no space"));
  EXPECT_THAT((*db)->Stats().background_error, HasSubstr("no space"));
  env_->ClearFaults();
  // An attempt that was under way may still fail.
  while (!(*db)->Flush().ok()) {
  }
  EXPECT_THAT((*db)->Stats().background_error, IsEmpty());
  auto report = (*db)->Verify();
  ASSERT_OK(report);
  EXPECT_THAT(report->problems, IsEmpty());
  db->reset();
  db = Open(/*create=*/false);
  ASSERT_OK(db);
  EXPECT_EQ((*db)->Get("a").value_or(""), "1");
  EXPECT_EQ((*db)->Get("b").value_or(""), "2");
}

// A manifest is begun anew when it has grown. When that fails, the old one stays in force.
TEST_F(DbOpenTest, ManifestThatCannotBeBegunAnewGoesOn) {
  const std::string tail(4000, 'k');
  auto db = Open();
  ASSERT_OK(db);
  // Range deletes that hide something go into the manifest with their keys.
  const auto grow = [&](int round) {
    const std::string stem = "r" + std::to_string(round) + "-";
    for (int i = 0; i < 20; ++i) ASSERT_OK((*db)->Put(stem + std::to_string(100 + i) + tail, "x"));
    ASSERT_OK((*db)->Flush());
    // Keeps what is deleted from being forgotten.
    const auto snapshot = (*db)->GetSnapshot();
    for (int i = 0; i < 20; ++i) {
      const std::string begin = stem + std::to_string(100 + i);
      ASSERT_OK((*db)->DeleteRange(begin + tail, begin + tail + "z"));
    }
    ASSERT_OK((*db)->Put("kept" + std::to_string(round), "value"));
    ASSERT_OK((*db)->Flush());
  };
  CallFilter opens;
  opens.kinds = {CallKind::kOpenWrite};
  opens.path_contains = "MANIFEST";
  env_->FailCall(1, Fault::kNoSpace, FaultSpan::kForever, opens);
  const int kRounds = 16;
  for (int round = 0; round < kRounds; ++round) grow(round);
  EXPECT_GT(env_->fault_count(), 0u) << "the manifest has not grown enough";
  auto after = env_->CloneAfterPowerCut({});
  env_->ClearFaults();
  grow(kRounds);  // now it is begun anew
  const auto check = [&](int rounds) {
    for (int round = 0; round < rounds; ++round) {
      EXPECT_EQ((*db)->Get("kept" + std::to_string(round)).value_or(""), "value");
      EXPECT_STATUS(kNotFound, (*db)->Get("r" + std::to_string(round) + "-107" + tail));
    }
  };
  check(kRounds + 1);
  db->reset();
  env_ = std::move(after);
  db = Open(/*create=*/false);
  ASSERT_OK(db);
  check(kRounds);
}

// What stands behind the end of a log that is continued must not become part of history again.
TEST_F(DbOpenTest, RecordsBehindATornOneDoNotComeBackOnAFullDisk) {
  auto db = Open();
  ASSERT_OK(db);
  ASSERT_OK((*db)->Put("before", "1"));
  ASSERT_OK((*db)->Delete("torn-1"));
  ASSERT_OK((*db)->Put("behind", "1"));
  auto killed = env_->CloneAfterProcessCrash();
  db->reset();
  env_ = std::move(killed);
  for (const std::string& path : env_->FileNames()) {
    auto content = env_->ReadFileForTest(path);
    ASSERT_OK(content);
    const size_t at = content->find("torn-1");
    if (at != std::string::npos) {
      ASSERT_OK(env_->CorruptByte(path, at, 0xff));
    }
  }
  env_->SetFreeSpace(0);
  db = Open();
  ASSERT_OK(db);
  EXPECT_EQ((*db)->Get("before").value_or(""), "1");
  EXPECT_STATUS(kNotFound, (*db)->Get("behind"));
  // A record of the same length in the place of the torn one: what was behind it would follow it.
  ASSERT_OK((*db)->Delete("torn-2"));
  killed = env_->CloneAfterProcessCrash();
  db->reset();
  env_ = std::move(killed);
  db = Open();
  ASSERT_OK(db);
  EXPECT_EQ((*db)->Get("before").value_or(""), "1");
  EXPECT_STATUS(kNotFound, (*db)->Get("behind"));
}

}  // namespace db_open_test
}  // namespace varve
