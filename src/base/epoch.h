// Epoch-based reclamation, one domain for the process: readers of shared structures take no lock
// and touch no shared line, and what a writer has unlinked is freed once nobody can still see it.
//
//   reader                               writer
//   ------                               ------
//   EpochGuard guard;                    Node* old = head.exchange(fresh);    // 1. unlink
//   use(head.load(acquire));             EpochRetire(old, [](void* p) {...}); // 2. retire
//
// The model. A counter, the epoch, only grows. A guard announces in its thread's slot the epoch it
// saw on entry. Retired objects wait in one queue, each tagged with the epoch at that moment. A
// collection (1) advances the epoch, (2) reads all slots, (3) frees what is tagged below the oldest
// announced one.
//
// Why that is safe, for an object X tagged t, and without fences:
//  I1. X is unlinked before it is tagged, and the epoch advances past t only after X was tagged
//  (both
//      under one mutex). So a guard that saw an epoch > t sees the unlinking and never finds X.
//  I2. Entry and the collector's reading of a slot are both read-modify-writes of that slot, so one
//      comes first. If the collector came first, the guard sees all that was unlinked before, X
//      too. If the guard came first, the collector sees its epoch, <= t, and keeps X.
//  I3. Leaving is a release store which the collector acquires: reads of X come before its deleter.
#ifndef VARVE_BASE_EPOCH_H_
#define VARVE_BASE_EPOCH_H_

#include <atomic>
#include <cstdint>

namespace varve {

namespace internal {

struct alignas(64) EpochSlot {
  std::atomic<uint64_t> entered{0};  // the epoch announced; 0 outside of guards
  uint32_t depth = 0;                // nested guards; only the owning thread looks at it
  uint32_t index = 0;                // constant: position among all slots
  bool is_transient = false;         // owner only: to be given back when the outermost guard ends
  std::atomic<bool> is_claimed{false};
};

extern std::atomic<uint64_t> current_epoch;
extern thread_local constinit EpochSlot* thread_epoch_slot;  // null before the first guard

EpochSlot* ClaimEpochSlot();
void GiveBackEpochSlot(EpochSlot* slot);

}  // namespace internal

// While one lives in a thread, nothing that was reachable when it began is freed. Nests; about 7
// ns. Keep it short: it holds back all reclamation in the process (never across user code or
// sleeping). Stays in the thread and the scope that made it.
class EpochGuard {
 public:
  EpochGuard() : slot_(internal::thread_epoch_slot) {
    if (slot_ == nullptr) slot_ = internal::ClaimEpochSlot();
    if (slot_->depth++ > 0) return;
    // Acquire: I1. The exchange is the read-modify-write of I2; it keeps later loads behind it.
    slot_->entered.exchange(internal::current_epoch.load(std::memory_order_acquire),
                            std::memory_order_seq_cst);
  }
  ~EpochGuard() {
    if (--slot_->depth > 0) return;
    // Release: I3.
    slot_->entered.store(0, std::memory_order_release);
    if (slot_->is_transient) internal::GiveBackEpochSlot(slot_);
  }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

 private:
  internal::EpochSlot* slot_;
};

// True when the calling thread is inside a guard. For checks.
inline bool EpochGuardIsHeld() {
  const internal::EpochSlot* slot = internal::thread_epoch_slot;
  return slot != nullptr && slot->depth > 0;
}

// A small number that no other thread inside a guard has now; for striped counters.
// REQUIRES: a guard in the calling thread.
inline uint32_t EpochThreadIndex() { return internal::thread_epoch_slot->index; }

// Calls `deleter(object)` once every guard that lives now has ended; from whichever thread collects
// then, possibly this one during this call. Call it after the last pointer to `object` has been
// unlinked. Thread-safe, inside a guard or not. A deleter may retire other objects and may hold no
// lock that a caller of EpochRetire or EpochCollect holds. Amortised: every 64th call collects.
void EpochRetire(void* object, void (*deleter)(void*));

// Runs the deleters that are due; returns at once when another thread is at it, or a deleter calls.
void EpochCollect();

// Returns when everything that was retired before the call, and what those deleters retired in
// turn, has been deleted. Waits for guards of other threads, yielding. REQUIRES: no guard in the
// calling thread; not called by a deleter.
void EpochDrain();

}  // namespace varve

#endif  // VARVE_BASE_EPOCH_H_
