#include "cli/commands.h"
#include "cli/shell.h"

namespace varve::cli {

std::vector<Command> ShellCommands() {
  return {
      {{.name = "shell",
        .summary = "A conversation; what 'varve' alone starts on a terminal",
        .examples = "varve                                    # with the server at 127.0.0.1:6379\n"
                    "varve --dir data shell\n"
                    "varve redis://:password@host\n"
                    "echo 'incr visits' | varve shell         # lines from a pipe, without a prompt\n",
        .details =
            "A line is a command of this tool, without 'varve': put k v, scan --prefix a. All else goes to\n"
            "the server, as does everything in capitals: incr n, SET k v, INFO. 'help' lists; Tab completes\n"
            "commands, flags and keys; \\timing shows how long each line takes.\n",
        .target = Target::kEither},
       RunShell},
  };
}

}  // namespace varve::cli
