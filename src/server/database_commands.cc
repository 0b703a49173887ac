// Whole databases.
#include "base/status_macros.h"
#include "server/call.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {
namespace {

Status SwapDb(Call& call) {
  int a = 0;
  int b = 0;
  if (!call.TakeInt(1, &a, "invalid first DB index")) return Status::Ok();
  if (!call.TakeInt(2, &b, "invalid second DB index")) return Status::Ok();
  const int count = call.service.databases().count();
  if (a < 0 || a >= count || b < 0 || b >= count) return call.Error("DB index is out of range");
  if (a != b) {
    call.session.NoteWrite();
    VARVE_RETURN_IF_ERROR(call.service.databases().Swap(call.session.loop_index(), a, b));
    call.NotifyOfMany();
  }
  return call.Ok();
}

// ASYNC and SYNC: here it is the same.
bool CheckFlushMode(Call& call) {
  if (call.count() == 1) return true;
  if (call.count() == 2 && (call.Is(1, "async") || call.Is(1, "sync"))) return true;
  static_cast<void>(call.SyntaxError());
  return false;
}

Status FlushDb(Call& call) {
  if (!CheckFlushMode(call)) return Status::Ok();
  VARVE_RETURN_IF_ERROR(call.Clear(call.space()));
  call.NotifyOfMany();
  return call.Ok();
}

Status FlushAll(Call& call) {
  if (!CheckFlushMode(call)) return Status::Ok();
  for (int i = 0; i < call.service.databases().count(); ++i) {
    VARVE_ASSIGN_OR_RETURN(Namespace* const space, call.service.databases().Find(i));
    if (space != nullptr) VARVE_RETURN_IF_ERROR(call.Clear(*space));
  }
  call.NotifyOfMany();
  return call.Ok();
}

}  // namespace

std::vector<CommandSpec> DatabaseCommands() {
  constexpr std::string_view kAll = "request_policy:all_shards response_policy:all_succeeded";
  return {
      // Which database is which cannot change within a transaction.
      {"swapdb", 3, "write fast !no_multi", "keyspace dangerous", "", "", "4.0.0", "server",
       "Exchanges two databases, in constant time", SwapDb},
      {"flushdb", -1, "write", "keyspace dangerous", "", kAll, "1.0.0", "server",
       "Deletes all keys of the database, in constant time", FlushDb},
      {"flushall", -1, "write", "keyspace dangerous", "", kAll, "1.0.0", "server",
       "Deletes all keys of all databases, in constant time", FlushAll, true},
  };
}

}  // namespace varve::server
