// The clock of campaigns: of histories, and of what may take how long.
#ifndef VARVE_TORTURE_NOW_H_
#define VARVE_TORTURE_NOW_H_

#include <cstdint>

#include "env/env.h"

namespace varve::torture {

inline uint64_t MonotonicNow() { return Env::Default()->clock()->MonotonicNanos(); }

}  // namespace varve::torture

#endif  // VARVE_TORTURE_NOW_H_
