// What people look at when something is slow or large: SLOWLOG, MONITOR, MEMORY; and MODULE as far as
// clients ask for it.
#include "base/status_macros.h"
#include "resp/number.h"
#include "server/call.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {
namespace {

// --- SLOWLOG.

Status SlowlogGet(Call& call) {
  int64_t count = 10;
  if (call.count() > 3) {
    return call.Error("unknown subcommand or wrong number of arguments for '" + call.Shown(1) +
                      "'. Try SLOWLOG HELP.");
  }
  constexpr std::string_view kBad = "count should be greater than or equal to -1";
  if (call.count() == 3) {
    if (!call.TakeInteger(2, &count, kBad)) return Status::Ok();
    if (count < -1) return call.Error(kBad);
    if (count == -1) count = call.service.slowlog().max_entries();
  }
  const auto entries = call.service.slowlog().Newest(static_cast<size_t>(count));
  call.reply.Array(entries.size());
  for (const Slowlog::Entry& entry : entries) {
    call.reply.Array(6);
    call.reply.Integer(entry.id);
    call.reply.Integer(static_cast<int64_t>(entry.seconds));
    call.reply.Integer(static_cast<int64_t>(entry.micros));
    call.reply.Array(entry.args.size());
    for (const std::string& arg : entry.args) call.reply.Bulk(arg);
    call.reply.Bulk(entry.address);
    call.reply.Bulk(entry.client_name);
  }
  return Status::Ok();
}

Status SlowlogLen(Call& call) {
  return call.Integer(static_cast<int64_t>(call.service.slowlog().size()));
}

Status SlowlogReset(Call& call) {
  call.service.slowlog().Clear();
  return call.Ok();
}

Status Monitor(Call& call) {
  call.session.BeginMonitor();
  return call.Ok();
}

// --- MEMORY.

// Beside key and value: what a node of the memtable and its index take at most.
constexpr int64_t kEntryOverheadBytes = 48;

Status MemoryUsage(Call& call) {
  int64_t samples = 0;
  for (size_t i = 3; i < call.count(); i += 2) {
    if (!call.Is(i, "samples") || i + 1 >= call.count()) return call.SyntaxError();
    if (!call.TakeInteger(i + 1, &samples)) return Status::Ok();
    if (samples < 0) return call.SyntaxError();
  }
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(2)));
  if (!value) {
    call.reply.Null();
    return Status::Ok();
  }
  return call.Integer(static_cast<int64_t>(call.arg(2).size() + value->size()) + kEntryOverheadBytes);
}

Status MemoryStats(Call& call) {
  const Statistics stats = call.service.db()->Stats();
  const net::Counters* const network = call.service.counters();
  const uint64_t clients =
      network == nullptr ? 0 : network->buffer_bytes.load(std::memory_order_relaxed);
  const std::pair<std::string_view, uint64_t> kFields[] = {
      {"total.allocated", stats.memtable_bytes + stats.cache_bytes + stats.index_bytes +
                              stats.iterator_bytes + clients},
      {"clients.normal", clients},
      {"memtables", stats.memtable_bytes},
      {"block.cache", stats.cache_bytes},
      {"indexes", stats.index_bytes},
      {"iterators", stats.iterator_bytes},
      {"keys.count", stats.entry_count}};
  call.reply.Map(std::size(kFields));
  for (const auto& [name, bytes] : kFields) {
    call.reply.Bulk(name);
    call.reply.Integer(static_cast<int64_t>(bytes));
  }
  return Status::Ok();
}

Status MemoryDoctor(Call& call) {
  call.reply.Verbatim("txt", "Memory is bounded by the budget of the store and --client-memory; "
                             "MEMORY STATS shows how it is used.");
  return Status::Ok();
}

// What is not used goes back by itself.
Status MemoryPurge(Call& call) { return call.Ok(); }

Status ModuleList(Call& call) {
  call.reply.Array(0);
  return Status::Ok();
}

Status HelpText(Call& call, std::string_view what) {
  call.reply.Array(1);
  call.reply.Simple(what);
  return Status::Ok();
}
Status SlowlogHelp(Call& call) { return HelpText(call, "SLOWLOG GET [<count>] | LEN | RESET"); }
Status MemoryHelp(Call& call) {
  return HelpText(call, "MEMORY USAGE <key> [SAMPLES <count>] | STATS | DOCTOR | PURGE");
}
Status ModuleHelp(Call& call) { return HelpText(call, "MODULE LIST"); }

CommandSpec Sub(std::string_view name, int arity, std::string_view flags, std::string_view since,
                std::string_view summary, Status (*run)(Call&), std::string_view tips = {}) {
  return CommandSpec{name, arity, flags, "", "", tips, since, "server", summary, run};
}

CommandSpec Container(std::string_view name, std::string_view since, std::string_view summary,
                      std::vector<CommandSpec> subcommands) {
  return {.name = name,
          .arity = -2,
          .since = since,
          .group = "server",
          .summary = summary,
          .subcommands = std::move(subcommands)};
}

}  // namespace

std::vector<CommandSpec> DiagnosticCommands() {
  constexpr std::string_view kAdmin = "admin loading stale";
  constexpr std::string_view kQuiet = "admin noscript loading stale";
  constexpr std::string_view kHelp = "loading stale";
  constexpr std::string_view kAllNodes = "request_policy:all_nodes response_policy:all_succeeded";
  constexpr std::string_view kShards =
      "nondeterministic_output request_policy:all_shards response_policy:special";
  return {
      Container("slowlog", "2.2.12", "The commands that took longest",
                {Sub("get", -2, kAdmin, "2.2.12", "Returns the newest of them", SlowlogGet,
                     "request_policy:all_nodes nondeterministic_output"),
                 Sub("len", 2, kAdmin, "2.2.12", "Counts them", SlowlogLen,
                     "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"),
                 Sub("reset", 2, kAdmin, "2.2.12", "Forgets them", SlowlogReset, kAllNodes),
                 Sub("help", 2, kHelp, "6.2.0", "Helps", SlowlogHelp)}),
      {"monitor", 1, kQuiet, "", "", "", "1.0.0", "server", "Shows every command that is executed", Monitor},
      Container("memory", "4.0.0", "How memory is used",
                {{"usage", -3, "readonly", "", "RO@2:0,1", "", "4.0.0", "server",
                  "Estimates what a key and its value take", MemoryUsage},
                 Sub("stats", 2, "", "4.0.0", "Shows what memory is used for", MemoryStats, kShards),
                 Sub("doctor", 2, "", "4.0.0", "Says what bounds the use of memory", MemoryDoctor, kShards),
                 Sub("purge", 2, "", "4.0.0", "Accepted, without effect", MemoryPurge,
                     "request_policy:all_shards response_policy:all_succeeded"),
                 Sub("help", 2, kHelp, "4.0.0", "Helps", MemoryHelp)}),
      Container("module", "4.0.0", "There are no modules",
                {Sub("list", 2, "admin noscript", "4.0.0", "Returns nothing", ModuleList,
                     "nondeterministic_output_order"),
                 Sub("help", 2, kHelp, "5.0.0", "Helps", ModuleHelp)}),
  };
}

}  // namespace varve::server
