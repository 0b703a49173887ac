// TransactionGate: order among transactions that have met conflicts, so that all get through.
//
// Lines. A transaction whose attempt has met a conflict stands in line, first come first served, with the
// others that met one over the same key (the same of kLines by its hash), and makes its next attempt at
// the head of the line. Of a hundred transactions that want one key, one attempt is made at a time by
// those who failed before, instead of a hundred of which one wins. First attempts do not queue.
//
// The turn. A transaction that has failed several times gets the turn, one at a time and in order: as long
// as it has it, nobody else's transaction commits. A long transaction, which short ones would overtake
// for ever, is sure to commit then. (Plain writes are not held up.)
//
// No deadlock: a transaction holds one line, then the turn, in this order; and every wait ends after a
// bounded time, because the function that a transaction runs may itself wait for a thread that waits
// here. Lines and turn are about fairness and speed; correctness is the check at the commit.
#ifndef VARVE_ENGINE_TRANSACTION_GATE_H_
#define VARVE_ENGINE_TRANSACTION_GATE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/mutex.h"
#include "env/env.h"

namespace varve {

// One holder at a time, in order of arrival. Thread-safe.
class FairLine {
 public:
  // False when it was not this caller's turn within `max_micros`: then it does not hold the line.
  bool Enter(uint64_t max_micros) VARVE_EXCLUDES(mu_);
  void Leave() VARVE_EXCLUDES(mu_);

 private:
  struct Waiter {
    CondVar wake;
    bool is_admitted = false;
  };

  Mutex mu_;
  bool is_held_ VARVE_GUARDED_BY(mu_) = false;
  std::deque<Waiter*> waiters_ VARVE_GUARDED_BY(mu_);
};

// Thread-safe.
class TransactionGate {
 public:
  explicit TransactionGate(Clock* clock) : clock_(clock) {}
  TransactionGate(const TransactionGate&) = delete;
  TransactionGate& operator=(const TransactionGate&) = delete;

  // True while another thread has the turn. About a nanosecond.
  bool IsClosed() const {
    // Acquire: who sees that a turn has ended sees what was done in it.
    const uintptr_t owner = owner_.load(std::memory_order_acquire);
    return owner != 0 && owner != Self();
  }
  // Returns true when the turn that closes it has ended, false when that has lasted too long.
  bool WaitForTurn() VARVE_EXCLUDES(mu_);

 private:
  friend class RetryPass;
  static constexpr size_t kLines = 64;

  // Different for every thread that lives.
  static uintptr_t Self() {
    static thread_local char here;
    return reinterpret_cast<uintptr_t>(&here);
  }

  FairLine& LineOf(uint64_t hash) { return lines_[hash % kLines]; }
  void BeginTurn(uint64_t nanos) VARVE_EXCLUDES(mu_);
  void EndTurn() VARVE_EXCLUDES(mu_);

  Clock* const clock_;
  std::array<FairLine, kLines> lines_;
  FairLine turn_;
  std::atomic<uintptr_t> owner_{0};  // the thread that has the turn
  Mutex mu_;
  CondVar opened_;
  uint64_t turn_number_ VARVE_GUARDED_BY(mu_) = 0;
  uint64_t turn_end_ VARVE_GUARDED_BY(mu_) = 0;  // monotonic; nobody waits longer
};

// What one transaction holds of the gate from its first conflict to its end. Belongs to one thread.
class RetryPass {
 public:
  explicit RetryPass(TransactionGate* gate);
  ~RetryPass();
  RetryPass(const RetryPass&) = delete;
  RetryPass& operator=(const RetryPass&) = delete;

  // After an attempt that met a conflict over a key with this hash: waits for the place from which the
  // next attempt is made. True when the transaction has the turn now and had not before: what others
  // have committed must then be awaited before the attempt begins.
  bool Wait(uint64_t hash);

 private:
  // Conflicts after which the turn is asked for.
  static constexpr int kConflictsBeforeTurn = 4;
  static constexpr uint64_t kMaxLineMicros = 50'000;
  static constexpr uint64_t kMaxTurnWaitMicros = 1'000'000;
  static constexpr uint64_t kLeastTurnNanos = 20'000'000;

  void LeaveLine();

  TransactionGate* const gate_;
  // Made inside another transaction's function: it does not queue, it might wait for its own thread.
  const bool is_nested_;
  FairLine* line_ = nullptr;
  bool has_turn_ = false;
  int conflicts_ = 0;
  uint64_t attempt_began_ = 0;   // monotonic; 0: the first attempt, which nobody has timed
  uint64_t longest_attempt_ = 0;  // nanoseconds
};

}  // namespace varve

#endif  // VARVE_ENGINE_TRANSACTION_GATE_H_
