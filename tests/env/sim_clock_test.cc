#include "env/sim_clock.h"

#include <gtest/gtest.h>

namespace varve {
namespace sim_clock_test {

TEST(SimClockTest, AManualClockMovesOnlyWhenTold) {
  SimClock clock(SimClock::Mode::kManual);
  EXPECT_EQ(clock.MonotonicNanos(), SimClock::kFirstMonotonicNanos);
  EXPECT_EQ(clock.WallMillis(), SimClock::kFirstWallMillis);
  clock.Advance(5'000'000);
  clock.SleepNanos(3'600'000'000'000);  // returns at once
  EXPECT_EQ(clock.MonotonicNanos(), SimClock::kFirstMonotonicNanos + 3'600'005'000'000);
  EXPECT_EQ(clock.WallMillis(), SimClock::kFirstWallMillis + 3'600'005);
}

TEST(SimClockTest, TheWallJumpsAlone) {
  SimClock clock(SimClock::Mode::kManual);
  clock.SetWallMillis(42);
  EXPECT_EQ(clock.WallMillis(), 42u);
  EXPECT_EQ(clock.MonotonicNanos(), SimClock::kFirstMonotonicNanos);
  clock.Advance(1'000'000);
  EXPECT_EQ(clock.WallMillis(), 43u);
}

TEST(SimClockTest, AFollowingClockAddsWhatItWasAdvanced) {
  PosixClock real;
  SimClock clock;
  clock.Advance(1'000'000'000'000);
  EXPECT_GE(clock.MonotonicNanos(), real.MonotonicNanos() + 999'000'000'000);
  EXPECT_GE(clock.WallMillis(), real.WallMillis() + 999'000);
}

TEST(SimClockTest, ChangingTheModeNeverGoesBack) {
  SimClock clock(SimClock::Mode::kManual);
  clock.SetMode(SimClock::Mode::kFollowReal);
  uint64_t last = clock.MonotonicNanos();
  EXPECT_GE(last, SimClock::kFirstMonotonicNanos);
  clock.SleepNanos(1'000'000);
  EXPECT_GE(clock.MonotonicNanos(), last + 1'000'000);
  last = clock.MonotonicNanos();
  clock.SetMode(SimClock::Mode::kManual);
  const uint64_t stopped = clock.MonotonicNanos();
  EXPECT_GE(stopped, last);
  EXPECT_EQ(clock.MonotonicNanos(), stopped);
}

TEST(SimClockTest, ACopyShowsTheSameTime) {
  SimClock clock(SimClock::Mode::kManual);
  clock.Advance(7'000'000);
  const SimClock copy(clock);
  clock.Advance(1'000'000);
  EXPECT_EQ(copy.WallMillis(), SimClock::kFirstWallMillis + 7);
}

}  // namespace sim_clock_test
}  // namespace varve
