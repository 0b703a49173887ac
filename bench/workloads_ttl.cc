// Time to live under load.
#include <mutex>

#include "bench/workload.h"

namespace varve::bench {
namespace {

uint64_t RandomTtl(Random* random) { return 1000 + random->Uniform(59'001); }

// A key that may have expired.
void GetMaybe(Lane& lane, uint64_t index, uint64_t* hits) {
  const Key key = Key::Scrambled(index);
  const Status status = lane.session->Get(key.view(), &lane.buffer);
  if (status.IsNotFound()) return;
  if (!status.ok() || !ValueSource::Matches(lane.buffer, lane.spec.value_bytes, index)) {
    lane.Fail("get " + std::string(key.view()) + ": " +
              (status.ok() ? "wrong value" : status.ToString()));
  }
  ++*hits;
}

// Half of all keys with a time to live, turn by turn with the others, so that both meet the same store.
// Those with one count as `read`.
Pass Fill(Runner& runner) {
  runner.spec().progress->total = runner.spec().keys;
  return runner.Run(1, 0, [](Lane& lane) {
    lane.Loop(lane.spec.keys, [&](uint64_t index) {
      const Key key = Key::Scrambled(index);
      const uint64_t ttl = RandomTtl(&lane.random);  // drawn in both cases
      if (index % 2 == 0) {
        lane.Put(key, index);
        return &lane.put;
      }
      lane.Check(lane.session->PutFor(key.view(), lane.values.Make(index), ttl));
      return &lane.read;
    });
  });
}

}  // namespace

void RunTtl(Runner& runner) {
  if (!runner.Open()) return;
  const Pass fill = Fill(runner);
  runner.StartMeasuring();
  std::mutex mu;
  Histogram expires;
  uint64_t hits = 0;
  const Pass mixed = runner.Run([&](Lane& lane) {
    Histogram own_expires;
    uint64_t own_hits = 0;
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const uint64_t index = lane.random.Uniform(lane.spec.keys);
      const uint64_t choice = lane.random.Uniform(10);
      const Key key = Key::Scrambled(index);
      if (choice < 5) {
        GetMaybe(lane, index, &own_hits);
        return &lane.read;
      }
      if (choice < 7) {
        lane.Put(key, index);
        return &lane.put;
      }
      if (choice < 9) {
        lane.Check(lane.session->PutFor(key.view(), lane.values.Make(index), RandomTtl(&lane.random)));
        return &lane.put;
      }
      const Status status = lane.session->Expire(key.view(), RandomTtl(&lane.random));
      if (!status.IsNotFound()) lane.Check(status);
      return &own_expires;
    });
    const std::lock_guard<std::mutex> lock(mu);
    expires.Merge(own_expires);
    hits += own_hits;
  });
  runner.Report(mixed, Runner::Kind::kWrites);
  runner.AddLine("filled %llu pairs in %.1f s; mean put %.0f ns, with a ttl %.0f ns (%.3fx)",
                 static_cast<unsigned long long>(runner.spec().keys), fill.seconds, fill.put.Mean(),
                 fill.read.Mean(), fill.read.Mean() / fill.put.Mean());
  runner.AddLine("median put %.0f ns, with a ttl %.0f ns", fill.put.Percentile(50) * 1.0,
                 fill.read.Percentile(50) * 1.0);
  runner.AddLine("%.1f %% of the gets found their key",
                 100.0 * static_cast<double>(hits) / static_cast<double>(mixed.read.count()));
  runner.AddLine("%-10s %14s %14s %14s", "percentile", "get (us)", "put (us)", "expire (us)");
  for (double percent : {50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0}) {
    runner.AddLine("%-10g %14.3f %14.3f %14.3f", percent,
                   static_cast<double>(mixed.read.Percentile(percent)) / 1e3,
                   static_cast<double>(mixed.put.Percentile(percent)) / 1e3,
                   static_cast<double>(expires.Percentile(percent)) / 1e3);
  }
}

}  // namespace varve::bench
