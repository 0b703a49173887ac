#include "sim/fault.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sim/stream.h"

namespace varve::sim {
namespace {

constexpr std::array<std::string_view, kFaultKinds> kNames = {
    "cut", "split", "clog", "lose", "duplicate", "delay", "crash", "power_cut", "wipe", "pause", "clock_jump",
    "clock_rate", "slow_disk", "failed_sync", "store_stall", "store_stale", "store_no_watch", "store_no_reply",
    "restore"};

bool IsDown(FaultKind kind) {
  return kind == FaultKind::kCrash || kind == FaultKind::kPowerCut || kind == FaultKind::kWipe;
}

uint64_t AmountOf(FaultKind kind, uint32_t endpoints, Stream* random) {
  switch (kind) {
    case FaultKind::kSplit: return 1 + random->Uniform((uint64_t{1} << std::min(endpoints, 62u)) - 2);
    case FaultKind::kLose: return 10 + random->Uniform(500);
    case FaultKind::kDuplicate: return 10 + random->Uniform(300);
    case FaultKind::kDelay: return 1 + random->Uniform(500 * kMillisecond);
    case FaultKind::kClockJump: return (uint64_t{1} << 63) - 60 * kSecond + random->Uniform(120 * kSecond);
    case FaultKind::kClockRate: return (uint64_t{1} << 31) - 50'000 + random->Uniform(100'000);
    case FaultKind::kSlowDisk: return 1 + random->Uniform(200 * kMillisecond);
    case FaultKind::kStoreStale: return 1 + random->Uniform(4);
    default: return 0;
  }
}

// Whether a further server may be down for all of that time.
bool MayBeDown(const Schedule& schedule, const Fault& fault, const FaultOptions& options) {
  uint32_t others = 0;
  uint32_t wiped = 0;
  for (const Fault& other : schedule) {
    if (!IsDown(other.kind)) continue;
    wiped += other.kind == FaultKind::kWipe ? 1 : 0;
    if (fault.at <= other.at + other.length && other.at <= fault.at + fault.length) ++others;
  }
  return others < options.most_down && (fault.kind != FaultKind::kWipe || wiped < options.most_wiped);
}

bool ParseNumber(std::string_view* line, uint64_t* number) {
  line->remove_prefix(std::min(line->find_first_not_of(' '), line->size()));
  const auto [end, error] = std::from_chars(line->data(), line->data() + line->size(), *number);
  if (error != std::errc()) return false;
  line->remove_prefix(static_cast<size_t>(end - line->data()));
  return true;
}

bool ParseFault(std::string_view line, Fault* fault) {
  const size_t space = std::min(line.find(' '), line.size());
  const auto name = std::find(kNames.begin(), kNames.end(), line.substr(0, space));
  if (name == kNames.end()) return false;
  line.remove_prefix(space);
  uint64_t a = 0;
  uint64_t b = 0;
  const bool ok = ParseNumber(&line, &fault->at) && ParseNumber(&line, &fault->length) && ParseNumber(&line, &a) &&
                  ParseNumber(&line, &b) && ParseNumber(&line, &fault->amount) && line.empty();
  fault->kind = static_cast<FaultKind>(name - kNames.begin());
  fault->a = static_cast<Endpoint>(a);
  fault->b = static_cast<Endpoint>(b);
  return ok && a <= ~Endpoint{0} && b <= ~Endpoint{0};
}

}  // namespace

std::string_view FaultName(FaultKind kind) { return kNames[static_cast<size_t>(kind)]; }

std::string ToText(const Schedule& schedule) {
  std::string text;
  for (const Fault& fault : schedule) {
    text += FaultName(fault.kind);
    for (const uint64_t number : {fault.at, fault.length, uint64_t{fault.a}, uint64_t{fault.b}, fault.amount}) {
      text += ' ' + std::to_string(number);
    }
    text += '\n';
  }
  return text;
}

Result<Schedule> ParseSchedule(std::string_view text) {
  Schedule schedule;
  while (!text.empty()) {
    const size_t size = std::min(text.find('\n'), text.size());
    Fault fault;
    if (!ParseFault(text.substr(0, size), &fault)) {
      return Status::InvalidArgument("schedule: no fault: " + std::string(text.substr(0, size)));
    }
    schedule.push_back(fault);
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return schedule;
}

Schedule RandomSchedule(uint64_t seed, uint32_t servers, uint32_t clients, const FaultOptions& options) {
  Stream random(seed, 0xFA017);
  std::vector<FaultKind> kinds;
  for (size_t kind = 0; kind < kFaultKinds; ++kind) {
    if (((options.kinds >> kind) & 1) != 0 && random.Chance(500)) kinds.push_back(static_cast<FaultKind>(kind));
  }
  Schedule schedule;
  const uint64_t count = kinds.empty() ? 0 : random.Uniform(options.most + 1);
  for (uint64_t i = 0; i < count; ++i) {
    Fault fault;
    fault.kind = kinds[random.Uniform(kinds.size())];
    fault.at = random.Uniform(options.duration);
    fault.length = std::min(1 + random.Uniform(1 + random.Uniform(options.longest)), options.duration - fault.at);
    const uint32_t endpoints = servers + clients;
    // The store can be cut off as well; all else happens to servers.
    const bool is_link = fault.kind == FaultKind::kCut || fault.kind == FaultKind::kClog;
    fault.a = static_cast<Endpoint>(random.Uniform(is_link ? endpoints + 1 : servers));
    fault.b = static_cast<Endpoint>(random.Uniform(endpoints + 1));
    fault.amount = AmountOf(fault.kind, endpoints + 1, &random);
    if (IsDown(fault.kind) && !MayBeDown(schedule, fault, options)) continue;
    schedule.push_back(fault);
  }
  std::stable_sort(schedule.begin(), schedule.end(), [](const Fault& x, const Fault& y) { return x.at < y.at; });
  return schedule;
}

}  // namespace varve::sim
