// One list of operations gives the same answers under any options: of the store, of its tuning and of a namespace. The
// answers are held against those of the first set of options; there is no model.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace metamorphic_test {

constexpr uint64_t kOptionSets = 32;
constexpr size_t kOperations = 500;

struct OptionSet {
  explicit OptionSet(uint64_t seed) : config(RandomStoreConfig(seed)) {
    Random random(seed);
    constexpr Durability kDurabilities[] = {Durability::kNone, Durability::kProcess, Durability::kSync};
    constexpr Compression kCompressions[] = {Compression::kNone, Compression::kLz4, Compression::kZstd};
    config.options.durability = kDurabilities[random.Uniform(3)];
    if (random.OneIn(2)) space.durability = kDurabilities[random.Uniform(3)];
    if (random.OneIn(2)) space.compression = kCompressions[random.Uniform(3)];
    if (random.OneIn(2)) space.default_ttl = std::chrono::hours(24);
  }
  std::string ToString() const {
    const auto number = [](const auto& option) { return option ? std::to_string(static_cast<int>(*option)) : "-"; };
    return config.ToString() + " durability=" + std::to_string(static_cast<int>(config.options.durability)) +
           " of_namespace=" + number(space.durability) + "/" + number(space.compression) + "/" +
           (space.default_ttl ? "ttl" : "-");
  }

  StoreConfig config;
  NamespaceOptions space;
};

// Does the list of a seed under a set of options, and keeps what every operation answered.
class ListRun {
 public:
  ListRun(uint64_t list, const OptionSet& options) : random_(list), options_(options) {}

  std::vector<std::string> Answers() {
    Reopen();
    for (size_t i = 0; i < kOperations && db_ != nullptr; ++i) Step(i);
    Say(Scan(db_.get(), true) + Scan(space_.get(), false));
    return std::move(answers_);
  }

 private:
  void Say(std::string answer) { answers_.push_back(std::move(answer)); }
  void Say(const Status& status) { Say(status.ToString()); }
  void Say(const Result<std::string>& value) { Say(value.ok() ? *value : value.status().ToString()); }

  std::string Key() { return "key" + std::to_string(random_.Uniform(80)); }

  void Reopen() {
    space_.reset();
    db_.reset();
    auto db = OpenerFor(options_.config)("/store", &env_);
    if (!db.ok()) return Say(db.status());
    db_ = *std::move(db);
    auto space = db_->OpenNamespace("space", options_.space);
    if (!space.ok()) return Say(space.status());
    space_ = *std::move(space);
  }

  static std::string Scan(Namespace* at, bool forward) {
    std::string text;
    auto it = at->NewIterator();
    for (forward ? it->SeekToFirst() : it->SeekToLast(); it->Valid(); forward ? it->Next() : it->Prev()) {
      text.append(it->key()).append("=").append(it->value()).append("\n");
    }
    return text + it->status().ToString();
  }

  // Draws as much by chance whatever the options are.
  void Step(size_t i) {
    Namespace* const at = random_.OneIn(3) ? space_.get() : db_.get();
    const std::string key = Key();
    const std::string other = Key();
    const uint64_t kind = random_.Uniform(100);
    const size_t bytes = random_.OneIn(12) ? 5000 + random_.Uniform(4000) : random_.Uniform(400);
    const std::string value = std::to_string(i) + std::string(bytes, static_cast<char>('a' + i % 26));
    if (kind < 45) return Say(at->Put(key, value));
    if (kind < 52) return Say(at->Delete(key));
    if (kind < 55) return Say(at->DeleteRange(std::min(key, other), std::max(key, other)));
    if (kind < 60) return Say(at->CompareAndSet(key, at->Get(other).value_or("none"), value));
    if (kind < 75) return Say(at->Get(key));
    if (kind < 82) {
      for (const auto& found : at->MultiGet({key, other, "absent"})) Say(found);
      return;
    }
    if (kind < 88) return Say(Scan(at, i % 2 == 0));
    if (kind < 91) snapshot_ = db_->GetSnapshot();
    if (kind < 94) return Say(at->Get(key, {.snapshot = snapshot_.get()}));
    if (kind < 97) return Say(db_->Flush());
    if (kind < 98) return Say(db_->Compact());
    snapshot_.reset();
    Reopen();
  }

  Random random_;
  const OptionSet& options_;
  CrashEnv env_;
  std::unique_ptr<Db> db_;
  std::shared_ptr<Namespace> space_;
  std::unique_ptr<Snapshot> snapshot_;
  std::vector<std::string> answers_;
};

TEST(MetamorphicTest, OneListGivesTheSameAnswersUnderAnyOptions) {
  std::set<std::string> sets;
  const uint64_t lists = Scaled(3);
  for (uint64_t list = 1; list <= lists && !HasFailure(); ++list) {
    std::vector<std::string> expected;
    for (uint64_t i = 0; i < kOptionSets && !HasFailure(); ++i) {
      const OptionSet options(list * 1000 + i);
      sets.insert(options.ToString());
      const std::vector<std::string> answers = ListRun(list, options).Answers();
      if (i == 0) expected = answers;
      ASSERT_EQ(answers.size(), expected.size()) << "list " << list << ", options " << options.ToString();
      for (size_t n = 0; n < answers.size(); ++n) {
        ASSERT_EQ(answers[n], expected[n]) << "list " << list << ", answer " << n << ", options " << options.ToString();
      }
    }
    EXPECT_GT(expected.size(), kOperations);
  }
  std::printf("  %llu lists, %zu different sets of options\n", static_cast<unsigned long long>(lists), sets.size());
  EXPECT_GE(sets.size(), 30u);
  RecordProperty("option_sets", std::to_string(sets.size()));
}

}  // namespace metamorphic_test
}  // namespace varve::test
