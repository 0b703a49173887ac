#include "bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace varve::bench {
namespace {

template <typename... Args>
std::string Format(const char* format, Args... args) {
  char text[256];
  std::snprintf(text, sizeof(text), format, args...);
  return text;
}

// Three significant digits without an exponent.
std::string ThreeDigits(double number) {
  if (number >= 100) return Format("%.0f", number);
  if (number >= 10) return Format("%.1f", number);
  return Format("%.2f", number);
}

bool IsTime(const RunResult& result) { return result.score_unit.rfind("ms ", 0) == 0; }

using Row = std::vector<std::string>;

// Cells may hold more bytes than characters only in ASCII; all of ours are.
std::string Table(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size(), 3);
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    text += "|";
    for (size_t i = 0; i < rows[r].size(); ++i) {
      text += " " + rows[r][i] + std::string(widths[i] - rows[r][i].size(), ' ') + " |";
    }
    text += "\n";
    if (r > 0) continue;
    text += "|";
    for (size_t width : widths) text += std::string(width + 2, '-') + "|";
    text += "\n";
  }
  return text + "\n";
}

std::string ScoreCell(const RunResult& result, const RunResult* best_peer) {
  if (!result.ran()) return "-";
  if (result.score < 0) return "ERROR";
  std::string cell = FormatBareScore(result);
  if (best_peer != nullptr) cell += " (" + FormatRatio(Ratio(result, *best_peer)) + ")";
  return result.failed() ? cell + " ERROR" : cell;
}

// Times bring their own unit.
std::string UnitOf(const RunResult& result) {
  return result.score_unit.substr(IsTime(result) ? 3 : 0);
}

std::string ScoreTable(const Comparison& c) {
  Row head = {"workload", "unit"};
  for (const EngineInfo* engine : c.engines) head.push_back(engine->name);
  std::vector<Row> rows = {head};
  for (size_t w = 0; w < c.workloads.size(); ++w) {
    const RunResult* best = c.BestPeer(w);
    Row row = {c.workloads[w]->name, "-"};
    for (const RunResult& result : c.results[w]) {
      if (result.ran()) {
        row[1] = UnitOf(result) + (result.higher_is_better ? "" : " (less is better)");
      }
      row.push_back(ScoreCell(result, best));
    }
    rows.push_back(row);
  }
  return Table(rows);
}

std::string Measured(double number, std::string text) { return number < 0 ? "-" : text; }

std::string LatencyTable(const Comparison& c) {
  std::vector<Row> rows = {
      {"workload", "engine", "operation", "mean", "p50", "p99", "p99.9", "max"}};
  for (size_t w = 0; w < c.workloads.size(); ++w) {
    for (const RunResult& r : c.results[w]) {
      const auto add = [&](const char* operation, const Latency& l) {
        if (!r.ran() || l.count == 0) return;
        rows.push_back({r.workload, r.engine, operation, FormatNanos(l.mean), FormatNanos(l.p50),
                        FormatNanos(l.p99), FormatNanos(l.p999), FormatNanos(l.max)});
      };
      add("put", r.put);
      add("read", r.read);
    }
  }
  return Table(rows);
}

std::string CostTable(const Comparison& c) {
  std::vector<Row> rows = {{"workload", "engine", "CPU us/operation", "written/byte put", "on disk",
                            "peak memory", "until quiet"}};
  for (size_t w = 0; w < c.workloads.size(); ++w) {
    for (const RunResult& r : c.results[w]) {
      if (!r.ran()) continue;
      rows.push_back(
          {r.workload, r.engine,
           Measured(r.cpu_seconds_per_operation, ThreeDigits(r.cpu_seconds_per_operation * 1e6)),
           Measured(r.bytes_written_per_byte_put, ThreeDigits(r.bytes_written_per_byte_put)),
           Measured(r.disk_bytes, FormatBytes(r.disk_bytes)),
           Measured(r.peak_rss_bytes, FormatBytes(r.peak_rss_bytes)),
           Measured(r.quiet_seconds, Format("%.1f s", r.quiet_seconds))});
    }
  }
  return Table(rows);
}

// What went wrong or was left out, and what the workloads say in their own words.
std::string Notes(const Comparison& c) {
  std::string text;
  for (const auto& row : c.results) {
    for (size_t e = 0; e < row.size(); ++e) {
      const RunResult& r = row[e];
      const std::string name = "- " + r.workload + ", " + r.engine + ": ";
      if (r.failed()) {
        text += name + "ERROR, " + Format("%.0f", r.error_count) + " times; the first: " + r.error +
                "\n";
      }
      // That an engine for special purposes does not do everything needs no word.
      if (!r.ran() && c.engines[e]->scope == EngineScope::kEverything) {
        text += name + "skipped: " + r.skipped + "\n";
      }
      if (r.lines.size() == 1) text += name + r.lines[0] + "\n";
      if (r.lines.size() < 2) continue;
      text += name + "\n\n";
      for (const std::string& line : r.lines) text += "      " + line + "\n";
      text += "\n";
    }
  }
  for (const std::string& name : AbsentEngines()) {
    text += "- " + name + ": not in this build, its library was not found\n";
  }
  return text.empty() ? "- none\n" : text;
}

}  // namespace

