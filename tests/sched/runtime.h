// What the parts of the scheduler share: the points, the state of a run, and what a child process tells its parent.
#ifndef VARVE_TESTS_SCHED_RUNTIME_H_
#define VARVE_TESTS_SCHED_RUNTIME_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sched/fiber.h"
#include "tests/sched/scheduler.h"

namespace varve::sched {

enum class Op : uint8_t {
  kLoad, kStore, kExchange, kCompareExchange, kUpdate, kFence, kLock, kTryLock, kUnlock, kWait, kNotify,
  kFutexWait, kFutexWake, kYield, kSleep, kStart, kJoin, kEnd, kPoint,
};
const char* NameOf(Op op);

// Why a thread does not run.
enum class Waits : uint8_t { kNot, kForMutex, kForCondition, kForFutex, kForThread, kForTime };

constexpr uint64_t kNever = ~uint64_t{0};

// A destructor of a thread_local variable.
struct AtEnd {
  void (*function)(void*);
  void* object;
};

struct Task {
  int id = 0;
  int64_t priority = 0;
  Waits waits = Waits::kNot;
  const void* waits_for = nullptr;
  uint64_t deadline = kNever;
  bool has_timed_out = false;
  bool is_finished = true;
  int guarded = 0;  // > 0: not to be interrupted
  Op op = Op::kStart;  // of its last point
  const void* place = nullptr;
  std::function<void()> body;
  std::vector<AtEnd> at_end;
  Fiber fiber;
};

// The running thread of the program, seen from itself; nullptr in other threads and inside of the scheduler.
extern thread_local constinit Task* current;
inline bool IsControlled() { return current != nullptr; }

struct Counter {
  uint64_t point = 0;       // of this schedule
  uint64_t next_event = 0;  // the point at which there is something to do
};
extern constinit Counter counter;

void TakePoint(Op op, const void* place);
// Before each operation that other threads can see. `place`: where it is in the program.
inline void AtPoint(Op op, const void* place) {
  if (current == nullptr) return;
  if (++counter.point < counter.next_event) return;
  TakePoint(op, place);
}

// REQUIRE IsControlled().
// Parks the thread until it is woken; false when `deadline` came first.
bool Block(Waits why, const void* what, uint64_t deadline);
// Wakes up to `count` of those that wait for `what`, chosen by the seed. Returns how many.
int Wake(Waits why, const void* what, int count);
void LowerSelf();
void EnterGuarded();
void LeaveGuarded();

// Runs one schedule in this process. Does not return when it fails.
struct RunCounts {
  uint64_t points = 0;
  uint64_t switches = 0;
};
RunCounts RunSchedule(const Options& options, const Schedule& schedule, bool traces,
                      const std::function<void()>& program);

// --- From the child process to its parent, in shared memory.
struct Switch {
  uint64_t point;
  int from, to;
  Op from_op, to_op;
  const void* from_place;
  const void* to_place;
};
struct Shared {
  static constexpr uint64_t kSwitches = 1 << 12;
  uint64_t seed, schedules, points, switches, trace_hash, run_points;
  bool has_failed;
  char message[1024];
  uint64_t traced;                // switches seen while tracing; the last ones are kept
  Switch trace[kSwitches];
};
extern Shared* shared;

// Tries to do without changes of a failing schedule, and without more.
Schedule Shorten(const Options& options, Schedule schedule, const std::function<void()>& program);
// A line for each switch in `shared`.
std::string DescribeTrace();

}  // namespace varve::sched

#endif  // VARVE_TESTS_SCHED_RUNTIME_H_
