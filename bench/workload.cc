#include "bench/workload.h"

#include <algorithm>

namespace varve::bench {
namespace {

constexpr uint64_t kLargeKeysToPut = 8192;  // 2 GiB
constexpr uint64_t kLargeKeysToGet = 2048;  // 512 MiB: fits into every cache

std::vector<Workload> MakeReads() {
  return {
      {.name = "fillrandom",
       .description = "put every key once, in random order",
       .seconds = 0,
       .leaves_filled_store = true,
       .is_in_speed_table = true,
       .run = RunFillRandom},
      {.name = "fillseq",
       .description = "put every key once, in key order",
       .seconds = 0,
       .run = RunFillSequential},
      {.name = "readrandom",
       .description = "get random keys, all present; 1 thread",
       .store = StartStore::kFilled,
       .is_in_speed_table = true,
       .run = RunReadRandom},
      {.name = "readrandom2",
       .description = "the same, 2 threads",
       .store = StartStore::kFilled,
       .threads = 2,
       .is_in_speed_table = true,
       .run = RunReadRandom},
      {.name = "readabsent",
       .description = "get keys that are not there",
       .store = StartStore::kFilled,
       .is_in_speed_table = true,
       .run = RunReadAbsent},
      {.name = "seek50",
       .description = "seek to a random place, then 50 entries forward",
       .store = StartStore::kFilled,
       .is_in_speed_table = true,
       .run = RunSeek50},
      {.name = "multiget64",
       .description = "64 random keys in one call; counts keys",
       .store = StartStore::kFilled,
       .run = RunMultiGet64},
      {.name = "scanall",
       .description = "scan the whole store, again and again; counts entries",
       .store = StartStore::kFilled,
       .run = RunScanAll},
      {.name = "zipf-limited",
       .description = "zipfian gets, 2 threads, in a memory cgroup of a quarter of the data",
       .store = StartStore::kFilled,
       .threads = 2,
       .limits_memory = true,
       .is_in_speed_table = true,
       .run = RunZipfLimited},
      {.name = "asyncget64",
       .description = "random gets, 64 under way from one thread, in a memory cgroup of a quarter of the "
                      "data; against raw reads at that depth",
       .store = StartStore::kFilled,
       .limits_memory = true,
       .needs_async = true,
       .run = RunAsyncGet64},
  };
}

std::vector<Workload> MakeWrites() {
  return {
      {.name = "mixed2",
       .description = "55 % put, 45 % get of random keys; 2 threads",
       .store = StartStore::kFilled,
       .threads = 2,
       .is_in_speed_table = true,
       .run = RunMixed},
      {.name = "mixed100",
       .description = "the same, 100 threads",
       .store = StartStore::kFilled,
       .threads = 100,
       .is_in_speed_table = true,
       .run = RunMixed},
      {.name = "overwrite60",
       .description =
           "put random keys at full speed for 60 s, 2 threads; judged by the longest put",
       .store = StartStore::kFilled,
       .threads = 2,
       .seconds = 60,
       .is_in_speed_table = true,
       .run = RunOverwrite},
      {.name = "putget100",
       .description = "100 threads, each: put a random key, then get it",
       .threads = 100,
       .is_in_speed_table = true,
       .run = RunPutGet},
      {.name = "put256k",
       .description = "put values of 256 KiB, 2 threads",
       .threads = 2,
       .seconds = 0,
       .keys_max = kLargeKeysToPut,
       .large_values = true,
       .suits_raw = true,
       .is_in_speed_table = true,
       .run = RunPutLarge},
      {.name = "get256k",
       .description =
           "get values of 256 KiB without a copy, reading one cache line a page; 2 threads",
       .store = StartStore::kFilledLarge,
       .threads = 2,
       .keys_max = kLargeKeysToGet,
       .large_values = true,
       .is_in_speed_table = true,
       .run = RunGetLarge},
      {.name = "deleteheavy",
       .description = "scan over 100,000 deleted keys, against as many live ones",
       .keys_max = 100000,
       .run = RunDeleteHeavy},
      {.name = "recovery",
       .description = "fill, kill -9, then the time to open and get a key",
       .seconds = 0,
       .prepare = PrepareRecovery,
       .run = RunRecovery},
  };
}

std::vector<Workload> MakeTransactions() {
  return {
      {.name = "txn",
       .description = "transactions: read two random keys, write both; 8 threads",
       .threads = 8,
       .needs_transactions = true,
       .run = RunTransactions},
      {.name = "txn-contended",
       .description = "the same over 64 keys, 2 to 64 threads; operations of the last",
       .threads = 64,
       .keys_max = 64,
       .needs_transactions = true,
       .run = RunContendedTransactions},
  };
}

Workload SyncPut(int writers) {
  return {.name = "syncput" + std::to_string(writers),
          .description = "put that survives loss of power, " + std::to_string(writers) +
                         (writers == 1 ? " writer" : " writers"),
          .threads = writers,
          .seconds = 5,
          .sync = true,
          .suits_raw = writers == 1,
          .is_in_speed_table = true,
          .run = RunSyncPut};
}

std::vector<Workload> MakeSeeds() {
  return {
      {.name = "seed-000",
       .description = "100 threads, each 100 times put then get; best of three",
       .threads = 100,
       .seconds = 0,
       .run = RunSeed000},
      {.name = "seed-001",
       .description =
           "10 million pairs announced beforehand, then gets from 8 threads; percentiles",
       .threads = 8,
       .keys = 10000000,
       .announces_keys = true,
       .run = RunSeed001},
      {.name = "ttl",
       .description = "10 million pairs, half with a ttl of 1 to 60 s; then gets, puts and expires "
                      "from 8 threads while they expire",
       .threads = 8,
       .seconds = 60,
       .keys = 10000000,
       .needs_ttl = true,
       .run = RunTtl},
      {.name = "seed-004",
       .description = "sync puts from 1, 2, 4, ... 256 writers; time a put",
       .threads = 256,
       .seconds = 18,
       .sync = true,
       .run = RunSeed004},
  };
}

std::vector<Workload> MakeAll() {
  std::vector<Workload> all = MakeReads();
  const auto append = [&](std::vector<Workload> more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  append(MakeWrites());
  append({SyncPut(1), SyncPut(10), SyncPut(50), SyncPut(200)});
  append(MakeTransactions());
  append(MakeSeeds());
  return all;
}

bool IsSelected(const Workload& workload, std::string_view pattern) {
  if (pattern == "all") return true;
  if (pattern == "speed") return workload.is_in_speed_table;
  if (!pattern.empty() && pattern.back() == '*') {
    return workload.name.rfind(pattern.substr(0, pattern.size() - 1), 0) == 0;
  }
  return workload.name == pattern;
}

}  // namespace

const std::vector<Workload>& Workloads() {
  static const std::vector<Workload> workloads = MakeAll();
  return workloads;
}

const Workload* FindWorkload(std::string_view name) {
  for (const Workload& workload : Workloads()) {
    if (workload.name == name) return &workload;
  }
  return nullptr;
}

Result<std::vector<const Workload*>> SelectWorkloads(std::string_view list) {
  std::vector<const Workload*> selected;
  while (!list.empty()) {
    const std::string_view pattern = list.substr(0, list.find(','));
    list.remove_prefix(std::min(pattern.size() + 1, list.size()));
    bool found = false;
    for (const Workload& workload : Workloads()) {
      if (!IsSelected(workload, pattern)) continue;
      found = true;
      const bool is_new = std::find(selected.begin(), selected.end(), &workload) == selected.end();
      if (is_new) selected.push_back(&workload);
    }
    if (!found) {
      return Status::InvalidArgument("no workload '" + std::string(pattern) +
                                     "'; `varve_bench list` shows them");
    }
  }
  return selected;
}

}  // namespace varve::bench
