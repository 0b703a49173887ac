// The tests that the requirements bring along, with their own report lines.
#include <algorithm>

#include "bench/workload.h"

namespace varve::bench {

// Each thread puts then gets, 100 times in succession.
void RunSeed000(Runner& runner) {
  constexpr uint64_t kOperations = 100;
  constexpr int kAttempts = 3;
  if (!runner.Open()) return;
  Pass best;
  runner.StartMeasuring();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Pass pass = runner.Run([attempt](Lane& lane) {
      const uint64_t base = static_cast<uint64_t>(attempt * lane.spec.threads + lane.index);
      lane.Loop(2 * kOperations, [&](uint64_t i) {
        const uint64_t index = base * kOperations + i / 2;
        if (i % 2 == 0) {
          lane.Put(Key::Scrambled(index), index);
          return &lane.put;
        }
        lane.Get(Key::Scrambled(index), index);
        return &lane.read;
      });
    });
    if (attempt == 0 || pass.seconds < best.seconds) best = pass;
  }
  runner.Report(best, Runner::Kind::kWrites);
  // Those two cover all attempts, and the background work after them.
  runner.result()->cpu_seconds_per_operation /= kAttempts;
  runner.result()->bytes_written_per_byte_put /= kAttempts;
  runner.AddLine("engine %s", runner.spec().engine->name.c_str());
  runner.AddLine("thread-count %d", runner.spec().threads);
  runner.AddLine("op-count %d", static_cast<int>(kOperations));
  runner.AddLine("total-time %.3f msecs", best.seconds * 1e3);
  runner.AddLine("avg-put-latency %.6f msecs", best.put.Mean() / 1e6);
  runner.AddLine("avg-get-latency %.6f msecs", best.read.Mean() / 1e6);
  runner.AddLine("throughput %.6f ops/msec", best.rate() / 1e3);
}

// Fills a store that was told how many keys come, then gets without a pause: nine of ten present.
void RunSeed001(Runner& runner) {
  if (!runner.Open()) return;
  runner.spec().progress->total = runner.spec().keys;
  const Pass fill = runner.Run(1, 0, [](Lane& lane) {
    lane.Loop(lane.spec.keys, [&](uint64_t index) {
      lane.Put(Key::Scrambled(index), index);
      return &lane.put;
    });
  });
  runner.StartMeasuring();
  const Pass gets = runner.Run([](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const uint64_t index = lane.random.Uniform(lane.spec.keys);
      if (lane.random.OneIn(10)) {
        lane.GetAbsent(Key::Scrambled(lane.spec.keys + index));
      } else {
        lane.Get(Key::Scrambled(index), index);
      }
      return &lane.read;
    });
  });
  runner.Report(gets, Runner::Kind::kReads);
  runner.result()->put = Latency::Of(fill.put);
  runner.AddLine("pairs %llu, filled in %.1f s", static_cast<unsigned long long>(fill.put.count()),
                 fill.seconds);
  runner.AddLine("%-10s %14s %14s", "percentile", "put (us)", "get (us)");
  for (double percent :
       {0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999, 100.0}) {
    runner.AddLine("%-10g %14.3f %14.3f", percent,
                   static_cast<double>(fill.put.Percentile(percent)) / 1e3,
                   static_cast<double>(gets.read.Percentile(percent)) / 1e3);
  }
}

// How the time of a put falls when writers share the flush of the disk.
void RunSeed004(Runner& runner) {
  if (!runner.Open()) return;
  const int most = runner.spec().threads;
  int step_count = 0;
  for (int writers = 1; writers <= most; writers *= 2) ++step_count;
  runner.StartMeasuring();
  runner.AddLine("%8s %14s %12s %8s", "writers", "ns a put", "puts/s", "faster");
  Pass pass;
  Pass total;
  double alone = 0;
  for (int writers = 1; writers <= most; writers *= 2) {
    pass = runner.Run(writers, runner.spec().seconds / step_count, [](Lane& lane) {
      lane.Loop(Lane::kForever, [&](uint64_t) {
        const uint64_t index = lane.random.Uniform(lane.spec.keys);
        lane.Put(Key::Scrambled(index), index);
        return &lane.put;
      });
    });
    if (writers == 1) alone = pass.rate();
    runner.AddLine("%8d %14.0f %12.0f %7.2fx", writers, 1e9 / pass.rate(), pass.rate(),
                   pass.rate() / alone);
    total.put.Merge(pass.put);
    total.put_bytes += pass.put_bytes;
    total.seconds += pass.seconds;
  }
  runner.Report(total, Runner::Kind::kWrites);
  runner.result()->put = Latency::Of(pass.put);
  runner.result()->score = pass.rate();
  runner.result()->score_unit = "puts/s, most writers";
}

}  // namespace varve::bench
