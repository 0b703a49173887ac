// LATENCY: what was slow, and how long commands take.
#include <algorithm>

#include "server/call.h"
#include "server/service.h"

namespace varve::server {
namespace {

Status Latest(Call& call) {
  const auto all = call.service.latency().All();
  call.reply.Array(all.size());
  for (const auto& [event, series] : all) {
    call.reply.Array(4);
    call.reply.Bulk(event);
    call.reply.Integer(static_cast<int64_t>(series.samples.back().second));
    call.reply.Integer(static_cast<int64_t>(series.samples.back().millis));
    call.reply.Integer(static_cast<int64_t>(series.max_millis));
  }
  return Status::Ok();
}

Status History(Call& call) {
  const auto all = call.service.latency().All();
  const auto found = all.find(call.arg(2));
  if (found == all.end()) {
    call.reply.Array(0);
    return Status::Ok();
  }
  call.reply.Array(found->second.samples.size());
  for (const LatencyMonitor::Sample& sample : found->second.samples) {
    call.reply.Array(2);
    call.reply.Integer(static_cast<int64_t>(sample.second));
    call.reply.Integer(static_cast<int64_t>(sample.millis));
  }
  return Status::Ok();
}

Status Reset(Call& call) {
  LatencyMonitor& latency = call.service.latency();
  int64_t count = 0;
  if (call.count() == 2) {
    for (const auto& [event, series] : latency.All()) count += latency.Reset(event) ? 1 : 0;
  }
  for (size_t i = 2; i < call.count(); ++i) count += latency.Reset(call.arg(i)) ? 1 : 0;
  return call.Integer(count);
}

// A line for each sample, with a bar.
Status Graph(Call& call) {
  constexpr uint64_t kMaxBar = 50;
  const auto all = call.service.latency().All();
  const auto found = all.find(call.arg(2));
  if (found == all.end()) return call.Error("No samples available for event '" + call.Shown(2) + "'");
  const auto& samples = found->second.samples;
  const auto less = [](const auto& a, const auto& b) { return a.millis < b.millis; };
  const uint64_t high = std::max_element(samples.begin(), samples.end(), less)->millis;
  const uint64_t low = std::min_element(samples.begin(), samples.end(), less)->millis;
  std::string text = found->first + " - high " + std::to_string(high) + " ms, low " + std::to_string(low) +
                     " ms (all time high " + std::to_string(found->second.max_millis) + " ms)\n";
  const uint64_t now = call.now / 1000;
  for (const LatencyMonitor::Sample& sample : samples) {
    std::string age = std::to_string(now > sample.second ? now - sample.second : 0) + "s";
    age.resize(std::max<size_t>(age.size(), 8), ' ');
    const uint64_t bar = std::max<uint64_t>(1, sample.millis * kMaxBar / std::max<uint64_t>(high, 1));
    text.append(age).append(bar, '#').append(" ").append(std::to_string(sample.millis)).append(" ms\n");
  }
  call.reply.Verbatim("txt", text);
  return Status::Ok();
}

Status Doctor(Call& call) {
  const auto all = call.service.latency().All();
  std::string text;
  if (call.service.latency().limit_millis() == 0) {
    text = "Nothing is watched. CONFIG SET latency-monitor-threshold <milliseconds> begins.\n";
  } else if (all.empty()) {
    text = "Nothing has been slow.\n";
  }
  for (const auto& [event, series] : all) {
    uint64_t sum = 0;
    for (const auto& sample : series.samples) sum += sample.millis;
    text.append(event + ": " + std::to_string(series.samples.size()) + " slow seconds, on average " +
                std::to_string(sum / series.samples.size()) + " ms, at most " +
                std::to_string(series.max_millis) + " ms.\n");
    text.append(event == "wal-sync" ? "  The disk takes that long to flush; 'varve doctor' measures it.\n"
                                    : "  SLOWLOG GET shows which commands these were, V.EXPLAIN what a read did.\n");
  }
  call.reply.Verbatim("txt", text);
  return Status::Ok();
}

// Counts of calls that took up to 1, 2, 4, ... microseconds (of 1,024 ns), from the first that counts any to
// the one that counts all.
void ReplyHistogram(Call& call, const Command& command, const CommandTotals& totals) {
  std::vector<std::pair<uint64_t, uint64_t>> below;
  uint64_t seen = 0;
  for (size_t i = 0; i < CommandTimes::kCount; ++i) {
    seen += totals.times[i];
    const bool ends_octave = i % 4 == 0;
    if (!ends_octave || seen == 0 || (!below.empty() && below.back().second == totals.calls)) continue;
    below.emplace_back(CommandTimes::EndOf(i) / 1000, seen);
  }
  call.reply.Bulk(command.full_name);
  call.reply.Map(2);
  call.reply.Bulk("calls");
  call.reply.Integer(static_cast<int64_t>(totals.calls));
  call.reply.Bulk("histogram_usec");
  call.reply.Map(below.size());
  for (const auto& [micros, count] : below) {
    call.reply.Integer(static_cast<int64_t>(micros));
    call.reply.Integer(static_cast<int64_t>(count));
  }
}

Status Histogram(Call& call) {
  const std::vector<CommandTotals> totals = call.service.command_stats().Totals();
  std::vector<const Command*> asked;
  const auto ask = [&](const Command& command) {
    if (totals[static_cast<size_t>(command.id)].calls > 0) asked.push_back(&command);
    for (const auto& [name, sub] : command.subcommands) {
      if (totals[static_cast<size_t>(sub->id)].calls > 0) asked.push_back(sub.get());
    }
  };
  if (call.count() == 2) {
    for (const auto& [name, command] : AllCommands()) ask(*command);
  }
  for (size_t i = 2; i < call.count(); ++i) {
    if (const Command* const command = FindCommandByFullName(call.arg(i))) ask(*command);
  }
  call.reply.Map(asked.size());
  for (const Command* command : asked) {
    ReplyHistogram(call, *command, totals[static_cast<size_t>(command->id)]);
  }
  return Status::Ok();
}

Status LatencyHelp(Call& call) {
  call.reply.Array(2);
  call.reply.Simple("LATENCY LATEST | HISTORY <event> | GRAPH <event> | RESET [<event>...] | DOCTOR | HISTOGRAM [<command>...]");
  call.reply.Simple("    What was slow: commands, and flushes of the log. CONFIG SET latency-monitor-threshold.");
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> LatencyCommands() {
  constexpr std::string_view kFlags = "admin noscript loading stale";
  constexpr std::string_view kNodes =
      "nondeterministic_output request_policy:all_nodes response_policy:special";
  const auto sub = [](std::string_view name, int arity, std::string_view flags, std::string_view tips,
                      std::string_view since, std::string_view summary, Status (*run)(Call&)) {
    return CommandSpec{name, arity, flags, "", "", tips, since, "server", summary, run};
  };
  return {{.name = "latency",
           .arity = -2,
           .since = "2.8.13",
           .group = "server",
           .summary = "What was slow, and how long commands take",
           .subcommands = {
               sub("latest", 2, kFlags, kNodes, "2.8.13", "Returns the newest event of each kind", Latest),
               sub("history", 3, kFlags, kNodes, "2.8.13", "Returns the events of a kind", History),
               sub("reset", -2, kFlags, "request_policy:all_nodes response_policy:all_succeeded", "2.8.13",
                   "Forgets events", Reset),
               sub("graph", 3, kFlags, kNodes, "2.8.13", "Draws the events of a kind", Graph),
               sub("doctor", 2, kFlags, kNodes, "2.8.13", "Says what was slow, and where to look", Doctor),
               sub("histogram", -2, kFlags, kNodes, "7.0.0", "Returns how long calls of commands took", Histogram),
               sub("help", 2, "loading stale", "", "2.8.13", "Helps", LatencyHelp),
           }}};
}

}  // namespace varve::server
