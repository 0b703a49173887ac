#include "cli/campaign_report.h"

#include "cli/facts.h"
#include "cli/text.h"

namespace varve::cli {

namespace {

// A word of a command line, as sh and its kin read it. Without a backslash, which tables escape.
std::string ForShell(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\"'\"'") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string CampaignLine(const CampaignRow& row, int width) {
  std::string line = row.name + "  " + HumanDuration(row.nanos) + "  " + WithThousands(row.seeds) + " seeds";
  for (const auto& [name, number] : row.counts) line += "  " + WithThousands(number) + " " + name;
  bool was_cut = false;
  return CutToWidth(line, static_cast<size_t>(width > 1 ? width - 1 : 1), &was_cut);
}

std::string ReplayOf(const CampaignRow& row) {
  const CampaignViolation& violation = *row.violation;
  std::string command = "varve torture " + row.name + " --seed " + std::to_string(violation.seed);
  command += violation.schedule_file.empty() ? " --seeds 1" : " --schedule " + ForShell(violation.schedule_file);
  // Also for 'cluster': with it, it is a campaign.
  return command + (violation.dir.empty() ? "" : " --dir " + ForShell(violation.dir));
}

void PrintCampaigns(const Console& console, bool json, const std::vector<CampaignRow>& rows) {
  Facts facts;
  std::vector<Facts> campaigns;
  std::vector<Facts> counts;
  for (const CampaignRow& row : rows) {
    Facts& campaign = campaigns.emplace_back();
    campaign.Text("campaign", row.name);
    campaign.Count("seeds", row.seeds);
    campaign.Seconds("seconds", row.nanos);
    campaign.Text("promise", row.promise);
    campaign.Text("result", row.violation ? "BROKEN" : "held");
    for (const auto& [name, number] : row.counts) {
      Facts& count = counts.emplace_back();
      count.Text("campaign", row.name);
      count.Text("what", name);
      count.Count("number", number);
    }
  }
  facts.Table("campaigns", std::move(campaigns));
  facts.Table("counts", std::move(counts));
  for (const CampaignRow& row : rows) {
    if (row.digest != 0) facts.Text("digest of " + row.name, std::to_string(row.digest));
  }
  for (const CampaignRow& row : rows) {
    if (!row.violation) continue;
    const CampaignViolation& violation = *row.violation;
    facts.Text("violation", violation.what);
    facts.Text("campaign", row.name);
    facts.Count("seed", violation.seed);
    facts.Text("world", violation.world);
    facts.Count("lines", violation.lines);
    facts.Count("lines_before", violation.lines_before);
    facts.Count("broken_again", violation.repeated);
    facts.Count("of_further_runs", violation.repeats);
    facts.Text("schedule", violation.schedule);
    facts.Text("schedule_file", violation.schedule_file);
    if (!violation.evidence.empty()) facts.Text("evidence", violation.evidence);
    facts.Text("replay", ReplayOf(row));
    if (violation.races) facts.Text("replay_note", "threads or processes race: the same operations, in an order that may differ");
  }
  facts.Print(console, json);
}

}  // namespace varve::cli
