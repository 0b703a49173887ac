// What is made of the table of commands beside the help: completions for shells, and the manual page.
#ifndef VARVE_CLI_DOCUMENTS_H_
#define VARVE_CLI_DOCUMENTS_H_

#include <string>
#include <vector>

#include "cli/arguments.h"

namespace varve::cli {

// A script for bash: commands, their flags, file names elsewhere.
std::string BashCompletion(const std::vector<const VerbSpec*>& verbs);
// A function for zsh's $fpath, with what each command and flag does.
std::string ZshCompletion(const std::vector<const VerbSpec*>& verbs);
// varve(1), for man.
std::string ManPage(const std::vector<const VerbSpec*>& verbs);

}  // namespace varve::cli

#endif  // VARVE_CLI_DOCUMENTS_H_
