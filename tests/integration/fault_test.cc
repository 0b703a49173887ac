// The n-th call to the environment fails, for every n, once and for ever, in every way: errors are
// reported, nothing crashes, what was acknowledged stays readable, and a failed sync is final.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "env/crash_env.h"
#include "tests/support/fake_db.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"
#include "torture/possible_contents.h"

namespace varve::test {
namespace fault_test {

constexpr char kDir[] = "/store";

void Record(const Change& change, bool was_acked, size_t step, torture::PossibleContents* contents) {
  switch (change.kind) {
    case Change::Kind::kPut: return contents->Record(change.key, change.value, was_acked, step);
    case Change::Kind::kDelete: return contents->Record(change.key, std::nullopt, was_acked, step);
    case Change::Kind::kDeleteRange: return contents->RecordRange(change.key, change.value, was_acked, step);
  }
}

struct FaultPlan {
  uint64_t nth = 0;  // 0: no fault
  Fault fault = Fault::kEio;
  FaultSpan span = FaultSpan::kOnce;
  CallFilter filter;

  std::string ToString() const {
    if (nth == 0) return "no fault";
    constexpr const char* kNames[] = {"none", "EIO", "no space", "short write", "failed sync"};
    return "call " + std::to_string(nth) + " fails with " + kNames[static_cast<size_t>(fault)] +
           (span == FaultSpan::kForever ? " for ever" : " once");
  }
};

// One run of a workload with one plan.
class FaultRun {
 public:
  FaultRun(const StoreOpener& opener, const std::vector<Step>& steps, FaultPlan plan)
      : opener_(opener), steps_(steps), plan_(std::move(plan)) {}

  // Empty, or what went wrong.
  std::string Run() {
    std::string problem = RunAll();
    return problem.empty() ? problem : plan_.ToString() + ": " + problem;
  }
  uint64_t fault_count() const { return env_.fault_count(); }
  // Calls that the plan's filter means, up to the last step.
  uint64_t call_count() const { return calls_; }

 private:
  static constexpr size_t kEnd = ~size_t{0};

  std::string RunAll() {
    if (plan_.nth > 0) env_.FailCall(plan_.nth, plan_.fault, plan_.span, plan_.filter);
    env_.SetCallHook([this](const CallInfo& call) { calls_ += plan_.filter.Matches(call) ? 1 : 0; });
    Result<std::unique_ptr<Db>> db = opener_(kDir, &env_);
    for (size_t i = 0; i < steps_.size() && db.ok(); i++) {
      std::string problem = RunOne(i, &db);
      if (!problem.empty()) return "step " + std::to_string(i) + ", " + problem;
    }
    env_.SetCallHook(nullptr);
    env_.ClearFaults();
    const auto after_kill = env_.CloneAfterProcessCrash();
    if (db.ok()) {
      // Faults are gone: all reads must work, whatever state the store is in.
      std::string problem = CheckReads(db->get(), kEnd, true);
      if (!problem.empty()) return "before the reopen, " + problem;
      if (is_latched_ && (*db)->Put("late", "write").ok()) {
        return "a write was acknowledged after a failed sync";
      }
      db->reset();
    }
    const auto after_power_cut = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
    std::string problem = CheckReopens(&env_, kEnd, "after the reopen, ");
    if (problem.empty()) problem = CheckReopens(after_kill.get(), kEnd, "after a kill, ");
    if (problem.empty()) {
      problem = CheckReopens(after_power_cut.get(), durable_, "after a power cut, ");
    }
    return problem;
  }

  std::string RunOne(size_t i, Result<std::unique_ptr<Db>>* db) {
    const Step& step = steps_[i];
    if (step.kind == Step::Kind::kReopen) {
      db->value().reset();
      *db = opener_(kDir, &env_);
      is_latched_ = false;
      return {};
    }
    const Status status = RunStep(db->value().get(), step);
    for (const Change& change : step.changes) {
      Record(change, status.ok(), i, &contents_);
    }
    if (status.ok() && is_latched_ && (step.kind == Step::Kind::kWrite || step.MakesDurable())) {
      return step.ToString() + " was acknowledged after a failed sync";
    }
    if (status.ok() && step.MakesDurable()) durable_ = i;
    if (!status.ok() && step.MakesDurable() && plan_.fault == Fault::kFailedSync) {
      is_latched_ = true;
    }
    if (status.ok() || ++failed_steps_ > 8) return {};
    // Reads go on; while the fault lasts they may fail too.
    return CheckReads(db->value().get(), kEnd, false);
  }

  std::string CheckReads(Db* db, std::optional<size_t> last_kept, bool must_work) {
    for (const std::string& key : contents_.Keys()) {
      const Result<std::string> got = db->Get(key);
      const bool is_absent = got.status().IsNotFound();
      if (!got.ok() && !is_absent) {
        if (!must_work) continue;
        return "get " + key + ": " + got.status().ToString();
      }
      std::optional<std::string> seen;
      if (got.ok()) seen = *got;
      if (!contents_.IsPossible(key, seen, last_kept)) {
        return "key " + key + (is_absent ? " is absent" : " has " + got->substr(0, 12));
      }
    }
    if (!must_work) return {};
    const Result<Contents> all = ReadContents(db);
    return all.ok() ? "" : "scan: " + all.status().ToString();
  }

  // The store must open, hold what it must, and take writes.
  std::string CheckReopens(CrashEnv* env, std::optional<size_t> last_kept, const char* when) {
    auto db = opener_(kDir, env);
    if (!db.ok()) return when + db.status().ToString();
    const std::string problem = CheckReads(db->get(), last_kept, true);
    if (!problem.empty()) return when + problem;
    const Status written = (*db)->Put("afterwards", "written", {.durability = Durability::kSync});
    return written.ok() ? "" : when + ("put: " + written.ToString());
  }

