// Strings: getting and setting values and parts of them.
#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "server/call.h"
#include "server/expiry_options.h"
#include "server/service.h"
#include "server/session.h"
#include "server/text_range.h"

namespace varve::server {
namespace {

// Replies the value of the key, or nil.
Status ReplyValue(Call& call, std::string_view key, bool* is_present = nullptr) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(key));
  if (value) {
    call.reply.Bulk(value->view());
  } else {
    call.reply.Null();
  }
  call.session.totals().NoteLookup(value.has_value());
  if (is_present != nullptr) *is_present = value.has_value();
  return Status::Ok();
}

Status Get(Call& call) { return ReplyValue(call, call.arg(1)); }

// Puts args[1].
Status PutAndTell(Call& call, std::string_view value, uint64_t expire_at, bool tells_expiry) {
  VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), value, expire_at));
  call.Notify(kEventString, "set", call.arg(1));
  if (tells_expiry) call.Notify(kEventGeneric, "expire", call.arg(1));
  return Status::Ok();
}

Status Set(Call& call) {
  SetOptions options;
  if (!ParseSetOptions(call, 3, /*is_set=*/true, &options)) return Status::Ok();
  uint64_t expire_at = 0;
  if (options.expiry && !TakeExpiry(call, *options.expiry, &expire_at)) return Status::Ok();
  const bool reads = options.gets || options.if_absent || options.if_present || options.keeps_ttl;
  if (!reads) {
    VARVE_RETURN_IF_ERROR(PutAndTell(call, call.arg(2), expire_at, expire_at != 0));
    return call.Ok();
  }
  if (call.transaction == nullptr) return call.NeedTransaction();
  bool is_present = false;
  if (options.gets) {
    VARVE_RETURN_IF_ERROR(ReplyValue(call, call.arg(1), &is_present));
  } else {
    VARVE_ASSIGN_OR_RETURN(is_present, call.Exists(call.arg(1)));
  }
  if ((options.if_absent && is_present) || (options.if_present && !is_present)) {
    if (!options.gets) call.reply.Null();
    return Status::Ok();
  }
  if (options.keeps_ttl) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> deadline, call.FindDeadline(call.arg(1)));
    expire_at = deadline.value_or(0);
  }
  VARVE_RETURN_IF_ERROR(PutAndTell(call, call.arg(2), expire_at, options.expiry.has_value()));
  return options.gets ? Status::Ok() : call.Ok();
}

Status SetNx(Call& call) {
  if (call.transaction == nullptr) {
    const Status status = call.space().PutIfAbsent(call.arg(1), call.arg(2), call.Writes());
    if (!status.ok() && status.code() != StatusCode::kConflict) return status;
    if (status.ok()) call.Notify(kEventString, "set", call.arg(1));
    return call.Integer(status.ok() ? 1 : 0);
  }
  VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(call.arg(1)));
  if (!is_present) VARVE_RETURN_IF_ERROR(PutAndTell(call, call.arg(2), 0, false));
  return call.Integer(is_present ? 0 : 1);
}

Status SetWithTime(Call& call, TimeUnit unit) {
  uint64_t expire_at = 0;
  if (!TakeExpiry(call, 2, unit, /*is_absolute=*/false, &expire_at)) return Status::Ok();
  VARVE_RETURN_IF_ERROR(PutAndTell(call, call.arg(3), expire_at, true));
  return call.Ok();
}
Status SetEx(Call& call) { return SetWithTime(call, TimeUnit::kSeconds); }
Status PSetEx(Call& call) { return SetWithTime(call, TimeUnit::kMillis); }

Status GetSet(Call& call) {
  VARVE_RETURN_IF_ERROR(ReplyValue(call, call.arg(1)));
  return PutAndTell(call, call.arg(2), 0, false);
}

Status GetDel(Call& call) {
  bool is_present = false;
  VARVE_RETURN_IF_ERROR(ReplyValue(call, call.arg(1), &is_present));
  if (!is_present) return Status::Ok();
  call.Notify(kEventGeneric, "del", call.arg(1));
  return call.Delete(call.arg(1));
}

