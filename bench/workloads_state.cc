// Workloads about what a store carries with it: deleted keys, and a log to recover from.
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "bench/workload.h"

namespace varve::bench {
namespace {

constexpr char kLiveTag = 'x';
constexpr char kDeletedTag = 'y';
constexpr char kLastTag = 'z';
constexpr uint64_t kRecoveryChecks = 20000;

void PutRange(Lane& lane, char tag, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) lane.Put(Key::Scrambled(i).Tag(tag), i);
}

// From the start of a range; the time of each scan goes to `histogram`.
void ScanRange(Lane& lane, char tag, uint64_t limit, Histogram* histogram) {
  const std::string from(1, tag);
  lane.Loop(Lane::kForever, [&](uint64_t) {
    const uint64_t before = lane.scanned.entry_count;
    lane.Check(lane.session->Scan(from, limit, &lane.scanned));
    if (lane.scanned.entry_count - before != limit) lane.Fail("a scan has missed entries");
    return histogram;
  });
}

}  // namespace

// Three ranges: live keys, deleted keys, and a last live one. Scanning from the second has to pass
// over all deleted keys to find the last.
void RunDeleteHeavy(Runner& runner) {
  if (!runner.Open()) return;
  const uint64_t count = runner.spec().keys;
  runner.Run(1, 0, [count](Lane& lane) {
    PutRange(lane, kLiveTag, count);
    PutRange(lane, kDeletedTag, count);
    PutRange(lane, kLastTag, 1);
  });
  runner.QuietDown();
  runner.Run(1, 0, [count](Lane& lane) {
    for (uint64_t i = 0; i < count; ++i) {
      lane.Check(lane.session->Delete(Key::Scrambled(i).Tag(kDeletedTag).view()));
    }
  });
  const double half = runner.spec().seconds / 2;
  const Pass live =
      runner.Run(1, half, [count](Lane& lane) { ScanRange(lane, kLiveTag, count, &lane.read); });
  runner.StartMeasuring();
  const Pass deleted =
      runner.Run(1, half, [](Lane& lane) { ScanRange(lane, kDeletedTag, 1, &lane.read); });
  runner.Report(deleted, Runner::Kind::kReads);
  const double live_ms = live.read.Mean() / 1e6;
  const double deleted_ms = deleted.read.Mean() / 1e6;
  runner.AddLine("%llu live keys %.3f ms, as many deleted %.3f ms, ratio %.2f",
                 static_cast<unsigned long long>(count), live_ms, deleted_ms, deleted_ms / live_ms);
  runner.result()->score = deleted_ms;
  runner.result()->score_unit = "ms a scan";
  runner.result()->higher_is_better = false;
}

void PrepareRecovery(Runner& runner) {
  if (!runner.Open()) return;
  runner.spec().progress->total = runner.spec().keys;
  runner.Run(1, 0, [](Lane& lane) {
    lane.Loop(lane.spec.keys, [&](uint64_t index) {
      lane.Put(Key::Scrambled(index), index);
      return &lane.put;
    });
    // Returning lets the parent see the errors.
    if (lane.error_count() == 0) kill(getpid(), SIGKILL);
  });
}

void RunRecovery(Runner& runner) {
  const uint64_t keys = runner.spec().keys;
  runner.StartMeasuring();
  const uint64_t start = NowNs();
  if (!runner.Open()) return;
  const double open_ms = static_cast<double>(NowNs() - start) / 1e6;
  const Pass first = runner.Run(1, 0, [keys](Lane& lane) {
    lane.Loop(1, [&](uint64_t) {
      lane.Get(Key::Scrambled(keys - 1), keys - 1);
      return &lane.read;
    });
  });
  const double first_get_ms = first.read.Mean() / 1e6;
  runner.Report(first, Runner::Kind::kReads);
  // Everything was acknowledged, so everything must be there: the newest keys and some of all.
  runner.Run(1, 0, [keys](Lane& lane) {
    for (uint64_t i = 0; i < std::min(kRecoveryChecks, keys); ++i) {
      lane.Get(Key::Scrambled(keys - 1 - i), keys - 1 - i);
      const uint64_t index = lane.random.Uniform(keys);
      lane.Get(Key::Scrambled(index), index);
    }
  });
  runner.AddLine("open %.1f ms, first get %.3f ms", open_ms, first_get_ms);
  runner.result()->score = open_ms + first_get_ms;
  runner.result()->score_unit = "ms to first get";
  runner.result()->higher_is_better = false;
}

}  // namespace varve::bench
