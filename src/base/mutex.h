// std::mutex and std::condition_variable with clang's thread-safety annotations.
#ifndef VARVE_BASE_MUTEX_H_
#define VARVE_BASE_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/thread_annotations.h"

namespace varve {

class VARVE_CAPABILITY("mutex") Mutex {
 public:
  void Lock() VARVE_ACQUIRE() { mu_.lock(); }
  void Unlock() VARVE_RELEASE() { mu_.unlock(); }
  bool TryLock() VARVE_TRY_ACQUIRE(true) { return mu_.try_lock(); }
  void AssertHeld() const VARVE_ASSERT_CAPABILITY(this) {}

 private:
  friend class CondVar;
  std::mutex mu_;
};

class VARVE_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex* mu) VARVE_ACQUIRE(mu) : mu_(mu) { mu_->Lock(); }
  ~MutexLock() VARVE_RELEASE() { mu_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mu_;
};

// Waits are spurious like std::condition_variable's: loop on the condition.
class CondVar {
 public:
  void Wait(Mutex* mu) VARVE_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu->mu_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  // Returns after `micros` at the latest.
  void WaitFor(Mutex* mu, uint64_t micros) VARVE_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu->mu_, std::adopt_lock);
    cv_.wait_for(lock, std::chrono::microseconds(micros));
    lock.release();
  }
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace varve

#endif  // VARVE_BASE_MUTEX_H_
