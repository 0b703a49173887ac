#include "torture/campaigns.h"

namespace varve::torture {

std::vector<std::unique_ptr<Campaign>> AllCampaigns(Processes* processes) {
  std::vector<std::unique_ptr<Campaign>> all;
  all.push_back(EngineCampaign());
  all.push_back(CrashCampaign(processes));
  all.push_back(PowerCampaign());
  all.push_back(DiskFullCampaign());
  all.push_back(IoErrorsCampaign());
  all.push_back(BitRotCampaign());
  all.push_back(ConcurrencyCampaign());
  all.push_back(TransactionsCampaign());
  all.push_back(TtlCampaign());
  all.push_back(ServerCampaign(processes));
  all.push_back(ClusterCampaign());
  return all;
}

}  // namespace varve::torture
