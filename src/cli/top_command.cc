// 'varve top': a picture of a server that moves.
#include <algorithm>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "cli/top_frame.h"

namespace varve::cli {
namespace {

constexpr std::string_view kOtherScreen = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kFirstScreen = "\x1b[?25h\x1b[?1049l";

struct TopPlan {
  uint64_t interval_millis = 1000;
  uint64_t count = 0;  // 0: until told to end
};

Result<TopPlan> PlanFrom(const Context& context) {
  TopPlan plan;
  if (const auto text = context.arguments.Value("--interval")) {
    const std::optional<uint64_t> millis = ParseDuration(*text);
    constexpr uint64_t kMost = 3'600'000;
    if (!millis || *millis == 0 || *millis > kMost) {
      return Status::InvalidArgument("--interval takes a time up to an hour, such as 500ms or 2s");
    }
    plan.interval_millis = *millis;
  }
  VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> count, context.arguments.Number("--count"));
  plan.count = count.value_or(0);
  return plan;
}

Result<TopSample> Look(const Context& context, client::Client& client) {
  VARVE_ASSIGN_OR_RETURN(const client::Reply info, client.Call({"INFO", "everything"}));
  return TopSample{context.console.now_nanos(), ServerInfo(info.text)};
}

// Waits; true: a key asks for the end.
bool Wait(const Context& context, const TopPlan& plan) {
  Terminal* const terminal = context.console.terminal;
  if (terminal == nullptr) {
    context.server->options.clock->SleepNanos(plan.interval_millis * 1'000'000);
    return false;
  }
  const std::optional<std::string> keys = terminal->Read(static_cast<int>(plan.interval_millis));
  return !keys || keys->find_first_of("qQ\x03\x04\x1b") != keys->npos;
}

void Draw(Terminal& terminal, const std::vector<std::string>& lines) {
  std::string frame = "\x1b[H";
  for (const std::string& line : lines) frame.append(line).append("\x1b[K\r\n");
  terminal.Write(frame.append("\x1b[J"));
}

Status Loop(const Context& context, const TopPlan& plan, client::Client& client) {
  const Console& console = context.console;
  VARVE_ASSIGN_OR_RETURN(TopSample before, Look(context, client));
  for (uint64_t i = 0; plan.count == 0 || i < plan.count; ++i) {
    if (Wait(context, plan)) break;
    VARVE_ASSIGN_OR_RETURN(TopSample now, Look(context, client));
    const TopFigures figures = FiguresOf(before, now);
    if (console.terminal != nullptr) {
      // Other servers may have no slow log, or hide it: then there is none to show.
      VARVE_ASSIGN_OR_RETURN(const auto slow, client.Run({{"SLOWLOG", "GET", "5"}}));
      // The last row stays free, so that nothing scrolls.
      const size_t rows = std::max<size_t>(console.terminal->rows(), 2) - 1;
      Draw(*console.terminal, TopLines(client.name(), now, figures, slow[0], console,
                                       console.terminal->columns(), rows));
    } else {
      TopFacts(figures).Print(console, context.json);
      console.out << std::flush;
    }
    before = std::move(now);
  }
  return Status::Ok();
}

int Top(const Context& context) {
  const Result<TopPlan> plan = PlanFrom(context);
  if (!plan.ok()) return FailUsage(context, plan.status());
  const Result<std::unique_ptr<client::Client>> client = ConnectTo(context);
  if (!client.ok()) return FailToOpen(context, client.status());
  Terminal* const terminal = context.console.terminal;
  if (terminal != nullptr) {
    terminal->BeginKeys();
    terminal->Write(kOtherScreen);
  }
  const Status status = Loop(context, *plan, **client);
  if (terminal != nullptr) {
    terminal->Write(kFirstScreen);
    terminal->EndKeys();
  }
  return status.ok() ? kExitOk : Fail(context, status);
}

}  // namespace

std::vector<Command> TopCommands() {
  return {
      {{.name = "top",
        .flags = {{"--interval", "T", "between two looks (1s)"},
                  {"--count", "N", "end after so many"}},
        .summary = "Shows what a server does, again and again; q ends it",
        .examples = "varve top\n"
                    "varve top --interval 5s --count 12 --json     # a minute, as lines of JSON\n",
        .details = "Rates are those since the look before. Percentiles of commands are what the server says of all\n"
                   "its time; one that says none shows none.\n",
        .target = Target::kServer},
       Top},
  };
}

}  // namespace varve::cli
