// What the store says of itself: V.STATS.
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

}  // namespace

std::vector<CommandSpec> StoreCommands() {
  return {
      {"v.stats", -1, "loading stale", "dangerous", "", "nondeterministic_output", "0.1.0", "server",
       "Returns the figures of the store, for people or for Prometheus", Stats},
  };
}

}  // namespace varve::server
