// Keys and values at and beyond their limits, the empty ones, compare-and-set, and At.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "env/env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"
#include "varve/varve.h"

namespace varve::test {
namespace limits_test {

class LimitsTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  // With small memtables: a large key or value fills several.
  void Reopen() {
    db_.reset();
    auto db = OpenerFor(config_)(temp_.Sub("store"), Env::Default());
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  void ReopenWith(uint32_t max_key_bytes, uint32_t max_value_bytes) {
    config_.options.max_key_bytes = max_key_bytes;
    config_.options.max_value_bytes = max_value_bytes;
    Reopen();
  }
  size_t KeyCount() {
    size_t count = 0;
    auto it = db_->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) count++;
    EXPECT_OK(it->status());
    return count;
  }
  static void ExpectRefused(const Status& status, std::string_view limit) {
    EXPECT_STATUS(kInvalidArgument, status);
    EXPECT_NE(status.message().find(limit), std::string_view::npos) << status.ToString();
  }

  TempDir temp_;
  StoreConfig config_ = SmallStoreConfig();
  std::unique_ptr<Db> db_;
};

TEST_F(LimitsTest, LongestKeyIsKeptInEveryLayer) {
  const std::string key(65535, 'k');
  ASSERT_OK(db_->Put(key, "longest"));
  EXPECT_EQ(db_->Get(key).value_or(""), "longest");
  ASSERT_OK(db_->Flush());
  EXPECT_EQ(db_->Get(key).value_or(""), "longest");
  Reopen();
  EXPECT_EQ(db_->Get(key).value_or(""), "longest");
  auto it = db_->NewIterator();
  it->SeekToLast();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), key);
  ASSERT_OK(db_->Compact());
  EXPECT_EQ(db_->Get(key).value_or(""), "longest");
}

TEST_F(LimitsTest, LongerKeyIsRefusedByEveryWrite) {
  const std::string key(65536, 'k');
  ExpectRefused(db_->Put(key, "value"), "65535");
  ExpectRefused(db_->Delete(key), "65535");
  ExpectRefused(db_->CompareAndSet(key, std::nullopt, "value"), "65535");
  WriteBatch batch;
  batch.Put(key, "value");
  ExpectRefused(db_->Write(batch), "65535");
  EXPECT_EQ(KeyCount(), 0u);
}

TEST_F(LimitsTest, LongerKeyIsAbsentForReads) {
  EXPECT_STATUS(kNotFound, db_->Get(std::string(65536, 'k')));
  EXPECT_STATUS(kNotFound, db_->GetPinned(std::string(200'000, 'k')));
}

TEST_F(LimitsTest, LimitsOfTheOptionsAreNamed) {
  ReopenWith(10, 1000);
  EXPECT_OK(db_->Put(std::string(10, 'k'), std::string(1000, 'v')));
  ExpectRefused(db_->Put(std::string(11, 'k'), "value"), "10");
  ExpectRefused(db_->Put("key", std::string(1001, 'v')), "1000");
  EXPECT_EQ(KeyCount(), 1u);
}

TEST_F(LimitsTest, ValueBeyondTheLargestIsRefused) {
  // Never touched: the size is all that is looked at.
  const std::string value((size_t{512} << 20) + 1, '\0');
  ExpectRefused(db_->Put("key", value), "536870912");
  EXPECT_STATUS(kNotFound, db_->Get("key"));
}

TEST_F(LimitsTest, LargeValueIsKeptInEveryLayer) {
  std::string value(9 << 20, 'v');
  for (size_t i = 0; i < value.size(); i += 97) value[i] = static_cast<char>(i);
  ASSERT_OK(db_->Put("large", value));
  EXPECT_TRUE(db_->Get("large").value_or("") == value);
  ASSERT_OK(db_->Flush());
  EXPECT_TRUE(db_->Get("large").value_or("") == value);
  Reopen();
  const auto pinned = db_->GetPinned("large");
  ASSERT_OK(pinned);
  EXPECT_TRUE(pinned->view() == value);
}

TEST_F(LimitsTest, BatchWithOneBadChangeIsRefusedWhole) {
  ReopenWith(10, 1000);
  WriteBatch batch;
  batch.Put("good", "value");
  batch.Put("bad", std::string(1001, 'v'));
  batch.Put("better", "value");
  ExpectRefused(db_->Write(batch), "1000");
  EXPECT_EQ(KeyCount(), 0u);
  Reopen();
  EXPECT_EQ(KeyCount(), 0u);
}

TEST_F(LimitsTest, EmptyBatchIsFine) {
  EXPECT_OK(db_->Write(WriteBatch()));
  EXPECT_EQ(KeyCount(), 0u);
}

TEST_F(LimitsTest, EmptyKeyIsAKey) {
  EXPECT_STATUS(kNotFound, db_->Get(""));
  ASSERT_OK(db_->Put("", "value of the empty key"));
  ASSERT_OK(db_->Put("a", "1"));
  for (int layer = 0; layer < 2; layer++) {
    EXPECT_EQ(db_->Get("").value_or(""), "value of the empty key");
    auto it = db_->NewIterator();
    it->SeekToFirst();
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), "");
    it->SeekForPrev("");
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), "");
    ASSERT_OK(db_->Flush());
  }
  ASSERT_OK(db_->Delete(""));
  EXPECT_STATUS(kNotFound, db_->Get(""));
  EXPECT_EQ(KeyCount(), 1u);
}

