#include "torture/campaign.h"

#include <algorithm>

namespace varve::torture {

void Counts::Add(std::string_view name, uint64_t number) {
  for (auto& [known, sum] : counts_) {
    if (known != name) continue;
    sum += number;
    return;
  }
  counts_.emplace_back(name, number);
}

void Counts::Add(const Counts& others) {
  for (const auto& [name, number] : others.counts_) Add(name, number);
}

uint64_t Counts::of(std::string_view name) const {
  for (const auto& [known, sum] : counts_) {
    if (known == name) return sum;
  }
  return 0;
}

std::string ToText(const Schedule& schedule) {
  std::string text;
  for (const std::string& line : schedule) text += line + "\n";
  return text;
}

Schedule ScheduleFrom(std::string_view text) {
  Schedule schedule;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (!line.empty() && line[0] != '#') schedule.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return schedule;
}

}  // namespace varve::torture
