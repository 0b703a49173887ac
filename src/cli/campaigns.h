// What the verb 'torture' asks of its campaigns, and what it gets. Filled in by main, or by a test.
#ifndef VARVE_CLI_CAMPAIGNS_H_
#define VARVE_CLI_CAMPAIGNS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/status.h"

namespace varve::cli {

struct CampaignRequest {
  std::string name;  // or "all"
  uint64_t first_seed = 1;
  uint64_t seeds = 0;        // 0: as many as there is time for
  uint64_t seconds = 10;     // of all campaigns together
  std::string dir;           // where those that need a disk make a directory of their own
  std::string report;        // a file of HTML; empty: none
  std::string schedule_file;  // run instead of what the seed gives; of one campaign only
  bool whole = false;        // of a violation the schedule is not cut down
};

struct CampaignViolation {
  uint64_t seed = 0;
  std::string what;
  std::string world;
  std::string schedule;  // the least that was found, a line each
  uint64_t lines = 0;
  uint64_t lines_before = 0;
  uint64_t repeated = 0;  // of so many further runs so many were broken too
  uint64_t repeats = 0;
  bool races = false;         // threads or processes race: further runs need not come to the same
  std::string schedule_file;  // that has the schedule
  std::string evidence;       // a directory with the files of the run; empty: all was in memory
  std::string dir;            // as in the request
};

// What one campaign came to.
struct CampaignRow {
  std::string name;
  std::string promise;
  uint64_t seeds = 0;
  uint64_t nanos = 0;
  uint64_t digest = 0;  // of all that was done, where equal seeds do the same; else 0
  std::vector<std::pair<std::string, uint64_t>> counts;
  std::optional<CampaignViolation> violation;
};

using CampaignProgress = std::function<void(const CampaignRow&)>;
// Runs one campaign or all; ends with the first violation. kInvalidArgument: the schedule makes no sense.
using RunCampaigns =
    std::function<Result<std::vector<CampaignRow>>(const CampaignRequest&, const CampaignProgress&)>;

// The names that a request may have, without "all".
inline constexpr std::string_view kCampaignNames[] = {"engine",      "crash",        "power", "disk-full", "io-errors", "bit-rot",
                                                      "concurrency", "transactions", "ttl",   "server",    "cluster"};

}  // namespace varve::cli

#endif  // VARVE_CLI_CAMPAIGNS_H_
