// Keys: whatever their values are.
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "resp/number.h"
#include "server/call.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {

std::string_view EncodingOf(std::string_view value) {
  // Values that Redis would keep in one piece with their header.
  constexpr size_t kMaxEmbedded = 44;
  if (resp::ParseInteger(value)) return "int";
  return value.size() <= kMaxEmbedded ? "embstr" : "raw";
}

namespace {

Status Del(Call& call) {
  int64_t count = 0;
  for (size_t i = 1; i < call.count(); ++i) {
    VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(call.arg(i)));
    if (!is_present) continue;
    VARVE_RETURN_IF_ERROR(call.Delete(call.arg(i)));
    call.Notify(kEventGeneric, "del", call.arg(i));
    ++count;
  }
  return call.Integer(count);
}

Status Exists(Call& call) {
  // Several keys as of one moment.
  if (call.count() > 2 && call.transaction == nullptr) return call.NeedTransaction();
  int64_t count = 0;
  for (size_t i = 1; i < call.count(); ++i) {
    VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(call.arg(i)));
    count += is_present ? 1 : 0;
  }
  return call.Integer(count);
}

Status Type(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(call.arg(1)));
  call.reply.Simple(is_present ? "string" : "none");
  return Status::Ok();
}

Status RenameTo(Call& call, bool if_absent) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, call.Find(call.arg(1)));
  if (!entry) return call.Error("no such key");
  if (call.arg(1) == call.arg(2)) return if_absent ? call.Integer(0) : call.Ok();
  if (if_absent) {
    VARVE_ASSIGN_OR_RETURN(const bool is_taken, call.Exists(call.arg(2)));
    if (is_taken) return call.Integer(0);
  }
  if (!VARVE_PLANTED_BUG("server.rename_keeps_source")) VARVE_RETURN_IF_ERROR(call.Delete(call.arg(1)));
  VARVE_RETURN_IF_ERROR(call.Put(call.arg(2), entry->value, entry->expire_at));
  call.Notify(kEventGeneric, "rename_from", call.arg(1));
  call.Notify(kEventGeneric, "rename_to", call.arg(2));
  return if_absent ? call.Integer(1) : call.Ok();
}
Status Rename(Call& call) { return RenameTo(call, false); }
Status RenameNx(Call& call) { return RenameTo(call, true); }

constexpr std::string_view kSameObject = "source and destination objects are the same";

Status Copy(Call& call) {
  int target = call.session.database();
  bool replaces = false;
  for (size_t i = 3; i < call.count(); ++i) {
    if (call.Is(i, "replace")) {
      replaces = true;
    } else if (call.Is(i, "db") && i + 1 < call.count()) {
      if (!call.TakeDatabase(++i, &target)) return Status::Ok();
    } else {
      return call.SyntaxError();
    }
  }
  const bool is_here = target == call.session.database();
  if (is_here && call.arg(1) == call.arg(2)) return call.Error(kSameObject);
  VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, call.Find(call.arg(1)));
  if (!entry) return call.Integer(0);
  VARVE_ASSIGN_OR_RETURN(Namespace* const space, call.service.databases().Get(target));
  VARVE_ASSIGN_OR_RETURN(const bool is_taken, call.Exists(*space, call.arg(2)));
  if (is_taken && !replaces) return call.Integer(0);
  VARVE_RETURN_IF_ERROR(call.Put(*space, call.arg(2), entry->value, entry->expire_at));
  call.NotifyIn(kEventGeneric, "copy_to", call.arg(2), target);
  return call.Integer(1);
}

Status Move(Call& call) {
  int target = 0;
  if (!call.TakeDatabase(2, &target)) return Status::Ok();
  if (target == call.session.database()) return call.Error(kSameObject);
  VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, call.Find(call.arg(1)));
  if (!entry) return call.Integer(0);
  VARVE_ASSIGN_OR_RETURN(Namespace* const space, call.service.databases().Get(target));
  VARVE_ASSIGN_OR_RETURN(const bool is_taken, call.Exists(*space, call.arg(1)));
  if (is_taken) return call.Integer(0);
  VARVE_RETURN_IF_ERROR(call.Put(*space, call.arg(1), entry->value, entry->expire_at));
  VARVE_RETURN_IF_ERROR(call.Delete(call.arg(1)));
  call.Notify(kEventGeneric, "move_from", call.arg(1));
  call.NotifyIn(kEventGeneric, "move_to", call.arg(1), target);
  return call.Integer(1);
}

