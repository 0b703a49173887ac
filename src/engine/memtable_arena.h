// MemTableArena: bump allocation for one memtable. Nothing is freed before the arena dies, so that
// a reader can never follow a pointer into memory that was given back.
#ifndef VARVE_ENGINE_MEMTABLE_ARENA_H_
#define VARVE_ENGINE_MEMTABLE_ARENA_H_

#include <atomic>
#include <cstddef>
#include <vector>

#include "engine/chunk_pool.h"

namespace varve {

// One thread at a time may allocate; memory_bytes() may be called by any thread. Out of memory is
// fatal, as it is for operator new.
class MemTableArena {
 public:
  static constexpr size_t kMaxAlignment = 64;

  // `pool` must outlive the arena.
  explicit MemTableArena(ChunkPool* pool) : pool_(pool) {}
  ~MemTableArena();
  MemTableArena(const MemTableArena&) = delete;
  MemTableArena& operator=(const MemTableArena&) = delete;

  // Returns `bytes` of memory with unspecified content. What does not fit a chunk without wasting
  // much of it gets an allocation of its own. REQUIRES: `alignment` is a power of two of at most
  // kMaxAlignment.
  char* Allocate(size_t bytes, size_t alignment) {
    const size_t padding = -reinterpret_cast<size_t>(free_) & (alignment - 1);
    const size_t needed = bytes + padding;
    if (needed > static_cast<size_t>(limit_ - free_)) return AllocateSlow(bytes);
    char* result = free_ + padding;
    free_ += needed;
    CountUsed(needed);
    return result;
  }

  // Bytes handed out so far, with their padding.
  size_t memory_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

 private:
  char* AllocateSlow(size_t bytes);
  // A load and a store, not an atomic addition: only one thread at a time counts.
  void CountUsed(size_t bytes) {
    used_bytes_.store(used_bytes_.load(std::memory_order_relaxed) + bytes,
                      std::memory_order_relaxed);
  }

  ChunkPool* const pool_;
  std::atomic<size_t> used_bytes_{0};

  // Owned by the allocating thread.
  char* free_ = nullptr;
  char* limit_ = nullptr;
  std::vector<char*> chunks_;
  std::vector<char*> large_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_MEMTABLE_ARENA_H_
