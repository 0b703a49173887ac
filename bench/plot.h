// A comparison as one SVG picture.
#ifndef VARVE_BENCH_PLOT_H_
#define VARVE_BENCH_PLOT_H_

#include <string>

#include "bench/report.h"

namespace varve::bench {

// Left: a group of bars a workload, scaled to the best of the group. Right: for each workload with
// timed operations the latency at every percentile, both axes logarithmic. Engines that have
// nothing to show are left out of the legend.
std::string SvgPlot(const Comparison& comparison);

}  // namespace varve::bench

#endif  // VARVE_BENCH_PLOT_H_
