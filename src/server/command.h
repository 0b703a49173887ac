// What a command is: one entry of the table, from which everything else about commands is made: who runs
// it, how many arguments it takes, COMMAND and its documentation, where its keys are.
#ifndef VARVE_SERVER_COMMAND_H_
#define VARVE_SERVER_COMMAND_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::server {

class Call;

// As it is written in the tables of the families. Views live for ever.
struct CommandSpec {
  std::string_view name;        // in lower case
  int arity = 0;                // with the name; negative: at least so many
  std::string_view flags;       // words of COMMAND: "write denyoom fast"; "!no_multi" is not shown there
  std::string_view categories;  // those that do not follow from the flags: "keyspace", "string dangerous"
  // Where the keys are: "FLAGS@FIRST:LAST,STEP" with LAST relative to FIRST, negative: from the end;
  // several with ';' between.
  std::string_view keys;
  std::string_view tips;
  std::string_view since;
  std::string_view group;
  std::string_view summary;
  // Replies, and returns OK, also when the reply is an error; or returns why the store failed: nothing of
  // the reply is sent then. Without a function: a container of sub-commands.
  Status (*run)(Call&) = nullptr;
  // Runs within a transaction of the store, so that all that it reads and writes is one step. Without: run
  // sees to that itself when it is called outside of one (Call::transaction).
  bool is_transaction = false;
  std::vector<CommandSpec> subcommands = {};
};

enum CommandFlag : uint32_t {
  kFlagWrite = 1u << 0,
  kFlagReadonly = 1u << 1,
  kFlagNoAuth = 1u << 2,
  kFlagNoMulti = 1u << 3,
  kFlagAdmin = 1u << 4,
  kFlagSkipSlowlog = 1u << 5,
  kFlagFast = 1u << 6,
};

struct KeySpec {
  std::vector<std::string_view> flags;
  int first = 0;
  int last = 0;
  int step = 1;
};

// An entry, ready for use. Immutable.
struct Command {
  // What a key of the arguments stands for: itself; all keys that begin with it, or that are between it and
  // the next one.
  enum class Spans : uint8_t { kOne, kMany };

  CommandSpec spec;
  int id = 0;             // 0 to CommandCount() - 1
  Spans spans = Spans::kOne;
  std::string full_name;  // "client|setname"
  uint32_t flags = 0;     // CommandFlag
  std::vector<std::string_view> flag_names;
  std::vector<std::string_view> categories;  // with those that follow from the flags, in Redis's order
  std::vector<std::string_view> tips;
  std::vector<KeySpec> key_specs;
  // The keys as one range; 0, 0, 0: none.
  int first_key = 0;
  int last_key = 0;
  int key_step = 0;
  std::map<std::string, std::unique_ptr<Command>, std::less<>> subcommands;

  bool IsArity(size_t count) const {
    return spec.arity >= 0 ? count == static_cast<size_t>(spec.arity)
                           : count >= static_cast<size_t>(-spec.arity);
  }
};

using CommandMap = std::map<std::string, std::unique_ptr<Command>, std::less<>>;

// All commands. Made once.
const CommandMap& AllCommands();
// With sub-commands and their containers.
size_t CommandCount();

// The command that `args` name, sub-command and all, whatever their case. nullptr and an error text, with
// its code, when there is none. A container by itself is found.
const Command* FindCommand(const std::vector<std::string_view>& args, std::string* error);
// By the name that COMMAND INFO takes, "client|setname". nullptr when there is none.
const Command* FindCommandByFullName(std::string_view name);

// Where the keys stand in `args`. Fewer than there should be when `args` end early.
struct KeyPosition {
  size_t index;
  const KeySpec* spec;
};
std::vector<KeyPosition> KeysOf(const Command& command, const std::vector<std::string_view>& args);

// What the command does with its keys, which of SET and BITFIELD depends on the options in `args`.
std::vector<std::string_view> KeyFlagsFor(const Command& command, const KeySpec& spec,
                                          const std::vector<std::string_view>& args);

// The names of all categories, in Redis's order.
const std::vector<std::string_view>& AllCategories();

// "int", "embstr" or "raw": how Redis would keep the value.
std::string_view EncodingOf(std::string_view value);

std::string LowerCase(std::string_view text);
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::vector<std::string_view> Words(std::string_view text, char separator = ' ');

// The families.
std::vector<CommandSpec> ConnectionCommands();
std::vector<CommandSpec> ClientCommands();
std::vector<CommandSpec> CommandCommands();
std::vector<CommandSpec> ServerCommands();
std::vector<CommandSpec> ConfigCommands();
std::vector<CommandSpec> StringCommands();
std::vector<CommandSpec> StringNumberCommands();
std::vector<CommandSpec> BitCommands();
std::vector<CommandSpec> BitfieldCommands();
std::vector<CommandSpec> KeyCommands();
std::vector<CommandSpec> DatabaseCommands();
std::vector<CommandSpec> ScanCommands();
std::vector<CommandSpec> ExpireCommands();
std::vector<CommandSpec> TransactionCommands();
std::vector<CommandSpec> PubSubCommands();
std::vector<CommandSpec> DiagnosticCommands();
std::vector<CommandSpec> DumpCommands();
std::vector<CommandSpec> AclCommands();
std::vector<CommandSpec> LatencyCommands();
std::vector<CommandSpec> StoreCommands();
std::vector<CommandSpec> DebugCommands();
std::vector<CommandSpec> ClusterCommands();
std::vector<CommandSpec> VarveCommands();

}  // namespace varve::server

#endif  // VARVE_SERVER_COMMAND_H_
