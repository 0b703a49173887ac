#include "engine/merging_iterator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace merging_iterator_test {

using ::testing::ElementsAre;
using Row = std::pair<std::string, SequenceNumber>;

bool Earlier(const Row& a, const Row& b) {
  return CompareInternal(a.first, a.second, b.first, b.second) < 0;
}

// Rows in order; after `fail_after` movements every further one is an error.
class RowIterator : public InternalIterator {
 public:
  explicit RowIterator(std::vector<Row> rows, int fail_after = -1)
      : rows_(std::move(rows)), moves_left_(fail_after) {
    std::sort(rows_.begin(), rows_.end(), Earlier);
  }

  void SeekToFirst() override { Stand(0); }
  void SeekToLast() override { Stand(static_cast<int>(rows_.size()) - 1); }
  void Seek(std::string_view key, SequenceNumber sequence) override {
    Stand(static_cast<int>(
        std::lower_bound(rows_.begin(), rows_.end(), Row(key, sequence), Earlier) - rows_.begin()));
  }
  void SeekForPrev(std::string_view key, SequenceNumber sequence) override {
    Stand(static_cast<int>(std::upper_bound(rows_.begin(), rows_.end(), Row(key, sequence), Earlier) -
                           rows_.begin()) -
          1);
  }
  void Next() override { Stand(at_ + 1); }
  void Prev() override { Stand(at_ - 1); }
  Status status() const override { return status_; }

 private:
  void Stand(int at) {
    at_ = at;
    valid_ = at >= 0 && at < static_cast<int>(rows_.size());
    if (moves_left_ == 0) {
      status_ = Status::IoError("gone");
      valid_ = false;
      return;
    }
    --moves_left_;
    if (!valid_) return;
    const Row& row = rows_[static_cast<size_t>(at)];
    entry_ = {row.first, "", row.second, EntryKind::kValue};
  }

  std::vector<Row> rows_;
  int at_ = -1;
  int moves_left_;
  Status status_;
};

std::unique_ptr<InternalIterator> Merge(std::vector<std::vector<Row>> sources) {
  std::vector<std::unique_ptr<InternalIterator>> iterators;
  for (auto& rows : sources) iterators.push_back(std::make_unique<RowIterator>(std::move(rows)));
  return NewMergingIterator(std::move(iterators));
}

Row At(const InternalIterator& it) { return {std::string(it.entry().key), it.entry().sequence}; }

std::vector<Row> Forwards(InternalIterator* it) {
  std::vector<Row> rows;
  for (it->SeekToFirst(); it->Valid(); it->Next()) rows.push_back(At(*it));
  return rows;
}
std::vector<Row> Backwards(InternalIterator* it) {
  std::vector<Row> rows;
  for (it->SeekToLast(); it->Valid(); it->Prev()) rows.push_back(At(*it));
  return rows;
}

TEST(MergingIteratorTest, NoSourceHasNoEntry) {
  auto it = Merge({});
  EXPECT_THAT(Forwards(it.get()), ElementsAre());
  EXPECT_THAT(Backwards(it.get()), ElementsAre());
  EXPECT_OK(it->status());
}

TEST(MergingIteratorTest, VersionsOfAKeyComeNewestFirstFromWhateverSource) {
  auto it = Merge({{{"b", 3}, {"a", 9}}, {}, {{"a", 4}, {"b", 7}, {"c", 1}}});
  EXPECT_THAT(Forwards(it.get()),
              ElementsAre(Row("a", 9), Row("a", 4), Row("b", 7), Row("b", 3), Row("c", 1)));
  EXPECT_THAT(Backwards(it.get()),
              ElementsAre(Row("c", 1), Row("b", 3), Row("b", 7), Row("a", 4), Row("a", 9)));
}

TEST(MergingIteratorTest, KeysThatAgreeInTheirFirstBytesAreComparedWhole) {
  const std::string zero(1, '\0');
  auto it = Merge({{{"12345678b", 1}, {"a" + zero, 2}}, {{"12345678a", 2}, {"a", 1}, {"", 5}}});
  EXPECT_THAT(Forwards(it.get()), ElementsAre(Row("", 5), Row("12345678a", 2), Row("12345678b", 1),
                                              Row("a", 1), Row("a" + zero, 2)));
}

TEST(MergingIteratorTest, SeekFindsTheFirstAtOrAfterAndSeekForPrevTheLastAtOrBefore) {
  auto it = Merge({{{"a", 9}, {"c", 9}}, {{"a", 4}, {"c", 4}}});
  it->Seek("a", 8);
  EXPECT_EQ(At(*it), Row("a", 4));
  it->Seek("c", kMaxSequence);
  EXPECT_EQ(At(*it), Row("c", 9));
  it->Seek("c", 3);
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("c", 8);
  EXPECT_EQ(At(*it), Row("c", 9));
  it->SeekForPrev("b", 0);
  EXPECT_EQ(At(*it), Row("a", 4));
  it->SeekForPrev("a", kMaxSequence);
  EXPECT_FALSE(it->Valid());
}

