// What Db::Open refuses, and how it says so.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "base/coding.h"
#include "base/hash.h"
#include "format/filename.h"
#include "format/segment.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "varve/varve.h"

namespace varve::test {
namespace open_errors_test {

namespace fs = std::filesystem;

class OpenErrorsTest : public ::testing::Test {
 protected:
  std::string dir() const { return temp_.Sub("store"); }

  Result<std::unique_ptr<Db>> Open(const Options& options = {}) { return Db::Open(dir(), options); }
  // A closed store with one key, in a segment or in the log.
  void MakeStore(bool is_flushed = true) {
    auto db = Open();
    ASSERT_OK(db);
    ASSERT_OK((*db)->Put("key", "value"));
    if (!is_flushed) return;
    ASSERT_OK((*db)->Flush());
  }
  // Every file with its content.
  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(dir())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      files[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
    }
    return files;
  }
  static bool Mentions(const Status& status, std::string_view what) {
    return status.message().find(what) != std::string_view::npos;
  }

  TempDir temp_;
};

TEST_F(OpenErrorsTest, SecondOpenInTheSameProcessIsBusy) {
  auto db = Open();
  ASSERT_OK(db);
  const auto second = Open();
  EXPECT_STATUS(kBusy, second);
  EXPECT_TRUE(Mentions(second.status(), dir())) << second.status().ToString();
  ASSERT_OK((*db)->Put("still", "works"));
  db->reset();
  EXPECT_OK(Open());
}

TEST_F(OpenErrorsTest, SecondProcessIsBusy) {
  // Forked before this process has the store open: what a process knows of its own locks is inherited.
  int opened[2];
  ASSERT_EQ(::pipe(opened), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    char byte;
    if (::read(opened[0], &byte, 1) != 1) ::_exit(-1);
    const auto second = Db::Open(dir());
    ::_exit(static_cast<int>(second.status().code()));
  }
  auto db = Open();
  ASSERT_EQ(::write(opened[1], "x", 1), 1);
  ::close(opened[0]);
  ::close(opened[1]);
  ASSERT_OK(db);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(StatusCode::kBusy));
}

TEST_F(OpenErrorsTest, LockOfADeadProcessIsNoLock) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto db = Db::Open(dir());
    const bool is_written = db.ok() && (*db)->Put("key", "value").ok();
    ::_exit(is_written ? 0 : 1);  // without closing
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  auto db = Open();
  ASSERT_OK(db);
  EXPECT_EQ((*db)->Get("key").value_or(""), "value");
}

TEST_F(OpenErrorsTest, MissingStoreIsNotFoundUnlessItMayBeCreated) {
  const auto missing = Open({.create_if_missing = false});
  EXPECT_STATUS(kNotFound, missing);
  EXPECT_TRUE(Mentions(missing.status(), dir())) << missing.status().ToString();
  EXPECT_FALSE(fs::exists(dir()));
  EXPECT_OK(Open());
  EXPECT_OK(Open({.create_if_missing = false}));
}

TEST_F(OpenErrorsTest, EmptyDirectoryIsCreatedInOrNotFound) {
  fs::create_directory(dir());
  EXPECT_STATUS(kNotFound, Open({.create_if_missing = false}));
  EXPECT_OK(Open());
}

TEST_F(OpenErrorsTest, ExistingStoreIsRefusedOnRequest) {
  MakeStore();
  EXPECT_STATUS(kInvalidArgument, Open({.error_if_exists = true}));
  auto db = Open();
  ASSERT_OK(db);
  EXPECT_EQ((*db)->Get("key").value_or(""), "value");
}

TEST_F(OpenErrorsTest, DirectoryWithOtherThingsIsRefusedAndLeftAlone) {
  fs::create_directory(dir());
  std::ofstream(dir() + "/holiday.jpg") << "not a store";
  EXPECT_STATUS(kInvalidArgument, Open());
  const auto files = Files();
  EXPECT_EQ(files.size(), 1u);
  EXPECT_EQ(files.count("holiday.jpg"), 1u);
}