TEST_F(LimitsTest, EmptyValueIsNotADeletedKey) {
  ASSERT_OK(db_->Put("key", ""));
  for (int layer = 0; layer < 3; layer++) {
    const auto got = db_->Get("key");
    ASSERT_OK(got);
    EXPECT_EQ(*got, "");
    EXPECT_EQ(KeyCount(), 1u);
    EXPECT_STATUS(kConflict, db_->CompareAndSet("key", std::nullopt, "x"));
    if (layer == 0) {
      ASSERT_OK(db_->Flush());
    } else {
      Reopen();
    }
  }
  ASSERT_OK(db_->Delete("key"));
  EXPECT_STATUS(kNotFound, db_->Get("key"));
}

TEST_F(LimitsTest, RangeDeletionIncludesItsBeginAndNotItsEnd) {
  for (const char* const key : {"a", "b", "c", "d"}) ASSERT_OK(db_->Put(key, key));
  ASSERT_OK(db_->DeleteRange("b", "d"));
  EXPECT_OK(db_->Get("a"));
  EXPECT_STATUS(kNotFound, db_->Get("b"));
  EXPECT_STATUS(kNotFound, db_->Get("c"));
  EXPECT_OK(db_->Get("d"));
  ASSERT_OK(db_->DeleteRange("d", "a"));
  ASSERT_OK(db_->DeleteRange("a", "a"));
  EXPECT_EQ(KeyCount(), 2u);
}

TEST_F(LimitsTest, CompareAndSetOfAnAbsentKey) {
  EXPECT_STATUS(kConflict, db_->CompareAndSet("key", "something", "new"));
  EXPECT_STATUS(kNotFound, db_->Get("key"));
  EXPECT_OK(db_->CompareAndSet("key", std::nullopt, "new"));
  EXPECT_EQ(db_->Get("key").value_or(""), "new");
}

TEST_F(LimitsTest, CompareAndSetOfAPresentKey) {
  ASSERT_OK(db_->Put("key", "old"));
  ASSERT_OK(db_->Flush());
  EXPECT_STATUS(kConflict, db_->CompareAndSet("key", std::nullopt, "new"));
  EXPECT_STATUS(kConflict, db_->CompareAndSet("key", "ol", "new"));
  EXPECT_STATUS(kConflict, db_->CompareAndSet("key", "", "new"));
  EXPECT_EQ(db_->Get("key").value_or(""), "old");
  EXPECT_OK(db_->CompareAndSet("key", "old", "new"));
  EXPECT_EQ(db_->Get("key").value_or(""), "new");
}

TEST_F(LimitsTest, CompareAndSetDeletes) {
  ASSERT_OK(db_->Put("key", "old"));
  EXPECT_STATUS(kConflict, db_->CompareAndSet("key", "other", std::nullopt));
  EXPECT_OK(db_->Get("key"));
  EXPECT_OK(db_->CompareAndSet("key", "old", std::nullopt));
  EXPECT_STATUS(kNotFound, db_->Get("key"));
  EXPECT_OK(db_->CompareAndSet("key", std::nullopt, std::nullopt));
  EXPECT_STATUS(kNotFound, db_->Get("key"));
}

TEST_F(LimitsTest, CompareAndSetOfALargeValue) {
  const std::string large(50'000, 'a');
  ASSERT_OK(db_->Put("key", large));
  ASSERT_OK(db_->Flush());
  EXPECT_STATUS(kConflict, db_->CompareAndSet("key", std::string(50'000, 'b'), "new"));
  EXPECT_OK(db_->CompareAndSet("key", large, "new"));
  EXPECT_EQ(db_->Get("key").value_or(""), "new");
}

TEST_F(LimitsTest, AtReturnsTheValueOrThrows) {
  ASSERT_OK(db_->Put("key", "value"));
  EXPECT_EQ(db_->At("key"), "value");
  EXPECT_THROW(db_->At("absent"), KeyNotFound);
  EXPECT_THROW(db_->At("absent"), std::out_of_range);
}

}  // namespace limits_test
}  // namespace varve::test
