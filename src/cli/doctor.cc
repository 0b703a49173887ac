#include "cli/doctor.h"

#include <algorithm>

#include "cli/text.h"

namespace varve::cli {
namespace {

using Level = Finding::Level;

// Faster than any flash or disk takes a write: something acknowledges from memory.
constexpr uint64_t kTooFastNanos = 30'000;
// Below this a store has no room for its next merges.
constexpr uint64_t kLittleSpace = uint64_t{1} << 30;
// For connections and files of a busy server.
constexpr uint64_t kFewFiles = 4096;
constexpr uint64_t kSlowClockNanos = 500;
// 2025-01-01: this program is younger.
constexpr uint64_t kEarliestWallMillis = 1'735'689'600'000;
constexpr uint64_t kLatestWallMillis = 4'102'444'800'000;  // 2100
// A clock that is slewed moves up to 500 parts in a million; more is a step.
constexpr int64_t kStepNanos = 50'000'000;

uint64_t Percentile(const std::vector<uint64_t>& sorted, size_t percent) {
  return sorted[std::min(sorted.size() - 1, sorted.size() * percent / 100)];
}

Finding FileSystemFinding(const MachineFacts& facts) {
  const std::string name = facts.file_system;
  if (facts.is_in_memory) {
    return {Level::kBad, "directory",
            name + " lives in memory: nothing that is written here survives loss of power or a restart"};
  }
  if (facts.is_network) {
    return {Level::kNote, "directory",
            name + " is reached through others: what a sync and a lock promise is what they keep; put the "
                   "store on a local disk where that matters"};
  }
  return {Level::kGood, "directory", name};
}

Finding SyncFinding(const MachineFacts& facts) {
  std::vector<uint64_t> sorted = facts.sync_nanos;
  if (sorted.empty()) return {Level::kBad, "sync", "not one sync was done in time"};
  std::sort(sorted.begin(), sorted.end());
  const uint64_t median = Percentile(sorted, 50);
  std::string text = "4 KiB and a sync take " + HumanDuration(median) + " (p50), " +
                     HumanDuration(Percentile(sorted, 99)) + " (p99), " + HumanDuration(sorted.back()) +
                     " (max of " + std::to_string(sorted.size()) + "): so long does a put with --sync wait";
  if (median >= kTooFastNanos || facts.is_in_memory) {
    return {facts.is_in_memory ? Level::kNote : Level::kGood, "sync", text};
  }
  text += "; no medium is that fast: there is a cache with a battery behind it, or one that loses what "
          "it has acknowledged. No program can tell them apart: ask who sells the disk, or runs the machine";
  return {Level::kNote, "sync", text};
}

Finding SpaceFinding(const MachineFacts& facts) {
  const bool is_little = facts.free_bytes < kLittleSpace;
  return {is_little ? Level::kNote : Level::kGood, "space",
          HumanBytes(facts.free_bytes) + " free" +
              (is_little ? "; merges need some: writes return an error while there is none" : "")};
}

Finding LogFinding(const MachineFacts& facts) {
  if (facts.has_mapped_log) {
    return {Level::kGood, "log", "its tail can be mapped: a put without --sync makes no system call"};
  }
  return {Level::kNote, "log",
          "this file system cannot keep blocks ready, so the log is written by system calls: as safe, "
          "and slower"};
}

Finding FilesFinding(const MachineFacts& facts) {
  const std::string most = std::to_string(facts.open_files_at_most);
  if (facts.open_files_at_most >= kFewFiles) {
    return {Level::kGood, "descriptors", "a process may have " + most};
  }
  return {Level::kNote, "descriptors",
          "a process may have " + most + ": a server takes fewer connections; 'ulimit -n', or LimitNOFILE "
                                         "of its unit, raises that"};
}

Finding ClockFinding(const MachineFacts& facts) {
  if (facts.wall_millis < kEarliestWallMillis || facts.wall_millis > kLatestWallMillis) {
    return {Level::kBad, "clock",
            "the date is wrong: keys with a time to live would expire at the wrong moment"};
  }
  if (std::abs(facts.clock_drift_nanos) > kStepNanos) {
    return {Level::kNote, "clock",
            "it was set by " + HumanDuration(static_cast<uint64_t>(std::abs(facts.clock_drift_nanos))) +
                " while this looked on: deadlines move along with it"};
  }
  const std::string cost = std::to_string(facts.clock_read_nanos) + " ns a look";
  if (facts.clock_read_nanos <= kSlowClockNanos) return {Level::kGood, "clock", cost};
  return {Level::kNote, "clock", cost + ": slow, as where the kernel does not trust the processor's own"};
}

Finding MemoryFinding(const MachineFacts& facts) {
  return {Level::kGood, "memory", HumanBytes(facts.memory_bytes)};
}

}  // namespace

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kGood: return "good";
    case Level::kNote: return "note";
    case Level::kBad: return "bad";
  }
  return "";
}

std::vector<Finding> Diagnose(const MachineFacts& facts) {
  return {FileSystemFinding(facts), SyncFinding(facts),  SpaceFinding(facts), LogFinding(facts),
          FilesFinding(facts),      MemoryFinding(facts), ClockFinding(facts)};
}

}  // namespace varve::cli
