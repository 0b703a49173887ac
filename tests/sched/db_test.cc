// A whole store in memory under the scheduler, its background threads too: what is read is what somebody has
// written and nobody has replaced, and changes made together are seen together.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/sched/sched_env.h"
#include "tests/sched/scheduler.h"
#include "varve/db.h"

namespace varve {
namespace db_test {

using sched::ExpectHolds;

class SchedThread final : public Thread {
 public:
  explicit SchedThread(std::function<void()> body) : thread_(std::move(body)) {}

 private:
  sched::Thread thread_;
};

// Files that live in memory, threads and time of the scheduler's.
class World final : public test::ForwardingEnv {
 public:
  World() : ForwardingEnv(&files_) {}
  Clock* clock() override { return &clock_; }
  std::unique_ptr<Thread> StartThread(const std::string&, std::function<void()> body) override {
    return std::make_unique<SchedThread>(std::move(body));
  }
  void* AllocateHuge(size_t bytes) override { return sched::Allocate(bytes, 4096); }
  void FreeHuge(void* memory, size_t) override { sched::Free(memory); }
  uint64_t RandomSeed() override { return 1; }

 private:
  CrashEnv files_{1, SimClock::Mode::kManual};
  sched::SchedClock clock_;
};

class Store {
 public:
  explicit Store(bool mapped_log, Durability durability) {
    Options options;
    options.env = &world_;
    options.durability = durability;
    options.background_threads = 1;
    options.memory_budget_bytes = 16 << 20;
    Tuning tuning = Tuning::FromOptions(options);
    tuning.memtable_bytes = 16 << 10;
    tuning.cache_bytes = 256 << 10;
    tuning.log_window_bytes = 16 << 10;
    tuning.mapped_log = mapped_log;
    auto opened = OpenTuned("/db", options, tuning);
    if (!opened.ok()) sched::Fail(opened.status().ToString());
    db_ = *std::move(opened);
  }
  Db* operator->() const { return db_.get(); }

  // "a" and "b" are only ever written together.
  void PutPair(int value) {
    WriteBatch batch;
    batch.Put("a", std::to_string(value));
    batch.Put("b", std::to_string(value));
    SCHED_REQUIRE(db_->Write(batch).ok());
  }
  // "a" and one key from "x1" to "x3", the one before it deleted as a range.
  void Replace(int value) {
    WriteBatch batch;
    batch.DeleteRange("x", "y");
    batch.Put("a", std::to_string(value));
    batch.Put("x" + std::to_string(value), "");
    SCHED_REQUIRE(db_->Write(batch).ok());
  }
  int GetNumber(std::string_view key, const ReadOptions& options = {}) const {
    const auto found = db_->Get(key, options);
    SCHED_REQUIRE(found.ok() || found.status().IsNotFound());
    return found.ok() ? std::atoi(found->c_str()) : 0;
  }
  // The pair as one moment has it.
  int GetPair() const {
    const auto snapshot = db_->GetSnapshot();
    ReadOptions options;
    options.snapshot = snapshot.get();
    const int a = GetNumber("a", options);
    SCHED_REQUIRE(GetNumber("b", options) == a);
    return a;
  }

 private:
  World world_;
  std::unique_ptr<Db> db_;
};

// A writer, a reader, and somebody who flushes and writes.
void WriteReadAndFlush(bool mapped_log, Durability durability) {
  Store store(mapped_log, durability);
  std::atomic<int> acknowledged{0};
  {
    sched::Thread writer([&] {
      for (int i = 1; i <= 3; ++i) {
        store.PutPair(i);
        acknowledged.store(i);
        SCHED_REQUIRE(store.GetPair() == i);
      }
    });
    sched::Thread reader([&] {
      int last = 0;
      for (int i = 0; i < 3; ++i) {
        const int least = acknowledged.load();
        const int seen = store.GetPair();
        SCHED_REQUIRE(seen >= least && seen >= last);
        last = seen;
        SCHED_REQUIRE(store.GetNumber("b") >= last);
      }
    });
    sched::Thread flusher([&] {
      SCHED_REQUIRE(store->Put("c", "1").ok());
      SCHED_REQUIRE(store->Flush().ok());
      SCHED_REQUIRE(store.GetNumber("c") == 1);
      SCHED_REQUIRE(store->Put("c", "2").ok());
      SCHED_REQUIRE(store.GetNumber("c") == 2);
    });
  }
  SCHED_REQUIRE(store.GetPair() == 3);
  SCHED_REQUIRE(store.GetNumber("c") == 2);
}

// What Replace has written, as one call has it: of several keys at once, or of an iterator.
int Replaced(const Store& store, bool by_iterator) {
  std::string keys, value;
  if (by_iterator) {
    auto it = store->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      keys += it->key();
      if (it->key() == "a") value = it->value();
    }
    SCHED_REQUIRE(it->status().ok());
  } else {
    const std::vector<std::string_view> all{"a", "x1", "x2", "x3"};
    const auto found = store->MultiGet(all);
    for (size_t i = 0; i < all.size(); ++i) {
      if (found[i].ok()) keys += all[i];
    }
    value = found[0].value_or("");
  }
  SCHED_REQUIRE(keys == "ax" + value);
  return std::atoi(value.c_str());
}

// A writer, somebody who reads several keys by one call, and somebody who merges all segments into one.
void WriteReadAndMerge(bool mapped_log) {
  Store store(mapped_log, Durability::kProcess);
  std::atomic<int> acknowledged{1};
  store.Replace(1);
  SCHED_REQUIRE(store->Flush().ok());
  {
    sched::Thread writer([&] {
      for (int i = 2; i <= 3; ++i) {
        store.Replace(i);
        acknowledged.store(i);
      }
    });
    sched::Thread reader([&] {
      int last = 0;
      for (int i = 0; i < 4; ++i) {
        const int least = acknowledged.load();
        const int seen = Replaced(store, i % 2 == 1);
        SCHED_REQUIRE(seen >= least && seen >= last);
        last = seen;
      }
    });
    sched::Thread merger([&] {
      SCHED_REQUIRE(store->Compact().ok());
      SCHED_REQUIRE(Replaced(store, false) >= 1);
    });
  }
  SCHED_REQUIRE(Replaced(store, false) == 3 && Replaced(store, true) == 3);
}

TEST(StoreSchedules, ReadsOfManyKeysAreOfOneMomentWhileTheStoreMerges) {
  for (const bool mapped_log : {true, false}) {
    ExpectHolds({.schedules = 2500}, [mapped_log] { WriteReadAndMerge(mapped_log); });
  }
}

TEST(StoreSchedules, ReadsSeeWhatIsAcknowledgedWhileTheStoreFlushes) {
  ExpectHolds({.schedules = 5000}, [] { WriteReadAndFlush(true, Durability::kProcess); });
}

TEST(StoreSchedules, ReadsSeeWhatIsAcknowledgedWhenEveryWriteIsSynced) {
  ExpectHolds({.schedules = 5000}, [] { WriteReadAndFlush(false, Durability::kSync); });
}

}  // namespace db_test
}  // namespace varve
