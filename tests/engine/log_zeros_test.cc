#include "engine/log_file.h"

#include <gtest/gtest.h>

#include <string>

#include "env/crash_env.h"
#include "tests/support/forwarding_env.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace log_zeros_test {

constexpr uint64_t kCapacity = 1 << 20;
constexpr uint64_t kWindow = 128 << 10;

class LogZerosTest : public ::testing::Test {
 protected:
  LogZerosTest() {
    EXPECT_OK(env_.CreateDir("/db"));
    EXPECT_OK(env_.SyncDir("/"));
  }
  std::unique_ptr<LogFile> Open(uint64_t number, bool write_zeros) {
    LogFileOptions options;
    options.mapped = false;
    options.capacity_bytes = kCapacity;
    options.window_bytes = kWindow;
    options.write_zeros = write_zeros;
    options.directory = &directory_;
    auto log = LogFile::Open(&env_, kPath, number, options);
    EXPECT_OK(log);
    return *std::move(log);
  }
  void Append(LogFile* log, const std::string& bytes) {
    auto to = log->Reserve(bytes.size(), /*use_reserve=*/false);
    ASSERT_OK(to);
    bytes.copy(*to, bytes.size());
    log->Advance(bytes.size());
    ASSERT_OK(log->WriteOut(log->TakePending()));
  }
  std::string Content() {
    std::string content(2 * kCapacity, '?');
    auto file = env_.OpenRandomAccess(kPath);
    EXPECT_OK(file);
    content.resize(*(*file)->Read(0, content.size(), content.data()));
    return content;
  }
  // Counts the writes from now on.
  void CountWrites() {
    env_.SetCallHook([this](const CallInfo& call) { writes_ += call.kind == CallKind::kWrite; });
  }

  static constexpr const char* kPath = "/db/log";
  CrashEnv env_;
  DirectorySync directory_{&env_, "/db"};
  int writes_ = 0;
};

TEST_F(LogZerosTest, ZerosAreWrittenAheadOnlyWhenAskedFor) {
  for (const bool write_zeros : {false, true}) {
    if (env_.FileExists(kPath)) {
      ASSERT_OK(env_.RemoveFile(kPath));
    }
    CountWrites();
    writes_ = 0;
    auto log = Open(1, write_zeros);
    Append(log.get(), std::string(100, 'a'));
    EXPECT_EQ(writes_, write_zeros ? 2 : 1);
    const std::string content = Content();
    EXPECT_GT(content.size(), 100u);
    EXPECT_EQ(content, std::string(100, 'a') + std::string(content.size() - 100, '\0'));
  }
}

TEST_F(LogZerosTest, ZerosNeverGoOverWhatIsThere) {
  // A recycled log, shorter than what will be needed: what it holds, others may still have to read.
  constexpr size_t kOld = 100'000;
  {
    auto file = *env_.OpenWritable(kPath, Env::OpenMode::kCreateNew);
    ASSERT_OK(file->Write(0, std::string(kOld, 'o')));
  }
  auto log = Open(2, /*write_zeros=*/true);
  std::string wanted;
  for (int i = 0; i < 20; ++i) {
    const std::string record(10'000, static_cast<char>('a' + i));
    Append(log.get(), record);
    wanted += record;
    const std::string content = Content();
    ASSERT_EQ(content.substr(0, wanted.size()), wanted);
    if (wanted.size() < kOld) {
      ASSERT_EQ(content.substr(wanted.size(), kOld - wanted.size()),
                std::string(kOld - wanted.size(), 'o'));
    }
    const size_t behind = std::max(wanted.size(), kOld);
    ASSERT_EQ(content.substr(behind), std::string(content.size() - behind, '\0'));
  }
}

TEST_F(LogZerosTest, WhatIsSyncedOverZerosSurvives) {
  auto log = Open(3, /*write_zeros=*/true);
  Append(log.get(), std::string(70'000, 'a'));
  ASSERT_OK(log->Sync(log->end()));
  Append(log.get(), std::string(100'000, 'b'));
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const auto after = env_.CloneAfterPowerCut(PowerCut::Torn(seed));
    std::string content(70'000, '?');
    auto file = after->OpenRandomAccess(kPath);
    ASSERT_OK(file);
    ASSERT_EQ(*(*file)->Read(0, content.size(), content.data()), content.size());
    EXPECT_EQ(content, std::string(70'000, 'a')) << "seed " << seed;
  }
}

}  // namespace log_zeros_test
}  // namespace varve