TEST(MergingIteratorTest, TurningVisitsTheSameEntryOnceEachWay) {
  auto it = Merge({{{"a", 1}, {"d", 1}}, {{"b", 1}}, {{"c", 1}}});
  it->SeekToFirst();
  it->Next();
  it->Next();
  EXPECT_EQ(At(*it), Row("c", 1));
  it->Prev();
  EXPECT_EQ(At(*it), Row("b", 1));
  it->Next();
  EXPECT_EQ(At(*it), Row("c", 1));
  it->Next();
  EXPECT_EQ(At(*it), Row("d", 1));
  it->Next();
  EXPECT_FALSE(it->Valid());
}

// An entry shows in a memtable and in its run for the moment between two versions.
TEST(MergingIteratorTest, EqualEntriesInTwoSourcesShowTwiceInEitherDirection) {
  auto it = Merge({{{"a", 1}, {"b", 2}}, {{"a", 1}, {"b", 2}, {"c", 3}}});
  EXPECT_EQ(Forwards(it.get()).size(), 5u);
  EXPECT_EQ(Backwards(it.get()).size(), 5u);
  it->SeekToFirst();
  it->Next();
  it->Next();  // the first of the two
  EXPECT_EQ(At(*it), Row("b", 2));
  it->Prev();
  EXPECT_EQ(At(*it), Row("a", 1));
  it->Next();
  it->Next();  // the second
  EXPECT_EQ(At(*it), Row("b", 2));
  it->Prev();
  EXPECT_EQ(At(*it), Row("b", 2));
  it->Prev();
  EXPECT_EQ(At(*it), Row("a", 1));
}

TEST(MergingIteratorTest, WalksLikeOneSortedListInAnyDirection) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    std::vector<std::vector<Row>> sources(1 + random.Uniform(6));
    std::vector<Row> all;
    for (SequenceNumber sequence = 1; sequence <= random.Uniform(60); ++sequence) {
      const std::string key =
          std::string(random.Uniform(3) * 8, 'p') + std::string(1, static_cast<char>('a' + random.Uniform(5)));
      sources[random.Uniform(sources.size())].push_back({key, sequence});
      all.push_back({key, sequence});
    }
    std::sort(all.begin(), all.end(), Earlier);
    auto it = Merge(sources);
    ASSERT_EQ(Forwards(it.get()), all);
    ASSERT_EQ(Backwards(it.get()), std::vector<Row>(all.rbegin(), all.rend()));
    if (all.empty()) continue;
    for (int round = 0; round < 20; ++round) {
      int at = static_cast<int>(random.Uniform(all.size()));
      it->Seek(all[static_cast<size_t>(at)].first, all[static_cast<size_t>(at)].second);
      while (at >= 0 && at < static_cast<int>(all.size())) {
        ASSERT_TRUE(it->Valid()) << "seed " << seed;
        ASSERT_EQ(At(*it), all[static_cast<size_t>(at)]) << "seed " << seed;
        if (random.OneIn(30)) break;
        if (random.OneIn(2)) {
          it->Next();
          ++at;
        } else {
          it->Prev();
          --at;
        }
      }
      ASSERT_EQ(it->Valid(), at >= 0 && at < static_cast<int>(all.size())) << "seed " << seed;
    }
  }
}

TEST(MergingIteratorTest, ErrorOfOneSourceEndsEverything) {
  for (int moves = 0; moves < 3; ++moves) {
    std::vector<std::unique_ptr<InternalIterator>> sources;
    sources.push_back(std::make_unique<RowIterator>(std::vector<Row>{{"x", 1}, {"y", 1}}));
    sources.push_back(std::make_unique<RowIterator>(std::vector<Row>{{"a", 1}, {"b", 1}, {"c", 1}}, moves));
    auto it = NewMergingIterator(std::move(sources));
    EXPECT_EQ(Forwards(it.get()).size(), static_cast<size_t>(moves));
    EXPECT_FALSE(it->Valid());
    EXPECT_STATUS(kIoError, it->status());
  }
}

TEST(MergingIteratorTest, SingleSourceIsPassedThrough) {
  std::vector<std::unique_ptr<InternalIterator>> sources;
  sources.push_back(std::make_unique<RowIterator>(std::vector<Row>{{"a", 1}}));
  InternalIterator* const only = sources[0].get();
  EXPECT_EQ(NewMergingIterator(std::move(sources)).get(), only);
}

}  // namespace merging_iterator_test
}  // namespace varve
