// ReadSlots: where transactions announce the sequence number that they read at, without a lock, so that
// merges keep what they can read. A snapshot (DbImpl::snapshots_) costs a mutex, an allocation and a tree.
//
// The protocol. A transaction writes its number s into a slot and then loads the visible number again,
// until that is s. A job loads the visible number V and then the slots. All of these are sequentially
// consistent, so if the job misses the announcement of s, its load of V came before the transaction's
// last load, which therefore found s >= V; and above V a job keeps everything. A slot whose transaction
// is still at it may hold an older number than the one it ends with: the job keeps more than it must.
#ifndef VARVE_ENGINE_READ_SLOTS_H_
#define VARVE_ENGINE_READ_SLOTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <vector>

#include "format/internal_key.h"

namespace varve {

// Thread-safe.
class ReadSlots {
 public:
  using Slot = std::atomic<uint64_t>;

  ReadSlots() = default;
  ReadSlots(const ReadSlots&) = delete;
  ReadSlots& operator=(const ReadSlots&) = delete;

  // Announces the present value of `visible`, which only grows, and stores it in `*sequence`. nullptr
  // when all slots are taken or the value would not stand still: take a snapshot then. About 20 ns.
  Slot* Enter(const std::atomic<SequenceNumber>& visible, SequenceNumber* sequence);
  static void Leave(Slot* slot) { slot->store(0, std::memory_order_release); }

  // Appends the announced numbers below `visible`, which the caller has loaded sequentially consistent
  // before, in any order. What is at or above it needs no protection.
  void Collect(SequenceNumber visible, std::vector<SequenceNumber>* sequences) const;
  // True when a number below `sequence` is announced.
  bool HasOlderThan(SequenceNumber sequence) const;

 private:
  static constexpr size_t kSlots = 64;
  struct alignas(64) PaddedSlot {
    Slot value{0};  // 0: free; otherwise the number + 1
  };

  std::array<PaddedSlot, kSlots> slots_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_READ_SLOTS_H_
