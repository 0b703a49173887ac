// Workloads of transactions: read two counters, add one to each, write both.
#include <algorithm>
#include <cstring>
#include <string>

#include "bench/workload.h"

namespace varve::bench {
namespace {

// Few enough that two threads meet often and 64 all the time.
constexpr uint64_t kContendedKeys = 64;

uint64_t CounterOf(std::string_view value) {
  uint64_t counter = 0;
  if (value.size() >= sizeof(counter)) std::memcpy(&counter, value.data(), sizeof(counter));
  return counter;
}

void AddOne(std::string* value) {
  const uint64_t counter = CounterOf(*value) + 1;
  std::memcpy(value->data(), &counter, sizeof(counter));
}

void PutCounters(Runner& runner, uint64_t keys) {
  runner.Run(1, 0, [keys](Lane& lane) {
    const std::string zeros(std::max<size_t>(lane.spec.value_bytes, 8), '\0');
    for (uint64_t i = 0; i < keys; ++i) {
      lane.Check(lane.session->Put(Key::Scrambled(i).view(), zeros));
    }
  });
}

Runner::Body UpdatePairs(uint64_t keys) {
  return [keys](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const uint64_t first = lane.random.Uniform(keys);
      const uint64_t second = (first + 1 + lane.random.Uniform(keys - 1)) % keys;
      lane.Check(lane.session->UpdatePair(Key::Scrambled(first).view(),
                                          Key::Scrambled(second).view(), AddOne));
      return &lane.put;
    });
  };
}

// The counters add up to two for each transaction, or updates were lost.
void CheckSum(Runner& runner, uint64_t keys, uint64_t transactions) {
  uint64_t sum = 0;
  runner.Run(1, 0, [&](Lane& lane) {
    for (uint64_t i = 0; i < keys; ++i) {
      lane.Check(lane.session->Get(Key::Scrambled(i).view(), &lane.buffer));
      sum += CounterOf(lane.buffer);
    }
  });
  if (sum != 2 * transactions) {
    runner.result()->Fail("lost updates: the counters say " + std::to_string(sum) + ", not " +
                          std::to_string(2 * transactions));
  }
}

}  // namespace

void RunTransactions(Runner& runner) {
  if (!runner.Open()) return;
  const uint64_t keys = runner.spec().keys;
  PutCounters(runner, keys);
  runner.QuietDown();
  const Pass warm = runner.Run(runner.spec().threads, runner.spec().seconds / 5, UpdatePairs(keys));
  runner.StartMeasuring();
  const Pass pass = runner.Run(UpdatePairs(keys));
  runner.Report(pass, Runner::Kind::kWrites);
  CheckSum(runner, keys, warm.operations() + pass.operations());
}

void RunContendedTransactions(Runner& runner) {
  if (!runner.Open()) return;
  PutCounters(runner, kContendedKeys);
  runner.StartMeasuring();
  uint64_t operations = 0;
  double rate_of_two = 0;
  Pass pass;
  for (int threads = 2; threads <= 64; threads *= 2) {
    pass = runner.Run(threads, runner.spec().seconds / 6, UpdatePairs(kContendedKeys));
    operations += pass.operations();
    if (threads == 2) rate_of_two = pass.rate();
    runner.AddLine("%2d threads %8.0f/s, p99 %.1f us, longest %.1f ms", threads, pass.rate(),
                   static_cast<double>(pass.put.Percentile(99)) / 1e3,
                   static_cast<double>(pass.put.max()) / 1e6);
  }
  runner.Report(pass, Runner::Kind::kWrites);
  runner.AddLine("64 threads have %.0f %% of the throughput of 2", 100 * pass.rate() / rate_of_two);
  CheckSum(runner, kContendedKeys, operations);
}

}  // namespace varve::bench
