#include "cli/run.h"

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/json.h"
#include "varve/version.h"

namespace varve::cli {
namespace {

const Command* FindCommand(const VerbSpec* spec) {
  for (const Command& command : AllCommands()) {
    if (&command.spec == spec) return &command;
  }
  return nullptr;
}

std::vector<const VerbSpec*> AllVerbs() {
  std::vector<const VerbSpec*> verbs;
  for (const Command& command : AllCommands()) verbs.push_back(&command.spec);
  return verbs;
}

// The command line makes no sense as far as it was read, so --json is looked for by hand.
int RefuseUsage(const std::vector<std::string>& words, const Console& console,
                const Status& status) {
  bool json = false;
  for (const std::string& word : words) json = json || word == "--json";
  PrintError(console, json, status, "'varve --help' lists the commands");
  return kExitUsage;
}

int PrintVersion(const Arguments& arguments, const Console& console) {
  if (arguments.Has("--json")) {
    console.out << JsonObject().Bytes("version", kVersion).Number("format", kFormatVersion).Take();
  } else {
    console.out << "varve " << kVersion << " (file format " << kFormatVersion << ")";
  }
  console.out << "\n";
  return kExitOk;
}

int Execute(const Arguments& arguments, const std::optional<std::string>& default_dir,
            const Console& console, const Backend& backend) {
  const bool json = arguments.Has("--json");
  std::string dir = arguments.Value("--dir").value_or(default_dir.value_or(""));
  if (arguments.verb()->dir_is_operand && !arguments.operands().empty()) {
    dir = arguments.operands()[0];
  }
  if (dir.empty()) {
    PrintError(console, json, Status::InvalidArgument("no store given"),
               "say which directory holds it: --dir DIR, or the variable VARVE_DIR");
    return kExitUsage;
  }
  const Context context{arguments, console, backend, dir, json};
  return FindCommand(arguments.verb())->run(context);
}

int Dispatch(const std::vector<std::string>& words, const std::optional<std::string>& default_dir,
             const Console& console, const Backend& backend) {
  const Result<Arguments> arguments = Arguments::Parse(words, AllVerbs());
  if (words.empty()) {
    console.err << ToolHelp(AllVerbs(), console);
    return kExitUsage;
  }
  if (!arguments.ok()) return RefuseUsage(words, console, arguments.status());
  if (arguments->Has("--version")) return PrintVersion(*arguments, console);
  if (arguments->Has("--help")) {
    const VerbSpec* verb = arguments->verb();
    console.out << (verb == nullptr ? ToolHelp(AllVerbs(), console) : VerbHelp(*verb, console));
    return kExitOk;
  }
  return Execute(*arguments, default_dir, console, backend);
}

}  // namespace

const std::vector<Command>& AllCommands() {
  static const std::vector<Command> commands = [] {
    std::vector<Command> all;
    for (auto* group :
         {WriteCommands, ReadCommands, TransferCommands, NamespaceCommands, TreeCommands,
          BackupCommands, StoreCommands, RepairCommands, ServerCommands}) {
      for (Command& command : group()) all.push_back(std::move(command));
    }
    return all;
  }();
  return commands;
}

int Run(const std::vector<std::string>& words, const std::optional<std::string>& default_dir,
        const Console& console, const Backend& backend) {
  const int exit_code = Dispatch(words, default_dir, console, backend);
  console.out.flush();
  if (console.out.good() || exit_code != kExitOk) return exit_code;
  PrintError(console, /*json=*/false, Status::IoError("writing the output failed"),
             "is the disk full?");
  return kExitError;
}

}  // namespace varve::cli
