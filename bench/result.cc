#include "bench/result.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace varve::bench {
namespace {

constexpr std::string_view kEnd = "end\t\n";

std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void AppendLine(std::string* to, std::string_view name, const std::string& text) {
  to->append(name).append("\t").append(OneLine(text)).append("\n");
}

// Returns false for a name that is not one of the texts.
bool ParseText(RunResult* result, std::string_view name, std::string_view text) {
  if (name == "engine") {
    result->engine = text;
  } else if (name == "workload") {
    result->workload = text;
  } else if (name == "skipped") {
    result->skipped = text;
  } else if (name == "error") {
    result->error = text;
  } else if (name == "score_unit") {
    result->score_unit = text;
  } else if (name == "higher_is_better") {
    result->higher_is_better = text == "1";
  } else if (name == "line") {
    result->lines.emplace_back(text);
  } else {
    return false;
  }
  return true;
}

double Median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const size_t half = numbers.size() / 2;
  return numbers.size() % 2 == 1 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

}  // namespace

double CurvePercent(size_t point) {
  return 100 * (1 - std::pow(10, -static_cast<double>(point) / 10));
}

Latency Latency::Of(const Histogram& histogram) {
  Latency l;
  l.count = static_cast<double>(histogram.count());
  l.mean = histogram.Mean();
  const auto at = [&](double percent) {
    return static_cast<double>(histogram.Percentile(percent));
  };
  l.p50 = at(50);
  l.p90 = at(90);
  l.p99 = at(99);
  l.p999 = at(99.9);
  l.max = static_cast<double>(histogram.max());
  for (size_t i = 0; i < kCurvePoints; ++i) l.curve[i] = at(CurvePercent(i));
  return l;
}

std::string Serialize(const RunResult& result) {
  std::string text;
  AppendLine(&text, "engine", result.engine);
  AppendLine(&text, "workload", result.workload);
  AppendLine(&text, "skipped", result.skipped);
  AppendLine(&text, "error", result.error);
  AppendLine(&text, "score_unit", result.score_unit);
  AppendLine(&text, "higher_is_better", result.higher_is_better ? "1" : "0");
  for (const std::string& line : result.lines) AppendLine(&text, "line", line);
  VisitNumbers(result, [&](const std::string& name, double number) {
    char digits[40];
    std::snprintf(digits, sizeof(digits), "%.17g", number);
    AppendLine(&text, name, digits);
  });
  text.append(kEnd);
  return text;
}

Result<RunResult> ParseResult(std::string_view text) {
  if (text.size() < kEnd.size() || text.substr(text.size() - kEnd.size()) != kEnd) {
    return Status::Corruption("the result of the child process is cut off");
  }
  RunResult result;
  std::vector<std::pair<std::string, double>> numbers;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos) return Status::Corruption("a result line has no name");
    const std::string_view name = line.substr(0, tab);
    const std::string_view value = line.substr(tab + 1);
    if (!ParseText(&result, name, value)) {
      numbers.emplace_back(name, std::strtod(std::string(value).c_str(), nullptr));
    }
  }
  // Serialize writes the numbers in the order in which they are visited.
  size_t next = 0;
  VisitNumbers(result, [&](const std::string& name, double& number) {
    if (next < numbers.size() && numbers[next].first == name) number = numbers[next++].second;
  });
  return result;
}

RunResult MedianOf(const std::vector<RunResult>& rounds) {
  std::vector<RunResult> good;
  double error_count = 0;
  std::string error;
  for (const RunResult& round : rounds) {
    if (round.ran() && !round.failed()) good.push_back(round);
    error_count += round.error_count;
    if (error.empty()) error = round.error;
  }
  if (good.empty()) return rounds.front();
  std::sort(good.begin(), good.end(),
            [](const RunResult& a, const RunResult& b) { return a.score < b.score; });
  RunResult median = good[good.size() / 2];
  std::vector<std::vector<double>> columns;
  for (const RunResult& round : good) {
    size_t column = 0;
    VisitNumbers(round, [&](const std::string&, double number) {
      if (column == columns.size()) columns.emplace_back();
      columns[column++].push_back(number);
    });
  }
  size_t column = 0;
  VisitNumbers(median,
               [&](const std::string&, double& number) { number = Median(columns[column++]); });
  median.error_count = error_count;
  median.error = error;
  return median;
}

}  // namespace varve::bench