// --- OBJECT.

// Numbers that Redis has ready, and their number of references.
constexpr int64_t kSharedNumbers = 10000;
constexpr int64_t kSharedReferences = 2147483647;

Status ObjectEncoding(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(2)));
  if (!value) {
    call.reply.Null();
  } else {
    call.reply.Bulk(EncodingOf(value->view()));
  }
  return Status::Ok();
}

Status ObjectRefCount(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(2)));
  if (!value) {
    call.reply.Null();
    return Status::Ok();
  }
  const std::optional<int64_t> number = resp::ParseInteger(value->view());
  const bool is_shared = number && *number >= 0 && *number < kSharedNumbers;
  return call.Integer(is_shared ? kSharedReferences : 1);
}

// Not kept.
Status ObjectIdleTime(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(call.arg(2)));
  if (is_present) return call.Integer(0);
  call.reply.Null();
  return Status::Ok();
}

Status ObjectFreq(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(call.arg(2)));
  if (is_present) {
    return call.Error("An LFU maxmemory policy is not selected, access frequency not tracked. Please "
                      "note that when switching between policies at runtime LRU and LFU data will "
                      "take some time to adjust.");
  }
  call.reply.Null();
  return Status::Ok();
}

Status ObjectHelp(Call& call) {
  call.reply.Array(2);
  call.reply.Simple("OBJECT ENCODING|FREQ|IDLETIME|REFCOUNT <key>");
  call.reply.Simple("    What is known of how a value is kept.");
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> KeyCommands() {
  constexpr std::string_view kShards = "request_policy:multi_shard response_policy:agg_sum";
  constexpr std::string_view kObjectTip = "nondeterministic_output";
  constexpr std::string_view kObjectKey = "RO@2:0,1";
  return {
      {"del", -2, "write", "keyspace", "RM delete@1:-1,1", kShards, "1.0.0", "generic",
       "Deletes keys", Del, true},
      {"unlink", -2, "write fast", "keyspace", "RM delete@1:-1,1", kShards, "4.0.0", "generic",
       "Deletes keys; the same as DEL here", Del, true},
      {"exists", -2, "readonly fast", "keyspace", "RO@1:-1,1", kShards, "1.0.0", "generic",
       "Counts the keys that are present", Exists, true},
      {"touch", -2, "readonly fast", "keyspace", "RO@1:-1,1", kShards, "3.2.1", "generic",
       "Counts the keys that are present; times of access are not kept", Exists, true},
      {"type", 2, "readonly fast", "keyspace", "RO@1:0,1", "", "1.0.0", "generic",
       "Returns what kind of value a key has", Type},
      {"rename", 3, "write", "keyspace", "RW access delete@1:0,1;OW update@2:0,1", "", "1.0.0",
       "generic", "Gives a value another key", Rename, true},
      {"renamenx", 3, "write fast", "keyspace", "RW access delete@1:0,1;OW insert@2:0,1", "",
       "1.0.0", "generic", "Gives a value another key if that is absent", RenameNx, true},
      {"copy", -3, "write denyoom", "keyspace", "RO access@1:0,1;OW update@2:0,1", "", "6.2.0",
       "generic", "Copies a value to another key", Copy, true},
      {"move", 3, "write fast", "keyspace", "RW access update@1:0,1", "", "1.0.0", "generic",
       "Moves a key to another database", Move, true},
      {.name = "object",
       .arity = -2,
       .since = "2.2.3",
       .group = "generic",
       .summary = "What is known of how a value is kept",
       .subcommands = {
           {"encoding", 3, "readonly", "keyspace", kObjectKey, kObjectTip, "2.2.3", "generic",
            "Returns how Redis would keep the value", ObjectEncoding},
           {"freq", 3, "readonly", "keyspace", kObjectKey, kObjectTip, "4.0.0", "generic",
            "How often a key is used; not kept", ObjectFreq},
           {"idletime", 3, "readonly", "keyspace", kObjectKey, kObjectTip, "2.2.3", "generic",
            "How long a key has not been used; not kept", ObjectIdleTime},
           {"refcount", 3, "readonly", "keyspace", kObjectKey, kObjectTip, "2.2.3", "generic",
            "Returns how many references Redis would have", ObjectRefCount},
           {"help", 2, "loading stale", "keyspace", "", "", "6.2.0", "generic", "Helps", ObjectHelp},
       }},
  };
}

}  // namespace varve::server
