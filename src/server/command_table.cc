#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "base/check.h"
#include "server/command.h"

namespace varve::server {

namespace {

// What an error shows of what a client sent.
constexpr size_t kMaxShown = 128;
constexpr size_t kMaxNameBytes = 32;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Up to the first zero byte, as Redis prints it.
std::string_view Printed(std::string_view text, size_t limit) {
  return text.substr(0, std::min(limit, text.find('\0')));
}

int ParseInt(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  VARVE_CHECK(error == std::errc() && end == text.data() + text.size());
  return value;
}

// "RW access update@1:0,1"
KeySpec ParseKeySpec(std::string_view text) {
  KeySpec spec;
  const size_t at = text.find('@');
  const size_t colon = text.find(':', at);
  const size_t comma = text.find(',', colon);
  VARVE_CHECK(at != text.npos && colon != text.npos && comma != text.npos);
  spec.flags = Words(text.substr(0, at));
  spec.first = ParseInt(text.substr(at + 1, colon - at - 1));
  spec.last = ParseInt(text.substr(colon + 1, comma - colon - 1));
  spec.step = ParseInt(text.substr(comma + 1));
  return spec;
}

std::vector<std::string_view> CategoriesOf(const CommandSpec& spec) {
  std::vector<std::string_view> named = Words(spec.categories);
  const std::vector<std::string_view> flags = Words(spec.flags);
  const auto has = [&](std::string_view flag) {
    return std::find(flags.begin(), flags.end(), flag) != flags.end();
  };
  if (has("write")) named.push_back("write");
  if (has("readonly")) named.push_back("read");
  if (has("pubsub") && std::find(named.begin(), named.end(), "pubsub") == named.end()) {
    named.push_back("pubsub");
  }
  if (has("admin")) named.insert(named.end(), {"admin", "dangerous"});
  named.push_back(has("fast") ? "fast" : "slow");
  std::vector<std::string_view> ordered;
  for (const std::string_view category : AllCategories()) {
    if (std::find(named.begin(), named.end(), category) != named.end()) ordered.push_back(category);
  }
  return ordered;
}

void FillKeys(Command* command) {
  for (const std::string_view text : Words(command->spec.keys, ';')) {
    command->key_specs.push_back(ParseKeySpec(text));
  }
  if (command->key_specs.empty()) return;
  const KeySpec& first = command->key_specs.front();
  const KeySpec& last = command->key_specs.back();
  command->first_key = first.first;
  command->last_key = last.last < 0 ? last.last : last.first + last.last;
  command->key_step = first.step;
}

std::unique_ptr<Command> MakeCommand(const CommandSpec& spec, const std::string& parent) {
  auto command = std::make_unique<Command>();
  command->spec = spec;
  command->full_name = parent.empty() ? std::string(spec.name) : parent + "|" + std::string(spec.name);
  for (const std::string_view flag : Words(spec.flags)) {
    if (flag == "!no_multi") {
      command->flags |= kFlagNoMulti;
      continue;
    }
    command->flag_names.push_back(flag);
    if (flag == "write") command->flags |= kFlagWrite;
    if (flag == "readonly") command->flags |= kFlagReadonly;
    if (flag == "no_auth") command->flags |= kFlagNoAuth;
    if (flag == "no_multi") command->flags |= kFlagNoMulti;
    if (flag == "admin") command->flags |= kFlagAdmin;
    if (flag == "fast") command->flags |= kFlagFast;
    if (flag == "skip_slowlog") command->flags |= kFlagSkipSlowlog;
  }
  command->categories = CategoriesOf(spec);
  command->tips = Words(spec.tips);
  FillKeys(command.get());
  for (const std::string_view name : {"v.range", "v.delrange", "v.ls", "v.tree", "v.rmtree", "v.mvtree"}) {
    if (spec.name == name) command->spans = Command::Spans::kMany;
  }
  for (const CommandSpec& sub : spec.subcommands) {
    command->subcommands[std::string(sub.name)] = MakeCommand(sub, std::string(spec.name));
  }
  return command;
}

CommandMap MakeAll() {
  CommandMap all;
  for (auto* family : {ConnectionCommands, ClientCommands, CommandCommands, ServerCommands,
                       ConfigCommands, StringCommands, StringNumberCommands, BitCommands,
                       BitfieldCommands, KeyCommands, DatabaseCommands, ScanCommands, ExpireCommands,
                       TransactionCommands, PubSubCommands, DiagnosticCommands, DumpCommands, AclCommands,
                       LatencyCommands, StoreCommands, DebugCommands, ClusterCommands, VarveCommands}) {
    for (const CommandSpec& spec : family()) {
      const bool is_new = all.emplace(std::string(spec.name), MakeCommand(spec, "")).second;
      VARVE_CHECK(is_new);
    }
  }
  int id = 0;
  for (const auto& [name, command] : all) {
    command->id = id++;
    for (const auto& [sub_name, sub] : command->subcommands) sub->id = id++;
  }
  return all;
}

struct ViewHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// The same by hash, for the way of every request.
using Index = std::unordered_map<std::string, const Command*, ViewHash, std::equal_to<>>;

const Index& TopLevel() {
  static const Index index = [] {
    Index made;
    for (const auto& [name, command] : AllCommands()) made.emplace(name, command.get());
    return made;
  }();
  return index;
}

std::string UnknownCommand(const std::vector<std::string_view>& args) {
  std::string shown;
  for (size_t i = 1; i < args.size() && shown.size() < kMaxShown; ++i) {
    const std::string_view arg = Printed(args[i], kMaxShown - shown.size());
    shown.append("'").append(arg).append("' ");
  }
  return "ERR unknown command '" + std::string(Printed(args[0], kMaxShown)) +
         "', with args beginning with: " + shown;
}

std::string UnknownSubcommand(const Command& container, std::string_view name) {
  std::string upper(container.spec.name);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return "ERR unknown subcommand '" + std::string(Printed(name, kMaxShown)) + "'. Try " + upper + " HELP.";
}

}  // namespace

const std::vector<std::string_view>& AllCategories() {
  static const std::vector<std::string_view> all = {
      "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
      "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous",
      "connection", "transaction", "scripting"};
  return all;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = Lower(c);
  return lower;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

std::vector<std::string_view> Words(std::string_view text, char separator) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

const CommandMap& AllCommands() {
  static const CommandMap all = MakeAll();
  return all;
}

size_t CommandCount() {
  static const size_t count = [] {
    size_t made = AllCommands().size();
    for (const auto& [name, command] : AllCommands()) made += command->subcommands.size();
    return made;
  }();
  return count;
}

const Command* FindCommand(const std::vector<std::string_view>& args, std::string* error) {
  char name[kMaxNameBytes];
  const Command* command = nullptr;
  if (args[0].size() <= sizeof(name)) {
    std::transform(args[0].begin(), args[0].end(), name, Lower);
    const auto found = TopLevel().find(std::string_view(name, args[0].size()));
    if (found != TopLevel().end()) command = found->second;
  }
  if (command == nullptr) {
    *error = UnknownCommand(args);
    return nullptr;
  }
  if (command->subcommands.empty() || args.size() == 1) return command;
  const auto sub = command->subcommands.find(LowerCase(args[1]));
  if (sub != command->subcommands.end()) return sub->second.get();
  *error = UnknownSubcommand(*command, args[1]);
  return nullptr;
}

const Command* FindCommandByFullName(std::string_view name) {
  const std::string lower = LowerCase(name);
  const size_t bar = lower.find('|');
  const auto found = AllCommands().find(std::string_view(lower).substr(0, bar));
  if (found == AllCommands().end()) return nullptr;
  if (bar == std::string::npos) return found->second.get();
  const auto& subs = found->second->subcommands;
  const auto sub = subs.find(std::string_view(lower).substr(bar + 1));
  return sub == subs.end() ? nullptr : sub->second.get();
}

std::vector<KeyPosition> KeysOf(const Command& command, const std::vector<std::string_view>& args) {
  std::vector<KeyPosition> keys;
  const int count = static_cast<int>(args.size());
  for (const KeySpec& spec : command.key_specs) {
    const int last = spec.last < 0 ? count + spec.last : spec.first + spec.last;
    for (int i = spec.first; i <= last && i < count; i += spec.step) {
      keys.push_back({static_cast<size_t>(i), &spec});
    }
  }
  return keys;
}

std::vector<std::string_view> KeyFlagsFor(const Command& command, const KeySpec& spec,
                                          const std::vector<std::string_view>& args) {
  const auto is = [&](size_t i, std::string_view word) { return EqualsIgnoreCase(args[i], word); };
  if (command.full_name == "set") {
    for (size_t i = 3; i < args.size(); ++i) {
      if (is(i, "get")) return {"RW", "access", "update"};
    }
    return {"OW", "update"};
  }
  if (command.full_name == "bitfield") {
    bool writes = false;
    for (size_t i = 2; i < args.size(); ++i) {
      const size_t left = args.size() - i - 1;
      if (is(i, "get") && left >= 2) {
        i += 2;
      } else if ((is(i, "set") || is(i, "incrby")) && left >= 3) {
        writes = true;
        i += 3;
      } else if (is(i, "overflow") && left >= 1) {
        i += 1;
      } else {
        writes = true;
        break;
      }
    }
    if (!writes) return {"RO", "access"};
    return {"RW", "access", "update"};
  }
  return spec.flags;
}

}  // namespace varve::server
