#include "base/epoch.h"

#include <deque>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "base/planted_bug.h"

namespace varve {

namespace internal {
alignas(64) constinit std::atomic<uint64_t> current_epoch{1};
constinit thread_local EpochSlot* thread_epoch_slot = nullptr;
}  // namespace internal

namespace {

using internal::EpochSlot;

// --- Slots: a list of blocks that only grows, so that walking it needs no lock.

constexpr uint32_t kSlotsPerBlock = 32;
constexpr uint64_t kRetiresPerCollection = 64;

struct SlotBlock {
  explicit SlotBlock(uint32_t first_index) {
    for (uint32_t i = 0; i < kSlotsPerBlock; ++i) slots[i].index = first_index + i;
  }
  EpochSlot slots[kSlotsPerBlock];
  std::atomic<SlotBlock*> next{nullptr};
};

SlotBlock* FirstBlock() {
  static SlotBlock* const first = new SlotBlock(0);  // never destroyed: threads may outlive main
  return first;
}

SlotBlock* NextOrNewBlock(SlotBlock* block) {
  SlotBlock* next = block->next.load(std::memory_order_acquire);
  if (next != nullptr) return next;
  auto* fresh = new SlotBlock(block->slots[0].index + kSlotsPerBlock);
  // Acquire and release: this append comes before or after a collector's visit (OldestGuard).
  if (block->next.compare_exchange_strong(next, fresh, std::memory_order_acq_rel)) return fresh;
  delete fresh;
  return next;
}

EpochSlot* ClaimFreeSlot() {
  for (SlotBlock* block = FirstBlock();; block = NextOrNewBlock(block)) {
    for (EpochSlot& slot : block->slots) {
      // Relaxed first: most slots of a busy process are taken, and looking must not take their
      // lines.
      if (slot.is_claimed.load(std::memory_order_relaxed)) continue;
      // Acquire: the previous owner's last writes to the slot come first.
      if (!slot.is_claimed.exchange(true, std::memory_order_acquire)) return &slot;
    }
  }
}

// Gives the thread's slot back when the thread ends. Other thread_local destructors may run after
// this one and use guards: those get a transient slot.
class SlotOwner {
 public:
  ~SlotOwner() {
    is_gone_ = true;
    EpochSlot* slot = internal::thread_epoch_slot;
    if (slot == nullptr) return;
    if (slot->depth == 0) {
      internal::GiveBackEpochSlot(slot);
    } else {
      slot->is_transient = true;
    }
  }
  void Touch() {}  // constructs the object, hence schedules its destructor
  static bool IsGone() { return is_gone_; }

 private:
  static thread_local constinit bool is_gone_;
};
thread_local constinit bool SlotOwner::is_gone_ = false;
thread_local SlotOwner slot_owner;

// --- Retired objects.

struct Retired {
  uint64_t tag;  // the epoch when it was retired
  void* object;
  void (*deleter)(void*);
};

class Reclaimer {
 public:
  void Retire(void* object, void (*deleter)(void*)) VARVE_EXCLUDES(mu_);
  void TryCollect() VARVE_EXCLUDES(mu_);
  void Drain() VARVE_EXCLUDES(mu_);

 private:
  // One collector at a time. Not a mutex: a deleter that retires finds it taken, by its own thread.
  bool TryStartCollecting() { return !is_collecting_.exchange(true, std::memory_order_acquire); }
  void StopCollecting() { is_collecting_.store(false, std::memory_order_release); }
  void Collect() VARVE_EXCLUDES(mu_);
  static uint64_t OldestGuard(uint64_t none);

  std::atomic<bool> is_collecting_{false};
  std::deque<Retired>
      due_;  // owned by the collector; tags ascend, as do those in fresh_ after them

