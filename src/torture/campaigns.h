// All campaigns.
#ifndef VARVE_TORTURE_CAMPAIGNS_H_
#define VARVE_TORTURE_CAMPAIGNS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "torture/campaign.h"
#include "torture/processes.h"

namespace varve::torture {

// On a file system in memory.
std::unique_ptr<Campaign> EngineCampaign();
std::unique_ptr<Campaign> PowerCampaign();
std::unique_ptr<Campaign> DiskFullCampaign();
std::unique_ptr<Campaign> IoErrorsCampaign();
std::unique_ptr<Campaign> BitRotCampaign();
std::unique_ptr<Campaign> TtlCampaign();
std::unique_ptr<Campaign> TransactionsCampaign();
std::unique_ptr<Campaign> ClusterCampaign();
// On a directory. `processes` must outlive them.
std::unique_ptr<Campaign> ConcurrencyCampaign();
std::unique_ptr<Campaign> CrashCampaign(Processes* processes);
std::unique_ptr<Campaign> ServerCampaign(Processes* processes);

// Each once, in the order of the names that `varve torture` lists.
std::vector<std::unique_ptr<Campaign>> AllCampaigns(Processes* processes);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_CAMPAIGNS_H_
