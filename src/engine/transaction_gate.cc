#include "engine/transaction_gate.h"

#include <algorithm>

#include "base/planted_bug.h"

namespace varve {

namespace {

thread_local int passes_of_thread = 0;

}  // namespace

bool FairLine::Enter(uint64_t max_micros) {
  Waiter waiter;
  MutexLock lock(&mu_);
  if (!is_held_) {
    is_held_ = true;
    return true;
  }
  waiters_.push_back(&waiter);
  // A wake-up for no reason counts as the end of patience, which is rare and does no harm.
  waiter.wake.WaitFor(&mu_, max_micros);
  if (waiter.is_admitted) return true;
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &waiter));
  return false;
}

void FairLine::Leave() {
  MutexLock lock(&mu_);
  if (waiters_.empty()) {
    is_held_ = false;
    return;
  }
  if (VARVE_PLANTED_BUG("gate.line_handed_over_and_free")) is_held_ = false;
  // Under the lock, because the waiter is gone once it knows.
  waiters_.front()->is_admitted = true;
  waiters_.front()->wake.NotifyOne();
  waiters_.pop_front();
}

bool TransactionGate::WaitForTurn() {
  MutexLock lock(&mu_);
  const uint64_t number = turn_number_;
  while (IsClosed() && turn_number_ == number) {
    const uint64_t now = clock_->MonotonicNanos();
    if (now >= turn_end_) return false;
    opened_.WaitFor(&mu_, (turn_end_ - now) / 1000 + 1);
  }
  return true;
}

void TransactionGate::BeginTurn(uint64_t nanos) {
  MutexLock lock(&mu_);
  if (owner_.load(std::memory_order_relaxed) != Self()) ++turn_number_;
  turn_end_ = clock_->MonotonicNanos() + nanos;
  owner_.store(Self(), std::memory_order_release);
}

void TransactionGate::EndTurn() {
  MutexLock lock(&mu_);
  owner_.store(0, std::memory_order_release);
  opened_.NotifyAll();
}

RetryPass::RetryPass(TransactionGate* gate) : gate_(gate), is_nested_(passes_of_thread++ > 0) {}

RetryPass::~RetryPass() {
  --passes_of_thread;
  if (has_turn_) {
    gate_->EndTurn();
    gate_->turn_.Leave();
  }
  LeaveLine();
}

void RetryPass::LeaveLine() {
  if (line_ == nullptr) return;
  line_->Leave();
  line_ = nullptr;
}

bool RetryPass::Wait(uint64_t hash) {
  if (is_nested_) return false;
  ++conflicts_;
  const uint64_t now = gate_->clock_->MonotonicNanos();
  if (attempt_began_ != 0) longest_attempt_ = std::max(longest_attempt_, now - attempt_began_);
  bool is_new_turn = false;
  if (!has_turn_) {
    FairLine* line = &gate_->LineOf(hash);
    if (line != line_) {
      LeaveLine();
      if (line->Enter(kMaxLineMicros)) line_ = line;
    }
    if (conflicts_ >= kConflictsBeforeTurn) {
      has_turn_ = is_new_turn = gate_->turn_.Enter(kMaxTurnWaitMicros);
    }
  }
  if (has_turn_) gate_->BeginTurn(kLeastTurnNanos + 4 * longest_attempt_);
  attempt_began_ = gate_->clock_->MonotonicNanos();
  return is_new_turn;
}

}  // namespace varve
