// TimingWheel: nanoseconds and bytes a pending deadline, with ten million of them.
#include <benchmark/benchmark.h>

#include "base/random.h"
#include "base/timing_wheel.h"

namespace varve {
namespace {

constexpr uint64_t kStart = 1'700'000'000'000;

// Adds them, up to a minute ahead, then lets the minute pass in steps of 20 ms.
void BM_TimingWheel(benchmark::State& state) {
  const uint64_t count = static_cast<uint64_t>(state.range(0));
  size_t bytes = 0;
  for (auto unused : state) {
    TimingWheel<uint64_t> wheel(kStart);
    Random random(1);
    for (uint64_t i = 0; i < count; ++i) wheel.Add(kStart + 1 + random.Uniform(60'000), i);
    bytes = wheel.memory_bytes();
    uint64_t sum = 0;
    for (uint64_t now = kStart; wheel.size() > 0; now += 20) {
      wheel.Advance(now, [&](uint64_t, uint64_t item) { sum += item; });
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["bytes"] = static_cast<double>(bytes) / static_cast<double>(count);
}
BENCHMARK(BM_TimingWheel)->Arg(1'000'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace varve
