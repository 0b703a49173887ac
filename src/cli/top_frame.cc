#include "cli/top_frame.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/text.h"

namespace varve::cli {
namespace {

constexpr std::string_view kCallsPrefix = "cmdstat_";
constexpr std::string_view kLatencyPrefix = "latency_percentiles_usec_";

// The value of `name` in "a=1,b=2"; empty when it is not there.
std::string_view Member(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const size_t equals = item.find('=');
    if (equals != item.npos && item.substr(0, equals) == name) return item.substr(equals + 1);
  }
  return {};
}

double Difference(const ServerInfo& before, const ServerInfo& now, std::string_view name) {
  const uint64_t from = before.Number(name);
  const uint64_t to = now.Number(name);
  return to >= from ? static_cast<double>(to - from) : 0;
}

double Percent(double part, double rest) { return part + rest > 0 ? 100 * part / (part + rest) : -1; }

std::string Decimals(double number, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*f", digits, number);
  return buffer;
}

std::string Rate(double rate) { return WithThousands(static_cast<uint64_t>(rate + 0.5)); }
std::string ByteRate(double rate) { return HumanBytes(static_cast<uint64_t>(rate + 0.5)) + "/s"; }
std::string PercentText(double percent) { return percent < 0 ? "-" : Decimals(percent, 1) + " %"; }

std::vector<TopCommand> CommandsOf(const ServerInfo& before, const ServerInfo& now, double seconds) {
  std::vector<TopCommand> commands;
  for (const auto& [line, value] : now.lines()) {
    if (!line.starts_with(kCallsPrefix)) continue;
    const std::string_view was = before.Text(line);
    const auto difference = [&now_is = value, &was](std::string_view name) {
      const uint64_t to = WholeNumber(Member(now_is, name)).value_or(0);
      const uint64_t from = WholeNumber(Member(was, name)).value_or(0);
      return to >= from ? static_cast<double>(to - from) : 0;
    };
    const double calls = difference("calls");
    if (calls == 0) continue;
    TopCommand command{.name = line.substr(kCallsPrefix.size())};
    command.calls_per_second = seconds > 0 ? calls / seconds : 0;
    command.mean_micros = difference("usec") / calls;
    const std::string_view latency = now.Text(std::string(kLatencyPrefix) + command.name);
    command.p50 = Member(latency, "p50");
    command.p99 = Member(latency, "p99");
    command.p999 = Member(latency, "p99.9");
    commands.push_back(std::move(command));
  }
  std::stable_sort(commands.begin(), commands.end(), [](const TopCommand& a, const TopCommand& b) {
    return a.calls_per_second > b.calls_per_second;
  });
  return commands;
}

// "left   right", the right one at a fixed column.
std::string Row(std::string_view name, const std::string& figure) {
  std::string row = "  " + std::string(name);
  row.resize(std::max(row.size() + 1, size_t{22}), ' ');
  return row + figure;
}

std::string Right(std::string text, size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + std::move(text);
}

std::string CommandRow(const TopCommand& command) {
  std::string name = command.name;
  name.resize(std::max<size_t>(name.size(), 18), ' ');
  return "  " + name + Right(Rate(command.calls_per_second), 12) +
         Right(Decimals(command.mean_micros, 1), 10) + Right(command.p50, 10) +
         Right(command.p99, 10) + Right(command.p999, 10);
}

void AddStoreLines(const ServerInfo& info, const TopFigures& figures,
                   std::vector<std::string>* lines) {
  if (info.Text("lsm_runs").empty()) return;
  lines->push_back(Row("runs", std::string(info.Text("lsm_runs"))));
  lines->push_back(Row("segments", HumanBytes(info.Number("lsm_segment_bytes"))));
  lines->push_back(Row("value log", HumanBytes(info.Number("lsm_value_log_bytes"))));
  lines->push_back(Row("flushes, merges", WithThousands(info.Number("lsm_flushes")) + ", " +
                                              WithThousands(info.Number("lsm_compactions"))));
  lines->push_back(Row("syncs", Rate(figures.syncs_per_second) + "/s"));
  lines->push_back(Row("block cache hits", PercentText(figures.cache_hit_percent)));
}

void AddSlowLines(const resp::Reply& slow_log, const Console& console,
                  std::vector<std::string>* lines) {
  if (slow_log.is_error() || slow_log.elements.empty()) return;
  lines->push_back("");
  lines->push_back(console.OnOut(Console::Style::kBold, "slow commands"));
  for (const resp::Reply& entry : slow_log.elements) {
    if (entry.elements.size() < 4) continue;
    std::string words;
    for (const resp::Reply& word : entry.elements[3].elements) words += " " + Escape(word.text);
    const auto micros = static_cast<uint64_t>(std::max<int64_t>(entry.elements[2].integer, 0));
    lines->push_back("  " + Right(HumanDuration(micros * 1000), 10) + " " + words);
  }
}

}  // namespace

