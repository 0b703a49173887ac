// What the store says of itself, and copies of it: V.STATS, V.EXPLAIN, V.BACKUP.
#include "base/status_macros.h"
#include "server/call.h"
#include "server/info.h"
#include "server/service.h"

namespace varve::server {
namespace {

Status Stats(Call& call) {
  if (call.count() > 2 || (call.count() == 2 && !call.Is(1, "prometheus"))) return call.SyntaxError();
  const bool is_prometheus = call.count() == 2;
  std::string text =
      call.service.db()->GetProperty(is_prometheus ? "varve.prometheus" : "varve.stats").value_or("");
  if (is_prometheus) text.append(PrometheusText(call.service));
  call.reply.Verbatim("txt", text);
  return Status::Ok();
}

// What a GET of the key would look at, and what answers it.
Status Explain(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const Explanation explanation, call.space().Explain(call.arg(1)));
  call.reply.Verbatim("txt", explanation.ToString());
  return Status::Ok();
}

// V.BACKUP START name [SINCE name] [RATE bytes-per-second]
Status BackupStart(Call& call) {
  Backups::Request request{.name = std::string(call.arg(2))};
  for (size_t i = 3; i < call.count(); i += 2) {
    if (i + 1 == call.count()) return call.SyntaxError();
    if (call.Is(i, "since")) {
      request.since = call.arg(i + 1);
    } else if (call.Is(i, "rate")) {
      int64_t rate = 0;
      if (!call.TakeInteger(i + 1, &rate)) return Status::Ok();
      if (rate < 0) return call.Error("RATE can't be negative");
      request.bytes_per_second = static_cast<uint64_t>(rate);
    } else {
      return call.SyntaxError();
    }
  }
  const Status status = call.service.backups().Start(request);
  if (!status.ok()) return call.Error(status.message());
  call.reply.Simple("Backup started");
  return Status::Ok();
}

Status BackupAbort(Call& call) { return call.Integer(call.service.backups().Abort() ? 1 : 0); }

Status BackupStatus(Call& call) {
  const Backups::State state = call.service.backups().state();
  call.reply.Map(5);
  call.reply.Bulk("running");
  call.reply.Integer(state.is_running ? 1 : 0);
  call.reply.Bulk("name");
  call.reply.Bulk(state.name);
  call.reply.Bulk("done_bytes");
  call.reply.Integer(static_cast<int64_t>(state.done_bytes));
  call.reply.Bulk("total_bytes");
  call.reply.Integer(static_cast<int64_t>(state.total_bytes));
  call.reply.Bulk("error");
  call.reply.Bulk(state.error);
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> StoreCommands() {
  return {
      {"v.stats", -1, "loading stale", "dangerous", "", "nondeterministic_output", "0.1.0", "server",
       "Returns the figures of the store, for people or for Prometheus", Stats},
      {"v.explain", 2, "readonly !no_multi", "keyspace", "RO access@1:0,1", "nondeterministic_output", "0.1.0",
       "generic", "Says what a GET of a key looks at, and what answers it", Explain},
      {.name = "v.backup",
       .arity = -2,
       .since = "0.1.0",
       .group = "server",
       .summary = "Copies of the store in the server's directory for them",
       .subcommands = {
           {"start", -3, "admin noscript !no_multi", "", "", "", "0.1.0", "server",
            "Begins a backup, in a thread of its own", BackupStart},
           {"status", 2, "admin noscript", "", "", "nondeterministic_output", "0.1.0", "server",
            "Says how far it is, or how the last one ended", BackupStatus},
           {"abort", 2, "admin noscript !no_multi", "", "", "", "0.1.0", "server",
            "Ends the one that is running", BackupAbort},
       }},
  };
}

}  // namespace varve::server
