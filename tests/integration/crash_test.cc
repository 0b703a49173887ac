// Loss of power and end of the process at every I/O call of a workload: the store must open again
// and hold a prefix of the history that contains every write acknowledged as durable.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/crash_env.h"
#include "tests/support/fake_db.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace {

constexpr char kDir[] = "/store";

// Which states a reopened store may have: those after `first` to `last` steps.
struct Window {
  size_t first = 0;
  size_t last = 0;
};

// Runs a workload once. The hook clones the world at every call, in the thread that makes it; the
// clones are opened between two steps, when no thread of the store waits for the hook.
class CrashRun {
 public:
  struct Report {
    std::string failure;  // empty: none
    uint64_t call_count = 0;
    uint64_t clone_count = 0;
    uint64_t second_crash_count = 0;
  };

  CrashRun(StoreOpener opener, std::vector<Step> steps, uint64_t seed)
      : opener_(std::move(opener)),
        steps_(std::move(steps)),
        states_(StatesOf(steps_)),
        seed_(seed) {}

  // Takes about `clone_budget` clones: up to `kCutsMax` at a call, at every call if the budget
  // allows two at each, else at every n-th.
  Report Run(size_t clone_budget) {
    const uint64_t call_count = CountCalls();
    if (!report_.failure.empty()) return report_;
    cuts_per_call_ =
        std::clamp<uint64_t>(clone_budget / std::max<uint64_t>(1, call_count), 2, kCutsMax);
    stride_ = std::max<uint64_t>(1, call_count * cuts_per_call_ / clone_budget);
    CrashEnv env(seed_);
    env.SetCallHook([&](const CallInfo& call) {
      if (call.index % stride_ != 0) return;
      Examine(&env, call.index,
              "at call " + std::to_string(call.index) + " (" +
                  std::string(CallKindName(call.kind)) + " " + call.path + ")");
    });
    RunWorkload(&env, true);
    env.SetCallHook(nullptr);
    CheckPending();
    report_.call_count = env.call_count();
    report_.clone_count = clone_count_;
    report_.second_crash_count = second_crash_count_;
    return report_;
  }

 private:
  static constexpr uint64_t kCutsMax = 40;

  uint64_t CountCalls() {
    CrashEnv env(seed_);
    RunWorkload(&env, false);
    return env.call_count();
  }

  void RunWorkload(CrashEnv* env, bool examines) {
    started_ = acked_ = durable_ = 0;
    auto db = opener_(kDir, env);
    for (size_t i = 0; i < steps_.size() && !has_failed_; i++) {
      if (!db.ok()) return Fail("step " + std::to_string(i) + ": " + db.status().ToString());
      const Step& step = steps_[i];
      started_ = i + 1;
      Status status;
      if (step.kind == Step::Kind::kReopen) {
        db->reset();
        db = opener_(kDir, env);
      } else {
        status = RunStep(db->get(), step);
      }
      if (!status.ok()) return Fail(step.ToString() + ": " + status.ToString());
      if (step.MakesDurable()) durable_ = i + 1;
      // A write without durability may be lost with the process, but not a later one without it.
      if (step.kind != Step::Kind::kWrite || step.durability != Durability::kNone) acked_ = i + 1;
      // Stores into a mapped log are no calls: look between the steps as well.
      if (examines && (i + seed_) % 4 == 0) {
        Examine(env, 1'000'000 + i,
                "after step " + std::to_string(i) + " (" + step.ToString() + ")");
      }
      CheckPending();
    }
  }

  void Examine(CrashEnv* env, uint64_t index, const std::string& where) {
    for (uint64_t cut_number = 0; cut_number < cuts_per_call_ && !has_failed_; cut_number++) {
      const uint64_t cut_seed = seed_ * 1'000'003 + index * 64 + cut_number;
      // The lower end is read before the clone is taken and the upper end after: other threads
      // work.
      Window window{.first = durable_};
      auto clone = env->CloneAfterPowerCut(CutOf(cut_number, cut_seed));
      window.last = started_;
      AddPending({std::move(clone), window, window, cut_seed,
                  where + ", power cut " + CutName(cut_number)});
    }
    if (has_failed_) return;
    // What the dead process had not synced may still be lost in recovery.
    Window window{.first = acked_};
    Window second_window{.first = durable_};
    auto clone = env->CloneAfterProcessCrash();
    window.last = second_window.last = started_;
    AddPending(
        {std::move(clone), window, second_window, seed_ + index, where + ", end of the process"});
  }