TopFigures FiguresOf(const TopSample& before, const TopSample& now) {
  TopFigures figures;
  const ServerInfo& info = now.info;
  const bool is_same = before.info.Text("run_id") == info.Text("run_id");
  const double seconds =
      is_same && now.nanos > before.nanos ? static_cast<double>(now.nanos - before.nanos) / 1e9 : 0;
  const auto rate = [&](std::string_view name) {
    return seconds > 0 ? Difference(before.info, info, name) / seconds : 0;
  };
  figures.commands_per_second = rate("total_commands_processed");
  figures.input_bytes_per_second = rate("total_net_input_bytes");
  figures.output_bytes_per_second = rate("total_net_output_bytes");
  figures.syncs_per_second = rate("lsm_syncs");
  figures.hit_percent = Percent(rate("keyspace_hits"), rate("keyspace_misses"));
  figures.cache_hit_percent = Percent(rate("lsm_cache_hits"), rate("lsm_cache_misses"));
  figures.clients = info.Number("connected_clients");
  figures.memory_bytes = info.Number("used_memory");
  for (const auto& [name, value] : info.lines()) {
    const bool is_database = name.starts_with("db") && WholeNumber(std::string_view(name).substr(2));
    if (is_database) figures.keys += WholeNumber(Member(value, "keys")).value_or(0);
  }
  if (is_same) figures.commands = CommandsOf(before.info, info, seconds);
  return figures;
}

Facts TopFacts(const TopFigures& figures) {
  Facts facts;
  facts.Ratio("commands_per_second", figures.commands_per_second);
  facts.Ratio("input_bytes_per_second", figures.input_bytes_per_second);
  facts.Ratio("output_bytes_per_second", figures.output_bytes_per_second);
  facts.Ratio("syncs_per_second", figures.syncs_per_second);
  if (figures.hit_percent >= 0) facts.Ratio("hit_percent", figures.hit_percent);
  if (figures.cache_hit_percent >= 0) facts.Ratio("cache_hit_percent", figures.cache_hit_percent);
  facts.Count("clients", figures.clients);
  facts.Bytes("memory_bytes", figures.memory_bytes);
  facts.Count("keys", figures.keys);
  std::vector<Facts> rows;
  for (const TopCommand& command : figures.commands) {
    Facts& row = rows.emplace_back();
    row.Text("command", command.name);
    row.Ratio("calls_per_second", command.calls_per_second);
    row.Ratio("mean_us", command.mean_micros);
  }
  facts.Table("commands", std::move(rows));
  return facts;
}

std::vector<std::string> TopLines(const std::string& server, const TopSample& now,
                                  const TopFigures& figures, const resp::Reply& slow_log,
                                  const Console& console, size_t columns, size_t rows) {
  const ServerInfo& info = now.info;
  std::vector<std::string> lines;
  const std::string_view version = info.Text("varve_version");
  const std::string what = version.empty() ? "redis " + std::string(info.Text("redis_version"))
                                           : "varve " + std::string(version);
  lines.push_back(console.OnOut(Console::Style::kBold, server) + "  " + Escape(what) + "  up " +
                  HumanDuration(info.Number("uptime_in_seconds") * 1'000'000'000) +
                  console.OnOut(Console::Style::kDim, "  q ends"));
  lines.push_back("");
  lines.push_back(Row("commands", Rate(figures.commands_per_second) + "/s"));
  lines.push_back(Row("in, out", ByteRate(figures.input_bytes_per_second) + ", " +
                                     ByteRate(figures.output_bytes_per_second)));
  lines.push_back(Row("found", PercentText(figures.hit_percent)));
  lines.push_back(Row("clients", WithThousands(figures.clients)));
  lines.push_back(Row("keys", WithThousands(figures.keys)));
  lines.push_back(Row("memory", HumanBytes(figures.memory_bytes)));
  AddStoreLines(info, figures, &lines);
  if (!figures.commands.empty()) {
    lines.push_back("");
    lines.push_back(console.OnOut(
        Console::Style::kBold, "  command             calls/s   mean us       p50       p99     p99.9"));
    for (const TopCommand& command : figures.commands) lines.push_back(CommandRow(command));
  }
  AddSlowLines(slow_log, console, &lines);
  if (lines.size() > rows) lines.resize(rows);
  bool was_cut = false;
  for (std::string& line : lines) {
    // Styles take no columns; lines with one are short.
    if (line.find('\x1b') == line.npos) line = CutToWidth(line, columns, &was_cut);
  }
  return lines;
}

}  // namespace varve::cli
