// Of a failing schedule: what it needs to fail, and what happens in it.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string_view>

#include "tests/sched/runtime.h"

extern "C" const char __executable_start;

namespace varve::sched {

namespace {

constexpr int kMostTries = 150;
constexpr uint64_t kMostLines = 40;

// Whether a line of addr2line names a place in the standard library, which says little.
bool IsOfLibrary(const std::string& line) {
  for (const char* part : {"std::__", "gthr-default.h", "mutex.h:", "atomic_base.h", "instrument.cc", "?? "}) {
    if (line.find(part) != std::string::npos) return true;
  }
  return line.starts_with("std::");
}

// "file:line, function", without its parameters.
std::string Brief(const std::string& line) {
  const size_t at = line.rfind(" at ");
  if (at == std::string::npos) return line;
  std::string function = line.substr(0, at);
  if (const size_t test = function.find("_Test::"); test != std::string::npos) function.resize(test);
  if (const size_t parameters = function.find('(', 1); parameters != std::string::npos &&
                                                       !function.substr(parameters).starts_with("(anonymous")) {
    function.resize(parameters);
  }
  std::string place = line.substr(at + 4);
  if (const size_t note = place.find(" ("); note != std::string::npos) place.resize(note);
  return place + ", " + function.substr(0, 100);
}

std::string Hexadecimal(uint64_t number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), " 0x%llx", static_cast<unsigned long long>(number));
  return text.data();
}

// What the system's addr2line says of all places at once; offsets in the program where there is none.
class Places {
 public:
  explicit Places(const std::set<const void*>& places) {
    std::array<char, 1024> path{};
    const ssize_t bytes = readlink("/proc/self/exe", path.data(), path.size() - 1);
    const std::string program(path.data(), static_cast<size_t>(std::max<ssize_t>(0, bytes)));
    std::string command = "addr2line -aCsfpie '" + program + "'";
    for (const void* place : places) command += Hexadecimal(OffsetOf(place));
    FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
    if (pipe == nullptr) return;
    std::array<char, 2048> buffer{};
    uint64_t offset = 0;
    while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) Take(buffer.data(), &offset);
    pclose(pipe);
  }
  std::string Of(const void* place) const {
    if (place == nullptr) return "its begin or end";
    const auto found = names_.find(OffsetOf(place));
    if (found != names_.end() && !found->second.empty()) return found->second;
    return "offset " + std::to_string(OffsetOf(place));
  }

 private:
  static uint64_t OffsetOf(const void* place) {
    return static_cast<uint64_t>(static_cast<const char*>(place) - &__executable_start) - 1;
  }
  // A line is "0xADDRESS: function at file:line", or " (inlined by) function at file:line" of the one
  // before. The first that is not the library's counts.
  void Take(std::string line, uint64_t* offset) {
    while (!line.empty() && line.back() == '\n') line.pop_back();
    constexpr std::string_view kInlined = " (inlined by) ";
    if (line.starts_with("0x")) {
      *offset = std::strtoull(line.c_str(), nullptr, 16);
      line.erase(0, line.find(": ") + 2);
    } else if (line.starts_with(kInlined)) {
      line.erase(0, kInlined.size());
    }
    std::string& name = names_[*offset];
    if (name.empty() && !IsOfLibrary(line)) name = Brief(line);
  }

  std::map<uint64_t, std::string> names_;
};

}  // namespace

const char* NameOf(Op op) {
  static constexpr std::array<const char*, 19> kNames = {
      "load", "store", "exchange", "compare-exchange", "update", "fence", "lock", "try-lock", "unlock", "wait",
      "notify", "atomic wait", "atomic notify", "yield", "sleep", "start", "join", "end", "point"};
  return kNames[static_cast<size_t>(op)];
}

// Takes out runs of changes, long ones first, as long as it goes on failing.
Schedule Shorten(const Options& options, Schedule schedule, const std::function<void()>& program) {
  int tries = 0;
  for (size_t length = std::max<size_t>(1, schedule.changes.size() / 2);; length /= 2) {
    for (size_t at = 0; at < schedule.changes.size() && tries < kMostTries; ++tries) {
      Schedule less = schedule;
      const auto begin = less.changes.begin() + static_cast<std::ptrdiff_t>(at);
      less.changes.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(length, less.changes.size() - at)));
      if (Replay(options, less, program).has_failed) {
        schedule = std::move(less);
      } else {
        at += length;
      }
    }
    if (length <= 1) return schedule;
  }
}

std::string DescribeTrace() {
  const uint64_t kept = std::min({shared->traced, kMostLines, Shared::kSwitches});
  std::string text = std::to_string(shared->traced) + " switches";
  if (kept < shared->traced) text += ", the last " + std::to_string(kept) + " of them";
  text += ":\n";
  std::set<const void*> all;
  for (uint64_t i = shared->traced - kept; i < shared->traced; ++i) {
    const Switch& s = shared->trace[i % Shared::kSwitches];
    for (const void* place : {s.from_place, s.to_place}) {
      if (place != nullptr) all.insert(place);
    }
  }
  const Places places(all);
  for (uint64_t i = shared->traced - kept; i < shared->traced; ++i) {
    const Switch& s = shared->trace[i % Shared::kSwitches];
    text += "  point " + std::to_string(s.point) + ": T" + std::to_string(s.from) + " before ";
    text += NameOf(s.from_op) + (" in " + places.Of(s.from_place)) + "\n      -> T" + std::to_string(s.to);
    text += " with " + (NameOf(s.to_op) + (" in " + places.Of(s.to_place))) + "\n";
  }
  return text;
}

}  // namespace varve::sched
