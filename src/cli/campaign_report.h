// What 'varve torture' prints of its campaigns.
#ifndef VARVE_CLI_CAMPAIGN_REPORT_H_
#define VARVE_CLI_CAMPAIGN_REPORT_H_

#include <string>
#include <vector>

#include "cli/campaigns.h"
#include "cli/console.h"

namespace varve::cli {

// One line about a campaign under way: its name, seconds, seeds and the counts that fit into `width` columns.
std::string CampaignLine(const CampaignRow& row, int width);

// The command that runs the shortest schedule of a violation again, quoted for a shell.
std::string ReplayOf(const CampaignRow& row);

// The table of all campaigns, and of the violation what breaks it again.
void PrintCampaigns(const Console& console, bool json, const std::vector<CampaignRow>& rows);

}  // namespace varve::cli

#endif  // VARVE_CLI_CAMPAIGN_REPORT_H_
