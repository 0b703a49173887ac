// When keys expire.
#include <limits>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "server/call.h"
#include "server/expiry_options.h"

namespace varve::server {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

struct Conditions {
  bool if_none = false;     // NX
  bool if_any = false;      // XX
  bool if_later = false;    // GT
  bool if_earlier = false;  // LT
};

bool ParseConditions(Call& call, Conditions* conditions) {
  for (size_t i = 3; i < call.count(); ++i) {
    if (call.Is(i, "nx")) {
      conditions->if_none = true;
    } else if (call.Is(i, "xx")) {
      conditions->if_any = true;
    } else if (call.Is(i, "gt")) {
      conditions->if_later = true;
    } else if (call.Is(i, "lt")) {
      conditions->if_earlier = true;
    } else {
      static_cast<void>(call.Error("Unsupported option " + call.Shown(i)));
      return false;
    }
  }
  if (conditions->if_none &&
      (conditions->if_any || conditions->if_later || conditions->if_earlier)) {
    static_cast<void>(
        call.Error("NX and XX, GT or LT options at the same time are not compatible"));
    return false;
  }
  if (conditions->if_later && conditions->if_earlier) {
    static_cast<void>(call.Error("GT and LT options at the same time are not compatible"));
    return false;
  }
  return true;
}

// `before`: 0 for a key that does not expire, which counts as the latest time of all.
bool Allows(const Conditions& conditions, uint64_t before, int64_t when) {
  const int64_t earlier = static_cast<int64_t>(before);
  if (conditions.if_none && before != 0) return false;
  if (conditions.if_any && before == 0) return false;
  if (conditions.if_later && (before == 0 || when <= earlier)) return false;
  return !(conditions.if_earlier && before != 0 && when >= earlier);
}

// Times may be negative here: they are past.
Status ExpireAs(Call& call, TimeUnit unit, bool is_absolute) {
  Conditions conditions;
  int64_t when = 0;
  if (!ParseConditions(call, &conditions) || !call.TakeInteger(2, &when)) return Status::Ok();
  const int64_t base = is_absolute ? 0 : static_cast<int64_t>(call.now);
  if (unit == TimeUnit::kSeconds && __builtin_mul_overflow(when, int64_t{1000}, &when)) {
    return call.ExpireTimeError();
  }
  if (when > kMax - base) return call.ExpireTimeError();
  when += base;
  VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, call.Find(call.arg(1)));
  if (!entry || !Allows(conditions, entry->expire_at, when)) return call.Integer(0);
  if (when <= static_cast<int64_t>(call.now)) {
    VARVE_RETURN_IF_ERROR(call.Delete(call.arg(1)));
    call.Notify(kEventGeneric, "del", call.arg(1));
  } else {
    VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), entry->value, static_cast<uint64_t>(when)));
    call.Notify(kEventGeneric, "expire", call.arg(1));
  }
  return call.Integer(1);
}

Status Expire(Call& call) { return ExpireAs(call, TimeUnit::kSeconds, false); }
Status PExpire(Call& call) { return ExpireAs(call, TimeUnit::kMillis, false); }
Status ExpireAt(Call& call) { return ExpireAs(call, TimeUnit::kSeconds, true); }
Status PExpireAt(Call& call) { return ExpireAs(call, TimeUnit::kMillis, true); }

Status ReplyTime(Call& call, TimeUnit unit, bool is_absolute) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> deadline, call.FindDeadline(call.arg(1)));
  if (!deadline) return call.Integer(-2);
  if (*deadline == 0) return call.Integer(-1);
  const uint64_t base = is_absolute ? 0 : call.now;
  const uint64_t millis = *deadline > base ? *deadline - base : 0;
  return call.Integer(static_cast<int64_t>(unit == TimeUnit::kMillis ? millis : (millis + 500) / 1000));
}

Status Ttl(Call& call) { return ReplyTime(call, TimeUnit::kSeconds, false); }
Status PTtl(Call& call) { return ReplyTime(call, TimeUnit::kMillis, false); }
Status ExpireTime(Call& call) { return ReplyTime(call, TimeUnit::kSeconds, true); }
Status PExpireTime(Call& call) { return ReplyTime(call, TimeUnit::kMillis, true); }

Status Persist(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, call.Find(call.arg(1)));
  if (!entry || entry->expire_at == 0) return call.Integer(0);
  VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), entry->value));
  call.Notify(kEventGeneric, "persist", call.arg(1));
  return call.Integer(1);
}

}  // namespace

std::vector<CommandSpec> ExpireCommands() {
  constexpr std::string_view kWrites = "RW update@1:0,1";
  constexpr std::string_view kReads = "RO access@1:0,1";
  constexpr std::string_view kVaries = "nondeterministic_output";
  return {
      {"expire", -3, "write fast", "keyspace", kWrites, "", "1.0.0", "generic",
       "Sets in how many seconds a key expires", Expire, true},
      {"pexpire", -3, "write fast", "keyspace", kWrites, "", "2.6.0", "generic",
       "Sets in how many milliseconds a key expires", PExpire, true},
      {"expireat", -3, "write fast", "keyspace", kWrites, "", "1.2.0", "generic",
       "Sets at which second a key expires", ExpireAt, true},
      {"pexpireat", -3, "write fast", "keyspace", kWrites, "", "2.6.0", "generic",
       "Sets at which millisecond a key expires", PExpireAt, true},
      {"ttl", 2, "readonly fast", "keyspace", kReads, kVaries, "1.0.0", "generic",
       "Returns in how many seconds a key expires", Ttl},
      {"pttl", 2, "readonly fast", "keyspace", kReads, kVaries, "2.6.0", "generic",
       "Returns in how many milliseconds a key expires", PTtl},
      {"expiretime", 2, "readonly fast", "keyspace", kReads, "", "7.0.0", "generic",
       "Returns at which second a key expires", ExpireTime},
      {"pexpiretime", 2, "readonly fast", "keyspace", kReads, "", "7.0.0", "generic",
       "Returns at which millisecond a key expires", PExpireTime},
      {"persist", 2, "write fast", "keyspace", kWrites, "", "2.2.0", "generic",
       "Makes a key stay", Persist, true},
  };
}

}  // namespace varve::server
