// A store on the real file system whose reads mostly miss its cache, for tests of asynchronous operations:
// with io_uring, where the machine has it, and with threads.
#ifndef VARVE_TESTS_SUPPORT_ASYNC_STORE_H_
#define VARVE_TESTS_SUPPORT_ASYNC_STORE_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/random.h"
#include "env/async_reader.h"
#include "tests/support/slow_files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"

namespace varve::test {

inline bool HasUring() { return Env::Default()->NewAsyncReader() != nullptr; }

class AsyncStoreTest : public ::testing::TestWithParam<AsyncReads> {
 protected:
  void SetUp() override {
    if (GetParam() == AsyncReads::kAuto && !HasUring()) {
      GTEST_SKIP() << "no io_uring on this machine: this variant is not tested";
    }
    config_ = SmallStoreConfig();
    config_.tuning.cache_bytes = 64 << 10;
    config_.tuning.memtable_bytes = config_.tuning.segment_bytes = 128 << 10;
    config_.tuning.async_reads = GetParam();
    config_.tuning.idle_millis = 1'000'000;  // nothing moves by itself
    Open();
  }
  void TearDown() override {
    env_.valve().Open();
    db_.reset();
  }

  void Open(const std::string& name = "store") {
    db_.reset();
    auto db = OpenerFor(config_)(dir_.Sub(name), &env_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }

  static std::string KeyOf(size_t i) { return "key" + std::to_string(1'000'000 + i); }
  // Puts keys 0 to count - 1, one in fifty with a value in the value log, and brings them to files.
  void Fill(size_t count, size_t value_bytes = 100) {
    Random random(count);
    for (size_t i = 0; i < count; ++i) {
      const size_t bytes = random.OneIn(50) ? 5000 : value_bytes;
      std::string value = std::to_string(i) + std::string(bytes, static_cast<char>('a' + i % 26));
      ASSERT_OK(db_->Put(KeyOf(i), value));
      model_[KeyOf(i)] = std::move(value);
    }
    ASSERT_OK(db_->Compact());
  }
  // Opens every file, so that reads miss blocks and nothing else; what is in the cache afterwards is little.
  void OpenFiles() {
    for (const auto& [key, value] : model_) ASSERT_OK(db_->Get(key));
  }
  // What a get of `key` must answer.
  void ExpectValue(const std::string& key, const Result<std::string>& got) const {
    const auto it = model_.find(key);
    if (it == model_.end()) {
      EXPECT_STATUS(kNotFound, got) << key;
    } else {
      ASSERT_OK(got) << key;
      EXPECT_EQ(*got, it->second) << key;
    }
  }

  TempDir dir_;
  SlowFilesEnv env_{Env::Default()};
  StoreConfig config_;
  std::map<std::string, std::string> model_;
  std::unique_ptr<Db> db_;
};

inline std::string AsyncVariantName(const ::testing::TestParamInfo<AsyncReads>& variant) {
  return variant.param == AsyncReads::kAuto ? "Uring" : "Threads";
}

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_ASYNC_STORE_H_
