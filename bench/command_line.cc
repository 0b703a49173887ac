#include "bench/command_line.h"

#include <algorithm>
#include <cstdlib>

namespace varve::bench {
namespace {

constexpr char kHelp[] = R"(Examples:
  varve_bench compare                        the speed table: all engines, a million keys
  varve_bench compare --keys 10000000 --rounds 3 --svg speed.svg --markdown speed.md
  varve_bench compare --engines varve,lmdb --workloads readrandom,seek50
  varve_bench run --engine varve --workload fillrandom,readrandom --keys 1000000
  varve_bench run --engine rocksdb --workload 'syncput*' --seconds 2 --json sync.json
  varve_bench list                           workloads and engines, with what they do

Measures ordered key-value stores under one and the same load. Every run is a process of its own;
keys, values, threads and durability are equal for all engines (docs/benchmark.md).

run      one engine, some workloads:  --engine E --workload W[,W...]
compare  some engines in turn, workload by workload, then a table with ratios to the best peer:
         [--engines E,...] [--workloads W,...] [--rounds R] [--svg FILE] [--markdown FILE]
list     what there is

W is a name, a prefix with a star ('syncput*'), `speed` (the default of compare) or `all`.

Options:
  --keys N           keys of a filled store (1000000); seed-001 has its own
  --value-bytes N    size of a value (100); the 256 KiB workloads have their own
  --threads N        threads, for every workload
  --seconds S        length of every workload that is limited by time
  --dir D            where the stores go (/tmp); take the disk that you want to measure
  --keep             leave the stores there
  --rounds R         repeat R times and take medians (1)
  --json FILE        results, latency curves included
  --svg FILE         bars of throughput and curves of latency
  --markdown FILE    the tables

Exit code: 0, 1 when a run had errors, 2 for a wrong command line.
)";

std::vector<std::string> SplitByComma(const std::string& list) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (start <= list.size()) {
    const size_t end = std::min(list.find(',', start), list.size());
    if (end > start) parts.push_back(list.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

Status Wrong(std::string message) { return Status::InvalidArgument(std::move(message)); }

Result<std::vector<const EngineInfo*>> ParseEngines(const std::string& list) {
  std::vector<const EngineInfo*> engines;
  for (const std::string& name : SplitByComma(list)) {
    const EngineInfo* engine = FindEngine(name);
    if (engine == nullptr) {
      const auto& absent = AbsentEngines();
      const bool is_absent = std::find(absent.begin(), absent.end(), name) != absent.end();
      return Wrong(is_absent ? "engine '" + name + "' is not in this build: its library was absent"
                             : "no engine '" + name + "'; `varve_bench list` shows them");
    }
    if (std::find(engines.begin(), engines.end(), engine) == engines.end()) {
      engines.push_back(engine);
    }
  }
  return engines;
}

// A positive number, at most `most`.
Result<double> ParseNumber(const std::string& option, const std::string& text, double most) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(number > 0) || number > most) {
    return Wrong(option + " takes a positive number up to " +
                 std::to_string(static_cast<uint64_t>(most)) + ", not '" + text + "'");
  }
  return number;
}

Result<uint64_t> ParseCount(const std::string& option, const std::string& text, double most) {
  Result<double> number = ParseNumber(option, text, most);
  if (!number.ok()) return number.status();
  const auto count = static_cast<uint64_t>(*number);
  if (count == 0 || static_cast<double>(count) != *number) {
    return Wrong(option + " takes a whole number, not '" + text + "'");
  }
  return count;
}

Status ApplyNumber(const std::string& option, const std::string& value, CommandLine* line) {
  if (option == "--seconds") {
    Result<double> seconds = ParseNumber(option, value, 86400);
    if (seconds.ok()) line->suite.seconds = *seconds;
    return seconds.status();
  }
  const double most = option == "--keys"          ? 1e11
                      : option == "--value-bytes" ? 256 << 20
                      : option == "--threads"     ? 1000
                                                  : 100;
  Result<uint64_t> count = ParseCount(option, value, most);
  if (!count.ok()) return count.status();
  if (option == "--keys") {
    line->suite.keys = *count;
    line->suite.keys_given = true;
  } else if (option == "--value-bytes") {
    line->suite.value_bytes = *count;
  } else if (option == "--threads") {
    line->suite.threads = static_cast<int>(*count);
  } else {
    line->rounds = static_cast<int>(*count);
  }
  return Status::Ok();
}

Status ApplyOption(const std::string& option, const std::string& value, CommandLine* line) {
  if (option == "--engine" || option == "--engines") {
    Result<std::vector<const EngineInfo*>> engines = ParseEngines(value);
    if (engines.ok()) line->engines = *engines;
    return engines.status();
  }
  if (option == "--workload" || option == "--workloads") {
    Result<std::vector<const Workload*>> workloads = SelectWorkloads(value);
    if (workloads.ok()) line->workloads = *workloads;
    return workloads.status();
  }
  if (option == "--dir") {
    line->suite.dir = value;
  } else if (option == "--json") {
    line->json_path = value;
  } else if (option == "--svg") {
    line->svg_path = value;
  } else if (option == "--markdown") {
    line->markdown_path = value;
  } else if (option == "--keys" || option == "--value-bytes" || option == "--threads" ||
             option == "--seconds" || option == "--rounds") {
    return ApplyNumber(option, value, line);
  } else {
    return Wrong("no option " + option + "; see --help");
  }
  return Status::Ok();
}

Status CheckComplete(CommandLine* line) {
  if (line->command == Command::kRun) {
    if (line->engines.empty()) return Wrong("run needs --engine");
    if (line->workloads.empty()) return Wrong("run needs --workload");
  }
  if (line->command == Command::kCompare) {
    if (line->engines.empty()) {
      for (const EngineInfo& engine : Engines()) line->engines.push_back(&engine);
    }
    if (line->workloads.empty()) line->workloads = *SelectWorkloads("speed");
  }
  return Status::Ok();
}

}  // namespace

std::string HelpText() { return kHelp; }

Result<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine line;
  line.suite.dir = "/tmp";
  if (arguments.empty()) return line;
  const std::string& command = arguments[0];
  if (std::find(arguments.begin(), arguments.end(), "--help") != arguments.end() ||
      command == "help" || command == "-h") {
    return line;
  }
  if (command == "list") {
    line.command = Command::kList;
  } else if (command == "run") {
    line.command = Command::kRun;
  } else if (command == "compare") {
    line.command = Command::kCompare;
  } else {
    return Wrong("no command '" + command + "'; there are run, compare and list, see --help");
  }
  for (size_t i = 1; i < arguments.size(); ++i) {
    std::string option = arguments[i];
    if (option == "--keep") {
      line.suite.keep = true;
      continue;
    }
    std::string value;
    if (const size_t equals = option.find('='); equals != std::string::npos) {
      value = option.substr(equals + 1);
      option.resize(equals);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return Wrong(option + " needs a value");
    }
    Status applied = ApplyOption(option, value, &line);
    if (!applied.ok()) return applied;
  }
  Status complete = CheckComplete(&line);
  if (!complete.ok()) return complete;
  return line;
}

}  // namespace varve::bench
