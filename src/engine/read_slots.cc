#include "engine/read_slots.h"

#include "base/planted_bug.h"

namespace varve {

namespace {

constexpr int kMaxTries = 64;  // that the visible number may run away under a transaction

// Where this thread looks first: the slot that it had last.
thread_local size_t preferred_slot = 0;
std::atomic<size_t> next_preferred{1};

}  // namespace

ReadSlots::Slot* ReadSlots::Enter(const std::atomic<SequenceNumber>& visible,
                                  SequenceNumber* sequence) {
  if (preferred_slot == 0) {
    preferred_slot = next_preferred.fetch_add(1, std::memory_order_relaxed) % kSlots + kSlots;
  }
  SequenceNumber announced = visible.load(std::memory_order_seq_cst);
  Slot* slot = nullptr;
  for (size_t i = 0; i < kSlots && slot == nullptr; ++i) {
    Slot& candidate = slots_[(preferred_slot + i) % kSlots].value;
    uint64_t expected = 0;
    if (candidate.load(std::memory_order_relaxed) == 0 &&
        candidate.compare_exchange_strong(expected, announced + 1, std::memory_order_seq_cst)) {
      slot = &candidate;
      preferred_slot += i;
    }
  }
  if (slot == nullptr) return nullptr;
  for (int i = 0; i < kMaxTries; ++i) {
    const SequenceNumber now = visible.load(std::memory_order_seq_cst);
    if (now == announced || VARVE_PLANTED_BUG("read_slots.does_not_look_again")) {
      *sequence = announced;
      return slot;
    }
    announced = now;
    slot->store(announced + 1, std::memory_order_seq_cst);
  }
  Leave(slot);
  return nullptr;
}

void ReadSlots::Collect(SequenceNumber visible, std::vector<SequenceNumber>* sequences) const {
  for (const PaddedSlot& slot : slots_) {
    const uint64_t value = slot.value.load(std::memory_order_seq_cst);
    if (value != 0 && value - 1 < visible) sequences->push_back(value - 1);
  }
}

bool ReadSlots::HasOlderThan(SequenceNumber sequence) const {
  for (const PaddedSlot& slot : slots_) {
    const uint64_t value = slot.value.load(std::memory_order_seq_cst);
    if (value != 0 && value - 1 < sequence) return true;
  }
  return false;
}

}  // namespace varve
