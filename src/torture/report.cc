#include "torture/report.h"

#include <algorithm>
#include <map>

namespace varve::torture {
namespace {

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\n':
      case '\t': escaped += c; break;
      default:
        // Keys and values may be any bytes; the page is ASCII.
        if (c >= ' ' && c < 0x7f) {
          escaped += c;
        } else {
          escaped += "?";
        }
    }
  }
  return escaped;
}

std::string Seconds(uint64_t nanos) {
  const uint64_t tenths = nanos / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

std::string Tag(std::string_view name, std::string_view text) {
  return "<" + std::string(name) + ">" + Escaped(text) + "</" + std::string(name.substr(0, name.find(' '))) + ">";
}

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left;"
    "vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}pre{background:#f4f4f4;padding:.8em;"
    "overflow:auto}.held{color:#176b2c}.broken{color:#a3131a;font-weight:bold}svg{background:#fafafa;border:1px solid #ddd}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}pre,svg{background:#222}}";

constexpr size_t kMostBars = 200;
constexpr double kLeft = 100;  // of the first bar, in pixels
constexpr double kWidth = 1000;
constexpr double kLane = 40;

// A picture of bars in lanes, without its end.
std::string BeginPicture(const std::vector<std::string>& lanes) {
  std::string svg = "<svg role=\"img\" aria-label=\"history\" width=\"1140\" height=\"" +
                    std::to_string(static_cast<int>(kLane * static_cast<double>(lanes.size()) + 20)) + "\">";
  for (size_t i = 0; i < lanes.size(); ++i) {
    svg += "<text x=\"4\" y=\"" + std::to_string(kLane * static_cast<double>(i) + 30) +
           "\" font-size=\"12\" fill=\"currentColor\">" + Escaped(lanes[i]) + "</text>";
  }
  return svg;
}

// `text` is shown where there is room, and where the pointer is.
std::string BarOf(size_t lane, double left, double right, std::string_view color, const std::string& text) {
  const double top = kLane * static_cast<double>(lane) + 14;
  std::string svg = "<rect x=\"" + std::to_string(left) + "\" y=\"" + std::to_string(top) + "\" width=\"" +
                    std::to_string(right - left) + "\" height=\"22\" rx=\"3\" fill=\"" + std::string(color) +
                    "\" fill-opacity=\"0.7\"><title>" + Escaped(text) + "</title></rect>";
  if (right - left > 60) {
    svg += "<text x=\"" + std::to_string(left + 3) + "\" y=\"" + std::to_string(top + 15) + "\" font-size=\"10\" fill=\"#fff\">" +
           Escaped(text.substr(0, static_cast<size_t>((right - left) / 6))) + "</text>";
  }
  return svg;
}

// Seeds over time, a curve a campaign.
std::string DrawTimeLine(const std::vector<Account>& accounts) {
  constexpr double kRowWidth = 900;
  constexpr double kRow = 34;
  uint64_t end = 1;
  for (const Account& account : accounts) end = std::max(end, account.began + account.tally.nanos);
  const double height = kRow * static_cast<double>(accounts.size()) + 20;
  std::string svg = "<svg role=\"img\" aria-label=\"time line\" width=\"1040\" height=\"" + std::to_string(static_cast<int>(height)) + "\">";
  double top = 8;
  for (const Account& account : accounts) {
    const auto x = [&](uint64_t nanos) { return 130 + kRowWidth * static_cast<double>(account.began + nanos) / static_cast<double>(end); };
    const uint64_t most = std::max<uint64_t>(1, account.tally.seeds);
    std::string points = std::to_string(x(0)) + "," + std::to_string(top + kRow - 8);
    for (const auto& [nanos, seeds] : account.seeds_by_time) {
      points += " " + std::to_string(x(nanos)) + "," +
                std::to_string(top + (kRow - 8) * (1 - static_cast<double>(seeds) / static_cast<double>(most)));
    }
    const char* const color = account.tally.violation ? "#a3131a" : "#176b2c";
    svg += "<text x=\"4\" y=\"" + std::to_string(top + 18) + "\" font-size=\"12\" fill=\"currentColor\">" + Escaped(account.name) + "</text>";
    svg += "<polyline fill=\"none\" stroke=\"" + std::string(color) + "\" stroke-width=\"2\" points=\"" + points + "\"/>";
    top += kRow;
  }
  return svg + "</svg>";
}

std::string TableOf(const std::vector<Account>& accounts) {
  std::string html = "<table><tr><th>campaign</th><th>promise</th><th>result</th><th>seeds</th><th>seconds</th><th>what was done and checked</th></tr>";
  for (const Account& account : accounts) {
    html += "<tr>" + Tag("td", account.name) + Tag("td", account.promise);
    html += account.tally.violation ? "<td class=\"broken\">broken</td>" : "<td class=\"held\">held</td>";
    html += "<td class=\"n\">" + std::to_string(account.tally.seeds) + "</td><td class=\"n\">" + Seconds(account.tally.nanos) + "</td><td>";
    for (const auto& [name, number] : account.tally.counts.all()) html += Escaped(std::to_string(number) + " " + name) + "<br>";
    html += "</td></tr>";
  }
  return html + "</table>";
}

std::string ViolationOf(const Account& account) {
  const Violation& violation = *account.tally.violation;
  std::string html = Tag("h2", account.name + ": seed " + std::to_string(violation.seed) + " breaks the promise");
  html += Tag("p class=\"broken\"", violation.what) + Tag("p", "World: " + violation.world);
  html += Tag("p", std::to_string(violation.schedule.size()) + " of " + std::to_string(violation.lines_before) +
                       " lines are left after " + std::to_string(violation.runs) + " runs; of " + std::to_string(violation.repeats) +
                       " further runs of these " + std::to_string(violation.repeated) + " broke it.");
  html += Tag("pre", ToText(violation.schedule)) + Tag("p", "The same again:") + Tag("pre", account.replay);
  if (!violation.history.empty()) return html + Tag("h3", "The history") + DrawHistory(violation.history);
  // Where one thread does what its lines say, they are the history.
  const bool is_cut_down = violation.schedule.size() < violation.lines_before;
  return html + Tag("h3", "What was done") + DrawSchedule(violation.schedule, is_cut_down);
}

}  // namespace

