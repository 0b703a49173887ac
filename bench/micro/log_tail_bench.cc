// What it costs to put a record of 136 bytes at the end of the log, in each of the ways that
// docs/design/0001-log-tail.md compares.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "engine/log_file.h"
#include "env/env.h"

namespace varve {
namespace {

constexpr size_t kRecordBytes = 136;
constexpr uint64_t kCapacity = uint64_t{64} << 20;

std::string BenchPath() { return "log_tail_bench.wal"; }

std::unique_ptr<LogFile> OpenLog(bool mapped) {
  LogFileOptions options;
  options.mapped = mapped;
  options.capacity_bytes = kCapacity;
  options.window_bytes = uint64_t{1} << 20;
  static DirectorySync directory(Env::Default(), ".");
  options.directory = &directory;
  return std::move(*LogFile::Open(Env::Default(), BenchPath(), 1, options));
}

void Append(LogFile* log, const char* record) {
  std::memcpy(*log->Reserve(kRecordBytes, false), record, kRecordBytes);
  log->Advance(kRecordBytes);
}

// One log filled from begin to end; with `recycled`, over the blocks of one that was full.
void FillMapped(benchmark::State& state, bool recycled) {
  const std::string record(kRecordBytes, 'r');
  for (auto _ : state) {
    state.PauseTiming();
    if (!recycled) (void)Env::Default()->RemoveFile(BenchPath());
    auto log = OpenLog(true);
    state.ResumeTiming();
    for (uint64_t i = 0; i < kCapacity / kRecordBytes - 1; ++i) Append(log.get(), record.data());
    state.PauseTiming();
    (void)log->CloseForReuse();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kCapacity / kRecordBytes - 1));
  (void)Env::Default()->RemoveFile(BenchPath());
}
void BM_MappedFresh(benchmark::State& state) { FillMapped(state, false); }
void BM_MappedRecycled(benchmark::State& state) { FillMapped(state, true); }
BENCHMARK(BM_MappedFresh)->Unit(benchmark::kMillisecond)->Iterations(4);
BENCHMARK(BM_MappedRecycled)->Unit(benchmark::kMillisecond)->Iterations(4);

// One pwrite a record, or one for a group of them.
void BM_Written(benchmark::State& state) {
  const std::string record(kRecordBytes, 'r');
  const int64_t group = state.range(0);
  auto log = OpenLog(false);
  for (auto _ : state) {
    if (log->end() + static_cast<uint64_t>(group) * kRecordBytes > kCapacity) {
      state.PauseTiming();
      log.reset();
      log = OpenLog(false);
      state.ResumeTiming();
    }
    for (int64_t i = 0; i < group; ++i) Append(log.get(), record.data());
    if (!log->WriteOut(log->TakePending()).ok()) state.SkipWithError("write failed");
  }
  state.SetItemsProcessed(state.iterations() * group);
  log.reset();
  (void)Env::Default()->RemoveFile(BenchPath());
}
BENCHMARK(BM_Written)->Arg(1)->Arg(16)->Arg(64);

// A record and its flush to the device.
void Synced(benchmark::State& state, bool mapped, bool recycled) {
  const std::string record(kRecordBytes, 'r');
  if (recycled) {
    auto log = OpenLog(true);
    while (log->end() + kRecordBytes <= kCapacity) Append(log.get(), record.data());
    (void)log->Sync(log->end());
    (void)log->CloseForReuse();
  }
  auto log = OpenLog(mapped);
  for (auto _ : state) {
    Append(log.get(), record.data());
    const LogFile::Pending pending = log->TakePending();
    if (!log->WriteOut(pending).ok() || !log->Sync(pending.end).ok()) {
      state.SkipWithError("sync failed");
    }
  }
  log.reset();
  (void)Env::Default()->RemoveFile(BenchPath());
}
void BM_SyncedMapped(benchmark::State& state) { Synced(state, true, false); }
void BM_SyncedMappedRecycled(benchmark::State& state) { Synced(state, true, true); }
void BM_SyncedWritten(benchmark::State& state) { Synced(state, false, false); }
void BM_SyncedWrittenRecycled(benchmark::State& state) { Synced(state, false, true); }
BENCHMARK(BM_SyncedMapped)->UseRealTime()->Iterations(2000);
BENCHMARK(BM_SyncedMappedRecycled)->UseRealTime()->Iterations(2000);
BENCHMARK(BM_SyncedWritten)->UseRealTime()->Iterations(2000);
BENCHMARK(BM_SyncedWrittenRecycled)->UseRealTime()->Iterations(2000);

}  // namespace
}  // namespace varve
