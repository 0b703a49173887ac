#include "main/torture_campaigns.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/status_macros.h"
#include "cli/campaign_report.h"
#include "env/env.h"
#include "main/child_process.h"
#include "torture/campaigns.h"
#include "torture/crash_writer.h"
#include "torture/directories.h"
#include "torture/report.h"
#include "varve/version.h"

namespace varve {
namespace {

// This program, in other roles.
class OwnProcesses final : public torture::Processes {
 public:
  Status Start(const std::vector<std::string>& arguments, const std::string& log) override {
    std::vector<std::string> words = {"/proc/self/exe"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return child_.Start(words, log);
  }
  bool IsRunning() override { return child_.is_running(); }
  void Kill() override { child_.Kill(); }
  void Stop() override { child_.Stop(); }

 private:
  ChildProcess child_;
};

// A directory that nobody else has, removed at the end unless it is to stay.
class OwnDirectory {
 public:
  OwnDirectory() = default;
  ~OwnDirectory() {
    if (!path_.empty() && !stays_) static_cast<void>(torture::RemoveTree(path_));
  }
  OwnDirectory(const OwnDirectory&) = delete;
  OwnDirectory& operator=(const OwnDirectory&) = delete;

  Status Make(const std::string& place) {
    std::error_code error;
    const std::string whole = std::filesystem::absolute(place, error).lexically_normal().string();
    if (error) return Status::IoError(place + ": " + error.message());
    const std::string stem = JoinPath(whole, "varve-torture-" + std::to_string(::getpid()));
    // What an earlier run has left is not touched.
    std::string path = stem;
    for (int i = 2; Env::Default()->FileExists(path); ++i) path = stem + "-" + std::to_string(i);
    VARVE_RETURN_IF_ERROR(Env::Default()->CreateDir(path));
    path_ = path;
    return Status::Ok();
  }
  void Stay() { stays_ = true; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool stays_ = false;
};

cli::CampaignRow RowOf(const torture::Campaign& campaign, const torture::Tally& tally) {
  cli::CampaignRow row{.name = std::string(campaign.name()),
                       .promise = std::string(campaign.promise()),
                       .seeds = tally.seeds,
                       .nanos = tally.nanos,
                       .digest = tally.digest,
                       .counts = tally.counts.all(),
                       .violation = {}};
  if (!tally.violation) return row;
  const torture::Violation& violation = *tally.violation;
  row.violation = cli::CampaignViolation{.seed = violation.seed,
                                         .what = violation.what,
                                         .world = violation.world,
                                         .schedule = torture::ToText(violation.schedule),
                                         .lines = violation.schedule.size(),
                                         .lines_before = violation.lines_before,
                                         .repeated = violation.repeated,
                                         .repeats = violation.repeats,
                                         .races = !campaign.repeats(),
                                         .schedule_file = {},
                                         .evidence = violation.evidence,
                                         .dir = {}};
  return row;
}

Result<torture::Schedule> ScheduleOf(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Status::IoError(path + ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  return torture::ScheduleFrom(text.str());
}

// The schedule becomes a file that stays, with what else the violation has left. A disk that does not take it must not
// hide the violation: then the whole seed is what can be run again.
void KeepEvidence(const cli::CampaignRequest& request, OwnDirectory* directory, cli::CampaignViolation* violation) {
  const std::string path = JoinPath(directory->path(), "schedule.txt");
  std::ofstream file(path);
  file << "# seed " << violation->seed << "\n" << violation->schedule << std::flush;
  directory->Stay();
  violation->dir = request.dir;
  if (file) {
    violation->schedule_file = path;
  } else {
    std::cerr << "varve: " << path << ": cannot be written" << std::endl;
  }
}

Status WriteReport(const std::string& path, const std::vector<torture::Account>& accounts) {
  std::ofstream file(path, std::ios::trunc);
  file << torture::ToHtml("varve " + std::string(kVersion) + " torture", accounts) << std::flush;
  return file ? Status::Ok() : Status::IoError(path + ": cannot be written");
}

}  // namespace

Result<std::vector<cli::CampaignRow>> RunTortureCampaigns(const cli::CampaignRequest& request,
                                                          const cli::CampaignProgress& progress) {
  OwnDirectory directory;
  VARVE_RETURN_IF_ERROR(directory.Make(request.dir));
  OwnProcesses processes;
  std::vector<std::unique_ptr<torture::Campaign>> campaigns = torture::AllCampaigns(&processes);
  std::erase_if(campaigns, [&](const auto& campaign) { return request.name != "all" && campaign->name() != request.name; });
  torture::Budget budget{.first_seed = request.first_seed, .dir = directory.path(), .whole = request.whole};
  if (request.seeds > 0) budget.seeds = request.seeds;
  if (!request.schedule_file.empty()) {
    VARVE_ASSIGN_OR_RETURN(budget.schedule, ScheduleOf(request.schedule_file));
  }
  // What one does not use the next ones have.
  const uint64_t all_nanos = request.seconds * 1'000'000'000;
  uint64_t used = 0;
  std::vector<cli::CampaignRow> rows;
  std::vector<torture::Account> accounts;
  for (size_t i = 0; i < campaigns.size(); ++i) {
    torture::Campaign& campaign = *campaigns[i];
    budget.nanos = (all_nanos - std::min(used, all_nanos)) / (campaigns.size() - i);
    torture::Account account{.name = std::string(campaign.name()), .promise = std::string(campaign.promise()), .began = used};
    VARVE_ASSIGN_OR_RETURN(account.tally, campaign.Run(budget, [&](const torture::Tally& tally) {
      AddPoint(tally, &account);
      progress(RowOf(campaign, tally));
    }));
    used += account.tally.nanos;
    rows.push_back(RowOf(campaign, account.tally));
    if (account.tally.violation) {
      KeepEvidence(request, &directory, &*rows.back().violation);
      account.replay = cli::ReplayOf(rows.back());
    }
    accounts.push_back(std::move(account));
    if (rows.back().violation) break;
  }
  const Status written = request.report.empty() ? Status::Ok() : WriteReport(request.report, accounts);
  if (!rows.empty() && rows.back().violation) {
    if (!written.ok()) std::cerr << "varve: " << written.message() << std::endl;
    return rows;
  }
  VARVE_RETURN_IF_ERROR(written);
  return rows;
}

std::optional<int> RunTortureRole(const std::vector<std::string>& words) {
  if (words.empty() || words[0] != torture::kWriterVerb) return std::nullopt;
  std::cerr << torture::RunCrashWriter({words.begin() + 1, words.end()}).message() << std::endl;
  return 1;
}

}  // namespace varve
