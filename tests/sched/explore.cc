#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "base/epoch.h"
#include "tests/sched/heap.h"
#include "tests/sched/runtime.h"
#include "tests/sched/scheduler.h"

namespace varve::sched {

namespace {

constexpr size_t kMostChanges = 2000;  // of one schedule

double Scale() {
  const char* text = std::getenv("VARVE_TEST_SCALE");
  const double scale = text == nullptr ? 1.0 : std::atof(text);
  return scale > 0 ? scale : 1.0;
}

// Collections come with every 64th object that is retired: lets each schedule begin right after one.
void BeginEpochAnew() {
  bool is_over = false;
  while (!is_over) {
    EpochRetire(&is_over, [](void* over) { *static_cast<bool*>(over) = true; });
  }
  EpochDrain();
}

// Runs `work` in a child process and returns whether it has ended well. What it has found is in `shared`.
bool InChild(const std::function<void()>& work) {
  if (shared == nullptr) {
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    shared = static_cast<Shared*>(memory);
  }
  shared->has_failed = false;
  shared->message[0] = '\0';
  shared->traced = 0;
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    StartHeap();
    work();
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) std::abort();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  if (!shared->has_failed) {
    const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    std::snprintf(shared->message, sizeof(shared->message), "the process has ended by signal %d", number);
  }
  return false;
}

// One schedule without changes: makes what is made once in a process, and shows how long the program is.
uint64_t WarmUp(const Options& options, bool traces, const std::function<void()>& program) {
  const Schedule plain;
  uint64_t points = 0;
  for (int i = 0; i < 2; ++i) {
    BeginEpochAnew();
    points = RunSchedule(options, plain, traces, program).points;
  }
  shared->traced = 0;
  return points;
}

void RunOne(const Options& options, const Schedule& schedule, bool traces, const std::function<void()>& program) {
  BeginEpochAnew();
  const RunCounts counts = RunSchedule(options, schedule, traces, program);
  shared->points += counts.points;
  shared->switches += counts.switches;
  ++shared->schedules;
}

void RunSeeds(const Options& options, uint64_t first, uint64_t count, const std::function<void()>& program) {
  const uint64_t points = WarmUp(options, false, program);
  shared->run_points = points;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    shared->seed = seed;
    const Schedule schedule = MakeSchedule(seed, points, options.spurious);
    RunOne(options, schedule, false, program);
  }
}

uint64_t PointsOf(const Options& options, const std::function<void()>& program) {
  uint64_t points = 0;
  if (InChild([&] { shared->run_points = WarmUp(options, false, program); })) points = shared->run_points;
  return points;
}

// Adds them up: of all, which must be 10^5 in a run of all tests, and of each for who reads its results.
class Total final : public ::testing::Environment {
 public:
  void Add(uint64_t schedules) {
    const auto* now = ::testing::UnitTest::GetInstance()->current_test_info();
    of_test_ = (now == test_ ? of_test_ : 0) + schedules;
    test_ = now;
    of_all_ += schedules;
    ::testing::Test::RecordProperty("schedules", std::to_string(of_test_));
  }
  void TearDown() override {
    const auto& all = *::testing::UnitTest::GetInstance();
    if (all.test_to_run_count() < all.total_test_count() || Scale() < 1 || std::getenv("VARVE_TEST_SEED") != nullptr) return;
    std::printf("%llu schedules in all\n", static_cast<unsigned long long>(of_all_));
    EXPECT_GE(of_all_, 100'000u);
  }

 private:
  const ::testing::TestInfo* test_ = nullptr;
  uint64_t of_test_ = 0;
  uint64_t of_all_ = 0;
};
auto* const total = dynamic_cast<Total*>(::testing::AddGlobalTestEnvironment(new Total));

std::string Report(const Finding& finding, bool reproduces) {
  const std::string seed = std::to_string(finding.seed);
  std::string text = finding.message + "\nseed " + seed + " (VARVE_TEST_SEED=" + seed + " runs it alone), after " +
                     std::to_string(finding.schedules) + " schedules that passed; " +
                     std::to_string(finding.shortest.changes.size()) + " changes suffice\n";
  if (!reproduces) return text + "it does not fail when it is run alone\n";
  return text + DescribeTrace();
}

}  // namespace

