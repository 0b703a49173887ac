#include "cli/commands.h"
#include "cli/documents.h"

namespace varve::cli {
namespace {

std::vector<const VerbSpec*> AllVerbs() {
  std::vector<const VerbSpec*> verbs;
  for (const Command& command : AllCommands()) verbs.push_back(&command.spec);
  return verbs;
}

int PrintCompletion(const Context& context) {
  const std::string& shell = context.arguments.operands()[0];
  if (shell == "bash") {
    context.console.out << BashCompletion(AllVerbs());
  } else if (shell == "zsh") {
    context.console.out << ZshCompletion(AllVerbs());
  } else {
    return FailUsage(context, Status::InvalidArgument("there are completions for bash and zsh, not for '" +
                                                      shell + "'"));
  }
  return kExitOk;
}

int PrintManPage(const Context& context) {
  context.console.out << ManPage(AllVerbs());
  return kExitOk;
}

}  // namespace

std::vector<Command> DocumentCommands() {
  return {
      {{.name = "completion",
        .operands = "SHELL",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Prints the completion of commands and flags, for bash or zsh",
        .examples = "eval \"$(varve completion bash)\"                 # for this shell\n"
                    "varve completion bash > ~/.local/share/bash-completion/completions/varve\n"
                    "varve completion zsh > ~/.zfunc/_varve          # a directory of $fpath\n",
        .target = Target::kNone},
       PrintCompletion},
      {{.name = "man",
        .summary = "Prints the manual page",
        .examples = "varve man | man -l -\n", .target = Target::kNone},
       PrintManPage},
  };
}

}  // namespace varve::cli
