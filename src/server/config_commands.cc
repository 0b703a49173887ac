// CONFIG: the parameters that clients ask for. No path can be set, and none is shown.
#include <algorithm>
#include <map>
#include <set>

#include "base/status_macros.h"
#include "resp/number.h"
#include "server/call.h"
#include "server/glob.h"
#include "server/service.h"

namespace varve::server {
namespace {

struct Parameter {
  std::string_view name;
  std::string (*get)(const Service&);
  // nullptr: cannot be changed. A text: why not.
  std::string (*set)(Service&, std::string_view value) = nullptr;
};

std::string SetPassword(Service& service, std::string_view value) {
  service.SetPassword(value);
  return {};
}

std::string SetMaxBulk(Service& service, std::string_view value) {
  constexpr int64_t kLeast = 1024 * 1024;
  const std::optional<int64_t> bytes = resp::ParseInteger(value);
  if (!bytes) return "argument must be a memory value";
  if (*bytes < kLeast || *bytes > service.options().max_bulk_bytes) {
    return "argument must be between " + std::to_string(kLeast) + " and " +
           std::to_string(service.options().max_bulk_bytes) + " inclusive";
  }
  service.set_max_bulk_bytes(*bytes);
  return {};
}

std::string SetEvents(Service& service, std::string_view value) {
  const std::optional<uint32_t> flags = ParseEventFlags(value);
  if (!flags) return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
  const Status status = service.set_event_flags(*flags);
  return status.ok() ? std::string() : std::string(status.message());
}

std::string SetSlowerThan(Service& service, std::string_view value) {
  const std::optional<int64_t> micros = resp::ParseInteger(value);
  if (!micros) return "argument couldn't be parsed into an integer";
  if (*micros < -1) return "argument must be between -1 and 9223372036854775807 inclusive";
  service.slowlog().set_limit_micros(*micros);
  return {};
}

std::string SetLatencyLimit(Service& service, std::string_view value) {
  const std::optional<int64_t> millis = resp::ParseInteger(value);
  if (!millis) return "argument couldn't be parsed into an integer";
  if (*millis < 0) return "argument must be between 0 and 9223372036854775807 inclusive";
  service.latency().set_limit_millis(*millis);
  return {};
}

std::string SetSlowlogMax(Service& service, std::string_view value) {
  constexpr int64_t kMost = 1'000'000;
  const std::optional<int64_t> count = resp::ParseInteger(value);
  if (!count) return "argument couldn't be parsed into an integer";
  if (*count < 0 || *count > kMost) {
    return "argument must be between 0 and " + std::to_string(kMost) + " inclusive";
  }
  service.slowlog().set_max_entries(*count);
  return {};
}

std::string SetAclLogMax(Service& service, std::string_view value) {
  constexpr int64_t kMost = 1'000'000;
  const std::optional<int64_t> count = resp::ParseInteger(value);
  if (!count) return "argument couldn't be parsed into an integer";
  if (*count < 0 || *count > kMost) {
    return "argument must be between 0 and " + std::to_string(kMost) + " inclusive";
  }
  service.acl_log().set_max_entries(*count);
  return {};
}

const Parameter kParameters[] = {
    {"acllog-max-len", [](const Service& s) { return std::to_string(s.acl_log().max_entries()); }, SetAclLogMax},
    {"appendfsync", [](const Service& s) { return std::string(s.options().syncs ? "always" : "everysec"); }},
    {"appendonly", [](const Service&) { return std::string("yes"); }},
    {"databases", [](const Service& s) { return std::to_string(s.options().databases); }},
    {"io-threads", [](const Service& s) { return std::to_string(s.options().net.loop_count); }},
    {"latency-monitor-threshold",
     [](const Service& s) { return std::to_string(s.latency().limit_millis()); }, SetLatencyLimit},
    {"maxclients", [](const Service& s) { return std::to_string(s.options().net.max_connections); }},
    {"maxmemory", [](const Service&) { return std::string("0"); }},
    {"maxmemory-clients",
     [](const Service& s) { return std::to_string(s.options().net.memory_budget_bytes); }},
    {"maxmemory-policy", [](const Service&) { return std::string("noeviction"); }},
    {"notify-keyspace-events", [](const Service& s) { return EventFlagLetters(s.event_flags()); }, SetEvents},
    {"port", [](const Service& s) { return std::to_string(s.port()); }},
    {"proto-max-bulk-len", [](const Service& s) { return std::to_string(s.max_bulk_bytes()); }, SetMaxBulk},
    {"protected-mode",
     [](const Service& s) { return std::string(s.options().admits_without_password ? "yes" : "no"); }},
    {"requirepass", [](const Service& s) { return s.password(); }, SetPassword},
    {"save", [](const Service&) { return std::string(); }},
    {"slowlog-log-slower-than",
     [](const Service& s) { return std::to_string(s.slowlog().limit_micros()); }, SetSlowerThan},
    {"slowlog-max-len", [](const Service& s) { return std::to_string(s.slowlog().max_entries()); },
     SetSlowlogMax},
    {"timeout", [](const Service&) { return std::string("0"); }},
};

const Parameter* Find(std::string_view name) {
  for (const Parameter& parameter : kParameters) {
    if (EqualsIgnoreCase(parameter.name, name)) return &parameter;
  }
  return nullptr;
}

// A name without wildcards comes back as it was written.
Status ConfigGet(Call& call) {
  std::map<const Parameter*, std::string_view> found;
  for (size_t i = 2; i < call.count(); ++i) {
    const bool is_pattern = call.arg(i).find_first_of("[*?") != std::string_view::npos;
    for (const Parameter& parameter : kParameters) {
      if (is_pattern && MatchesGlob(call.arg(i), parameter.name, /*ignores_case=*/true)) {
        found.emplace(&parameter, parameter.name);
      } else if (!is_pattern && EqualsIgnoreCase(call.arg(i), parameter.name)) {
        found.emplace(&parameter, call.arg(i));
      }
    }
  }
  call.reply.Map(found.size());
  for (const auto& [parameter, name] : found) {
    call.reply.Bulk(name);
    call.reply.Bulk(parameter->get(call.service));
  }
  return Status::Ok();
}

Status Failure(Call& call, size_t i, std::string_view why) {
  return call.Error("CONFIG SET failed (possibly related to argument '" + call.Shown(i) + "') - " +
                    std::string(why));
}

// All or none: what is set first is put back when a later one is refused.
Status ConfigSet(Call& call) {
  if (call.count() % 2 == 1) return call.SyntaxError();
  std::set<const Parameter*> seen;
  for (size_t i = 2; i < call.count(); i += 2) {
    const Parameter* const parameter = Find(call.arg(i));
    if (parameter == nullptr) {
      return call.Error("Unknown option or number of arguments for CONFIG SET - '" +
                        call.Shown(i) + "'");
    }
    if (parameter->set == nullptr) return Failure(call, i, "can't set immutable config");
    if (!seen.insert(parameter).second) return Failure(call, i, "duplicate parameter");
  }
  std::vector<std::pair<const Parameter*, std::string>> before;
  for (size_t i = 2; i < call.count(); i += 2) {
    const Parameter* const parameter = Find(call.arg(i));
    before.emplace_back(parameter, parameter->get(call.service));
    const std::string why = parameter->set(call.service, call.arg(i + 1));
    if (why.empty()) continue;
    for (const auto& [changed, value] : before) static_cast<void>(changed->set(call.service, value));
    return Failure(call, i, why);
  }
  return call.Ok();
}

Status ResetStat(Call& call) {
  call.service.totals().Reset();
  call.service.command_stats().Reset();
  return call.Ok();
}

Status Rewrite(Call& call) { return call.Error("The server is running without a config file"); }

Status ConfigHelp(Call& call) {
  call.reply.Array(2);
  call.reply.Simple("CONFIG GET <pattern>... | SET <name> <value>... | RESETSTAT");
  call.reply.Simple("    Parameters, and counters.");
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> ConfigCommands() {
  constexpr std::string_view kAdmin = "admin noscript loading stale";
  const auto sub = [](std::string_view name, int arity, std::string_view flags, std::string_view tips,
                      std::string_view since, std::string_view summary, Status (*run)(Call&)) {
    return CommandSpec{name, arity, flags, "", "", tips, since, "server", summary, run};
  };
  return {{.name = "config",
           .arity = -2,
           .since = "2.0.0",
           .group = "server",
           .summary = "Parameters of the server",
           .subcommands = {
               sub("get", -3, kAdmin, "", "2.0.0", "Returns parameters", ConfigGet),
               sub("set", -4, kAdmin, "request_policy:all_nodes response_policy:all_succeeded", "2.0.0",
                   "Changes parameters", ConfigSet),
               sub("resetstat", 2, kAdmin, "", "2.0.0", "Sets the counters to zero", ResetStat),
               sub("rewrite", 2, kAdmin, "", "2.8.0", "There is no file to rewrite", Rewrite),
               sub("help", 2, "loading stale", "", "5.0.0", "Helps", ConfigHelp),
           }}};
}

}  // namespace varve::server
