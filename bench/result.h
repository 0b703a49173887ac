// RunResult: what one workload on one engine gave, and how results are combined and passed on.
#ifndef VARVE_BENCH_RESULT_H_
#define VARVE_BENCH_RESULT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "varve/status.h"

namespace varve::bench {

// Points of the latency curve: the value at rank 1 - 10^(-i/10), from the minimum to 99.999 %.
inline constexpr size_t kCurvePoints = 51;
double CurvePercent(size_t point);

// One distribution in nanoseconds. All zero when nothing was timed.
struct Latency {
  double count = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double p999 = 0;
  double max = 0;
  std::array<double, kCurvePoints> curve{};

  static Latency Of(const Histogram& histogram);
};

// All numbers are doubles so that medians and transport treat them alike. A negative number means
// "not measured".
struct RunResult {
  std::string engine;
  std::string workload;
  double keys = 0;
  double value_bytes = 0;
  double threads = 0;

  // Not run, and why; nothing below counts then.
  std::string skipped;
  // How many operations failed (or returned a wrong value), and what the first one said. A run with
  // errors is marked wherever it is shown.
  double error_count = 0;
  std::string error;

  // What the workload is judged by: usually operations/s.
  double score = -1;
  std::string score_unit = "ops/s";
  bool higher_is_better = true;

  double seconds = -1;     // of the measured part
  double operations = -1;  // in it, all threads together
  Latency put;
  Latency read;  // get, multiget or scan
  double cpu_seconds_per_operation = -1;
  double bytes_written_per_byte_put = -1;
  double quiet_seconds = -1;  // from the last write until no background work was left
  double disk_bytes = -1;     // allocated, at the end
  double peak_rss_bytes = -1;

  // What the workload reports in its own words.
  std::vector<std::string> lines;

  bool failed() const { return error_count > 0; }
  bool ran() const { return skipped.empty(); }
  void Fail(std::string what) {
    error_count += 1;
    if (error.empty()) error = std::move(what);
  }
};

// Calls visit(name, number) for every number of `result`, the latencies' too ("put.p99").
template <typename Result, typename Visitor>
void VisitNumbers(Result& result, Visitor&& visit) {
  visit("keys", result.keys);
  visit("value_bytes", result.value_bytes);
  visit("threads", result.threads);
  visit("error_count", result.error_count);
  visit("score", result.score);
  visit("seconds", result.seconds);
  visit("operations", result.operations);
  const auto visit_latency = [&](const std::string& prefix, auto& latency) {
    visit(prefix + ".count", latency.count);
    visit(prefix + ".mean", latency.mean);
    visit(prefix + ".p50", latency.p50);
    visit(prefix + ".p90", latency.p90);
    visit(prefix + ".p99", latency.p99);
    visit(prefix + ".p999", latency.p999);
    visit(prefix + ".max", latency.max);
    for (size_t i = 0; i < kCurvePoints; ++i) {
      visit(prefix + ".curve" + std::to_string(i), latency.curve[i]);
    }
  };
  visit_latency("put", result.put);
  visit_latency("read", result.read);
  visit("cpu_seconds_per_operation", result.cpu_seconds_per_operation);
  visit("bytes_written_per_byte_put", result.bytes_written_per_byte_put);
  visit("quiet_seconds", result.quiet_seconds);
  visit("disk_bytes", result.disk_bytes);
  visit("peak_rss_bytes", result.peak_rss_bytes);
}

// For the pipe from the child process: lines of "name<TAB>text".
std::string Serialize(const RunResult& result);
// kCorruption when the text does not end as Serialize ends it: the child died while writing.
Result<RunResult> ParseResult(std::string_view text);

// Every number the median of the rounds' numbers; errors add up, and the words are those of the
// round with the median score. Rounds that failed or were skipped count only if all did.
RunResult MedianOf(const std::vector<RunResult>& rounds);

}  // namespace varve::bench

#endif  // VARVE_BENCH_RESULT_H_
