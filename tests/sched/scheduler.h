// A controlled scheduler: runs a small program of several threads one step at a time, in an order that
// follows from a seed, and so again whenever it is asked to.
//
// The code under test is compiled with calls of instrument.cc at each atomic operation and each access
// to memory, and its mutexes, condition variables, futexes, clocks and sleeps lead to intercept.cc. Each
// of these operations is a point: exactly one thread of the program (a fiber, fiber.h) runs, from a
// point to a later one. Which one runs is decided by priorities. A schedule is the seed, from which the
// first priorities, and who is woken of several waiters, follow; and a list of changes at given points.
//
// Most schedules are those of PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized scheduler
// with probabilistic guarantees of finding bugs, ASPLOS 2010): random priorities, and at d - 1 random
// points the running thread becomes the last. They find a bug of depth d among n threads and k points
// with a probability of at least 1 / (n * k^(d-1)). Others change at random every few points. Time is a
// number that grows with the points; a wait with a limit ends when nobody else can run, or at a change.
//
// What is found: whatever the program requires and does not get; a deadlock; a program that does not
// end; an access to memory that is freed (heap.h); a failed VARVE_CHECK, a signal.
// What is not: executions are sequentially consistent, and switches lie at points. A missing acquire or
// release is not seen (ThreadSanitizer sees that, and data races).
#ifndef VARVE_TESTS_SCHED_SCHEDULER_H_
#define VARVE_TESTS_SCHED_SCHEDULER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace varve::sched {

// --- In a program under the scheduler.

// A thread of the program. Joined by the destructor.
class Thread {
 public:
  explicit Thread(std::function<void()> body);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

 private:
  int id_;
};

// While one lives, what its thread does is no point, and no other thread runs: for what comes before the threads
// of a program and after them. Nothing in it may wait.
class Alone {
 public:
  Alone();
  ~Alone();
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  void* const self_;
};

// Ends the schedule as a failure that says `what`.
[[noreturn]] void Fail(const std::string& what);
inline void Require(bool holds, const char* what) {
  if (!holds) Fail(what);
}

// The program's time in nanoseconds. Grows by a little with each point; never goes back.
uint64_t NowNanos();
// A point of its own, for tests: another thread may run here.
void Point();

// --- Schedules.

struct Change {
  enum class Kind : uint8_t {
    kLower,     // the running thread becomes the last
    kRaise,     // one of those that could run becomes the first
    kTimeout,   // one of the waits with a limit ends
    kSpurious,  // one of the waits for a condition variable ends for no reason
    kPassTime,  // two milliseconds pass
  };
  uint64_t point = 0;
  Kind kind = Kind::kLower;
  uint32_t choice = 0;  // picks among several
};

struct Schedule {
  uint64_t seed = 0;
  std::vector<Change> changes;  // points ascend
};

// The schedule of a seed for a program of about `points` points.
Schedule MakeSchedule(uint64_t seed, uint64_t points, bool spurious);

// --- Search.

struct Options {
  uint32_t schedules = 1000;    // how many; before VARVE_TEST_SCALE
  uint64_t first_seed = 1;
  uint64_t max_points = 300'000;  // more of them in one schedule: the program does not end
  // A thread that has run so many points in a row while others could is lowered: it may be waiting for them.
  uint64_t max_turn = 3'000;
  bool spurious = true;  // whether waits may end for no reason
  bool heeds_environment = true;  // VARVE_TEST_SEED and VARVE_TEST_SCALE
};

struct Finding {
  bool is_found = false;
  uint64_t seed = 0;
  std::string message;      // what went wrong
  Schedule shortest;        // the fewest changes that still fail
  std::string report;       // seed, message, and the shortest schedule, a line for each switch
  uint64_t schedules = 0;   // that were run
  uint64_t points = 0;      // in all of them
  uint64_t switches = 0;
};

// Runs `program` under the schedules of many seeds, until one fails. The environment variable VARVE_TEST_SEED
// leaves only that seed. `program` starts Threads, and is a thread itself; it may leave nothing behind in globals
// but what it finds there. Everything runs in child processes of this one, which must have only one thread.
Finding Explore(const Options& options, const std::function<void()>& program);

// What one schedule did: the same program and schedule give the same outcome.
struct Outcome {
  bool has_failed = false;
  std::string message;
  uint64_t points = 0;
  uint64_t trace_hash = 0;  // of (thread, operation) at each point
};
Outcome Replay(const Options& options, const Schedule& schedule, const std::function<void()>& program);

// Explore as a test: fails with the report.
void ExpectHolds(const Options& options, const std::function<void()>& program);

}  // namespace varve::sched

#define SCHED_REQUIRE(condition) ::varve::sched::Require((condition), #condition)

#endif  // VARVE_TESTS_SCHED_SCHEDULER_H_
