// Loss of power and end of the process at every I/O call of a workload: the store must open again
// and hold a prefix of the history that contains every write acknowledged as durable.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "env/crash_env.h"
#include "tests/support/fake_db.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"
#include "torture/power_run.h"

namespace varve::test {
namespace crash_test {

struct Report {
  std::string failure;  // empty: none
  uint64_t call_count = 0;
  uint64_t clone_count = 0;
  uint64_t second_crash_count = 0;
};

std::vector<torture::PowerStep> PowerStepsOf(const std::vector<Step>& steps) {
  const std::vector<Contents> states = StatesOf(steps);
  std::vector<torture::PowerStep> all;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    torture::PowerStep one{.text = step.ToString(), .act = nullptr, .after = states[i + 1]};
    if (step.kind != Step::Kind::kReopen) one.act = [step](Db* db) { return RunStep(db, step); };
    one.makes_durable = step.MakesDurable();
    // A write without durability may be lost with the process, but not a later one without it.
    one.survives_process = step.kind != Step::Kind::kWrite || step.durability != Durability::kNone;
    all.push_back(std::move(one));
  }
  return all;
}

// Runs the workload twice: to count its calls, then with about `clone_budget` clones: up to 40 at a call, at every
// call if the budget allows two at each, else at every n-th. The threads of the store race, as they do elsewhere.
Report RunCrashes(const StoreOpener& opener, const std::vector<Step>& steps, uint64_t seed, size_t clone_budget) {
  const torture::TurnsOpener open = [&](Turns*) { return opener; };
  const std::vector<torture::PowerStep> power_steps = PowerStepsOf(steps);
  torture::Counts unused;
  torture::PowerRun counting(open, power_steps, {.seed = seed, .stride = ~uint64_t{0}}, &unused);
  const Status counted = counting.Run(SimClock::Mode::kFollowReal);
  Report report;
  if (!counted.ok()) {
    report.failure = counted.ToString();
    return report;
  }
  torture::PowerOptions options{.seed = seed, .between_steps = 4, .one_in_again = 12, .again_stride = 3};
  options.read = [](Db* db) { return ReadContents(db); };  // with deadlines
  const uint64_t calls = std::max<uint64_t>(1, counting.call_count());
  options.cuts_per_call = std::clamp<uint64_t>(clone_budget / calls, 2, 40);
  options.stride = std::max<uint64_t>(1, calls * options.cuts_per_call / clone_budget);
  torture::Counts counts;
  torture::PowerRun run(open, power_steps, options, &counts);
  const Status status = run.Run(SimClock::Mode::kFollowReal);
  if (!status.ok()) report.failure = "seed " + std::to_string(seed) + " " + status.ToString();
  report.call_count = run.call_count();
  report.clone_count = counts.of("power cuts") + counts.of("ends of the process");
  report.second_crash_count = counts.of("power cuts in recovery");
  return report;
}

StoreOpener FakeOpener(FakeBug bug) {
  return [bug](const std::string& dir, Env* env) {
    Options options;
    options.env = env;
    return FakeDb::Open(dir, options, bug);
  };
}

void ExpectSurvives(const StoreConfig& config, uint64_t seed, const WorkloadOptions& workload,
                    size_t clone_budget) {
  const Report report = RunCrashes(OpenerFor(config), MakeWorkload(seed, workload), seed, clone_budget);
  EXPECT_EQ(report.failure, "") << "options: " << config.ToString();
  std::printf("  seed %llu: %llu calls, %llu clones, %llu second crashes\n",
              static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(report.call_count),
              static_cast<unsigned long long>(report.clone_count),
              static_cast<unsigned long long>(report.second_crash_count));
  EXPECT_GT(report.clone_count, clone_budget / 4);
}

TEST(CrashTest, SmallStoreWithMappedLogAtEveryCall) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = true;
  ExpectSurvives(config, 1, {}, Scaled(4000));
}

TEST(CrashTest, SmallStoreWithWrittenLogAtEveryCall) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = false;
  ExpectSurvives(config, 2, {.with_none = true}, Scaled(4000));
}

TEST(CrashTest, DeadlinesSurviveWithTheirValues) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = true;
  ExpectSurvives(config, 4, {.step_count = 250, .with_deadlines = true}, Scaled(1500));
}

TEST(CrashTest, StoreOnAFileSystemThatCannotAllocate) {
  const StoreOpener opener = [](const std::string& dir, Env* env) {
    static_cast<CrashEnv*>(env)->SetAllocationSupported(false);
    return OpenerFor(SmallStoreConfig())(dir, env);
  };
  const Report report = RunCrashes(opener, MakeWorkload(3, {.step_count = 200}), 3, Scaled(1000));
  EXPECT_EQ(report.failure, "");
}

TEST(CrashTest, TransactionsAreWholeOrAbsent) {
  for (const bool mapped : {true, false}) {
    StoreConfig config = SmallStoreConfig();
    config.tuning.mapped_log = mapped;
    ExpectSurvives(config, mapped ? 4 : 5, {.step_count = 120, .with_transactions = true},
                   Scaled(500));
  }
}

TEST(CrashTest, RandomOptions) {
  const size_t seed_count = Scaled(6);
  for (uint64_t seed = 10; seed < 10 + seed_count && !HasFailure(); seed++) {
    const WorkloadOptions workload{.step_count = 300,
                                   .key_count = 20 + seed % 4 * 40,
                                   .value_bytes_max = seed % 2 == 0 ? 200u : 1500u,
                                   .with_none = seed % 3 == 0};
    ExpectSurvives(RandomStoreConfig(seed), seed, workload, 1000);
  }
}

TEST(CrashHarnessTest, CorrectFakeSurvives) {
  const Report report = RunCrashes(FakeOpener(FakeBug::kNone), MakeWorkload(1, {.step_count = 150}), 1, 4000);
  EXPECT_EQ(report.failure, "");
  EXPECT_GT(report.clone_count, 1000u);
  EXPECT_GT(report.second_crash_count, 100u);
}

class CrashFindsTest : public ::testing::TestWithParam<FakeBug> {};

TEST_P(CrashFindsTest, PlantedBug) {
  const Report report = RunCrashes(FakeOpener(GetParam()), MakeWorkload(1, {.step_count = 150}), 1, 4000);
  EXPECT_NE(report.failure, "");
  EXPECT_EQ(report.failure.find("without any fault"), std::string::npos)
      << "failed before the first crash: " << report.failure;
}

INSTANTIATE_TEST_SUITE_P(Bugs, CrashFindsTest,
                         ::testing::Values(FakeBug::kNoSync, FakeBug::kNoChecksum,
                                           FakeBug::kTornBatch, FakeBug::kForgetsDeletes,
                                           FakeBug::kBuffersWrites));

}  // namespace crash_test
}  // namespace varve::test
