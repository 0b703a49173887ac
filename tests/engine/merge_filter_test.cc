#include "engine/merge_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "format/expiry.h"

namespace varve {
namespace merge_filter_test {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Version {
  std::string key;
  SequenceNumber sequence;
  EntryKind kind = EntryKind::kValue;
};

Version Put(std::string key, SequenceNumber sequence) { return {std::move(key), sequence}; }
Version Del(std::string key, SequenceNumber sequence) {
  return {std::move(key), sequence, EntryKind::kDelete};
}

class MergeFilterTest : public ::testing::Test {
 protected:
  // What is kept of `versions`, which are in internal order.
  std::vector<Version> Filter(const std::vector<Version>& versions) {
    MergeRules rules;
    rules.boundaries = boundaries_;
    rules.tombstones = &tombstones_;
    rules.is_bottom = is_bottom_;
    rules.forget_sequences = forget_;
    MergeFilter filter(rules);
    std::vector<Version> kept;
    for (const Version& version : versions) {
      const std::string value = version.kind == EntryKind::kDelete ? "" : "value";
      Entry entry{version.key, value, version.sequence, version.kind};
      if (filter.Keep(&entry)) kept.push_back({version.key, entry.sequence, entry.kind});
    }
    kept_for_snapshots_ = filter.kept_for_snapshots();
    return kept;
  }
  // The same to read: "k@7", and "-k@7" for a tombstone.
  std::vector<std::string> Kept(const std::vector<Version>& versions) {
    std::vector<std::string> shown;
    for (const Version& version : Filter(versions)) {
      shown.push_back((version.kind == EntryKind::kDelete ? "-" : "") + version.key + "@" +
                      std::to_string(version.sequence));
    }
    return shown;
  }

  std::vector<SequenceNumber> boundaries_ = {100};
  RangeTombstones tombstones_;
  bool is_bottom_ = false;
  bool forget_ = false;
  uint64_t kept_for_snapshots_ = 0;
};

TEST_F(MergeFilterTest, WithoutSnapshotsTheNewestVersionStays) {
  EXPECT_THAT(Kept({Put("a", 9), Put("a", 5), Put("b", 7), Del("c", 4), Put("c", 3)}),
              ElementsAre("a@9", "b@7", "-c@4"));
  EXPECT_EQ(kept_for_snapshots_, 0u);
}

TEST_F(MergeFilterTest, EachSnapshotKeepsTheVersionItSees) {
  boundaries_ = {20, 65, 100};
  EXPECT_THAT(Kept({Put("k", 90), Put("k", 70), Put("k", 60), Put("k", 50), Put("k", 10)}),
              ElementsAre("k@90", "k@60", "k@10"));
  EXPECT_GT(kept_for_snapshots_, 0u);
}

TEST_F(MergeFilterTest, VersionAtABoundaryBelongsToItsReader) {
  boundaries_ = {20, 100};
  EXPECT_THAT(Kept({Put("k", 21), Put("k", 20), Put("k", 19)}), ElementsAre("k@21", "k@20"));
}

// Readers may appear at any number above the last boundary: each group of writers becomes visible by itself.
TEST_F(MergeFilterTest, VersionsThatNobodySeesYetHideNothing) {
  boundaries_ = {10, 20};
  EXPECT_THAT(Kept({Put("k", 23), Del("k", 22), Put("k", 21), Put("k", 20), Put("k", 15)}),
              ElementsAre("k@23", "-k@22", "k@21", "k@20"));
}

TEST_F(MergeFilterTest, EmptyKeyIsAKeyLikeAnyOther) {
  EXPECT_THAT(Kept({Put("", 9), Put("", 5), Put(std::string(1, '\0'), 4)}),
              ElementsAre("@9", std::string("\0@4", 3)));
}

TEST_F(MergeFilterTest, StateOfOneKeyDoesNotReachTheNext) {
  boundaries_ = {20, 100};
  EXPECT_THAT(Kept({Put("a", 50), Put("b", 50), Put("b", 40), Put("c", 5)}),
              ElementsAre("a@50", "b@50", "c@5"));
}

TEST_F(MergeFilterTest, TombstoneStaysAboveTheBottomAndGoesThere) {
  const std::vector<Version> versions = {Del("a", 9), Put("a", 5), Put("b", 1)};
  EXPECT_THAT(Kept(versions), ElementsAre("-a@9", "b@1"));
  is_bottom_ = true;
  EXPECT_THAT(Kept(versions), ElementsAre("b@1"));
}

TEST_F(MergeFilterTest, BottomTombstoneStaysWhileASnapshotSeesWhatItDeleted) {
  is_bottom_ = true;
  boundaries_ = {6, 100};
  EXPECT_THAT(Kept({Del("a", 9), Put("a", 5)}), ElementsAre("-a@9", "a@5"));
  boundaries_ = {10, 100};
  EXPECT_THAT(Kept({Del("a", 9), Put("a", 5)}), IsEmpty());
}

TEST_F(MergeFilterTest, RangeDeleteThatEveryReaderSeesIsApplied) {
  tombstones_ = RangeTombstones({{"b", "d", 50}}, {100});
  EXPECT_THAT(Kept({Put("a", 9), Put("b", 49), Put("b", 3), Put("c", 51), Put("c", 8), Put("d", 9)}),
              ElementsAre("a@9", "c@51", "d@9"));
}

TEST_F(MergeFilterTest, RangeDeleteThatASnapshotDoesNotSeeIsNotApplied) {
  boundaries_ = {30, 100};
  tombstones_ = RangeTombstones({{"b", "d", 50}}, boundaries_);
  EXPECT_THAT(Kept({Put("b", 40), Put("b", 20)}), ElementsAre("b@40", "b@20"));
}

TEST_F(MergeFilterTest, EntryHiddenByARangeDeleteStillHidesOlderOnes) {
  tombstones_ = RangeTombstones({{"b", "d", 50}}, {100});
  EXPECT_THAT(Kept({Put("b", 49), Put("b", 48)}), IsEmpty());
}

TEST_F(MergeFilterTest, SequencesThatEveryReaderSeesAreForgottenAtTheBottom) {
  is_bottom_ = forget_ = true;
  boundaries_ = {30, 100};
  EXPECT_THAT(Kept({Put("a", 40), Put("a", 20), Put("b", 30), Put("c", 31)}),
              ElementsAre("a@40", "a@1", "b@1", "c@31"));
}

// For every reader that may exist, what it finds after filtering is what it found before.
TEST_F(MergeFilterTest, NoReaderSeesADifference) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    boundaries_ = {40};
    for (uint64_t n = random.Uniform(4); n > 0; --n) boundaries_.push_back(random.Uniform(41));
    std::sort(boundaries_.begin(), boundaries_.end());
    std::vector<RangeTombstone> deletes;
    for (uint64_t n = random.Uniform(3); n > 0; --n) {
      deletes.push_back({"a", random.OneIn(2) ? "b" : "d", 1 + random.Uniform(40)});
    }
    tombstones_ = RangeTombstones(deletes, boundaries_);
    is_bottom_ = random.OneIn(2);
    forget_ = is_bottom_ && deletes.empty();
    std::vector<Version> versions;
    for (const char* key : {"a", "b", "c"}) {
      for (SequenceNumber sequence = 40; sequence > 1; --sequence) {
        if (random.OneIn(8)) versions.push_back(random.OneIn(3) ? Del(key, sequence) : Put(key, sequence));
      }
    }
    const auto reads = [&](const std::vector<Version>& from, const std::string& key, SequenceNumber at) {
      for (const Version& version : from) {
        if (version.key != key || version.sequence > at) continue;
        return version.kind != EntryKind::kDelete &&
               tombstones_.MaxCovering(key, at) <= version.sequence;
      }
      return false;
    };
    const std::vector<Version> kept = Filter(versions);
    for (SequenceNumber reader : boundaries_) {
      for (const std::string key : {"a", "b", "c"}) {
        ASSERT_EQ(reads(kept, key, reader), reads(versions, key, reader))
            << "seed " << seed << " key " << key << " reader " << reader;
      }
    }
  }
}

