#include "engine/sync_group.h"

#include <thread>

#include "base/planted_bug.h"

namespace varve {

namespace {
// Bounds the gathering of a leader; each yield lets one runnable thread run.
constexpr uint32_t kMaxYieldsPerMember = 2;
}  // namespace

void SyncGroup::Gather() {
  const uint32_t expected = last_group_.load(std::memory_order_relaxed);
  if (expected <= 1) return;
  const uint32_t limit = expected * kMaxYieldsPerMember;
  for (uint32_t i = 0; i < limit && arrived_.load(std::memory_order_relaxed) < expected; ++i) {
    std::this_thread::yield();
  }
}

Status SyncGroup::Lead(bool sync) noexcept {
  Gather();
  last_group_.store(arrived_.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
  Result<uint64_t> reached = work_(sync);
  MutexLock lock(&mu_);
  has_leader_ = false;
  if (reached.ok()) {
    written_.store(*reached, std::memory_order_release);
    sync |= VARVE_PLANTED_BUG("sync_group.write_taken_for_sync");
    if (sync) synced_.store(*reached, std::memory_order_release);
  } else if (failure_.ok()) {
    failure_ = reached.status();
  }
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  return failure_;
}

Status SyncGroup::WaitFor(uint64_t position, bool sync) {
  arrived_.fetch_add(1, std::memory_order_relaxed);
  while (!IsDone(position, sync)) {
    uint32_t round;
    bool lead = false;
    {
      MutexLock lock(&mu_);
      if (IsDone(position, sync)) break;
      if (!failure_.ok()) return failure_;
      round = round_.load(std::memory_order_relaxed);
      if (!has_leader_) {
        has_leader_ = true;
        lead = true;
      }
    }
    if (lead) {
      (void)Lead(sync);  // the loop looks at the outcome
    } else {
      if (VARVE_PLANTED_BUG("sync_group.waits_for_a_round_that_is_over")) round = round_.load();
      round_.wait(round, std::memory_order_acquire);
    }
  }
  return Status::Ok();
}

}  // namespace varve
