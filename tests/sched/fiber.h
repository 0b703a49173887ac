// A fiber: a thread of a program as the scheduler runs it, all in one thread of the system. It has a stack of its
// own, and thread_local variables of its own: those of a thread of the system that was started to lend them and
// does nothing else. So handing over costs two short system calls, whatever else the machine does.
#ifndef VARVE_TESTS_SCHED_FIBER_H_
#define VARVE_TESTS_SCHED_FIBER_H_

#include <ucontext.h>

#include <cstdint>

namespace varve::sched {

class Fiber {
 public:
  // The thread that runs now, with its own stack.
  void AdoptThread();
  // Makes the fiber begin with `body`, which must not return, when it is next jumped to; its thread_local variables
  // are as at the start of a thread. The first time in a process it starts the thread that lends them.
  void Reset(void (*body)());
  // Goes on in `to`, until somebody jumps back. REQUIRES: called by `from`.
  static void Jump(Fiber* from, Fiber* to);

 private:
  ucontext_t context_{};
  uintptr_t thread_pointer_ = 0;
  void* stack_ = nullptr;
};

}  // namespace varve::sched

#endif  // VARVE_TESTS_SCHED_FIBER_H_
