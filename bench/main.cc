// varve_bench: run one engine, or compare some.
#include <cstdio>
#include <fstream>

#include "bench/child.h"
#include "bench/command_line.h"
#include "bench/measure.h"
#include "bench/plot.h"
#include "bench/report.h"
#include "bench/suite.h"

namespace varve::bench {
namespace {

constexpr int kExitErrors = 1;
constexpr int kExitUsage = 2;

void PrintList() {
  std::printf("Workloads (* part of the speed table):\n");
  for (const Workload& w : Workloads()) {
    std::printf("  %-14s %s %s\n", w.name.c_str(), w.is_in_speed_table ? "*" : " ",
                w.description.c_str());
  }
  std::printf("\nEngines:\n");
  for (const EngineInfo& e : Engines()) {
    std::printf("  %-14s %-9s %s\n", e.name.c_str(), e.version.c_str(), e.configuration.c_str());
  }
  for (const std::string& name : AbsentEngines()) {
    std::printf("  %-14s not in this build: its library was not found\n", name.c_str());
  }
}

std::string Settings(const CommandLine& line) {
  return MachineDescription() + "; " + FormatCount(static_cast<double>(line.suite.keys)) +
         " keys of 16 B, values of " + std::to_string(line.suite.value_bytes) +
         " B, half compressible; " +
         (line.rounds == 1 ? "one round" : "medians of " + std::to_string(line.rounds) + " rounds");
}

// rounds[w][e] are the results of all rounds.
using Rounds = std::vector<std::vector<std::vector<RunResult>>>;

// Engines for large values have no place in the other rows of a comparison; `run` does what it is
// told.
bool IsLeftOut(const CommandLine& line, const Workload& workload, const EngineInfo& engine) {
  return line.command == Command::kCompare && engine.scope == EngineScope::kLargeValues &&
         !workload.large_values;
}

// Engines take turns, so that a disturbance hits all of them alike. Empty when interrupted.
Rounds RunAll(const CommandLine& line, Suite* suite) {
  Rounds rounds(line.workloads.size(), std::vector<std::vector<RunResult>>(line.engines.size()));
  const size_t total =
      line.workloads.size() * line.engines.size() * static_cast<size_t>(line.rounds);
  size_t number = 0;
  for (size_t w = 0; w < line.workloads.size(); ++w) {
    for (int round = 0; round < line.rounds; ++round) {
      for (size_t e = 0; e < line.engines.size(); ++e) {
        ++number;
        RunResult result;
        if (IsLeftOut(line, *line.workloads[w], *line.engines[e])) {
          result.engine = line.engines[e]->name;
          result.workload = line.workloads[w]->name;
          result.skipped = "for large values only";
        } else if (!Interrupted()) {
          const std::string label =
              "[" + std::to_string(number) + "/" + std::to_string(total) + "]";
          result = suite->Run(*line.workloads[w], *line.engines[e], label);
          std::printf("%s", DescribeRun(result).c_str());
          std::fflush(stdout);
        }
        if (Interrupted()) return {};
        rounds[w][e].push_back(std::move(result));
      }
    }
  }
  return rounds;
}

Comparison Combine(const CommandLine& line, const Rounds& rounds) {
  Comparison comparison;
  comparison.workloads = line.workloads;
  comparison.engines = line.engines;
  comparison.rounds = line.rounds;
  comparison.settings = Settings(line);
  for (const auto& row : rounds) {
    comparison.results.emplace_back();
    for (const auto& cell : row) comparison.results.back().push_back(MedianOf(cell));
  }
  return comparison;
}

bool WriteText(const std::string& path, const std::string& text) {
  if (path.empty()) return true;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) std::fprintf(stderr, "varve_bench: cannot write %s\n", path.c_str());
  return static_cast<bool>(file);
}

bool AnyFailed(const Comparison& comparison) {
  for (const auto& row : comparison.results) {
    for (const RunResult& result : row) {
      if (result.failed()) return true;
    }
  }
  return false;
}

int Execute(const CommandLine& line) {
  CatchInterrupts();
  Result<std::unique_ptr<Suite>> suite = Suite::Create(line.suite);
  if (!suite.ok()) {
    std::fprintf(stderr, "varve_bench: %s\n", suite.status().ToString().c_str());
    return kExitErrors;
  }
  const Rounds rounds = RunAll(line, suite->get());
  if (rounds.empty()) {
    std::fprintf(stderr, "varve_bench: interrupted\n");
    return 130;
  }
  const Comparison comparison = Combine(line, rounds);
  const std::string markdown = MarkdownReport(comparison);
  if (line.command == Command::kCompare) std::printf("\n%s", markdown.c_str());
  bool ok = WriteText(line.markdown_path, markdown);
  ok = WriteText(line.json_path, JsonReport(comparison)) && ok;
  ok = WriteText(line.svg_path, SvgPlot(comparison)) && ok;
  return ok && !AnyFailed(comparison) ? 0 : kExitErrors;
}

int Main(const std::vector<std::string>& arguments) {
  Result<CommandLine> line = ParseCommandLine(arguments);
  if (!line.ok()) {
    std::fprintf(stderr, "varve_bench: %s\n", std::string(line.status().message()).c_str());
    return kExitUsage;
  }
  switch (line->command) {
    case Command::kHelp:
      std::printf("%s", HelpText().c_str());
      return 0;
    case Command::kList:
      PrintList();
      return 0;
    case Command::kRun:
    case Command::kCompare:
      return Execute(*line);
  }
  return kExitUsage;
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) { return varve::bench::Main({argv + 1, argv + argc}); }
