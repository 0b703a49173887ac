// Engine and Session: what the workloads need of a store, so that all stores are driven by one
// loop.
#ifndef VARVE_BENCH_ENGINE_H_
#define VARVE_BENCH_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::bench {

// How a store is opened. The same for every engine; each adapter says at its top how it maps this.
struct EngineOptions {
  std::string dir;  // exists
  // When true a write is acknowledged after it survives loss of power, else after it survives the
  // end of the process.
  bool sync = false;
  // What the engine may use to cache data.
  uint64_t cache_bytes = uint64_t{2} << 30;
  // True when the data is larger than the memory that the process may use, page cache included.
  bool data_exceeds_memory = false;
  int background_threads = 2;
  // Session::UpdatePair will be called.
  bool transactions = false;
  // How many keys will come, where the engine can make use of it. 0: unknown.
  uint64_t expected_keys = 0;
};

// What a scan saw. `touched` depends on every key and value, so that no engine may skip reading
// them.
struct ScanTotals {
  uint64_t entry_count = 0;
  uint64_t touched = 0;
};

// One thread's access to an open store. Thread-compatible; destroyed before its Engine.
class Session {
 public:
  virtual ~Session() = default;

  virtual Status Put(std::string_view key, std::string_view value) = 0;
  virtual Status Delete(std::string_view key) = 0;
  // Time to live, in milliseconds. Only of engines with EngineInfo::has_ttl.
  virtual Status PutFor(std::string_view, std::string_view, uint64_t) {
    return Status::NotSupported("time to live");
  }
  virtual Status Expire(std::string_view, uint64_t) { return Status::NotSupported("time to live"); }
  // Copies the value. kNotFound when the key is absent.
  virtual Status Get(std::string_view key, std::string* value) = 0;
  // Without waiting: `done` is called once, now or later, in any thread. Only of engines with
  // EngineInfo::has_async. The view lives during the call.
  using GetDone = std::function<void(const Status&, std::string_view)>;
  virtual void GetAsync(std::string_view, GetDone done) {
    done(Status::NotSupported("this adapter has no asynchronous gets"), {});
  }
  // Without a copy where the engine can; the view lives until the next call.
  virtual Status GetPinned(std::string_view key, std::string_view* value) = 0;
  // One value a key, in order, as of one moment where the engine can. kNotFound when any is absent.
  virtual Status MultiGet(const std::vector<std::string_view>& keys,
                          std::vector<std::string>* values) = 0;
  // From the first key >= `from` of the newest state, over at most `limit` entries, adding to
  // `totals`. Stops early, with OK, at the end of the store.
  virtual Status Scan(std::string_view from, uint64_t limit, ScanTotals* totals) = 0;
  // Reads both keys, which are there, calls `modify` on each value, and writes both: one serializable
  // transaction, repeated for as long as it conflicts with others.
  using Modify = void (*)(std::string* value);
  virtual Status UpdatePair(std::string_view, std::string_view, Modify) {
    return Status::NotSupported("this adapter has no transactions");
  }
};

// An open store. NewSession is thread-safe, the others are not. The destructor closes the store.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual Result<std::unique_ptr<Session>> NewSession() = 0;
  // Brings what is in memory to the engine's files and waits for that.
  virtual Status Flush() = 0;
  // Returns when the engine itself says that no background work is left; engines without a way to
  // ask return at once. The caller then also waits until the process is idle (QuietDown).
  virtual Status WaitForBackgroundWork() = 0;
};

// What kind of workload an engine can or should take part in by default.
enum class EngineScope { kEverything, kLargeValues, kRawWrites };

struct EngineInfo {
  std::string name;
  std::string version;
  std::string configuration;  // one line for the report
  EngineScope scope = EngineScope::kEverything;
  bool has_transactions = false;
  // A store that varve is compared with; neither varve nor the raw baseline.
  bool is_peer = true;
  // Has a time to live a key that a workload can set.
  bool has_ttl = false;
  bool has_async = false;
  Result<std::unique_ptr<Engine>> (*open)(const EngineOptions& options) = nullptr;
};

// The engines of this build, varve first, in the order of reports.
const std::vector<EngineInfo>& Engines();
// The names that this build was made without, because their library was not found.
const std::vector<std::string>& AbsentEngines();
// nullptr when this build has no such engine.
const EngineInfo* FindEngine(std::string_view name);

// Defined by the adapters that are compiled in.
EngineInfo VarveEngine();
EngineInfo RocksDbEngine();
EngineInfo RocksDbBlobEngine();
EngineInfo LevelDbEngine();
EngineInfo LmdbEngine();
EngineInfo WiredTigerEngine();
EngineInfo RawEngine();

// Touches a key and a value: the first bytes of each. For Scan.
inline void Touch(std::string_view key, std::string_view value, ScanTotals* totals) {
  totals->entry_count += 1;
  if (!key.empty()) totals->touched += static_cast<unsigned char>(key.back());
  if (!value.empty()) totals->touched += static_cast<unsigned char>(value.front());
}

}  // namespace varve::bench

#endif  // VARVE_BENCH_ENGINE_H_
