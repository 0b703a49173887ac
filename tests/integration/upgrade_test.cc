// Stores that earlier versions of the format have written (tests/testdata/stores/<version>) open, read as they did, are
// changed and compacted, and read on. VARVE_WRITE_STORES=DIR writes those of this version to DIR instead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"
#include "varve/backup.h"
#include "varve/db.h"
#include "varve/version.h"

namespace varve::test {
namespace upgrade_test {

namespace fs = std::filesystem;

// 2200-01-01.
const std::chrono::system_clock::time_point kFarAway{std::chrono::seconds(7'258'118'400)};
constexpr int kKeys = 400;
constexpr std::string_view kSpace = "a space";

// By namespace, key, value. What has a deadline ends so.
using Contents = std::map<std::string, std::map<std::string, std::string>>;
constexpr std::string_view kExpires = " until 2200";

std::string KeyOf(int i) { return "key" + std::to_string(1000 + i); }

std::string ValueOf(int i, int round) {
  const size_t size = i % 50 == 7 ? 6000 : static_cast<size_t>(i % 90);  // the large ones go to the value log
  return std::to_string(round) + " " + std::string(size, static_cast<char>('a' + i % 26));
}

Result<std::unique_ptr<Db>> OpenStore(const std::string& dir, Compression compression = Compression::kNone) {
  StoreConfig config = SmallStoreConfig();
  config.options.compression = compression;
  return OpenerFor(config)(dir, Env::Default());
}

// Every kind of entry; all rounds but the last in files, if `is_flushed` the last one too.
void Fill(const std::string& dir, bool is_flushed, Contents* contents) {
  auto& keys = (*contents)[""];
  auto& others = (*contents)[std::string(kSpace)];
  for (int round = 0; round < 3; ++round) {
    const auto compression = std::vector{Compression::kNone, Compression::kLz4, Compression::kZstd}[static_cast<size_t>(round)];
    auto db = OpenStore(dir, compression);
    ASSERT_OK(db);
    auto space = (*db)->OpenNamespace(kSpace);
    ASSERT_OK(space);
    for (int i = round; i < kKeys; i += round + 1) {
      const std::string value = ValueOf(i, round);
      const bool expires = i % 11 == 0;
      WriteOptions options;
      if (expires) options.expire_at = kFarAway;
      ASSERT_OK((*db)->Put(KeyOf(i), value, options));
      keys[KeyOf(i)] = value + std::string(expires ? kExpires : "");
      WriteBatch batch;
      batch.Put(**space, KeyOf(i), "other " + value);
      batch.Delete(KeyOf(i - 3));
      ASSERT_OK((*db)->Write(batch));
      others[KeyOf(i)] = "other " + value;
      keys.erase(KeyOf(i - 3));
    }
    const std::string begin = KeyOf(100 + 10 * round), end = KeyOf(130 + 10 * round);
    ASSERT_OK((*db)->DeleteRange(begin, end));
    keys.erase(keys.lower_bound(begin), keys.lower_bound(end));
    if (round < 2 || is_flushed) {
      ASSERT_OK((*db)->Flush());
    }
    if (round == 1) {
      ASSERT_OK((*db)->Compact());
    }
  }
}

void ReadSpace(Namespace& space, std::map<std::string, std::string>* found) {
  const auto it = space.NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::string key(it->key());
    const auto ttl = space.TimeToLive(key);
    ASSERT_OK(ttl);
    ASSERT_OK(space.Get(key));
    EXPECT_EQ(*space.Get(key), it->value());
    (*found)[key] = std::string(it->value()) + std::string(*ttl ? kExpires : "");
  }
  ASSERT_OK(it->status());
}

void ExpectContents(const std::string& dir, const Contents& expected) {
  auto db = OpenStore(dir);
  ASSERT_OK(db);
  const auto report = (*db)->Verify();
  ASSERT_OK(report);
  EXPECT_THAT(report->problems, testing::IsEmpty());
  Contents found;
  ReadSpace(**db, &found[""]);
  auto space = (*db)->OpenNamespace(kSpace, {.create_if_missing = false});
  ASSERT_OK(space);
  ReadSpace(**space, &found[std::string(kSpace)]);
  for (const auto& [name, keys] : expected) {
    for (const auto& [key, value] : keys) EXPECT_EQ(found[name][key], value) << name << " " << key;
    EXPECT_EQ(found[name].size(), keys.size()) << name;
  }
}

void Change(const std::string& dir, Contents* contents) {
  auto db = OpenStore(dir);
  ASSERT_OK(db);
  for (int i = 0; i < kKeys; i += 5) {
    ASSERT_OK((*db)->Put(KeyOf(i), "changed"));
    (*contents)[""][KeyOf(i)] = "changed";
  }
  ASSERT_OK((*db)->Compact());
}

fs::path StoresDir() { return fs::path(VARVE_SOURCE_DIR) / "tests/testdata/stores"; }

std::vector<std::string> Versions() {
  std::vector<std::string> versions;
  for (const auto& entry : fs::directory_iterator(StoresDir())) versions.push_back(entry.path().filename());
  std::sort(versions.begin(), versions.end());
  return versions;
}

TEST(UpgradeTest, StoresOfThisVersionAreKept) {
  const char* const to = std::getenv("VARVE_WRITE_STORES");
  const std::string version = std::to_string(kFormatVersion);
  if (to == nullptr) {
    EXPECT_TRUE(fs::exists(StoresDir() / version)) << "VARVE_WRITE_STORES=DIR writes what is to be kept of this version";
    return;
  }
  const fs::path dir = fs::path(to) / version;
  for (const bool is_flushed : {false, true}) {
    Contents ignored;
    const fs::path store = dir / (is_flushed ? "files" : "log");
    fs::create_directories(store);
    Fill(store, is_flushed, &ignored);
    if (!is_flushed) continue;  // opening it again would write its log to files
    auto db = OpenStore(store);
    ASSERT_OK(db);
    auto sink = NewFileBackupSink((dir / "files.backup").string());
    ASSERT_OK(sink);
    ASSERT_OK((*db)->Backup(**sink));
  }
}

TEST(UpgradeTest, StoresOfAllVersionsReadAsTheyWereWritten) {
  const TempDir dir;
  for (const std::string& version : Versions()) {
    for (const bool is_flushed : {false, true}) {
      const std::string name = is_flushed ? "files" : "log";
      SCOPED_TRACE(version + " " + name);
      Contents expected;
      Fill(dir.Sub("new" + version + name), is_flushed, &expected);
      ExpectContents(dir.Sub("new" + version + name), expected);
      const std::string store = dir.Sub(version + name);
      fs::copy(StoresDir() / version / name, store, fs::copy_options::recursive);
      ExpectContents(store, expected);
      Change(store, &expected);
      ExpectContents(store, expected);
    }
  }
}

TEST(UpgradeTest, BackupsOfAllVersionsAreRestored) {
  const TempDir dir;
  Contents expected;
  Fill(dir.Sub("new"), /*is_flushed=*/true, &expected);
  for (const std::string& version : Versions()) {
    SCOPED_TRACE(version);
    auto source = NewFileBackupSource((StoresDir() / version / "files.backup").string());
    ASSERT_OK(source);
    ASSERT_OK(Db::Restore({source->get()}, dir.Sub(version)));
    ExpectContents(dir.Sub(version), expected);
  }
}

}  // namespace upgrade_test
}  // namespace varve::test