Schedule MakeSchedule(uint64_t seed, uint64_t points, bool spurious) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t limit) { return limit == 0 ? 0 : random() % limit; };
  Schedule schedule;
  schedule.seed = seed;
  const auto add = [&](uint64_t point, Change::Kind kind) {
    schedule.changes.push_back({point, kind, static_cast<uint32_t>(random())});
  };
  const uint64_t style = below(8);
  if (style < 5) {
    for (uint64_t left = style; left > 0; --left) add(1 + below(points), Change::Kind::kLower);
  } else {
    const uint64_t gap = uint64_t{2} << (2 * below(4));
    for (uint64_t at = below(2 * gap); at < 2 * points && schedule.changes.size() < kMostChanges;) {
      add(at, Change::Kind::kRaise);
      at += 1 + below(2 * gap);
    }
  }
  // Whether waits with limits end early, and for no reason, and time passes: in every fourth schedule each.
  const uint64_t extras = below(64);
  const auto add_some = [&](uint64_t count, Change::Kind kind) {
    for (; count > 0; --count) add(1 + below(points), kind);
  };
  if ((extras & 3) == 0) add_some(3, Change::Kind::kTimeout);
  if ((extras >> 2 & 3) == 0) add_some(2, Change::Kind::kPassTime);
  if ((extras >> 4 & 3) == 0 && spurious) add_some(2, Change::Kind::kSpurious);
  std::stable_sort(schedule.changes.begin(), schedule.changes.end(),
                   [](const Change& a, const Change& b) { return a.point < b.point; });
  return schedule;
}

Outcome Replay(const Options& options, const Schedule& schedule, const std::function<void()>& program) {
  Outcome outcome;
  outcome.has_failed = !InChild([&] {
    WarmUp(options, true, program);
    RunOne(options, schedule, true, program);
  });
  if (outcome.has_failed) outcome.message = shared->message;
  outcome.points = shared->run_points;
  outcome.trace_hash = shared->trace_hash;
  return outcome;
}

Finding Explore(const Options& options, const std::function<void()>& program) {
  Finding finding;
  const char* only = options.heeds_environment ? std::getenv("VARVE_TEST_SEED") : nullptr;
  const double scale = options.heeds_environment ? Scale() : 1;
  const uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : options.first_seed;
  const uint64_t count =
      only != nullptr ? 1 : std::max<uint64_t>(1, static_cast<uint64_t>(options.schedules * scale));
  if (shared != nullptr) shared->seed = shared->schedules = shared->points = shared->switches = 0;
  finding.is_found = !InChild([&] { RunSeeds(options, first, count, program); });
  finding.schedules = shared->schedules;
  finding.points = shared->points;
  finding.switches = shared->switches;
  if (!finding.is_found) return finding;
  finding.seed = shared->seed;
  finding.message = shared->message;
  shared->run_points = 0;
  const uint64_t points = PointsOf(options, program);
  Schedule schedule = MakeSchedule(finding.seed, points, options.spurious);
  if (points == 0) schedule.changes.clear();  // fails when it is warming up
  bool reproduces = Replay(options, schedule, program).has_failed;
  if (reproduces) {
    schedule = Shorten(options, schedule, program);
    reproduces = Replay(options, schedule, program).has_failed;
  }
  finding.shortest = schedule;
  finding.report = Report(finding, reproduces);
  return finding;
}

void ExpectHolds(const Options& options, const std::function<void()>& program) {
  const Finding finding = Explore(options, program);
  EXPECT_FALSE(finding.is_found) << finding.report;
  total->Add(finding.schedules);
  std::printf("%llu schedules, %llu points, %llu switches\n", static_cast<unsigned long long>(finding.schedules),
              static_cast<unsigned long long>(finding.points), static_cast<unsigned long long>(finding.switches));
}

}  // namespace varve::sched
