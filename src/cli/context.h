// What every command works with: its arguments, the console, a way to the store, and how it ends.
#ifndef VARVE_CLI_CONTEXT_H_
#define VARVE_CLI_CONTEXT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/arguments.h"
#include "cli/campaigns.h"
#include "cli/console.h"
#include "cli/demo.h"
#include "cli/disk.h"
#include "cli/doctor.h"
#include "cli/serve.h"
#include "cli/torture.h"
#include "client/client.h"
#include "node/cluster_store.h"
#include "varve/db.h"

namespace varve::cli {

// Exit codes, part of the tool's interface: never renumber them.
enum ExitCode : int {
  kExitOk = 0,
  kExitError = 1,
  kExitUsage = 2,
  kExitKeyNotFound = 3,
  kExitConnection = 4,
  kExitAuthentication = 5,
  kExitCorruption = 6,
  kExitTimeout = 7,
};

// The way to stores; tests put another in place. Signatures as in varve/db.h.
struct Backend {
  std::function<Result<std::unique_ptr<Db>>(const std::string& dir, const Options&)> open;
  std::function<Status(const std::string& dir, const Options&, const WalVisitor&)> read_wal;
  std::function<Result<RepairReport>(const std::string& dir, const RepairOptions&)> repair;
  Serve serve = {};
  Examine examine = {};
  Demo demo = {};
  std::function<Result<std::unique_ptr<node::ClusterStore>>(const std::string& address)> open_topology = {};
  TortureCluster torture = {};
  RunCampaigns campaigns = {};
  CertifyDisk certify = {};
};

// What the tool takes from the environment: $VARVE_DIR, $VARVE_URL and $VARVE_PASSWORD; and for the
// rest, any variable by its name, unless it is empty.
struct Environment {
  std::optional<std::string> dir = std::nullopt;
  std::optional<std::string> url = std::nullopt;
  std::optional<std::string> password = std::nullopt;
  std::function<std::optional<std::string>(const char* name)> variable = {};
};

// A server, and how long to wait for it.
struct ServerTarget {
  client::Endpoint endpoint;
  client::ClientOptions options;
};

// Borrows all of it for the run of one command.
struct Context {
  const Arguments& arguments;
  const Console& console;
  const Backend& backend;
  const std::string dir;  // empty when the command works on a server
  const bool json;
  const std::optional<ServerTarget> server = std::nullopt;
  const Environment* environment = nullptr;  // nullptr: an empty one

  // "varve client put" and the like: success is said in words.
  bool speaks() const { return arguments.is_client() && !json; }
};

// The server that the command line and the environment name; 127.0.0.1:6379 when none does.
// kInvalidArgument, kNotSupported: the address makes no sense.
Result<ServerTarget> ServerFrom(const Arguments& arguments, const Environment& environment);
// Connects to the context's server. REQUIRES: it has one.
Result<std::unique_ptr<client::Client>> ConnectTo(const Context& context);

// Opens the store of the context, a directory's or a server's. Reading changes nothing on disk and wants
// an existing store; changing takes the store for this process.
enum class Access { kRead, kChange, kChangeOrCreate };
Result<std::unique_ptr<Db>> OpenStore(const Context& context, Access access);

// The flag that names a namespace, for a verb's list.
inline constexpr FlagSpec kNamespaceFlag = {"-n", "NAME", "work on this namespace"};
// Read by WriteOptionsFrom.
inline constexpr FlagSpec kSyncFlag = {"--sync", "", "return when the change survives loss of power"};

// The namespace of -n, or the default one, of `db`, which it borrows. Only kChangeOrCreate makes a
// missing one; else that is kNotFound.
Result<std::shared_ptr<Namespace>> OpenSpace(const Context& context, Db& db, Access access);
// The same for a name; empty: the default one.
Result<std::shared_ptr<Namespace>> OpenSpace(Db& db, std::string_view name, Access access);

// Each reports a failure on the error stream, with what to do next, and returns the exit code.
int Fail(const Context& context, const Status& status);
int FailToOpen(const Context& context, const Status& status);
// After OpenSpace: a missing namespace is an error, as a missing store is.
int FailToOpenSpace(const Context& context, const Status& status);
int FailUsage(const Context& context, const Status& status);

// A key, value or bound from the command line: `text` itself, or unescaped with --escaped.
Result<std::string> BytesFromCommandLine(const Context& context, const std::string& text);
// --sync as write options.
WriteOptions WriteOptionsFrom(const Context& context);

// Writes an error on the error stream: "varve: <message>" and the hint, if any, on a line of its
// own; with `json` an object of code, message and hint.
void PrintError(const Console& console, bool json, const Status& status, std::string_view hint);

}  // namespace varve::cli

#endif  // VARVE_CLI_CONTEXT_H_
