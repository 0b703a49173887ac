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
    const RangeTombstones set(deletes, boundaries);
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

}  // namespace
}  // namespace varve
