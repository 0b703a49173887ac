// What 'varve torture' runs beside the simulated cluster.
#ifndef VARVE_MAIN_TORTURE_CAMPAIGNS_H_
#define VARVE_MAIN_TORTURE_CAMPAIGNS_H_

#include <optional>
#include <string>
#include <vector>

#include "cli/campaigns.h"

namespace varve {

Result<std::vector<cli::CampaignRow>> RunTortureCampaigns(const cli::CampaignRequest& request,
                                                          const cli::CampaignProgress& progress);

// The exit code of a process that a campaign has started, for which the command line is not meant.
std::optional<int> RunTortureRole(const std::vector<std::string>& words);

}  // namespace varve

#endif  // VARVE_MAIN_TORTURE_CAMPAIGNS_H_
