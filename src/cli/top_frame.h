// What 'varve top' shows: figures of a server from two looks at its INFO.
#ifndef VARVE_CLI_TOP_FRAME_H_
#define VARVE_CLI_TOP_FRAME_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/facts.h"
#include "cli/server_info.h"
#include "resp/reply_parser.h"

namespace varve::cli {

// One look.
struct TopSample {
  uint64_t nanos = 0;  // when
  ServerInfo info{""};
};

// One command, since the look before.
struct TopCommand {
  std::string name;
  double calls_per_second = 0;
  double mean_micros = 0;
  // Since the server started; as INFO has them, empty when it has none.
  std::string p50, p99, p999;
};

// Rates are those between the two looks, and 0 when no time lies between them, or the server was restarted.
struct TopFigures {
  double commands_per_second = 0;
  double input_bytes_per_second = 0;
  double output_bytes_per_second = 0;
  double syncs_per_second = 0;
  double hit_percent = -1;        // of keys that were looked for; -1: none were
  double cache_hit_percent = -1;  // of blocks
  uint64_t clients = 0;
  uint64_t memory_bytes = 0;
  uint64_t keys = 0;
  std::vector<TopCommand> commands;  // those with calls, most often first
};
TopFigures FiguresOf(const TopSample& before, const TopSample& now);

// The figures as a list, for JSON and TSV.
Facts TopFacts(const TopFigures& figures);

// Lines for a terminal, at most `rows`. `slow_log`: the reply to SLOWLOG GET.
std::vector<std::string> TopLines(const std::string& server, const TopSample& now,
                                  const TopFigures& figures, const resp::Reply& slow_log,
                                  const Console& console, size_t columns, size_t rows);

}  // namespace varve::cli

#endif  // VARVE_CLI_TOP_FRAME_H_
