#include "cli/context.h"

#include <charconv>
#include <optional>

#include "base/status_macros.h"
#include "cli/json.h"
#include "cli/text.h"
#include "client/remote_db.h"

namespace varve::cli {
namespace {

std::string StoreCommand(const Context& context, std::string_view rest) {
  return "'varve --dir " + context.dir + " " + std::string(rest) + "'";
}

std::string DamageHint(const Context& context) {
  if (context.server) return "stop the server, and let 'varve --dir DIR verify' list all the damage";
  if (context.arguments.verb()->name == "verify") {
    return "bring the named file back from a copy of the store, or save what is left with " +
           StoreCommand(context, "repair");
  }
  return StoreCommand(context, "verify") + " lists all the damage";
}

bool MakesStores(const Context& context) {
  const std::string_view verb = context.arguments.verb()->name;
  return verb == "put" || verb == "load" || verb == "server";
}

std::string ServerHint(const Context& context, const Status& status) {
  if (client::IsAuthenticationFailure(status)) {
    return "give a user and a password: --server redis://user:password@host, or --user and the "
           "variable VARVE_PASSWORD";
  }
  switch (status.code()) {
    case StatusCode::kUnavailable:
    case StatusCode::kNotFound:
      return "'varve server DIR' starts a server, --server URI names another than " +
             context.server->endpoint.Name() + ", --dir DIR works without one";
    case StatusCode::kTimedOut:
      return "--timeout 2m waits longer";
    case StatusCode::kCorruption:
      return DamageHint(context);
    default:
      return "";
  }
}

int ServerExitCode(const Status& status) {
  if (client::IsAuthenticationFailure(status)) return kExitAuthentication;
  if (status.code() == StatusCode::kUnavailable) return kExitConnection;
  if (status.code() == StatusCode::kTimedOut) return kExitTimeout;
  return status.IsCorruption() ? kExitCorruption : kExitError;
}

int FailOnServer(const Context& context, const Status& status) {
  PrintError(context.console, context.json, status, ServerHint(context, status));
  return ServerExitCode(status);
}

Result<uint16_t> PortFrom(const std::string& text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc() && end == text.data() + text.size() && port != 0) return port;
  return Status::InvalidArgument("--port takes a number from 1 to 65535, not '" + text + "'");
}

std::string OpenHint(const Context& context, StatusCode code) {
  switch (code) {
    case StatusCode::kBusy:
      return "another process has this store open: wait for it or end it; 'fuser -v " +
             context.dir + "/*' shows which one it is";
    case StatusCode::kNotFound:
      if (MakesStores(context)) return "make the directory above it first";
      return "there is no store: " + StoreCommand(context, "put KEY VALUE") + " makes one";
    case StatusCode::kInvalidArgument:
      return "name a directory that varve has made, or a new one";
    case StatusCode::kNotSupported:
      return "open it with the version of varve that wrote it, or a newer one";
    case StatusCode::kCorruption:
      return DamageHint(context);
    default:
      return "";
  }
}

}  // namespace

Result<ServerTarget> ServerFrom(const Arguments& arguments, const Environment& environment) {
  ServerTarget server;
  client::Endpoint& endpoint = server.endpoint;
  if (const auto uri = arguments.Value(kServerFlag)) {
    VARVE_ASSIGN_OR_RETURN(endpoint, client::ParseEndpoint(*uri));
  } else if (environment.url) {
    Result<client::Endpoint> parsed = client::ParseEndpoint(*environment.url);
    if (!parsed.ok()) return parsed.status().WithContext("the variable VARVE_URL");
    endpoint = *std::move(parsed);
  }
  if (const auto host = arguments.Value("--host")) {
    endpoint.host = *host;
    endpoint.unix_path.clear();
  }
  if (const auto port = arguments.Value("--port")) {
    VARVE_ASSIGN_OR_RETURN(endpoint.port, PortFrom(*port));
    endpoint.unix_path.clear();
  }
  if (const auto path = arguments.Value("--socket")) endpoint.unix_path = *path;
  tls::Files& files = server.options.tls;
  files.certificate = arguments.Value("--cert").value_or("");
  files.key = arguments.Value("--cert-key").value_or("");
  std::optional<std::string> authorities = arguments.Value("--cacert");
  if (!authorities && environment.variable) authorities = environment.variable("VARVE_CACERT");
  files.authorities = authorities.value_or("");
  if (arguments.Has("--tls")) endpoint.is_tls = true;
  if (endpoint.is_tls && !endpoint.unix_path.empty()) {
    return Status::InvalidArgument("a Unix socket needs no TLS");
  }
  if (const auto user = arguments.Value("--user")) {
    endpoint.user = *user;
    endpoint.password.clear();
  }
  if (endpoint.password.empty()) endpoint.password = environment.password.value_or("");
  if (!endpoint.user.empty() && endpoint.password.empty()) {
    return Status::InvalidArgument("a user has a password: the variable VARVE_PASSWORD holds it");
  }
  if (const auto text = arguments.Value("--timeout")) {
    const std::optional<uint64_t> millis = ParseDuration(*text);
    if (!millis || *millis == 0) {
      return Status::InvalidArgument("--timeout takes a number and ms, s or m, such as 500ms");
    }
    const std::chrono::milliseconds timeout(*millis);
    server.options.reply_timeout = timeout;
    server.options.connect_timeout = timeout;
  }
  return server;
}

