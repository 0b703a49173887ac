// What every Env promises (env/env.h), held against both implementations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "env/crash_env.h"
#include "env/env.h"
#include "env/posix_env.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace env_contract_test {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

enum class Kind { kPosix, kCrash };

class EnvContractTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::kPosix) {
      env_ = std::make_unique<PosixEnv>();
      std::string name = ::testing::TempDir() + "/varve_env_XXXXXX";
      ASSERT_NE(::mkdtemp(name.data()), nullptr);
      dir_ = name;
    } else {
      env_ = std::make_unique<CrashEnv>();
      dir_ = "/db";
      ASSERT_OK(env_->CreateDir(dir_));
    }
  }
  void TearDown() override {
    if (GetParam() == Kind::kPosix) std::filesystem::remove_all(dir_);
  }

  std::string Path(const std::string& name) { return JoinPath(dir_, name); }
  std::unique_ptr<WritableFile> Create(const std::string& name) {
    auto file = env_->OpenWritable(Path(name), Env::OpenMode::kCreateNew);
    EXPECT_OK(file);
    return file.ok() ? *std::move(file) : nullptr;
  }
  void Put(const std::string& name, const std::string& content) {
    auto file = env_->OpenWritable(Path(name), Env::OpenMode::kCreateOrTruncate);
    ASSERT_OK(file);
    ASSERT_OK((*file)->Write(0, content));
    ASSERT_OK((*file)->Close());
  }
  std::string Get(const std::string& name) {
    auto file = env_->OpenRandomAccess(Path(name));
    if (!file.ok()) return file.status().ToString();
    std::string content(1 << 20, '\0');
    auto size = (*file)->Read(0, content.size(), content.data());
    if (!size.ok()) return size.status().ToString();
    content.resize(*size);
    return content;
  }
  // Null where the file system does not support mapping.
  std::unique_ptr<MappedFile> Map(const std::string& name, uint64_t capacity) {
    auto file = env_->OpenMapped(Path(name), capacity);
    if (file.status().code() == StatusCode::kNotSupported) return nullptr;
    EXPECT_OK(file);
    return *std::move(file);
  }

  std::unique_ptr<Env> env_;
  std::string dir_;
};

#define MAP_OR_SKIP(variable, name, capacity)                 \
  std::unique_ptr<MappedFile> variable = Map(name, capacity); \
  if (variable == nullptr) GTEST_SKIP() << "NOT TESTED: no mapping on this file system"

// --- Files.

TEST_P(EnvContractTest, WrittenBytesAreReadAtAnyOffset) {
  auto file = Create("a");
  ASSERT_OK(file->Write(5, "world"));
  ASSERT_OK(file->Write(0, "hello"));
  char buffer[16];
  EXPECT_EQ(*file->Read(3, 4, buffer), 4u);
  EXPECT_EQ(std::string(buffer, 4), "lowo");
  EXPECT_EQ(Get("a"), "helloworld");
  EXPECT_EQ(*file->Size(), 10u);
  EXPECT_EQ(*env_->FileSize(Path("a")), 10u);
}

TEST_P(EnvContractTest, ReadsEndAtTheEndOfTheFile) {
  Put("a", "hello");
  auto file = *env_->OpenRandomAccess(Path("a"));
  char buffer[16];
  EXPECT_EQ(*file->Read(3, 10, buffer), 2u);
  EXPECT_EQ(*file->Read(5, 10, buffer), 0u);
  EXPECT_EQ(*file->Read(500, 10, buffer), 0u);
  EXPECT_EQ(*file->Read(0, 0, buffer), 0u);
  EXPECT_EQ(*file->Size(), 5u);
}

