// Suite: keeps the stores of one invocation and runs workloads on them. Lives in the parent
// process.
#ifndef VARVE_BENCH_SUITE_H_
#define VARVE_BENCH_SUITE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bench/cgroup.h"
#include "bench/workload.h"

namespace varve::bench {

// What the command line says about size and place; unset: the workload's own.
struct SuiteOptions {
  std::string dir;  // a directory of its own is made below
  uint64_t keys = 1000000;
  bool keys_given = false;
  size_t value_bytes = 100;
  std::optional<int> threads;
  std::optional<double> seconds;
  bool keep = false;  // leave the stores in place
};

// Each engine gets a store for the workloads that start from a filled one; it is filled when first
// needed and kept. Other workloads get an empty directory that goes afterwards. Thread-compatible.
class Suite {
 public:
  static Result<std::unique_ptr<Suite>> Create(const SuiteOptions& options);
  ~Suite();

  // `label` goes before the progress on a terminal, for example "[3/40]".
  RunResult Run(const Workload& workload, const EngineInfo& engine, const std::string& label);

  const std::string& dir() const { return dir_; }

 private:
  Suite(const SuiteOptions& options, std::string dir) : options_(options), dir_(std::move(dir)) {}

  RunSpec MakeSpec(const Workload& workload, const EngineInfo& engine) const;
  // The path of the store that the workload starts from, made ready. A failure is in `*result`.
  bool Prepare(const Workload& workload, RunSpec* spec, const std::string& label,
               RunResult* result);
  RunResult RunLimited(const Workload& workload, const RunSpec& spec, const std::string& label);
  RunResult RunPhase(const Workload& workload, const RunSpec& spec, void (*work)(Runner&),
                     const MemoryCgroup* cgroup, const std::string& what);

  const SuiteOptions options_;
  const std::string dir_;
  std::map<std::string, bool> filled_;  // by path of a store
};

}  // namespace varve::bench

#endif  // VARVE_BENCH_SUITE_H_