  static PowerCut CutOf(uint64_t number, uint64_t seed) {
    if (number == 0) return PowerCut::LoseUnsynced();
    if (number == 1) return PowerCut::Random(seed);
    if (number == 2) return PowerCut::KeepUnsynced();
    return number % 2 == 0 ? PowerCut::Random(seed) : PowerCut::Torn(seed);
  }
  static std::string CutName(uint64_t number) {
    if (number == 0) return "that loses all";
    if (number == 2) return "that keeps all";
    return number == 1 || number % 2 == 0 ? "that keeps a random part" : "that tears";
  }

  // A clone to be opened, and what it may hold: at once, and when the power fails in recovery too.
  struct Pending {
    std::unique_ptr<CrashEnv> env;
    Window window;
    Window second_window;
    uint64_t seed;
    std::string where;
  };

  void AddPending(Pending pending) {
    std::lock_guard<std::mutex> lock(mu_);
    pending_.push_back(std::move(pending));
  }

  void CheckPending() {
    std::vector<Pending> pending;
    {
      std::lock_guard<std::mutex> lock(mu_);
      pending.swap(pending_);
    }
    for (const Pending& one : pending) {
      if (!has_failed_) CheckClone(one);
    }
  }

  void CheckClone(const Pending& one) {
    clone_count_++;
    // Sampled: another loss of power while the store recovers from the first.
    if (!Random(one.seed).OneIn(12)) return CheckOpens(one.env.get(), one.window, one.where);
    std::mutex mu;
    std::vector<Pending> seconds;
    uint64_t calls = 0;
    one.env->SetCallHook([&](const CallInfo& call) {
      std::lock_guard<std::mutex> lock(mu);
      if (++calls % 3 != one.seed % 3) return;
      seconds.push_back({one.env->CloneAfterPowerCut(CutOf(calls % 4, one.seed + call.index)),
                         one.second_window, one.second_window, 0,
                         one.where + ", then again " + CutName(calls % 4) + " in recovery " +
                             std::string(CallKindName(call.kind)) + " " + call.path});
    });
    CheckOpens(one.env.get(), one.window, one.where);
    one.env->SetCallHook(nullptr);
    for (const Pending& second : seconds) {
      if (has_failed_) return;
      second_crash_count_++;
      CheckOpens(second.env.get(), second.window, second.where);
    }
  }

  // Opens the store twice; what it holds the first time must be allowed, and stay.
  void CheckOpens(CrashEnv* env, const Window& window, const std::string& where) {
    size_t state = 0;
    for (const char* const attempt : {"reopened", "reopened twice"}) {
      auto db = opener_(kDir, env);
      if (!db.ok()) return Fail(where + ", " + attempt + ": " + db.status().ToString());
      const Result<Contents> contents = ReadContents(db->get());
      if (!contents.ok()) return Fail(where + ", " + attempt + ": " + contents.status().ToString());
      const auto found = FindState(states_, *contents, window.first, window.last);
      if (!found.has_value()) return Fail(where + ", " + attempt + Explain(window, *contents));
      if (attempt == std::string("reopened twice") && states_[*found] != states_[state]) {
        return Fail(where + ": the second opening shows another state than the first");
      }
      if (env->call_count() % 8 != 0) return;  // the second time is sampled too
      state = *found;
    }
  }

  std::string Explain(const Window& window, const Contents& contents) {
    std::string text = ": not a state after " + std::to_string(window.first) + " to " +
                       std::to_string(window.last) + " steps";
    const auto earlier = FindState(states_, contents, 0, window.first);
    if (earlier.has_value()) {
      return text + " but after " + std::to_string(*earlier) +
             ": durable steps are lost, the last " + steps_[window.first - 1].ToString();
    }
    text += "\nthe last step: " + (window.last == 0 ? "none" : steps_[window.last - 1].ToString());
    return text + "\nagainst the earliest: " + Difference(states_[window.first], contents) +
           "against the latest: " + Difference(states_[window.last], contents);
  }

  void Fail(const std::string& what) {
    std::lock_guard<std::mutex> lock(mu_);
    if (report_.failure.empty()) report_.failure = "seed " + std::to_string(seed_) + " " + what;
    has_failed_ = true;
  }

