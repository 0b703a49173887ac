// Many range deletes, and scans over what they delete.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace range_delete_test {

using ::testing::IsEmpty;
using Rows = std::vector<std::pair<std::string, std::string>>;

class RangeDeleteTest : public ::testing::Test {
 protected:
  RangeDeleteTest() {
    tuning_.memtable_bytes = 256 << 10;
    tuning_.segment_bytes = 32 << 10;
    tuning_.tier_runs = 4;
    tuning_.log_window_bytes = 64 << 10;
    tuning_.cache_bytes = 4 << 20;
    Open();
  }
  void Open() {
    db_.reset();
    Options options;
    options.env = &env_;
    auto db = OpenTuned("/db", options, tuning_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  static std::string Key(uint64_t i) {
    char key[24];
    std::snprintf(key, sizeof(key), "k%07llu", static_cast<unsigned long long>(i));
    return key;
  }
  Rows Forwards() {
    auto it = db_->NewIterator();
    Rows rows;
    for (it->SeekToFirst(); it->Valid(); it->Next()) rows.emplace_back(it->key(), it->value());
    EXPECT_OK(it->status());
    return rows;
  }
  Rows Backwards() {
    auto it = db_->NewIterator();
    Rows rows;
    for (it->SeekToLast(); it->Valid(); it->Prev()) rows.emplace_back(it->key(), it->value());
    EXPECT_OK(it->status());
    return {rows.rbegin(), rows.rend()};
  }
  uint64_t BlocksTouched() {
    const Statistics stats = db_->Stats();
    return stats.cache_hit_count + stats.cache_miss_count;
  }

  CrashEnv env_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
};

TEST_F(RangeDeleteTest, ScanLeapsOverADeletedRange) {
  constexpr uint64_t kKeys = 20'000;
  for (uint64_t i = 0; i < kKeys; ++i) ASSERT_OK(db_->Put(Key(i), std::string(100, 'v')));
  ASSERT_OK(db_->Compact());
  const auto snapshot = db_->GetSnapshot();  // what is deleted has to stay
  ASSERT_OK(db_->DeleteRange(Key(10), Key(kKeys - 10)));
  ASSERT_OK(db_->Put(Key(kKeys / 2), "newer"));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(db_->Stats().entry_count, kKeys + 1);
    const uint64_t before = BlocksTouched();
    const Rows rows = Forwards();
    ASSERT_EQ(rows.size(), 21u);
    EXPECT_EQ(rows[10].second, "newer");
    EXPECT_EQ(Backwards(), rows);
    // Of some 700 blocks each way.
    EXPECT_LT(BlocksTouched() - before, 60u);
    ASSERT_OK(db_->Flush());
  }
}

TEST_F(RangeDeleteTest, ManyRangeDeletesAreOneFlush) {
  constexpr uint64_t kRanges = 20'000;
  tuning_.memtable_bytes = 16 << 20;
  Open();
  for (uint64_t i = 0; i < kRanges; ++i) ASSERT_OK(db_->Put(Key(i * 10), "v"));
  ASSERT_OK(db_->Flush());
  for (uint64_t i = 0; i < kRanges; i += 2) ASSERT_OK(db_->DeleteRange(Key(i * 10), Key(i * 10 + 5)));
  EXPECT_LE(db_->Stats().flush_count, 1u);
  for (int round = 0; round < 3; ++round) {
    const Rows rows = Forwards();
    ASSERT_EQ(rows.size(), kRanges / 2);
    for (uint64_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i].first, Key(20 * i + 10));
    EXPECT_EQ(Backwards(), rows);
    EXPECT_STATUS(kNotFound, db_->Get(Key(400)));
    EXPECT_OK(db_->Get(Key(410)));
    if (round == 0) Open();  // from the log
    if (round == 1) {
      ASSERT_OK(db_->Compact());
    }
  }
  ASSERT_OK(db_->WaitForBackgroundWork());
  EXPECT_EQ(db_->Stats().range_tombstone_count, 0u);
}

TEST_F(RangeDeleteTest, RangesOverTheMemtableOnlyAreForgottenAtItsFlush) {
  for (uint64_t i = 0; i < 100; ++i) ASSERT_OK(db_->Put(Key(i), "v"));
  for (uint64_t i = 0; i < 50; ++i) ASSERT_OK(db_->DeleteRange(Key(i), Key(i + 1)));
  ASSERT_OK(db_->Flush());
  EXPECT_EQ(db_->Stats().range_tombstone_count, 0u);
  EXPECT_EQ(Forwards().size(), 50u);
  Open();
  EXPECT_EQ(Forwards().size(), 50u);
}

// Long ranges over several runs with newer entries among them, seen by readers of several moments and in
// both directions.
TEST_F(RangeDeleteTest, ScansAgreeWithAMap) {
  constexpr uint64_t kKeys = 400;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    Random random(seed);
    std::map<std::string, std::string> model;
    ASSERT_OK(db_->DeleteRange("", "z"));
    std::map<std::string, std::string> then;
    std::unique_ptr<Snapshot> snapshot;
    for (int step = 0; step < 30; ++step) {
      for (uint64_t n = random.Uniform(100); n > 0; --n) {
        const std::string key = Key(random.Uniform(kKeys));
        const std::string value = std::to_string(step) + std::string(random.Uniform(200), 'v');
        ASSERT_OK(db_->Put(key, value));
        model[key] = value;
      }
      const uint64_t begin = random.Uniform(kKeys);
      const uint64_t end = begin + random.Uniform(kKeys / 2);
      ASSERT_OK(db_->DeleteRange(Key(begin), Key(end)));
      model.erase(model.lower_bound(Key(begin)), model.lower_bound(Key(end)));
      if (random.OneIn(3)) {
        ASSERT_OK(db_->Flush());
      }
      if (step == 15) {
        snapshot = db_->GetSnapshot();
        then = model;
      }
    }
    ASSERT_EQ(Forwards(), Rows(model.begin(), model.end())) << "seed " << seed;
    ASSERT_EQ(Backwards(), Rows(model.begin(), model.end())) << "seed " << seed;
    IteratorOptions options;
    options.snapshot = snapshot.get();
    auto it = db_->NewIterator(options);
    auto expected = then.begin();
    for (it->SeekToFirst(); it->Valid(); it->Next(), ++expected) {
      ASSERT_NE(expected, then.end()) << "seed " << seed;
      ASSERT_EQ(it->key(), expected->first) << "seed " << seed;
    }
    ASSERT_EQ(expected, then.end()) << "seed " << seed;
    // To and fro from random places.
    for (int walk = 0; walk < 50 && !then.empty(); ++walk) {
      const std::string from = Key(random.Uniform(kKeys));
      auto at = then.lower_bound(from);
      it->Seek(from);
      for (int move = 0; move < 12; ++move) {
        ASSERT_EQ(it->Valid(), at != then.end()) << "seed " << seed << " from " << from;
        if (at == then.end()) break;
        ASSERT_EQ(it->key(), at->first) << "seed " << seed << " from " << from;
        ASSERT_EQ(it->value(), at->second) << "seed " << seed << " from " << from;
        if (random.OneIn(2)) {
          it->Next(), ++at;
        } else if (at == then.begin()) {
          it->Prev();
          ASSERT_FALSE(it->Valid());
          break;
        } else {
          it->Prev(), --at;
        }
      }
    }
  }
  ASSERT_OK(db_->DeleteRange("", "z"));
  ASSERT_OK(db_->Compact());
  EXPECT_THAT(Forwards(), IsEmpty());
}

}  // namespace range_delete_test
}  // namespace varve
