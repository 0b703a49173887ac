// What 'varve torture' runs.
#ifndef VARVE_MAIN_TORTURE_H_
#define VARVE_MAIN_TORTURE_H_

#include "cli/torture.h"

namespace varve {

Result<cli::TortureResult> TortureClusters(const cli::TortureRequest& request, const cli::TortureProgress& progress);

}  // namespace varve

#endif  // VARVE_MAIN_TORTURE_H_