// --- Time to live.

TEST(MergeFilterExpiryTest, WhatHasExpiredBecomesATombstone) {
  const auto stored = [](uint64_t deadline) {
    std::string bytes;
    AppendFixed(&bytes, EncodeDeadline(deadline, EntryKind::kExpiringValue));
    return bytes + "v";
  };
  const RangeTombstones none;
  for (const bool is_bottom : {false, true}) {
    // 90 is not visible yet. 10 is hidden by 50 although that has expired.
    MergeFilter filter({.boundaries = {20, 80},
                        .tombstones = &none,
                        .is_bottom = is_bottom,
                        .expired_until = 1000});
    const auto keep = [&](SequenceNumber sequence, const std::string& value) {
      Entry entry{"k", value, sequence, EntryKind::kExpiringValue};
      if (!filter.Keep(&entry)) return std::string("dropped");
      EXPECT_EQ(entry.value, entry.kind == EntryKind::kDelete ? "" : value);
      return std::string(entry.kind == EntryKind::kDelete ? "tombstone" : "kept");
    };
    EXPECT_EQ(keep(90, stored(1000)), "kept");
    EXPECT_EQ(keep(50, stored(1000)), "tombstone");
    EXPECT_EQ(keep(40, stored(2000)), "dropped");
    EXPECT_EQ(keep(20, stored(1000)), is_bottom ? "dropped" : "tombstone");
    EXPECT_EQ(keep(10, stored(2000)), "dropped");
    MergeFilter later({.boundaries = {80}, .tombstones = &none, .is_bottom = is_bottom, .expired_until = 999});
    const std::string value = stored(1000);
    Entry entry{"k", value, 50, EntryKind::kExpiringValue};
    EXPECT_TRUE(later.Keep(&entry));
    EXPECT_EQ(entry.kind, EntryKind::kExpiringValue);
  }
}

}  // namespace merge_filter_test
}  // namespace varve