void AddPoint(const Tally& tally, Account* account) {
  constexpr size_t kMost = 400;
  auto& points = account->seeds_by_time;
  points.emplace_back(tally.nanos, tally.seeds);
  if (points.size() < kMost) return;
  size_t kept = 0;
  for (size_t i = 1; i < points.size(); i += 2) points[kept++] = points[i];
  points.resize(kept);
}

std::string DrawSchedule(const Schedule& schedule, bool is_last_to_blame) {
  const size_t count = std::min(schedule.size(), kMostBars);
  if (count == 0) return "";
  const size_t first = schedule.size() - count;
  std::map<std::string, size_t> lanes;
  const auto kind_of = [&](size_t i) { return schedule[first + i].substr(0, schedule[first + i].find(' ')); };
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) {
    if (lanes.emplace(kind_of(i), names.size()).second) names.push_back(kind_of(i));
  }
  std::string svg = BeginPicture(names);
  const double step = kWidth / static_cast<double>(count);
  for (size_t i = 0; i < count; ++i) {
    const double left = kLeft + step * static_cast<double>(i);
    svg += BarOf(lanes[kind_of(i)], left, left + std::max(2.0, step - 2), is_last_to_blame && i + 1 == count ? "#a3131a" : "#6b4ba3",
                 std::to_string(first + i + 1) + ": " + schedule[first + i]);
  }
  return svg + "</svg>";
}

std::string DrawHistory(const std::vector<Operation>& history) {
  std::vector<Operation> shown = history;
  std::sort(shown.begin(), shown.end(), [](const Operation& a, const Operation& b) { return a.call_time < b.call_time; });
  if (shown.size() > kMostBars) shown.erase(shown.begin(), shown.end() - static_cast<ptrdiff_t>(kMostBars));
  if (shown.empty()) return "";
  uint64_t begin = shown.front().call_time;
  uint64_t end = begin + 1;
  std::map<int, size_t> lanes;
  for (const Operation& operation : shown) {
    end = std::max(end, operation.outcome == Outcome::kUnknown ? operation.call_time : operation.return_time);
    lanes.emplace(operation.client, 0);
  }
  std::vector<std::string> names;
  for (auto& [client, number] : lanes) {
    number = names.size();
    names.push_back("client " + std::to_string(client));
  }
  const double scale = kWidth / static_cast<double>(end - begin);
  std::string svg = BeginPicture(names);
  for (const Operation& operation : shown) {
    const bool is_open = operation.outcome == Outcome::kUnknown;
    const double left = kLeft + scale * static_cast<double>(operation.call_time - begin);
    const double right = is_open ? kLeft + kWidth : kLeft + scale * static_cast<double>(operation.return_time - begin);
    const char* const color = operation.kind == OperationKind::kGet ? "#3b6ea5" : is_open ? "#b9770e" : "#6b4ba3";
    svg += BarOf(lanes[operation.client], left, std::max(left + 2, right), color, operation.ToString());
  }
  return svg + "</svg>";
}

std::string ToHtml(std::string_view title, const std::vector<Account>& accounts) {
  std::string html = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">" + Tag("title", title) + "<style>" +
                     std::string(kStyle) + "</style></head>\n<body>" + Tag("h1", title);
  for (const Account& account : accounts) {
    if (account.tally.violation) html += ViolationOf(account);
  }
  return html + TableOf(accounts) + Tag("h2", "Time line") + Tag("p", "Seeds over time, each campaign by its own scale.") +
         DrawTimeLine(accounts) + "</body></html>\n";
}

}  // namespace varve::torture
