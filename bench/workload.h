// Workloads by name.
#ifndef VARVE_BENCH_WORKLOAD_H_
#define VARVE_BENCH_WORKLOAD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/runner.h"

namespace varve::bench {

// What a workload finds when it starts.
enum class StartStore {
  kEmpty,        // an empty directory
  kFilled,       // all keys put in random order, then quiet
  kFilledLarge,  // the same with large values
};

inline constexpr size_t kLargeValueBytes = 256 << 10;

struct Workload {
  std::string name;
  std::string description;
  StartStore store = StartStore::kEmpty;
  // Defaults; the command line goes before them. 0 seconds: until all keys are through.
  int threads = 1;
  double seconds = 10;
  uint64_t keys = 0;      // 0: the common number
  uint64_t keys_max = 0;  // never more than this. 0: no limit
  bool sync = false;
  bool large_values = false;
  // Tells the engine beforehand how many keys will come.
  bool announces_keys = false;
  // Is about transactions; engines without are left out.
  bool needs_transactions = false;
  // Runs in a memory cgroup with a quarter of the data's size.
  bool limits_memory = false;
  // What it leaves is a filled store that others may start from.
  bool leaves_filled_store = false;
  // The raw baseline can do it.
  bool suits_raw = false;
  // Only for engines with EngineInfo::has_ttl.
  bool needs_ttl = false;
  // Only for engines with EngineInfo::has_async.
  bool needs_async = false;
  // Part of `compare` when no workloads are named.
  bool is_in_speed_table = false;
  // Runs before, in a process of its own that ends itself by SIGKILL. May be nullptr.
  void (*prepare)(Runner& runner) = nullptr;
  void (*run)(Runner& runner) = nullptr;
};

// In the order of reports: those that only read the filled store before those that change it.
const std::vector<Workload>& Workloads();
// nullptr when there is none.
const Workload* FindWorkload(std::string_view name);
// Expands a comma-separated list of names and groups ("all", "speed", "readrandom*" style prefixes
// that end in '*'). kInvalidArgument names what is unknown.
Result<std::vector<const Workload*>> SelectWorkloads(std::string_view list);

// Puts all keys of the spec in random order and waits for quiet. Not measured.
void FillStore(Runner& runner);

// One function a workload, by source file.
void RunFillRandom(Runner& runner);  // workloads_write.cc
void RunFillSequential(Runner& runner);
void RunMixed(Runner& runner);
void RunPutGet(Runner& runner);
void RunPutLarge(Runner& runner);
void RunOverwrite(Runner& runner);
void RunSyncPut(Runner& runner);
void RunReadRandom(Runner& runner);  // workloads_read.cc
void RunReadAbsent(Runner& runner);
void RunSeek50(Runner& runner);
void RunScanAll(Runner& runner);
void RunMultiGet64(Runner& runner);
void RunGetLarge(Runner& runner);
void RunZipfLimited(Runner& runner);
void RunAsyncGet64(Runner& runner);  // workloads_async.cc
void RunDeleteHeavy(Runner& runner);  // workloads_state.cc
void PrepareRecovery(Runner& runner);
void RunRecovery(Runner& runner);
void RunTransactions(Runner& runner);  // workloads_transaction.cc
void RunContendedTransactions(Runner& runner);
void RunTtl(Runner& runner);  // workloads_ttl.cc
void RunSeed000(Runner& runner);  // workloads_seed.cc
void RunSeed001(Runner& runner);
void RunSeed004(Runner& runner);

}  // namespace varve::bench

#endif  // VARVE_BENCH_WORKLOAD_H_
