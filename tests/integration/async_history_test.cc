// Histories of asynchronous operations, several under way in each client: linearizable, with io_uring and with
// threads, and, where one follows the other, the same as those of the plain calls.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <semaphore>
#include <thread>

#include "base/random.h"
#include "tests/support/async_store.h"
#include "tests/support/checkers.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace async_history_test {

// Thread-safe.
class History {
 public:
  void Add(Operation operation) {
    const std::lock_guard<std::mutex> lock(mu_);
    operations_.push_back(std::move(operation));
  }
  std::vector<Operation> Take() { return std::move(operations_); }

 private:
  std::mutex mu_;
  std::vector<Operation> operations_;
};

// One thread, with up to kWindow operations under way.
class AsyncClient {
 public:
  AsyncClient(Db* db, int number, uint64_t seed, History* history)
      : db_(db), number_(number), random_(seed), history_(history) {}

  void Run(int operations) {
    for (int i = 0; i < operations; ++i) {
      room_.acquire();
      OneOperation(std::to_string(number_) + "." + std::to_string(i) + Padding());
    }
    for (int i = 0; i < kWindow; ++i) room_.acquire();
  }

 private:
  static constexpr int kWindow = 4;

  std::string Padding() {
    return std::string(random_.OneIn(30) ? 5000 : random_.Uniform(200), '.');
  }
  WriteOptions RandomWriteOptions() {
    return {.durability = random_.OneIn(10) ? Durability::kSync : Durability::kProcess};
  }
  Operation Begin(OperationKind kind, const std::string& key) const {
    return torture::BeginOperation(number_, kind, key);
  }
  void End(Operation operation, const Status& status) {
    torture::EndOperation(status, &operation);
    history_->Add(std::move(operation));
    room_.release();
  }
  std::function<void(Status)> EndOf(Operation operation) {
    return [this, operation](const Status& status) { End(operation, status); };
  }

  void OneOperation(const std::string& value) {
    const std::string key = "k" + std::to_string(random_.Uniform(4));
    const uint64_t choice = random_.Uniform(10);
    if (choice < 6) {
      Operation operation = Begin(OperationKind::kGet, key);
      db_->GetAsync(key).Then([this, operation](Result<std::string> got) mutable {
        if (got.ok()) operation.observed = *got;
        End(operation, got.status().IsNotFound() ? Status::Ok() : got.status());
      });
    } else if (choice < 8) {
      Operation operation = Begin(OperationKind::kPut, key);
      operation.argument = value;
      db_->PutAsync(key, value, RandomWriteOptions()).Then(EndOf(operation));
    } else if (choice < 9) {
      const Operation operation = Begin(OperationKind::kDelete, key);
      db_->DeleteAsync(key, RandomWriteOptions()).Then(EndOf(operation));
    } else {
      WriteBatch batch;
      batch.Put(key, value);
      Operation operation = Begin(OperationKind::kPut, key);
      operation.argument = value;
      db_->WriteAsync(batch, RandomWriteOptions()).Then(EndOf(operation));
    }
  }

  Db* const db_;
  const int number_;
  Random random_;
  History* const history_;
  std::counting_semaphore<> room_{kWindow};
};

class AsyncHistoryTest : public AsyncStoreTest {};

TEST_P(AsyncHistoryTest, Linearizable) {
  constexpr int kClients = 3;
  const size_t rounds = Scaled(3);
  for (uint64_t seed = 1; seed <= rounds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    config_.tuning.cache_bytes = 4096;  // next to nothing stays
    Open("store" + std::to_string(seed));
    History history;
    std::atomic<bool> is_done{false};
    std::thread maintenance([&] {
      for (uint64_t round = 0; !is_done; ++round) {
        EXPECT_OK(round % 4 == 3 ? db_->Compact() : db_->Flush());
        std::this_thread::yield();
      }
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < kClients; ++i) {
      threads.emplace_back([&, i] {
        AsyncClient client(db_.get(), i, seed * 100 + static_cast<uint64_t>(i), &history);
        client.Run(1500);
      });
    }
    for (std::thread& thread : threads) thread.join();
    is_done = true;
    maintenance.join();
    const std::vector<Operation> operations = history.Take();
    for (const Operation& operation : operations) {
      ASSERT_NE(operation.outcome, Outcome::kUnknown) << operation.ToString();
    }
    const CheckResult result = CheckLinearizability(operations);
    EXPECT_EQ(result.verdict, Verdict::kLinearizable) << result.key << "\n" << result.explanation;
    EXPECT_NE(db_->GetProperty("varve.async"), "off");  // the disk was needed
  }
}

// What a fixed sequence of operations answers. The plain calls: when `is_async` is off.
std::string Transcript(Db* db, bool is_async, uint64_t seed) {
  Random random(seed);
  std::string transcript;
  const auto key = [&] { return "key" + std::to_string(random.Uniform(500)); };
  for (int i = 0; i < 4000; ++i) {
    const uint64_t choice = random.Uniform(20);
    if (choice < 9) {
      const std::string name = key();
      const Result<std::string> got = is_async ? db->GetAsync(name).Get() : db->Get(name);
      transcript += got.ok() ? got->substr(0, 20) : got.status().ToString();
    } else if (choice < 17) {
      const std::string name = key();
      const std::string value = std::to_string(i) + std::string(random.OneIn(20) ? 5000 : 100, 'v');
      transcript += (is_async ? db->PutAsync(name, value).Get() : db->Put(name, value)).ToString();
    } else if (choice < 18) {
      const std::string name = key();
      transcript += (is_async ? db->DeleteAsync(name).Get() : db->Delete(name)).ToString();
    } else if (choice < 19) {
      std::vector<std::string> names;
      for (int n = 0; n < 10; ++n) names.push_back(key());
      const std::vector<std::string_view> views(names.begin(), names.end());
      for (const auto& got : is_async ? db->MultiGetAsync(views).Get() : db->MultiGet(views)) {
        transcript += got.ok() ? got->substr(0, 20) : got.status().ToString();
      }
    } else if (random.OneIn(10)) {
      transcript += db->Compact().ToString();
    }
    transcript += '\n';
  }
  return transcript;
}

TEST_P(AsyncHistoryTest, TheSameAsWithPlainCalls) {
  const size_t rounds = Scaled(2);
  for (uint64_t seed = 1; seed <= rounds; ++seed) {
    TempDir plain_dir, async_dir;
    StoreConfig config = config_;
    config.tuning.cache_bytes = 16 << 10;
    auto plain = OpenerFor(config)(plain_dir.Sub("store"), Env::Default());
    auto async = OpenerFor(config)(async_dir.Sub("store"), Env::Default());
    ASSERT_OK(plain);
    ASSERT_OK(async);
    EXPECT_EQ(Transcript(plain->get(), false, seed), Transcript(async->get(), true, seed)) << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Reads, AsyncHistoryTest,
                         ::testing::Values(AsyncReads::kAuto, AsyncReads::kThreads), AsyncVariantName);

}  // namespace async_history_test
}  // namespace varve::test