  Mutex mu_;
  std::vector<Retired> fresh_ VARVE_GUARDED_BY(mu_);
  uint64_t retired_count_ VARVE_GUARDED_BY(mu_) = 0;
  uint64_t last_chained_ VARVE_GUARDED_BY(mu_) = 0;  // retired_count_ after the last chained one
  // How many deleters have returned. They run in the order of retiring, so all up to this one have.
  std::atomic<uint64_t> deleted_count_{0};
};

thread_local constinit bool is_in_deleter = false;

Reclaimer* TheReclaimer() {
  static Reclaimer* const reclaimer = new Reclaimer;  // never destroyed: threads may outlive main
  return reclaimer;
}

void Reclaimer::Retire(void* object, void (*deleter)(void*)) {
  bool is_time;
  {
    MutexLock lock(&mu_);
    // Under the mutex, as is advancing: I1. The mutex orders it, hence relaxed.
    const uint64_t tag = internal::current_epoch.load(std::memory_order_relaxed);
    fresh_.push_back({tag, object, deleter});
    ++retired_count_;
    if (is_in_deleter) last_chained_ = retired_count_;
    is_time = retired_count_ % kRetiresPerCollection == 0;
  }
  if (is_time) TryCollect();
}

void Reclaimer::TryCollect() {
  if (!TryStartCollecting()) return;
  Collect();
  StopCollecting();
}

void Reclaimer::Collect() {
  uint64_t now;
  {
    MutexLock lock(&mu_);
    due_.insert(due_.end(), fresh_.begin(), fresh_.end());
    fresh_.clear();
    if (due_.empty()) return;
    now = internal::current_epoch.load(std::memory_order_relaxed) + 1;
    // Release: who enters at `now` sees everything unlinked that is in due_ (I1).
    internal::current_epoch.store(now, std::memory_order_release);
  }
  const uint64_t oldest = OldestGuard(now);
  is_in_deleter = true;
  const uint64_t safe = oldest + (VARVE_PLANTED_BUG("epoch.frees_what_a_guard_may_see") ? 1 : 0);
  while (!due_.empty() && due_.front().tag < safe) {
    const Retired retired = due_.front();
    due_.pop_front();
    retired.deleter(retired.object);
    // Release: who waits for the count sees what the deleter did.
    deleted_count_.fetch_add(1, std::memory_order_release);
  }
  is_in_deleter = false;
}

// The smallest epoch that a guard has announced, `none` when there is no guard.
uint64_t Reclaimer::OldestGuard(uint64_t none) {
  uint64_t oldest = none;
  for (SlotBlock* block = FirstBlock(); block != nullptr;
       // A read-modify-write: who appends later, and enters there, sees what was unlinked (I2).
       block = block->next.fetch_add(0, std::memory_order_acq_rel)) {
    for (EpochSlot& slot : block->slots) {
      // Free slots too: who claims one later is ordered behind this visit by it (I2).
      const uint64_t entered = slot.entered.fetch_add(0, std::memory_order_acq_rel);
      if (entered != 0 && entered < oldest) oldest = entered;
    }
  }
  return oldest;
}

void Reclaimer::Drain() {
  uint64_t target;
  {
    MutexLock lock(&mu_);
    target = retired_count_;
  }
  while (true) {
    TryCollect();
    if (deleted_count_.load(std::memory_order_acquire) < target) {
      std::this_thread::yield();
      continue;
    }
    MutexLock lock(&mu_);
    if (last_chained_ <= target) return;
    target = last_chained_;
  }
}

}  // namespace

namespace internal {

EpochSlot* ClaimEpochSlot() {
  EpochSlot* slot = ClaimFreeSlot();
  slot->is_transient = SlotOwner::IsGone();
  if (!slot->is_transient) slot_owner.Touch();
  thread_epoch_slot = slot;
  return slot;
}

void GiveBackEpochSlot(EpochSlot* slot) {
  thread_epoch_slot = nullptr;
  slot->is_transient = false;
  // Release: the next owner's writes come after ours.
  slot->is_claimed.store(false, std::memory_order_release);
}

}  // namespace internal

void EpochRetire(void* object, void (*deleter)(void*)) { TheReclaimer()->Retire(object, deleter); }

void EpochCollect() { TheReclaimer()->TryCollect(); }

void EpochDrain() {
  VARVE_CHECK(!EpochGuardIsHeld());
  VARVE_CHECK(!is_in_deleter);
  TheReclaimer()->Drain();
}

}  // namespace varve
