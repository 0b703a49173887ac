#include "cluster/fill_pace.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/random.h"
#include "tests/cluster/core_world.h"

namespace varve::cluster::test {
namespace fill_pace_test {

using Asked = FillPace::Asked;

constexpr uint64_t kMost = 32 << 20;
constexpr uint64_t kLeast = kMost / FillPace::kSteps;
constexpr Nanos kSecond = 1000 * kMilli;

// A fill that always has more to bring, of replicas that answer as `takes` says.
class FillPaceTest : public ::testing::Test {
 protected:
  using Takes = std::function<Nanos(Asked)>;

  // Returns how many bytes were begun.
  uint64_t Fill(Nanos how_long, const Takes& takes) {
    uint64_t bytes = 0;
    for (const Nanos end = now_ + how_long; now_ < end; now_ += kMilli) {
      while (!under_way_.empty() && under_way_.begin()->first <= now_) Answer();
      for (; under_way_.size() < 64 && pace_.HasRoom(now_); bytes += bytes_) BeginKey(takes);
    }
    return bytes;
  }
  static Takes All(Nanos nanos) {
    return [nanos](Asked) { return nanos; };
  }
  // Replicas that can bring `at_most` without anybody having to wait.
  Takes WhoAreFastUpTo(uint64_t at_most) {
    return [this, at_most](Asked) {
      const double load = static_cast<double>(pace_.bytes_per_second()) / static_cast<double>(at_most);
      return static_cast<Nanos>(static_cast<double>(2 * kMilli + random_.Uniform(kMilli)) * (load > 1 ? 10 * load : 1));
    };
  }

  void Answer() {
    under_way_.begin()->second();
    under_way_.erase(under_way_.begin());
  }

  uint64_t bytes_ = 5000;  // of a key
  FillPace pace_{kMost};
  Nanos now_ = kSecond;
  Random random_{1};
  std::multimap<Nanos, std::function<void()>> under_way_;

