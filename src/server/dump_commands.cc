// DUMP and RESTORE: values on their way from one server to another.
#include "base/status_macros.h"
#include "server/call.h"
#include "server/rdb_string.h"
#include "server/service.h"

namespace varve::server {
namespace {

Status Dump(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(1)));
  if (value) {
    call.reply.Bulk(DumpString(value->view()));
  } else {
    call.reply.Null();
  }
  return Status::Ok();
}

struct RestoreOptions {
  bool replaces = false;
  bool is_absolute = false;
};

// IDLETIME and FREQ are checked and not kept. False after replying an error.
bool ParseOptions(Call& call, RestoreOptions* options) {
  int64_t idle = -1;
  int64_t frequency = -1;
  const auto refuse = [&](std::string_view why) {
    static_cast<void>(call.Error(why));
    return false;
  };
  for (size_t i = 4; i < call.count(); ++i) {
    const bool has_value = i + 1 < call.count();
    if (call.Is(i, "replace")) {
      options->replaces = true;
    } else if (call.Is(i, "absttl")) {
      options->is_absolute = true;
    } else if (call.Is(i, "idletime") && has_value && frequency == -1) {
      if (!call.TakeInteger(++i, &idle)) return false;
      if (idle < 0) return refuse("Invalid IDLETIME value, must be >= 0");
    } else if (call.Is(i, "freq") && has_value && idle == -1) {
      if (!call.TakeInteger(++i, &frequency)) return false;
      if (frequency < 0 || frequency > 255) {
        return refuse("Invalid FREQ value, must be >= 0 and <= 255");
      }
    } else {
      return refuse("syntax error");
    }
  }
  return true;
}

Status Restore(Call& call) {
  RestoreOptions options;
  if (!ParseOptions(call, &options)) return Status::Ok();
  const std::string_view key = call.arg(1);
  VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(key));
  if (is_present && !options.replaces) {
    call.reply.Error("BUSYKEY Target key name already exists.");
    return Status::Ok();
  }
  int64_t ttl = 0;
  if (!call.TakeInteger(2, &ttl)) return Status::Ok();
  if (ttl < 0) return call.Error("Invalid TTL value, must be >= 0");
  if (!IsWholeDump(call.arg(3))) return call.Error("DUMP payload version or checksum are wrong");
  const std::optional<std::string> value =
      RestoreString(call.arg(3), static_cast<size_t>(call.service.max_bulk_bytes()));
  if (!value) return call.Error("Bad data format");
  const uint64_t base = options.is_absolute ? 0 : call.now;
  const uint64_t expire_at = ttl == 0 ? 0 : static_cast<uint64_t>(ttl) + base;
  if (expire_at != 0 && expire_at <= call.now) {
    if (!is_present) return call.Ok();
    VARVE_RETURN_IF_ERROR(call.Delete(key));
    call.Notify(kEventGeneric, "del", key);
    return call.Ok();
  }
  VARVE_RETURN_IF_ERROR(call.Put(key, *value, expire_at));
  call.Notify(kEventGeneric, "restore", key);
  return call.Ok();
}

}  // namespace

std::vector<CommandSpec> DumpCommands() {
  return {
      {"dump", 2, "readonly", "keyspace", "RO access@1:0,1", "nondeterministic_output", "2.6.0",
       "generic", "Returns a value as RESTORE takes it", Dump},
      {"restore", -4, "write denyoom", "keyspace dangerous", "OW update@1:0,1", "", "2.6.0", "generic",
       "Sets a value from what DUMP has returned, by this server or by Redis", Restore, true},
  };
}

}  // namespace varve::server
