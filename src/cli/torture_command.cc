// 'varve torture': campaigns against the promises of a store, a server and a simulated cluster.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "cli/campaign_report.h"
#include "cli/commands.h"
#include "cli/disk.h"
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
  TortureRequest request;
  VARVE_ASSIGN_OR_RETURN(request.first_seed, NumberOf(context, "--seed", 0, 0, kAny));
  if (context.arguments.Has("--seconds")) {
    VARVE_ASSIGN_OR_RETURN(request.seconds, NumberOf(context, "--seconds", 1, 1, 1'000'000));
  }
  VARVE_ASSIGN_OR_RETURN(request.seeds, NumberOf(context, "--seeds", request.seconds > 0 ? kAny : 1, 1, kAny));
  VARVE_ASSIGN_OR_RETURN(const uint64_t nodes, NumberOf(context, "--nodes", request.nodes, 1, 20));
  request.nodes = static_cast<uint32_t>(nodes);
  VARVE_ASSIGN_OR_RETURN(request.simulate, NumberOf(context, "--simulate", request.simulate, 1, 3600));
  request.profile = context.arguments.Value("--profile").value_or("");
  request.schedule_file = context.arguments.Value("--schedule").value_or("");
  return request;
}

std::string ReplayOf(const TortureRequest& request, uint64_t seed) {
  return "varve torture cluster --seed " + std::to_string(seed) + " --nodes " + std::to_string(request.nodes) +
         " --simulate " + std::to_string(request.simulate) +
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
  facts.Text("profiles", figures.profiles);
  facts.Text("trace", std::to_string(figures.trace));
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

int TortureCluster(const Context& context) {
  const Result<TortureRequest> request = RequestFrom(context);
  if (!request.ok()) return FailUsage(context, request.status());
  const uint64_t started_at = context.console.now_nanos();
  Result<TortureResult> result = Status::Ok();
  {
    Progress progress(context.console, Progress::Words{"torturing", "ran"}, request->seconds > 0 ? 0 : request->seeds, false);
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

bool IsCampaign(std::string_view name) {
  return name == "all" || std::find(std::begin(kCampaignNames), std::end(kCampaignNames), name) != std::end(kCampaignNames);
}

Result<CampaignRequest> CampaignsFrom(const Context& context) {
  CampaignRequest request;
  request.name = context.arguments.operands()[0];
  if (!IsCampaign(request.name)) {
    std::string known;
    for (const std::string_view name : kCampaignNames) known += std::string(name) + ", ";
    return Status::InvalidArgument("torture knows " + known + "all and certify-disk, not '" + request.name + "'");
  }
  if (context.arguments.operands().size() > 1) return Status::InvalidArgument("only certify-disk takes an operand");
  for (const char* flag : {"--nodes", "--profile", "--simulate"}) {
    if (!context.arguments.Has(flag)) continue;
    return Status::InvalidArgument(std::string(flag) + " is for 'cluster' without --report, --dir and --whole");
  }
  VARVE_ASSIGN_OR_RETURN(request.first_seed, NumberOf(context, "--seed", 1, 0, kAny));
  if (context.arguments.Has("--seeds")) {
    VARVE_ASSIGN_OR_RETURN(request.seeds, NumberOf(context, "--seeds", 1, 1, kAny));
  }
  const uint64_t seconds = request.name == "all" ? 60 : 10;
  VARVE_ASSIGN_OR_RETURN(request.seconds, NumberOf(context, "--seconds", seconds, 1, 1'000'000));
  // Whoever says how many seeds wants them all.
  if (request.seeds > 0 && !context.arguments.Has("--seconds")) request.seconds = 1'000'000;
  // Not $VARVE_DIR: that is a store.
  request.dir = context.arguments.Value("--dir").value_or(".");
  request.report = context.arguments.Value("--report").value_or("");
  request.schedule_file = context.arguments.Value("--schedule").value_or("");
  request.whole = context.arguments.Has("--whole");
  if (request.name == "all" && !request.schedule_file.empty()) {
    return Status::InvalidArgument("a schedule is of one campaign");
  }
  return request;
}

// The line of a campaign under way, on a terminal and at most ten times a second.
class StatusLine {
 public:
  explicit StatusLine(const Console& console) : console_(console) {}
  ~StatusLine() {
    if (is_drawn_) console_.err << "\r\x1b[K" << std::flush;
  }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  void Show(const CampaignRow& row) {
    constexpr uint64_t kTenth = 100'000'000;
    const uint64_t now = console_.now_nanos();
    if (!console_.err_is_terminal || (is_drawn_ && now - drawn_at_ < kTenth)) return;
    is_drawn_ = true;
    drawn_at_ = now;
    console_.err << "\r" << CampaignLine(row, console_.width) << "\x1b[K" << std::flush;
  }

 private:
  const Console& console_;
  uint64_t drawn_at_ = 0;
  bool is_drawn_ = false;
};

int RunThem(const Context& context) {
  const Result<CampaignRequest> request = CampaignsFrom(context);
  if (!request.ok()) return FailUsage(context, request.status());
  Result<std::vector<CampaignRow>> rows = Status::Ok();
  {
    StatusLine line(context.console);
    rows = context.backend.campaigns(*request, [&line](const CampaignRow& row) { line.Show(row); });
  }
  if (!rows.ok()) return Fail(context, rows.status());
  PrintCampaigns(context.console, context.json, *rows);
  const auto broken = std::find_if(rows->begin(), rows->end(), [](const CampaignRow& row) { return row.violation.has_value(); });
  if (broken == rows->end()) return kExitOk;
  PrintError(context.console, context.json,
             Status::Corruption(broken->name + ": seed " + std::to_string(broken->violation->seed) + " breaks the promise"),
             (broken->violation->races ? "the same operations again: " : "the same again: ") + ReplayOf(*broken));
  return kExitCorruption;
}

constexpr std::string_view TortureDetails() {
  return "WHAT is a campaign, all of them, or certify-disk. Each seed is a run of its own, held against\n"
         "an oracle outside of what is attacked:\n"
         "  engine        random operations and options against a map, in memory\n"
         "  crash         a process that writes on the disk of --dir, killed with kill -9\n"
         "  power         power cuts at I/O calls, on a disk in memory that loses, keeps and tears\n"
         "  disk-full     space comes and goes, and the process with it, in memory\n"
         "  io-errors     calls of the file system that fail, with syncs that lie among them, in memory\n"
         "  bit-rot       flipped bytes, zeroed and cut files: an error or the truth, in memory\n"
         "  concurrency   histories of threads, checked for linearizability, in --dir\n"
         "  transactions  interleaved transactions, checked for cycles of dependencies, and a bank\n"
         "  ttl           deadlines under a clock that jumps\n"
         "  server        histories of clients of a server that is killed under them, in --dir\n"
         "  cluster       simulated clusters: a network that loses, doubles, delays and cuts, disks and\n"
         "                clocks that fail, machines that join and leave\n"
         "Nothing in --dir is touched but a directory that it makes there and removes. Of a seed that\n"
         "fails the schedule is cut down to the lines that it takes, and stays there, with the files of the\n"
         "last run that failed. certify-disk says what a sync costs, whether it can be trusted as far as a\n"
         "program can tell, and what may tear.\n"
         "Exit code 0: all is well; 6: a promise is broken.\n";
}

int Torture(const Context& context) {
  const std::string& what = context.arguments.operands()[0];
  if (what == "certify-disk") return PrintDisk(context);
  // With a flag that campaigns alone have it is one of them.
  const bool is_plain = !context.arguments.Has("--report") && !context.arguments.Has("--dir") && !context.arguments.Has("--whole");
  return what == "cluster" && is_plain ? TortureCluster(context) : RunThem(context);
}

}  // namespace

std::vector<Command> TortureCommands() {
  return {
      {{.name = "torture",
        .operands = "WHAT [DIR]",
        .min_operands = 1,
        .max_operands = 2,
        .flags = {{"--seed", "S", "the first seed (1; cluster: 0)"},
                  {"--seeds", "K", "how many seeds (as many as there is time for; cluster with neither: 1)"},
                  {"--seconds", "T", "begin no seed after so long (10; all: 60)"},
                  {"--schedule", "FILE", "the lines of this file instead of those of the seed"},
                  {"--report", "FILE", "a page of HTML: counts, time line, history of a violation"},
                  {"--whole", "", "of a violation, do not cut the schedule down"},
                  {"--nodes", "N", "cluster: machines, at most (5)"},
                  {"--simulate", "T", "cluster: so many simulated seconds of each world have faults (5)"},
                  {"--profile", "NAME", "cluster: one kind of world, as moves or namespaces; ? lists them"}},
        .summary = "Attacks the promises with operations and faults by chance",
        .examples = "varve torture all --seconds 600 --report proof.html\n"
                    "varve torture crash --dir /var/lib --seconds 3600      # kill -9 on that disk\n"
                    "varve torture power --seed 17 --seeds 1                # the same again\n"
                    "varve torture engine --seed 17 --schedule lines.txt --json\n"
                    "varve torture cluster --seeds 100\n"
                    "varve torture certify-disk /var/lib/varve\n",
        .details = TortureDetails(),
        .target = Target::kNone},
       Torture},
  };
}

}  // namespace varve::cli
