// What only the operating system's environment does: full devices, other processes, allocated
// blocks.
#include "env/posix_env.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "env/posix_error.h"
#include "env/posix_mapped_file.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace posix_env_test {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PosixEnvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "/varve_posix_XXXXXX";
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string Path(const std::string& name) { return JoinPath(dir_, name); }
  // Bytes of the file with blocks on the device, not counting those that the kernel only promised
  // itself to find later. -1 where the file system does not tell.
  int64_t AllocatedBytes(const std::string& name) {
    constexpr size_t kExtents = 64;
    std::vector<char> buffer(sizeof(struct fiemap) + kExtents * sizeof(struct fiemap_extent));
    auto* map = reinterpret_cast<struct fiemap*>(buffer.data());
    map->fm_length = FIEMAP_MAX_OFFSET;
    map->fm_extent_count = kExtents;
    const int fd = ::open(Path(name).c_str(), O_RDONLY);
    const int result = ::ioctl(fd, FS_IOC_FIEMAP, map);
    ::close(fd);
    if (result != 0) return -1;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
      if ((map->fm_extents[i].fe_flags & FIEMAP_EXTENT_DELALLOC) != 0) continue;
      bytes += static_cast<int64_t>(map->fm_extents[i].fe_length);
    }
    return bytes;
  }

  PosixEnv env_;
  std::string dir_;
};

