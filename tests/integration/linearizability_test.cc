// Many threads on few keys, with flushes and compactions under way: what they saw must be explained
// by some order of their operations.
#include "tests/support/checkers.h"

#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "base/random.h"
#include "tests/support/fake_db.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace linearizability_test {

struct Load {
  int threads = 4;
  int keys = 3;
  int operations_per_thread = 2000;
  // Also batches, multi-gets and deletions by range.
  bool many_kinds = true;
};

class Client {
 public:
  Client(Db* db, int number, uint64_t seed, const Load& load)
      : recorder_(db, number), random_(seed * 1000 + static_cast<uint64_t>(number)), load_(load) {}

  void Run(int number) {
    for (int i = 0; i < load_.operations_per_thread; i++) {
      // Values name client and operation, so that every write can be told from all others.
      OneOperation(std::to_string(number) + "." + std::to_string(i) + Padding());
    }
  }
  const std::vector<Operation>& operations() const { return recorder_.operations(); }

 private:
  std::string RandomKey() {
    return "k" + std::to_string(random_.Uniform(static_cast<uint64_t>(load_.keys)));
  }
  // Makes memtables fill; now and then long enough for the value log.
  std::string Padding() {
    return std::string(random_.OneIn(50) ? 5000 : random_.Uniform(200), '.');
  }
  std::vector<std::string> RandomKeys() {
    std::vector<std::string> keys;
    for (int i = 0; i < load_.keys; i++) {
      if (random_.OneIn(2)) keys.push_back("k" + std::to_string(i));
    }
    return keys;
  }
  WriteOptions RandomWriteOptions() {
    if (random_.OneIn(50)) return {.durability = Durability::kSync};
    return {};
  }

  void OneOperation(const std::string& value) {
    const uint64_t choice = random_.Uniform(load_.many_kinds ? 20 : 16);
    if (choice < 7) return recorder_.Get(RandomKey());
    if (choice < 11) return recorder_.Put(RandomKey(), value, RandomWriteOptions());
    if (choice < 13) return recorder_.Delete(RandomKey(), RandomWriteOptions());
    if (choice < 16) {
      return recorder_.CompareAndSet(RandomKey(), recorder_.last_observed(), value,
                                     RandomWriteOptions());
    }
    if (choice < 17) return recorder_.DeleteRange(RandomKey(), RandomWriteOptions());
    if (choice < 18) return recorder_.PutBatch(RandomKeys(), value, RandomWriteOptions());
    return recorder_.MultiGet(RandomKeys());
  }

  ClientRecorder recorder_;
  Random random_;
  const Load load_;
};

// Runs the load; one more thread flushes and compacts all the while.
std::vector<Operation> RecordHistory(Db* db, uint64_t seed, const Load& load) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < load.threads; i++) {
    clients.push_back(std::make_unique<Client>(db, i, seed, load));
  }
  std::atomic<bool> is_done{false};
  std::thread maintenance([&] {
    for (uint64_t round = 0; !is_done; round++) {
      const Status status = round % 4 == 3 ? db->Compact() : db->Flush();
      EXPECT_OK(status);
      std::this_thread::yield();
    }
  });
  std::barrier start(load.threads);
  std::vector<std::thread> threads;
  for (int i = 0; i < load.threads; i++) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      clients[static_cast<size_t>(i)]->Run(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  is_done = true;
  maintenance.join();
  std::vector<Operation> history;
  for (const auto& client : clients) {
    history.insert(history.end(), client->operations().begin(), client->operations().end());
  }
  return history;
}

void ExpectLinearizable(uint64_t seed, const Load& load) {
  TempDir dir;
  const StoreConfig config = RandomStoreConfig(seed);
  auto db = OpenerFor(config)(dir.Sub("store"), Env::Default());
  ASSERT_OK(db);
  const std::vector<Operation> history = RecordHistory(db->get(), seed, load);
  for (const Operation& operation : history) {
    ASSERT_NE(operation.outcome, Outcome::kUnknown) << operation.ToString();
  }
  const CheckResult result = CheckLinearizability(history);
  EXPECT_EQ(result.verdict, Verdict::kLinearizable)
      << "seed " << seed << ", threads " << load.threads << ", key " << result.key << "\n"
      << result.explanation << "options: " << config.ToString();
}

class LinearizabilityTest : public ::testing::TestWithParam<int> {};

TEST_P(LinearizabilityTest, HistoryOfManyThreadsOnFewKeys) {
  const size_t seed_count = Scaled(6);
  for (uint64_t seed = 1; seed <= seed_count && !HasFailure(); seed++) {
    const Load load{.threads = GetParam(),
                    .keys = 1 + GetParam() / 4 + static_cast<int>(seed % 4),
                    .operations_per_thread = 12'000 / GetParam()};
    ExpectLinearizable(seed * 100 + static_cast<uint64_t>(GetParam()), load);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, LinearizabilityTest, ::testing::Values(2, 4, 8, 16));

TEST(LinearizabilityHarnessTest, CorrectFakeIsLinearizable) {
  auto db = FakeDb::Open("", Options());
  ASSERT_OK(db);
  const auto history = RecordHistory(db->get(), 1, {.threads = 8});
  const CheckResult result = CheckLinearizability(history);
  EXPECT_EQ(result.verdict, Verdict::kLinearizable) << result.explanation;
}

TEST(LinearizabilityHarnessTest, PlantedStaleReadIsFound) {
  auto db = FakeDb::Open("", Options(), FakeBug::kStaleRead);
  ASSERT_OK(db);
  const auto history = RecordHistory(db->get(), 1, {.threads = 8});
  EXPECT_EQ(CheckLinearizability(history).verdict, Verdict::kNotLinearizable);
}

}  // namespace linearizability_test
}  // namespace varve::test
