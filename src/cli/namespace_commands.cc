#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/json.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

std::string_view DurabilityName(const std::optional<Durability>& durability) {
  if (!durability) return "store's";
  switch (*durability) {
    case Durability::kProcess:
      return "process";
    case Durability::kSync:
      return "sync";
    case Durability::kNone:
      return "none";
  }
  return "unknown";
}

std::string_view CompressionName(const std::optional<Compression>& compression) {
  if (!compression) return "store's";
  switch (*compression) {
    case Compression::kNone:
      return "none";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
    case Compression::kAuto:
      return "auto";
  }
  return "unknown";
}

int Namespaces(const Context& context) {
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const Result<std::vector<NamespaceInfo>> infos = (*db)->ListNamespaces();
  if (!infos.ok()) return Fail(context, infos.status());
  std::ostream& out = context.console.out;
  for (const NamespaceInfo& info : *infos) {
    if (context.json) {
      JsonObject object;
      object.Bytes("namespace", info.name).Number("id", info.id);
      object.Bytes("durability", DurabilityName(info.durability));
      object.Bytes("compression", CompressionName(info.compression));
      if (info.default_ttl) {
        object.Number("default_ttl_ms", static_cast<uint64_t>(info.default_ttl->count()));
      } else {
        object.Raw("default_ttl_ms", "null");
      }
      out << object.Take() << "\n";
    } else {
      out << Escape(info.name) << "\t" << DurabilityName(info.durability) << "\t"
          << CompressionName(info.compression) << "\t"
          << (info.default_ttl ? std::to_string(info.default_ttl->count()) + "ms" : "none") << "\n";
    }
  }
  return kExitOk;
}

int Drop(const Context& context) {
  const Result<std::string> name =
      BytesFromCommandLine(context, context.arguments.operands()[0]);
  if (!name.ok()) return FailUsage(context, name.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kChange);
  if (!db.ok()) return FailToOpen(context, db.status());
  const Status status = (*db)->DropNamespace(*name);
  if (!status.ok()) return FailToOpenSpace(context, status);
  if (context.json) context.console.out << JsonObject().Bool("ok", true).Take() << "\n";
  return kExitOk;
}

}  // namespace

std::vector<Command> NamespaceCommands() {
  return {
      {{.name = "namespaces",
        .summary = "Lists the namespaces of the store",
        .examples = "varve --dir data put -n users ada 1815    # makes one\n"
                    "varve --dir data namespaces\n",
        .details = "Name, durability, compression and default time to live, with tabs between.\n",
        .target = Target::kEither},
       Namespaces},
      {{.name = "drop",
        .operands = "NAME",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Deletes a namespace with all its keys, at once",
        .examples = "varve --dir data drop users\n",
        .details = "'compact' gives back the space now; the store does so by itself in time.\n"},
       Drop},
  };
}

}  // namespace varve::cli
