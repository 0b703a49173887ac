#include "base/timing_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/random.h"

namespace varve {
namespace timing_wheel_test {

using Due = std::vector<std::pair<uint64_t, uint64_t>>;  // deadline and item

Due Advance(TimingWheel<uint64_t>* wheel, uint64_t now) {
  Due due;
  wheel->Advance(now, [&](uint64_t deadline, uint64_t item) { due.push_back({deadline, item}); });
  return due;
}

TEST(TimingWheelTest, AnItemIsDueAtItsDeadlineAndOnce) {
  for (const uint64_t start : {uint64_t{0}, uint64_t{255}, uint64_t{1'700'000'000'000}}) {
    for (int bit = 0; bit < 47; ++bit) {
      TimingWheel<uint64_t> wheel(start);
      const uint64_t deadline = start + (uint64_t{1} << bit);
      wheel.Add(deadline, 7);
      EXPECT_EQ(Advance(&wheel, deadline - 1), Due());
      EXPECT_EQ(wheel.size(), 1u);
      EXPECT_EQ(Advance(&wheel, deadline), (Due{{deadline, 7}}));
      EXPECT_EQ(wheel.size(), 0u);
      EXPECT_EQ(Advance(&wheel, deadline + 1000), Due());
    }
  }
}

TEST(TimingWheelTest, PastAndEndlessDeadlines) {
  TimingWheel<uint64_t> wheel(1000);
  wheel.Add(5, 1);
  wheel.Add(~uint64_t{0}, 2);
  EXPECT_EQ(Advance(&wheel, 1000), (Due{{1000, 1}}));
  EXPECT_EQ(Advance(&wheel, 10), Due());  // the present stays
  wheel.Add(999, 3);
  EXPECT_EQ(Advance(&wheel, 10), (Due{{1000, 3}}));
  EXPECT_EQ(Advance(&wheel, (uint64_t{1} << 48) - 2), Due());
  EXPECT_EQ(Advance(&wheel, ~uint64_t{0}), (Due{{(uint64_t{1} << 48) - 1, 2}}));
}

TEST(TimingWheelTest, WhatIsAddedWhileAdvancingIsDueInItsTurn) {
  TimingWheel<uint64_t> wheel(0);
  wheel.Add(10, 1);
  std::vector<uint64_t> items;
  wheel.Advance(5000, [&](uint64_t deadline, uint64_t item) {
    items.push_back(item);
    if (item < 5) wheel.Add(deadline + 1000, item + 1);
  });
  EXPECT_EQ(items, (std::vector<uint64_t>{1, 2, 3, 4, 5}));
}

TEST(TimingWheelTest, AgreesWithASortedList) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    uint64_t now = random.Next() >> 20;
    TimingWheel<uint64_t> wheel(now);
    Due pending;
    for (uint64_t i = 0; i < 3000; ++i) {
      if (random.Uniform(10) < 7) {
        const uint64_t deadline = now + (random.Next() >> (24 + random.Uniform(40)));
        wheel.Add(deadline, i);
        pending.push_back({deadline, i});
        continue;
      }
      now += random.Next() >> (34 + random.Uniform(30));
      Due due = Advance(&wheel, now);
      EXPECT_TRUE(std::is_sorted(due.begin(), due.end(),
                                 [](const auto& a, const auto& b) { return a.first < b.first; }));
      std::sort(due.begin(), due.end());
      std::sort(pending.begin(), pending.end());
      const auto end = std::upper_bound(pending.begin(), pending.end(),
                                        std::pair<uint64_t, uint64_t>{now, ~uint64_t{0}});
      ASSERT_EQ(due, Due(pending.begin(), end)) << "seed " << seed;
      pending.erase(pending.begin(), end);
      ASSERT_EQ(wheel.size(), pending.size());
    }
  }
}

TEST(TimingWheelTest, APendingDeadlineTakesLessThan24Bytes) {
  TimingWheel<uint64_t> wheel(1'700'000'000'000);
  Random random(1);
  constexpr size_t kCount = 1'000'000;
  for (size_t i = 0; i < kCount; ++i) wheel.Add(1'700'000'000'000 + random.Uniform(60'000), i);
  EXPECT_LT(wheel.memory_bytes() / kCount, 24u);
}

}  // namespace timing_wheel_test
}  // namespace varve
