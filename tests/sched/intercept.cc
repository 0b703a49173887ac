// What waits, wakes or tells the time, for programs under the scheduler. The linker leads the calls of the code
// under test here (--wrap); those of threads that are not under the scheduler go on to the system.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

#include <climits>
#include <condition_variable>
#include <mutex>

#include "tests/sched/runtime.h"

namespace {

using varve::sched::AtPoint;
using varve::sched::Block;
using varve::sched::IsControlled;
using varve::sched::kNever;
using varve::sched::Op;
using varve::sched::Waits;
using varve::sched::Wake;

constexpr uint64_t kNanosPerSecond = 1'000'000'000;
// The real-time clock shows the same, from this moment on.
constexpr uint64_t kFirstWallSeconds = 1'700'000'000;

uint64_t NanosOf(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * kNanosPerSecond + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

extern "C" {

int __real_pthread_mutex_lock(pthread_mutex_t* mutex);
int __real_pthread_mutex_trylock(pthread_mutex_t* mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t* mutex);
int __real_pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                  const timespec* until);
int __real_sched_yield();
long __real_syscall(long number, ...);
int __real_clock_gettime(clockid_t clock, timespec* now);
int __real_nanosleep(const timespec* time, timespec* left);
int __real_clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left);
int __real___cxa_guard_acquire(void* guard);
void __real___cxa_guard_release(void* guard);
void __real___cxa_guard_abort(void* guard);
void __real__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(std::condition_variable* condition,
                                                                      std::unique_lock<std::mutex>* lock);
void __real__ZNSt18condition_variable10notify_oneEv(std::condition_variable* condition);
void __real__ZNSt18condition_variable10notify_allEv(std::condition_variable* condition);
int __real___cxa_thread_atexit(void (*function)(void*), void* object, void* library);
int64_t __real__ZNSt6chrono3_V212steady_clock3nowEv();

// --- Mutexes. The real one is held or not, but nobody waits in it.

static int LockMutex(pthread_mutex_t* mutex) {
  while (__real_pthread_mutex_trylock(mutex) != 0) Block(Waits::kForMutex, mutex, kNever);
  return 0;
}

static void UnlockMutex(pthread_mutex_t* mutex) {
  __real_pthread_mutex_unlock(mutex);
  Wake(Waits::kForMutex, mutex, INT_MAX);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  if (!IsControlled()) return __real_pthread_mutex_lock(mutex);
  AtPoint(Op::kLock, __builtin_return_address(0));
  return LockMutex(mutex);
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t* mutex) {
  AtPoint(Op::kTryLock, __builtin_return_address(0));
  return __real_pthread_mutex_trylock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t* mutex) {
  if (!IsControlled()) return __real_pthread_mutex_unlock(mutex);
  AtPoint(Op::kUnlock, __builtin_return_address(0));
  UnlockMutex(mutex);
  return 0;
}

// --- Condition variables: addresses to wait for.

static int WaitForCondition(void* condition, pthread_mutex_t* mutex, uint64_t deadline) {
  UnlockMutex(mutex);
  const bool is_woken = Block(Waits::kForCondition, condition, deadline);
  LockMutex(mutex);
  return is_woken ? 0 : ETIMEDOUT;
}

void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(std::condition_variable* condition,
                                                                      std::unique_lock<std::mutex>* lock) {
  if (!IsControlled()) {
    __real__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(condition, lock);
    return;
  }
  AtPoint(Op::kWait, __builtin_return_address(0));
  WaitForCondition(condition, lock->mutex()->native_handle(), kNever);
}

int __wrap_pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                  const timespec* until) {
  if (!IsControlled()) return __real_pthread_cond_clockwait(condition, mutex, clock, until);
  AtPoint(Op::kWait, __builtin_return_address(0));
  return WaitForCondition(condition, mutex, NanosOf(*until));
}

void __wrap__ZNSt18condition_variable10notify_oneEv(std::condition_variable* condition) {
  if (!IsControlled()) {
    __real__ZNSt18condition_variable10notify_oneEv(condition);
    return;
  }
  AtPoint(Op::kNotify, __builtin_return_address(0));
  Wake(Waits::kForCondition, condition, 1);
}

