// Prefetch is a hint: with and without it everything is the same, also while others write.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace prefetch_test {

using Access = Namespace::Access;

class PrefetchTest : public ::testing::Test {
 protected:
  PrefetchTest() {
    Tuning tuning;
    tuning.memtable_bytes = 1 << 20;
    tuning.segment_bytes = 256 << 10;
    tuning.cache_bytes = 1 << 20;  // not all of the store
    tuning.idle_millis = 1'000'000;
    Options options;
    options.env = &env_;
    auto db = OpenTuned("/db", options, tuning);
    EXPECT_OK(db);
    db_ = *std::move(db);
  }

  // Keys of all kinds: short and long, with what the default namespace escapes.
  static std::string KeyOf(uint64_t number) {
    switch (number % 5) {
      case 0: return "\xff" + std::to_string(number);
      case 1: return std::string(number % 300, 'k') + std::to_string(number);
      default: return "key:" + std::to_string(number);
    }
  }
  static void Hint(Namespace* space, const std::vector<std::string>& keys) {
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    space->Prefetch(views, Access::kRead);
    space->Prefetch(views, Access::kWrite);
  }

  CrashEnv env_;
  std::unique_ptr<Db> db_;
};

TEST_F(PrefetchTest, ChangesNothing) {
  auto other = db_->OpenNamespace("other");
  ASSERT_OK(other);
  Random random(3);
  std::map<std::string, std::string> model[2];
  for (int round = 0; round < 1500; ++round) {
    const size_t which = random.Uniform(2);
    Namespace* const space = which == 0 ? static_cast<Namespace*>(db_.get()) : other->get();
    std::vector<std::string> keys(random.Uniform(40));  // none, and more than one group
    for (std::string& key : keys) key = KeyOf(random.Uniform(2000));
    Hint(space, keys);
    for (const std::string& key : keys) {
      if (random.OneIn(8)) {
        ASSERT_OK(space->Delete(key));
        model[which].erase(key);
      } else {
        // Some live in the value log.
        const std::string value(random.OneIn(50) ? 5000 : random.Uniform(200), 'v');
        ASSERT_OK(space->Put(key, value + key));
        model[which][key] = value + key;
      }
    }
    Hint(space, keys);
    for (const std::string& key : keys) {
      const Result<std::string> value = space->Get(key);
      const auto expected = model[which].find(key);
      ASSERT_EQ(value.ok(), expected != model[which].end()) << key;
      if (value.ok()) {
        ASSERT_EQ(*value, expected->second);
      }
    }
    if (random.OneIn(200)) {
      ASSERT_OK(db_->Flush());
    }
  }
  EXPECT_GT(db_->Stats().flush_count, 0u);
}

TEST_F(PrefetchTest, WhileOthersWriteAndFlush) {
  std::atomic<bool> is_done{false};
  std::thread reader([&] {
    Random random(4);
    std::vector<std::string> keys(20);
    while (!is_done.load()) {
      for (std::string& key : keys) key = KeyOf(random.Uniform(5000));
      Hint(db_.get(), keys);
    }
  });
  Random random(5);
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = KeyOf(random.Uniform(5000));
    ASSERT_OK(db_->Put(key, key));
    if (i % 5000 == 4999) {
      ASSERT_OK(db_->Flush());
    }
    if (i % 64 == 0) {
      const Result<std::string> value = db_->Get(key);
      ASSERT_OK(value);
      ASSERT_EQ(*value, key);
    }
  }
  is_done.store(true);
  reader.join();
}

TEST_F(PrefetchTest, OfADroppedNamespace) {
  auto space = db_->OpenNamespace("gone");
  ASSERT_OK(space);
  ASSERT_OK((*space)->Put("k", "v"));
  ASSERT_OK(db_->DropNamespace("gone"));
  Hint(space->get(), {"k", "l"});
  EXPECT_TRUE((*space)->Get("k").status().IsNotFound());
}

}  // namespace prefetch_test
}  // namespace varve
