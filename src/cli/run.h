// Run: the tool, without a process around it.
#ifndef VARVE_CLI_RUN_H_
#define VARVE_CLI_RUN_H_

#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/context.h"

namespace varve::cli {

// Executes one command line (without the program's name) and returns the exit code.
int Run(const std::vector<std::string>& words, const Environment& environment,
        const Console& console, const Backend& backend);

// What a line of the shell works on: a directory, or a server.
struct Place {
  std::string dir;
  std::optional<ServerTarget> server;
};
// The same for a line that says nothing of the place, or names another than `place`.
int RunOn(const std::vector<std::string>& words, const Place& place, const Console& console,
          const Backend& backend);

}  // namespace varve::cli

#endif  // VARVE_CLI_RUN_H_
