#include <algorithm>
#include <limits>

#include "base/status_macros.h"
#include "cli/commands.h"

namespace varve::cli {
namespace {

// A number within bounds; `fallback` when the flag is absent.
Result<uint64_t> NumberOf(const Context& context, std::string_view flag, uint64_t fallback,
                          uint64_t min, uint64_t max) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> number, context.arguments.Number(flag));
  const uint64_t value = number.value_or(fallback);
  if (value >= min && value <= max) return value;
  return Status::InvalidArgument(std::string(flag) + " takes a number from " + std::to_string(min) +
                                 " to " + std::to_string(max));
}

Result<ServeRequest> RequestFrom(const Context& context) {
  const Arguments& arguments = context.arguments;
  ServeRequest request;
  request.dir = context.dir;
  VARVE_ASSIGN_OR_RETURN(const uint64_t port, NumberOf(context, "--port", request.port, 0, 65535));
  request.port = static_cast<uint16_t>(port);
  std::string hosts = arguments.Value("--bind").value_or("");
  for (size_t comma = 0; !hosts.empty(); hosts.erase(0, comma + 1)) {
    comma = std::min(hosts.find(','), hosts.size() - 1);
    std::string host = hosts.substr(0, comma + 1);
    if (host.ends_with(',')) host.pop_back();
    request.hosts.push_back(host);
  }
  request.unix_socket = arguments.Value("--unixsocket").value_or("");
  request.password = arguments.Value("--requirepass").value_or("");
  request.is_unprotected = arguments.Has("--unprotected");
  VARVE_ASSIGN_OR_RETURN(const uint64_t databases, NumberOf(context, "--databases", 16, 1, 10000));
  request.databases = static_cast<int>(databases);
  VARVE_ASSIGN_OR_RETURN(request.max_clients,
                         NumberOf(context, "--maxclients", request.max_clients, 1, 1'000'000));
  VARVE_ASSIGN_OR_RETURN(const uint64_t threads, NumberOf(context, "--threads", 0, 0, 256));
  request.threads = static_cast<int>(threads);
  VARVE_ASSIGN_OR_RETURN(request.client_memory_bytes,
                         NumberOf(context, "--client-memory", 0, 0, std::numeric_limits<uint64_t>::max()));
  request.syncs = arguments.Has("--sync");
  return request;
}

int Server(const Context& context) {
  const Result<ServeRequest> request = RequestFrom(context);
  if (!request.ok()) return FailUsage(context, request.status());
  const Status status = context.backend.serve(*request, context.console);
  if (status.ok()) return kExitOk;
  if (status.code() == StatusCode::kInvalidArgument) return FailUsage(context, status);
  return FailToOpen(context, status);
}

}  // namespace

std::vector<Command> ServerCommands() {
  return {
      {{.name = "server",
        .operands = "[DIR]",
        .max_operands = 1,
        .flags = {{"--port", "N", "the TCP port (6379); 0: any that is free"},
                  {"--bind", "A,B", "addresses to listen at (127.0.0.1,::1)"},
                  {"--unixsocket", "PATH", "listen at this Unix socket too"},
                  {"--requirepass", "TEXT", "the password that clients must give"},
                  {"--unprotected", "", "other hosts may come without a password"},
                  {"--databases", "N", "how many databases there are (16)"},
                  {"--maxclients", "N", "connections at a time (10000)"},
                  {"--threads", "N", "event loops (one a core)"},
                  {"--client-memory", "BYTES", "memory for all connections together (1 GiB)"},
                  {"--sync", "", "answer writes when they survive loss of power"}},
        .summary = "Serves the store to every Redis client, until SIGTERM",
        .examples = "varve server data\n"
                    "varve server data --port 7000 --requirepass secret\n"
                    "redis-cli -p 7000 -a secret set key value\n",
        .details = "A missing store is made. One line is logged for each event, to standard error. "
                   "docs/server.md.\n",
        .dir_is_operand = true},
       Server},
  };
}

}  // namespace varve::cli