Status GetEx(Call& call) {
  SetOptions options;
  if (!ParseSetOptions(call, 2, /*is_set=*/false, &options)) return Status::Ok();
  if (!options.expiry && !options.persists) return ReplyValue(call, call.arg(1));
  if (call.transaction == nullptr) return call.NeedTransaction();
  VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, call.Find(call.arg(1)));
  if (!entry) {
    call.reply.Null();
    return Status::Ok();
  }
  uint64_t expire_at = 0;
  if (options.expiry && !TakeExpiry(call, *options.expiry, &expire_at)) return Status::Ok();
  call.reply.Bulk(entry->value);
  if (options.expiry && expire_at <= call.now) {
    call.Notify(kEventGeneric, "del", call.arg(1));
    return call.Delete(call.arg(1));
  }
  if (options.expiry || entry->expire_at != 0) {
    call.Notify(kEventGeneric, options.expiry ? "expire" : "persist", call.arg(1));
  }
  return expire_at == entry->expire_at ? Status::Ok() : call.Put(call.arg(1), entry->value, expire_at);
}

Status MGet(Call& call) {
  call.reply.Array(call.count() - 1);
  if (call.transaction != nullptr) {
    for (size_t i = 1; i < call.count(); ++i) VARVE_RETURN_IF_ERROR(ReplyValue(call, call.arg(i)));
    return Status::Ok();
  }
  const std::vector<std::string_view> keys(call.args.begin() + 1, call.args.end());
  for (const Result<std::string>& value : call.space().MultiGet(keys)) {
    if (value.ok()) {
      call.reply.Bulk(*value);
    } else if (value.status().IsNotFound()) {
      call.reply.Null();
    } else {
      return value.status();
    }
    call.session.totals().NoteLookup(value.ok());
  }
  return Status::Ok();
}

Status PutPairs(Call& call) {
  for (size_t i = 1; i + 1 < call.count(); i += 2) {
    VARVE_RETURN_IF_ERROR(call.Put(call.arg(i), call.arg(i + 1)));
    call.Notify(kEventString, "set", call.arg(i));
  }
  return Status::Ok();
}

Status MSet(Call& call) {
  if (call.count() % 2 == 0) return call.ArityError();
  if (call.transaction != nullptr) {
    VARVE_RETURN_IF_ERROR(PutPairs(call));
    return call.Ok();
  }
  WriteBatch batch;
  for (size_t i = 1; i < call.count(); i += 2) {
    batch.Put(call.space(), call.arg(i), call.arg(i + 1));
    call.Notify(kEventString, "set", call.arg(i));
  }
  VARVE_RETURN_IF_ERROR(call.service.db()->Write(batch, call.Writes()));
  return call.Ok();
}

Status MSetNx(Call& call) {
  if (call.count() % 2 == 0) return call.ArityError();
  for (size_t i = 1; i < call.count(); i += 2) {
    VARVE_ASSIGN_OR_RETURN(const bool is_present, call.Exists(call.arg(i)));
    if (is_present) return call.Integer(0);
  }
  VARVE_RETURN_IF_ERROR(PutPairs(call));
  return call.Integer(1);
}

Status Append(Call& call) {
  VARVE_ASSIGN_OR_RETURN(std::optional<Entry> entry, call.Find(call.arg(1)));
  if (!entry) entry.emplace();
  if (!call.CheckSize(entry->value.size(), call.arg(2).size())) return Status::Ok();
  entry->value.append(call.arg(2));
  const uint64_t expire_at = VARVE_PLANTED_BUG("server.append_drops_deadline") ? 0 : entry->expire_at;
  VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), entry->value, expire_at));
  call.Notify(kEventString, "append", call.arg(1));
  return call.Integer(static_cast<int64_t>(entry->value.size()));
}

Status StrLen(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(1)));
  return call.Integer(value ? static_cast<int64_t>(value->size()) : 0);
}

