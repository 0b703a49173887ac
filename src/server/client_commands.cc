// CLIENT: who is connected.
#include <algorithm>
#include <limits>

#include "base/status_macros.h"
#include "resp/number.h"
#include "server/call.h"
#include "server/client_names.h"
#include "server/client_tracking.h"
#include "server/clients.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {

bool IsClientName(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

bool SetClientName(Call& call, std::string_view name) {
  if (!IsClientName(name)) {
    static_cast<void>(
        call.Error("Client names cannot contain spaces, newlines or special characters."));
    return false;
  }
  Client::Names names = call.session.client().names();
  names.name = name;
  call.session.client().SetNames(std::move(names));
  return true;
}

namespace {

// What Redis says where the number of arguments fits the sub-command's arity but not its form.
Status UnknownOrArity(Call& call) {
  return call.Error("unknown subcommand or wrong number of arguments for '" + call.Shown(1) +
                    "'. Try CLIENT HELP.");
}

Status Id(Call& call) { return call.Integer(static_cast<int64_t>(call.session.id())); }

Status GetName(Call& call) {
  const std::string name = call.session.client().names().name;
  if (name.empty()) {
    call.reply.Null();
  } else {
    call.reply.Bulk(name);
  }
  return Status::Ok();
}

Status SetName(Call& call) { return SetClientName(call, call.arg(2)) ? call.Ok() : Status::Ok(); }

Status SetInfo(Call& call) {
  const bool is_name = call.Is(2, "lib-name");
  if (!is_name && !call.Is(2, "lib-ver")) {
    return call.Error("Unrecognized option '" + call.Shown(2) + "'");
  }
  if (!IsClientName(call.arg(3))) {
    return call.Error(std::string(is_name ? "lib-name" : "lib-ver") +
                      " cannot contain spaces, newlines or special characters.");
  }
  Client::Names names = call.session.client().names();
  (is_name ? names.library : names.library_version) = call.arg(3);
  call.session.client().SetNames(std::move(names));
  return call.Ok();
}

Status ClientInfo(Call& call) {
  call.reply.Verbatim("txt", Describe(call.session.client(), call.now) + "\n");
  return Status::Ok();
}

// "normal" is what all are here. False after replying an error.
bool TakeType(Call& call, size_t i, bool* is_normal) {
  static constexpr std::string_view kTypes[] = {"normal", "slave", "replica", "pubsub", "master"};
  const auto is = [&](std::string_view type) { return call.Is(i, type); };
  if (std::none_of(std::begin(kTypes), std::end(kTypes), is)) {
    static_cast<void>(call.Error("Unknown client type '" + call.Shown(i) + "'"));
    return false;
  }
  *is_normal = is("normal");
  return true;
}

Status ClientList(Call& call) {
  bool is_normal = true;
  std::vector<uint64_t> ids;
  if (call.count() == 4 && call.Is(2, "type")) {
    if (!TakeType(call, 3, &is_normal)) return Status::Ok();
  } else if (call.count() >= 4 && call.Is(2, "id")) {
    for (size_t i = 3; i < call.count(); ++i) {
      int64_t id = 0;
      if (!call.TakeInteger(i, &id, "Invalid client ID")) return Status::Ok();
      ids.push_back(static_cast<uint64_t>(id));
    }
  } else if (call.count() != 2) {
    return call.SyntaxError();
  }
  std::string lines;
  for (const auto& client : call.service.clients().All()) {
    const bool is_asked = ids.empty() || std::find(ids.begin(), ids.end(), client->peer.id) != ids.end();
    if (is_normal && is_asked) lines.append(Describe(*client, call.now)).append("\n");
  }
  call.reply.Verbatim("txt", lines);
  return Status::Ok();
}

// --- KILL.

struct KillFilter {
  std::optional<uint64_t> id;
  std::string_view address;
  std::string_view local_address;
  Acl::User user;
  bool is_normal = true;
  bool skips_me = true;
};

bool ParseKill(Call& call, KillFilter* filter) {
  for (size_t i = 2; i < call.count(); i += 2) {
    const bool has_value = i + 1 < call.count();
    if (call.Is(i, "id") && has_value) {
      const std::optional<int64_t> id = resp::ParseInteger(call.arg(i + 1));
      if (!id || *id < 1) {
        static_cast<void>(call.Error("client-id should be greater than 0"));
        return false;
      }
      filter->id = static_cast<uint64_t>(*id);
    } else if (call.Is(i, "type") && has_value) {
      if (!TakeType(call, i + 1, &filter->is_normal)) return false;
    } else if (call.Is(i, "addr") && has_value) {
      filter->address = call.arg(i + 1);
    } else if (call.Is(i, "laddr") && has_value) {
      filter->local_address = call.arg(i + 1);
    } else if (call.Is(i, "user") && has_value) {
      filter->user = call.service.acl().Find(call.arg(i + 1));
      if (filter->user == nullptr) {
        static_cast<void>(call.Error("No such user '" + call.Shown(i + 1) + "'"));
        return false;
      }
    } else if (call.Is(i, "skipme") && has_value && (call.Is(i + 1, "yes") || call.Is(i + 1, "no"))) {
      filter->skips_me = call.Is(i + 1, "yes");
    } else {
      static_cast<void>(call.SyntaxError());
      return false;
    }
  }
  return true;
}

Status Kill(Call& call) {
  KillFilter filter;
  const bool is_old_form = call.count() == 3;
  if (is_old_form) {
    filter.address = call.arg(2);
    filter.skips_me = false;
  } else if (!ParseKill(call, &filter)) {
    return Status::Ok();
  }
  int64_t count = 0;
  for (const auto& client : call.service.clients().All()) {
    const net::Peer& peer = client->peer;
    const bool is_me = peer.id == call.session.id();
    if ((filter.id && *filter.id != peer.id) || !filter.is_normal || (is_me && filter.skips_me) ||
        (filter.user != nullptr && filter.user->name() != client->names().user) ||
        (!filter.address.empty() && filter.address != peer.address) ||
        (!filter.local_address.empty() && filter.local_address != peer.local_address)) {
      continue;
    }
    ++count;
    if (is_me) {
      call.session.CloseAfterReplies();
    } else {
      client->is_killed.store(true, std::memory_order_relaxed);
      if (peer.close) peer.close();
    }
  }
  if (!is_old_form) return call.Integer(count);
  return count > 0 ? call.Ok() : call.Error("No such client");
}

// --- The rest.

Status Pause(Call& call) {
  int64_t millis = 0;
  bool only_writes = false;
  if (call.count() > 4) return UnknownOrArity(call);
  if (call.count() == 4) {
    only_writes = call.Is(3, "write");
    if (!only_writes && !call.Is(3, "all")) {
      return call.Error("CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  if (!call.TakeInteger(2, &millis, "timeout is not an integer or out of range")) return Status::Ok();
  if (millis < 0) return call.Error("timeout is negative");
  constexpr int64_t kLongest = int64_t{1} << 40;
  call.service.Pause(call.now + static_cast<uint64_t>(std::min(millis, kLongest)), only_writes);
  return call.Ok();
}

Status Unpause(Call& call) {
  call.service.Unpause();
  return call.Ok();
}

Status ReplyMode(Call& call) {
  if (call.Is(2, "on")) {
    call.session.set_replies(Session::Replies::kOn);
    return call.Ok();
  }
  if (call.Is(2, "off")) {
    call.session.set_replies(Session::Replies::kOff);
  } else if (call.Is(2, "skip")) {
    call.session.SkipNextReply();
  } else {
    return call.SyntaxError();
  }
  return Status::Ok();
}

Status NoEvict(Call& call) {
  return call.Is(2, "on") || call.Is(2, "off") ? call.Ok() : call.SyntaxError();
}

// Nobody is ever blocked here.
Status Unblock(Call& call) {
  int64_t id = 0;
  if (call.count() > 4) return UnknownOrArity(call);
  if (call.count() == 4 && !call.Is(3, "timeout") && !call.Is(3, "error")) {
    return call.Error("CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  return call.TakeInteger(2, &id) ? call.Integer(0) : Status::Ok();
}

Status ClientHelp(Call& call) {
  call.reply.Array(2);
  call.reply.Simple("CLIENT <subcommand>: ID GETNAME SETNAME SETINFO INFO LIST KILL PAUSE UNPAUSE REPLY");
  call.reply.Simple("    NO-EVICT UNBLOCK TRACKING CACHING GETREDIR TRACKINGINFO");
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> ClientCommands() {
  constexpr std::string_view kPlain = "noscript loading stale";
  constexpr std::string_view kAdmin = "admin noscript loading stale";
  const auto sub = [](std::string_view name, int arity, std::string_view flags, std::string_view tips,
                      std::string_view since, std::string_view summary, Status (*run)(Call&)) {
    return CommandSpec{name, arity, flags, "connection", "", tips, since, "connection", summary, run};
  };
  constexpr std::string_view kVaries = "nondeterministic_output";
  return {{.name = "client",
           .arity = -2,
           .since = "2.4.0",
           .group = "connection",
           .summary = "Who is connected",
           .subcommands = {
               sub("id", 2, kPlain, "", "5.0.0", "Returns the number of the connection", Id),
               sub("getname", 2, kPlain, "", "2.6.9", "Returns the name of the connection", GetName),
               sub("setname", 3, kPlain, "", "2.6.9", "Names the connection", SetName),
               sub("setinfo", 4, kPlain, "", "7.2.0", "Tells which library the client is", SetInfo),
               sub("info", 2, kPlain, kVaries, "6.2.0", "Describes the connection", ClientInfo),
               sub("list", -2, kAdmin, kVaries, "2.4.0", "Describes all connections", ClientList),
               sub("kill", -3, kAdmin, "", "2.4.0", "Closes connections", Kill),
               sub("pause", -3, kAdmin, "", "2.9.50", "Lets clients wait", Pause),
               sub("unpause", 2, kAdmin, "", "6.2.0", "Lets clients go on", Unpause),
               sub("reply", 3, kPlain, "", "3.2.0", "Chooses which replies are sent", ReplyMode),
               sub("no-evict", 3, kAdmin, "", "7.0.0", "Accepted, without effect", NoEvict),
               sub("unblock", -3, kAdmin, "", "5.0.0", "Ends the wait of a client; none ever waits", Unblock),
               sub("tracking", -3, kPlain, "", "6.0.0", "Tells the client of changes to what it has read", TrackKeys),
               sub("caching", 3, kPlain, "", "6.0.0", "Whether the next command's keys are tracked", Caching),
               sub("getredir", 2, kPlain, "", "6.0.0", "Returns who is told of changes instead", GetRedir),
               sub("trackinginfo", 2, kPlain, "", "6.2.0", "Returns what is tracked, and how", TrackingInfo),
               sub("help", 2, "loading stale", "", "5.0.0", "Helps", ClientHelp),
           }}};
}

}  // namespace varve::server
