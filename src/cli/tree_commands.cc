#include "cli/commands.h"
#include "cli/json.h"
#include "cli/record_printer.h"
#include "cli/text.h"
#include "cli/value_operand.h"
#include "client/remote_db.h"
#include "varve/tree.h"

namespace varve::cli {
namespace {

// One action of `varve tree`. Operands come after its name.
struct Action {
  std::string_view name;
  size_t min_operands;
  size_t max_operands;
  Access access;
  int (*run)(const Context& context, Tree& tree, const std::vector<std::string>& operands);
  // What a server does in one step of its own; nullptr: as above.
  Status (*run_remotely)(const Context& context, client::RemoteDb& db, const Namespace& space,
                         const std::vector<std::string>& operands) = nullptr;
};

int FailOnTree(const Context& context, const Status& status) {
  // What a server refuses is no slip in the command line: that was looked at before.
  const bool is_usage = status.code() == StatusCode::kInvalidArgument && !context.server;
  return is_usage ? FailUsage(context, status) : Fail(context, status);
}

int FinishOnTree(const Context& context, const Status& status) {
  if (!status.ok()) return FailOnTree(context, status);
  if (context.json) context.console.out << JsonObject().Bool("ok", true).Take() << "\n";
  if (context.speaks()) context.console.out << "success\n";
  return kExitOk;
}

// The namespace of an object of the output, if it is not the default one.
JsonObject ObjectOf(const Context& context) {
  JsonObject object;
  const std::optional<std::string> name = context.arguments.Value("-n");
  if (!name) return object;
  if (const Result<std::string> bytes = BytesFromCommandLine(context, *name); bytes.ok()) {
    object.Bytes("namespace", *bytes);
  }
  return object;
}

std::string PathOr(const std::vector<std::string>& operands, std::string otherwise) {
  return operands.empty() ? otherwise : operands[0];
}

// --limit as page options.
Status ReadLimit(const Context& context, TreePageOptions* options) {
  const Result<std::optional<uint64_t>> limit = context.arguments.Number("--limit");
  if (!limit.ok()) return limit.status();
  if (*limit) options->limit = **limit;
  return Status::Ok();
}

// --after, a path or a name as it stands in one.
Result<std::string> After(const Context& context) {
  const std::optional<std::string> after = context.arguments.Value("--after");
  return after ? BytesFromCommandLine(context, *after) : Result<std::string>(std::string());
}

int Put(const Context& context, Tree& tree, const std::vector<std::string>& operands) {
  return FinishOnTree(context, tree.Put(operands[0], operands[1], WriteOptionsFrom(context)));
}

int Get(const Context& context, Tree& tree, const std::vector<std::string>& operands) {
  const Result<std::string> value = tree.Get(operands[0]);
  if (value.status().IsNotFound()) {
    return Fail(context, Status::NotFound("there is no value at " + Escape(operands[0])));
  }
  if (!value.ok()) return FailOnTree(context, value.status());
  const Console& console = context.console;
  if (context.json) {
    JsonObject object = ObjectOf(context);
    console.out << object.Bytes("key", operands[0]).Bytes("value", *value).Take() << "\n";
    return kExitOk;
  }
  if (context.speaks()) console.out << "got data:\n";
  console.out << *value;
  if ((console.out_is_terminal || context.speaks()) && !value->ends_with('\n')) console.out << "\n";
  return kExitOk;
}

void PrintChild(const Context& context, const std::string& path, const TreeChild& child) {
  const std::string name = EscapeTreeName(child.name);
  if (context.json) {
    JsonObject object = ObjectOf(context);
    object.Bytes("name", child.name).Bytes("path", path.empty() ? name : path + "/" + name);
    object.Bool("has_value", child.has_value).Bool("has_children", child.has_children);
    context.console.out << object.Take() << "\n";
    return;
  }
  const std::string_view what = !child.has_children ? "value"
                                : child.has_value   ? "value,children"
                                                    : "children";
  context.console.out << Escape(name) << "\t" << what << "\n";
}

int List(const Context& context, Tree& tree, const std::vector<std::string>& operands) {
  TreePageOptions options;
  if (Status status = ReadLimit(context, &options); !status.ok()) return FailUsage(context, status);
  const Result<std::string> after = After(context);
  if (!after.ok()) return FailUsage(context, after.status());
  const Result<std::vector<std::string>> names = SplitTreePath(*after);
  if (!names.ok()) return FailUsage(context, names.status());
  if (names->size() > 1) {
    return FailUsage(context, Status::InvalidArgument("--after of a list is one name, no path"));
  }
  if (!names->empty()) options.start_after = names->front();
  const std::string path = PathOr(operands, "");
  const Result<std::vector<TreeChild>> children = tree.Children(path, options);
  if (!children.ok()) return FailOnTree(context, children.status());
  for (const TreeChild& child : *children) PrintChild(context, path, child);
  return kExitOk;
}

int Walk(const Context& context, Tree& tree, const std::vector<std::string>& operands) {
  TreePageOptions options;
  if (Status status = ReadLimit(context, &options); !status.ok()) return FailUsage(context, status);
  const Result<std::string> after = After(context);
  if (!after.ok()) return FailUsage(context, after.status());
  options.start_after = *after;
  RecordPrinter printer(context.console, context.json, /*keys_only=*/false,
                        context.arguments.Value("-n").value_or(""));
  const Status status = tree.Walk(
      PathOr(operands, ""),
      [&](std::string_view path, std::string_view value) { return printer.Print(path, value); },
      options);
  printer.Finish();
  return status.ok() ? kExitOk : FailOnTree(context, status);
}

int Count(const Context& context, Tree& tree, const std::vector<std::string>& operands) {
  const Result<uint64_t> count = tree.Count(PathOr(operands, ""));
  if (!count.ok()) return FailOnTree(context, count.status());
  const Console& console = context.console;
  if (context.json) {
    JsonObject object = ObjectOf(context);
    console.out << object.Number("count", *count).Take() << "\n";
  } else {
    console.out << (console.out_is_terminal ? WithThousands(*count) : std::to_string(*count))
                << "\n";
  }
  return kExitOk;
}

int Delete(const Context& context, Tree& tree, const std::vector<std::string>& operands) {
  return FinishOnTree(context, tree.DeleteSubtree(operands[0], WriteOptionsFrom(context)));
}

int Rename(const Context& context, Tree& tree, const std::vector<std::string>& operands) {
  TreeRenameOptions options{.replace = context.arguments.Has("--replace")};
  options.durability = WriteOptionsFrom(context).durability;
  return FinishOnTree(context, tree.RenameSubtree(operands[0], operands[1], options));
}

Status DeleteRemotely(const Context& context, client::RemoteDb& db, const Namespace& space,
                      const std::vector<std::string>& operands) {
  return db.RemoveTree(space, operands[0], WriteOptionsFrom(context));
}

Status RenameRemotely(const Context& context, client::RemoteDb& db, const Namespace& space,
                      const std::vector<std::string>& operands) {
  const bool replaces = context.arguments.Has("--replace");
  return db.MoveTree(space, operands[0], operands[1], replaces, WriteOptionsFrom(context));
}

constexpr Action kActions[] = {
    {"put", 2, 2, Access::kChangeOrCreate, Put}, {"get", 1, 1, Access::kRead, Get},
    {"list", 0, 1, Access::kRead, List},         {"walk", 0, 1, Access::kRead, Walk},
    {"count", 0, 1, Access::kRead, Count},
    {"delete", 1, 1, Access::kChange, Delete, DeleteRemotely},
    {"rename", 2, 2, Access::kChange, Rename, RenameRemotely},
};

// The action that the first operand names; nullptr: none, or with other operands than it takes.
const Action* FindAction(const std::vector<std::string>& operands) {
  for (const Action& action : kActions) {
    const size_t count = operands.size() - 1;
    if (action.name != operands[0]) continue;
    return count < action.min_operands || count > action.max_operands ? nullptr : &action;
  }
  return nullptr;
}

// A path, or the value of a put. All come before the store is opened: a slip must not leave a new, empty one
// behind.
Result<std::string> ReadOperand(const Context& context, const Action& action, size_t index) {
  const std::string& word = context.arguments.operands()[index];
  if (action.run == Put && index == 2) return ValueOperand(context, word);
  Result<std::string> path = BytesFromCommandLine(context, word);
  if (!path.ok()) return path;
  if (const auto names = SplitTreePath(*path); !names.ok()) return names.status();
  return path;
}

int RunTree(const Context& context) {
  const std::vector<std::string>& words = context.arguments.operands();
  const Action* const action = FindAction(words);
  if (action == nullptr) {
    return FailUsage(context, Status::InvalidArgument("'tree " + words[0] + "' with " +
                                                      std::to_string(words.size() - 1) +
                                                      " operands is no action on a tree"));
  }
  std::vector<std::string> operands;
  for (size_t i = 1; i < words.size(); ++i) {
    Result<std::string> operand = ReadOperand(context, *action, i);
    if (!operand.ok()) {
      const bool is_usage = operand.status().code() == StatusCode::kInvalidArgument;
      return is_usage ? FailUsage(context, operand.status()) : Fail(context, operand.status());
    }
    operands.push_back(*std::move(operand));
  }
  const Result<std::unique_ptr<Db>> db = OpenStore(context, action->access);
  if (!db.ok()) return FailToOpen(context, db.status());
  const auto space = OpenSpace(context, **db, action->access);
  if (!space.ok()) return FailToOpenSpace(context, space.status());
  client::RemoteDb* const remote = client::RemoteDb::From(db->get());
  if (remote != nullptr && action->run_remotely != nullptr) {
    return FinishOnTree(context, action->run_remotely(context, *remote, **space, operands));
  }
  Tree tree(db->get(), space->get());
  return action->run(context, tree, operands);
}

}  // namespace

std::vector<Command> TreeCommands() {
  return {
      {{.name = "tree",
        .operands = "ACTION [PATH]",
        .min_operands = 1,
        .max_operands = 3,
        .flags = {kNamespaceFlag,
                  kSyncFlag,
                  {"--limit", "N", "list, walk: at most N"},
                  {"--after", "NAME", "list: children after this one; walk: paths after this one"},
                  {"--replace", "", "rename: deletes what is there already"}},
        .summary = "Works on keys as paths of a tree, such as shop/fruit/apple",
        .examples = "varve --dir data tree put shop/fruit/apple red\n"
                    "varve --dir data tree get shop/fruit/apple\n"
                    "varve --dir data tree list shop               # its children\n"
                    "varve --dir data tree walk shop               # all that is below, with values\n"
                    "varve --dir data tree count                   # values in the whole tree\n"
                    "varve --dir data tree rename shop store       # with all that is below\n"
                    "varve --dir data tree delete store/fruit      # with all that is below, at once\n",
        .details = "Actions: put PATH VALUE, get PATH, list [PATH], walk [PATH], count [PATH], delete PATH,\n"
                   "rename FROM TO. A name in a path has %2F for / and %25 for %. '' is the root.\n"
                   "'varve del' deletes a value and leaves the children.\n",
        .target = Target::kEither},
       RunTree},
  };
}

}  // namespace varve::cli
