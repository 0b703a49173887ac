// A hundred threads put as fast as they can, two of them without pause. Nobody may starve.
#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

#include "tests/support/fake_db.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace fairness_test {

using SteadyClock = std::chrono::steady_clock;

struct ThreadReport {
  uint64_t put_count = 0;
  uint64_t wait_us_max = 0;
};

struct FairnessReport {
  std::vector<ThreadReport> threads;  // the greedy ones first
  double index_equal = 0;             // of the threads that do the same
  double index_all = 0;
  uint64_t wait_us_max = 0;
  uint64_t put_count_min = 0;
  uint64_t put_count = 0;
};

// Jain's index: 1 when all have the same, 1/n when one has everything.
double JainIndex(const std::vector<ThreadReport>& threads, size_t first) {
  double sum = 0;
  double squares = 0;
  for (size_t i = first; i < threads.size(); i++) {
    const auto count = static_cast<double>(threads[i].put_count);
    sum += count;
    squares += count * count;
  }
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(threads.size() - first) * squares);
}

constexpr int kThreads = 100;
constexpr int kGreedy = 2;
// Below this many puts a thread, chance decides who has more: a slow machine gets more time.
constexpr uint64_t kEnoughPuts = kThreads * 400;
constexpr int kMaxExtensions = 20;

// Greedy threads only put; each of the others gets between two puts.
FairnessReport Contend(Db* db, std::chrono::milliseconds duration) {
  FairnessReport report;
  report.threads.resize(kThreads);
  std::atomic<bool> is_over{false};
  std::atomic<uint64_t> put_count{0};
  std::barrier start(kThreads + 1);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&, i] {
      const std::string value(100, 'v');
      const std::string prefix = "thread" + std::to_string(i) + "/";
      ThreadReport mine;
      std::string got;
      start.arrive_and_wait();
      while (!is_over) {
        const std::string key = prefix + std::to_string(mine.put_count % 100);
        const auto before = SteadyClock::now();
        EXPECT_OK(db->Put(key, value));
        const auto waited =
            std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - before);
        mine.wait_us_max = std::max(mine.wait_us_max, static_cast<uint64_t>(waited.count()));
        mine.put_count++;
        put_count.fetch_add(1, std::memory_order_relaxed);
        if (i < kGreedy) continue;
        EXPECT_OK(db->Get(key, &got));
      }
      report.threads[static_cast<size_t>(i)] = mine;
    });
  }
  start.arrive_and_wait();
  for (int i = 0; i == 0 || (put_count < kEnoughPuts && i < kMaxExtensions); i++) {
    // tidy: the length of the experiment, not a synchronisation
    std::this_thread::sleep_for(duration);
  }
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  report.index_equal = JainIndex(report.threads, kGreedy);
  report.index_all = JainIndex(report.threads, 0);
  report.put_count_min = report.threads[0].put_count;
  for (const ThreadReport& thread : report.threads) {
    report.wait_us_max = std::max(report.wait_us_max, thread.wait_us_max);
    report.put_count_min = std::min(report.put_count_min, thread.put_count);
    report.put_count += thread.put_count;
  }
  return report;
}

void Record(const FairnessReport& report) {
  const auto record = [](const char* name, const std::string& value) {
    ::testing::Test::RecordProperty(name, value);
    std::printf("  %s %s\n", name, value.c_str());
  };
  record("jain_index_equal_threads", std::to_string(report.index_equal));
  record("jain_index_all_threads", std::to_string(report.index_all));
  record("longest_wait_us", std::to_string(report.wait_us_max));
  record("fewest_puts_of_a_thread", std::to_string(report.put_count_min));
  record("puts", std::to_string(report.put_count));
  record("puts_of_the_greedy", std::to_string(report.threads[0].put_count) + " " +
                                   std::to_string(report.threads[1].put_count));
}

std::chrono::milliseconds Duration() { return std::chrono::milliseconds(Scaled(4000)); }

TEST(FairnessTest, GreedyWritersDoNotStarveTheOthers) {
  TempDir dir;
  StoreConfig config;
  config.tuning = Tuning::FromOptions(config.options);
  auto db = OpenerFor(config)(dir.Sub("store"), Env::Default());
  ASSERT_OK(db);
  const FairnessReport report = Contend(db->get(), Duration());
  Record(report);
  EXPECT_GT(report.put_count_min, 0u);
  EXPECT_GE(report.index_equal, 0.95);
}

TEST(FairnessTest, PlantedUnfairnessIsFound) {
  auto db = FakeDb::Open("", Options(), FakeBug::kUnfair);
  ASSERT_OK(db);
  const FairnessReport report = Contend(db->get(), std::chrono::milliseconds(1000));
  EXPECT_LT(report.index_equal, 0.95);
}

TEST(FairnessTest, JainIndexOfEqualAndUnequalShares) {
  EXPECT_DOUBLE_EQ(JainIndex({{10, 0}, {10, 0}, {10, 0}}, 0), 1.0);
  EXPECT_DOUBLE_EQ(JainIndex({{30, 0}, {0, 0}, {0, 0}}, 0), 1.0 / 3);
  EXPECT_DOUBLE_EQ(JainIndex({{99, 0}, {5, 0}, {5, 0}}, 1), 1.0);
}

}  // namespace fairness_test
}  // namespace varve::test