TEST_F(OpenErrorsTest, PlainFileIsRefusedAndLeftAlone) {
  std::ofstream(dir()) << "a file";
  const auto db = Open();
  EXPECT_FALSE(db.ok());
  EXPECT_EQ(fs::file_size(dir()), 6u);
}

TEST_F(OpenErrorsTest, MissingParentIsAnError) {
  const auto db = Db::Open(temp_.Sub("no/such/parent"));
  EXPECT_STATUS(kNotFound, db);
}

TEST_F(OpenErrorsTest, OptionsOutOfRangeAreRefused) {
  EXPECT_STATUS(kInvalidArgument, Open({.memory_budget_bytes = 1000}));
  EXPECT_STATUS(kInvalidArgument, Open({.space_amplification_target = 1.0}));
  EXPECT_STATUS(kInvalidArgument, Open({.space_amplification_target = 11.0}));
  EXPECT_STATUS(kInvalidArgument, Open({.background_threads = 0}));
  EXPECT_STATUS(kInvalidArgument, Open({.background_threads = 65}));
  EXPECT_STATUS(kInvalidArgument, Open({.max_key_bytes = 65536}));
  EXPECT_STATUS(kInvalidArgument, Open({.max_value_bytes = (uint32_t{512} << 20) + 1}));
  EXPECT_FALSE(fs::exists(dir())) << "a refused open creates nothing";
}

TEST_F(OpenErrorsTest, ReadOnlyReadsSegmentsAndLog) {
  MakeStore();
  {
    auto db = Open();
    ASSERT_OK(db);
    ASSERT_OK((*db)->Put("log", "only"));
    ASSERT_OK((*db)->Delete("key"));
  }
  auto db = Open({.read_only = true});
  ASSERT_OK(db);
  EXPECT_EQ((*db)->Get("log").value_or(""), "only");
  EXPECT_STATUS(kNotFound, (*db)->Get("key"));
}

TEST_F(OpenErrorsTest, ReadOnlyChangesNoByte) {
  for (const bool is_flushed : {true, false}) {
    MakeStore(is_flushed);
    const auto before = Files();
    {
      auto db = Open({.read_only = true});
      ASSERT_OK(db);
      EXPECT_EQ((*db)->Get("key").value_or(""), "value");
      EXPECT_FALSE((*db)->Put("key", "other").ok());
      EXPECT_FALSE((*db)->Delete("key").ok());
      EXPECT_EQ((*db)->Get("key").value_or(""), "value");
    }
    EXPECT_TRUE(Files() == before);
  }
}

TEST_F(OpenErrorsTest, ReadOnlyOfAMissingStoreIsNotFoundAndCreatesNothing) {
  EXPECT_STATUS(kNotFound, Open({.read_only = true}));
  EXPECT_FALSE(fs::exists(dir()));
}

TEST_F(OpenErrorsTest, ReopenWithOtherOptionsReadsEverything) {
  Options options;
  for (const Compression compression :
       {Compression::kNone, Compression::kLz4, Compression::kZstd, Compression::kAuto}) {
    options.compression = compression;
    auto db = Open(options);
    ASSERT_OK(db);
    const std::string key = "key" + std::to_string(static_cast<int>(compression));
    ASSERT_OK((*db)->Put(key, std::string(500, 'x')));
    ASSERT_OK((*db)->Flush());
  }
  auto db = Open();
  ASSERT_OK(db);
  for (const char* const key : {"key0", "key1", "key2", "key3"}) {
    EXPECT_EQ((*db)->Get(key).value_or(""), std::string(500, 'x')) << key;
  }
}

// --- Files of a newer version of the library, as far as this one can know them: intact, with another number.

