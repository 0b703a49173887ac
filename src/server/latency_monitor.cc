#include "server/latency_monitor.h"

#include <algorithm>

namespace varve::server {

namespace {
constexpr size_t kMaxSamples = 160;
}  // namespace

void LatencyMonitor::Add(std::string_view event, uint64_t millis, uint64_t now_millis) {
  const uint64_t second = now_millis / 1000;
  MutexLock lock(&mu_);
  Series& series = series_[std::string(event)];
  series.max_millis = std::max(series.max_millis, millis);
  if (!series.samples.empty() && series.samples.back().second == second) {
    series.samples.back().millis = std::max(series.samples.back().millis, millis);
    return;
  }
  series.samples.push_back({second, millis});
  if (series.samples.size() > kMaxSamples) series.samples.pop_front();
}

LatencyMonitor::AllSeries LatencyMonitor::All() const {
  MutexLock lock(&mu_);
  return series_;
}

bool LatencyMonitor::Reset(std::string_view event) {
  MutexLock lock(&mu_);
  const auto found = series_.find(event);
  if (found == series_.end()) return false;
  series_.erase(found);
  return true;
}

}  // namespace varve::server
