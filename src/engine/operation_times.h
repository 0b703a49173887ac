// OperationTimes: how many operations a store has done, and how long they took.
//
// Reading the clock twice costs as much as a tenth of a put, so not every operation is timed:
//
//   - one in kSampleInterval on average, chosen at random, each standing for kSampleInterval of them;
//   - and every one that had to wait (for the disk, a sync, another writer, back-pressure), each standing
//     for itself. Whoever makes it wait says so (NoteWaiting), and reads the clock for that if it had
//     not been read.
//
// So nothing that waits is missed, and the sum of what the timed ones stand for is an estimate without
// bias of the number of operations. An operation that waited and was not drawn is timed from where the
// waiting began; what comes before that takes less than a microsecond. The numbers of operations are
// exact, and counted apart.
//
// Counters of reads are striped by the thread's place in the epoch: no two threads write to one line.
// Histograms are written to so rarely that eight stripes serve any number of threads.
#ifndef VARVE_ENGINE_OPERATION_TIMES_H_
#define VARVE_ENGINE_OPERATION_TIMES_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/epoch.h"
#include "env/env.h"
#include "varve/statistics.h"

namespace varve {

namespace internal {

// What the operation that a thread is at has met. Written by the thread only.
struct ThreadOperation {
  int32_t until_sample = 0;   // operations until one is timed by chance
  uint32_t random = 0;        // 0: not yet seeded
  uint32_t stripe = 0;
  uint32_t disk_reads = 0;    // since the operation began
  uint64_t waited_since = 0;  // monotonic nanoseconds; 0: it has not waited
};
// Defined here: of one that is defined elsewhere gcc 12 checks the address under UBSan by flags that the linker's
// relaxation of thread-local accesses does not set.
inline thread_local constinit ThreadOperation thread_operation;

}  // namespace internal

// The running operation of this thread begins to wait now. Harmless outside of operations.
inline void NoteWaiting(uint64_t monotonic_nanos) {
  internal::ThreadOperation& own = internal::thread_operation;
  if (own.waited_since == 0) own.waited_since = monotonic_nanos;
}
// The same, to read from a file.
inline void NoteDiskRead(uint64_t monotonic_nanos) {
  NoteWaiting(monotonic_nanos);
  ++internal::thread_operation.disk_reads;
}

// How often this thread has read from a file since its last operation began.
inline uint32_t DiskReadsOfThread() { return internal::thread_operation.disk_reads; }

// Thread-safe.
class OperationTimes {
 public:
  static constexpr uint32_t kSampleInterval = 64;

  // With `times_all`, for tests, every operation is timed and stands for itself. `stripes` histograms of
  // each kind, from 1 to kMaxStripes.
  static constexpr size_t kMaxStripes = 8;
  OperationTimes(Clock* clock, size_t stripes, bool times_all);
  OperationTimes(const OperationTimes&) = delete;
  OperationTimes& operator=(const OperationTimes&) = delete;

  // As many stripes as take at most 1/128 of a budget, at least one.
  static size_t StripesFor(uint64_t budget_bytes);
  uint64_t memory_bytes() const { return sizeof(*this) + stripe_count_ * sizeof(Stripe); }

  // An operation of this thread begins. To be given to End. Operations do not nest.
  uint64_t Begin() {
    internal::ThreadOperation& own = internal::thread_operation;
    own.waited_since = 0;
    own.disk_reads = 0;
    if (__builtin_expect(--own.until_sample > timed_from_, 1)) return 0;
    return BeginTimed(&own);
  }
  // It has ended. Not called for one that failed, as far as it is known.
  void End(Operation kind, uint64_t begin) {
    const internal::ThreadOperation& own = internal::thread_operation;
    if (__builtin_expect((begin | own.waited_since) == 0, 1)) return;
    RecordTimed(kind, begin, own.waited_since);
  }
  // The same for reads, which are counted here. `runs` were asked for the key.
  // REQUIRES: an EpochGuard.
  void EndGet(bool is_hit, uint32_t runs, uint64_t begin) {
    ReadCounts& counts = CountsOfThread();
    Add(is_hit ? &counts.hits : &counts.absents, 1);
    if (runs != 0) Add(&counts.runs, runs);
    if (internal::thread_operation.disk_reads != 0) CountDiskReads(&counts);
    End(is_hit ? Operation::kGetHit : Operation::kGetAbsent, begin);
  }
  void EndMultiGet(uint64_t keys, uint64_t runs, uint64_t begin);
  // Reads that waited for `disk_reads` since `begin`, and held no thread meanwhile: the same as EndGet and
  // EndMultiGet. REQUIRES: an EpochGuard.
  void EndWaitingGet(bool is_hit, uint32_t runs, uint64_t disk_reads, uint64_t begin);
  void EndWaitingMultiGet(uint64_t keys, uint64_t runs, uint64_t disk_reads, uint64_t begin);
  // Iterators count for themselves and tell now and then. REQUIRES: an EpochGuard.
  void CountScans(uint64_t count) { Add(&CountsOfThread().scans, count); }

  // What took from `begin` to now, is never drawn, and stands for itself.
  void Record(Operation kind, uint64_t begin) { RecordTimed(kind, begin, begin); }

  // Fills in what is counted here: all of `operations` but the numbers of writes and syncs, and the
  // numbers of keys, runs and disk reads of point reads. What runs meanwhile may be missing.
  void Collect(Statistics* stats) const;

 private:
  // Nanoseconds in log-linear buckets: below 32 one each, above, 16 for each power of two, up to 2^40.
  static constexpr int kSubBits = 4;
  static constexpr uint64_t kSubCount = uint64_t{1} << kSubBits;
  static constexpr int kMaxBits = 40;
  static constexpr size_t kBucketCount = (kMaxBits - kSubBits + 1) * kSubCount + 1;

  struct Times {
    std::array<std::atomic<uint64_t>, kBucketCount> counts{};
    std::atomic<uint64_t> sum{0};
    std::atomic<uint64_t> max{0};
  };
  struct alignas(64) Stripe {
    std::array<Times, kOperationCount> kinds;
  };
  struct alignas(64) ReadCounts {
    std::atomic<uint64_t> hits{0}, absents{0}, multi_gets{0}, multi_get_keys{0}, scans{0}, runs{0},
        disk_reads{0};
  };
  // Threads beyond these share the last one.
  static constexpr size_t kOwnCounts = 32;

  static size_t BucketOf(uint64_t nanos);
  static uint64_t LowerBoundOf(size_t bucket);

  ReadCounts& CountsOfThread() { return counts_[std::min<size_t>(EpochThreadIndex(), kOwnCounts)]; }
  void Add(std::atomic<uint64_t>* count, uint64_t n) {
    if (__builtin_expect(EpochThreadIndex() < kOwnCounts, 1)) {
      // Nobody else writes it: a guard's index belongs to one thread at a time.
      count->store(count->load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    } else {
      count->fetch_add(n, std::memory_order_relaxed);
    }
  }
  void CountDiskReads(ReadCounts* counts) {
    Add(&counts->disk_reads, internal::thread_operation.disk_reads);
  }
  uint64_t BeginTimed(internal::ThreadOperation* own);
  void RecordTimed(Operation kind, uint64_t begin, uint64_t waited_since);
  void CollectTimes(size_t kind, OperationStatistics* stats) const;

  Clock* const clock_;
  const int32_t timed_from_;  // of ThreadOperation::until_sample
  const size_t stripe_count_;
  const std::unique_ptr<Stripe[]> stripes_;
  std::array<ReadCounts, kOwnCounts + 1> counts_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_OPERATION_TIMES_H_
