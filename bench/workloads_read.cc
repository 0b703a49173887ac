// Workloads that read a filled, quiet store. Each warms up first, unmeasured.
#include "bench/workload.h"

namespace varve::bench {
namespace {

constexpr uint64_t kSeekEntries = 50;
constexpr size_t kMultiGetKeys = 64;

void RunReads(Runner& runner, const Runner::Body& body) {
  if (!runner.Open()) return;
  runner.WarmUp(body);
  runner.StartMeasuring();
  runner.Report(runner.Run(body), Runner::Kind::kReads);
}

// Like RunReads, but counts `per second` something that is not an operation.
void RunCounted(Runner& runner, const Runner::Body& body, const char* unit,
                uint64_t (*count)(const Pass&)) {
  if (!runner.Open()) return;
  runner.WarmUp(body);
  runner.StartMeasuring();
  const Pass pass = runner.Run(body);
  runner.Report(pass, Runner::Kind::kReads);
  RunResult* result = runner.result();
  const auto items = static_cast<double>(count(pass));
  if (items > 0) result->cpu_seconds_per_operation *= result->operations / items;
  result->operations = items;
  result->score = items / pass.seconds;
  result->score_unit = unit;
}

}  // namespace

void RunReadRandom(Runner& runner) {
  RunReads(runner, [](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const uint64_t index = lane.random.Uniform(lane.spec.keys);
      lane.Get(Key::Scrambled(index), index);
      return &lane.read;
    });
  });
}

void RunReadAbsent(Runner& runner) {
  RunReads(runner, [](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      lane.GetAbsent(Key::Scrambled(lane.spec.keys + lane.random.Uniform(lane.spec.keys)));
      return &lane.read;
    });
  });
}

void RunSeek50(Runner& runner) {
  RunReads(runner, [](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const Key from = Key::Ordered(lane.random.Next());
      lane.Check(lane.session->Scan(from.view(), kSeekEntries, &lane.scanned));
      return &lane.read;
    });
  });
}

void RunScanAll(Runner& runner) {
  const auto body = [](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const uint64_t before = lane.scanned.entry_count;
      lane.Check(lane.session->Scan({}, Lane::kForever, &lane.scanned));
      const uint64_t seen = lane.scanned.entry_count - before;
      if (seen != lane.spec.keys) {
        lane.Fail("a scan saw " + std::to_string(seen) + " of " + std::to_string(lane.spec.keys) +
                  " keys");
      }
      return &lane.read;
    });
  };
  RunCounted(runner, body, "entries/s", [](const Pass& pass) { return pass.scanned.entry_count; });
}

void RunMultiGet64(Runner& runner) {
  const auto body = [](Lane& lane) {
    std::vector<Key> keys(kMultiGetKeys);
    std::vector<uint64_t> indexes(kMultiGetKeys);
    std::vector<std::string_view> views;
    for (const Key& key : keys) views.push_back(key.view());
    std::vector<std::string> values;
    lane.Loop(Lane::kForever, [&](uint64_t) {
      for (size_t i = 0; i < kMultiGetKeys; ++i) {
        indexes[i] = lane.random.Uniform(lane.spec.keys);
        keys[i] = Key::Scrambled(indexes[i]);
      }
      if (lane.Check(lane.session->MultiGet(views, &values))) {
        for (size_t i = 0; i < kMultiGetKeys; ++i) {
          if (!ValueSource::Matches(values[i], lane.spec.value_bytes, indexes[i])) {
            lane.Fail("wrong value for key " + std::string(views[i]));
          }
        }
      }
      return &lane.read;
    });
  };
  RunCounted(runner, body, "keys/s",
             [](const Pass& pass) { return pass.read.count() * kMultiGetKeys; });
}

void RunGetLarge(Runner& runner) {
  RunReads(runner, [](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const uint64_t index = lane.random.Uniform(lane.spec.keys);
      const Key key = Key::Scrambled(index);
      std::string_view value;
      if (lane.Check(lane.session->GetPinned(key.view(), &value))) {
        lane.scanned.touched += TouchPages(value);
        if (!ValueSource::Matches(value, lane.spec.value_bytes, index)) {
          lane.Fail("wrong value for key " + std::string(key.view()));
        }
      }
      return &lane.read;
    });
  });
}

void RunZipfLimited(Runner& runner) {
  if (!runner.Open()) return;
  const Zipf zipf(runner.spec().keys);
  const auto body = [&zipf](Lane& lane) {
    lane.Loop(Lane::kForever, [&](uint64_t) {
      const uint64_t index = zipf.Next(&lane.random);
      lane.Get(Key::Scrambled(index), index);
      return &lane.read;
    });
  };
  // A scan would bring in what does not fit; the same reads for half the time find the hot keys.
  runner.Run(runner.spec().threads, runner.spec().seconds / 2, body);
  runner.StartMeasuring();
  runner.Report(runner.Run(body), Runner::Kind::kReads);
  runner.AddLine("memory limit %.0f MiB, cache %.0f MiB",
                 static_cast<double>(runner.spec().memory_limit_bytes) / 1048576,
                 static_cast<double>(runner.spec().cache_bytes) / 1048576);
}

}  // namespace varve::bench
