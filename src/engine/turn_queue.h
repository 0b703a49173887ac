// TurnQueue: one holder at a time, in the order of arrival. For operations that have lost too many races.
#ifndef VARVE_ENGINE_TURN_QUEUE_H_
#define VARVE_ENGINE_TURN_QUEUE_H_

#include <deque>

#include "base/mutex.h"

namespace varve {

// Thread-safe. A thread that holds a turn must not ask for another.
class TurnQueue {
 public:
  // Waits for its turn, and holds it while it lives.
  class Turn {
   public:
    explicit Turn(TurnQueue* queue) : queue_(queue) { queue_->Enter(); }
    ~Turn() { queue_->Leave(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    TurnQueue* const queue_;
  };

 private:
  struct Waiter {
    CondVar granted;
    bool is_granted = false;
  };

  void Enter() VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    if (!is_held_) {
      is_held_ = true;
      return;
    }
    Waiter waiter;
    waiters_.push_back(&waiter);
    while (!waiter.is_granted) waiter.granted.Wait(&mu_);
  }
  // The turn passes on without being free in between: nobody overtakes.
  void Leave() VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    if (waiters_.empty()) {
      is_held_ = false;
      return;
    }
    Waiter* next = waiters_.front();
    waiters_.pop_front();
    next->is_granted = true;
    next->granted.NotifyOne();
  }

  Mutex mu_;
  bool is_held_ VARVE_GUARDED_BY(mu_) = false;
  std::deque<Waiter*> waiters_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve

#endif  // VARVE_ENGINE_TURN_QUEUE_H_