Status GetRange(Call& call) {
  int64_t start = 0;
  int64_t end = 0;
  if (!call.TakeInteger(2, &start) || !call.TakeInteger(3, &end)) return Status::Ok();
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(1)));
  call.reply.Bulk(TextRange(value ? value->view() : std::string_view(), start, end));
  return Status::Ok();
}

Status SetRange(Call& call) {
  int64_t offset = 0;
  if (!call.TakeInteger(2, &offset)) return Status::Ok();
  if (offset < 0) return call.Error("offset is out of range");
  const std::string_view patch = call.arg(3);
  VARVE_ASSIGN_OR_RETURN(std::optional<Entry> entry, call.Find(call.arg(1)));
  if (!entry) entry.emplace();
  if (patch.empty()) return call.Integer(static_cast<int64_t>(entry->value.size()));
  if (!call.CheckSize(static_cast<uint64_t>(offset), patch.size())) return Status::Ok();
  const size_t begin = static_cast<size_t>(offset);
  if (entry->value.size() < begin + patch.size()) entry->value.resize(begin + patch.size());
  entry->value.replace(begin, patch.size(), patch);
  VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), entry->value, entry->expire_at));
  call.Notify(kEventString, "setrange", call.arg(1));
  return call.Integer(static_cast<int64_t>(entry->value.size()));
}

}  // namespace

std::vector<CommandSpec> StringCommands() {
  return {
      {"get", 2, "readonly fast", "string", "RO access@1:0,1", "", "1.0.0", "string",
       "Returns the value of a key", Get},
      {"set", -3, "write denyoom", "string", "RW access update variable_flags@1:0,1", "", "1.0.0",
       "string", "Sets the value of a key, whatever it held", Set},
      {"setnx", 3, "write denyoom fast", "string", "OW insert@1:0,1", "", "1.0.0", "string",
       "Sets the value of a key that is absent", SetNx},
      {"setex", 4, "write denyoom", "string", "OW update@1:0,1", "", "2.0.0", "string",
       "Sets a value that expires, in seconds", SetEx},
      {"psetex", 4, "write denyoom", "string", "OW update@1:0,1", "", "2.6.0", "string",
       "Sets a value that expires, in milliseconds", PSetEx},
      {"getset", 3, "write denyoom fast", "string", "RW access update@1:0,1", "", "1.0.0", "string",
       "Sets a value and returns the one before", GetSet, true},
      {"getdel", 2, "write fast", "string", "RW access delete@1:0,1", "", "6.2.0", "string",
       "Returns a value and deletes the key", GetDel, true},
      {"getex", -2, "write fast", "string", "RW access update@1:0,1", "", "6.2.0", "string",
       "Returns a value and sets when it expires", GetEx},
      {"mget", -2, "readonly fast", "string", "RO access@1:-1,1", "request_policy:multi_shard",
       "1.0.0", "string", "Returns the values of keys, all as of one moment", MGet},
      {"mset", -3, "write denyoom", "string", "OW update@1:-1,2",
       "request_policy:multi_shard response_policy:all_succeeded", "1.0.1", "string",
       "Sets the values of keys in one step", MSet},
      {"msetnx", -3, "write denyoom", "string", "OW insert@1:-1,2",
       "request_policy:multi_shard response_policy:agg_min", "1.0.1", "string",
       "Sets the values of keys in one step if all are absent", MSetNx, true},
      {"append", 3, "write denyoom fast", "string", "RW insert@1:0,1", "", "2.0.0", "string",
       "Puts bytes behind a value", Append, true},
      {"strlen", 2, "readonly fast", "string", "RO@1:0,1", "", "2.2.0", "string",
       "Returns the size of a value", StrLen},
      {"getrange", 4, "readonly", "string", "RO access@1:0,1", "", "2.4.0", "string",
       "Returns a part of a value", GetRange},
      {"substr", 4, "readonly", "string", "RO access@1:0,1", "", "1.0.0", "string",
       "Returns a part of a value; an older name of GETRANGE", GetRange},
      {"setrange", 4, "write denyoom", "string", "RW update@1:0,1", "", "2.2.0", "string",
       "Overwrites a part of a value", SetRange, true},
  };
}

}  // namespace varve::server
