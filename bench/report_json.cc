// The JSON form of a comparison. docs/benchmark.md describes it.
#include <cmath>
#include <cstdio>

#include "bench/report.h"

namespace varve::bench {
namespace {

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// Not measured, and what JSON cannot say, is null.
std::string Number(double number) {
  if (number < 0 || !std::isfinite(number)) return "null";
  char digits[40];
  std::snprintf(digits, sizeof(digits), "%.10g", number);
  return digits;
}

std::string LatencyJson(const Latency& l) {
  if (l.count == 0) return "null";
  std::string text = "{\"count\": " + Number(l.count) + ", \"mean_ns\": " + Number(l.mean) +
                     ", \"p50_ns\": " + Number(l.p50) + ", \"p90_ns\": " + Number(l.p90) +
                     ", \"p99_ns\": " + Number(l.p99) + ", \"p99_9_ns\": " + Number(l.p999) +
                     ", \"max_ns\": " + Number(l.max) + ", \"curve_ns\": [";
  for (size_t i = 0; i < kCurvePoints; ++i) text += (i > 0 ? ", " : "") + Number(l.curve[i]);
  return text + "]}";
}

std::string ResultJson(const RunResult& r, const RunResult* best_peer) {
  std::string text = "{\"workload\": " + Quote(r.workload) + ", \"engine\": " + Quote(r.engine);
  if (!r.ran()) return text + ", \"skipped\": " + Quote(r.skipped) + "}";
  const auto number = [&](const char* name, double value) {
    text += ", \"" + std::string(name) + "\": " + Number(value);
  };
  number("keys", r.keys);
  number("value_bytes", r.value_bytes);
  number("threads", r.threads);
  number("errors", r.error_count);
  if (r.failed()) text += ", \"first_error\": " + Quote(r.error);
  number("score", r.score);
  text += ", \"score_unit\": " + Quote(r.score_unit) +
          ", \"higher_is_better\": " + (r.higher_is_better ? "true" : "false");
  if (best_peer != nullptr && r.score > 0) number("ratio_to_best_peer", Ratio(r, *best_peer));
  number("seconds", r.seconds);
  number("operations", r.operations);
  text += ", \"put\": " + LatencyJson(r.put) + ", \"read\": " + LatencyJson(r.read);
  number("cpu_seconds_per_operation", r.cpu_seconds_per_operation);
  number("bytes_written_per_byte_put", r.bytes_written_per_byte_put);
  number("quiet_seconds", r.quiet_seconds);
  number("disk_bytes", r.disk_bytes);
  number("peak_rss_bytes", r.peak_rss_bytes);
  text += ", \"lines\": [";
  for (size_t i = 0; i < r.lines.size(); ++i) text += (i > 0 ? ", " : "") + Quote(r.lines[i]);
  return text + "]}";
}

}  // namespace

std::string JsonReport(const Comparison& c) {
  std::string text = "{\n  \"settings\": " + Quote(c.settings) +
                     ",\n  \"rounds\": " + std::to_string(c.rounds) + ",\n  \"curve_percents\": [";
  for (size_t i = 0; i < kCurvePoints; ++i) text += (i > 0 ? ", " : "") + Number(CurvePercent(i));
  text += "],\n  \"engines\": [";
  for (size_t e = 0; e < c.engines.size(); ++e) {
    const EngineInfo& engine = *c.engines[e];
    text += std::string(e > 0 ? "," : "") + "\n    {\"name\": " + Quote(engine.name) +
            ", \"version\": " + Quote(engine.version) +
            ", \"configuration\": " + Quote(engine.configuration) + "}";
  }
  text += "\n  ],\n  \"results\": [";
  bool is_first = true;
  for (size_t w = 0; w < c.workloads.size(); ++w) {
    for (const RunResult& result : c.results[w]) {
      text += (is_first ? "\n    " : ",\n    ") + ResultJson(result, c.BestPeer(w));
      is_first = false;
    }
  }
  return text + "\n  ]\n}\n";
}

}  // namespace varve::bench
