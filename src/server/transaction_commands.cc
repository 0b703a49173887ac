// MULTI and its family. What is queued runs as one serializable transaction of the store.
#include "base/status_macros.h"
#include "server/call.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {
namespace {

Status Multi(Call& call) {
  if (call.session.is_queueing()) return call.Error("MULTI calls can not be nested");
  call.session.BeginQueue();
  return call.Ok();
}

Status Exec(Call& call) {
  if (!call.session.is_queueing()) return call.Error("EXEC without MULTI");
  return call.session.Execute(&call.reply);
}

Status Discard(Call& call) {
  if (!call.session.is_queueing()) return call.Error("DISCARD without MULTI");
  call.session.DropQueue();
  return call.Ok();
}

Status WatchKeys(Call& call) {
  if (call.session.is_queueing()) return call.Error("WATCH inside MULTI is not allowed");
  const std::vector<std::string_view> keys(call.args.begin() + 1, call.args.end());
  VARVE_RETURN_IF_ERROR(call.session.WatchKeys(&call.space(), keys));
  return call.Ok();
}

Status Unwatch(Call& call) {
  // Within EXEC the keys have been looked at already.
  if (call.transaction == nullptr) call.session.Unwatch();
  return call.Ok();
}

}  // namespace

std::vector<CommandSpec> TransactionCommands() {
  constexpr std::string_view kFlags = "noscript loading stale fast allow_busy";
  return {
      {"multi", 1, kFlags, "transaction", "", "", "1.2.0", "transactions",
       "Queues the commands that follow", Multi},
      {"exec", 1, "noscript loading stale skip_slowlog", "transaction", "", "", "1.2.0",
       "transactions", "Executes what is queued, in one step", Exec},
      {"discard", 1, kFlags, "transaction", "", "", "2.0.0", "transactions",
       "Forgets what is queued", Discard},
      {"watch", -2, kFlags, "transaction", "RO@1:-1,1", "", "2.2.0", "transactions",
       "Lets EXEC do nothing if keys change before it", WatchKeys},
      {"unwatch", 1, kFlags, "transaction", "", "", "2.2.0", "transactions",
       "Forgets what is watched", Unwatch},
  };
}

}  // namespace varve::server