Result<std::unique_ptr<client::Client>> ConnectTo(const Context& context) {
  return client::Client::Connect(context.server->endpoint, context.server->options);
}

Result<std::unique_ptr<Db>> OpenStore(const Context& context, Access access) {
  if (context.server) {
    VARVE_ASSIGN_OR_RETURN(std::unique_ptr<client::Client> client, ConnectTo(context));
    return std::unique_ptr<Db>(client::RemoteDb::Make(
        std::move(client), context.server->endpoint.database, context.server->options.clock));
  }
  Options options;
  options.create_if_missing = access == Access::kChangeOrCreate;
  options.read_only = access == Access::kRead;
  return context.backend.open(context.dir, options);
}

Result<std::shared_ptr<Namespace>> OpenSpace(Db& db, std::string_view name, Access access) {
  if (name.empty()) return std::shared_ptr<Namespace>(std::shared_ptr<void>(), &db);
  return db.OpenNamespace(name, {.create_if_missing = access == Access::kChangeOrCreate});
}

Result<std::shared_ptr<Namespace>> OpenSpace(const Context& context, Db& db, Access access) {
  const std::optional<std::string> name = context.arguments.Value("-n");
  if (!name.has_value()) return OpenSpace(db, "", access);
  if (name->empty()) return Status::InvalidArgument("the name of a namespace is not empty");
  Result<std::string> bytes = BytesFromCommandLine(context, *name);
  if (!bytes.ok()) return bytes.status();
  return OpenSpace(db, *bytes, access);
}

void PrintError(const Console& console, bool json, const Status& status, std::string_view hint) {
  const std::string message = status.message().empty() ? std::string(StatusCodeName(status.code()))
                                                       : std::string(status.message());
  if (json) {
    JsonObject object;
    object.Bytes("error", StatusCodeName(status.code())).Bytes("message", message);
    if (!hint.empty()) object.Bytes("hint", hint);
    console.err << object.Take() << "\n";
  } else {
    console.err << console.OnErr(Console::Style::kRed, "varve:") << " " << message << "\n";
    if (!hint.empty()) console.err << "  " << hint << "\n";
  }
  console.err << std::flush;
}

int Fail(const Context& context, const Status& status) {
  if (context.server && !status.IsNotFound()) return FailOnServer(context, status);
  const bool is_damage = status.IsCorruption();
  PrintError(context.console, context.json, status, is_damage ? DamageHint(context) : "");
  if (is_damage) return kExitCorruption;
  return status.IsNotFound() ? kExitKeyNotFound : kExitError;
}

int FailToOpen(const Context& context, const Status& status) {
  if (context.server) {
    const int exit_code = FailOnServer(context, status);
    return status.IsNotFound() ? kExitConnection : exit_code;
  }
  PrintError(context.console, context.json, status, OpenHint(context, status.code()));
  // A missing store is an error, not an absent key: scripts tell them apart by the exit code.
  return status.IsCorruption() ? kExitCorruption : kExitError;
}

int FailToOpenSpace(const Context& context, const Status& status) {
  if (status.code() == StatusCode::kInvalidArgument) return FailUsage(context, status);
  if (!status.IsNotFound()) return Fail(context, status);
  PrintError(context.console, context.json, status,
             StoreCommand(context, "namespaces") + " lists those that there are");
  return kExitError;
}

int FailUsage(const Context& context, const Status& status) {
  if (context.server && client::IsAuthenticationFailure(status)) return FailOnServer(context, status);
  PrintError(context.console, context.json, status,
             "'varve " + std::string(context.arguments.verb()->name) + " --help' shows how");
  return kExitUsage;
}

Result<std::string> BytesFromCommandLine(const Context& context, const std::string& text) {
  if (!context.arguments.Has("--escaped")) return text;
  std::optional<std::string> bytes = Unescape(text);
  if (!bytes.has_value()) {
    return Status::InvalidArgument("bad escape in '" + text +
                                   "'; known are \\t \\n \\r \\\\ and \\xNN");
  }
  return *std::move(bytes);
}

WriteOptions WriteOptionsFrom(const Context& context) {
  WriteOptions options;
  if (context.arguments.Has("--sync")) options.durability = Durability::kSync;
  return options;
}

}  // namespace varve::cli
