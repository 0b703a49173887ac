// cache_policy: hit ratios of cache policies on synthetic traces, and what a hit and a miss
// cost.
//
//   cache_policy [accesses per trace, in millions; default 3]
//
// LRU and CLOCK are simulated; S3-FIFO is the product's BlockCache itself. Every figure is over the
// second half of a trace, after the first half has filled the cache. Docs:
// docs/design/0003-block-cache.md.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <vector>

#include "base/epoch.h"
#include "base/random.h"
#include "bench/data.h"
#include "engine/block_cache.h"
#include "env/env.h"

namespace varve::bench {
namespace {

constexpr uint64_t kBlocks = 100000;
constexpr uint64_t kKeysPerBlock = 35;
constexpr size_t kBlockBytes = 4080;

using Trace = std::vector<uint32_t>;  // block numbers

// --- Traces.

Trace MakeTrace(size_t accesses, const std::function<uint64_t(Random*)>& next) {
  Random random(42);
  Trace trace(accesses);
  for (uint32_t& block : trace) block = static_cast<uint32_t>(next(&random));
  return trace;
}

// Of the accesses of `next`, one in five goes to the next block of a scan over everything instead.
std::function<uint64_t(Random*)> WithScan(std::function<uint64_t(Random*)> next) {
  return [next = std::move(next), position = uint64_t{0}](Random* random) mutable {
    return random->OneIn(5) ? position++ % kBlocks : next(random);
  };
}

struct NamedTrace {
  const char* name;
  Trace trace;
};

std::vector<NamedTrace> MakeTraces(size_t accesses) {
  const auto uniform = [](Random* random) { return random->Uniform(kBlocks); };
  const auto blocks = [zipf = Zipf(kBlocks)](Random* random) {
    return Scramble(zipf.Next(random)) % kBlocks;
  };
  const auto keys = [zipf = Zipf(kBlocks * kKeysPerBlock)](Random* random) {
    return Scramble(zipf.Next(random)) % kBlocks;
  };
  std::vector<NamedTrace> traces;
  traces.push_back({"uniform", MakeTrace(accesses, uniform)});
  traces.push_back({"zipfian blocks", MakeTrace(accesses, blocks)});
  traces.push_back({"zipfian keys", MakeTrace(accesses, keys)});
  traces.push_back({"zipfian blocks + scan", MakeTrace(accesses, WithScan(blocks))});
  traces.push_back({"zipfian keys + scan", MakeTrace(accesses, WithScan(keys))});
  return traces;
}

// --- Policies: true when the access is a hit.

class Policy {
 public:
  virtual ~Policy() = default;
  virtual bool Access(uint32_t block) = 0;
};

class Lru : public Policy {
 public:
  explicit Lru(size_t capacity) : capacity_(capacity), places_(kBlocks, order_.end()) {}
  bool Access(uint32_t block) override {
    if (places_[block] != order_.end()) {
      order_.splice(order_.begin(), order_, places_[block]);
      return true;
    }
    if (order_.size() == capacity_) {
      places_[order_.back()] = order_.end();
      order_.pop_back();
    }
    order_.push_front(block);
    places_[block] = order_.begin();
    return false;
  }

 private:
  const size_t capacity_;
  std::list<uint32_t> order_;
  std::vector<std::list<uint32_t>::iterator> places_;
};

class Clock : public Policy {
 public:
  explicit Clock(size_t capacity) : ring_(capacity, kNone), place_(kBlocks, kNone) {
    is_used_.resize(capacity);
  }
  bool Access(uint32_t block) override {
    if (place_[block] != kNone) {
      is_used_[place_[block]] = true;
      return true;
    }
    while (is_used_[hand_]) {
      is_used_[hand_] = false;
      Advance();
    }
    if (ring_[hand_] != kNone) place_[ring_[hand_]] = kNone;
    ring_[hand_] = block;
    place_[block] = hand_;
    Advance();
    return false;
  }

 private:
  static constexpr uint32_t kNone = ~0u;
  void Advance() { hand_ = hand_ + 1 == ring_.size() ? 0 : hand_ + 1; }

  uint32_t hand_ = 0;
  std::vector<uint32_t> ring_;
  std::vector<uint32_t> place_;
  std::vector<bool> is_used_;
};

class Product : public Policy {
 public:
  explicit Product(uint64_t capacity, size_t blocks = kBlocks)
      : cache_(&pool_, capacity * FrameAllocator::Charge(kBlockBytes)), slots_(&cache_, blocks) {}
  bool Access(uint32_t block) override {
    EpochGuard guard;
    if (BlockCache::Lookup(slots_, block) != nullptr) return true;
    cache_.Publish(&slots_, block, cache_.AllocateFrame(kBlockBytes));
    return false;
  }
  // Looks `block` up and reads one line of it.
  uint64_t ReadLine(uint32_t block, size_t line) {
    EpochGuard guard;
    const Frame* frame = BlockCache::Lookup(slots_, block);
    return frame == nullptr ? 0 : static_cast<unsigned char>(frame->data()[line * 64]) + 1u;
  }