TEST_P(EnvContractTest, GapsReadAsZeros) {
  auto file = Create("a");
  ASSERT_OK(file->Write(10'000, "x"));
  EXPECT_EQ(Get("a"), std::string(10'000, '\0') + "x");
}

TEST_P(EnvContractTest, LargeWritesCrossPages) {
  std::string big(300'001, '\0');
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * 131 >> 3);
  auto file = Create("a");
  ASSERT_OK(file->Write(4'095, big));
  std::string read(big.size(), '\0');
  EXPECT_EQ(*file->Read(4'095, read.size(), read.data()), big.size());
  EXPECT_EQ(read, big);
}

TEST_P(EnvContractTest, OpenModesDiffer) {
  EXPECT_STATUS(kNotFound, env_->OpenWritable(Path("a"), Env::OpenMode::kOpenExisting));
  Put("a", "old");
  EXPECT_STATUS(kIoError, env_->OpenWritable(Path("a"), Env::OpenMode::kCreateNew));
  ASSERT_OK(env_->OpenWritable(Path("a"), Env::OpenMode::kOpenExisting));
  EXPECT_EQ(Get("a"), "old");
  ASSERT_OK(env_->OpenWritable(Path("a"), Env::OpenMode::kCreateOrTruncate));
  EXPECT_EQ(Get("a"), "");
}

TEST_P(EnvContractTest, MissingFilesAreNotFoundByName) {
  auto file = env_->OpenRandomAccess(Path("nowhere"));
  ASSERT_STATUS(kNotFound, file);
  EXPECT_THAT(file.status().ToString(), HasSubstr("open " + Path("nowhere")));
  EXPECT_STATUS(kNotFound, env_->RemoveFile(Path("nowhere")));
  EXPECT_STATUS(kNotFound, env_->RenameFile(Path("nowhere"), Path("b")));
  EXPECT_STATUS(kNotFound, env_->LinkFile(Path("nowhere"), Path("b")));
  EXPECT_STATUS(kNotFound, env_->FileSize(Path("nowhere")));
  EXPECT_STATUS(kNotFound, env_->ListDir(Path("nowhere")));
  EXPECT_STATUS(kNotFound, env_->SyncDir(Path("nowhere")));
  EXPECT_STATUS(kNotFound, env_->RemoveDir(Path("nowhere")));
  EXPECT_STATUS(kNotFound, env_->CreateDir(Path("nowhere/below")));
  EXPECT_STATUS(kNotFound, env_->FreeSpace(Path("nowhere")));
  EXPECT_STATUS(kNotFound, env_->OpenWritable(Path("no/a"), Env::OpenMode::kCreateNew));
  EXPECT_FALSE(env_->FileExists(Path("nowhere")));
}

TEST_P(EnvContractTest, TruncateCutsAndExtendsWithZeros) {
  auto file = Create("a");
  ASSERT_OK(file->Write(0, std::string(6'000, 'x')));
  ASSERT_OK(file->Truncate(4'100));
  EXPECT_EQ(Get("a"), std::string(4'100, 'x'));
  ASSERT_OK(file->Truncate(5'000));
  EXPECT_EQ(Get("a"), std::string(4'100, 'x') + std::string(900, '\0'));
  ASSERT_OK(file->Truncate(0));
  EXPECT_EQ(Get("a"), "");
}

TEST_P(EnvContractTest, AllocateExtendsAndKeepsContent) {
  auto file = Create("a");
  ASSERT_OK(file->Write(0, "keep"));
  const Status status = file->Allocate(0, 10'000);
  // Env allows it where a file system cannot reserve blocks; CrashEnv always can, and is run as well.
  if (status.code() == StatusCode::kNotSupported) GTEST_SKIP() << "NOT TESTED here: " << status.ToString();
  ASSERT_OK(status);
  ASSERT_OK(file->Allocate(100, 0));
  EXPECT_EQ(Get("a"), "keep" + std::string(9'996, '\0'));
}

TEST_P(EnvContractTest, WriteTwoWritesBothPieces) {
  auto file = Create("a");
  ASSERT_OK(file->WriteTwo(1, "head", "body"));
  ASSERT_OK(file->WriteTwo(9, "", "x"));
  ASSERT_OK(file->WriteTwo(10, "y", ""));
  ASSERT_OK(file->WriteTwo(11, "", ""));
  EXPECT_EQ(Get("a"), std::string("\0headbodyxy", 11));
  ASSERT_OK(file->Close());
  EXPECT_STATUS(kIoError, file->WriteTwo(0, "a", "b"));
}

TEST_P(EnvContractTest, ReservedBlocksDoNotShow) {
  auto file = Create("a");
  ASSERT_OK(file->Write(0, "keep"));
  file->ReserveBlocks(0, 100'000);
  EXPECT_EQ(Get("a"), "keep");
  ASSERT_OK(file->Write(10'000, "x"));
  EXPECT_EQ(Get("a"), "keep" + std::string(9'996, '\0') + "x");
}

TEST_P(EnvContractTest, ThreadsOfLowPriorityRun) {
  std::atomic<bool> ran = false;
  env_->StartThread("low", [&] {
    env_->LowerPriorityOfThisThread();
    env_->LowerPriorityOfThisThread();
    ran = true;
  });  // joins
  EXPECT_TRUE(ran);
}

TEST_P(EnvContractTest, ClosedFilesRefuseAndCloseAgain) {
  auto file = Create("a");
  ASSERT_OK(file->Write(0, "x"));
  file->StartWriteback(0, 1);
  ASSERT_OK(file->Sync());
  ASSERT_OK(file->Close());
  EXPECT_OK(file->Close());
  EXPECT_STATUS(kIoError, file->Write(1, "y"));
  EXPECT_STATUS(kIoError, file->Sync());
  EXPECT_EQ(Get("a"), "x");
}

TEST_P(EnvContractTest, RemovedFilesStayReadableWhileOpen) {
  Put("a", "hello");
  auto file = *env_->OpenRandomAccess(Path("a"));
  file->WillNeed(0, 5);
  file->DontNeed(0, 5);
  ASSERT_OK(env_->RemoveFile(Path("a")));
  EXPECT_FALSE(env_->FileExists(Path("a")));
  char buffer[5];
  EXPECT_EQ(*file->Read(0, 5, buffer), 5u);
  EXPECT_EQ(std::string(buffer, 5), "hello");
}

TEST_P(EnvContractTest, RenameReplacesTheTarget) {
  Put("a", "new");
  Put("b", "old");
  ASSERT_OK(env_->RenameFile(Path("a"), Path("b")));
  EXPECT_EQ(Get("b"), "new");
  EXPECT_FALSE(env_->FileExists(Path("a")));
  ASSERT_OK(env_->RenameFile(Path("b"), Path("b")));
  EXPECT_EQ(Get("b"), "new");
}

TEST_P(EnvContractTest, LinksShareContent) {
  Put("a", "one");
  ASSERT_OK(env_->LinkFile(Path("a"), Path("b")));
  EXPECT_STATUS(kIoError, env_->LinkFile(Path("a"), Path("b")));
  auto file = *env_->OpenWritable(Path("b"), Env::OpenMode::kOpenExisting);
  ASSERT_OK(file->Write(0, "two"));
  EXPECT_EQ(Get("a"), "two");
  ASSERT_OK(env_->RemoveFile(Path("a")));
  EXPECT_EQ(Get("b"), "two");
}

// --- Directories.

TEST_P(EnvContractTest, ListDirNamesEverythingOnce) {
  Put("a", "");
  ASSERT_OK(env_->CreateDir(Path("sub")));
  Put("sub/inside", "");
  EXPECT_THAT(*env_->ListDir(dir_), UnorderedElementsAre("a", "sub"));
  EXPECT_THAT(*env_->ListDir(Path("sub")), UnorderedElementsAre("inside"));
  EXPECT_OK(env_->SyncDir(dir_));
}

TEST_P(EnvContractTest, DirectoriesAreCreatedTwiceAndRemovedEmpty) {
  ASSERT_OK(env_->CreateDir(Path("sub")));
  EXPECT_OK(env_->CreateDir(Path("sub")));
  EXPECT_TRUE(env_->FileExists(Path("sub")));
  Put("sub/a", "");
  EXPECT_STATUS(kIoError, env_->RemoveDir(Path("sub")));
  ASSERT_OK(env_->RemoveFile(Path("sub/a")));
  ASSERT_OK(env_->RemoveDir(Path("sub")));
  EXPECT_FALSE(env_->FileExists(Path("sub")));
}

TEST_P(EnvContractTest, FilesAndDirectoriesAreNotMistaken) {
  Put("a", "");
  ASSERT_OK(env_->CreateDir(Path("sub")));
  EXPECT_STATUS(kIoError, env_->CreateDir(Path("a")));
  EXPECT_STATUS(kIoError, env_->RemoveFile(Path("sub")));
  EXPECT_STATUS(kIoError, env_->RemoveDir(Path("a")));
  EXPECT_STATUS(kIoError, env_->ListDir(Path("a")));
  EXPECT_STATUS(kIoError, env_->OpenWritable(Path("sub"), Env::OpenMode::kOpenExisting));
  EXPECT_STATUS(kIoError, env_->OpenWritable(Path("a/b"), Env::OpenMode::kCreateNew));
  EXPECT_STATUS(kIoError, env_->RenameFile(Path("a"), Path("sub")));
}

TEST_P(EnvContractTest, DirectoriesAreRenamed) {
  ASSERT_OK(env_->CreateDir(Path("sub")));
  Put("sub/a", "x");
  ASSERT_OK(env_->RenameFile(Path("sub"), Path("other")));
  EXPECT_EQ(Get("other/a"), "x");
  EXPECT_FALSE(env_->FileExists(Path("sub")));
}

TEST_P(EnvContractTest, FreeSpaceIsNotZero) { EXPECT_GT(*env_->FreeSpace(dir_), 0u); }

// --- Locks.

TEST_P(EnvContractTest, ASecondLockIsBusyUntilTheFirstGoes) {
  auto lock = env_->LockFile(Path("LOCK"));
  ASSERT_OK(lock);
  auto second = env_->LockFile(Path("LOCK"));
  ASSERT_STATUS(kBusy, second);
  EXPECT_THAT(second.status().ToString(), HasSubstr(Path("LOCK")));
  EXPECT_OK(env_->LockFile(Path("OTHER")));
  *lock = nullptr;
  EXPECT_OK(env_->LockFile(Path("LOCK")));
}

TEST_P(EnvContractTest, ALinkToALockedFileIsBusyToo) {
  auto lock = env_->LockFile(Path("LOCK"));
  ASSERT_OK(lock);
  ASSERT_OK(env_->LinkFile(Path("LOCK"), Path("ALIAS")));
  EXPECT_STATUS(kBusy, env_->LockFile(Path("ALIAS")));
}

// --- Mapped files.

TEST_P(EnvContractTest, StoresAreReadAsFileContent) {
  MAP_OR_SKIP(file, "log", 1 << 20);
  EXPECT_EQ(file->capacity(), uint64_t{1} << 20);
  ASSERT_OK(file->Populate(0, 8'192));
  std::memcpy(file->data() + 4'090, "straddles", 9);
  EXPECT_EQ(Get("log").substr(4'090, 9), "straddles");
  EXPECT_EQ(*env_->FileSize(Path("log")), 8'192u);
  ASSERT_OK(file->Sync());
  ASSERT_OK(file->Close(4'099));
  EXPECT_OK(file->Close(0));
  EXPECT_EQ(Get("log"), std::string(4'090, '\0') + "straddles");
}

TEST_P(EnvContractTest, PopulateRoundsToPagesAndGrowsOnly) {
  MAP_OR_SKIP(file, "log", 1 << 20);
  ASSERT_OK(file->Populate(5'000, 1));
  EXPECT_EQ(*env_->FileSize(Path("log")), 8'192u);
  file->data()[4'096] = 'x';
  file->data()[8'191] = 'y';
  ASSERT_OK(file->Populate(0, 10));
  ASSERT_OK(file->Populate(20'000, 0));
  EXPECT_EQ(*env_->FileSize(Path("log")), 8'192u);
  EXPECT_EQ(file->data()[4'096], 'x');
  file->data()[0] = 'z';
  ASSERT_OK(file->Populate((1 << 20) - 4'096, 4'096));
  file->data()[(1 << 20) - 1] = 'w';
  EXPECT_EQ(*env_->FileSize(Path("log")), uint64_t{1} << 20);
  EXPECT_EQ(file->data()[100'000], '\0');
  ASSERT_OK(file->Close(MappedFile::kKeepSize));
  const std::string content = Get("log");
  ASSERT_EQ(content.size(), size_t{1} << 20);
  EXPECT_EQ(content[0], 'z');
  EXPECT_EQ(content[8'191], 'y');
  EXPECT_EQ(content.back(), 'w');
}

TEST_P(EnvContractTest, ARecycledFileKeepsItsContentUnderTheMapping) {
  Put("log", std::string(10'000, 'o'));
  MAP_OR_SKIP(file, "log", 1 << 20);
  EXPECT_EQ(file->data()[9'999], 'o');
  EXPECT_EQ(file->data()[10'000], '\0');
  ASSERT_OK(file->Populate(0, 16'384));
  file->data()[1] = 'n';
  ASSERT_OK(file->Close(10'000));
  EXPECT_EQ(Get("log"), "on" + std::string(9'998, 'o'));
}

TEST_P(EnvContractTest, AMappedFileSurvivesItsName) {
  MAP_OR_SKIP(file, "log", 1 << 20);
  ASSERT_OK(file->Populate(0, 4'096));
  ASSERT_OK(env_->RemoveFile(Path("log")));
  file->data()[0] = 'x';
  EXPECT_OK(file->Sync());
  EXPECT_OK(file->Close(MappedFile::kKeepSize));
}

TEST_P(EnvContractTest, ADroppedMappingKeepsStoresAndSize) {
  {
    MAP_OR_SKIP(file, "log", 1 << 20);
    ASSERT_OK(file->Populate(0, 4'096));
    file->data()[7] = 'x';
  }
  EXPECT_EQ(Get("log"), std::string(7, '\0') + "x" + std::string(4'088, '\0'));
}

TEST_P(EnvContractTest, ThreadsPopulateAndStoreInTheirOwnRanges) {
  constexpr int kThreads = 4;
  constexpr uint64_t kBytes = 64 * 4'096;
  MAP_OR_SKIP(file, "log", kThreads * kBytes);
  std::atomic<int> failures{0};
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (uint64_t t = 0; t < kThreads; ++t) {
      threads.push_back(env_->StartThread("store", [&, t] {
        for (uint64_t at = t * kBytes; at < (t + 1) * kBytes; at += 4'096) {
          if (!file->Populate(at, 4'096).ok()) ++failures;
          std::memset(file->data() + at, static_cast<int>('a' + t), 4'096);
          if (at % (16 * 4'096) == 0 && !file->Sync().ok()) ++failures;
        }
      }));
    }
  }
  EXPECT_EQ(failures, 0);
  ASSERT_OK(file->Close(MappedFile::kKeepSize));
  const std::string content = Get("log");
  for (uint64_t t = 0; t < kThreads; ++t) {
    EXPECT_EQ(content.substr(t * kBytes, kBytes), std::string(kBytes, static_cast<char>('a' + t)));
  }
}

// --- Everything else.

TEST_P(EnvContractTest, ThreadsWriteDisjointRangesOfAFile) {
  auto file = Create("a");
  std::atomic<int> failures{0};
  {
    std::vector<std::unique_ptr<Thread>> threads;
    for (uint64_t t = 0; t < 4; ++t) {
      threads.push_back(env_->StartThread("write", [&, t] {
        for (uint64_t i = 0; i < 100; ++i) {
          if (!file->Write((i * 4 + t) * 100, std::string(100, static_cast<char>('a' + t))).ok()) {
            ++failures;
          }
        }
      }));
    }
  }
  EXPECT_EQ(failures, 0);
  const std::string content = Get("a");
  ASSERT_EQ(content.size(), 40'000u);
  for (size_t i = 0; i < content.size(); ++i) {
    ASSERT_EQ(content[i], static_cast<char>('a' + i / 100 % 4));
  }
}

TEST_P(EnvContractTest, AThreadHasRunWhenItIsDestroyed) {
  bool ran = false;
  auto thread =
      env_->StartThread("a name that is longer than the kernel allows", [&] { ran = true; });
  ASSERT_NE(thread, nullptr);
  thread = nullptr;
  EXPECT_TRUE(ran);
}

TEST_P(EnvContractTest, TheClockGoesForward) {
  Clock* const clock = env_->clock();
  const uint64_t before = clock->MonotonicNanos();
  const uint64_t wall = clock->WallMillis();
  clock->SleepNanos(2'000'000);
  EXPECT_GE(clock->MonotonicNanos(), before + 2'000'000);
  EXPECT_GT(wall, 1'600'000'000'000u);
}

TEST_P(EnvContractTest, SeedsDiffer) {
  const uint64_t first = env_->RandomSeed();
  EXPECT_NE(first, env_->RandomSeed());
}

TEST_P(EnvContractTest, HugeMemoryIsZeroedAndAligned) {
  constexpr size_t kBytes = size_t{4} << 20;
  char* const memory = static_cast<char*>(env_->AllocateHuge(kBytes));
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % (size_t{2} << 20), 0u);
  EXPECT_EQ(memory[0], 0);
  EXPECT_EQ(memory[kBytes - 1], 0);
  memory[kBytes - 1] = 'x';
  env_->FreeHuge(memory, kBytes);
}

INSTANTIATE_TEST_SUITE_P(Envs, EnvContractTest, ::testing::Values(Kind::kPosix, Kind::kCrash),
                         [](const auto& param) {
                           return param.param == Kind::kPosix ? "Posix" : "Crash";
                         });

TEST(JoinPathTest, PutsOneSlashBetween) {
  EXPECT_EQ(JoinPath("dir", "name"), "dir/name");
  EXPECT_EQ(JoinPath("dir/", "name"), "dir/name");
  EXPECT_EQ(JoinPath("/", "name"), "/name");
  EXPECT_EQ(JoinPath("", "name"), "name");
}

}  // namespace env_contract_test
}  // namespace varve