TEST_F(PosixEnvTest, ReservedBlocksAreGivenBackByTruncate) {
  // The file systems that a log may be mapped on are those known to give blocks back.
  const Status mapped = env_.OpenMapped(Path("b"), 4'096).status();
  if (mapped.code() == StatusCode::kNotSupported) GTEST_SKIP() << "NOT TESTED here: " << mapped.ToString();
  ASSERT_OK(mapped);
  auto file = *env_.OpenWritable(Path("a"), Env::OpenMode::kCreateNew);
  ASSERT_OK(file->Write(0, "x"));
  ASSERT_OK(file->Sync());
  const int64_t before = AllocatedBytes("a");
  file->ReserveBlocks(1, 1 << 20);
  const int64_t reserved = AllocatedBytes("a");
  if (before < 0) GTEST_SKIP() << "NOT TESTED: this file system does not say which blocks a file has";
  ASSERT_GT(reserved, before);
  EXPECT_EQ(*file->Size(), 1u);
  ASSERT_OK(file->Truncate(1));
  EXPECT_EQ(AllocatedBytes("a"), before);
}

TEST_F(PosixEnvTest, ALowPriorityIsThatOfOneThread) {
  int inside = 0;
  env_.StartThread("low", [&] {
    env_.LowerPriorityOfThisThread();
    inside = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  });  // joins
  const int outside = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  EXPECT_EQ(inside, std::min(outside + 10, 19));
}

// Runs `child` in another process and returns its exit code.
template <typename Child>
int InAnotherProcess(Child child) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(child());
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A file in the memory file system, whose limit is known, removed at the end.
class SharedMemoryFile {
 public:
  SharedMemoryFile() { ::unlink(path().c_str()); }
  ~SharedMemoryFile() { ::unlink(path().c_str()); }
  std::string path() const { return "/dev/shm/varve_env_test_" + std::to_string(::getpid()); }
};

TEST(PosixErrorTest, FullDevicesAndQuotasSayNoSpace) {
  EXPECT_THAT(ErrnoStatusAt("write", "/x", 7, ENOSPC).ToString(),
              AllOf(HasSubstr("write /x at offset 7"), HasSubstr("no space")));
  EXPECT_THAT(ErrnoStatus("write", "/x", EDQUOT).ToString(), HasSubstr("no space"));
  EXPECT_STATUS(kIoError, ErrnoStatus("write", "/x", ENOSPC));
  EXPECT_STATUS(kNotFound, ErrnoStatus("open", "/x", ENOENT));
  EXPECT_STATUS(kIoError, ErrnoStatus("open", "/x", EACCES));
}

TEST_F(PosixEnvTest, WritingToAFullDeviceSaysNoSpace) {
  auto file = env_.OpenWritable("/dev/full", Env::OpenMode::kOpenExisting);
  if (file.status().code() == StatusCode::kNotFound) GTEST_SKIP() << "NOT TESTED: no /dev/full";
  ASSERT_OK(file);
  const Status status = (*file)->Write(0, "x");
  EXPECT_STATUS(kIoError, status);
  EXPECT_THAT(status.ToString(), HasSubstr("no space"));
}

TEST_F(PosixEnvTest, PopulateBeyondTheDeviceIsAnErrorAndNoSignal) {
  struct statvfs info;
  if (::statvfs("/dev/shm", &info) != 0) GTEST_SKIP() << "no /dev/shm";
  // More than the file system can ever hold: it refuses at once, and nothing fills up.
  const uint64_t too_much = static_cast<uint64_t>(info.f_blocks) * info.f_frsize + (64 << 20);
  const SharedMemoryFile shared;
  auto file = env_.OpenMapped(shared.path(), too_much / 4'096 * 4'096);
  if (file.status().code() == StatusCode::kNotSupported) GTEST_SKIP() << "not a tmpfs";
  ASSERT_OK(file);
  const Status status = (*file)->Populate(0, (*file)->capacity());
  EXPECT_STATUS(kIoError, status);
  EXPECT_THAT(status.ToString(), HasSubstr("no space"));
  ASSERT_OK((*file)->Populate(0, 4'096));  // what fits still does
  (*file)->data()[0] = 'x';
}

TEST_F(PosixEnvTest, MappingIsRefusedWhereBlocksMayMove) {
  // /proc stands for every file system outside the list.
  EXPECT_STATUS(kNotSupported, env_.OpenMapped("/proc/self/comm", 4'096));
  EXPECT_STATUS(kNotSupported, env_.OpenMapped("/proc/self/varve_new", 4'096));
  EXPECT_TRUE(OverwritesInPlace(0xEF53));       // ext2, ext3, ext4
  EXPECT_TRUE(OverwritesInPlace(0x58465342));   // xfs
  EXPECT_TRUE(OverwritesInPlace(0x01021994));   // tmpfs
  EXPECT_FALSE(OverwritesInPlace(0x9123683E));  // btrfs
  EXPECT_FALSE(OverwritesInPlace(0x794C7630));  // overlayfs
  EXPECT_FALSE(OverwritesInPlace(0x6969));      // nfs
}

TEST_F(PosixEnvTest, PopulateAllocatesBlocksAndOnlyThose) {
  auto file = env_.OpenMapped(Path("log"), 64 << 20);
  if (file.status().code() == StatusCode::kNotSupported) {
    GTEST_SKIP() << "the test directory's file system promises no mapping: " << file.status().ToString();
  }
  ASSERT_OK(file);
  ASSERT_OK((*file)->Populate(0, 1 << 20));
  if (AllocatedBytes("log") < 0) GTEST_SKIP();
  EXPECT_EQ(AllocatedBytes("log"), 1 << 20);
}

TEST_F(PosixEnvTest, PopulateAllocatesWhatLiesBelowAnEarlierRange) {
  auto file = env_.OpenMapped(Path("log"), 1 << 20);
  if (file.status().code() == StatusCode::kNotSupported) GTEST_SKIP();
  ASSERT_OK(file);
  ASSERT_OK((*file)->Populate((1 << 20) - 4'096, 4'096));
  ASSERT_OK((*file)->Populate(0, 4'096));
  ASSERT_OK((*file)->Populate(0, 1 << 20));
  if (AllocatedBytes("log") < 0) GTEST_SKIP();
  EXPECT_EQ(AllocatedBytes("log"), 1 << 20);
}

TEST_F(PosixEnvTest, PopulateFillsTheHolesOfARecycledFile) {
  {
    auto file = env_.OpenWritable(Path("log"), Env::OpenMode::kCreateNew);
    ASSERT_OK(file);
    ASSERT_OK((*file)->Write(0, std::string(8'192, 'x')));
    ASSERT_OK((*file)->Truncate(1 << 20));
    ASSERT_OK((*file)->Sync());
  }
  auto file = env_.OpenMapped(Path("log"), 1 << 20);
  if (file.status().code() == StatusCode::kNotSupported) GTEST_SKIP();
  ASSERT_OK(file);
  ASSERT_OK((*file)->Populate(0, 1 << 20));
  EXPECT_EQ((*file)->data()[8'191], 'x');
  if (AllocatedBytes("log") < 0) GTEST_SKIP();
  EXPECT_EQ(AllocatedBytes("log"), 1 << 20);
}

TEST_F(PosixEnvTest, AllocateReservesRealBlocks) {
  auto file = env_.OpenWritable(Path("a"), Env::OpenMode::kCreateNew);
  ASSERT_OK(file);
  const Status status = (*file)->Allocate(0, 1 << 20);
  if (status.code() == StatusCode::kNotSupported) GTEST_SKIP();
  ASSERT_OK(status);
  if (AllocatedBytes("a") < 0) GTEST_SKIP();
  EXPECT_EQ(AllocatedBytes("a"), 1 << 20);
}

TEST_F(PosixEnvTest, ShortReadsAreContinued) {
  // Files made by the kernel come a page at a time, however much one asks for.
  constexpr size_t kBytes = 64 << 10;
  const std::string path = "/proc/kallsyms";
  std::string expected(kBytes, '\0');
  std::ifstream stream(path);
  if (!stream.read(expected.data(), kBytes)) GTEST_SKIP() << "no " << path;
  auto file = env_.OpenRandomAccess(path);
  ASSERT_OK(file);
  std::string content(kBytes, '\0');
  EXPECT_EQ(*(*file)->Read(0, kBytes, content.data()), kBytes);
  EXPECT_EQ(content, expected);
}

TEST_F(PosixEnvTest, AShortWriteIsContinuedUntilItsError) {
  const std::string path = Path("a");
  EXPECT_EQ(InAnotherProcess([&] {
              const struct rlimit limit = {10'000, 10'000};
              ::signal(SIGXFSZ, SIG_IGN);
              if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
              auto file = env_.OpenWritable(path, Env::OpenMode::kCreateNew);
              if (!file.ok()) return 2;
              return (*file)->Write(0, std::string(20'000, 'x')).ok() ? 3 : 0;
            }),
            0);
  EXPECT_EQ(*env_.FileSize(path), 10'000u);
}

TEST_F(PosixEnvTest, TouchingPagesChangesNothing) {
  std::vector<char> pages(3 * 4'096, 'x');
  const std::vector<char> before = pages;
  TouchPages(pages.data(), pages.size());
  EXPECT_EQ(pages, before);
}

TEST_F(PosixEnvTest, ASecondLockInThisProcessSaysSo) {
  auto lock = env_.LockFile(Path("LOCK"));
  ASSERT_OK(lock);
  EXPECT_THAT(env_.LockFile(Path("LOCK")).status().ToString(), HasSubstr("this process"));
}

TEST_F(PosixEnvTest, AnotherProcessCannotTakeTheLock) {
  auto lock = env_.LockFile(Path("LOCK"));
  ASSERT_OK(lock);
  const std::string path = Path("LOCK");
  EXPECT_EQ(InAnotherProcess([&] {
              const int fd = ::open(path.c_str(), O_RDWR);
              return ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
            }),
            EWOULDBLOCK);
  *lock = nullptr;
  EXPECT_EQ(InAnotherProcess([&] {
              const int fd = ::open(path.c_str(), O_RDWR);
              return ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
            }),
            0);
}

TEST_F(PosixEnvTest, ALockHeldElsewhereNamesItsHolderAndEndsWithIt) {
  int ready[2];
  int finish[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(finish), 0);
  const std::string path = Path("LOCK");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(finish[1]);  // so that the child ends with its parent, whatever fails there
    auto lock = env_.LockFile(path);
    char byte = lock.ok() ? 'y' : 'n';
    (void)!::write(ready[1], &byte, 1);
    (void)!::read(finish[0], &byte, 1);
    ::_exit(0);  // without a destructor: the end of the process must do
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  auto lock = env_.LockFile(path);
  ASSERT_STATUS(kBusy, lock);
  EXPECT_THAT(lock.status().ToString(),
              AllOf(HasSubstr("process " + std::to_string(pid)),
                    HasSubstr("is another process using it?"), HasSubstr(path)));
  ASSERT_EQ(::write(finish[1], "x", 1), 1);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_OK(env_.LockFile(path));
  for (const int fd : {ready[0], ready[1], finish[0], finish[1]}) ::close(fd);
}

TEST_F(PosixEnvTest, StoresSurviveTheKilledProcess) {
  const std::string path = Path("log");
  const pid_t pid = ::fork();
  if (pid == 0) {
    auto file = env_.OpenMapped(path, 1 << 20);
    if (!file.ok() || !(*file)->Populate(0, 4'096).ok()) ::_exit(7);
    std::memcpy((*file)->data(), "kept", 4);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status)) GTEST_SKIP() << "no mapping on this file system";
  ASSERT_TRUE(WIFSIGNALED(status));
  auto file = env_.OpenRandomAccess(path);
  ASSERT_OK(file);
  char buffer[4];
  ASSERT_EQ(*(*file)->Read(0, 4, buffer), 4u);
  EXPECT_EQ(std::string(buffer, 4), "kept");
}

}  // namespace posix_env_test
}  // namespace varve
