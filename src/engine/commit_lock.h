// CommitLock: the lock that orders writes. Fast because it lets a running thread overtake sleeping
// ones (no thread wake-up for every put), fair because who has slept a millisecond goes next, one such
// thread after the other.
//
// Model. A free lock is taken by whoever comes first. A thread that finds it held spins briefly, then
// queues and sleeps. On unlock with sleepers:
//   - the longest sleeper has waited >= kStarvation, and the last handover is >= kHandoverPause ago
//                                                    -> ownership is handed to it (nobody can overtake)
//   - otherwise, no sleeper is on its way            -> one is woken, and competes
//   - otherwise                                      -> nobody is woken
// A woken thread that loses the competition queues again at the front with its old arrival time.
// The scheme is the starvation mode of Go's sync.Mutex and the eventual fairness of WebKit's
// ParkingLot; measured in docs/design/0002-commit-queue.md.
#ifndef VARVE_ENGINE_COMMIT_LOCK_H_
#define VARVE_ENGINE_COMMIT_LOCK_H_

#include <atomic>
#include <cstdint>

#include "base/mutex.h"
#include "env/env.h"

namespace varve {

// Thread-safe. Not recursive.
class VARVE_CAPABILITY("mutex") CommitLock {
 public:
  static constexpr uint64_t kStarvationNanos = 1'000'000;
  // When many starve at once, each handover is followed by a while of free competition: otherwise every
  // unlock would be a thread switch from then on, and nobody would stop starving.
  static constexpr uint64_t kHandoverPauseNanos = 300'000;

  explicit CommitLock(Clock* clock) : clock_(clock) {}
  CommitLock(const CommitLock&) = delete;
  CommitLock& operator=(const CommitLock&) = delete;

  void Lock() VARVE_ACQUIRE() {
    uint32_t expected = 0;
    if (!state_.compare_exchange_weak(expected, kLocked, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      LockSlow();
    }
  }
  void Unlock() VARVE_RELEASE() {
    uint32_t expected = kLocked;
    if (!state_.compare_exchange_strong(expected, 0, std::memory_order_release,
                                        std::memory_order_relaxed)) {
      UnlockSlow();
    }
  }

 private:
  static constexpr uint32_t kLocked = 1;
  static constexpr uint32_t kWaiters = 2;

  struct Waiter {
    uint64_t since = 0;
    std::atomic<uint32_t> signal{0};
    Waiter* next = nullptr;
  };

  void LockSlow();
  void UnlockSlow();
  bool TryAcquire();
  // Queues `waiter` (at the front if it was woken before) unless the lock is free: then takes it and
  // returns true.
  bool AcquireOrEnqueue(Waiter* waiter, bool woken_before);

  Clock* const clock_;
  std::atomic<uint32_t> state_{0};
  Mutex queue_mu_;
  Waiter* head_ VARVE_GUARDED_BY(queue_mu_) = nullptr;
  Waiter* tail_ VARVE_GUARDED_BY(queue_mu_) = nullptr;
  uint64_t next_handover_ VARVE_GUARDED_BY(queue_mu_) = 0;  // monotonic; no handover before
  bool waking_ VARVE_GUARDED_BY(queue_mu_) = false;  // a woken thread has not yet won or queued again
};

class VARVE_SCOPED_CAPABILITY CommitLockHolder {
 public:
  explicit CommitLockHolder(CommitLock* lock) VARVE_ACQUIRE(lock) : lock_(lock) { lock_->Lock(); }
  ~CommitLockHolder() VARVE_RELEASE() { lock_->Unlock(); }
  CommitLockHolder(const CommitLockHolder&) = delete;
  CommitLockHolder& operator=(const CommitLockHolder&) = delete;

 private:
  CommitLock* const lock_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_COMMIT_LOCK_H_
