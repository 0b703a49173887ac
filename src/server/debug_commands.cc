// DEBUG: the part of it that harms nothing and that clients' tests use.
#include <algorithm>
#include <charconv>

#include "base/status_macros.h"
#include "resp/number.h"
#include "server/call.h"
#include "server/rdb_string.h"
#include "server/service.h"

namespace varve::server {
namespace {

// Nobody else of the loop is served meanwhile.
constexpr double kMaxSleepSeconds = 60;

Status Sleep(Call& call) {
  double seconds = 0;
  const std::string_view text = call.arg(2);
  static_cast<void>(std::from_chars(text.data(), text.data() + text.size(), seconds));
  if (seconds > 0) call.service.Sleep(static_cast<uint64_t>(std::min(seconds, kMaxSleepSeconds) * 1e9));
  return call.Ok();
}

// What a dump has beside the value: its kind in front, version and checksum behind.
constexpr size_t kDumpFrameBytes = 11;

Status Object(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(2)));
  if (!value) return call.Error("no such key");
  // As Redis has it, which shares small numbers.
  constexpr int64_t kSharedNumbers = 10000;
  const std::optional<int64_t> number = resp::ParseInteger(value->view());
  const bool is_shared = number && *number >= 0 && *number < kSharedNumbers;
  call.reply.Simple("Value at:0x0 refcount:" + std::string(is_shared ? "2147483647" : "1") +
                    " encoding:" + std::string(EncodingOf(value->view())) +
                    " serializedlength:" + std::to_string(DumpString(value->view()).size() - kDumpFrameBytes) +
                    " lru:0 lru_seconds_idle:0");
  return Status::Ok();
}

Status Protocol(Call& call) {
  resp::ReplyWriter& reply = call.reply;
  if (call.Is(2, "string")) {
    reply.Bulk("Hello World");
  } else if (call.Is(2, "integer")) {
    reply.Integer(12345);
  } else if (call.Is(2, "double")) {
    reply.Double(3.141);
  } else if (call.Is(2, "null")) {
    reply.Null();
  } else if (call.Is(2, "array") || call.Is(2, "set")) {
    call.Is(2, "array") ? reply.Array(3) : reply.Set(3);
    for (int64_t i = 0; i < 3; ++i) reply.Integer(i);
  } else if (call.Is(2, "map")) {
    reply.Map(3);
    for (int64_t i = 0; i < 3; ++i) {
      reply.Integer(i);
      reply.Boolean(i == 1);
    }
  } else if (call.Is(2, "verbatim")) {
    reply.Verbatim("txt", "This is a verbatim\nstring");
  } else if (call.Is(2, "true") || call.Is(2, "false")) {
    reply.Boolean(call.Is(2, "true"));
  } else {
    return call.Error("Wrong protocol type name. Please use one of the following: string|integer|double|bignum|"
                      "null|array|set|map|attrib|push|verbatim|true|false");
  }
  return Status::Ok();
}

Status DebugHelp(Call& call) {
  call.reply.Array(2);
  call.reply.Simple("DEBUG ERROR <text> | OBJECT <key> | PROTOCOL <type> | SET-ACTIVE-EXPIRE <0|1> | SLEEP <seconds>");
  call.reply.Simple("    For tests of clients. What would harm the server is not there.");
  return Status::Ok();
}

Status Debug(Call& call) {
  const bool has_one = call.count() == 3;
  if (call.count() == 2 && call.Is(1, "help")) return DebugHelp(call);
  if (has_one && call.Is(1, "sleep")) return Sleep(call);
  if (has_one && call.Is(1, "object")) return Object(call);
  if (has_one && call.Is(1, "protocol")) return Protocol(call);
  // Keys are never seen after their deadline, whatever is asked for.
  if (has_one && call.Is(1, "set-active-expire")) return call.Ok();
  if (has_one && call.Is(1, "error")) {
    call.reply.Error(call.arg(2));
    return Status::Ok();
  }
  return call.Error("unknown subcommand or wrong number of arguments for '" + call.Shown(1) +
                    "'. Try DEBUG HELP.");
}

}  // namespace

std::vector<CommandSpec> DebugCommands() {
  return {{"debug", -2, "admin noscript loading stale", "", "", "", "1.0.0", "server", "For tests of clients", Debug}};
}

}  // namespace varve::server
