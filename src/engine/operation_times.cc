#include "engine/operation_times.h"

#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/planted_bug.h"

namespace varve {

namespace internal {
thread_local constinit ThreadOperation thread_operation;
}  // namespace internal

namespace {

std::atomic<uint32_t> next_thread{0};

// The xorshift of Marsaglia, "Xorshift RNGs", 2003.
uint32_t NextRandom(uint32_t* state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

}  // namespace

OperationTimes::OperationTimes(Clock* clock, size_t stripes, bool times_all)
    : clock_(clock),
      timed_from_(times_all ? std::numeric_limits<int32_t>::max() : 0),
      stripe_count_(stripes),
      stripes_(std::make_unique<Stripe[]>(stripes)) {
  VARVE_CHECK(stripes >= 1 && stripes <= kMaxStripes);
}

size_t OperationTimes::StripesFor(uint64_t budget_bytes) {
  const auto affordable = static_cast<size_t>(budget_bytes / 128 / sizeof(Stripe));
  return std::clamp<size_t>(affordable, 1, kMaxStripes);
}

uint64_t OperationTimes::BeginTimed(internal::ThreadOperation* own) {
  const bool is_first = own->random == 0;
  if (is_first) {
    const uint32_t thread = next_thread.fetch_add(1, std::memory_order_relaxed);
    own->stripe = thread;
    own->random = (thread + 1) * 0x9E3779B1u | 1;
    for (int i = 0; i < 4; ++i) (void)NextRandom(&own->random);
  }
  // Uniform from 1 to 2 * kSampleInterval - 1: at random, or a loop that alternates two kinds of
  // operations would have only one of them timed. The operation that follows n others is then drawn with
  // the same chance for every n, but for the first few of a thread.
  const uint32_t spread = is_first ? kSampleInterval : 2 * kSampleInterval - 1;
  own->until_sample = static_cast<int32_t>(1 + NextRandom(&own->random) % spread);
  if (VARVE_PLANTED_BUG("statistics.every_64th_is_timed")) own->until_sample = kSampleInterval;
  if (is_first && timed_from_ == 0) return 0;
  return clock_->MonotonicNanos();
}

size_t OperationTimes::BucketOf(uint64_t nanos) {
  const int cut = static_cast<int>(std::bit_width(nanos | (kSubCount - 1))) - kSubBits;
  if (cut > kMaxBits - kSubBits) return kBucketCount - 1;
  return cut == 0 ? static_cast<size_t>(nanos)
                  : static_cast<size_t>((static_cast<uint64_t>(cut - 1) << kSubBits) +
                                        (nanos >> (cut - 1)));
}

uint64_t OperationTimes::LowerBoundOf(size_t bucket) {
  if (bucket < 2 * kSubCount) return bucket;
  const uint64_t shift = bucket / kSubCount - 1;
  return (kSubCount + bucket % kSubCount) << shift;
}

void OperationTimes::RecordTimed(Operation kind, uint64_t begin, uint64_t waited_since) {
  const uint64_t nanos = clock_->MonotonicNanos() - (begin != 0 ? begin : waited_since);
  const bool was_drawn = waited_since == 0 && timed_from_ == 0;
  const uint64_t weight =
      was_drawn || VARVE_PLANTED_BUG("statistics.waits_weigh_like_the_others") ? kSampleInterval : 1;
  Stripe& stripe = stripes_[internal::thread_operation.stripe % stripe_count_];
  Times& times = stripe.kinds[static_cast<size_t>(kind)];
  times.counts[BucketOf(nanos)].fetch_add(weight, std::memory_order_relaxed);
  times.sum.fetch_add(nanos * weight, std::memory_order_relaxed);
  uint64_t max = times.max.load(std::memory_order_relaxed);
  while (nanos > max && !times.max.compare_exchange_weak(max, nanos, std::memory_order_relaxed)) {
  }
}

void OperationTimes::EndWaitingGet(bool is_hit, uint32_t runs, uint64_t disk_reads, uint64_t begin) {
  ReadCounts& counts = CountsOfThread();
  Add(is_hit ? &counts.hits : &counts.absents, 1);
  Add(&counts.runs, runs);
  Add(&counts.disk_reads, disk_reads);
  Record(is_hit ? Operation::kGetHit : Operation::kGetAbsent, begin);
}

void OperationTimes::EndWaitingMultiGet(uint64_t keys, uint64_t runs, uint64_t disk_reads,
                                        uint64_t begin) {
  ReadCounts& counts = CountsOfThread();
  Add(&counts.multi_gets, 1);
  Add(&counts.multi_get_keys, keys);
  Add(&counts.runs, runs);
  Add(&counts.disk_reads, disk_reads);
  Record(Operation::kMultiGet, begin);
}

void OperationTimes::EndMultiGet(uint64_t keys, uint64_t runs, uint64_t begin) {
  ReadCounts& counts = CountsOfThread();
  Add(&counts.multi_gets, 1);
  Add(&counts.multi_get_keys, keys);
  if (runs != 0) Add(&counts.runs, runs);
  if (internal::thread_operation.disk_reads != 0) CountDiskReads(&counts);
  End(Operation::kMultiGet, begin);
}

// --- Reading them.

void OperationTimes::CollectTimes(size_t kind, OperationStatistics* stats) const {
  std::array<uint64_t, kBucketCount> counts{};
  uint64_t total = 0;
  uint64_t sum = 0;
  for (size_t s = 0; s < stripe_count_; ++s) {
    const Times& times = stripes_[s].kinds[kind];
    for (size_t i = 0; i < kBucketCount; ++i) {
      const uint64_t count = times.counts[i].load(std::memory_order_relaxed);
      counts[i] += count;
      total += count;
    }
    sum += times.sum.load(std::memory_order_relaxed);
    stats->max_ns = std::max(stats->max_ns, times.max.load(std::memory_order_relaxed));
  }
  stats->timed_count = total;
  stats->timed_sum_ns = sum;
  const auto percentile = [&](double percent) -> uint64_t {
    if (total == 0) return 0;
    const double exact = percent / 100 * static_cast<double>(total);
    const auto rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(exact * (1 - 1e-12))));
    uint64_t seen = 0;
    for (size_t i = 0; i + 1 < kBucketCount; ++i) {
      seen += counts[i];
      if (seen < rank) continue;
      const uint64_t lower = LowerBoundOf(i);
      return std::min(lower + (LowerBoundOf(i + 1) - lower) / 2, stats->max_ns);
    }
    return stats->max_ns;
  };
  stats->p50_ns = percentile(50);
  stats->p90_ns = percentile(90);
  stats->p99_ns = percentile(99);
  stats->p999_ns = percentile(99.9);
  uint64_t below = 0;
  size_t bucket = 0;
  for (size_t i = 0; i < OperationStatistics::kBoundCount; ++i) {
    const size_t end = BucketOf(OperationStatistics::BoundNanos(i));
    for (; bucket < end; ++bucket) below += counts[bucket];
    stats->timed_below[i] = below;
  }
}

void OperationTimes::Collect(Statistics* stats) const {
  for (size_t i = 0; i < kOperationCount; ++i) CollectTimes(i, &stats->operations[i]);
  const auto add = [](const std::atomic<uint64_t>& from, uint64_t* to) {
    *to += from.load(std::memory_order_relaxed);
  };
  for (const ReadCounts& counts : counts_) {
    add(counts.hits, &stats->operation(Operation::kGetHit).count);
    add(counts.absents, &stats->operation(Operation::kGetAbsent).count);
    add(counts.multi_gets, &stats->operation(Operation::kMultiGet).count);
    add(counts.scans, &stats->operation(Operation::kScan).count);
    add(counts.multi_get_keys, &stats->multi_get_key_count);
    add(counts.runs, &stats->get_run_count);
    add(counts.disk_reads, &stats->get_disk_read_count);
  }
}

}  // namespace varve
