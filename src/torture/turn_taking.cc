#include "torture/turn_taking.h"

#include <algorithm>
#include <cstddef>

#include "base/check.h"

namespace varve::torture {

int TurnTaking::Add() {
  const MutexLock lock(&mu_);
  threads_.emplace_back();
  return static_cast<int>(threads_.size()) - 1;
}

void TurnTaking::Begin(int number) {
  const MutexLock lock(&mu_);
  while (current_ != number) changed_.Wait(&mu_);
}

void TurnTaking::End(int number) {
  const MutexLock lock(&mu_);
  threads_[static_cast<size_t>(number)].has_ended = true;
  // AwaitAll waits for this object.
  if (threads_[0].waits_for == this && OthersHaveEnded()) threads_[0].waits_for = nullptr;
  if (current_ == number) HandOver();
}

void TurnTaking::Wait(const void* condition, bool has_end) {
  const MutexLock lock(&mu_);
  const int number = current_;
  threads_[static_cast<size_t>(number)].waits_for = condition;
  threads_[static_cast<size_t>(number)].has_end = has_end;
  HandOver();
  while (current_ != number) changed_.Wait(&mu_);
}

void TurnTaking::Yield() {
  const MutexLock lock(&mu_);
  const int number = current_;
  HandOver();
  while (current_ != number) changed_.Wait(&mu_);
}

void TurnTaking::Notify(const void* condition) {
  const MutexLock lock(&mu_);
  for (Member& member : threads_) {
    if (member.waits_for == condition) member.waits_for = nullptr;
  }
}

void TurnTaking::AwaitAll() {
  {
    const MutexLock lock(&mu_);
    if (OthersHaveEnded()) return;
  }
  Wait(this, false);
}

void TurnTaking::HandOver() {
  constexpr uint64_t kOneInEnds = 4;
  std::vector<int> ready;
  std::vector<int> timed;
  for (size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i].has_ended) continue;
    if (threads_[i].waits_for == nullptr) ready.push_back(static_cast<int>(i));
    else if (threads_[i].has_end) timed.push_back(static_cast<int>(i));
  }
  if (ready.empty() || (!timed.empty() && random_.OneIn(kOneInEnds))) ready.insert(ready.end(), timed.begin(), timed.end());
  VARVE_CHECK(!ready.empty());
  current_ = ready[random_.Uniform(ready.size())];
  threads_[static_cast<size_t>(current_)].waits_for = nullptr;
  changed_.NotifyAll();
}

bool TurnTaking::OthersHaveEnded() const {
  return std::all_of(threads_.begin() + 1, threads_.end(), [](const Member& member) { return member.has_ended; });
}

}  // namespace varve::torture
