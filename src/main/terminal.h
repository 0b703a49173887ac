// The process's terminal.
#ifndef VARVE_MAIN_TERMINAL_H_
#define VARVE_MAIN_TERMINAL_H_

#include <memory>

#include "cli/terminal.h"

namespace varve {

// nullptr unless standard input and standard output are both a terminal.
std::unique_ptr<cli::Terminal> OpenTerminal();

}  // namespace varve

#endif  // VARVE_MAIN_TERMINAL_H_