bool IsUsable(const RunResult& result) {
  return result.ran() && !result.failed() && result.score > 0;
}

double Ratio(const RunResult& result, const RunResult& reference) {
  return result.higher_is_better ? result.score / reference.score
                                 : reference.score / std::max(result.score, 1e-9);
}

const RunResult* Comparison::BestPeer(size_t workload) const {
  const RunResult* best = nullptr;
  for (size_t e = 0; e < engines.size(); ++e) {
    const RunResult& result = results[workload][e];
    if (!engines[e]->is_peer || !IsUsable(result)) continue;
    if (best == nullptr || Ratio(result, *best) > 1) best = &result;
  }
  return best;
}

std::string FormatCount(double number) {
  if (number >= 999500) return ThreeDigits(number / 1e6) + " M";
  if (number >= 999.5) return ThreeDigits(number / 1e3) + " K";
  return ThreeDigits(number);
}

std::string FormatNanos(double nanos) {
  if (nanos < 999.5) return Format("%.0f ns", nanos);
  if (nanos < 999.5e3) return ThreeDigits(nanos / 1e3) + " us";
  if (nanos < 999.5e6) return ThreeDigits(nanos / 1e6) + " ms";
  return ThreeDigits(nanos / 1e9) + " s";
}

std::string FormatBytes(double bytes) {
  if (bytes >= 1e9) return ThreeDigits(bytes / 1e9) + " GB";
  if (bytes >= 1e6) return ThreeDigits(bytes / 1e6) + " MB";
  return ThreeDigits(bytes / 1e3) + " kB";
}

std::string FormatBareScore(const RunResult& result) {
  return IsTime(result) ? FormatNanos(result.score * 1e6) : FormatCount(result.score);
}

std::string FormatRatio(double ratio) {
  return (ratio < 0.1 ? Format("%.3f", ratio) : ThreeDigits(ratio)) + "x";
}

std::string FormatScore(const RunResult& result) {
  if (result.score < 0) return "no score";
  return FormatBareScore(result) + " " + UnitOf(result);
}

std::string DescribeRun(const RunResult& r) {
  std::string text = Format("%-14s %-13s ", r.workload.c_str(), r.engine.c_str());
  if (!r.ran()) return text + "skipped: " + r.skipped + "\n";
  text += FormatScore(r);
  if (r.failed()) {
    text += "  ERROR, " + Format("%.0f", r.error_count) + " times; the first: " + r.error;
  }
  text += "\n";
  const auto latency = [&](const char* name, const Latency& l) {
    if (l.count == 0) return;
    text += Format("    %-5s", name) + " mean " + FormatNanos(l.mean) + "  p50 " +
            FormatNanos(l.p50) + "  p99 " + FormatNanos(l.p99) + "  p99.9 " + FormatNanos(l.p999) +
            "  max " + FormatNanos(l.max) + "\n";
  };
  latency("put", r.put);
  latency("read", r.read);
  if (r.seconds < 0) return text;
  text += Format("    %.4g operations in %.2f s, ", r.operations, r.seconds) + "CPU " +
          ThreeDigits(r.cpu_seconds_per_operation * 1e6) + " us/operation, on disk " +
          FormatBytes(r.disk_bytes) + ", peak memory " + FormatBytes(r.peak_rss_bytes) + "\n";
  if (r.bytes_written_per_byte_put >= 0) {
    text += "    " + ThreeDigits(r.bytes_written_per_byte_put) +
            " bytes written per byte put, quiet after " + Format("%.1f s\n", r.quiet_seconds);
  }
  for (const std::string& line : r.lines) text += "    " + line + "\n";
  return text;
}

std::string MarkdownReport(const Comparison& c) {
  std::string text = "# varve_bench: comparison\n\n" + c.settings + "\n\n";
  text += (c.rounds == 1 ? "One round" : "Medians of " + std::to_string(c.rounds) + " rounds") +
          std::string(". In brackets: how many times better than the best peer of the row.\n\n") +
          ScoreTable(c);
  text += "## Latency\n\n" + LatencyTable(c);
  text +=
      "## Cost\n\nCPU and bytes written include the background work until the store is quiet.\n\n" +
      CostTable(c);
  text += "## Notes\n\n" + Notes(c);
  text += "\n## Engines\n\n";
  for (const EngineInfo* engine : c.engines) {
    text += "- " + engine->name + " " + engine->version + ": " + engine->configuration + "\n";
  }
  return text;
}

}  // namespace varve::bench
