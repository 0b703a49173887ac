// What a power cut and the end of a process leave of a CrashEnv.
#include "env/crash_env.h"

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "tests/env/crash_fixture.h"

namespace varve::test {
namespace crash_env_test {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr int kSeeds = 300;

// --- Contents.

TEST_F(CrashEnvTest, UnsyncedWritesAreLostOrKept) {
  PutDurably("a", std::string(2'000, 'o'));
  auto file = Open("a");
  ASSERT_OK(file->Write(1'000, "new"));
  EXPECT_EQ(ContentAfter(kLose, "a"), std::string(2'000, 'o'));
  EXPECT_EQ(ContentAfter(kKeep, "a").substr(1'000, 4), "newo");
  EXPECT_EQ(Content("a").substr(1'000, 4), "newo");
}

TEST_F(CrashEnvTest, SyncedWritesSurviveEveryCut) {
  PutDurably("a", "");
  auto file = Open("a");
  ASSERT_OK(file->Write(0, std::string(5'000, 's')));
  ASSERT_OK(file->Sync());
  ASSERT_OK(file->Write(10'000, "unsynced"));
  for (int seed = 0; seed < kSeeds; ++seed) {
    ASSERT_EQ(ContentAfter(PowerCut::Torn(seed), "a").substr(0, 5'000), std::string(5'000, 's'));
  }
}

TEST_F(CrashEnvTest, UnsyncedSizesAreLostOrKept) {
  PutDurably("a", std::string(3'000, 'o'));
  auto file = Open("a");
  ASSERT_OK(file->Truncate(100));
  EXPECT_EQ(ContentAfter(kLose, "a"), std::string(3'000, 'o'));
  EXPECT_EQ(ContentAfter(kKeep, "a"), std::string(100, 'o'));
  ASSERT_OK(file->Sync());
  EXPECT_EQ(ContentAfter(kLose, "a"), std::string(100, 'o'));
  ASSERT_OK(file->Truncate(9'000));
  EXPECT_EQ(ContentAfter(kLose, "a").size(), 100u);
  EXPECT_EQ(ContentAfter(kKeep, "a"), std::string(100, 'o') + std::string(8'900, '\0'));
}

TEST_F(CrashEnvTest, RandomCutsReachEverySubsetOfSectors) {
  PutDurably("a", std::string(3 * 512, 'o'));
  auto file = Open("a");
  ASSERT_OK(file->Write(0, std::string(3 * 512, 'n')));
  std::set<std::string> seen;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const std::string content = ContentAfter(PowerCut::Random(seed), "a");
    ASSERT_EQ(content.size(), 3u * 512);
    std::string sectors;
    for (int s = 0; s < 3; ++s) {
      // A sector is whole: old or new.
      ASSERT_EQ(content.substr(s * 512, 512), std::string(512, content[s * 512]));
      sectors += content[s * 512];
    }
    seen.insert(sectors);
  }
  EXPECT_EQ(seen.size(), 8u);
}

TEST_F(CrashEnvTest, RandomCutsReachOldNewAndIntermediateSizes) {
  PutDurably("a", std::string(512, 'o'));
  auto file = Open("a");
  ASSERT_OK(file->Write(512, std::string(10 * 512, 'n')));
  bool is_old = false, is_new = false, is_between = false;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const std::string content = ContentAfter(PowerCut::Random(seed), "a");
    is_old |= content.size() == 512;
    is_new |= content.size() == 11 * 512;
    is_between |= content.size() > 512 && content.size() < 11 * 512;
    ASSERT_GE(content.size(), 512u);
    ASSERT_LE(content.size(), 11u * 512);
    // What was lost of a longer file reads as zeros.
    ASSERT_EQ(content.substr(512).find_first_not_of(std::string("n\0", 2)), std::string::npos);
  }
  EXPECT_TRUE(is_old && is_new && is_between);
}

TEST_F(CrashEnvTest, TornSectorsDamageOnlyBytesThatWereChanging) {
  PutDurably("a", std::string(1'024, 'o'));
  auto file = Open("a");
  ASSERT_OK(file->Write(100, std::string(50, 'n')));
  const std::string after = Content("a");
  const std::string before(1'024, 'o');
  bool has_mix = false, has_garbage = false;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const std::string content = ContentAfter({.unsynced = PowerCut::Unsynced::kLost,
                                              .seed = static_cast<uint64_t>(seed),
                                              .torn_percent = 100},
                                             "a");
    ASSERT_EQ(content.substr(0, 100), before.substr(0, 100));
    ASSERT_EQ(content.substr(150), before.substr(150));
    const std::string changed = content.substr(100, 50);
    const bool is_garbage = changed.find_first_not_of("on") != std::string::npos;
    has_garbage |= is_garbage;
    has_mix |= !is_garbage && content != before && content != after;
  }
  EXPECT_TRUE(has_mix && has_garbage);
}

TEST_F(CrashEnvTest, EqualSeedsGiveEqualWorlds) {
  PutDurably("a", std::string(20'000, 'o'));
  auto file = Open("a");
  ASSERT_OK(file->Write(0, std::string(20'000, 'n')));
  std::set<std::string> worlds;
  for (int seed = 0; seed < 20; ++seed) {
    const std::string first = ContentAfter(PowerCut::Torn(seed), "a");
    ASSERT_EQ(first, ContentAfter(PowerCut::Torn(seed), "a"));
    worlds.insert(first);
  }
  EXPECT_GT(worlds.size(), 5u);
}

// --- Names.

TEST_F(CrashEnvTest, ANewNameNeedsSyncDirAndItsContentSync) {
  auto file = Open("a");
  ASSERT_OK(file->Write(0, "x"));
  ASSERT_OK(file->Sync());
  EXPECT_THAT(env_.CloneAfterPowerCut(kLose)->FileNames(), ElementsAre());
  ASSERT_OK(env_.SyncDir("/db"));
  EXPECT_EQ(ContentAfter(kLose, "a"), "x");
  ASSERT_OK(file->Write(0, "y"));
  ASSERT_OK(env_.SyncDir("/db"));
  EXPECT_EQ(ContentAfter(kLose, "a"), "x");
}

TEST_F(CrashEnvTest, ANewDirectoryNeedsSyncOfItsParent) {
  ASSERT_OK(env_.CreateDir("/db/sub"));
  auto file = Open("sub/a");
  ASSERT_OK(file->Sync());
  ASSERT_OK(env_.SyncDir("/db/sub"));
  EXPECT_FALSE(env_.CloneAfterPowerCut(kLose)->FileExists("/db/sub"));
  ASSERT_OK(env_.SyncDir("/db"));
  EXPECT_TRUE(env_.CloneAfterPowerCut(kLose)->FileExists("/db/sub/a"));
}

TEST_F(CrashEnvTest, ARemovedNameReturnsWithItsContent) {
  PutDurably("a", "x");
  ASSERT_OK(env_.RemoveFile(Path("a")));
  EXPECT_EQ(ContentAfter(kLose, "a"), "x");
  EXPECT_FALSE(env_.CloneAfterPowerCut(kKeep)->FileExists(Path("a")));
  ASSERT_OK(env_.SyncDir("/db"));
  EXPECT_FALSE(env_.CloneAfterPowerCut(kLose)->FileExists(Path("a")));
}

TEST_F(CrashEnvTest, ARenameIsSeenWholeOrNotAtAll) {
  PutDurably("CURRENT", "old");
  PutDurably("tmp", "new");
  ASSERT_OK(env_.RenameFile(Path("tmp"), Path("CURRENT")));
  std::set<std::string> seen;
  for (int seed = 0; seed < kSeeds; ++seed) {
    auto clone = env_.CloneAfterPowerCut(PowerCut::Random(seed));
    const std::string current = Content(clone.get(), "CURRENT");
    ASSERT_EQ(clone->FileExists(Path("tmp")), current == "old");
    seen.insert(current);
  }
  EXPECT_THAT(seen, UnorderedElementsAre("old", "new"));
}

TEST_F(CrashEnvTest, ARenameBetweenDirectoriesIsSeenWholeOrNotAtAll) {
  ASSERT_OK(env_.CreateDir("/other"));
  env_.SyncAll();
  PutDurably("a", "x");
  ASSERT_OK(env_.RenameFile(Path("a"), "/other/b"));
  std::set<std::vector<std::string>> seen;
  for (int seed = 0; seed < kSeeds; ++seed) {
    seen.insert(env_.CloneAfterPowerCut(PowerCut::Random(seed))->FileNames());
  }
  EXPECT_THAT(seen, UnorderedElementsAre(ElementsAre("/db/a"), ElementsAre("/other/b")));
}

TEST_F(CrashEnvTest, UnsyncedNamesSurviveIndependently) {
  for (const char* name : {"a", "b", "c"}) Open(name);
  std::set<std::vector<std::string>> seen;
  for (int seed = 0; seed < kSeeds; ++seed) {
    seen.insert(env_.CloneAfterPowerCut(PowerCut::Random(seed))->FileNames());
  }
  EXPECT_EQ(seen.size(), 8u);
}

TEST_F(CrashEnvTest, SyncedNamesStayAsTheyAre) {
  PutDurably("kept", "x");
  Open("gone");
  ASSERT_OK(env_.RenameFile(Path("kept"), Path("renamed")));
  ASSERT_OK(env_.RemoveFile(Path("gone")));
  ASSERT_OK(env_.SyncDir("/db"));
  for (int seed = 0; seed < kSeeds; ++seed) {
    auto clone = env_.CloneAfterPowerCut(PowerCut::Random(seed));
    ASSERT_THAT(clone->FileNames(), ElementsAre("/db/renamed"));
  }
}

TEST_F(CrashEnvTest, ARenameWithoutSyncOfTheContentMayLeaveAnEmptyFile) {
  PutDurably("CURRENT", "old");
  auto file = Open("tmp");
  ASSERT_OK(file->Write(0, "new"));
  ASSERT_OK(env_.RenameFile(Path("tmp"), Path("CURRENT")));
  ASSERT_OK(env_.SyncDir("/db"));
  EXPECT_EQ(ContentAfter(kLose, "CURRENT"), "");
}

TEST_F(CrashEnvTest, HardLinksStayOneFileInAClone) {
  PutDurably("a", "one");
  ASSERT_OK(env_.LinkFile(Path("a"), Path("b")));
  auto clone = env_.CloneAfterPowerCut(kKeep);
  auto file = clone->OpenWritable(Path("b"), Env::OpenMode::kOpenExisting);
  ASSERT_OK(file);
  ASSERT_OK((*file)->Write(0, "two"));
  EXPECT_EQ(Content(clone.get(), "a"), "two");
  EXPECT_EQ(Content("a"), "one");
}

// --- Mapped files.

TEST_F(CrashEnvTest, StoresSurviveTheProcessButNotThePower) {
  PutDurably("log", "");
  auto file = Map("log", 1 << 20);
  ASSERT_OK(file->Populate(0, 8'192));
  std::memcpy(file->data(), "first", 5);
  ASSERT_OK(file->Sync());
  std::memcpy(file->data() + 4'096, "second", 6);
  EXPECT_EQ(Content(env_.CloneAfterProcessCrash().get(), "log").substr(4'096, 6), "second");
  const std::string lost = ContentAfter(kLose, "log");
  ASSERT_EQ(lost.size(), 8'192u);
  EXPECT_EQ(lost.substr(0, 5), "first");
  EXPECT_EQ(lost.substr(4'096, 6), std::string(6, '\0'));
  EXPECT_EQ(ContentAfter(kKeep, "log").substr(4'096, 6), "second");
}

TEST_F(CrashEnvTest, StoresOfARecycledFileAreTornPerSector) {
  PutDurably("log", std::string(8'192, 'o'));
  auto file = Map("log", 8'192);
  ASSERT_OK(file->Populate(0, 8'192));
  std::memset(file->data(), 'n', 8'192);
  std::set<std::string> worlds;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const std::string content = ContentAfter(PowerCut::Random(seed), "log");
    for (size_t at = 0; at < 8'192; at += 512) {
      ASSERT_EQ(content.substr(at, 512), std::string(512, content[at]));
    }
    worlds.insert(content);
  }
  EXPECT_GT(worlds.size(), 50u);
}

TEST_F(CrashEnvTest, TheCutOfAClosedMappingNeedsSync) {
  PutDurably("log", "");
  auto file = Map("log", 1 << 20);
  ASSERT_OK(file->Populate(0, 8'192));
  ASSERT_OK(file->Sync());
  ASSERT_OK(file->Close(100));
  EXPECT_EQ(Content("log").size(), 100u);
  EXPECT_EQ(ContentAfter(kLose, "log").size(), 8'192u);
}

TEST_F(CrashEnvTest, AnUnpopulatedStoreIsFatal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  PutDurably("log", std::string(4'096, 'o'));
  EXPECT_DEATH(
      {
        auto file = Map("log", 1 << 20);
        file->data()[0] = 'x';  // present, but not made writable
      },
      "");
  EXPECT_DEATH(
      {
        auto file = Map("log", 1 << 20);
        if (!file->Populate(0, 8'192).ok()) ::_exit(0);
        file->data()[8'192] = 'x';  // behind the end
      },
      "");
}

TEST_F(CrashEnvTest, ReservedAddressSpaceCostsNothing) {
  auto file = Map("log", uint64_t{1} << 36);
  ASSERT_OK(file->Populate(0, 4'096));
  file->data()[0] = 'x';
  EXPECT_EQ(Content(env_.CloneAfterProcessCrash().get(), "log").size(), 4'096u);
}

// --- The end of a process.

TEST_F(CrashEnvTest, AProcessCrashKeepsEverythingAndFreesLocks) {
  PutDurably("a", "old");
  auto file = Open("a");
  ASSERT_OK(file->Write(0, "new"));
  Open("b");
  auto lock = env_.LockFile(Path("LOCK"));
  ASSERT_OK(lock);
  auto clone = env_.CloneAfterProcessCrash();
  EXPECT_EQ(Content(clone.get(), "a"), "new");
  EXPECT_THAT(clone->FileNames(), ElementsAre("/db/LOCK", "/db/a", "/db/b"));
  EXPECT_OK(clone->LockFile(Path("LOCK")));
}

TEST_F(CrashEnvTest, APowerCutAfterAProcessCrashLosesWhatTheProcessHadNotSynced) {
  PutDurably("a", "old");
  PutDurably("gone", "x");
  auto file = Open("a");
  ASSERT_OK(file->Write(0, "new"));
  Open("b");
  ASSERT_OK(env_.RemoveFile(Path("gone")));
  auto crashed = env_.CloneAfterProcessCrash();
  auto cut = crashed->CloneAfterPowerCut(kLose);
  EXPECT_EQ(Content(cut.get(), "a"), "old");
  EXPECT_THAT(cut->FileNames(), ElementsAre("/db/a", "/db/gone"));
}

TEST_F(CrashEnvTest, APowerCutLeavesNothingUnsynced) {
  auto file = Open("a");
  ASSERT_OK(file->Write(0, "new"));
  auto cut = env_.CloneAfterPowerCut(kKeep);
  EXPECT_EQ(Content(cut->CloneAfterPowerCut(kLose).get(), "a"), "new");
}

TEST_F(CrashEnvTest, ClonesAreIndependent) {
  PutDurably("a", std::string(10'000, 'o'));
  auto clone = env_.CloneAfterProcessCrash();
  ASSERT_OK(Open("a")->Write(0, "here"));
  auto there = clone->OpenWritable(Path("a"), Env::OpenMode::kOpenExisting);
  ASSERT_OK(there);
  ASSERT_OK((*there)->Write(5'000, "there"));
  EXPECT_EQ(Content("a"), "here" + std::string(9'996, 'o'));
  EXPECT_EQ(Content(clone.get(), "a").substr(0, 4), "oooo");
  EXPECT_EQ(Content(clone.get(), "a").substr(5'000, 5), "there");
}

TEST_F(CrashEnvTest, AFileThatWasOnlyOpenIsGone) {
  auto file = Open("a");
  ASSERT_OK(file->Write(0, "x"));
  ASSERT_OK(env_.RemoveFile(Path("a")));
  EXPECT_THAT(env_.CloneAfterProcessCrash()->FileNames(), ElementsAre());
}

}  // namespace crash_env_test
}  // namespace varve::test
