// What the verb 'torture' asks for, and what it gets.
#ifndef VARVE_CLI_TORTURE_H_
#define VARVE_CLI_TORTURE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "varve/status.h"

namespace varve::cli {

struct TortureRequest {
  uint64_t first_seed = 0;
  uint64_t seeds = 1;
  uint64_t seconds = 0;       // no seed is begun after so long; 0: all of them
  uint32_t nodes = 5;
  uint64_t simulate = 5;      // simulated seconds with faults
  std::string profile;        // of all seeds; empty: each has its own
  std::string schedule_file;  // empty: faults by chance
};

// Sums over the seeds so far.
struct TortureFigures {
  uint64_t seeds = 0;
  uint64_t events = 0;
  uint64_t simulated_nanos = 0;
  uint64_t requests = 0;
  uint64_t writes = 0;  // that were acknowledged
  uint64_t reads = 0;   // that were answered
  uint64_t topologies = 0;
  std::string profiles = {};  // "mixed 7, hints 3"
  uint64_t trace = 0;         // hash of all events
};

// A seed that broke an invariant.
struct TortureFailure {
  uint64_t seed = 0;
  std::string violation;
  std::string cluster;   // what it was, in words
  std::string schedule;  // the least that it takes, a fault a line
  uint64_t faults = 0;   // in it
  uint64_t faults_before = 0;
};

struct TortureResult {
  TortureFigures figures;
  std::optional<TortureFailure> failure;
};

// kIoError, kInvalidArgument: of the schedule.
using TortureProgress = std::function<void(const TortureFigures&)>;
using TortureCluster = std::function<Result<TortureResult>(const TortureRequest&, const TortureProgress&)>;

}  // namespace varve::cli

#endif  // VARVE_CLI_TORTURE_H_
