// Run: the tool, without a process around it.
#ifndef VARVE_CLI_RUN_H_
#define VARVE_CLI_RUN_H_

#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/context.h"

namespace varve::cli {

// Executes one command line (without the program's name) and returns the exit code.
int Run(const std::vector<std::string>& words, const Environment& environment,
        const Console& console, const Backend& backend);

}  // namespace varve::cli

#endif  // VARVE_CLI_RUN_H_
