// The server: what it says of itself, and its end.
#include <algorithm>
#include <array>

#include "base/random.h"
#include "base/status_macros.h"
#include "server/call.h"
#include "server/info.h"
#include "server/service.h"
#include "server/session.h"
#include "varve/version.h"

namespace varve::server {
namespace {

Status ServerInfo(Call& call) {
  const std::vector<std::string_view> sections(call.args.begin() + 1, call.args.end());
  VARVE_ASSIGN_OR_RETURN(const std::string text, InfoText(call.service, sections));
  call.reply.Verbatim("txt", text);
  return Status::Ok();
}

Status Time(Call& call) {
  call.reply.Array(2);
  call.reply.Bulk(std::to_string(call.now / 1000));
  call.reply.Bulk(std::to_string(call.now % 1000 * 1000));
  return Status::Ok();
}

// There are no replicas to wait for.
Status Wait(Call& call) {
  int64_t count = 0;
  int64_t millis = 0;
  if (!call.TakeInteger(1, &count)) return Status::Ok();
  if (!call.TakeInteger(2, &millis, "timeout is not an integer or out of range")) return Status::Ok();
  if (millis < 0) return call.Error("timeout is negative");
  return call.Integer(0);
}

Status LastSave(Call& call) { return call.Integer(static_cast<int64_t>(call.now / 1000)); }

Status Role(Call& call) {
  call.reply.Array(3);
  call.reply.Bulk("master");
  call.reply.Integer(0);
  call.reply.Array(0);
  return Status::Ok();
}

// Everything is kept already; what is asked for is that it survives loss of power.
Status Save(Call& call) {
  call.session.FlushBeforeReplies();
  return call.Ok();
}

Status BgSave(Call& call) {
  if (call.count() > 2 || (call.count() == 2 && !call.Is(1, "schedule"))) return call.SyntaxError();
  call.session.FlushBeforeReplies();
  call.reply.Simple("Background saving started");
  return Status::Ok();
}

Status BgRewriteAof(Call& call) {
  call.session.FlushBeforeReplies();
  call.reply.Simple("Background append only file rewriting started");
  return Status::Ok();
}

// Redis draws something of its version here. Ours is what it is named after: layers that a lake lays down, one a year.
Status LolWut(Call& call) {
  constexpr size_t kYears = 12;
  constexpr size_t kWidth = 60;
  constexpr std::string_view kGrain = " .:-=+*#";
  Random random(call.service.NowNanos());
  std::string text;
  for (size_t year = 0; year < kYears; ++year) {
    size_t grain = random.Uniform(kGrain.size());
    for (size_t i = 0; i < kWidth; ++i) {
      if (random.OneIn(20)) grain = (grain + 1) % kGrain.size();
      text.push_back(kGrain[grain]);
    }
    text.push_back('\n');
  }
  text.append("varve ver. ").append(kVersion).append("; what Redis ver. ").append(kRedisVersion).append(" says to it\n");
  call.reply.Verbatim("txt", text);
  return Status::Ok();
}

// Everything that was acknowledged is kept whatever is said.
Status Shutdown(Call& call) {
  bool saves = false;
  bool saves_not = false;
  bool aborts = false;
  for (size_t i = 1; i < call.count(); ++i) {
    if (call.Is(i, "nosave")) {
      saves_not = true;
    } else if (call.Is(i, "save")) {
      saves = true;
    } else if (call.Is(i, "abort")) {
      aborts = true;
    } else if (!call.Is(i, "now") && !call.Is(i, "force")) {
      return call.SyntaxError();
    }
  }
  if ((aborts && call.count() > 2) || (saves && saves_not)) return call.SyntaxError();
  if (aborts) return call.Error("No shutdown in progress.");
  call.session.CloseAfterReplies();
  call.service.Shutdown();
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> ServerCommands() {
  constexpr std::string_view kVaries = "nondeterministic_output";
  return {
      {"info", -1, "loading stale", "dangerous", "",
       "nondeterministic_output request_policy:all_shards response_policy:special", "1.0.0", "server",
       "Describes the server in many lines", ServerInfo},
      {"time", 1, "loading stale fast", "", "", kVaries, "2.6.0", "server", "Returns the time", Time},
      {"wait", 3, "noscript", "connection", "",
       "request_policy:all_shards response_policy:agg_min", "3.0.0", "generic",
       "Waits for replicas; there are none", Wait},
      {"lastsave", 1, "loading stale fast", "admin dangerous", "", kVaries, "1.0.0", "server",
       "Returns when everything was last kept: now", LastSave},
      {"save", 1, "admin noscript no_async_loading no_multi", "", "", "", "1.0.0", "server",
       "Answers when all that was written survives loss of power", Save},
      {"bgsave", -1, "admin noscript no_async_loading", "", "", "", "1.0.0", "server",
       "The same as SAVE here, with another reply", BgSave},
      {"bgrewriteaof", 1, "admin noscript no_async_loading", "", "", "", "1.0.0", "server",
       "The same as SAVE here: the log is kept short by itself", BgRewriteAof},
      {"lolwut", -1, "readonly fast", "read", "", "", "5.0.0", "server", "Draws, and says the version", LolWut},
      {"role", 1, "noscript loading stale fast", "admin dangerous", "", "", "2.8.12", "server",
       "Returns the role in replication", Role},
      {"shutdown", -1, "admin noscript loading stale no_multi allow_busy", "", "", "", "1.0.0",
       "server", "Ends the server", Shutdown},
  };
}

}  // namespace varve::server
