// MultiGet where its short cuts end: many runs, keys that the point index mistakes for others, entries of
// mixed sizes.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace multi_get_test {

class MultiGetTest : public ::testing::Test {
 protected:
  MultiGetTest() {
    Tuning tuning;
    tuning.memtable_bytes = 4 << 20;
    tuning.segment_bytes = 256 << 10;
    tuning.tier_runs = 64;
    tuning.slowdown_runs = 64;
    tuning.idle_millis = 1'000'000;
    tuning.cache_bytes = 16 << 20;
    Options options;
    options.env = &env_;
    options.space_amplification_target = 10;
    auto db = OpenTuned("/db", options, tuning);
    EXPECT_OK(db);
    db_ = *std::move(db);
  }
  void ExpectAgreement(const std::vector<std::string>& names, const ReadOptions& options = {}) {
    const auto results = db_->MultiGet({names.begin(), names.end()}, options);
    ASSERT_EQ(results.size(), names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      const auto expected = db_->Get(names[i], options);
      ASSERT_EQ(results[i].status().code(), expected.status().code()) << names[i];
      if (expected.ok()) {
        ASSERT_EQ(*results[i], *expected) << names[i];
      }
    }
  }

  CrashEnv env_;
  std::unique_ptr<Db> db_;
};

TEST_F(MultiGetTest, KeysOfTheSameTagAreToldApart) {
  WriteBatch batch;
  for (int i = 0; i < 20'000; ++i) batch.Put("key" + std::to_string(i), "v");
  ASSERT_OK(db_->Write(batch));
  ASSERT_OK(db_->Flush());
  // Of an absent key one in some 10,000 has the tag of a present one in its bucket.
  for (int from = 0; from < 200'000; from += 1000) {
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back("key" + std::to_string(from + i) + "x");
    for (const auto& result : db_->MultiGet({names.begin(), names.end()})) {
      ASSERT_TRUE(result.status().IsNotFound()) << *result;
    }
  }
}

TEST_F(MultiGetTest, ManyRunsAndMixedSizes) {
  Random random(7);
  std::unique_ptr<Snapshot> snapshot;
  // An old run that is large beside all others together: nothing asks to be merged.
  for (int i = 0; i < 3000; ++i) ASSERT_OK(db_->Put("key" + std::to_string(i), std::string(300, 'o')));
  ASSERT_OK(db_->Flush());
  for (int run = 0; run < 12; ++run) {
    for (int i = 0; i < 50; ++i) {
      const std::string key = "key" + std::to_string(random.Uniform(1000));
      if (random.Uniform(30) == 0) {
        ASSERT_OK(db_->Delete(key));
      } else {
        ASSERT_OK(db_->Put(key, std::string(random.Uniform(1 + 400 * (i % 13)), 'v') + key));
      }
    }
    if (run == 6) snapshot = db_->GetSnapshot();
    if (run == 8) {
      ASSERT_OK(db_->DeleteRange("key3", "key4"));
    }
    if (run < 11) {
      ASSERT_OK(db_->Flush());
    }
  }
  ASSERT_GT(db_->Stats().runs.size(), 8u);
  std::vector<std::string> names;
  for (int i = 0; i < 3100; ++i) names.push_back("key" + std::to_string(i));
  ExpectAgreement(names);
  ExpectAgreement(names, {.snapshot = snapshot.get()});
  ASSERT_OK(db_->Compact());
  ExpectAgreement(names);
}

}  // namespace multi_get_test
}  // namespace varve
