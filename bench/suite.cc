#include "bench/suite.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "bench/child.h"
#include "bench/measure.h"

namespace varve::bench {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kCacheBytes = uint64_t{2} << 30;
// Below this an engine's own buffers would take the whole limit.
constexpr uint64_t kLeastLimitBytes = uint64_t{64} << 20;

// A line on a terminal that is written over and over; nothing elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what)
      : what_(std::move(what)), is_terminal_(isatty(STDERR_FILENO) == 1), start_ns_(NowNs()) {}
  ~ProgressLine() {
    if (is_terminal_) std::fprintf(stderr, "\r\033[K");
  }
  void Show(const Progress& progress) const {
    if (!is_terminal_) return;
    const double elapsed = static_cast<double>(NowNs() - start_ns_) * 1e-9;
    const auto done = static_cast<double>(progress.done.load(std::memory_order_relaxed));
    const auto total = static_cast<double>(progress.total.load(std::memory_order_relaxed));
    std::fprintf(stderr, "\r\033[K%s  %.0f s  %.3g M operations", what_.c_str(), elapsed,
                 done / 1e6);
    if (total > 0 && done > 0) {
      const double left = std::max(0.0, elapsed * (total - done) / done);
      std::fprintf(stderr, "  %.0f %%, about %.0f s left", std::min(100.0, 100 * done / total),
                   left);
    }
    std::fflush(stderr);
  }

 private:
  const std::string what_;
  const bool is_terminal_;
  const uint64_t start_ns_;
};

void MakeEmpty(const std::string& dir) {
  std::error_code ignored;  // a directory that is not empty or not there shows when it is opened
  fs::remove_all(dir, ignored);
  fs::create_directories(dir, ignored);
}

RunResult Skipped(const Workload& workload, const EngineInfo& engine, std::string why) {
  RunResult result;
  result.engine = engine.name;
  result.workload = workload.name;
  result.skipped = std::move(why);
  return result;
}

}  // namespace

Result<std::unique_ptr<Suite>> Suite::Create(const SuiteOptions& options) {
  const std::string dir = options.dir + "/varve-bench-" + std::to_string(getpid());
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return Status::IoError("make " + dir + ": " + error.message());
  if (IsInMemory(dir)) {
    std::fprintf(stderr, "warning: %s is a file system in memory; choose a disk with --dir\n",
                 options.dir.c_str());
  }
  return std::unique_ptr<Suite>(new Suite(options, dir));
}

Suite::~Suite() {
  if (options_.keep) {
    std::fprintf(stderr, "stores kept in %s\n", dir_.c_str());
    return;
  }
  std::error_code ignored;
  fs::remove_all(dir_, ignored);
}

RunSpec Suite::MakeSpec(const Workload& workload, const EngineInfo& engine) const {
  RunSpec spec;
  spec.engine = &engine;
  spec.keys = workload.keys > 0 && !options_.keys_given ? workload.keys : options_.keys;
  if (workload.keys_max > 0) spec.keys = std::min(spec.keys, workload.keys_max);
  spec.value_bytes = workload.large_values ? kLargeValueBytes : options_.value_bytes;
  spec.threads = options_.threads.value_or(workload.threads);
  // What goes through all keys once is not limited by time.
  spec.seconds = workload.seconds == 0 ? 0 : options_.seconds.value_or(workload.seconds);
  spec.sync = workload.sync;
  spec.transactions = workload.needs_transactions;
  spec.cache_bytes = kCacheBytes;
  if (workload.announces_keys) spec.expected_keys = spec.keys;
  if (workload.limits_memory) {
    spec.memory_limit_bytes = spec.keys * (kKeyBytes + spec.value_bytes) / 4;
    spec.cache_bytes = spec.memory_limit_bytes / 2;
  }
  return spec;
}

