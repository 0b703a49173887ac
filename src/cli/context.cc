#include "cli/context.h"

#include <optional>

#include "cli/json.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

std::string StoreCommand(const Context& context, std::string_view rest) {
  return "'varve --dir " + context.dir + " " + std::string(rest) + "'";
}

std::string DamageHint(const Context& context) {
  if (context.arguments.verb()->name == "verify") {
    return "bring the named file back from a copy of the store, or save what is left with " +
           StoreCommand(context, "repair");
  }
  return StoreCommand(context, "verify") + " lists all the damage";
}

bool MakesStores(const Context& context) {
  const std::string_view verb = context.arguments.verb()->name;
  return verb == "put" || verb == "load";
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

Result<std::unique_ptr<Db>> OpenStore(const Context& context, Access access) {
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
  const bool is_damage = status.IsCorruption();
  PrintError(context.console, context.json, status, is_damage ? DamageHint(context) : "");
  if (is_damage) return kExitCorruption;
  return status.IsNotFound() ? kExitKeyNotFound : kExitError;
}

int FailToOpen(const Context& context, const Status& status) {
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
