// Conditional writes and counters, in the default namespace and in another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/tuning.h"
#include "engine/turn_queue.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace conditional_writes_test {

using ::testing::HasSubstr;

class ConditionalWritesTest : public ::testing::TestWithParam<bool> {
 protected:
  ConditionalWritesTest() {
    tuning_.memtable_bytes = 64 << 10;
    tuning_.segment_bytes = 32 << 10;
    tuning_.tier_runs = 3;
    tuning_.log_window_bytes = 64 << 10;
    tuning_.value_log_file_bytes = 64 << 10;
    tuning_.cache_bytes = 256 << 10;
    options_.env = &env_;
    Open();
  }
  void Open() {
    db_.reset();
    auto db = OpenTuned("/db", options_, tuning_);
    ASSERT_OK(db);
    db_ = *std::move(db);
    if (GetParam()) {
      named_ = *db_->OpenNamespace("space");
      space_ = named_.get();
    } else {
      space_ = db_.get();
    }
  }
  std::string Get(std::string_view key) {
    const auto value = space_->Get(key);
    return value.ok() ? *value : std::string(StatusCodeName(value.status().code()));
  }

  CrashEnv env_{1};
  Options options_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
  std::shared_ptr<Namespace> named_;
  Namespace* space_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(DefaultAndNamed, ConditionalWritesTest, ::testing::Bool());

TEST_P(ConditionalWritesTest, PutIfAbsentLeavesWhatIsThere) {
  ASSERT_OK(space_->PutIfAbsent("k", ""));
  EXPECT_STATUS(kConflict, space_->PutIfAbsent("k", "2"));
  EXPECT_EQ(Get("k"), "");
  ASSERT_OK(space_->Delete("k"));
  ASSERT_OK(space_->PutIfAbsent("k", std::string(20'000, 'l')));
  EXPECT_EQ(Get("k"), std::string(20'000, 'l'));
  ASSERT_OK(space_->Clear());
  ASSERT_OK(space_->PutIfAbsent("k", "3"));
  Open();
  EXPECT_EQ(Get("k"), "3");
}

TEST_P(ConditionalWritesTest, CompareAndSetTellsEmptyFromAbsent) {
  EXPECT_STATUS(kConflict, space_->CompareAndSet("k", "", "1"));
  ASSERT_OK(space_->CompareAndSet("k", std::nullopt, ""));
  EXPECT_STATUS(kConflict, space_->CompareAndSet("k", std::nullopt, "1"));
  ASSERT_OK(space_->CompareAndSet("k", "", "1"));
  ASSERT_OK(space_->CompareAndSet("k", "1", std::nullopt));
  EXPECT_EQ(Get("k"), "not found");
  ASSERT_OK(space_->CompareAndSet("k", std::nullopt, std::nullopt));
  const std::string key = "\xff key";
  ASSERT_OK(space_->CompareAndSet(key, std::nullopt, "1"));
  ASSERT_OK(space_->CompareAndSet(key, "1", "2"));
  EXPECT_EQ(Get(key), "2");
}

TEST_P(ConditionalWritesTest, IncrementKeepsDecimalText) {
  EXPECT_EQ(*space_->Increment("n"), 1);
  EXPECT_EQ(*space_->Increment("n", 41), 42);
  EXPECT_EQ(Get("n"), "42");
  EXPECT_EQ(*space_->Increment("n", -50), -8);
  EXPECT_EQ(Get("n"), "-8");
  EXPECT_EQ(*space_->Increment("n", 0), -8);
  Open();
  EXPECT_EQ(*space_->Increment("n", 8), 0);
  EXPECT_EQ(Get("n"), "0");
  ASSERT_OK(space_->Put("n", "1000"));
  EXPECT_EQ(*space_->Increment("n"), 1001);
}

TEST_P(ConditionalWritesTest, IncrementRefusesWhatIsNoNumber) {
  for (const std::string& text :
       {std::string(), std::string("x"), std::string("1x"), std::string(" 1"), std::string("1 "),
        std::string("+1"), std::string("01"), std::string("-0"), std::string("-"),
        std::string("1.0"), std::string("9223372036854775808"), std::string("1\0", 2),
        std::string("-9223372036854775809"), std::string(20'000, '1')}) {
    ASSERT_OK(space_->Put("n", text));
    EXPECT_STATUS(kInvalidArgument, space_->Increment("n")) << text;
    EXPECT_EQ(Get("n"), text);
  }
}

TEST_P(ConditionalWritesTest, IncrementReachesTheEndsAndNoFurther) {
  EXPECT_EQ(*space_->Increment("max", INT64_MAX), INT64_MAX);
  EXPECT_EQ(Get("max"), "9223372036854775807");
  const Status over = space_->Increment("max").status();
  EXPECT_STATUS(kInvalidArgument, over);
  EXPECT_THAT(over.ToString(), HasSubstr("does not fit"));
  EXPECT_EQ(Get("max"), "9223372036854775807");
  EXPECT_EQ(*space_->Increment("min", INT64_MIN), INT64_MIN);
  EXPECT_EQ(Get("min"), "-9223372036854775808");
  EXPECT_STATUS(kInvalidArgument, space_->Increment("min", -1));
  EXPECT_STATUS(kInvalidArgument, space_->Increment("min", INT64_MIN));
  EXPECT_EQ(*space_->Increment("min", INT64_MAX), -1);
}

TEST_P(ConditionalWritesTest, AppendPutsBehind) {
  EXPECT_EQ(*space_->Append("k", ""), 0u);
  EXPECT_EQ(Get("k"), "");
  EXPECT_EQ(*space_->Append("k", "ab"), 2u);
  EXPECT_EQ(*space_->Append("k", std::string("\0c", 2)), 4u);
  EXPECT_EQ(Get("k"), std::string("ab\0c", 4));
  // Over the border of what stays beside its key, and further in the value log.
  EXPECT_EQ(*space_->Append("k", std::string(20'000, 'x')), 20'004u);
  EXPECT_EQ(*space_->Append("k", "y"), 20'005u);
  ASSERT_OK(db_->Flush());
  EXPECT_EQ(*space_->Append("k", "z"), 20'006u);
  EXPECT_EQ(Get("k"), std::string("ab\0c", 4) + std::string(20'000, 'x') + "yz");
}

TEST_P(ConditionalWritesTest, GetAndSetReturnsWhatWas) {
  EXPECT_EQ(*space_->GetAndSet("k", "1"), std::nullopt);
  EXPECT_EQ(*space_->GetAndSet("k", std::string(20'000, 'l')), "1");
  EXPECT_EQ(*space_->GetAndSet("k", ""), std::string(20'000, 'l'));
  EXPECT_EQ(*space_->GetAndSet("k", std::nullopt), "");
  EXPECT_EQ(Get("k"), "not found");
  const uint64_t before = db_->Stats().last_sequence;
  EXPECT_EQ(*space_->GetAndSet("k", std::nullopt), std::nullopt);
  EXPECT_EQ(db_->Stats().last_sequence, before);
}

TEST_P(ConditionalWritesTest, LimitsAreKept) {
  options_.max_key_bytes = 4;
  options_.max_value_bytes = 4;
  Open();
  EXPECT_STATUS(kInvalidArgument, space_->Increment("12345"));
  EXPECT_EQ(*space_->Increment("n", 9999), 9999);
  EXPECT_STATUS(kInvalidArgument, space_->Increment("n"));
  EXPECT_EQ(Get("n"), "9999");
  EXPECT_STATUS(kInvalidArgument, space_->GetAndSet("n", "12345"));
  EXPECT_STATUS(kInvalidArgument, space_->PutIfAbsent("m", "12345"));
}

TEST_P(ConditionalWritesTest, AHundredThreadsAddUp) {
  constexpr int kThreads = 100;
  constexpr int kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < kEach; ++i) EXPECT_OK(space_->Increment("n"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Get("n"), std::to_string(kThreads * kEach));
}

// Everything at once on one key: each append leaves its mark exactly once, in the order of each thread.
TEST_P(ConditionalWritesTest, AppendsOfManyThreadsAreAllThereInOrder) {
  constexpr int kThreads = 8;
  constexpr int kEach = 60;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) {
        EXPECT_OK(space_->Append("log", std::string(1, static_cast<char>('a' + t)) +
                                            static_cast<char>('0' + i)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string log = Get("log");
  ASSERT_EQ(log.size(), size_t{2} * kThreads * kEach);
  std::vector<char> next(kThreads, '0');
  for (size_t i = 0; i < log.size(); i += 2) {
    EXPECT_EQ(log[i + 1], next[static_cast<size_t>(log[i] - 'a')]++);
  }
}

// Increments against plain puts, of the same key, that never rest: each increment ends, and changes the
// number that it says it has found.
TEST_P(ConditionalWritesTest, IncrementsEndUnderAStormOfPuts) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([&] {
      while (!stop) EXPECT_OK(space_->Put("n", "1000"));
    });
  }
  ASSERT_OK(space_->Put("n", "1000"));
  for (int i = 0; i < 300; ++i) {
    const auto sum = space_->Increment("n");
    ASSERT_OK(sum);
    EXPECT_GT(*sum, 1000);
    EXPECT_LE(*sum, 1000 + i + 1);
  }
  stop = true;
  for (std::thread& thread : writers) thread.join();
}

// The way to the read-modify-write below the conditional writes.
struct Exposed : public Namespace {
  using Namespace::Modification;
  using Namespace::Modifier;
  static Status Modify(Namespace& space, std::string_view key, const Modifier& modify) {
    return (space.*&Exposed::ReadModifyWrite)(key, modify, {});
  }
};

// Loses every race that it can lose: after a bounded number of attempts nobody can come in between.
TEST_P(ConditionalWritesTest, AttemptsAreBounded) {
  constexpr int kAttemptsWithoutLock = 16;
  int calls = 0;
  std::atomic<bool> is_writing{false}, has_written{false};
  std::thread rival;
  const auto modify = [&](std::optional<std::string_view> current)
      -> Result<Exposed::Modification> {
    ++calls;
    EXPECT_EQ(current.value_or("absent"), calls == 1 ? "absent" : std::to_string(calls - 1));
    if (calls <= kAttemptsWithoutLock) {
      EXPECT_OK(space_->Put("k", std::to_string(calls)));
    } else {
      rival = std::thread([&] {
        is_writing = true;
        EXPECT_OK(space_->Put("other", "rival"));
        has_written = true;
      });
      while (!is_writing) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      EXPECT_FALSE(has_written);
    }
    return Exposed::Modification{Exposed::Modification::Kind::kPut, "done"};
  };
  ASSERT_OK(Exposed::Modify(*space_, "k", modify));
  ASSERT_EQ(calls, kAttemptsWithoutLock + 1);
  rival.join();
  EXPECT_EQ(Get("k"), "done");
  EXPECT_EQ(Get("other"), "rival");
}

// The same, with values so large that they lie in the value log, and an answer without a write.
TEST_P(ConditionalWritesTest, TheLastAttemptReadsLargeValuesAndMayRefuse) {
  int calls = 0;
  std::string large;
  const auto modify = [&](std::optional<std::string_view> current)
      -> Result<Exposed::Modification> {
    EXPECT_EQ(current.value_or(large), large);
    if (++calls <= 16) {
      large = std::string(20'000, static_cast<char>('a' + calls));
      EXPECT_OK(space_->Put("k", large));
    } else if (calls == 18) {
      return Status::Aborted("enough");
    }
    return Exposed::Modification{Exposed::Modification::Kind::kPut, large};
  };
  ASSERT_OK(Exposed::Modify(*space_, "k", modify));
  EXPECT_EQ(Get("k"), large);
  EXPECT_STATUS(kAborted, Exposed::Modify(*space_, "k", modify));
  EXPECT_EQ(Get("k"), large);
}

TEST_P(ConditionalWritesTest, SyncedIncrementsAddUpOverLossOfPower) {
  constexpr int kThreads = 8;
  constexpr int kEach = 5;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < kEach; ++i) {
        EXPECT_OK(space_->Increment("n", 1, {.durability = Durability::kSync}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  auto after = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
  Options options;
  options.env = after.get();
  auto db = OpenTuned("/db", options, tuning_);
  ASSERT_OK(db);
  Namespace* space = db->get();
  std::shared_ptr<Namespace> named;
  if (GetParam()) {
    named = *(*db)->OpenNamespace("space");
    space = named.get();
  }
  EXPECT_EQ(space->Get("n").value_or("absent"), std::to_string(kThreads * kEach));
}

TEST(TurnQueueTest, TurnsAreHeldOneAtATimeByAll) {
  TurnQueue queue;
  int held = 0;
  int total = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        TurnQueue::Turn turn(&queue);
        EXPECT_EQ(++held, 1);
        ++total;
        --held;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(total, 8 * 500);
}

}  // namespace conditional_writes_test
}  // namespace varve
