// The report of campaigns: a page of HTML that needs nothing else.
#ifndef VARVE_TORTURE_REPORT_H_
#define VARVE_TORTURE_REPORT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "torture/campaign.h"

namespace varve::torture {

// What one campaign did.
struct Account {
  std::string name;
  std::string promise;
  std::string replay;  // the command, where there is a violation
  uint64_t began = 0;  // nanoseconds after the first one
  Tally tally;
  std::vector<std::pair<uint64_t, uint64_t>> seeds_by_time;  // nanoseconds since its beginning, seeds until then
};

// Keeps few enough points to draw: drops every second one where there are too many.
void AddPoint(const Tally& tally, Account* account);

// `title` and all else are shown as text, whatever they hold.
std::string ToHtml(std::string_view title, const std::vector<Account>& accounts);

// A schedule as a picture: a lane a kind of line (its first word), a bar a line, in their order. Of long ones the last
// lines. `is_last_to_blame`: the last one is red, as what was behind it is cut off.
std::string DrawSchedule(const Schedule& schedule, bool is_last_to_blame);

// A history as a picture (SVG): a lane a client, a bar an operation from its call to its return. Of long ones the
// last operations.
std::string DrawHistory(const std::vector<Operation>& history);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_REPORT_H_
