// COMMAND: what there is, from the table.
#include <algorithm>

#include "base/status_macros.h"
#include "server/call.h"
#include "server/glob.h"

namespace varve::server {
namespace {

void ReplyWords(Call& call, const std::vector<std::string_view>& words, std::string_view prefix = {}) {
  call.reply.Set(words.size());
  for (const std::string_view word : words) call.reply.Simple(std::string(prefix).append(word));
}

void ReplyKeySpec(Call& call, const KeySpec& spec) {
  call.reply.Map(3);
  call.reply.Bulk("flags");
  ReplyWords(call, spec.flags);
  call.reply.Bulk("begin_search");
  call.reply.Map(2);
  call.reply.Bulk("type");
  call.reply.Bulk("index");
  call.reply.Bulk("spec");
  call.reply.Map(1);
  call.reply.Bulk("index");
  call.reply.Integer(spec.first);
  call.reply.Bulk("find_keys");
  call.reply.Map(2);
  call.reply.Bulk("type");
  call.reply.Bulk("range");
  call.reply.Bulk("spec");
  call.reply.Map(3);
  call.reply.Bulk("lastkey");
  call.reply.Integer(spec.last);
  call.reply.Bulk("keystep");
  call.reply.Integer(spec.step);
  call.reply.Bulk("limit");
  call.reply.Integer(0);
}

void ReplyInfo(Call& call, const Command* command) {
  if (command == nullptr) return call.reply.Null();
  call.reply.Array(10);
  call.reply.Bulk(command->full_name);
  call.reply.Integer(command->spec.arity);
  ReplyWords(call, command->flag_names);
  call.reply.Integer(command->first_key);
  call.reply.Integer(command->last_key);
  call.reply.Integer(command->key_step);
  ReplyWords(call, command->categories, "@");
  call.reply.Set(command->tips.size());
  for (const std::string_view tip : command->tips) call.reply.Bulk(tip);
  call.reply.Set(command->key_specs.size());
  for (const KeySpec& spec : command->key_specs) ReplyKeySpec(call, spec);
  // As Redis has it: the set of none, but an array of some.
  if (command->subcommands.empty()) return call.reply.Set(0);
  call.reply.Array(command->subcommands.size());
  for (const auto& [name, sub] : command->subcommands) ReplyInfo(call, sub.get());
}

Status All(Call& call) {
  call.reply.Array(AllCommands().size());
  for (const auto& [name, command] : AllCommands()) ReplyInfo(call, command.get());
  return Status::Ok();
}

Status Count(Call& call) { return call.Integer(static_cast<int64_t>(AllCommands().size())); }

Status CommandInfo(Call& call) {
  if (call.count() == 2) return All(call);
  call.reply.Array(call.count() - 2);
  for (size_t i = 2; i < call.count(); ++i) ReplyInfo(call, FindCommandByFullName(call.arg(i)));
  return Status::Ok();
}

void ReplyDocs(Call& call, const Command& command) {
  const bool has_subs = !command.subcommands.empty();
  call.reply.Bulk(command.full_name);
  call.reply.Map(has_subs ? 4 : 3);
  call.reply.Bulk("summary");
  call.reply.Bulk(command.spec.summary);
  call.reply.Bulk("since");
  call.reply.Bulk(command.spec.since);
  call.reply.Bulk("group");
  call.reply.Bulk(command.spec.group);
  if (!has_subs) return;
  call.reply.Bulk("subcommands");
  call.reply.Map(command.subcommands.size());
  for (const auto& [name, sub] : command.subcommands) ReplyDocs(call, *sub);
}

Status Docs(Call& call) {
  std::vector<const Command*> asked;
  if (call.count() == 2) {
    for (const auto& [name, command] : AllCommands()) asked.push_back(command.get());
  }
  for (size_t i = 2; i < call.count(); ++i) {
    const Command* const command = FindCommandByFullName(call.arg(i));
    if (command != nullptr) asked.push_back(command);
  }
  call.reply.Map(asked.size());
  for (const Command* command : asked) ReplyDocs(call, *command);
  return Status::Ok();
}

Status CommandList(Call& call) {
  const auto keep = [&](const Command& command) {
    if (call.count() == 2) return true;
    if (call.Is(3, "module")) return false;
    if (call.Is(3, "pattern")) return MatchesGlob(call.arg(4), command.full_name, true);
    return std::any_of(command.categories.begin(), command.categories.end(),
                       [&](std::string_view category) { return EqualsIgnoreCase(category, call.arg(4)); });
  };
  const bool is_filter = call.count() == 5 && call.Is(2, "filterby") &&
                         (call.Is(3, "module") || call.Is(3, "aclcat") || call.Is(3, "pattern"));
  if (call.count() != 2 && !is_filter) return call.SyntaxError();
  std::vector<std::string_view> names;
  for (const auto& [name, command] : AllCommands()) {
    if (keep(*command)) names.push_back(command->full_name);
    for (const auto& [sub_name, sub] : command->subcommands) {
      if (keep(*sub)) names.push_back(sub->full_name);
    }
  }
  call.reply.Array(names.size());
  for (const std::string_view name : names) call.reply.Bulk(name);
  return Status::Ok();
}

// --- Keys of a command line.

Status ReplyKeys(Call& call, bool with_flags) {
  const std::vector<std::string_view> args(call.args.begin() + 2, call.args.end());
  std::string ignored;
  const Command* const command = FindCommand(args, &ignored);
  if (command == nullptr) return call.Error("Invalid command specified");
  if (command->key_specs.empty()) return call.Error("The command has no key arguments");
  if (!command->IsArity(args.size())) {
    return call.Error("Invalid number of arguments specified for command");
  }
  const std::vector<KeyPosition> keys = KeysOf(*command, args);
  call.reply.Array(keys.size());
  for (const KeyPosition& key : keys) {
    if (with_flags) call.reply.Array(2);
    call.reply.Bulk(args[key.index]);
    if (with_flags) ReplyWords(call, KeyFlagsFor(*command, *key.spec, args));
  }
  return Status::Ok();
}

Status GetKeys(Call& call) { return ReplyKeys(call, false); }
Status GetKeysAndFlags(Call& call) { return ReplyKeys(call, true); }

Status CommandHelp(Call& call) {
  call.reply.Array(2);
  call.reply.Simple("COMMAND [<subcommand>]: COUNT DOCS GETKEYS GETKEYSANDFLAGS INFO LIST");
  call.reply.Simple("    What commands there are, and where their keys stand.");
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> CommandCommands() {
  constexpr std::string_view kFlags = "loading stale";
  constexpr std::string_view kTip = "nondeterministic_output_order";
  const auto sub = [&](std::string_view name, int arity, std::string_view tips, std::string_view since,
                       std::string_view summary, Status (*run)(Call&)) {
    return CommandSpec{name, arity, kFlags, "connection", "", tips, since, "server", summary, run};
  };
  return {{.name = "command",
           .arity = -1,
           .flags = kFlags,
           .categories = "connection",
           .tips = kTip,
           .since = "2.8.13",
           .group = "server",
           .summary = "Describes all commands",
           .run = All,
           .subcommands = {
               sub("count", 2, "", "2.8.13", "Counts the commands", Count),
               sub("docs", -2, kTip, "7.0.0", "Documents commands", Docs),
               sub("getkeys", -4, "", "2.8.13", "Returns the keys of a command line", GetKeys),
               sub("getkeysandflags", -4, "", "7.0.0",
                   "Returns the keys of a command line and what is done with them", GetKeysAndFlags),
               sub("help", 2, "", "5.0.0", "Helps", CommandHelp),
               sub("info", -2, kTip, "2.8.13", "Describes commands", CommandInfo),
               sub("list", -2, kTip, "7.0.0", "Lists the names of commands", CommandList),
           }}};
}

}  // namespace varve::server
