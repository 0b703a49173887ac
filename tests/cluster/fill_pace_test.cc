#include "cluster/fill_pace.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/random.h"
#include "tests/cluster/core_world.h"

namespace varve::cluster::test {
namespace fill_pace_test {

constexpr uint64_t kMost = 32 << 20;
constexpr uint64_t kLeast = kMost / FillPace::kSteps;
constexpr Nanos kSecond = 1000 * kMilli;

// A fill that always has more to bring, of replicas that answer as `takes` says.
class FillPaceTest : public ::testing::Test {
 protected:
  // Returns how many bytes went.
  uint64_t Fill(Nanos how_long, const std::function<Nanos()>& takes) {
    uint64_t bytes = 0;
    for (const Nanos end = now_ + how_long; now_ < end; now_ += 10 * kMilli) {
      while (pace_.HasRoom(now_)) {
        pace_.Charge(kBytes, now_);
        bytes += kBytes;
        pace_.OnAnswer(takes(), now_);
      }
    }
    return bytes;
  }
  // Replicas that can bring `at_most` without anybody having to wait.
  std::function<Nanos()> WhoAreFastUpTo(uint64_t at_most) {
    return [this, at_most] {
      const double load = static_cast<double>(pace_.bytes_per_second()) / static_cast<double>(at_most);
      return static_cast<Nanos>(static_cast<double>(2 * kMilli + random_.Uniform(kMilli)) * (load > 1 ? 10 * load : 1));
    };
  }

  static constexpr uint64_t kBytes = 5000;
  FillPace pace_{kMost};
  Nanos now_ = kSecond;
  Random random_{1};
};

TEST_F(FillPaceTest, GivesNoMoreThanItSays) {
  const auto quick = [] { return kMilli; };
  const uint64_t first = Fill(kSecond / 10, quick);
  EXPECT_LE(first, kLeast / 5 + kBytes);
  while (pace_.bytes_per_second() < kMost) Fill(kSecond, quick);
  const uint64_t bytes = Fill(10 * kSecond, quick);
  EXPECT_LE(bytes, 10 * kMost + kMost / 10 + kBytes);
  EXPECT_GE(bytes, 9 * kMost);
}

TEST_F(FillPaceTest, RisesWhileAnswersAreQuick) {
  EXPECT_EQ(pace_.bytes_per_second(), kLeast);
  Fill(8 * kSecond, [this] { return 3 * kMilli + random_.Uniform(2 * kMilli); });
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

TEST_F(FillPaceTest, FallsWhenAnswersBecomeSlow) {
  Fill(8 * kSecond, [] { return 2 * kMilli; });
  // The slowest of a hundred are what counts.
  Fill(4 * kSecond, [this] { return random_.OneIn(20) ? 20 * kMilli : 2 * kMilli; });
  EXPECT_EQ(pace_.bytes_per_second(), kLeast);
  Fill(8 * kSecond, [] { return 2 * kMilli; });
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

TEST_F(FillPaceTest, FindsWhatReplicasCanBring) {
  Fill(10 * kSecond, WhoAreFastUpTo(kMost / 4));
  const uint64_t bytes = Fill(100 * kSecond, WhoAreFastUpTo(kMost / 4));
  EXPECT_LE(bytes, 110 * (kMost / 4));
  EXPECT_GE(bytes, 60 * (kMost / 4));
}

// Values ten times as large, or another load: all answers take longer, also at the lowest rate.
TEST_F(FillPaceTest, TakesAnotherLoadForGrantedWithinHalfAMinute) {
  Fill(8 * kSecond, [] { return 2 * kMilli; });
  Fill(FillPace::kBetweenProbes + 2 * kSecond, [] { return 20 * kMilli; });
  Fill(8 * kSecond, [] { return 20 * kMilli; });
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

// So that what is slow only because of the fill is not taken for granted.
TEST_F(FillPaceTest, SlowsDownToLookWhatTheLowestRateTakes) {
  Fill(8 * kSecond, WhoAreFastUpTo(kMost * 2));
  bool was_least = false;
  for (int i = 0; i < 350; ++i) {
    Fill(kSecond / 10, WhoAreFastUpTo(kMost * 2));
    was_least = was_least || pace_.bytes_per_second() == kLeast;
  }
  EXPECT_TRUE(was_least);
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

TEST_F(FillPaceTest, BeginsAnewAfterAPause) {
  Fill(8 * kSecond, [] { return 2 * kMilli; });
  now_ += FillPace::kBetweenProbes;
  Fill(kSecond / 10, [] { return 20 * kMilli; });
  Fill(8 * kSecond, [] { return 20 * kMilli; });
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

TEST_F(FillPaceTest, WithoutALimitThereIsAlwaysRoom) {
  FillPace endless(0);
  for (int i = 0; i < 1000; ++i) {
    endless.Charge(700'000'000, now_);
    endless.OnAnswer(kSecond, now_);
    EXPECT_TRUE(endless.HasRoom(now_));
  }
}

}  // namespace fill_pace_test
}  // namespace varve::cluster::test
