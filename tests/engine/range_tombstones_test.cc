#include "engine/range_tombstones.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

namespace varve {
namespace {

using ::testing::ElementsAre;

TEST(RangeTombstonesTest, EmptySetCoversNothing) {
  const RangeTombstones none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.MaxCovering("a", kMaxSequence), 0u);
  EXPECT_EQ(none.Find(""), nullptr);
}

TEST(RangeTombstonesTest, BeginIsInsideAndEndIsNot) {
  const RangeTombstones set({{"b", "d", 7}}, {10});
  EXPECT_EQ(set.MaxCovering("a\xff", 10), 0u);
  EXPECT_EQ(set.MaxCovering("b", 10), 7u);
  EXPECT_EQ(set.MaxCovering("c\xff\xff", 10), 7u);
  EXPECT_EQ(set.MaxCovering("d", 10), 0u);
}

TEST(RangeTombstonesTest, ReaderBeforeTheDeleteDoesNotSeeIt) {
  const RangeTombstones set({{"a", "z", 7}}, {3, 10});
  EXPECT_EQ(set.MaxCovering("k", 6), 0u);
  EXPECT_EQ(set.MaxCovering("k", 7), 7u);
}

TEST(RangeTombstonesTest, EmptyAndInvertedRangesAreNone) {
  const RangeTombstones set({{"b", "b", 5}, {"d", "c", 6}, {"", "", 7}}, {10});
  EXPECT_TRUE(set.empty());
}

TEST(RangeTombstonesTest, RangeFromTheEmptyKeyToTheLastBytes) {
  const RangeTombstones set({{"", "\xff\xff", 5}}, {10});
  EXPECT_EQ(set.MaxCovering("", 10), 5u);
  EXPECT_EQ(set.MaxCovering("\xff", 10), 5u);
  EXPECT_EQ(set.MaxCovering("\xff\xff", 10), 0u);
}

TEST(RangeTombstonesTest, OverlappingDeletesSplitIntoFragments) {
  const RangeTombstones set({{"a", "m", 10}, {"f", "t", 25}}, {15, 30});
  ASSERT_EQ(set.size(), 3u);
  EXPECT_THAT(set.Find("a")->sequences, ElementsAre(10));
  EXPECT_THAT(set.Find("f")->sequences, ElementsAre(25, 10));
  EXPECT_THAT(set.Find("m")->sequences, ElementsAre(25));
  EXPECT_EQ(set.MaxCovering("g", 15), 10u);
  EXPECT_EQ(set.MaxCovering("g", 30), 25u);
}

TEST(RangeTombstonesTest, DeletesThatNoReaderCanTellApartAreOne) {
  const RangeTombstones set({{"a", "b", 5}, {"a", "b", 7}, {"a", "b", 9}, {"a", "b", 2}}, {20, 6});
  ASSERT_EQ(set.size(), 1u);
  EXPECT_THAT(set.Find("a")->sequences, ElementsAre(9, 5));
}

TEST(RangeTombstonesTest, DeletesThatNobodySeesYetStayApart) {
  const RangeTombstones set({{"a", "b", 21}, {"a", "b", 23}, {"a", "b", 19}, {"a", "b", 18}}, {20});
  EXPECT_THAT(set.Find("a")->sequences, ElementsAre(23, 21, 19));
  EXPECT_EQ(set.MaxCovering("a", 22), 21u);
}

TEST(RangeTombstonesTest, NeighboursWithEqualSequencesJoin) {
  const RangeTombstones set({{"a", "c", 5}, {"c", "e", 5}}, {20});
  ASSERT_EQ(set.size(), 1u);
  EXPECT_EQ(set.Find("d")->begin, "a");
  EXPECT_EQ(set.Find("d")->end, "e");
}

TEST(RangeTombstonesTest, NeighboursWithAGapStayApart) {
  const RangeTombstones set({{"a", "b", 5}, {"c", "d", 5}}, {20});
  EXPECT_EQ(set.size(), 2u);
  EXPECT_EQ(set.Find("b"), nullptr);
}

TEST(RangeTombstonesTest, TwiceTheSameDeleteEndsOnceForEach) {
  const RangeTombstones set({{"a", "c", 5}, {"a", "b", 5}}, {20});
  EXPECT_EQ(set.MaxCovering("b", 20), 5u);
}

// Every reader that may exist gets the answer that looking at all deletes gives.
TEST(RangeTombstonesTest, AgreesWithLookingAtEveryDelete) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const auto key = [&] { return std::string(1, static_cast<char>('a' + random.Uniform(12))); };
    std::vector<RangeTombstone> deletes;
    for (uint64_t n = random.Uniform(15); n > 0; --n) {
      deletes.push_back({key(), key(), 1 + random.Uniform(40)});
    }
    std::vector<SequenceNumber> boundaries = {40};
    for (uint64_t n = random.Uniform(4); n > 0; --n) boundaries.push_back(random.Uniform(41));
    // All at once, or one after the other.
    RangeTombstones set(deletes, boundaries);
    if (seed % 2 == 0) {
      set = RangeTombstones();
      for (const RangeTombstone& d : deletes) set = set.With(d, boundaries);
    }
    for (SequenceNumber reader : boundaries) {
      for (char c = 'a'; c <= 'm'; ++c) {
        const std::string k(1, c);
        SequenceNumber expected = 0;
        for (const RangeTombstone& d : deletes) {
          if (d.begin <= k && k < d.end && d.sequence <= reader) {
            expected = std::max(expected, d.sequence);
          }
        }
        ASSERT_EQ(set.MaxCovering(k, reader), expected) << "seed " << seed << " key " << k;
      }
    }
  }
}

// Enough fragments for many chunks, which grow, split and melt together.
TEST(RangeTombstonesTest, GrowsOneByOneIntoWhatIsMadeAtOnce) {
  Random random(7);
  const auto key = [](uint64_t n) {
    std::string digits = std::to_string(n);
    return std::string(6 - digits.size(), '0') + digits;
  };
  const std::vector<SequenceNumber> boundaries = {1'000'000};
  std::vector<RangeTombstone> deletes;
  RangeTombstones grown;
  for (SequenceNumber sequence = 1; sequence <= 3000; ++sequence) {
    // Mostly one by one in ascending order, some anywhere, a few over many others.
    const uint64_t at = random.OneIn(3) ? random.Uniform(9000) : 3 * sequence;
    const uint64_t width = random.OneIn(300) ? random.Uniform(1000) : random.Uniform(3);
    deletes.push_back({key(at), key(at + width), sequence});
    const RangeTombstones before = grown;
    const size_t size_before = before.size();
    grown = grown.With(deletes.back(), boundaries);
    EXPECT_EQ(before.size(), size_before);
    if (sequence % 500 != 0) continue;
    const RangeTombstones whole(deletes, boundaries);
    size_t fragments = 0;
    std::string last_end;
    for (uint64_t n = 0; n < 10'100; ++n) {
      const std::string k = key(n);
      ASSERT_EQ(grown.MaxCovering(k, 1'000'000), whole.MaxCovering(k, 1'000'000)) << k;
      const RangeTombstones::Fragment* fragment = grown.Find(k);
      ASSERT_EQ(fragment == nullptr, whole.Find(k) == nullptr) << k;
      if (fragment == nullptr || fragment->begin != k) continue;
      ++fragments;
      ASSERT_LE(last_end, fragment->begin);
      last_end = fragment->end;
    }
    EXPECT_EQ(grown.size(), fragments);
  }
}

}  // namespace
}  // namespace varve
