// Gate: stops one thread at a place, most often in the hook of a CrashEnv, until the test lets it go on. So
// a test chooses the order in which threads meet.
#ifndef VARVE_TESTS_SUPPORT_GATE_H_
#define VARVE_TESTS_SUPPORT_GATE_H_

#include <condition_variable>
#include <mutex>
#include <string_view>

#include "env/crash_env.h"

namespace varve::test {

// Thread-safe. Shut until Arm: Pass lets everybody through.
class Gate {
 public:
  // The next `count`-th Pass stops.
  void Arm(int count = 1) {
    std::lock_guard<std::mutex> lock(mu_);
    until_stop_ = count;
    is_open_ = has_arrived_ = false;
  }
  // For the thread to be stopped.
  void Pass() {
    std::unique_lock<std::mutex> lock(mu_);
    if (until_stop_ == 0 || --until_stop_ > 0) return;
    has_arrived_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
  }
  // Returns when the thread is there.
  void AwaitArrival() {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [this] { return has_arrived_; });
  }
  void Open() {
    std::lock_guard<std::mutex> lock(mu_);
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  int until_stop_ = 0;
  bool is_open_ = false;
  bool has_arrived_ = false;
};

// A hook that passes `gate` at every call of `kind` on a file whose path contains `part`.
inline FaultInjector::Hook GateAt(Gate* gate, CallKind kind, std::string_view part) {
  return [gate, filter = CallFilter{{kind}, std::string(part)}](const CallInfo& call) {
    if (filter.Matches(call)) gate->Pass();
  };
}

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_GATE_H_
