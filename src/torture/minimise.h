// Cuts a schedule down to what it takes to break a promise.
#ifndef VARVE_TORTURE_MINIMISE_H_
#define VARVE_TORTURE_MINIMISE_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "torture/campaign.h"

namespace varve::torture {

struct Minimised {
  Schedule schedule;
  uint64_t runs = 0;  // that it took
};

// Leaves out lines for as long as `fails` says that what is left still fails: halves first, single lines last
// (delta debugging: Zeller and Hildebrandt, 2002). Asks at most `most_runs` times; then, and where failing is a
// matter of chance, the result may not be the least.
// REQUIRES: `schedule` fails.
Minimised Minimise(Schedule schedule, const std::function<bool(const Schedule&)>& fails, uint64_t most_runs);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_MINIMISE_H_
