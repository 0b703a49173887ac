// 'varve bench': load for any server that speaks RESP, and what it answers.
#include <algorithm>
#include <limits>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/text.h"
#include "client/load_workload.h"
#include "resp/request_parser.h"

namespace varve::cli {
namespace {

using client::LoadCommand;

constexpr uint64_t kDefaultRequests = 100'000;
constexpr uint64_t kMostConnections = 10'000;

// What a word of --mix stands for.
struct KnownCommand {
  std::string_view name;
  std::vector<std::string> words;
};
const std::vector<KnownCommand>& KnownCommands() {
  static const std::vector<KnownCommand> commands = {
      {"get", {"GET", "__key__"}},   {"set", {"SET", "__key__", "__value__"}},
      {"del", {"DEL", "__key__"}},   {"incr", {"INCR", "n__key__"}},
      {"ping", {"PING"}},
  };
  return commands;
}

struct BenchPlan {
  client::LoadOptions load;
  client::LoadData data;
  std::vector<LoadCommand> commands;
  size_t connections = 50;
  bool fills = false;
};

Result<uint64_t> NumberOf(const Context& context, std::string_view flag, uint64_t fallback,
                          uint64_t min, uint64_t max) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> number, context.arguments.Number(flag));
  const uint64_t value = number.value_or(fallback);
  if (value >= min && value <= max) return value;
  return Status::InvalidArgument(std::string(flag) + " takes a number from " + std::to_string(min) +
                                 " to " + std::to_string(max));
}

// "get=9,set=1"; a word without a number has the weight 1.
Result<std::vector<LoadCommand>> MixFrom(std::string_view text) {
  std::vector<LoadCommand> commands;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const std::string_view name = item.substr(0, item.find('='));
    uint64_t weight = 1;
    if (name.size() < item.size()) {
      const std::string digits(item.substr(name.size() + 1));
      const bool is_number = !digits.empty() && digits.size() <= 9 &&
                             digits.find_first_not_of("0123456789") == digits.npos;
      if (!is_number) return Status::InvalidArgument("--mix takes words such as get=9,set=1");
      weight = std::stoull(digits);
    }
    const auto& known = KnownCommands();
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const KnownCommand& command) { return command.name == name; });
    if (found == known.end()) {
      return Status::InvalidArgument("--mix knows get, set, del, incr and ping, not '" +
                                     std::string(name) + "'; --command sends anything");
    }
    if (weight > 0) commands.push_back({std::string(name), found->words, weight});
  }
  if (commands.empty()) return Status::InvalidArgument("--mix names nothing to do");
  return commands;
}

Result<std::vector<LoadCommand>> CommandsFrom(const Arguments& arguments) {
  const std::optional<std::string> line = arguments.Value("--command");
  if (!line) return MixFrom(arguments.Value("--mix").value_or("get,set"));
  if (arguments.Has("--mix")) return Status::InvalidArgument("--command and --mix exclude each other");
  LoadCommand command;
  if (!resp::SplitWords(*line, &command.words) || command.words.empty()) {
    return Status::InvalidArgument("--command takes a line such as 'APPEND __key__ x'");
  }
  command.name = command.words[0];
  return std::vector<LoadCommand>{std::move(command)};
}

