// The demonstration of a cluster, on this machine.
#ifndef VARVE_MAIN_DEMO_H_
#define VARVE_MAIN_DEMO_H_

#include "cli/demo.h"

namespace varve {

Status RunClusterDemo(const cli::DemoRequest& request, const cli::Console& console);

}  // namespace varve

#endif  // VARVE_MAIN_DEMO_H_
