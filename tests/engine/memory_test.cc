// What a store keeps in memory, and what it reserves ahead.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace memory_test {

std::string Key(uint64_t i) { return "key" + std::to_string(10'000'000 + i); }

uint64_t Accounted(Db* db) {
  const Statistics stats = db->Stats();
  return stats.memtable_bytes + stats.cache_bytes + stats.index_bytes + stats.iterator_bytes;
}

TEST(MemoryTest, StoreOfTenTimesItsBudgetKeepsWithinIt) {
  CrashEnv env;
  Options options;
  options.env = &env;
  options.memory_budget_bytes = uint64_t{8} << 20;
  auto opened = Db::Open("/db", options);
  ASSERT_OK(opened);
  Db* db = opened->get();
  constexpr uint64_t kKeys = 80'000;
  const std::string value(1000, 'v');
  uint64_t peak = 0;
  const auto look = [&] { peak = std::max(peak, Accounted(db)); };
  for (uint64_t i = 0; i < kKeys; ++i) {
    ASSERT_OK(db->Put(Key(i * 7919 % kKeys), value));
    if (i % 500 == 0) look();
  }
  ASSERT_OK(db->Flush());
  Random random(1);
  std::string got;
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_OK(db->Get(Key(random.Uniform(kKeys)), &got));
    if (i % 200 == 0) look();
  }
  std::vector<std::unique_ptr<Iterator>> iterators;
  for (int i = 0; i < 300; ++i) {
    iterators.push_back(db->NewIterator());
    if (i % 20 == 0) look();
  }
  uint64_t count = 0;
  for (iterators[0]->SeekToFirst(); iterators[0]->Valid(); iterators[0]->Next()) {
    if (++count % 1000 == 0) look();
  }
  EXPECT_EQ(count, kKeys);
  EXPECT_GT(db->Stats().index_bytes, 0u);
  EXPECT_GT(db->Stats().segment_bytes, 10 * options.memory_budget_bytes - 4'000'000);
  // The cache counts what it holds in slabs of 2 MiB, of which one may be in between.
  EXPECT_LE(peak, options.memory_budget_bytes + (uint64_t{2} << 20));
  iterators.clear();
}

TEST(MemoryTest, IndexPagesLeaveTheCacheToDataUnlessKeysAreAbsent) {
  CrashEnv env;
  Options options;
  options.env = &env;
  options.memory_budget_bytes = uint64_t{8} << 20;
  auto opened = Db::Open("/db", options);
  ASSERT_OK(opened);
  Db* db = opened->get();
  constexpr uint64_t kKeys = 40'000;
  const std::string value(1000, 'v');
  for (uint64_t i = 0; i < kKeys; ++i) ASSERT_OK(db->Put(Key(2 * (i * 7919 % kKeys)), value));
  const std::unique_ptr<Snapshot> before = db->GetSnapshot();
  ASSERT_OK(db->Put(Key(2), "newer"));
  ASSERT_OK(db->Compact());
  ASSERT_EQ(db->Stats().runs.size(), 1u);

  std::string got;
  ASSERT_OK(db->Get(Key(2), &got));
  EXPECT_EQ(got, "newer");
  ASSERT_OK(db->Get(Key(2), &got, {.snapshot = before.get()}));
  EXPECT_EQ(got, value);

  // Far from each other, so that each is in a block of its own, and that many that no two are read twice.
  constexpr uint64_t kGets = 400;
  uint64_t misses = db->Stats().cache_miss_count;
  for (uint64_t i = 1; i <= kGets; ++i) {
    ASSERT_OK(db->Get(Key(2 * i * (kKeys / kGets) - 2), &got));
    ASSERT_EQ(got, value);
  }
  misses = db->Stats().cache_miss_count - misses;
  EXPECT_LE(misses, kGets);

  // Each page of the index is read once; then absent keys cost nothing.
  const auto look_for_absent = [&] {
    for (uint64_t i = 0; i < kGets; ++i) EXPECT_TRUE(db->Get(Key(2 * i + 1), &got).IsNotFound());
  };
  for (int round = 0; round < 3; ++round) look_for_absent();
  misses = db->Stats().cache_miss_count;
  look_for_absent();
  EXPECT_EQ(db->Stats().cache_miss_count, misses);
}

class ExpectedKeysTest : public ::testing::TestWithParam<bool> {
 protected:
  ExpectedKeysTest() {
    tuning_.memtable_bytes = uint64_t{4} << 20;
    tuning_.log_window_bytes = 64 << 10;
    tuning_.cache_bytes = uint64_t{4} << 20;
    tuning_.mapped_log = GetParam();
    options_.env = &env_;
  }
  CrashEnv env_;
  Options options_;
  Tuning tuning_;
};

TEST_P(ExpectedKeysTest, FillingAllocatesNothingMoreForTheLog) {
  options_.expected_keys = 10'000;
  auto db = OpenTuned("/db", options_, tuning_);
  ASSERT_OK(db);
  const CallKind kind = GetParam() ? CallKind::kPopulate : CallKind::kAllocate;
  const uint64_t before = env_.call_count(kind);
  for (uint64_t i = 0; i < options_.expected_keys; ++i) ASSERT_OK((*db)->Put(Key(i), "value"));
  EXPECT_EQ(env_.call_count(kind), before);
}

TEST_P(ExpectedKeysTest, WhatThereIsNoSpaceForIsNoError) {
  env_.SetFreeSpace(uint64_t{1} << 20);
  options_.expected_keys = ~uint64_t{0};
  auto db = OpenTuned("/db", options_, tuning_);
  ASSERT_OK(db);
  ASSERT_OK((*db)->Put("key", "value"));
  db->reset();
  options_.expected_keys = 0;
  db = OpenTuned("/db", options_, tuning_);
  ASSERT_OK(db);
  EXPECT_EQ((*db)->Get("key").value_or(""), "value");
}

INSTANTIATE_TEST_SUITE_P(Logs, ExpectedKeysTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Mapped" : "Written"; });

}  // namespace memory_test
}  // namespace varve