Result<BenchPlan> PlanFrom(const Context& context) {
  constexpr uint64_t kAny = std::numeric_limits<uint32_t>::max();
  const Arguments& arguments = context.arguments;
  BenchPlan plan;
  VARVE_ASSIGN_OR_RETURN(plan.commands, CommandsFrom(arguments));
  VARVE_ASSIGN_OR_RETURN(plan.connections,
                         NumberOf(context, "--connections", 50, 1, kMostConnections));
  VARVE_ASSIGN_OR_RETURN(plan.load.pipeline, NumberOf(context, "--pipeline", 1, 1, 100'000));
  VARVE_ASSIGN_OR_RETURN(const uint64_t rate, NumberOf(context, "--rate", 0, 0, 100'000'000));
  plan.load.rate = static_cast<double>(rate);
  if (rate > 0 && arguments.Has("--pipeline")) {
    return Status::InvalidArgument("--rate sends when a request is due: --pipeline has no place there");
  }
  VARVE_ASSIGN_OR_RETURN(plan.load.requests, NumberOf(context, "--requests", 0, 0, kAny * kAny));
  if (const auto text = arguments.Value("--time")) {
    const std::optional<uint64_t> millis = ParseDuration(*text);
    if (!millis || *millis == 0) return Status::InvalidArgument("--time takes a time such as 10s");
    plan.load.duration_nanos = *millis * 1'000'000;
  }
  if (plan.load.requests == 0 && plan.load.duration_nanos == 0) plan.load.requests = kDefaultRequests;
  VARVE_ASSIGN_OR_RETURN(plan.data.keys, NumberOf(context, "--keys", plan.data.keys, 1, kAny));
  VARVE_ASSIGN_OR_RETURN(plan.data.key_bytes, NumberOf(context, "--key-size", 16, 1, 65'535));
  VARVE_ASSIGN_OR_RETURN(plan.data.value_bytes,
                         NumberOf(context, "--value-size", 100, 0, uint64_t{512} << 20));
  VARVE_ASSIGN_OR_RETURN(plan.data.seed, NumberOf(context, "--seed", 1, 0, kAny * kAny));
  plan.fills = arguments.Has("--fill");
  plan.load.reply_timeout_nanos =
      static_cast<uint64_t>(context.server->options.reply_timeout.count()) * 1'000'000;
  return plan;
}

Result<std::vector<StreamSocket>> Connections(const Context& context, size_t count) {
  std::vector<StreamSocket> sockets;
  if (context.server->endpoint.is_tls) {
    return Status::InvalidArgument("bench does not speak TLS: it would measure its own");
  }
  for (size_t i = 0; i < count; ++i) {
    VARVE_ASSIGN_OR_RETURN(std::unique_ptr<client::Client> client, ConnectTo(context));
    sockets.push_back(client::Client::Release(std::move(client)));
  }
  return sockets;
}

// Puts every key once.
Status Fill(const Context& context, const BenchPlan& plan) {
  VARVE_ASSIGN_OR_RETURN(std::vector<StreamSocket> sockets, Connections(context, 1));
  client::LoadWorkload workload({{"set", {"SET", "__key__", "__value__"}}}, plan.data, /*in_order=*/true);
  client::LoadGenerator generator(std::move(sockets), &workload, context.server->options.clock);
  VARVE_ASSIGN_OR_RETURN(const client::LoadResult result,
                         generator.Run({.requests = plan.data.keys, .pipeline = 200}));
  return result.first_error.empty() ? Status::Ok() : Status::InvalidArgument(result.first_error);
}

Facts KindFacts(const LoadCommand& command, const client::LoadKindResult& result) {
  const Histogram& latency = result.latency_nanos;
  Facts facts;
  facts.Text("command", command.name);
  facts.Count("count", latency.count());
  facts.Count("errors", result.errors);
  facts.Count("nulls", result.nulls);
  facts.Nanos("mean_ns", static_cast<uint64_t>(latency.Mean()));
  facts.Nanos("p50_ns", latency.Percentile(50));
  facts.Nanos("p90_ns", latency.Percentile(90));
  facts.Nanos("p99_ns", latency.Percentile(99));
  facts.Nanos("p999_ns", latency.Percentile(99.9));
  facts.Nanos("p9999_ns", latency.Percentile(99.99));
  facts.Nanos("max_ns", latency.max());
  return facts;
}

void Print(const Context& context, const BenchPlan& plan, const client::LoadResult& result) {
  Facts facts;
  const bool is_open = plan.load.rate > 0;
  facts.Text("loop", is_open ? "open" : "closed");
  facts.Count("connections", plan.connections);
  if (is_open) {
    facts.Count("wanted_per_second", static_cast<uint64_t>(plan.load.rate));
  } else {
    facts.Count("pipeline", plan.load.pipeline);
  }
  facts.Count("requests", result.Count());
  facts.Seconds("seconds", result.elapsed_nanos);
  const double seconds = static_cast<double>(std::max<uint64_t>(result.elapsed_nanos, 1)) / 1e9;
  facts.Count("requests_per_second",
              static_cast<uint64_t>(static_cast<double>(result.Count()) / seconds));
  facts.Bytes("sent_bytes", result.sent_bytes);
  facts.Bytes("received_bytes", result.received_bytes);
  std::vector<Facts> rows;
  for (size_t i = 0; i < plan.commands.size(); ++i) {
    rows.push_back(KindFacts(plan.commands[i], result.kinds[i]));
  }
  facts.Table("latency", std::move(rows));
  facts.Print(context.console, context.json);
}

int Bench(const Context& context) {
  const Result<BenchPlan> plan = PlanFrom(context);
  if (!plan.ok()) return FailUsage(context, plan.status());
  if (plan->fills) {
    if (const Status status = Fill(context, *plan); !status.ok()) return FailToOpen(context, status);
  }
  Result<std::vector<StreamSocket>> sockets = Connections(context, plan->connections);
  if (!sockets.ok()) return FailToOpen(context, sockets.status());
  client::LoadWorkload workload(plan->commands, plan->data);
  client::LoadGenerator generator(*std::move(sockets), &workload, context.server->options.clock);
  const Result<client::LoadResult> result = generator.Run(plan->load);
  if (!result.ok()) return Fail(context, result.status());
  Print(context, *plan, *result);
  if (result->first_error.empty()) return kExitOk;
  return Fail(context, Status::InvalidArgument("the server has answered with errors, first: " +
                                               result->first_error));
}

}  // namespace

std::vector<Command> BenchCommands() {
  return {
      {{.name = "bench",
        .flags = {{"--requests", "N", "how many to send (100000)"},
                  {"--time", "T", "how long to send, such as 10s"},
                  {"--connections", "N", "over how many connections (50)"},
                  {"--pipeline", "N", "closed loop: requests in a batch (1)"},
                  {"--rate", "N", "open loop: requests a second, whatever the answers do"},
                  {"--mix", "M", "get, set, del, incr, ping with weights (get=1,set=1)"},
                  {"--command", "LINE", "this command; __key__ and __value__ are filled in"},
                  {"--keys", "N", "how many different keys (100000)"},
                  {"--key-size", "B", "bytes in a key (16)"},
                  {"--value-size", "B", "bytes in a value (100)"},
                  {"--seed", "N", "of the random choices (1)"},
                  {"--fill", "", "put every key before"}},
        .summary = "Measures a server, this one's or any other that speaks RESP",
        .examples = "varve bench                                   # 50 clients that wait for their answers\n"
                    "varve bench --pipeline 16 --mix set --time 10s\n"
                    "varve bench --rate 20000 --time 30s --fill    # latency at a load, pauses included\n"
                    "varve redis://localhost:6380 bench --command 'APPEND __key__ x' --json\n",
        .details =
            "Closed loop: a client waits for its answers before it asks again. Open loop (--rate): requests\n"
            "are due at fixed moments, and latency counts from then, so that a pause of the server shows in\n"
            "all requests that came due during it. One thread sends: it, and not the server, may be what is\n"
            "at its limit. Percentiles are within 0.4 %.\n",
        .target = Target::kServer},
       Bench},
  };
}

}  // namespace varve::cli