 private:
  ChunkPool pool_{Env::Default(), 0};
  BlockCache cache_;
  BlockSlots slots_;
};

double HitPercent(Policy* policy, const Trace& trace) {
  const size_t half = trace.size() / 2;
  for (size_t i = 0; i < half; ++i) policy->Access(trace[i]);
  uint64_t hits = 0;
  for (size_t i = half; i < trace.size(); ++i) hits += policy->Access(trace[i]);
  return 100.0 * static_cast<double>(hits) / static_cast<double>(trace.size() - half);
}

void PrintHitRatios(size_t accesses) {
  std::printf("hit ratio, %%; cache of N %% of %llu blocks\n\n",
              static_cast<unsigned long long>(kBlocks));
  std::printf("| trace | cache | LRU | CLOCK | S3-FIFO (BlockCache) |\n|---|---|---|---|---|\n");
  for (const NamedTrace& named : MakeTraces(accesses)) {
    for (const uint64_t percent : {1, 5, 10, 25}) {
      const uint64_t capacity = kBlocks * percent / 100;
      Lru lru(capacity);
      Clock clock(capacity);
      Product product(capacity);
      std::printf("| %s | %llu %% | %.1f | %.1f | %.1f |\n", named.name,
                  static_cast<unsigned long long>(percent), HitPercent(&lru, named.trace),
                  HitPercent(&clock, named.trace), HitPercent(&product, named.trace));
      std::fflush(stdout);
    }
  }
}

// --- Costs.

// The quickest of seven runs, because other programs only ever make one slower.
double NanosEach(size_t count, const std::function<void()>& run) {
  double best = std::numeric_limits<double>::max();
  for (int i = 0; i < 7; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double, std::nano> elapsed =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count() / static_cast<double>(count));
  }
  return best;
}

void PrintCosts() {
  constexpr uint32_t kFrames = 300000;
  constexpr size_t kRounds = 500000;
  uint64_t sum = 0;
  Random random(7);
  Trace order(kRounds);
  for (uint32_t& block : order) block = static_cast<uint32_t>(random.Uniform(kFrames));

  std::printf("\ncosts, ns, one thread\n\n| what | ns |\n|---|---|\n");
  std::printf("| EpochGuard, enter and leave | %.1f |\n", NanosEach(kRounds, [&] {
                for (size_t i = 0; i < kRounds; ++i) {
                  EpochGuard guard;
                  sum += EpochThreadIndex();
                }
              }));
  Product cache(kFrames * 11 / 10, kFrames);
  for (uint32_t block = 0; block < kFrames; ++block) cache.Access(block);
  for (int warm = 0; warm < 4; ++warm) {
    for (uint32_t block = 0; block < kFrames; ++block) cache.Access(block);
  }
  std::printf("| hit of a random one of %u blocks, without reading it | %.1f |\n", kFrames,
              NanosEach(kRounds, [&] {
                for (uint32_t block : order) sum += cache.Access(block);
              }));
  std::printf("| the same, reading one line, independent | %.1f |\n", NanosEach(kRounds, [&] {
                for (size_t i = 0; i < kRounds; ++i) sum += cache.ReadLine(order[i], i % 63);
              }));
  std::printf("| the same, each after the one before | %.1f |\n", NanosEach(kRounds, [&] {
                uint64_t line = 0;
                for (uint32_t block : order) line = cache.ReadLine(block, line % 2);
                sum += line;
              }));
  Product small(kFrames / 4, kFrames);
  for (uint32_t block : order) small.Access(block);
  double misses = 0;
  const double mixed = NanosEach(kRounds, [&] {
    for (uint32_t block : order) misses += !small.Access(block);
  });
  std::printf(
      "| access to a cache of a quarter (%.0f %% misses: allocate, publish, evict) | %.1f |\n",
      100 * misses / (7 * kRounds), mixed);
  if (sum == 0) std::printf("\n");  // keeps the reads
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  const double millions = argc > 1 ? std::atof(argv[1]) : 3;
  if (millions <= 0) {
    std::fprintf(stderr, "usage: cache_policy [accesses per trace, in millions]\n");
    return 2;
  }
  varve::bench::PrintHitRatios(static_cast<size_t>(millions * 1e6));
  varve::bench::PrintCosts();
  return 0;
}
