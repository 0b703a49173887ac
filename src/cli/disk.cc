#include "cli/disk.h"

#include <algorithm>
#include <sstream>

#include "cli/context.h"
#include "cli/json.h"
#include "cli/text.h"

namespace varve::cli {
namespace {

using Level = Finding::Level;

// A flash chip is programmed in some hundred microseconds; a platter of 15,000 revolutions comes by every 4 ms. What
// is faster acknowledges from a cache.
constexpr uint64_t kFastestFlashNanos = 30'000;
constexpr uint64_t kFastestPlatterNanos = 2'000'000;
constexpr uint64_t kSector = 512;
constexpr uint64_t kPage = 4096;

uint64_t Permille(const std::vector<uint64_t>& sorted, size_t permille) {
  return sorted.empty() ? 0 : sorted[std::min(sorted.size() - 1, sorted.size() * permille / 1000)];
}

std::string Times(const std::vector<uint64_t>& sorted) {
  if (sorted.empty()) return "not measured";
  return HumanDuration(Permille(sorted, 500)) + " (p50), " + HumanDuration(Permille(sorted, 990)) + " (p99), " +
         HumanDuration(Permille(sorted, 999)) + " (p99.9), " + HumanDuration(sorted.back()) + " (max of " +
         std::to_string(sorted.size()) + ")";
}

Finding Place(const DiskFacts& facts) {
  std::string text = facts.directory + " is on " + (facts.device.empty() ? "a device without a name" : facts.device) + ", " +
                     facts.file_system + " (" + facts.mount_options + ")";
  if (facts.is_in_memory) return {Level::kBad, "place", text + ": in memory; nothing survives loss of power"};
  if (facts.is_network) return {Level::kNote, "place", text + ": reached through others, who keep what a sync promises, or not"};
  for (const char* option : {"nobarrier", "barrier=0"}) {
    if (("," + facts.mount_options + ",").find(std::string(",") + option + ",") == std::string::npos) continue;
    return {Level::kBad, "place", text + ": '" + option + "' makes a sync return before the disk has it. Mount it without"};
  }
  return {Level::kGood, "place", text};
}

Finding Cost(const DiskFacts& facts) {
  return {Level::kGood, "cost", "4 KiB more and a sync take " + Times(facts.append_sync) +
                                    ": so long does a put with --sync wait, shared by all that wait at once"};
}

// How fast it is when nobody else uses it.
uint64_t Undisturbed(const DiskFacts& facts) { return Permille(facts.rewrite_sync, 100); }

bool IsTooFast(const DiskFacts& facts) {
  const uint64_t fastest = facts.is_rotational.value_or(false) ? kFastestPlatterNanos : kFastestFlashNanos;
  return Undisturbed(facts) < fastest;
}

Finding Honesty(const DiskFacts& facts) {
  if (facts.rewrite_sync.empty()) return {Level::kBad, "honesty", "not one sync was done in time"};
  const std::string rate = "the same 4 KiB and a sync again and again take " + Times(facts.rewrite_sync);
  if (facts.is_in_memory) return {Level::kBad, "honesty", rate + ": of memory"};
  if (!IsTooFast(facts)) {
    const bool says_through = facts.write_cache == "write through";
    return {Level::kGood, "honesty",
            rate + ": as slow as a medium that really writes" +
                (says_through ? "; the device says that it has no cache to lose" : "") +
                ". A device can still lie slowly: a cut of the power is the only proof"};
  }
  const bool is_platter = Undisturbed(facts) >= kFastestFlashNanos;
  const std::string medium = is_platter ? "no platter turns that fast, and the device says that it has one: as virtual ones do, behind "
                                          "which there may be anything"
                                        : "no flash is programmed that fast";
  if (facts.write_cache == "write back" && !is_platter) {
    return {Level::kBad, "honesty",
            rate + ": " + medium + ", and the device says that its cache must be flushed. Either that cache has a battery or "
                   "capacitors, or a sync is not what it says: ask who sells the disk, or runs the machine below this one, and "
                   "until then take what is acknowledged for lost when the power fails"};
  }
  return {Level::kNote, "honesty",
          rate + ": " + medium + (facts.write_cache == "write back" ? "" : ". It says that its cache need not be flushed") +
              ". It has a battery or capacitors, is a virtual one whose host syncs, or loses what it has acknowledged: ask who "
              "sells the disk, or runs the machine below this one"};
}

Finding Work(const DiskFacts& facts) {
  const uint64_t empty = Permille(facts.empty_sync, 500);
  const uint64_t full = Permille(facts.rewrite_sync, 500);
  const std::string text = "a sync with nothing to write takes " + HumanDuration(empty) + ", one with 4 KiB " + HumanDuration(full);
  if (full < empty * 3 / 2 && !facts.is_in_memory) {
    return {Level::kNote, "work", text + ": hardly a difference; what was written had perhaps not to go anywhere"};
  }
  return {Level::kGood, "work", text};
}

Finding Cache(const DiskFacts& facts) {
  if (facts.write_cache.empty()) return {Level::kNote, "cache", "the system does not say whether the device has a cache that can be lost"};
  return {Level::kGood, "cache",
          "the device says '" + facts.write_cache + "'" +
              (facts.write_cache == "write back" ? (facts.has_fua ? ", and can force single writes: a sync flushes what it must"
                                                                   : ": each sync flushes the whole cache")
                                                 : ": a sync need not flush it")};
}

Finding Tearing(const DiskFacts& facts) {
  if (facts.logical_block == 0) return {Level::kNote, "tearing", "the size of its blocks is not known; 512 bytes are taken for what is written whole"};
  std::string text = "blocks of " + std::to_string(facts.logical_block) + " bytes, written in " + std::to_string(facts.physical_block) + ": ";
  text += facts.atomic_write >= kPage ? "up to " + HumanBytes(facts.atomic_write) + " are written whole or not at all"
                                      : "a larger write that the power interrupts may be there in part, with any of its blocks";
  text += ". The store relies on none of this: every record and block has a checksum, and a torn end of the log is cut off";
  if (facts.logical_block < facts.physical_block && facts.logical_block == kSector) {
    text += ". Where the device reads and writes back the larger block, bytes beside a write are at risk, too; checksums find that";
  }
  return {Level::kGood, "tearing", text};
}

Finding Names(const DiskFacts& facts) {
  return {Level::kGood, "names", "a new file and a sync of its directory take " + Times(facts.name_sync) +
                                     ": flushes and merges wait for it, writers do not"};
}

Finding Meaning(const std::vector<Finding>& findings) {
  const auto has = [&](Level level) {
    return std::any_of(findings.begin(), findings.end(), [level](const Finding& finding) { return finding.level == level; });
  };
  if (has(Level::kBad)) {
    return {Level::kBad, "meaning", "What this means for you: writes survive the end of the process here. Do not count on them when "
                                    "the power fails, not even with --sync"};
  }
  if (has(Level::kNote)) {
    return {Level::kNote, "meaning", "What this means for you: writes survive the end of the process. With --sync they survive loss of "
                                     "power if what the notes say is in order"};
  }
  return {Level::kGood, "meaning", "What this means for you: writes survive the end of the process, and with --sync loss of power, as far "
                                   "as a program can tell"};
}

// Blanks and backslashes of paths stand there as "\040".
std::string WithoutEscapes(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) { return i + at < text.size() && text[i + at] >= '0' && text[i + at] <= '7'; };
    if (text[i] != '\\' || !digit(1) || !digit(2) || !digit(3)) {
      plain += text[i];
      continue;
    }
    plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return plain;
}

bool IsWithin(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace

void ReadMounts(std::istream& mounts, std::string_view id, DiskFacts* facts) {
  size_t longest = 0;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string number, parent, device, root, point, options, word, type, source, super;
    words >> number >> parent >> device >> root >> point >> options;
    while (words >> word && word != "-") {
    }
    words >> type >> source >> super;
    point = WithoutEscapes(point);
    // Of two at one place the later one hides the other.
    if (!words || device != id || !IsWithin(facts->directory, point) || point.size() < longest) continue;
    longest = point.size();
    facts->file_system = type;
    facts->mount_options = options + "," + super;
    facts->device = source.starts_with("/dev/") ? source.substr(5) : "";
  }
}

std::vector<Finding> JudgeDisk(const DiskFacts& facts) {
  std::vector<Finding> findings = {Place(facts), Honesty(facts), Work(facts), Cache(facts),
                                   Tearing(facts), Cost(facts),  Names(facts)};
  findings.insert(findings.begin(), Meaning(findings));
  return findings;
}

int PrintDisk(const Context& context) {
  const std::vector<std::string>& operands = context.arguments.operands();
  const std::string dir = operands.size() > 1 ? operands[1] : ".";
  const Result<std::optional<uint64_t>> seconds = context.arguments.Number("--seconds");
  if (!seconds.ok()) return FailUsage(context, seconds.status());
  const Result<DiskFacts> facts = context.backend.certify(dir, seconds->value_or(5));
  if (!facts.ok()) return Fail(context, facts.status());
  bool is_bad = false;
  for (const Finding& finding : JudgeDisk(*facts)) {
    is_bad |= finding.level == Level::kBad;
    if (context.json) {
      JsonObject object;
      object.Bytes("level", LevelName(finding.level)).Bytes("subject", finding.subject).Bytes("text", finding.text);
      context.console.out << object.Take() << "\n";
    } else {
      context.console.out << LevelName(finding.level) << "\t" << finding.subject << "\t" << finding.text << "\n";
    }
  }
  return is_bad ? kExitError : kExitOk;
}

}  // namespace varve::cli
