// Time to live against a model: random operations and a simulated clock that also jumps, compared after
// every step, over flushes, compactions, snapshots and reopens. A failure names its seed;
// VARVE_TEST_SEED=<seed> runs that one alone.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace {

using std::chrono::milliseconds;

struct ModelValue {
  std::string value;
  uint64_t deadline = 0;  // 0: stays
};
using Model = std::map<std::string, ModelValue>;

class TtlModelRun {
 public:
  explicit TtlModelRun(uint64_t seed) : random_(seed), env_(seed, SimClock::Mode::kManual) {
    StoreConfig config = RandomStoreConfig(seed);
    // A throttled writer waits for time to pass, which a manual clock does not do.
    config.tuning.max_immutable_memtables = 1000;
    config.tuning.slowdown_runs = 1000;
    opener_ = OpenerFor(config);
    now_ = env_.sim_clock()->WallMillis();
    Open();
  }

  // Empty when store and model agreed.
  std::string Run(size_t step_count) {
    for (size_t i = 0; i < step_count; ++i) {
      const std::string what = Step();
      const std::string difference = Compare();
      if (!difference.empty()) return "step " + std::to_string(i) + ", " + what + ": " + difference;
    }
    return "";
  }

 private:
  struct Held {
    std::unique_ptr<Snapshot> snapshot;
    Model model;
  };

  void Open() {
    auto db = opener_("/db", &env_);
    ASSERT_OK(db);
    db_ = *std::move(db);
    // A key by which the store is made to read its clock.
    ASSERT_OK(db_->Put("zz clock", "", {.ttl = std::chrono::hours(1'000'000)}));
  }
  void ReadClock() { EXPECT_OK(db_->TimeToLive("zz clock")); }

  std::string Key() { return "k" + std::to_string(random_.Uniform(30)); }
  std::string Value() {
    const size_t size = random_.OneIn(12) ? 9000 : random_.Uniform(200);
    ++values_;
    return std::to_string(values_) + std::string(size, static_cast<char>('a' + values_ % 26));
  }
  int64_t Ttl() { return static_cast<int64_t>(random_.OneIn(20) ? 0 : random_.Uniform(400)); }
  bool IsAlive(const ModelValue& value) const { return value.deadline == 0 || value.deadline > now_; }
  const ModelValue* Find(const Model& model, const std::string& key) const {
    const auto it = model.find(key);
    return it == model.end() || !IsAlive(it->second) ? nullptr : &it->second;
  }
  void Set(const std::string& key, const std::string& value, std::optional<int64_t> ttl) {
    if (ttl && *ttl <= 0) {
      model_.erase(key);
    } else {
      model_[key] = {value, ttl ? now_ + static_cast<uint64_t>(*ttl) : 0};
    }
  }

  std::string Step() {
    const uint64_t choice = random_.Uniform(100);
    const std::string key = Key();
    if (choice < 30) {
      const std::string value = Value();
      std::optional<int64_t> ttl;
      WriteOptions options;
      if (!random_.OneIn(3)) options.ttl = milliseconds(*(ttl = Ttl()));
      EXPECT_OK(db_->Put(key, value, options));
      Set(key, value, ttl);
      return "put " + key;
    }
    if (choice < 40) return DoBatch();
    if (choice < 47) {
      const int64_t ttl = Ttl();
      const ModelValue* current = Find(model_, key);
      const Status status = db_->Expire(key, milliseconds(ttl));
      EXPECT_EQ(status.ok(), current != nullptr) << status.ToString();
      if (current != nullptr) Set(key, std::string(current->value), ttl);
      return "expire " + key;
    }
    if (choice < 52) {
      const ModelValue* current = Find(model_, key);
      EXPECT_EQ(db_->Persist(key).ok(), current != nullptr);
      if (current != nullptr) model_[key].deadline = 0;
      return "persist " + key;
    }
    if (choice < 58) {
      const ModelValue* current = Find(model_, key);
      std::optional<std::string> expected;
      if (current != nullptr) expected = current->value;
      const std::string value = Value();
      const int64_t ttl = Ttl();
      EXPECT_OK(db_->CompareAndSet(key, expected, value, {.ttl = milliseconds(ttl)}));
      Set(key, value, ttl);
      return "compare-and-set " + key;
    }
    if (choice < 62) {
      EXPECT_OK(db_->Delete(key));
      model_.erase(key);
      return "delete " + key;
    }
    if (choice < 63) {
      EXPECT_OK(db_->DeleteRange("k1", "k2"));
      model_.erase(model_.lower_bound("k1"), model_.lower_bound("k2"));
      return "delete range";
    }
    if (choice < 80) {
      const uint64_t by = random_.Uniform(100);
      env_.sim_clock()->Advance(by * 1'000'000);
      now_ += by;
      return "advance " + std::to_string(by);
    }
    if (choice < 84) return DoJump();
    return DoMaintenance(choice);
  }

