// The scheduler itself: small programs whose mistakes are known. It finds them, runs them again step by step, and
// does not find what is not there.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "base/mutex.h"
#include "tests/sched/scheduler.h"

namespace varve {
namespace toy_test {

using sched::Explore;
using sched::Finding;
using sched::Options;

// Two threads add to a number; one of the additions may be lost.
void LostUpdate() {
  std::atomic<int> number{0};
  {
    const auto add = [&] { number.store(number.load() + 1); };
    sched::Thread a(add), b(add);
  }
  SCHED_REQUIRE(number.load() == 2);
}

void NoLostUpdate() {
  std::atomic<int> number{0};
  {
    const auto add = [&] { number.fetch_add(1); };
    sched::Thread a(add), b(add);
  }
  SCHED_REQUIRE(number.load() == 2);
}

void Deadlock() {
  Mutex first, second;
  sched::Thread a([&] {
    MutexLock outer(&first);
    MutexLock inner(&second);
  });
  sched::Thread b([&] {
    MutexLock outer(&second);
    MutexLock inner(&first);
  });
}

// A stack whose nodes go round: what a thread has read of the top may be of an earlier time.
void StackWithoutCounts() {
  struct Node {
    Node* next = nullptr;
    std::atomic<int> owners{0};
  };
  Node nodes[2];
  nodes[0].next = &nodes[1];
  std::atomic<Node*> top{&nodes[0]};
  const auto pop = [&]() -> Node* {
    Node* node = top.load();
    while (node != nullptr && !top.compare_exchange_strong(node, node->next)) {
    }
    if (node != nullptr) SCHED_REQUIRE(node->owners.fetch_add(1) == 0);
    return node;
  };
  const auto push = [&](Node* node) {
    node->owners.fetch_sub(1);
    Node* before = top.load();
    do {
      node->next = before;
    } while (!top.compare_exchange_strong(before, node));
  };
  sched::Thread a([&] {
    pop();
    pop();
  });
  sched::Thread b([&] {
    Node* one = pop();
    Node* other = pop();
    if (one != nullptr) push(one);
    (void)other;  // kept
  });
}

// The waiter looks before it holds the mutex: a notification in between is missed.
void MissedWakeUp() {
  Mutex mu;
  CondVar ready;
  std::atomic<bool> is_ready{false};
  sched::Thread waiter([&] {
    if (is_ready.load()) return;
    MutexLock lock(&mu);
    ready.Wait(&mu);
  });
  sched::Thread notifier([&] {
    is_ready.store(true);
    ready.NotifyAll();
  });
}

void ReadsWhatIsFreed() {
  auto* number = new std::atomic<int>(1);
  std::atomic<std::atomic<int>*> shared{number};
  sched::Thread reader([&] {
    std::atomic<int>* found = shared.load();
    if (found != nullptr) (void)found->load();
  });
  sched::Thread writer([&] { delete shared.exchange(nullptr); });
}

void WaitsForEver() {
  std::atomic<bool> is_over{false};
  sched::Thread spinner([&] {
    while (!is_over.load()) std::this_thread::yield();
  });
}

void ExpectFound(const std::function<void()>& program, const std::string& message) {
  const Finding finding = Explore(
      {.schedules = 5000, .max_points = 20000, .spurious = false, .heeds_environment = false}, program);
  ASSERT_TRUE(finding.is_found);
  EXPECT_NE(finding.message.find(message), std::string::npos) << finding.message;
  EXPECT_NE(finding.report.find("toy_test.cc"), std::string::npos) << finding.report;
  EXPECT_LE(finding.shortest.changes.size(), 4u) << finding.report;
}

TEST(SchedulerTest, FindsALostUpdate) { ExpectFound(LostUpdate, "number.load() == 2"); }
TEST(SchedulerTest, FindsADeadlock) { ExpectFound(Deadlock, "deadlock"); }
TEST(SchedulerTest, FindsAnOldTopTakenForTheNewOne) { ExpectFound(StackWithoutCounts, "owners"); }
TEST(SchedulerTest, FindsAMissedWakeUp) { ExpectFound(MissedWakeUp, "waits for a condition"); }
TEST(SchedulerTest, FindsAReadOfFreedMemory) { ExpectFound(ReadsWhatIsFreed, "freed"); }
TEST(SchedulerTest, FindsThatAProgramDoesNotEnd) {
  const Finding finding = Explore({.schedules = 1, .max_points = 20000, .heeds_environment = false}, WaitsForEver);
  ASSERT_TRUE(finding.is_found);
  EXPECT_NE(finding.message.find("does not end"), std::string::npos) << finding.message;
}

TEST(SchedulerTest, FindsNothingWhereNothingIs) {
  const Finding finding = Explore({.schedules = 3000, .heeds_environment = false}, NoLostUpdate);
  EXPECT_FALSE(finding.is_found) << finding.report;
  EXPECT_GT(finding.switches, finding.schedules);
}

// The same schedule is the same steps; another one mostly others.
TEST(SchedulerTest, RunsAgainStepByStep) {
  std::optional<uint64_t> before;
  size_t different = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const sched::Schedule schedule = sched::MakeSchedule(seed, 30, true);
    const sched::Outcome outcome = sched::Replay({}, schedule, NoLostUpdate);
    EXPECT_FALSE(outcome.has_failed) << outcome.message;
    EXPECT_EQ(outcome.trace_hash, sched::Replay({}, schedule, NoLostUpdate).trace_hash);
    different += before.has_value() && *before != outcome.trace_hash;
    before = outcome.trace_hash;
  }
  EXPECT_GT(different, 5u);
}

// Time stands still but for the points and the limits that pass.
TEST(SchedulerTest, WaitsWithALimitEnd) {
  sched::ExpectHolds({.schedules = 500}, [] {
    Mutex mu;
    CondVar never;
    MutexLock lock(&mu);
    const uint64_t begin = sched::NowNanos();
    never.WaitFor(&mu, 1'000'000);
    SCHED_REQUIRE(sched::NowNanos() - begin < 2'000'000'000);
  });
}

}  // namespace toy_test
}  // namespace varve