 private:
  void BeginKey(const Takes& takes) {
    const uint64_t charged = pace_.Begin(now_);
    const Nanos read = takes(Asked::kRead);
    const Nanos merge = takes(Asked::kMerge);
    under_way_.emplace(now_ + read, [this, charged, read, merge, bytes = bytes_] {
      pace_.OnAnswer(Asked::kRead, read, now_);
      pace_.OnState(charged, bytes, now_);
      under_way_.emplace(now_ + merge, [this, merge] { pace_.OnAnswer(Asked::kMerge, merge, now_); });
    });
  }
};

TEST_F(FillPaceTest, GivesNoMoreThanItSays) {
  EXPECT_LE(Fill(kSecond / 5, All(kMilli)), kLeast / 5 + kLeast / 10 + 16 * bytes_);
  while (pace_.bytes_per_second() < kMost) Fill(kSecond / 10, All(kMilli));
  const uint64_t bytes = Fill(10 * kSecond, All(kMilli));
  const uint64_t most = 10 * kMost + kMost / 10 + bytes_;
  EXPECT_LE(bytes + bytes / bytes_ * FillPace::kBytesOfAKey, most);
  EXPECT_GE(bytes, most * 8 / 10);
}

// What is begun is charged before its size is known.
TEST_F(FillPaceTest, LargeStatesDoNotComeInBursts) {
  bytes_ = 1 << 20;
  Fill(10 * kSecond, All(20 * kMilli));
  for (int i = 0; i < 100; ++i) {
    EXPECT_LE(Fill(kSecond / 10, All(20 * kMilli)), pace_.bytes_per_second() / 5 + 2 * bytes_);
  }
}

TEST_F(FillPaceTest, RisesWhileAnswersAreQuick) {
  EXPECT_EQ(pace_.bytes_per_second(), kLeast);
  Fill(8 * kSecond, [this](Asked) { return 3 * kMilli + random_.Uniform(2 * kMilli); });
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

class FillPaceOfSizesTest : public FillPaceTest, public ::testing::WithParamInterface<uint64_t> {};

TEST_P(FillPaceOfSizesTest, RisesToTheHighestRate) {
  bytes_ = GetParam();
  int seconds = 0;
  for (; pace_.bytes_per_second() < kMost && seconds < 400; ++seconds) Fill(kSecond, All(bytes_ * 10));  // as 100 MB a second
  EXPECT_LT(seconds, 400);
}

INSTANTIATE_TEST_SUITE_P(Bytes, FillPaceOfSizesTest, ::testing::Values(100, 10'000, 1'000'000, 5'000'000));

TEST_F(FillPaceTest, FallsWhenAnswersBecomeSlow) {
  Fill(8 * kSecond, All(2 * kMilli));
  // The slowest of a hundred are what counts.
  const auto slow = [this](Asked) { return random_.OneIn(20) ? 20 * kMilli : 2 * kMilli; };
  while (pace_.bytes_per_second() == kMost) Fill(10 * kMilli, slow);
  EXPECT_EQ(pace_.bytes_per_second(), kMost - kMost / 4);
  Fill(4 * kSecond, slow);
  EXPECT_EQ(pace_.bytes_per_second(), kLeast);
  Fill(8 * kSecond, All(2 * kMilli));
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

TEST_F(FillPaceTest, SlowIsMoreThanTwiceAndAMillisecond) {
  Fill(8 * kSecond, All(2 * kMilli));
  Fill(4 * kSecond, All(4'990'000));
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
  Fill(4 * kSecond, All(5'010'000));
  EXPECT_EQ(pace_.bytes_per_second(), kLeast);
}

// Writes have a tail of their own, behind which slow reads must not hide.
TEST_F(FillPaceTest, EachKindIsComparedWithItself) {
  const auto with_reads_of = [this](Nanos read) -> Takes {
    return [this, read](Asked asked) { return asked == Asked::kRead ? read : random_.OneIn(20) ? 9 * kMilli : kMilli; };
  };
  Fill(8 * kSecond, with_reads_of(kMilli / 3));
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
  Fill(4 * kSecond, with_reads_of(4 * kMilli));
  EXPECT_EQ(pace_.bytes_per_second(), kLeast);
}

TEST_F(FillPaceTest, FindsWhatReplicasCanBring) {
  Fill(10 * kSecond, WhoAreFastUpTo(kMost / 4));
  const uint64_t bytes = Fill(100 * kSecond, WhoAreFastUpTo(kMost / 4));
  EXPECT_LE(bytes, 110 * (kMost / 4));
  EXPECT_GE(bytes, 50 * (kMost / 4));
}

// Values ten times as large, or another load: all answers take longer, also at the lowest rate.
TEST_F(FillPaceTest, TakesAnotherLoadForGrantedWithinHalfAMinute) {
  Fill(8 * kSecond, All(2 * kMilli));
  Fill(FillPace::kBetweenProbes + 2 * kSecond, All(20 * kMilli));
  Fill(10 * kSecond, All(20 * kMilli));
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

// So that what is slow only because of the fill is not taken for granted. What was begun before is not what it measures.
TEST_F(FillPaceTest, LooksWhatTheLowestRateTakesAndGoesOnAsBefore) {
  const auto slow_when_fast = [this](Asked) { return pace_.bytes_per_second() > kLeast ? 20 * kMilli : 2 * kMilli; };
  bytes_ = 20'000;
  Fill(15 * kSecond, All(20 * kMilli));
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
  Nanos looked = 0;
  for (int i = 0; i < 4000 && (looked == 0 || pace_.bytes_per_second() == kLeast); ++i) {
    Fill(10 * kMilli, slow_when_fast);
    if (pace_.bytes_per_second() == kLeast) looked += 10 * kMilli;
  }
  EXPECT_GE(looked, 2 * FillPace::kPeriod);
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
  Fill(kSecond, slow_when_fast);  // 20 ms are slow beside 2
  EXPECT_LT(pace_.bytes_per_second(), kMost);
}

TEST_F(FillPaceTest, BeginsAnewAfterAPause) {
  Fill(8 * kSecond, All(2 * kMilli));
  while (!under_way_.empty()) Answer();
  now_ += FillPace::kBetweenProbes + kSecond;
  Fill(kSecond / 20, All(20 * kMilli));
  EXPECT_EQ(pace_.bytes_per_second(), kLeast);
  Fill(10 * kSecond, All(20 * kMilli));
  EXPECT_EQ(pace_.bytes_per_second(), kMost);
}

TEST_F(FillPaceTest, WithoutALimitThereIsAlwaysRoom) {
  FillPace endless(0);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(endless.HasRoom(now_));
    const uint64_t charged = endless.Begin(now_);
    endless.OnState(charged, 700'000'000, now_);
    endless.OnAnswer(Asked::kRead, kSecond, now_);
  }
}

}  // namespace fill_pace_test
}  // namespace varve::cluster::test
