#include "engine/log_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace log_file_test {

// The parameter: whether the log is mapped, where the file system allows it.
class LogFileTest : public ::testing::TestWithParam<bool> {
 protected:
  LogFileTest() {
    options_.mapped = GetParam();
    options_.capacity_bytes = 256 << 10;
    options_.window_bytes = 64 << 10;
    options_.directory = &directory_;
  }
  std::string path() const { return temp_.Sub("000001.wal"); }
  std::shared_ptr<LogFile> Open() {
    auto log = LogFile::Open(Env::Default(), path(), 1, options_);
    EXPECT_OK(log);
    return log.ok() ? std::shared_ptr<LogFile>(*std::move(log)) : nullptr;
  }
  static void Append(LogFile* log, const std::string& bytes) {
    auto to = log->Reserve(bytes.size(), false);
    ASSERT_OK(to);
    std::copy(bytes.begin(), bytes.end(), *to);
    log->Advance(bytes.size());
  }

  TempDir temp_;
  DirectorySync directory_{Env::Default(), temp_.path()};
  LogFileOptions options_;
};

INSTANTIATE_TEST_SUITE_P(Mapped, LogFileTest, ::testing::Bool());

TEST_P(LogFileTest, ClosingCutsTheFileToWhatIsUsed) {
  auto log = Open();
  ASSERT_NE(log, nullptr);
  Append(log.get(), "sixteen bytes...");
  ASSERT_OK(log->WriteOut(log->TakePending()));
  ASSERT_OK(log->Close());
  ASSERT_OK(log->Close());
  EXPECT_EQ(Env::Default()->FileSize(path()).value_or(0), 16u);
}

TEST_P(LogFileTest, SyncCoversWhatWasWrittenOut) {
  auto log = Open();
  ASSERT_NE(log, nullptr);
  Append(log.get(), "12345678");
  const LogFile::Pending pending = log->TakePending();
  EXPECT_EQ(pending.end, 8u);
  ASSERT_OK(log->WriteOut(pending));
  EXPECT_EQ(log->synced_end(), 0u);
  ASSERT_OK(log->Sync(pending.end));
  EXPECT_EQ(log->synced_end(), 8u);
}

// Whoever closes a log waits until nobody else holds it, which by itself orders nothing: what the sync
// leader did to the file must come before the closing. TSan is the judge.
TEST_P(LogFileTest, ClosingComesAfterTheSyncOfAnotherThread) {
  for (int round = 0; round < 50; ++round) {
    auto log = Open();
    ASSERT_NE(log, nullptr);
    Append(log.get(), "12345678");
    std::thread leader([held = log]() mutable {
      const LogFile::Pending pending = held->TakePending();
      EXPECT_OK(held->WriteOut(pending));
      EXPECT_OK(held->Sync(pending.end));
      held.reset();
    });
    while (log.use_count() > 1) std::this_thread::yield();
    EXPECT_OK(log->CloseForReuse());
    leader.join();
  }
}

}  // namespace log_file_test
}  // namespace varve::test
