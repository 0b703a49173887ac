#include "engine/compaction_picker.h"

#include <algorithm>

namespace varve {

namespace {

// Shares of the last run's size that the younger runs may reach before they are merged into it.
// Under load: as much again, so that each byte of the last run is rewritten for each byte that arrives.
constexpr double kUpperShareUnderLoad = 1.0;
// When idle: a sixteenth keeps a quiet store within 7 % of its smallest size.
constexpr double kUpperShareIdle = 1.0 / 16;

uint64_t SumOf(const std::vector<RunSize>& runs, size_t first, size_t last) {
  uint64_t sum = 0;
  for (size_t i = first; i <= last; ++i) sum += runs[i].logical_bytes;
  return sum;
}

// The newest runs of similar size: a run joins while it is not much larger than all that joined before.
std::optional<CompactionPick> PickTier(const CompactionInput& input,
                                       const CompactionPolicy& policy, size_t min_runs) {
  const std::vector<RunSize>& runs = input.runs;
  if (runs.size() < min_runs) return std::nullopt;
  for (size_t first = 0; first + min_runs <= runs.size(); ++first) {
    uint64_t sum = std::max(runs[first].logical_bytes, policy.small_run_bytes);
    size_t last = first;
    while (last + 1 < runs.size()) {
      const uint64_t average = sum / (last - first + 1);
      if (runs[last + 1].logical_bytes > 2 * average) break;
      ++last;
      sum += std::max(runs[last].logical_bytes, policy.small_run_bytes);
    }
    if (last - first + 1 >= min_runs) {
      return CompactionPick{first, last, false, false, "runs of similar size"};
    }
  }
  return std::nullopt;
}

// Garbage in the value log beyond half of what the target allows; the other half is for the runs.
bool HasMuchValueGarbage(const CompactionInput& input, const CompactionPolicy& policy) {
  const uint64_t live = input.value_log_bytes - input.value_log_dead_bytes + input.segment_bytes;
  const double allowed = (policy.space_amplification_target - 1.0) / 2;
  return static_cast<double>(input.value_log_dead_bytes) > allowed * static_cast<double>(live);
}

}  // namespace

bool HasManyExpired(const SegmentMeta& meta, uint64_t now, bool idle) {
  if (meta.expiry.empty() || meta.expiry.min_deadline > now) return false;
  const uint64_t expired = meta.expiry.ExpiredBytes(now);
  if (expired == 0) return false;
  if (expired * 4 >= meta.logical_bytes) return true;
  const uint64_t later = now + (now - meta.expiry.min_deadline);
  return idle && expired * 16 >= meta.logical_bytes && meta.expiry.ExpiredBytes(later) < 2 * expired;
}

std::optional<CompactionPick> PickCompaction(const CompactionInput& input,
                                             const CompactionPolicy& policy, bool idle) {
  const std::vector<RunSize>& runs = input.runs;
  if (runs.empty()) return std::nullopt;
  const size_t last = runs.size() - 1;

  if (auto tier = PickTier(input, policy, policy.tier_runs)) return tier;
  // Never more than four tiers' worth of runs, whatever their sizes.
  if (runs.size() > 4 * policy.tier_runs) {
    return CompactionPick{0, last - 1, false, false, "many runs"};
  }
  if (HasMuchValueGarbage(input, policy)) return CompactionPick{0, last, true, false, "value-log garbage"};
  if (runs.size() > 1) {
    const double upper = static_cast<double>(SumOf(runs, 0, last - 1));
    const double share = idle ? kUpperShareIdle : kUpperShareUnderLoad;
    if (upper >= share * static_cast<double>(runs[last].logical_bytes)) {
      return CompactionPick{0, last, false, false, idle ? "idle" : "space"};
    }
    if (idle && runs.size() > 2) return CompactionPick{0, last - 1, false, false, "idle, young runs"};
  }
  // Oldest first: there what has expired goes without leaving tombstones.
  for (size_t i = runs.size(); i-- > 0;) {
    if (runs[i].has_expired) return CompactionPick{i, i, false, false, "expired entries"};
  }
  if (idle && (input.has_covered_entries || input.has_unmerged_versions)) {
    return CompactionPick{0, last, false, input.has_unmerged_versions,
                          "deleted ranges and old versions"};
  }
  if (idle && runs[last].tombstones > 0 && runs.size() == 1 &&
      runs[last].tombstones * 16 >= runs[last].entries) {
    return CompactionPick{0, last, false, false, "tombstones"};
  }
  return std::nullopt;
}

}  // namespace varve
