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

// What is wrong with the flags that say where the store is; OK.
Status CheckPlace(const Arguments& arguments) {
  const VerbSpec& verb = *arguments.verb();
  const std::string name = "'" + std::string(verb.name) + "'";
  if (arguments.NamesServer() && !WorksOnServer(verb)) {
    return Status::InvalidArgument(name + " does not work through a server");
  }
  if (arguments.Has("--dir") && verb.target == Target::kServer) {
    return Status::InvalidArgument(name + " works on a server, not on a directory");
  }
  if (arguments.Has("--dir") && arguments.NamesServer()) {
    return Status::InvalidArgument("--dir and a server exclude each other");
  }
  return Status::Ok();
}

// The directory that the command works on; empty: none, and a server is asked for where the verb
// takes one.
std::string DirectoryOf(const Arguments& arguments, const Environment& environment) {
  const VerbSpec& verb = *arguments.verb();
  if (verb.dir_is_operand && !arguments.operands().empty()) return arguments.operands()[0];
  if (verb.target == Target::kServer || arguments.NamesServer()) return "";
  return arguments.Value("--dir").value_or(environment.dir.value_or(""));
}

int Execute(const Arguments& arguments, const Environment& environment, const Console& console,
            const Backend& backend) {
  const bool json = arguments.Has("--json");
  const auto refuse = [&](const Status& status, std::string_view hint) {
    PrintError(console, json, status, hint);
    return kExitUsage;
  };
  const VerbSpec& verb = *arguments.verb();
  if (const Status status = CheckPlace(arguments); !status.ok()) {
    return refuse(status, "'varve " + std::string(verb.name) + " --help' shows how");
  }
  const std::string dir = DirectoryOf(arguments, environment);
  std::optional<ServerTarget> server;
  if (dir.empty() && WorksOnServer(verb)) {
    Result<ServerTarget> found = ServerFrom(arguments, environment);
    if (!found.ok()) return refuse(found.status(), "");
    server = *std::move(found);
  }
  if (dir.empty() && verb.target == Target::kDirectory) {
    return refuse(Status::InvalidArgument("no store given"),
                  "say which directory holds it: --dir DIR, or the variable VARVE_DIR");
  }
  const Context context{arguments, console, backend, dir, json, server, &environment};
  return FindCommand(&verb)->run(context);
}

// Without a verb a person gets a conversation.
Result<Arguments> ParseLine(const std::vector<std::string>& words, const Console& console) {
  Result<Arguments> arguments = Arguments::Parse(words, AllVerbs());
  if (arguments.ok() || console.terminal == nullptr) return arguments;
  std::vector<std::string> with_verb = words;
  with_verb.push_back("shell");
  Result<Arguments> shell = Arguments::Parse(with_verb, AllVerbs());
  return shell.ok() && shell->verb()->name == "shell" ? shell : arguments;
}

int PrintHelp(const Arguments& arguments, const Console& console) {
  const VerbSpec* verb = arguments.verb();
  console.out << (verb == nullptr ? ToolHelp(AllVerbs(), console) : VerbHelp(*verb, console));
  return kExitOk;
}

int Dispatch(const std::vector<std::string>& words, const Environment& environment,
             const Console& console, const Backend& backend) {
  const Result<Arguments> arguments = ParseLine(words, console);
  if (words.empty() && !arguments.ok()) {
    console.err << ToolHelp(AllVerbs(), console);
    return kExitUsage;
  }
  if (!arguments.ok()) return RefuseUsage(words, console, arguments.status());
  if (arguments->Has("--version")) return PrintVersion(*arguments, console);
  if (arguments->Has("--help")) return PrintHelp(*arguments, console);
  return Execute(*arguments, environment, console, backend);
}

}  // namespace

const std::vector<Command>& AllCommands() {
  static const std::vector<Command> commands = [] {
    std::vector<Command> all;
    for (auto* group :
         {WriteCommands, ReadCommands, ExplainCommands, TransferCommands, NamespaceCommands, TreeCommands,
           BackupCommands, StoreCommands, RepairCommands, ServerCommands, ClusterCommands, DemoCommands,
           TortureCommands, BenchCommands, TopCommands, DoctorCommands, DocumentCommands, ShellCommands}) {
      for (Command& command : group()) all.push_back(std::move(command));
    }
    return all;
  }();
  return commands;
}

int RunOn(const std::vector<std::string>& words, const Place& place, const Console& console,
          const Backend& backend) {
  const Result<Arguments> arguments = Arguments::Parse(words, AllVerbs());
  if (!arguments.ok()) return RefuseUsage(words, console, arguments.status());
  if (arguments->Has("--version")) return PrintVersion(*arguments, console);
  if (arguments->Has("--help")) return PrintHelp(*arguments, console);
  const VerbSpec& verb = *arguments->verb();
  const bool fits = place.server ? WorksOnServer(verb) : verb.target != Target::kServer;
  const bool names_place = arguments->Has("--dir") || arguments->NamesServer();
  const bool takes_dir = verb.dir_is_operand && !arguments->operands().empty();
  if (names_place || takes_dir || !fits) return Execute(*arguments, {}, console, backend);
  const Context context{*arguments, console, backend, place.dir, arguments->Has("--json"), place.server};
  return FindCommand(&verb)->run(context);
}

int Run(const std::vector<std::string>& words, const Environment& environment,
        const Console& console, const Backend& backend) {
  const int exit_code = Dispatch(words, environment, console, backend);
  console.out.flush();
  if (console.out.good() || exit_code != kExitOk) return exit_code;
  PrintError(console, /*json=*/false, Status::IoError("writing the output failed"),
             "is the disk full?");
  return kExitError;
}

}  // namespace varve::cli