  const StoreOpener opener_;
  const std::vector<Step> steps_;
  const std::vector<Contents> states_;
  const uint64_t seed_;
  uint64_t cuts_per_call_ = 1;
  uint64_t stride_ = 1;
  // How far the workload is: steps begun, acknowledged, acknowledged as durable.
  std::atomic<size_t> started_{0};
  std::atomic<size_t> acked_{0};
  std::atomic<size_t> durable_{0};
  uint64_t clone_count_ = 0;
  uint64_t second_crash_count_ = 0;
  std::atomic<bool> has_failed_{false};
  std::mutex mu_;
  std::vector<Pending> pending_;  // guarded by mu_
  Report report_;
};

StoreOpener FakeOpener(FakeBug bug) {
  return [bug](const std::string& dir, Env* env) {
    Options options;
    options.env = env;
    return FakeDb::Open(dir, options, bug);
  };
}

void ExpectSurvives(const StoreConfig& config, uint64_t seed, const WorkloadOptions& workload,
                    size_t clone_budget) {
  CrashRun run(OpenerFor(config), MakeWorkload(seed, workload), seed);
  const CrashRun::Report report = run.Run(clone_budget);
  EXPECT_EQ(report.failure, "") << "options: " << config.ToString();
  std::printf("  seed %llu: %llu calls, %llu clones, %llu second crashes\n",
              static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(report.call_count),
              static_cast<unsigned long long>(report.clone_count),
              static_cast<unsigned long long>(report.second_crash_count));
  EXPECT_GT(report.clone_count, clone_budget / 4);
}

TEST(CrashTest, SmallStoreWithMappedLogAtEveryCall) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = true;
  ExpectSurvives(config, 1, {}, Scaled(4000));
}

TEST(CrashTest, SmallStoreWithWrittenLogAtEveryCall) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = false;
  ExpectSurvives(config, 2, {.with_none = true}, Scaled(4000));
}

TEST(CrashTest, DeadlinesSurviveWithTheirValues) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = true;
  ExpectSurvives(config, 4, {.step_count = 250, .with_deadlines = true}, Scaled(1500));
}

TEST(CrashTest, StoreOnAFileSystemThatCannotAllocate) {
  const StoreOpener opener = [](const std::string& dir, Env* env) {
    static_cast<CrashEnv*>(env)->SetAllocationSupported(false);
    return OpenerFor(SmallStoreConfig())(dir, env);
  };
  const CrashRun::Report report =
      CrashRun(opener, MakeWorkload(3, {.step_count = 200}), 3).Run(Scaled(1000));
  EXPECT_EQ(report.failure, "");
}

TEST(CrashTest, TransactionsAreWholeOrAbsent) {
  for (const bool mapped : {true, false}) {
    StoreConfig config = SmallStoreConfig();
    config.tuning.mapped_log = mapped;
    ExpectSurvives(config, mapped ? 4 : 5, {.step_count = 120, .with_transactions = true},
                   Scaled(500));
  }
}

TEST(CrashTest, RandomOptions) {
  const size_t seed_count = Scaled(6);
  for (uint64_t seed = 10; seed < 10 + seed_count && !HasFailure(); seed++) {
    const WorkloadOptions workload{.step_count = 300,
                                   .key_count = 20 + seed % 4 * 40,
                                   .value_bytes_max = seed % 2 == 0 ? 200u : 1500u,
                                   .with_none = seed % 3 == 0};
    ExpectSurvives(RandomStoreConfig(seed), seed, workload, 1000);
  }
}

TEST(CrashHarnessTest, CorrectFakeSurvives) {
  const CrashRun::Report report =
      CrashRun(FakeOpener(FakeBug::kNone), MakeWorkload(1, {.step_count = 150}), 1).Run(4000);
  EXPECT_EQ(report.failure, "");
  EXPECT_GT(report.clone_count, 1000u);
  EXPECT_GT(report.second_crash_count, 100u);
}

class CrashFindsTest : public ::testing::TestWithParam<FakeBug> {};

TEST_P(CrashFindsTest, PlantedBug) {
  CrashRun run(FakeOpener(GetParam()), MakeWorkload(1, {.step_count = 150}), 1);
  const CrashRun::Report report = run.Run(4000);
  EXPECT_NE(report.failure, "");
  EXPECT_EQ(report.failure.find("seed 1 step "), std::string::npos)
      << "failed before the first crash: " << report.failure;
}

INSTANTIATE_TEST_SUITE_P(Bugs, CrashFindsTest,
                         ::testing::Values(FakeBug::kNoSync, FakeBug::kNoChecksum,
                                           FakeBug::kTornBatch, FakeBug::kForgetsDeletes,
                                           FakeBug::kBuffersWrites));

}  // namespace
}  // namespace varve::test
