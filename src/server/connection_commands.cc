// The connection itself.
#include "base/status_macros.h"
#include "resp/number.h"
#include "server/call.h"
#include "server/client_names.h"
#include "server/service.h"
#include "server/session.h"
#include "varve/version.h"

namespace varve::server {
namespace {

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";

Status Ping(Call& call) {
  if (call.count() > 2) return call.ArityError();
  if (call.reply.version() == 2 && call.session.is_subscribed()) {
    // In version 2 nothing else tells a reply from a message.
    call.reply.Array(2);
    call.reply.Bulk("pong");
    call.reply.Bulk(call.count() == 1 ? std::string_view() : call.arg(1));
  } else if (call.count() == 1) {
    call.reply.Simple("PONG");
  } else {
    call.reply.Bulk(call.arg(1));
  }
  return Status::Ok();
}

Status Echo(Call& call) {
  call.reply.Bulk(call.arg(1));
  return Status::Ok();
}

Status Quit(Call& call) {
  call.session.CloseAfterReplies();
  return call.Ok();
}

Status Reset(Call& call) {
  call.session.Reset(&call.reply);
  call.reply.Simple("RESET");
  return Status::Ok();
}

Status Select(Call& call) {
  int index = 0;
  if (!call.TakeDatabase(1, &index)) return Status::Ok();
  VARVE_RETURN_IF_ERROR(call.session.SelectDatabase(index));
  return call.Ok();
}

Status Auth(Call& call) {
  if (call.count() > 3) return call.SyntaxError();
  if (call.count() == 2 && call.service.acl().Find("default")->is_without_password()) {
    return call.Error("AUTH <password> called without any password configured for the default user. "
                      "Are you sure your configuration is correct?");
  }
  const std::string_view user = call.count() == 3 ? call.arg(1) : "default";
  if (call.session.Authenticate(user, call.args.back(), call.arg(0))) return call.Ok();
  call.reply.Error(kWrongPassword);
  return Status::Ok();
}

void ReplyHello(Call& call) {
  call.reply.Map(8);
  call.reply.Bulk("server");
  call.reply.Bulk("redis");
  call.reply.Bulk("version");
  call.reply.Bulk(kRedisVersion);
  call.reply.Bulk("proto");
  call.reply.Integer(call.reply.version());
  call.reply.Bulk("id");
  call.reply.Integer(static_cast<int64_t>(call.session.id()));
  call.reply.Bulk("mode");
  call.reply.Bulk(call.service.cluster() != nullptr ? "cluster" : "standalone");
  call.reply.Bulk("role");
  call.reply.Bulk("master");
  call.reply.Bulk("modules");
  call.reply.Array(0);
  call.reply.Bulk("varve_version");
  call.reply.Bulk(kVersion);
}

Status Hello(Call& call) {
  int64_t version = 0;
  if (call.count() > 1) {
    constexpr std::string_view kBad = "Protocol version is not an integer or out of range";
    if (!call.TakeInteger(1, &version, kBad)) return Status::Ok();
    if (version < 2 || version > 3) {
      call.reply.Error("NOPROTO unsupported protocol version");
      return Status::Ok();
    }
  }
  for (size_t i = 2; i < call.count(); ++i) {
    const size_t left = call.count() - 1 - i;
    if (call.Is(i, "auth") && left >= 2) {
      if (!call.session.Authenticate(call.arg(i + 1), call.arg(i + 2), call.arg(0))) {
        call.reply.Error(kWrongPassword);
        return Status::Ok();
      }
      i += 2;
    } else if (call.Is(i, "setname") && left >= 1) {
      if (!SetClientName(call, call.arg(++i))) return Status::Ok();
    } else {
      return call.Error("Syntax error in HELLO option '" + call.Shown(i) + "'");
    }
  }
  if (!call.session.is_authenticated()) {
    call.reply.Error("NOAUTH HELLO must be called with the client already authenticated, otherwise "
                     "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                     "client and select the RESP protocol version at the same time");
    return Status::Ok();
  }
  if (version != 0) call.session.SetProtocol(static_cast<int>(version), &call.reply);
  ReplyHello(call);
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> ConnectionCommands() {
  constexpr std::string_view kOpen = "noscript loading stale fast no_auth allow_busy";
  return {
      {"ping", -1, "fast", "connection", "", "request_policy:all_shards response_policy:all_succeeded",
       "1.0.0", "connection", "Answers", Ping},
      {"echo", 2, "loading stale fast", "connection", "", "", "1.0.0", "connection",
       "Returns its argument", Echo},
      {"quit", -1, kOpen, "connection", "", "", "1.0.0", "connection", "Closes the connection", Quit},
      {"reset", 1, kOpen, "connection", "", "", "6.2.0", "connection",
       "Puts the connection back to its beginning", Reset},
      {"select", 2, "loading stale fast", "connection", "", "", "1.0.0", "connection",
       "Changes the database of the connection", Select},
      {"auth", -2, kOpen, "connection", "", "", "1.0.0", "connection",
       "Authenticates the connection", Auth},
      {"hello", -1, kOpen, "connection", "", "", "6.0.0", "connection",
       "Chooses the version of the protocol, and introduces the server", Hello},
  };
}

}  // namespace varve::server
