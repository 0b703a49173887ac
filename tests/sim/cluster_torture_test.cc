// Clusters under faults: see docs/design/0032-simulator.md.
#include "sim/cluster_torture.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "sim/cluster_scenario.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"

namespace varve::sim {
namespace {

using varve::test::Scaled;

TortureReport RunSeeds(TortureOptions options) {
  if (const char* seed = std::getenv("VARVE_TEST_SEED")) {
    options.first_seed = std::strtoull(seed, nullptr, 10);
    options.seeds = 1;
  }
  return Torture(options, [](const TortureReport&) {});
}

TEST(ClusterTortureTest, NothingIsLostAndNothingComesBack) {
  TortureOptions options;
  options.seeds = Scaled(400);
  const TortureReport report = RunSeeds(options);
  ASSERT_EQ(report.failure, nullptr) << "VARVE_TEST_SEED=" << report.failure->ToString()
                                     << Describe(ClusterOptionsOf(options, report.failure->seed));
  RecordProperty("events", std::to_string(report.events));
  RecordProperty("simulated_ms", std::to_string(report.simulated / kMillisecond));
  RecordProperty("acknowledged", std::to_string(report.acknowledged));
  RecordProperty("answered", std::to_string(report.answered));
  RecordProperty("topologies", std::to_string(report.topologies));
}

}  // namespace
}  // namespace varve::sim
