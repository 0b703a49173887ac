// Turns: threads of a store that run one at a time, so that a test can repeat what they did call by call.
//
// A store that is given Turns (Tuning::turns) hands the turn on where one of its threads, or its caller, waits for
// another: at the conditions of DbImpl. Who has the turn keeps it until then. Such a store has one caller.
#ifndef VARVE_ENGINE_TURNS_H_
#define VARVE_ENGINE_TURNS_H_

#include <cstdint>

#include "base/mutex.h"

namespace varve {

// Each function but Begin is called by who has the turn. The caller of the store is number 0, and has it first.
class Turns {
 public:
  virtual ~Turns() = default;
  // A thread is going to be started; its number.
  virtual int Add() = 0;
  // The first call of that thread: returns when it has the turn.
  virtual void Begin(int number) = 0;
  // The last one; or of its caller, when it could not be started.
  virtual void End(int number) = 0;
  // Returns when the caller has the turn again: after Notify(condition), or, if `has_end`, at some time.
  virtual void Wait(const void* condition, bool has_end) = 0;
  virtual void Notify(const void* condition) = 0;
  // Returns when all threads that were added have ended.
  virtual void AwaitAll() = 0;
};

// A CondVar where threads may take turns. `turns`, unless null, must outlive it.
class TurnCondVar {
 public:
  explicit TurnCondVar(Turns* turns) : turns_(turns) {}

  void Wait(Mutex* mu) VARVE_REQUIRES(mu) {
    if (turns_ == nullptr) return cv_.Wait(mu);
    TakeTurns(mu, false);
  }
  void WaitFor(Mutex* mu, uint64_t micros) VARVE_REQUIRES(mu) {
    if (turns_ == nullptr) return cv_.WaitFor(mu, micros);
    TakeTurns(mu, true);
  }
  void NotifyAll() {
    cv_.NotifyAll();
    if (turns_ != nullptr) turns_->Notify(this);
  }

 private:
  // Nobody else runs between the two, so that no notification is missed.
  void TakeTurns(Mutex* mu, bool has_end) VARVE_REQUIRES(mu) {
    mu->Unlock();
    turns_->Wait(this, has_end);
    mu->Lock();
  }

  Turns* const turns_;
  CondVar cv_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_TURNS_H_
