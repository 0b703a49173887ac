// The commands of the tool: each a spec, from which its help is made, and a function.
#ifndef VARVE_CLI_COMMANDS_H_
#define VARVE_CLI_COMMANDS_H_

#include <vector>

#include "cli/arguments.h"
#include "cli/context.h"

namespace varve::cli {

struct Command {
  VerbSpec spec;
  // Does the work and returns the exit code; failures have been reported.
  int (*run)(const Context& context);
};

std::vector<Command> WriteCommands();     // put del delrange expire persist
std::vector<Command> ReadCommands();      // get scan count
std::vector<Command> ExplainCommands();   // explain
std::vector<Command> TransferCommands();  // load dump
std::vector<Command> NamespaceCommands(); // namespaces drop
std::vector<Command> TreeCommands();      // tree
std::vector<Command> BackupCommands();    // backup restore checkpoint
std::vector<Command> StoreCommands();     // stats verify compact wal
std::vector<Command> ServerCommands();    // server
std::vector<Command> RepairCommands();    // repair
std::vector<Command> ClusterCommands();   // cluster
std::vector<Command> DemoCommands();      // demo
std::vector<Command> BenchCommands();     // bench
std::vector<Command> TortureCommands();   // torture
std::vector<Command> TopCommands();       // top
std::vector<Command> DoctorCommands();    // doctor
std::vector<Command> DocumentCommands();  // completion man
std::vector<Command> ShellCommands();     // shell

// All of them, in the order of the help.
const std::vector<Command>& AllCommands();

}  // namespace varve::cli

#endif  // VARVE_CLI_COMMANDS_H_
