#include "engine/range_tombstones.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

namespace varve {
namespace range_tombstones_test {

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

// --- RangeTombstoneSet.

TEST(RangeTombstoneSetTest, EmptySetIsOneStretch) {
  const RangeTombstoneSet none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.MaxCovering("a", kMaxSequence), 0u);
  const auto stretch = none.StretchAround("k", kMaxSequence);
  EXPECT_EQ(stretch.sequence, 0u);
  EXPECT_TRUE(stretch.Contains(""));
  EXPECT_TRUE(stretch.Contains("\xff\xff\xff"));
}

TEST(RangeTombstoneSetTest, RangesThatCoverNothingAddNoLevel) {
  RangeTombstoneSet set;
  set.Add({{"b", "a", 5}, {"c", "c", 6}}, {10});
  EXPECT_TRUE(set.empty());
}

TEST(RangeTombstoneSetTest, CopiesDoNotSeeWhatIsAddedLater) {
  RangeTombstoneSet set;
  set.Add({{"a", "c", 5}}, {4});
  const RangeTombstoneSet before = set;
  set.Add({{"b", "d", 6}}, {4});
  EXPECT_EQ(before.MaxCovering("b", 10), 5u);
  EXPECT_EQ(before.MaxCovering("c", 10), 0u);
  EXPECT_EQ(set.MaxCovering("c", 10), 6u);
}

TEST(RangeTombstoneSetTest, LevelsStayFew) {
  RangeTombstoneSet set;
  for (uint64_t i = 0; i < 5000; ++i) {
    const std::string key = std::to_string(100000 + i * 7919 % 5000);
    set.Add({{key, key + "a", i + 1}}, {i});
    ASSERT_LE(set.level_count(), 14u);
  }
  EXPECT_EQ(set.size(), 5000u);
}

TEST(RangeTombstoneSetTest, TheSameRangeAgainAndAgainStaysSmall) {
  RangeTombstoneSet set;
  for (uint64_t i = 1; i <= 1000; ++i) set.Add({{"a", "b", i}}, {i - 1});
  EXPECT_LE(set.size(), 2u);
  EXPECT_EQ(set.MaxCovering("a", 1000), 1000u);
}

// Deletes come in one by one while snapshots come and go; every reader that lives gets the answer that
// looking at all deletes gives, for every key, and stretches are neither too long nor beside the key.
TEST(RangeTombstoneSetTest, AgreesWithLookingAtEveryDelete) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const auto key = [&] { return std::string(1, static_cast<char>('a' + random.Uniform(12))); };
    std::vector<RangeTombstone> deletes;
    std::vector<SequenceNumber> snapshots;
    RangeTombstoneSet older;  // as of another memtable
    RangeTombstoneSet set;
    SequenceNumber last = 0;
    for (int step = 0; step < 40; ++step) {
      std::vector<SequenceNumber> boundaries = snapshots;
      boundaries.push_back(last);
      std::vector<RangeTombstone> added;
      for (uint64_t n = random.Uniform(3); n > 0; --n) added.push_back({key(), key(), ++last});
      set.Add(added, boundaries);
      deletes.insert(deletes.end(), added.begin(), added.end());
      if (random.OneIn(4)) snapshots.push_back(last);
      if (!snapshots.empty() && random.OneIn(5)) snapshots.erase(snapshots.begin());
      if (step == 20) std::swap(older, set);
    }
    RangeTombstoneSet both = older;
    both.Include(set);
    snapshots.push_back(last);
    const auto expected = [&](const std::string& k, SequenceNumber reader) {
      SequenceNumber newest = 0;
      for (const RangeTombstone& d : deletes) {
        if (d.begin <= k && k < d.end && d.sequence <= reader) newest = std::max(newest, d.sequence);
      }
      return newest;
    };
    for (SequenceNumber reader : snapshots) {
      for (char c = 'a'; c <= 'm'; ++c) {
        const std::string k(1, c);
        ASSERT_EQ(both.MaxCovering(k, reader), expected(k, reader)) << "seed " << seed << " key " << k;
        const auto stretch = both.StretchAround(k, reader);
        ASSERT_TRUE(stretch.Contains(k)) << "seed " << seed << " key " << k;
        for (char d = 'a'; d <= 'm'; ++d) {
          const std::string other(1, d);
          if (!stretch.Contains(other)) continue;
          ASSERT_EQ(expected(other, reader), stretch.sequence) << "seed " << seed << " key " << k;
        }
      }
    }
  }
}

}  // namespace range_tombstones_test
}  // namespace varve
