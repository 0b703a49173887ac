#include "engine/commit_lock.h"

#include "base/planted_bug.h"
#include "engine/operation_times.h"

namespace varve {

namespace {

// About a microsecond: three times a typical critical section, a twentieth of a thread switch.
constexpr int kSpins = 60;

constexpr uint32_t kWoken = 1;   // compete for the lock
constexpr uint32_t kHanded = 2;  // the lock is yours

void Pause() { __builtin_ia32_pause(); }

}  // namespace

bool CommitLock::TryAcquire() {
  uint32_t state = state_.load(std::memory_order_relaxed);
  return (state & kLocked) == 0 &&
         state_.compare_exchange_strong(state, state | kLocked, std::memory_order_acquire,
                                        std::memory_order_relaxed);
}

bool CommitLock::AcquireOrEnqueue(Waiter* waiter, bool woken_before) {
  MutexLock lock(&queue_mu_);
  if (woken_before) waking_ = false;
  // The bit is set before the lock is tried, so that an unlock that misses this waiter's entry in the
  // queue cannot exist: it either sees the bit, or frees the lock before the try.
  const uint32_t before = state_.fetch_or(kWaiters, std::memory_order_relaxed);
  if ((before & kLocked) == 0 && !VARVE_PLANTED_BUG("commit_lock.sleeps_beside_a_free_lock")) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    while ((state & kLocked) == 0) {
      const uint32_t wanted = kLocked | (head_ != nullptr ? kWaiters : 0);
      if (state_.compare_exchange_weak(state, wanted, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
  }
  waiter->signal.store(0, std::memory_order_relaxed);
  if (woken_before) {
    waiter->next = head_;
    head_ = waiter;
    if (tail_ == nullptr) tail_ = waiter;
  } else {
    waiter->next = nullptr;
    if (tail_ != nullptr) {
      tail_->next = waiter;
    } else {
      head_ = waiter;
    }
    tail_ = waiter;
  }
  return false;
}

void CommitLock::LockSlow() {
  Waiter waiter;
  bool woken_before = false;
  while (true) {
    for (int i = 0; i < kSpins; ++i) {
      if (TryAcquire()) {
        if (woken_before) {
          MutexLock lock(&queue_mu_);
          waking_ = false;
        }
        return;
      }
      Pause();
    }
    if (!woken_before) {
      waiter.since = clock_->MonotonicNanos();
      NoteWaiting(waiter.since);
    }
    if (AcquireOrEnqueue(&waiter, woken_before)) return;
    waiter.signal.wait(0, std::memory_order_acquire);
    if (waiter.signal.load(std::memory_order_acquire) == kHanded) return;
    woken_before = true;
  }
}

void CommitLock::UnlockSlow() {
  // A waiter's memory belongs to its thread, which may return as soon as the signal is stored; the
  // wake-up below is therefore by address only, after the last access.
  MutexLock lock(&queue_mu_);
  Waiter* first = head_;
  if (first == nullptr) {
    state_.store(0, std::memory_order_release);
    return;
  }
  const uint64_t now = clock_->MonotonicNanos();
  const bool starving = now - first->since >= kStarvationNanos && now >= next_handover_ &&
                        !VARVE_PLANTED_BUG("commit_lock.nobody_is_starving");
  if (!starving && waking_) {
    state_.fetch_and(~kLocked, std::memory_order_release);
    return;
  }
  head_ = first->next;
  if (head_ == nullptr) tail_ = nullptr;
  if (starving) {
    next_handover_ = now + kHandoverPauseNanos;
    if (head_ == nullptr) state_.store(kLocked, std::memory_order_relaxed);
  } else {
    waking_ = true;
    state_.fetch_and(~kLocked, std::memory_order_release);
  }
  first->signal.store(starving ? kHanded : kWoken, std::memory_order_release);
  first->signal.notify_one();
}

}  // namespace varve
