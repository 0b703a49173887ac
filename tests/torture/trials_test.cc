// Trials: what a broken promise leaves, and what a finding that is none comes to.
#include "torture/trials.h"

#include <gtest/gtest.h>

#include <string>

#include "base/time_units.h"
#include "env/env.h"
#include "env/sim_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "torture/directories.h"
#include "torture/patience.h"

namespace varve::torture {
namespace trials_test {

using test::TempDir;

// Leaves a file with its schedule, and is broken when that has the line "bad".
class FakeTrials final : public Trials {
 public:
  FakeTrials() : Trials("fake", "nothing is bad", 1) {}
  Status status;  // of a trial that has no such line

 private:
  Schedule Plan(uint64_t seed) const override { return {"a", seed == 3 ? "bad" : "good", "b"}; }
  std::string World(uint64_t) const override { return "small"; }
  Finding Try(uint64_t, const Schedule& schedule, Counts*) override {
    if (Status made = MakeEmpty(place()); !made.ok()) return {made, {}};
    auto file = Env::Default()->OpenWritable(JoinPath(place(), "log"), Env::OpenMode::kCreateNew);
    if (!file.ok() || !(*file)->Write(0, ToText(schedule)).ok()) return {Status::IoError("no file"), {}};
    for (const std::string& line : schedule) {
      if (line == "bad") return {Status::Corruption("it is bad"), {}, 7};
    }
    static_cast<void>(RemoveTree(place()));
    return {status, {}, 1};
  }
};

TEST(TrialsTest, TheFilesOfTheShortestRunStay) {
  const TempDir dir;
  FakeTrials trials;
  const auto tally = trials.Run({.seeds = 5, .schedule = {}, .dir = dir.path()}, [](const Tally&) {});
  ASSERT_OK(tally);
  ASSERT_TRUE(tally->violation.has_value());
  const Violation& violation = *tally->violation;
  EXPECT_EQ(violation.seed, 3u);
  EXPECT_EQ(violation.schedule, Schedule{"bad"});
  EXPECT_EQ(violation.lines_before, 3u);
  EXPECT_EQ(violation.repeated, violation.repeats);
  EXPECT_GT(violation.repeats, 1u);
  EXPECT_EQ(violation.evidence, JoinPath(dir.path(), "evidence"));
  EXPECT_EQ(LastLineOf(JoinPath(violation.evidence, "log")), "bad");
  EXPECT_FALSE(Env::Default()->FileExists(JoinPath(dir.path(), "fake")));
}

TEST(TrialsTest, AWholeScheduleIsRunOnce) {
  const TempDir dir;
  FakeTrials trials;
  const auto tally = trials.Run({.first_seed = 3, .schedule = {}, .dir = dir.path(), .whole = true}, [](const Tally&) {});
  ASSERT_OK(tally);
  ASSERT_TRUE(tally->violation.has_value());
  EXPECT_EQ(tally->violation->schedule.size(), 3u);
  EXPECT_EQ(tally->violation->runs, 0u);
  EXPECT_EQ(tally->violation->repeats, 0u);
}

TEST(TrialsTest, WhatIsNoBrokenPromiseIsAnError) {
  const TempDir dir;
  FakeTrials trials;
  for (const Status& status : {Status::InvalidArgument("what?"), Status::IoError("the oracle is gone")}) {
    trials.status = status;
    const auto tally = trials.Run({.seeds = 1, .schedule = {}, .dir = dir.path()}, [](const Tally&) {});
    EXPECT_EQ(tally.status().code(), status.code());
  }
}

TEST(DirectoriesTest, TheLastLineOfALog) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "log");
  EXPECT_EQ(LastLineOf(path), "and said nothing");
  auto file = Env::Default()->OpenWritable(path, Env::OpenMode::kCreateNew);
  ASSERT_OK(file);
  ASSERT_OK((*file)->Write(0, std::string(9000, 'x') + "\nthe end\n\n"));
  EXPECT_EQ(LastLineOf(path), "the end");
}

// Found when a whole run was stopped for minutes: the writer was said to have got stuck.
TEST(PatienceTest, TimeInWhichNobodyWaitedIsNotCounted) {
  SimClock clock(SimClock::Mode::kManual);
  Patience patience(&clock);
  EXPECT_TRUE(patience.Wait());
  clock.Advance(3600 * kNanosPerSecond);
  const uint64_t begun = clock.MonotonicNanos();
  while (patience.Wait()) {
  }
  EXPECT_GE(clock.MonotonicNanos() - begun, 59 * kNanosPerSecond);
  EXPECT_LE(clock.MonotonicNanos() - begun, 60 * kNanosPerSecond);
}

}  // namespace trials_test
}  // namespace varve::torture
