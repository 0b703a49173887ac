// Results as text for people, as markdown tables and as JSON.
#ifndef VARVE_BENCH_REPORT_H_
#define VARVE_BENCH_REPORT_H_

#include <string>
#include <vector>

#include "bench/engine.h"
#include "bench/result.h"
#include "bench/workload.h"

namespace varve::bench {

// Everything that one invocation has measured. results[w][e] belongs to workloads[w] and engines[e]
// and is the median of the rounds.
struct Comparison {
  std::vector<const Workload*> workloads;
  std::vector<const EngineInfo*> engines;
  std::vector<std::vector<RunResult>> results;
  int rounds = 1;
  std::string settings;  // one line: machine, keys, values

  // The peer with the best score in that row; nullptr when none has one.
  const RunResult* BestPeer(size_t workload) const;
};

// How many times better `result` is than `reference` (worse: below 1).
double Ratio(const RunResult& result, const RunResult& reference);
// True for a run with a score and without errors.
bool IsUsable(const RunResult& result);

// "262 K", "4.21 M" with three digits.
std::string FormatCount(double number);
// "812 ns", "1.20 us", "43.2 ms", "1.02 s".
std::string FormatNanos(double nanos);
std::string FormatBytes(double bytes);
// The score without its unit ("262 K"); scores in milliseconds as FormatNanos has it.
std::string FormatBareScore(const RunResult& result);
// "4.21x"; small ratios with more digits.
std::string FormatRatio(double ratio);
// The score with its unit: "262 K ops/s".
std::string FormatScore(const RunResult& result);

// One run, in some lines.
std::string DescribeRun(const RunResult& result);
// The tables of a comparison: scores with ratios to the best peer, latencies, costs, errors, and
// how each engine was set up. Columns are padded, so that it reads well on a terminal, too.
std::string MarkdownReport(const Comparison& comparison);
std::string JsonReport(const Comparison& comparison);

}  // namespace varve::bench

#endif  // VARVE_BENCH_REPORT_H_