  const StoreOpener& opener_;
  const std::vector<Step>& steps_;
  const FaultPlan plan_;
  CrashEnv env_;
  torture::PossibleContents contents_;
  std::optional<size_t> durable_;  // the last step acknowledged as durable
  size_t failed_steps_ = 0;
  bool is_latched_ = false;
  std::atomic<uint64_t> calls_ = 0;
};

struct Sweep {
  Fault fault;
  FaultSpan span;
  CallFilter filter = {};
};

StoreOpener FakeOpener(FakeBug bug) {
  return [bug](const std::string& dir, Env* env) {
    Options options;
    options.env = env;
    return FakeDb::Open(dir, options, bug);
  };
}

struct SweepCounts {
  size_t runs = 0;
  uint64_t stride = 1;
};

// Lets call n fail, of those that the filter means, for n = 1, 2, ... until a run is untouched; when they are
// more than `run_limit` only every so manieth. Returns the first problem.
std::string RunSweep(const StoreOpener& opener, const std::vector<Step>& steps, const Sweep& sweep,
                     size_t run_limit, SweepCounts* counts) {
  FaultRun clean(opener, steps, {.filter = sweep.filter});
  std::string problem = clean.Run();
  if (!problem.empty()) return problem;
  counts->stride = StrideOf(clean.call_count(), run_limit);
  for (uint64_t n = 1 + clean.call_count() % counts->stride;; n += counts->stride) {
    FaultRun run(opener, steps, {n, sweep.fault, sweep.span, sweep.filter});
    problem = run.Run();
    ++counts->runs;
    if (!problem.empty() || run.fault_count() == 0) return problem;
  }
}

struct NamedSweep {
  const char* name;
  Sweep sweep;
};

void PrintTo(const NamedSweep& named, std::ostream* out) { *out << named.name; }

const NamedSweep kSweeps[] = {
    {"EioOnce", {Fault::kEio, FaultSpan::kOnce}},
    {"EioForEver", {Fault::kEio, FaultSpan::kForever}},
    {"EioOnChangesForEver", {Fault::kEio, FaultSpan::kForever, CallFilter::Changes()}},
    {"EioOnReadsForEver", {Fault::kEio, FaultSpan::kForever, CallFilter::Reads()}},
    {"NoSpaceOnce", {Fault::kNoSpace, FaultSpan::kOnce, CallFilter::Changes()}},
    {"NoSpaceForEver", {Fault::kNoSpace, FaultSpan::kForever, CallFilter::Changes()}},
    {"ShortWriteOnce", {Fault::kShortWrite, FaultSpan::kOnce, {.kinds = {CallKind::kWrite}}}},
    {"ShortWriteForEver", {Fault::kShortWrite, FaultSpan::kForever, {.kinds = {CallKind::kWrite}}}},
    {"FailedSyncOnce",
     {Fault::kFailedSync, FaultSpan::kOnce, {.kinds = {CallKind::kSync, CallKind::kSyncDir}}}},
    {"FailedSyncForEver",
     {Fault::kFailedSync, FaultSpan::kForever, {.kinds = {CallKind::kSync, CallKind::kSyncDir}}}},
};

class FaultTest : public ::testing::TestWithParam<NamedSweep> {
 protected:
  void ExpectSurvives(const StoreConfig& config, uint64_t seed) {
    SweepCounts counts;
    EXPECT_EQ(RunSweep(OpenerFor(config), MakeWorkload(seed, {.step_count = 120}), GetParam().sweep,
                       Scaled(600), &counts),
              "")
        << "seed " << seed << ", options: " << config.ToString();
    const std::string every = counts.stride == 1 ? "each" : "one in " + std::to_string(counts.stride);
    std::printf("  %zu runs, %s of the calls\n", counts.runs, every.c_str());
    EXPECT_TRUE(counts.stride == 1 || !IsExhaustive());
    RecordProperty("failed_calls", std::to_string(counts.runs));
  }
};

TEST_P(FaultTest, MappedLog) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = true;
  ExpectSurvives(config, 21);
}

TEST_P(FaultTest, WrittenLog) {
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = false;
  ExpectSurvives(config, 22);
}

INSTANTIATE_TEST_SUITE_P(Sweeps, FaultTest, ::testing::ValuesIn(kSweeps),
                         [](const auto& named) { return named.param.name; });

TEST(FaultHarnessTest, CorrectFakeSurvivesEverySweep) {
  const std::vector<Step> steps = MakeWorkload(1, {.step_count = 60});
  for (const NamedSweep& named : kSweeps) {
    SweepCounts counts;
    EXPECT_EQ(RunSweep(FakeOpener(FakeBug::kNone), steps, named.sweep, 500, &counts), "") << named.name;
    EXPECT_GT(counts.runs, 3u) << named.name;
    EXPECT_EQ(counts.stride, 1u) << named.name;
  }
}

class FaultFindsTest : public ::testing::TestWithParam<FakeBug> {};

TEST_P(FaultFindsTest, PlantedBug) {
  const std::vector<Step> steps = MakeWorkload(1, {.step_count = 60});
  std::string problems;
  for (const NamedSweep& named : kSweeps) {
    SweepCounts counts;
    problems += RunSweep(FakeOpener(GetParam()), steps, named.sweep, 500, &counts);
  }
  EXPECT_NE(problems, "");
}

INSTANTIATE_TEST_SUITE_P(Bugs, FaultFindsTest,
                         ::testing::Values(FakeBug::kForgivesSync, FakeBug::kSwallowsErrors,
                                           FakeBug::kNoSync));

}  // namespace fault_test
}  // namespace varve::test
