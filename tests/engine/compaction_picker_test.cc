#include "engine/compaction_picker.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace varve {
namespace compaction_picker_test {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class CompactionPickerTest : public ::testing::Test {
 protected:
  CompactionPickerTest() {
    policy_.tier_runs = 4;
    policy_.space_amplification_target = 1.5;
    policy_.small_run_bytes = kMiB;
  }
  // Newest first, in MiB.
  void SetRuns(const std::vector<uint64_t>& sizes) {
    input_.runs.clear();
    for (uint64_t size : sizes) input_.runs.push_back({size * kMiB, 0, 1000});
  }
  // "first-last", "first-last values", "first-last all", or "nothing".
  std::string Pick(bool idle = false) const {
    const std::optional<CompactionPick> pick = PickCompaction(input_, policy_, idle);
    if (!pick) return "nothing";
    return std::to_string(pick->first) + "-" + std::to_string(pick->last) +
           (pick->rewrites_values ? " values" : "") + (pick->rewrites_all ? " all" : "");
  }
  std::string PickWhenIdle() const { return Pick(/*idle=*/true); }

  CompactionInput input_;
  CompactionPolicy policy_;
};

TEST_F(CompactionPickerTest, EmptyStoreHasNothingToDo) {
  input_.value_log_bytes = input_.value_log_dead_bytes = kMiB;
  EXPECT_EQ(Pick(), "nothing");
  EXPECT_EQ(PickWhenIdle(), "nothing");
}

TEST_F(CompactionPickerTest, SingleCleanRunIsLeftAlone) {
  SetRuns({1000});
  EXPECT_EQ(Pick(), "nothing");
  EXPECT_EQ(PickWhenIdle(), "nothing");
}

TEST_F(CompactionPickerTest, TierIsMergedWhenItIsFull) {
  SetRuns({60, 60, 60, 1000});
  EXPECT_EQ(Pick(), "nothing");
  SetRuns({60, 60, 60, 60, 1000});
  EXPECT_EQ(Pick(), "0-3");
}

TEST_F(CompactionPickerTest, OlderTierIsMergedWhenTheYoungestIsNotFull) {
  SetRuns({10, 90, 90, 90, 90, 2000});
  EXPECT_EQ(Pick(), "1-4");
}

TEST_F(CompactionPickerTest, TinyRunsCountAsSimilar) {
  input_.runs = {{1, 0, 1}, {kMiB, 0, 1}, {7, 0, 1}, {kMiB / 2, 0, 1}, {1000 * kMiB, 0, 1000}};
  EXPECT_EQ(Pick(), "0-3");
}

TEST_F(CompactionPickerTest, YoungRunsAsLargeAsTheLastAreMergedIntoIt) {
  SetRuns({99, 200, 300});
  EXPECT_EQ(Pick(), "nothing");
  SetRuns({100, 200, 300});
  EXPECT_EQ(Pick(), "0-2");
}

TEST_F(CompactionPickerTest, ManyRunsOfUnlikeSizesAreMergedAllTheSame) {
  std::vector<uint64_t> sizes;
  for (uint64_t size = 1; sizes.size() < 17; size *= 3) sizes.push_back(size);
  SetRuns(sizes);
  EXPECT_EQ(Pick(), "0-15");
}

TEST_F(CompactionPickerTest, IdleStoreMergesWhatIsASixteenthOfTheLastRun) {
  SetRuns({62, 1000});
  EXPECT_EQ(PickWhenIdle(), "nothing");
  SetRuns({63, 1000});
  EXPECT_EQ(PickWhenIdle(), "0-1");
  EXPECT_EQ(Pick(), "nothing");
}

TEST_F(CompactionPickerTest, IdleStoreMergesItsYoungRunsAmongThemselves) {
  SetRuns({1, 30, 1000});
  EXPECT_EQ(PickWhenIdle(), "0-1");
  EXPECT_EQ(Pick(), "nothing");
}

TEST_F(CompactionPickerTest, ValueGarbageBeyondHalfTheTargetIsCollected) {
  SetRuns({1000});
  input_.segment_bytes = 100 * kMiB;
  input_.value_log_bytes = 1000 * kMiB;
  input_.value_log_dead_bytes = 200 * kMiB;  // a quarter of the 900 alive would be 225
  EXPECT_EQ(Pick(), "nothing");
  input_.value_log_dead_bytes = 240 * kMiB;
  EXPECT_EQ(Pick(), "0-0 values");
}

TEST_F(CompactionPickerTest, CoveredEntriesGoWhenIdle) {
  SetRuns({1000});
  input_.has_covered_entries = true;
  EXPECT_EQ(Pick(), "nothing");
  EXPECT_EQ(PickWhenIdle(), "0-0");
}

TEST_F(CompactionPickerTest, VersionsOfAReleasedSnapshotGoWhenIdle) {
  SetRuns({1000});
  input_.has_unmerged_versions = true;
  EXPECT_EQ(Pick(), "nothing");
  EXPECT_EQ(PickWhenIdle(), "0-0 all");
}

TEST_F(CompactionPickerTest, TombstonesOfTheOnlyRunGoWhenIdle) {
  SetRuns({1000});
  input_.runs[0].tombstones = 62;
  EXPECT_EQ(PickWhenIdle(), "nothing");
  input_.runs[0].tombstones = 63;
  EXPECT_EQ(PickWhenIdle(), "0-0");
  EXPECT_EQ(Pick(), "nothing");
}

// Merging what is picked must come to an end, whatever the sizes are.
TEST_F(CompactionPickerTest, DoingWhatItSaysEndsWithNothingToDo) {
  for (uint64_t shape = 1; shape < 60; ++shape) {
    std::vector<uint64_t> sizes;
    for (uint64_t i = 0; i < shape % 40; ++i) sizes.push_back(shape * (i + 1) * 7919 % 997);
    SetRuns(sizes);
    int merges = 0;
    while (auto pick = PickCompaction(input_, policy_, /*idle=*/true)) {
      ASSERT_LT(++merges, 100);
      ASSERT_LE(pick->first, pick->last);
      ASSERT_LT(pick->last, input_.runs.size());
      ASSERT_LT(pick->first, pick->last);
      for (size_t i = pick->first; i < pick->last; ++i) {
        input_.runs[pick->last].logical_bytes += input_.runs[i].logical_bytes;
      }
      input_.runs.erase(input_.runs.begin() + static_cast<ptrdiff_t>(pick->first),
                        input_.runs.begin() + static_cast<ptrdiff_t>(pick->last));
    }
    EXPECT_LE(input_.runs.size(), 2u);
  }
}

// --- What has expired.

// 1600 bytes, of which `expired` are gone from 900 on, and more later.
SegmentMeta SegmentWith(uint64_t expired, std::vector<ExpirySummary::Share> more = {}) {
  SegmentMeta meta;
  meta.logical_bytes = 1600;
  meta.expiry = {.entry_count = 1, .min_deadline = 900, .max_deadline = 900, .shares = {{900, expired}}};
  for (const auto& share : more) {
    meta.expiry.shares.push_back(share);
    meta.expiry.max_deadline = share.until;
  }
  return meta;
}

TEST(HasManyExpiredTest, AQuarterOrWhenIdleASixteenth) {
  EXPECT_FALSE(HasManyExpired(SegmentWith(399), 1000, false));
  EXPECT_TRUE(HasManyExpired(SegmentWith(400), 1000, false));
  EXPECT_FALSE(HasManyExpired(SegmentWith(400), 899, false));
  EXPECT_FALSE(HasManyExpired(SegmentWith(99), 1000, true));
  EXPECT_TRUE(HasManyExpired(SegmentWith(100), 1000, true));
  EXPECT_FALSE(HasManyExpired(SegmentMeta(), 1000, true));
}

TEST(HasManyExpiredTest, IdleWaitsWhileMuchMoreIsAboutToExpire) {
  EXPECT_FALSE(HasManyExpired(SegmentWith(100, {{1100, 100}}), 1000, true));
  EXPECT_TRUE(HasManyExpired(SegmentWith(100, {{1100, 99}}), 1000, true));
  EXPECT_TRUE(HasManyExpired(SegmentWith(100, {{1101, 500}}), 1000, true));  // later than as long again
  EXPECT_TRUE(HasManyExpired(SegmentWith(400, {{1100, 900}}), 1000, true));
}

TEST(HasManyExpiredTest, TheOldestRunWithManyExpiredEntriesIsWrittenAgainAlone) {
  CompactionInput input;
  input.runs = {{.logical_bytes = 10 << 20, .has_expired = true},
                {.logical_bytes = 100 << 20, .has_expired = true},
                {.logical_bytes = 1000 << 20}};
  const auto pick = PickCompaction(input, {}, false);
  ASSERT_TRUE(pick.has_value());
  EXPECT_EQ(pick->first, 1u);
  EXPECT_EQ(pick->last, 1u);
}

}  // namespace compaction_picker_test
}  // namespace varve
