// Workloads that put.
#include "bench/workload.h"

namespace varve::bench {
namespace {

enum class Order { kRandom, kSequential };

// Lane i of n puts the keys i, i + n, i + 2n, ...
Pass PutEveryKey(Runner& runner, int threads, Order order) {
  runner.spec().progress->total = runner.spec().keys;
  return runner.Run(threads, 0, [threads, order](Lane& lane) {
    const uint64_t first = static_cast<uint64_t>(lane.index);
    const uint64_t step = static_cast<uint64_t>(threads);
    const uint64_t count = lane.spec.keys > first ? (lane.spec.keys - first + step - 1) / step : 0;
    lane.Loop(count, [&](uint64_t i) {
      const uint64_t index = first + i * step;
      lane.Put(order == Order::kRandom ? Key::Scrambled(index) : Key::Ordered(index), index);
      return &lane.put;
    });
  });
}

void RunFill(Runner& runner, Order order) {
  if (!runner.Open()) return;
  runner.StartMeasuring();
  const Pass pass = PutEveryKey(runner, runner.spec().threads, order);
  runner.Report(pass, Runner::Kind::kWrites);
}

void PutRandomKeys(Lane& lane) {
  lane.Loop(Lane::kForever, [&](uint64_t) {
    const uint64_t index = lane.random.Uniform(lane.spec.keys);
    lane.Put(Key::Scrambled(index), index);
    return &lane.put;
  });
}

}  // namespace

void FillStore(Runner& runner) {
  if (!runner.Open()) return;
  PutEveryKey(runner, 1, Order::kRandom);
  runner.QuietDown();
}

void RunFillRandom(Runner& runner) { RunFill(runner, Order::kRandom); }
void RunFillSequential(Runner& runner) { RunFill(runner, Order::kSequential); }
void RunPutLarge(Runner& runner) { RunFill(runner, Order::kRandom); }

void RunMixed(Runner& runner) {
  if (!runner.Open()) return;
  const auto body = [](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const uint64_t index = lane.random.Uniform(lane.spec.keys);
      const Key key = Key::Scrambled(index);
      if (lane.random.Uniform(100) < 55) {
        lane.Put(key, index);
        return &lane.put;
      }
      lane.Get(key, index);
      return &lane.read;
    });
  };
  runner.WarmUp(body);
  runner.StartMeasuring();
  runner.Report(runner.Run(body), Runner::Kind::kWrites);
}

void RunPutGet(Runner& runner) {
  if (!runner.Open()) return;
  runner.StartMeasuring();
  const Pass pass = runner.Run([](Lane& lane) {
    uint64_t index = 0;
    lane.Loop(Lane::kForever, [&](uint64_t i) {
      if (i % 2 == 0) {
        index = lane.random.Uniform(lane.spec.keys);
        lane.Put(Key::Scrambled(index), index);
        return &lane.put;
      }
      lane.Get(Key::Scrambled(index), index);
      return &lane.read;
    });
  });
  runner.Report(pass, Runner::Kind::kWrites);
}

void RunOverwrite(Runner& runner) {
  if (!runner.Open()) return;
  runner.StartMeasuring();
  const Pass pass = runner.Run(PutRandomKeys);
  runner.Report(pass, Runner::Kind::kWrites);
  runner.AddLine("%.0f puts/s, p99.9 %.1f us, longest put %.2f ms", pass.rate(),
                 runner.result()->put.p999 / 1e3, runner.result()->put.max / 1e6);
  runner.result()->score = runner.result()->put.max / 1e6;
  runner.result()->score_unit = "ms longest put";
  runner.result()->higher_is_better = false;
}

void RunSyncPut(Runner& runner) {
  if (!runner.Open()) return;
  runner.StartMeasuring();
  runner.Report(runner.Run(PutRandomKeys), Runner::Kind::kWrites);
}

}  // namespace varve::bench