  std::string DoBatch() {
    WriteBatch batch;
    const uint64_t count = 1 + random_.Uniform(5);
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key = Key();
      const std::string value = Value();
      const int64_t ttl = Ttl();
      const uint64_t choice = random_.Uniform(4);
      if (choice == 0) {
        batch.Delete(key);
        model_.erase(key);
      } else if (choice == 1) {
        batch.Put(key, value);
        Set(key, value, std::nullopt);
      } else if (choice == 2) {
        batch.Put(key, value, milliseconds(ttl));
        Set(key, value, ttl);
      } else {
        const auto moment = milliseconds(now_ + static_cast<uint64_t>(ttl));
        batch.Put(key, value, std::chrono::system_clock::time_point(moment));
        Set(key, value, ttl);
      }
    }
    EXPECT_OK(db_->Write(batch));
    return "batch";
  }

  std::string DoJump() {
    ReadClock();
    const uint64_t wall = env_.sim_clock()->WallMillis();
    const uint64_t by = random_.Uniform(300);
    const uint64_t to = random_.OneIn(2) ? wall + by : wall - by;
    env_.sim_clock()->SetWallMillis(to);
    ReadClock();
    now_ = std::max(now_, to);
    return "jump from " + std::to_string(wall) + " to " + std::to_string(to);
  }

  std::string DoMaintenance(uint64_t choice) {
    if (choice < 89) {
      EXPECT_OK(db_->Flush());
      return "flush";
    }
    if (choice < 91) {
      EXPECT_OK(db_->Compact());
      return "compact";
    }
    if (choice < 93) {
      EXPECT_OK(db_->WaitForBackgroundWork());
      return "wait";
    }
    if (choice < 97) {
      if (snapshots_.size() > 3) snapshots_.erase(snapshots_.begin());
      snapshots_.push_back({db_->GetSnapshot(), model_});
      return "snapshot";
    }
    // Another process begins with the wall clock as it is: set right by then.
    snapshots_.clear();
    db_.reset();
    env_.sim_clock()->SetWallMillis(now_);
    Open();
    return "reopen";
  }

  std::string Compare() {
    std::string difference = CompareWith(model_, nullptr);
    for (const Held& held : snapshots_) {
      if (difference.empty()) difference = CompareWith(held.model, held.snapshot.get());
    }
    return difference;
  }

  std::string CompareWith(const Model& model, const Snapshot* snapshot) {
    Contents expected;
    for (const auto& [key, value] : model) {
      if (IsAlive(value)) expected[key] = value.value + "|" + std::to_string(value.deadline);
    }
    Contents found;
    IteratorOptions options;
    options.snapshot = snapshot;
    options.upper_bound = "z";
    auto it = db_->NewIterator(options);
    const bool forwards = random_.OneIn(2);
    for (forwards ? it->SeekToFirst() : it->SeekToLast(); it->Valid();
         forwards ? it->Next() : it->Prev()) {
      const std::string value(it->value());
      found[std::string(it->key())] = value + "|" + std::to_string(it->expire_at_millis());
    }
    EXPECT_OK(it->status());
    if (found != expected) return "scan: " + Difference(expected, found);
    const std::string key = Key();
    auto got = db_->Get(key, {.snapshot = snapshot});
    const ModelValue* wanted = Find(model, key);
    if (got.ok() != (wanted != nullptr) || (got.ok() && *got != wanted->value)) return "get " + key;
    auto many = db_->MultiGet({key}, {.snapshot = snapshot});
    if (many[0].ok() != got.ok() || (got.ok() && *many[0] != *got)) return "multi-get " + key;
    return "";
  }

  Random random_;
  CrashEnv env_;
  StoreOpener opener_;
  std::unique_ptr<Db> db_;
  std::vector<Held> snapshots_;
  Model model_;
  uint64_t now_ = 0;
  uint64_t values_ = 0;
};

TEST(TtlModelTest, StoreAgreesWithAModelUnderASimulatedClock) {
  const char* only = std::getenv("VARVE_TEST_SEED");
  const uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const uint64_t count = only != nullptr ? 1 : Scaled(40);
  for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) {
    EXPECT_EQ(TtlModelRun(seed).Run(400), "") << "VARVE_TEST_SEED=" << seed;
  }
}

}  // namespace
}  // namespace varve::test
