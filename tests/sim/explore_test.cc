#include "sim/explore.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/sim/register.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"

namespace varve::sim {
namespace explore_test {

using test::Mistake;
using test::RegisterScenario;
using varve::test::Scaled;

ScenarioFactory RegisterWith(Mistake mistake) {
  return [mistake](uint64_t) { return std::make_unique<RegisterScenario>(mistake); };
}

// Five simulated seconds, three of them with faults.
FaultOptions Faults() {
  FaultOptions faults;
  faults.duration = 3 * kSecond;
  faults.longest = kSecond;
  return faults;
}
// Of disks, power and links only, and more of them.
FaultOptions DiskFaults() {
  FaultOptions faults = Faults();
  faults.most = 40;
  faults.kinds = 0;
  for (const FaultKind kind : {FaultKind::kCut, FaultKind::kSplit, FaultKind::kPowerCut, FaultKind::kSlowDisk,
                               FaultKind::kFailedSync}) {
    faults.kinds |= uint64_t{1} << static_cast<int>(kind);
  }
  return faults;
}
FaultOptions FaultsFor(Mistake mistake) {
  const bool is_of_disks = mistake == Mistake::kAcksBeforeSync || mistake == Mistake::kIgnoresFailedSync ||
                           mistake == Mistake::kTrustsTornRecords;
  return is_of_disks ? DiskFaults() : Faults();
}
WorldOptions Short() {
  WorldOptions options;
  options.least = 3 * kSecond;
  options.calm = 2 * kSecond + kSecond / 2;
  return options;
}

TEST(ExploreTest, RightProtocolPasses) {
  const Campaign campaign = Explore(RegisterWith(Mistake::kNone), 0, Scaled(60), Faults(), Short());
  ASSERT_EQ(campaign.failure, nullptr) << campaign.failure->ToString();
  const Campaign of_disks = Explore(RegisterWith(Mistake::kNone), 0, Scaled(30), DiskFaults(), Short());
  ASSERT_EQ(of_disks.failure, nullptr) << of_disks.failure->ToString();
  RecordProperty("events", std::to_string(campaign.events));
  RecordProperty("simulated_ms", std::to_string(campaign.simulated / kMillisecond));
}

class MistakeTest : public ::testing::TestWithParam<Mistake> {};

// Found, cut down to faults of which none can be left out, and the same again from what is printed.
TEST_P(MistakeTest, IsFoundMinimisedAndReplayed) {
  const ScenarioFactory factory = RegisterWith(GetParam());
  const Campaign campaign = Explore(factory, 0, 3000, FaultsFor(GetParam()), Short());
  ASSERT_NE(campaign.failure, nullptr) << campaign.seeds << " seeds passed";
  const Failure& failure = *campaign.failure;
  EXPECT_FALSE(failure.status.ok());
  EXPECT_LE(failure.schedule.size(), 6u) << failure.ToString();
  RecordProperty("seeds", std::to_string(campaign.seeds));
  RecordProperty("faults", std::to_string(failure.faults_before) + " to " + std::to_string(failure.schedule.size()));

  auto read_back = ParseSchedule(ToText(failure.schedule));
  ASSERT_OK(read_back);
  EXPECT_EQ(*read_back, failure.schedule);
  const RunResult first = RunOnce(factory, failure.seed, *read_back, Short());
  const RunResult second = RunOnce(factory, failure.seed, *read_back, Short());
  EXPECT_EQ(first.status.ToString(), failure.status.ToString());
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.events, second.events);
  for (size_t i = 0; i < failure.schedule.size(); ++i) {
    Schedule rest = failure.schedule;
    rest.erase(rest.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_OK(RunOnce(factory, failure.seed, rest, Short()).status) << "not needed: " << ToText({failure.schedule[i]});
  }
  // The fault is the protocol's, not the simulator's.
  EXPECT_OK(RunOnce(RegisterWith(Mistake::kNone), failure.seed, failure.schedule, Short()).status);
}

INSTANTIATE_TEST_SUITE_P(Register, MistakeTest,
                         ::testing::Values(Mistake::kAcksBeforeSync, Mistake::kIgnoresFailedSync,
                                           Mistake::kTrustsTornRecords, Mistake::kWritesToOne,
                                           Mistake::kReadsFromOne, Mistake::kReadsWithoutWriteBack,
                                           Mistake::kGivesUp));

}  // namespace explore_test
}  // namespace varve::sim
