#include "cli/commands.h"
#include "base/status_macros.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/value_operand.h"

namespace varve::cli {
namespace {

int Finish(const Context& context, const Status& status) {
  if (!status.ok()) return Fail(context, status);
  if (context.json) context.console.out << JsonObject().Bool("ok", true).Take() << "\n";
  if (context.speaks()) context.console.out << "success\n";
  return kExitOk;
}

// A time to live from the command line.
Result<std::chrono::milliseconds> DurationFrom(const std::string& text) {
  const std::optional<uint64_t> millis = ParseDuration(text);
  if (millis) return std::chrono::milliseconds(*millis);
  return Status::InvalidArgument("a time is a number and ms, s, m, h or d, such as 10s; not '" + text +
                                 "'");
}

Result<WriteOptions> PutOptionsFrom(const Context& context) {
  WriteOptions options = WriteOptionsFrom(context);
  const std::optional<std::string> ttl = context.arguments.Value("--ttl");
  if (!ttl) return options;
  VARVE_ASSIGN_OR_RETURN(options.ttl, DurationFrom(*ttl));
  return options;
}

int Put(const Context& context) {
  const std::vector<std::string>& operands = context.arguments.operands();
  const Result<std::string> key = BytesFromCommandLine(context, operands[0]);
  if (!key.ok()) return FailUsage(context, key.status());
  const Result<WriteOptions> options = PutOptionsFrom(context);
  if (!options.ok()) return FailUsage(context, options.status());
  // The value comes first: a file that is not there must not leave a new, empty store behind.
  const Result<std::string> value = ValueOperand(context, operands[1]);
  if (!value.ok()) {
    const bool is_usage = value.status().code() == StatusCode::kInvalidArgument;
    return is_usage ? FailUsage(context, value.status()) : Fail(context, value.status());
  }
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kChangeOrCreate);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kChangeOrCreate);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  return Finish(context, (*space)->Put(*key, *value, *options));
}

int Del(const Context& context) {
  const Result<std::string> key = BytesFromCommandLine(context, context.arguments.operands()[0]);
  if (!key.ok()) return FailUsage(context, key.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kChange);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kChange);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  return Finish(context, (*space)->Delete(*key, WriteOptionsFrom(context)));
}

// The end of commands on a key that must be there.
int FinishOn(const Context& context, const std::string& key, const Status& status) {
  if (!status.IsNotFound()) return Finish(context, status);
  return Fail(context, Status::NotFound("key not found: " + Escape(key)));
}

int Expire(const Context& context) {
  const std::vector<std::string>& operands = context.arguments.operands();
  const Result<std::string> key = BytesFromCommandLine(context, operands[0]);
  if (!key.ok()) return FailUsage(context, key.status());
  const Result<std::chrono::milliseconds> ttl = DurationFrom(operands[1]);
  if (!ttl.ok()) return FailUsage(context, ttl.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kChange);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kChange);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  return FinishOn(context, *key, (*space)->Expire(*key, *ttl, WriteOptionsFrom(context)));
}

int Persist(const Context& context) {
  const Result<std::string> key = BytesFromCommandLine(context, context.arguments.operands()[0]);
  if (!key.ok()) return FailUsage(context, key.status());
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kChange);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kChange);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  return FinishOn(context, *key, (*space)->Persist(*key, WriteOptionsFrom(context)));
}

int DelRange(const Context& context) {
  const std::vector<std::string>& operands = context.arguments.operands();
  const Result<std::string> begin = BytesFromCommandLine(context, operands[0]);
  if (!begin.ok()) return FailUsage(context, begin.status());
  const Result<std::string> end = BytesFromCommandLine(context, operands[1]);
  if (!end.ok()) return FailUsage(context, end.status());
  if (*begin > *end) {
    return FailUsage(context, Status::InvalidArgument("the range is empty: '" + operands[0] +
                                                      "' comes after '" + operands[1] + "'"));
  }
  const Result<std::unique_ptr<Db>> db = OpenStore(context, Access::kChange);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, Access::kChange);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  return Finish(context, (*space)->DeleteRange(*begin, *end, WriteOptionsFrom(context)));
}

}  // namespace

std::vector<Command> WriteCommands() {
  return {
      {{.name = "put",
        .operands = "KEY VALUE",
        .min_operands = 2,
        .max_operands = 2,
        .flags = {kNamespaceFlag,
                  kSyncFlag,
                  {"--ttl", "T", "the key is gone after this time: 500ms, 10s, 5m, 2h, 7d"}},
        .summary = "Stores a value under a key; makes the store if there is none",
        .examples = "varve --dir data put fruit/apple red\n"
                    "varve --dir data put logo @logo.png     # the content of a file\n"
                    "date | varve --dir data put today -     # what comes on standard input\n"
                    "varve --dir data put --ttl 10s session/17 open\n"
                    "varve --dir data put -- -key -5         # -- before words that begin with -\n"
                    "varve --dir data put --escaped 'a\\x00b' 'two\\nlines'\n"
                    "varve --dir data put -n users ada 1815  # in a namespace, made if it is missing\n",
        .details = "A value that itself is - or begins with @ can be given on standard input.\n",
        .target = Target::kEither},
       Put},
      {{.name = "del",
        .operands = "KEY",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {kNamespaceFlag, kSyncFlag},
        .summary = "Deletes a key; an absent one is no error",
        .examples = "varve --dir data del fruit/apple\n",
        .target = Target::kEither},
       Del},
      {{.name = "expire",
        .operands = "KEY T",
        .min_operands = 2,
        .max_operands = 2,
        .flags = {kNamespaceFlag, kSyncFlag},
        .summary = "Sets how long a key has still to live; 0s deletes it",
        .examples = "varve --dir data expire session/17 10m\n",
        .details = "T is a whole number and ms, s, m, h or d. An absent key is exit code 3.\n",
        .target = Target::kEither},
       Expire},
      {{.name = "persist",
        .operands = "KEY",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {kNamespaceFlag, kSyncFlag},
        .summary = "Makes a key that would expire stay",
        .examples = "varve --dir data persist session/17\n",
        .target = Target::kEither},
       Persist},
      {{.name = "delrange",
        .operands = "A B",
        .min_operands = 2,
        .max_operands = 2,
        .flags = {kNamespaceFlag, kSyncFlag},
        .summary = "Deletes all keys from A on and before B, at once",
        .examples = "varve --dir data delrange log/2023 log/2024\n",
        .target = Target::kEither},
       DelRange},
  };
}

}  // namespace varve::cli
