// Clusters under faults: docs/design/0032-simulator.md. A failure names its seed; VARVE_TEST_SEED=<seed> runs that one alone,
// and so does varve torture cluster --seed <seed>.
#include "sim/cluster_torture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string>

#include "sim/cluster_profile.h"
#include "sim/cluster_scenario.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"

namespace varve::sim {
namespace cluster_torture_test {

using varve::test::Scaled;

// The objective is of builds that are made for use; where all is looked at while it runs nothing is said of speed.
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool kIsFast = true;
#else
constexpr bool kIsFast = false;
#endif

constexpr uint64_t kShards = 4;  // which can run side by side

class ClusterTortureTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(ClusterTortureTest, NothingIsLostAndNothingComesBack) {
  TortureOptions options;
  options.seeds = Scaled(1000) / kShards + 1;
  options.first_seed = GetParam() * options.seeds;
  if (const char* seed = std::getenv("VARVE_TEST_SEED")) {
    options.first_seed = std::strtoull(seed, nullptr, 10);
    options.seeds = 1;
  }
  const std::clock_t began = std::clock();
  const TortureReport report = Torture(options, [](const TortureReport&) {});
  const double cpu_seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  ASSERT_EQ(report.failure, nullptr) << "VARVE_TEST_SEED=" << report.failure->seed << "\n"
                                     << report.failure->ToString()
                                     << Describe(ClusterOptionsOf(options, report.failure->seed));
  // Else nothing has been looked at.
  if (report.seeds >= 20) {
    EXPECT_GT(report.acknowledged, 50 * report.seeds);
    EXPECT_GT(report.answered, 50 * report.seeds);
    EXPECT_GT(report.topologies, report.seeds / 2);
    // By the time of the CPU some 200 to 470 times as fast, after the machine; 100 is the objective. What falls below a quarter
    // of that has become another program.
    if (kIsFast) {
      EXPECT_GT(static_cast<double>(report.simulated) / kSecond, 25 * cpu_seconds);
    }
  }
  RecordProperty("seeds", std::to_string(report.seeds));
  RecordProperty("events", std::to_string(report.events));
  RecordProperty("simulated_ms", std::to_string(report.simulated / kMillisecond));
  RecordProperty("acknowledged", std::to_string(report.acknowledged));
  RecordProperty("answered", std::to_string(report.answered));
  RecordProperty("topologies", std::to_string(report.topologies));
}

INSTANTIATE_TEST_SUITE_P(Shards, ClusterTortureTest, ::testing::Range(uint64_t{0}, kShards));

// More machines than fit into one's head: a few seeds, as each of them costs more.
class ManyMachinesTest : public ::testing::TestWithParam<uint32_t> {};

TEST_P(ManyMachinesTest, NothingIsLostAndNothingComesBack) {
  TortureOptions options;
  options.most_nodes = GetParam();
  options.seeds = Scaled(30);
  options.first_seed = 1'000'000 * options.most_nodes;
  const TortureReport report = Torture(options, [](const TortureReport&) {});
  ASSERT_EQ(report.failure, nullptr) << "varve torture cluster --nodes " << options.most_nodes << " --seed "
                                     << report.failure->seed << "\n"
                                     << report.failure->ToString();
  EXPECT_GT(report.acknowledged, report.seeds);
  // They are in use.
  uint32_t most = 0;
  for (uint64_t seed = options.first_seed; seed < options.first_seed + options.seeds; ++seed) {
    const ClusterOptions cluster = ClusterOptionsOf(options, seed);
    most = std::max(most, cluster.nodes + cluster.spares);
  }
  EXPECT_GE(2 * most, options.most_nodes);
}

INSTANTIATE_TEST_SUITE_P(Machines, ManyMachinesTest, ::testing::Values(12u, 20u));

// Worlds of one kind, in which one promise stands alone.
class ClusterProfileTest : public ::testing::TestWithParam<size_t> {};

TEST_P(ClusterProfileTest, ItsPromiseIsKept) {
  TortureOptions options;
  options.profile = static_cast<Profile>(GetParam());
  options.seeds = Scaled(15);
  if (const char* seed = std::getenv("VARVE_TEST_SEED")) {
    options.first_seed = std::strtoull(seed, nullptr, 10);
    options.seeds = 1;
  }
  const TortureReport report = Torture(options, [](const TortureReport&) {});
  ASSERT_EQ(report.failure, nullptr) << "VARVE_TEST_SEED=" << report.failure->seed << "\n"
                                     << report.failure->ToString()
                                     << Describe(ClusterOptionsOf(options, report.failure->seed));
  if (report.seeds < 10) return;
  EXPECT_GT(report.acknowledged, 10 * report.seeds);
  EXPECT_GT(report.answered, report.seeds);
}

INSTANTIATE_TEST_SUITE_P(Profiles, ClusterProfileTest, ::testing::Range(size_t{1}, kProfiles), [](const auto& tested) {
  return std::string(ProfileName(static_cast<Profile>(tested.param)));
});

TEST(ClusterProfilesTest, EachHasItsShareOfTheSeedsAndAName) {
  size_t seeds[kProfiles] = {};
  for (uint64_t seed = 0; seed < 2000; ++seed) ++seeds[static_cast<size_t>(ProfileOf(seed))];
  EXPECT_GT(seeds[0], 1200u);
  for (size_t profile = 0; profile < kProfiles; ++profile) {
    EXPECT_GT(seeds[profile], 50u);
    EXPECT_EQ(ParseProfile(ProfileName(static_cast<Profile>(profile))), static_cast<Profile>(profile));
  }
  EXPECT_FALSE(ParseProfile("none").has_value());
}

TEST(ClusterReplayTest, ASeedGivesTheSameRunEventForEvent) {
  TortureOptions options;
  options.seeds = Scaled(12);
  options.checks_replay = true;
  const TortureReport report = Torture(options, [](const TortureReport&) {});
  EXPECT_EQ(report.failure, nullptr) << report.failure->ToString();
}

TEST(ClusterReplayTest, ASeedIsAClusterOfItsOwn) {
  uint64_t lww = 0, sloppy = 0, wipes = 0, changes = 0, unsynced = 0, spares = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const ClusterOptions options = RandomClusterOptions(seed, 5);
    EXPECT_LE(options.nodes, 5u);
    EXPECT_GE(options.nodes, options.copies);
    EXPECT_GE(options.clients, 1u);
    EXPECT_TRUE(!options.wipes || options.copies >= 3) << "a lost disk would be lost data";
    lww += options.policy == cluster::ConflictPolicy::kLww;
    sloppy += options.sloppy;
    wipes += options.wipes;
    changes += options.changes > 0;
    unsynced += !options.syncs;
    spares += options.spares > 0;
  }
  for (const uint64_t count : {lww, sloppy, wipes, changes, unsynced, spares}) EXPECT_GT(count, 5u);
}

TEST(ClusterReplayTest, SchedulesNameMachinesThatAreThere) {
  TortureOptions options;
  options.schedule = Schedule{{FaultKind::kCrash, kSecond, kSecond, 0, 0, 0}};
  EXPECT_OK(CheckSchedule(options));
  EXPECT_EQ(Torture(options, [](const TortureReport&) {}).failure, nullptr);
  options.schedule->push_back({FaultKind::kCut, kSecond, kSecond, 0, 1000, 0});
  EXPECT_STATUS(kInvalidArgument, CheckSchedule(options));
}

}  // namespace cluster_torture_test
}  // namespace varve::sim