void __wrap__ZNSt18condition_variable10notify_allEv(std::condition_variable* condition) {
  if (!IsControlled()) {
    __real__ZNSt18condition_variable10notify_allEv(condition);
    return;
  }
  AtPoint(Op::kNotify, __builtin_return_address(0));
  Wake(Waits::kForCondition, condition, INT_MAX);
}

// --- Futexes: std::atomic::wait and notify.

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f) {
  if (!IsControlled() || number != SYS_futex) return __real_syscall(number, a, b, c, d, e, f);
  const auto* word = reinterpret_cast<const int*>(a);
  if ((b & FUTEX_CMD_MASK) == FUTEX_WAKE) {
    AtPoint(Op::kFutexWake, __builtin_return_address(0));
    return Wake(Waits::kForFutex, word, static_cast<int>(c));
  }
  AtPoint(Op::kFutexWait, __builtin_return_address(0));
  if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != static_cast<int>(c)) {
    errno = EAGAIN;
    return -1;
  }
  Block(Waits::kForFutex, word, kNever);
  return 0;
}

// --- Time.

static int Sleep(uint64_t nanos) {
  AtPoint(Op::kSleep, __builtin_return_address(0));
  Block(Waits::kForTime, nullptr, varve::sched::NowNanos() + nanos);
  return 0;
}

int __wrap_sched_yield() {
  if (!IsControlled()) return __real_sched_yield();
  varve::sched::LowerSelf();
  varve::sched::counter.next_event = 0;
  AtPoint(Op::kYield, __builtin_return_address(0));
  return 0;
}

int __wrap_clock_gettime(clockid_t clock, timespec* now) {
  if (!IsControlled()) return __real_clock_gettime(clock, now);
  const uint64_t nanos = varve::sched::NowNanos();
  const uint64_t first = clock == CLOCK_REALTIME ? kFirstWallSeconds : 0;
  now->tv_sec = static_cast<time_t>(first + nanos / kNanosPerSecond);
  now->tv_nsec = static_cast<long>(nanos % kNanosPerSecond);
  return 0;
}

int64_t __wrap__ZNSt6chrono3_V212steady_clock3nowEv() {
  return IsControlled() ? static_cast<int64_t>(varve::sched::NowNanos())
                        : __real__ZNSt6chrono3_V212steady_clock3nowEv();
}

int __wrap_nanosleep(const timespec* time, timespec* left) {
  return IsControlled() ? Sleep(NanosOf(*time)) : __real_nanosleep(time, left);
}

int __wrap_clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  if (!IsControlled()) return __real_clock_nanosleep(clock, flags, time, left);
  const uint64_t now = varve::sched::NowNanos();
  const uint64_t nanos = NanosOf(*time);
  return Sleep(flags == 0 ? nanos : nanos > now ? nanos - now : 0);
}

// --- Objects that are made by the first who needs them: who waits for them really waits, so their making is not
// interrupted.

int __wrap___cxa_guard_acquire(void* guard) {
  const int is_mine = __real___cxa_guard_acquire(guard);
  if (is_mine != 0 && IsControlled()) varve::sched::EnterGuarded();
  return is_mine;
}

void __wrap___cxa_guard_release(void* guard) {
  if (IsControlled()) varve::sched::LeaveGuarded();
  __real___cxa_guard_release(guard);
}

void __wrap___cxa_guard_abort(void* guard) {
  if (IsControlled()) varve::sched::LeaveGuarded();
  __real___cxa_guard_abort(guard);
}

// --- Destructors of thread_local variables.

int __wrap___cxa_thread_atexit(void (*function)(void*), void* object, void* library) {
  varve::sched::Task* task = varve::sched::current;
  if (task == nullptr) return __real___cxa_thread_atexit(function, object, library);
  task->at_end.push_back({function, object});
  return 0;
}

}  // extern "C"
