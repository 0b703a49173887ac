// The command line of varve_bench.
#ifndef VARVE_BENCH_COMMAND_LINE_H_
#define VARVE_BENCH_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "bench/suite.h"
#include "bench/workload.h"

namespace varve::bench {

enum class Command { kHelp, kList, kRun, kCompare };

struct CommandLine {
  Command command = Command::kHelp;
  std::vector<const EngineInfo*> engines;
  std::vector<const Workload*> workloads;
  SuiteOptions suite;
  int rounds = 1;
  // Files to write; empty: none.
  std::string json_path;
  std::string svg_path;
  std::string markdown_path;
};

// kInvalidArgument says which argument is wrong and what would be right.
Result<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

// The text of --help: examples first.
std::string HelpText();

}  // namespace varve::bench

#endif  // VARVE_BENCH_COMMAND_LINE_H_
