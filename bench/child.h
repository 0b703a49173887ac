// Runs one workload on one engine in a process of its own, so that memory, CPU and I/O counts are
// the engine's alone, and a crash or a hang is a result like any other.
#ifndef VARVE_BENCH_CHILD_H_
#define VARVE_BENCH_CHILD_H_

#include <functional>

#include "bench/cgroup.h"
#include "bench/runner.h"

namespace varve::bench {

struct ChildPlan {
  RunSpec spec;  // progress is set by RunInChild
  void (*work)(Runner& runner) = nullptr;
  const MemoryCgroup* cgroup = nullptr;  // entered first; nullptr: none
  // The work ends by SIGKILL, and that is no error.
  bool ends_by_kill = false;
  double timeout_seconds = 3600;  // killed then
  // Called about five times a second while the child runs.
  std::function<void(const Progress&)> on_tick;
};

// What the child reported. When it died or hung, a result that says so as an error.
RunResult RunInChild(const ChildPlan& plan);

// From now on SIGINT and SIGTERM end the running child, and Interrupted() is true.
void CatchInterrupts();
bool Interrupted();

}  // namespace varve::bench

#endif  // VARVE_BENCH_CHILD_H_
