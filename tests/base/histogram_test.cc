#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace varve {
namespace histogram_test {

Histogram Of(const std::vector<uint64_t>& values) {
  Histogram histogram;
  for (uint64_t value : values) histogram.Record(value);
  return histogram;
}

// What Percentile promises, computed from the sorted values.
uint64_t ExactPercentile(std::vector<uint64_t> values, double percent) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()) - 1e-6);
  return values[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

void ExpectWithin(double fraction, uint64_t exact, uint64_t got) {
  const double allowed = fraction * static_cast<double>(exact);
  EXPECT_NEAR(static_cast<double>(got), static_cast<double>(exact), allowed);
}

constexpr double kPercents[] = {0.1, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99};

TEST(HistogramTest, EmptyAnswersZeroToEverything) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.Mean(), 0.0);
  EXPECT_EQ(histogram.Percentile(0), 0u);
  EXPECT_EQ(histogram.Percentile(50), 0u);
  EXPECT_EQ(histogram.Percentile(100), 0u);
}

TEST(HistogramTest, OneValueIsEveryPercentile) {
  const Histogram histogram = Of({123456789});
  for (double percent : {0.0, 0.001, 50.0, 99.999, 100.0}) {
    EXPECT_EQ(histogram.Percentile(percent), 123456789u) << percent;
  }
}

TEST(HistogramTest, ValuesBelow256AreExact) {
  for (uint64_t value = 0; value < 256; ++value) {
    // The median is the value itself, and neither neighbour falls into its bucket.
    const Histogram histogram = Of({value == 0 ? 0 : value - 1, value, value + 1});
    EXPECT_EQ(histogram.Percentile(50), value);
  }
}

TEST(HistogramTest, EveryMagnitudeIsWithinHalfAPercent) {
  for (int bits = 0; bits < 40; ++bits) {
    for (uint64_t offset :
         {uint64_t{0}, uint64_t{1}, (uint64_t{1} << bits) / 3, (uint64_t{1} << bits) - 1}) {
      const uint64_t value = (uint64_t{1} << bits) + offset;
      // Neighbours far away keep the clamp to minimum and maximum from hiding an error.
      const Histogram histogram = Of({value / 2, value, value * 2});
      ExpectWithin(0.004, value, histogram.Percentile(50));
    }
  }
}

TEST(HistogramTest, PercentilesOfRandomValuesAreWithinOnePercent) {
  Random random(301);
  for (int shape = 0; shape < 3; ++shape) {
    std::vector<uint64_t> values;
    for (int i = 0; i < 20000; ++i) {
      const double unit = random.NextDouble();
      if (shape == 0) values.push_back(random.Uniform(1000000));
      if (shape == 1) values.push_back(static_cast<uint64_t>(std::exp(unit * 25)));
      if (shape == 2) values.push_back(500 + static_cast<uint64_t>(300 / (1.0001 - unit)));
    }
    const Histogram histogram = Of(values);
    for (double percent : kPercents) {
      ExpectWithin(0.01, ExactPercentile(values, percent), histogram.Percentile(percent));
    }
  }
}

TEST(HistogramTest, PercentileIsARankAndNotAnInterpolation) {
  std::vector<uint64_t> values;
  for (uint64_t i = 1; i <= 100; ++i) values.push_back(i);
  const Histogram histogram = Of(values);
  EXPECT_EQ(histogram.Percentile(0), 1u);
  EXPECT_EQ(histogram.Percentile(1), 1u);
  EXPECT_EQ(histogram.Percentile(1.5), 2u);
  EXPECT_EQ(histogram.Percentile(50), 50u);
  EXPECT_EQ(histogram.Percentile(99), 99u);
  EXPECT_EQ(histogram.Percentile(100), 100u);
}

TEST(HistogramTest, ARankThatIsWholeIsNotRoundedUp) {
  std::vector<uint64_t> values(1000, 10);
  values.back() = 200;
  EXPECT_EQ(Of(values).Percentile(99.9), 10u);
  EXPECT_EQ(Of(values).Percentile(99.91), 200u);
}

TEST(HistogramTest, PercentsOutsideTheRangeAreClamped) {
  const Histogram histogram = Of({5, 50, 250});
  EXPECT_EQ(histogram.Percentile(-3), 5u);
  EXPECT_EQ(histogram.Percentile(std::nan("")), 5u);
  EXPECT_EQ(histogram.Percentile(250), 250u);
}

TEST(HistogramTest, MinimumMaximumSumAndCountAreExact) {
  const Histogram histogram = Of({1000003, 7, 99999999, 1000003});
  EXPECT_EQ(histogram.count(), 4u);
  EXPECT_EQ(histogram.min(), 7u);
  EXPECT_EQ(histogram.max(), 99999999u);
  EXPECT_EQ(histogram.sum(), 7u + 2 * 1000003u + 99999999u);
  EXPECT_DOUBLE_EQ(histogram.Mean(), (7.0 + 2 * 1000003.0 + 99999999.0) / 4);
}

TEST(HistogramTest, ValuesBeyondTheRangeKeepTheExactMaximum) {
  const uint64_t huge = ~uint64_t{0} / 8;
  const Histogram histogram = Of({10, uint64_t{1} << 40, huge});
  EXPECT_EQ(histogram.max(), huge);
  EXPECT_EQ(histogram.Percentile(99), huge);
  EXPECT_EQ(histogram.Percentile(30), 10u);
}

TEST(HistogramTest, MergedEqualsRecordedInOne) {
  Random random(17);
  Histogram one;
  Histogram parts[3];
  for (int i = 0; i < 9000; ++i) {
    const uint64_t value = random.Next() >> (20 + random.Uniform(40));
    one.Record(value);
    parts[i % 3].Record(value);
  }
  Histogram merged;
  for (const Histogram& part : parts) merged.Merge(part);
  EXPECT_EQ(merged.count(), one.count());
  EXPECT_EQ(merged.sum(), one.sum());
  EXPECT_EQ(merged.min(), one.min());
  EXPECT_EQ(merged.max(), one.max());
  for (double percent : kPercents) {
    EXPECT_EQ(merged.Percentile(percent), one.Percentile(percent));
  }
}

TEST(HistogramTest, MergingAnEmptyOneChangesNothing) {
  Histogram histogram = Of({40, 50, 60});
  histogram.Merge(Histogram());
  EXPECT_EQ(histogram.min(), 40u);
  EXPECT_EQ(histogram.max(), 60u);
  EXPECT_EQ(histogram.Percentile(50), 50u);
}

TEST(HistogramTest, RecordManyEqualsManyRecords) {
  Histogram histogram;
  histogram.RecordMany(100, 99);
  histogram.RecordMany(7, 0);
  histogram.RecordMany(90000, 1);
  EXPECT_EQ(histogram.count(), 100u);
  EXPECT_EQ(histogram.min(), 100u);
  EXPECT_EQ(histogram.sum(), 9900u + 90000u);
  EXPECT_EQ(histogram.Percentile(99), 100u);
  EXPECT_EQ(histogram.Percentile(100), 90000u);
}

TEST(HistogramTest, ClearForgetsEverything) {
  Histogram histogram = Of({5, 500000});
  histogram.Clear();
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  histogram.Record(44);
  EXPECT_EQ(histogram.min(), 44u);
  EXPECT_EQ(histogram.Percentile(50), 44u);
}

}  // namespace histogram_test
}  // namespace varve
