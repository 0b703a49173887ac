// Turns by chance from a seed: the same seed gives the threads of a store the same order again.
#ifndef VARVE_TORTURE_TURN_TAKING_H_
#define VARVE_TORTURE_TURN_TAKING_H_

#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "engine/turns.h"

namespace varve::torture {

// At each wait the turn goes to one of the threads that can go on; now and then, and when there are none, to one
// whose wait has an end. A wait for ever of all of them is a failed check.
class TurnTaking final : public Turns {
 public:
  explicit TurnTaking(uint64_t seed) : random_(seed), threads_(1) {}

  int Add() override VARVE_EXCLUDES(mu_);
  void Begin(int number) override VARVE_EXCLUDES(mu_);
  void End(int number) override VARVE_EXCLUDES(mu_);
  void Wait(const void* condition, bool has_end) override VARVE_EXCLUDES(mu_);
  void Notify(const void* condition) override VARVE_EXCLUDES(mu_);
  void AwaitAll() override VARVE_EXCLUDES(mu_);
  // By who has the turn: others may go first.
  void Yield() VARVE_EXCLUDES(mu_);

 private:
  struct Member {
    bool has_ended = false;
    bool has_end = false;               // of its wait
    const void* waits_for = nullptr;    // nullptr: it can go on
  };

  // Chooses who is next. REQUIRES: somebody can go on, or waits with an end.
  void HandOver() VARVE_REQUIRES(mu_);
  bool OthersHaveEnded() const VARVE_REQUIRES(mu_);

  Mutex mu_;
  CondVar changed_;
  Random random_ VARVE_GUARDED_BY(mu_);
  std::vector<Member> threads_ VARVE_GUARDED_BY(mu_);
  int current_ VARVE_GUARDED_BY(mu_) = 0;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_TURN_TAKING_H_
