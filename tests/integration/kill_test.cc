// kill -9 of real processes at random moments, also while they open and recover: every acknowledged
// write is there, only what was under way may differ, and batches are whole.
#include <gtest/gtest.h>

#include "tests/support/fake_db.h"
#include "tests/support/kill_harness.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace kill_test {

// Children are this program again; they leave it here, before any test.
class ChildMode : public ::testing::Environment {
 public:
  void SetUp() override { RunAsKillChild(); }
};
[[maybe_unused]] const ::testing::Environment* const kChildMode =
    ::testing::AddGlobalTestEnvironment(new ChildMode);

KillReport RunIn(const TempDir& dir, KillOptions options) {
  options.dir = dir.Sub("store");
  options.oracle = dir.Sub("oracle");
  return RunKills(options);
}

std::string Fake(FakeBug bug) { return "fake:" + std::to_string(static_cast<int>(bug)); }

void ExpectSurvives(const KillOptions& options) {
  TempDir dir;
  const KillReport report = RunIn(dir, options);
  EXPECT_EQ(report.problem, "");
  std::printf("  %d killed, %llu opens, %llu checks, %llu operations\n", report.kills,
              static_cast<unsigned long long>(report.opens),
              static_cast<unsigned long long>(report.checks),
              static_cast<unsigned long long>(report.operations));
  // The kills did not all come before there was anything to lose.
  EXPECT_GT(report.checks, static_cast<uint64_t>(options.rounds) / 8);
  EXPECT_GT(report.operations, static_cast<uint64_t>(options.rounds) * 2);
}

TEST(KillTest, AcknowledgedWritesSurviveKill) {
  for (uint64_t seed = 1; seed <= 5 && !HasFailure(); seed++) {
    ExpectSurvives({.rounds = static_cast<int>(Scaled(50)), .seed = seed});
  }
}

TEST(KillTest, KillsSoonAfterOpenHitRecovery) {
  ExpectSurvives({.rounds = static_cast<int>(Scaled(60)), .seed = 11, .delay_us_max = 15'000});
}

TEST(KillTest, AcknowledgedWritesSurviveExitWithoutClose) {
  ExpectSurvives({.rounds = static_cast<int>(Scaled(10)), .seed = 21, .end = ChildEnd::kExits});
}

TEST(KillTest, AcknowledgedWritesSurviveAbort) {
  ExpectSurvives({.rounds = static_cast<int>(Scaled(10)), .seed = 31, .end = ChildEnd::kAborts});
}

TEST(KillTest, AcknowledgedWritesSurviveClose) {
  ExpectSurvives({.rounds = static_cast<int>(Scaled(10)), .seed = 41, .end = ChildEnd::kCloses});
}

TEST(KillHarnessTest, CorrectFakeSurvives) {
  ExpectSurvives({.store = Fake(FakeBug::kNone), .rounds = 30});
}

class KillFindsTest : public ::testing::TestWithParam<FakeBug> {};

TEST_P(KillFindsTest, PlantedBug) {
  TempDir dir;
  EXPECT_NE(RunIn(dir, {.store = Fake(GetParam()), .rounds = 200}).problem, "");
}

INSTANTIATE_TEST_SUITE_P(Bugs, KillFindsTest,
                         ::testing::Values(FakeBug::kTornBatch, FakeBug::kForgetsDeletes,
                                           FakeBug::kBuffersWrites));

}  // namespace kill_test
}  // namespace varve::test