class NewerVersionTest : public OpenErrorsTest {
 protected:
  // The bytes [begin, begin + checksummed) of the only file with `suffix` (or, with none, of the manifest) begin
  // `from_end` before its end, or at its start; its version lies at `version_at` of them.
  void MakeNewer(const std::string& suffix, size_t from_end, size_t version_at, size_t checksummed) {
    for (auto& [name, content] : Files()) {
      const auto parsed = ParseFileName(name);
      if (!parsed || (suffix.empty() ? parsed->type != FileType::kManifest : !name.ends_with(suffix))) {
        continue;
      }
      const size_t begin = from_end == 0 ? 0 : content.size() - from_end;
      char* const at = content.data() + begin;
      ASSERT_EQ(LoadFixed<uint32_t>(at + version_at), kFormatVersion) << name;
      const uint64_t seed = PlaceSeed(parsed->number, begin);
      ASSERT_EQ(LoadFixed<uint64_t>(at + checksummed), Hash64({at, checksummed}, seed)) << name;
      StoreFixed(at + version_at, kFormatVersion + 1);
      StoreFixed(at + checksummed, Hash64({at, checksummed}, seed));
      std::ofstream(dir() + "/" + name, std::ios::binary) << content;
      return;
    }
    FAIL() << "no such file";
  }
  std::string OnlyFile(const std::string& suffix) {
    for (const auto& [name, content] : Files()) {
      if (name.ends_with(suffix)) return name;
    }
    return {};
  }
  void ExpectRefused() {
    const auto before = Files();
    for (const bool read_only : {true, false}) {
      const auto db = Open({.read_only = read_only});
      EXPECT_STATUS(kNotSupported, db);
      EXPECT_TRUE(Mentions(db.status(), "newer")) << db.status().ToString();
      EXPECT_TRUE(Mentions(db.status(), "use that release, or a later one")) << db.status().ToString();
    }
    EXPECT_TRUE(Files() == before) << "a refused open changes nothing";
  }
};

TEST_F(NewerVersionTest, NewerManifestIsRefused) {
  MakeStore();
  MakeNewer("", 0, 8, 24);
  ExpectRefused();
}

TEST_F(NewerVersionTest, NewerLogIsRefused) {
  MakeStore(/*is_flushed=*/false);
  MakeNewer(".wal", 0, 8, 56);
  ExpectRefused();
}

TEST_F(NewerVersionTest, NewerSegmentIsRefused) {
  MakeStore();
  MakeNewer(".seg", kSegmentFooterBytes, 32, 48);
  ExpectRefused();
}

// Only the youngest files are looked at when a store is opened.
TEST_F(NewerVersionTest, NewerSegmentAmongManyYoungerOnesIsNotRead) {
  MakeStore();
  MakeNewer(".seg", kSegmentFooterBytes, 32, 48);
  const std::string name = OnlyFile(".seg");
  for (uint64_t number = 1000; number < 1040; ++number) {
    fs::copy_file(dir() + "/" + name, dir() + "/" + SegmentFileName(number));
  }
  auto db = Open();
  ASSERT_OK(db);
  EXPECT_STATUS(kNotSupported, (*db)->Get("key"));
  const auto report = (*db)->Verify();
  ASSERT_OK(report);
  EXPECT_FALSE(report->problems.empty());
}

// What no manifest names would be removed.
TEST_F(NewerVersionTest, NewerFileThatNobodyNamesIsRefused) {
  MakeStore();
  const std::string name = OnlyFile(".seg");
  MakeNewer(".seg", kSegmentFooterBytes, 32, 48);
  const std::string path = dir() + "/" + name;
  const std::string newer = Files()[name];
  fs::remove_all(dir());
  MakeStore(/*is_flushed=*/false);
  std::ofstream(path, std::ios::binary) << newer;
  ExpectRefused();
}

TEST_F(NewerVersionTest, NewerValueFileIsRefused) {
  {
    auto db = Open();
    ASSERT_OK(db);
    ASSERT_OK((*db)->Put("key", std::string(10'000, 'v')));
    ASSERT_OK((*db)->Flush());
  }
  MakeNewer(".val", 0, 8, 24);
  ExpectRefused();
}

}  // namespace open_errors_test
}  // namespace varve::test