RunResult Suite::RunPhase(const Workload& workload, const RunSpec& spec, void (*work)(Runner&),
                          const MemoryCgroup* cgroup, const std::string& what) {
  const ProgressLine line(what);
  ChildPlan plan;
  plan.spec = spec;
  plan.work = work;
  plan.cgroup = cgroup;
  plan.ends_by_kill = work == workload.prepare;
  plan.timeout_seconds = 600 + 4 * spec.seconds + static_cast<double>(spec.keys) * 2e-4;
  plan.on_tick = [&line](const Progress& progress) { line.Show(progress); };
  RunResult result = RunInChild(plan);
  result.workload = workload.name;
  return result;
}

bool Suite::Prepare(const Workload& workload, RunSpec* spec, const std::string& label,
                    RunResult* result) {
  const std::string root = dir_ + "/" + spec->engine->name;
  const bool starts_filled = workload.store != StartStore::kEmpty;
  if (!starts_filled) {
    spec->dir = root + (workload.leaves_filled_store ? "-filled" : "-" + workload.name);
    filled_[spec->dir] = false;
    MakeEmpty(spec->dir);
    if (workload.prepare == nullptr) return true;
    *result = RunPhase(workload, *spec, workload.prepare, nullptr,
                       label + " " + workload.name + " " + spec->engine->name + ": preparing");
    return !result->failed();
  }
  spec->dir = root + (workload.store == StartStore::kFilledLarge ? "-filled-large" : "-filled");
  if (filled_[spec->dir]) return true;
  MakeEmpty(spec->dir);
  // Filled without the limits and the durability of the workload.
  RunSpec fill = *spec;
  fill.sync = false;
  fill.seconds = 0;
  fill.memory_limit_bytes = 0;
  fill.cache_bytes = kCacheBytes;
  *result = RunPhase(workload, fill, FillStore, nullptr,
                     label + " " + workload.name + " " + spec->engine->name + ": filling");
  if (result->failed()) {
    result->error = "while filling: " + result->error;
    return false;
  }
  filled_[spec->dir] = true;
  return true;
}

RunResult Suite::RunLimited(const Workload& workload, const RunSpec& spec,
                            const std::string& label) {
  Result<std::unique_ptr<MemoryCgroup>> cgroup = MemoryCgroup::Create(spec.memory_limit_bytes);
  if (!cgroup.ok()) return Skipped(workload, *spec.engine, cgroup.status().ToString());
  // Pages that another cgroup brought in would not count.
  DropFromPageCache(spec.dir);
  return RunPhase(workload, spec, workload.run, cgroup->get(), label);
}

RunResult Suite::Run(const Workload& workload, const EngineInfo& engine, const std::string& label) {
  if (engine.scope == EngineScope::kRawWrites && !workload.suits_raw) {
    return Skipped(workload, engine, "the raw baseline has no such operation");
  }
  if (workload.needs_transactions && !engine.has_transactions) {
    return Skipped(workload, engine, "the adapter has no transactions");
  }
  if (workload.needs_async && !engine.has_async) {
    return Skipped(workload, engine, "it has no asynchronous gets");
  }
  if (workload.needs_ttl && !engine.has_ttl) {
    return Skipped(workload, engine, "it has no time to live a key");
  }
  RunSpec spec = MakeSpec(workload, engine);
  if (workload.limits_memory && spec.memory_limit_bytes < kLeastLimitBytes) {
    const uint64_t needed = 4 * kLeastLimitBytes / (kKeyBytes + spec.value_bytes) + 1;
    return Skipped(workload, engine,
                   "too little data to limit memory; needs --keys " + std::to_string(needed));
  }
  RunResult result;
  if (Prepare(workload, &spec, label, &result)) {
    const std::string what = label + " " + workload.name + " " + engine.name;
    result = workload.limits_memory ? RunLimited(workload, spec, what)
                                    : RunPhase(workload, spec, workload.run, nullptr, what);
  }
  if (workload.leaves_filled_store) filled_[spec.dir] = !result.failed();
  const bool is_shared = workload.store != StartStore::kEmpty || workload.leaves_filled_store;
  if (result.failed()) filled_[spec.dir] = false;
  if (!is_shared && !options_.keep) {
    std::error_code ignored;
    fs::remove_all(spec.dir, ignored);
  }
  return result;
}

}  // namespace varve::bench
