// Totals: what is counted over all commands. Each loop counts in a line of its own, so that loops do not pass
// one to and fro with every command.
#ifndef VARVE_SERVER_TOTALS_H_
#define VARVE_SERVER_TOTALS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"

namespace varve::server {

struct Counts {
  uint64_t commands = 0;
  uint64_t errors = 0;  // replies that were errors
  uint64_t hits = 0;    // lookups that found a key
  uint64_t misses = 0;
};

// Of one loop. Written by its thread, read by all.
class alignas(64) LoopTotals {
 public:
  void NoteCommand() { Add(&commands_); }
  void NoteError() { Add(&errors_); }
  void NoteLookup(bool is_hit) { Add(is_hit ? &hits_ : &misses_); }
  void AddTo(Counts* counts) const {
    counts->commands += commands_.load(std::memory_order_relaxed);
    counts->errors += errors_.load(std::memory_order_relaxed);
    counts->hits += hits_.load(std::memory_order_relaxed);
    counts->misses += misses_.load(std::memory_order_relaxed);
  }

 private:
  // By the only thread that writes: no locked instruction.
  static void Add(std::atomic<uint64_t>* counter) {
    counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::atomic<uint64_t> commands_{0};
  std::atomic<uint64_t> errors_{0};
  std::atomic<uint64_t> hits_{0};
  std::atomic<uint64_t> misses_{0};
};

// Thread-safe.
class Totals {
 public:
  explicit Totals(int loop_count) {
    for (int i = 0; i < loop_count; ++i) loops_.push_back(std::make_unique<LoopTotals>());
  }

  LoopTotals& loop(int index) { return *loops_[static_cast<size_t>(index)]; }

  // Of all loops, since the start or the last Reset.
  Counts Sum() const VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    Counts counts = All();
    counts.commands -= before_.commands;
    counts.errors -= before_.errors;
    counts.hits -= before_.hits;
    counts.misses -= before_.misses;
    return counts;
  }
  // The loops' counters stay, for nobody else writes them: what they are now is taken off from now on.
  void Reset() VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    before_ = All();
  }

 private:
  Counts All() const {
    Counts counts;
    for (const auto& loop : loops_) loop->AddTo(&counts);
    return counts;
  }

  std::vector<std::unique_ptr<LoopTotals>> loops_;
  mutable Mutex mu_;
  Counts before_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::server

#endif  // VARVE_SERVER_TOTALS_H_
