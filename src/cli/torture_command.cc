// 'varve torture': a simulated cluster under faults, in one process and without any files.
#include <limits>
#include <utility>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/progress.h"

namespace varve::cli {
namespace {

constexpr uint64_t kAny = std::numeric_limits<uint64_t>::max() / 2;

Result<uint64_t> NumberOf(const Context& context, std::string_view flag, uint64_t fallback, uint64_t min, uint64_t max) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> number, context.arguments.Number(flag));
  const uint64_t value = number.value_or(fallback);
  if (value >= min && value <= max) return value;
  return Status::InvalidArgument(std::string(flag) + " takes a number from " + std::to_string(min) + " to " +
                                 std::to_string(max));
}

Result<TortureRequest> RequestFrom(const Context& context) {
  if (context.arguments.operands()[0] != "cluster") {
    return Status::InvalidArgument("torture knows 'cluster', not '" + context.arguments.operands()[0] + "'");
  }
  TortureRequest request;
  VARVE_ASSIGN_OR_RETURN(request.first_seed, NumberOf(context, "--seed", 0, 0, kAny));
  VARVE_ASSIGN_OR_RETURN(request.seeds, NumberOf(context, "--seeds", 1, 1, kAny));
  VARVE_ASSIGN_OR_RETURN(const uint64_t nodes, NumberOf(context, "--nodes", request.nodes, 1, 20));
  request.nodes = static_cast<uint32_t>(nodes);
  VARVE_ASSIGN_OR_RETURN(request.seconds, NumberOf(context, "--seconds", request.seconds, 1, 3600));
  request.profile = context.arguments.Value("--profile").value_or("");
  request.schedule_file = context.arguments.Value("--schedule").value_or("");
  return request;
}

std::string ReplayOf(const TortureRequest& request, uint64_t seed) {
  return "varve torture cluster --seed " + std::to_string(seed) + " --nodes " + std::to_string(request.nodes) +
         " --seconds " + std::to_string(request.seconds) +
         (request.profile.empty() ? "" : " --profile " + request.profile) +
         (request.schedule_file.empty() ? "" : " --schedule " + request.schedule_file);
}

void Print(const Context& context, const TortureRequest& request, const TortureResult& result, uint64_t nanos) {
  Facts facts;
  const TortureFigures& figures = result.figures;
  facts.Count("seeds", figures.seeds);
  facts.Seconds("simulated_seconds", figures.simulated_nanos);
  facts.Seconds("seconds", nanos);
  facts.Count("events", figures.events);
  facts.Count("requests", figures.requests);
  facts.Count("acknowledged_writes", figures.writes);
  facts.Count("answered_reads", figures.reads);
  facts.Count("topologies", figures.topologies);
  if (result.failure) {
    facts.Count("seed", result.failure->seed);
    facts.Text("violation", result.failure->violation);
    facts.Text("cluster", result.failure->cluster);
    facts.Count("faults", result.failure->faults);
    facts.Count("faults_before", result.failure->faults_before);
    facts.Text("schedule", result.failure->schedule);
    facts.Text("replay", ReplayOf(request, result.failure->seed));
  }
  facts.Print(context.console, context.json);
}

int Torture(const Context& context) {
  const Result<TortureRequest> request = RequestFrom(context);
  if (!request.ok()) return FailUsage(context, request.status());
  const uint64_t started_at = context.console.now_nanos();
  Result<TortureResult> result = Status::Ok();
  {
    Progress progress(context.console, Progress::Words{"torturing", "ran"}, request->seeds, false);
    result = context.backend.torture(*request, [&progress](const TortureFigures& figures) {
      progress.Update(figures.seeds, figures.seeds);
    });
  }
  if (!result.ok()) return Fail(context, result.status());
  Print(context, *request, *result, context.console.now_nanos() - started_at);
  if (!result->failure) return kExitOk;
  PrintError(context.console, context.json,
             Status::Corruption("seed " + std::to_string(result->failure->seed) + " breaks an invariant"),
             "the same again: " + ReplayOf(*request, result->failure->seed));
  return kExitCorruption;
}

}  // namespace

std::vector<Command> TortureCommands() {
  return {
      {{.name = "torture",
        .operands = "cluster",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {{"--seed", "S", "the first seed (0)"},
                  {"--seeds", "K", "how many seeds, until one fails (1)"},
                  {"--nodes", "N", "machines of a cluster, at most (5)"},
                  {"--seconds", "T", "simulated seconds with faults, of each seed (5)"},
                  {"--profile", "NAME", "worlds of one kind: mixed, hints, repair, floors, moves, news, strays, versions, restored"},
                  {"--schedule", "FILE", "these faults instead of those of the seed"}},
        .summary = "Simulates clusters under faults, and checks what their clients were told",
        .examples = "varve torture cluster --seeds 100\n"
                    "varve torture cluster --seed 17               # the same again, event for event\n"
                    "varve torture cluster --seed 17 --schedule faults.txt --json\n",
        .details = "Each seed is a cluster of its own, in this process alone: nodes, clients, a network that loses,\n"
                   "doubles, delays and cuts, disks and clocks that fail, a topology store that stalls, and machines\n"
                   "that join and leave. Simulated time passes as fast as the processor allows. What clients were told\n"
                   "is held against what is stored; then the faults end, and all replicas must become equal. Of a seed\n"
                   "that fails the faults are cut down to those that it takes: one a line, with its kind, begin and\n"
                   "length in nanoseconds, two machines, and an amount. --schedule reads such lines.\n"
                   "Exit code 0: all is well; 6: a seed breaks an invariant.\n",
        .target = Target::kNone},
       Torture},
  };
}

}  // namespace varve::cli
