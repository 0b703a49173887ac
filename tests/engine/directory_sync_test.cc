#include "engine/directory_sync.h"

#include <gtest/gtest.h>

#include "env/crash_env.h"
#include "tests/support/status_matchers.h"

namespace varve::test {
namespace directory_sync_test {

TEST(DirectorySyncTest, FailureIsFinal) {
  CrashEnv env;
  ASSERT_OK(env.CreateDir("/store"));
  DirectorySync directory(&env, "/store");
  ASSERT_OK(directory.Sync());
  env.FailCall(1, Fault::kFailedSync, FaultSpan::kOnce, {{CallKind::kSyncDir}, {}});
  EXPECT_FALSE(directory.Sync().ok());
  EXPECT_FALSE(directory.Sync().ok()) << "names may be lost although a second sync succeeds";
}

}  // namespace directory_sync_test
}  // namespace varve::test
