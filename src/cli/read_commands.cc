#include "cli/commands.h"
#include "cli/json.h"
#include "cli/range.h"
#include "cli/record_printer.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

int Get(const Context& context) {
  const std::string& operand = context.arguments.operands()[0];
  const Result<std::string> key = BytesFromCommandLine(context, operand);
  if (!key.ok()) return FailUsage(context, key.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kRead);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  const Result<PinnedValue> value = (*space)->GetPinned(*key);
  if (value.status().IsNotFound()) {
    return Fail(context, Status::NotFound("key not found: " + Escape(*key)));
  }
  if (!value.ok()) return Fail(context, value.status());
  const Console& console = context.console;
  if (context.json) {
    JsonObject object;
    if (!(*space)->name().empty()) object.Bytes("namespace", (*space)->name());
    console.out << object.Bytes("key", *key).Bytes("value", value->view()).Take() << "\n";
    return kExitOk;
  }
  if (context.speaks()) console.out << "got data:\n";
  console.out.write(value->data(), static_cast<std::streamsize>(value->size()));
  if ((console.out_is_terminal || context.speaks()) && !value->view().ends_with('\n')) console.out << "\n";
  return kExitOk;
}

int Scan(const Context& context) {
  const Result<Range> range = RangeFrom(context);
  if (!range.ok()) return FailUsage(context, range.status());
  const Result<std::optional<uint64_t>> limit = context.arguments.Number("--limit");
  if (!limit.ok()) return FailUsage(context, limit.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kRead);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  const WalkOptions options{.reverse = context.arguments.Has("--reverse"),
                            .keys_only = context.arguments.Has("--keys"),
                            .limit = *limit};
  RecordPrinter printer(context.console, context.json, options.keys_only,
                        std::string((*space)->name()));
  const Status status = Walk(**space, *range, options,
                             [&](std::string_view key, std::string_view value, uint64_t) {
                               return printer.Print(key, value);
                             });
  printer.Finish();
  return status.ok() ? kExitOk : Fail(context, status);
}

int Count(const Context& context) {
  const Result<Range> range = RangeFrom(context);
  if (!range.ok()) return FailUsage(context, range.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kRead);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  uint64_t count = 0;
  const Status status = Walk(**space, *range, {.keys_only = true},
                             [&](std::string_view, std::string_view, uint64_t) { return ++count > 0; });
  if (!status.ok()) return Fail(context, status);
  const Console& console = context.console;
  if (context.json) {
    JsonObject object;
    if (!(*space)->name().empty()) object.Bytes("namespace", (*space)->name());
    console.out << object.Number("count", count).Take() << "\n";
  } else {
    console.out << (console.out_is_terminal ? WithThousands(count) : std::to_string(count)) << "\n";
  }
  return kExitOk;
}

int Ttl(const Context& context) {
  const Result<std::string> key = BytesFromCommandLine(context, context.arguments.operands()[0]);
  if (!key.ok()) return FailUsage(context, key.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kRead);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kRead);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  const auto left = (*space)->TimeToLive(*key);
  if (left.status().IsNotFound()) {
    return Fail(context, Status::NotFound("key not found: " + Escape(*key)));
  }
  if (!left.ok()) return Fail(context, left.status());
  const uint64_t millis = left->has_value() ? static_cast<uint64_t>((*left)->count()) : 0;
  if (context.json) {
    JsonObject object;
    if (!(*space)->name().empty()) object.Bytes("namespace", (*space)->name());
    object.Bytes("key", *key);
    left->has_value() ? object.Number("ttl_ms", millis) : object.Raw("ttl_ms", "null");
    context.console.out << object.Take() << "\n";
  } else {
    context.console.out << (left->has_value() ? std::to_string(millis) + "ms" : "none") << "\n";
  }
  return kExitOk;
}

}  // namespace

std::vector<Command> ReadCommands() {
  return {
      {{.name = "get",
        .operands = "KEY",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {kNamespaceFlag},
        .summary = "Prints the value of a key, byte for byte",
        .examples = "varve --dir data get fruit/apple\n"
                    "varve --dir data get logo > logo.png\n"
                    "varve --dir data get fruit/pear || echo absent     # exit code 3\n",
        .details = "On a terminal a newline follows a value that has none.\n",
        .target = Target::kEither},
       Get},
      {{.name = "scan",
        .flags = RangeFlagsAnd({{"--limit", "N", "at most N records"},
                                {"--reverse", "", "from the last key to the first"},
                                {"--keys", "", "keys only"}}),
        .summary = "Prints records in the order of their keys",
        .examples = "varve --dir data scan --prefix fruit/\n"
                    "varve --dir data scan --from 2024-01 --to 2024-04 --json\n"
                    "varve --dir data scan --prefix log/ --reverse --limit 10   # the last ten\n"
                    "varve --dir data scan -n users\n",
        .details =
            "On a terminal: columns, long values cut. Elsewhere: key, tab, value, with \\t \\n "
            "\\r \\\\ for these\nand \\xNN for other bytes that are not printable.\n",
        .target = Target::kEither},
       Scan},
      {{.name = "ttl",
        .operands = "KEY",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {kNamespaceFlag},
        .summary = "Prints how long a key has still to live: milliseconds, or none",
        .examples = "varve --dir data ttl session/17      # 9500ms\n"
                    "varve --dir data ttl --json session/17\n",
        .target = Target::kEither},
       Ttl},
      {{.name = "count",
        .flags = RangeFlagsAnd({}),
        .summary = "Counts keys",
        .examples = "varve --dir data count\n"
                    "varve --dir data count --prefix fruit/\n"
                    "varve --dir data count -n users\n",
        .target = Target::kEither},
       Count},
  };
}

}  // namespace varve::cli
