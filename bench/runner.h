// Runner and Lane: drive one open store from some threads and measure it. Lives in the child
// process.
#ifndef VARVE_BENCH_RUNNER_H_
#define VARVE_BENCH_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/histogram.h"
#include "base/random.h"
#include "bench/clock.h"
#include "bench/data.h"
#include "bench/engine.h"
#include "bench/result.h"

namespace varve::bench {

// Shared with the parent process, which shows it.
struct Progress {
  std::atomic<uint64_t> done{0};
  std::atomic<uint64_t> total{0};  // 0: unknown
};

// One run of one workload on one engine, every number settled.
struct RunSpec {
  const EngineInfo* engine = nullptr;
  std::string dir;
  uint64_t keys = 0;
  size_t value_bytes = 0;
  int threads = 1;
  double seconds = 0;
  bool sync = false;
  bool transactions = false;
  uint64_t cache_bytes = 0;
  uint64_t memory_limit_bytes = 0;  // of a memory cgroup that the child is in; 0: none
  uint64_t expected_keys = 0;       // announced to the engine; 0: nothing is
  Progress* progress = nullptr;
};

// What one thread has for its work, and what it has seen. Owned by its thread.
class Lane {
 public:
  static constexpr uint64_t kForever = ~uint64_t{0};

  Lane(const RunSpec& run, int lane_index, uint64_t seed)
      : spec(run),
        index(lane_index),
        random(seed),
        values(run.value_bytes, seed),
        clock_(TickClock::Get()) {}

  const RunSpec& spec;
  const int index;
  Session* session = nullptr;
  Random random;
  ValueSource values;
  Histogram put;
  Histogram read;
  uint64_t put_bytes = 0;  // keys and values given to Put
  ScanTotals scanned;
  std::string buffer;  // for Get

  // Calls op(i) for i in [0, limit) until the time is up or errors abound; op does one operation
  // and returns the histogram that its time belongs to. The clock is read once an operation: the
  // time of one runs from the end of the one before, the making of key and value included.
  template <typename Op>
  void Loop(uint64_t limit, Op&& op) {
    uint64_t before = clock_.Now();
    for (uint64_t i = 0; i < limit; ++i) {
      Histogram* histogram = op(i);
      const uint64_t after = clock_.Now();
      histogram->Record(clock_.Nanos(before, after));
      before = after;
      if ((i & 1023) == 1023) ReportProgress(1024);
      if (after >= deadline || error_count_ >= kMaxErrors) break;
    }
  }

  // Counts an error unless `status` is OK.
  bool Check(const Status& status) {
    if (status.ok()) [[likely]]
      return true;
    Fail(status.ToString());
    return false;
  }
  void Fail(std::string what);

  // The operations of most workloads. `id` stamps and checks the value.
  void Put(const Key& key, uint64_t id) {
    const std::string_view value = values.Make(id);
    Check(session->Put(key.view(), value));
    put_bytes += kKeyBytes + value.size();
  }
  void Get(const Key& key, uint64_t id) {
    const Status status = session->Get(key.view(), &buffer);
    if (!status.ok() || !ValueSource::Matches(buffer, spec.value_bytes, id)) [[unlikely]] {
      Fail("get " + std::string(key.view()) + ": " +
           (status.ok() ? "wrong value" : status.ToString()));
    }
  }
  // The key must not be there.
  void GetAbsent(const Key& key);

  uint64_t error_count() const { return error_count_; }
  const std::string& error() const { return error_; }

  uint64_t deadline = kForever;  // in ticks
  uint64_t finished = 0;         // in ticks, set by the runner

 private:
  static constexpr uint64_t kMaxErrors = 100;
  void ReportProgress(uint64_t count) {
    // Nobody orders anything by it.
    spec.progress->done.fetch_add(count, std::memory_order_relaxed);
  }

  const TickClock& clock_;
  uint64_t error_count_ = 0;
  std::string error_;
};

// What all threads of one pass did together.
struct Pass {
  double seconds = 0;  // from the common start to the end of the last thread
  Histogram put;
  Histogram read;
  uint64_t put_bytes = 0;
  ScanTotals scanned;
  uint64_t operations() const { return put.count() + read.count(); }
  double rate() const { return seconds > 0 ? static_cast<double>(operations()) / seconds : 0; }
};

class Runner {
 public:
  using Body = std::function<void(Lane&)>;

  Runner(const RunSpec& spec, RunResult* result) : spec_(spec), result_(result) {}

  const RunSpec& spec() const { return spec_; }
  RunResult* result() { return result_; }
  Engine* engine() { return engine_.get(); }

  // Opens the store of the spec. A failure is in the result, and false is returned, as below.
  bool Open();
  void Close() { engine_.reset(); }

  // Runs `body` in `threads` threads at once, each with its own session, for at most `seconds`
  // (0: until the bodies end). Errors go to the result.
  Pass Run(int threads, double seconds, const Body& body);
  // The same with the threads and seconds of the spec.
  Pass Run(const Body& body) { return Run(spec_.threads, spec_.seconds, body); }

  // Brings the store into memory as far as it fits: one scan over everything, then `body` for a
  // fifth of the time. Nothing of it is measured.
  void WarmUp(const Body& body);

  // Flush, the engine's own wait, idle process, clean page cache. Returns the seconds it took.
  double QuietDown();

  // From here on CPU, bytes written and peak memory count.
  void StartMeasuring();
  // Puts `pass` into the result, with operations/s as the score. With `writes` first waits for
  // quiet, so that CPU and bytes include the background work that the pass has caused.
  enum class Kind { kReads, kWrites };
  void Report(const Pass& pass, Kind kind);

  void AddLine(const char* format, ...) __attribute__((format(printf, 2, 3)));

 private:
  void MergeLane(const Lane& lane, Pass* pass);

  const RunSpec spec_;
  RunResult* const result_;
  std::unique_ptr<Engine> engine_;
  double cpu_seconds_at_start_ = 0;
  uint64_t written_bytes_at_start_ = 0;
  uint64_t pass_count_ = 0;
};

}  // namespace varve::bench

#endif  // VARVE_BENCH_RUNNER_H_
