// Runs a server in this process.
#ifndef VARVE_MAIN_SERVE_H_
#define VARVE_MAIN_SERVE_H_

#include "cli/serve.h"

namespace varve {

// Opens the store, serves it, and returns when SIGTERM or SIGINT has come and everything is closed. A second
// signal ends the process at once; what was acknowledged is kept all the same.
Status ServeUntilSignal(const cli::ServeRequest& request, const cli::Console& console);

}  // namespace varve

#endif  // VARVE_MAIN_SERVE_H_
