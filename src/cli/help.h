// The tool's help, made from its verbs.
#ifndef VARVE_CLI_HELP_H_
#define VARVE_CLI_HELP_H_

#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "cli/console.h"

namespace varve::cli {

// Lines of shell, and the exit codes with what they mean.
std::string_view ToolExamples();
std::string_view ExitCodes();

// Help for the tool: examples, then the verbs, then the flags that all of them take.
std::string ToolHelp(const std::vector<const VerbSpec*>& verbs, const Console& console);
// Help for one verb: examples, then its flags and details.
std::string VerbHelp(const VerbSpec& verb, const Console& console);

}  // namespace varve::cli

#endif  // VARVE_CLI_HELP_H_
