#include "server/command_stats.h"

#include <algorithm>
#include <cmath>

namespace varve::server {

namespace {

constexpr size_t kMaxErrorKinds = 128;

// By the only thread that writes: no locked instruction.
void Add(std::atomic<uint64_t>* counter, uint64_t more) {
  counter->store(counter->load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

uint64_t Value(const std::atomic<uint64_t>& counter) { return counter.load(std::memory_order_relaxed); }

}  // namespace

uint64_t CommandTimes::EndOf(size_t bucket) {
  if (bucket == 0) return uint64_t{1} << kFirstBits;
  const size_t octave = (bucket - 1) / 4;
  const uint64_t begin = uint64_t{1} << (kFirstBits + static_cast<int>(octave));
  return begin + begin / 4 * ((bucket - 1) % 4 + 1);
}

uint64_t CommandTotals::Percentile(double percent) const {
  uint64_t all = 0;
  for (const uint64_t count : times) all += count;
  const auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(all) * percent / 100));
  uint64_t seen = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    seen += times[i];
    if (seen >= std::max<uint64_t>(wanted, 1)) return CommandTimes::EndOf(i);
  }
  return 0;
}

void CommandTotals::Add(const CommandTotals& other, int sign) {
  const auto add = [sign](uint64_t* to, uint64_t more) { *to = sign > 0 ? *to + more : *to - more; };
  add(&calls, other.calls);
  add(&nanos, other.nanos);
  add(&rejected, other.rejected);
  add(&failed, other.failed);
  for (size_t i = 0; i < times.size(); ++i) add(&times[i], other.times[i]);
}

LoopCommandStats::~LoopCommandStats() {
  for (const auto& counters : counters_) delete counters.load(std::memory_order_relaxed);
}

LoopCommandStats::Counters& LoopCommandStats::Of(const Command& command) {
  auto& place = counters_[static_cast<size_t>(command.id)];
  Counters* counters = place.load(std::memory_order_relaxed);
  if (counters == nullptr) {
    counters = new Counters;
    place.store(counters, std::memory_order_release);
  }
  return *counters;
}

void LoopCommandStats::NoteCall(const Command& command, uint64_t nanos, bool failed) {
  Counters& counters = Of(command);
  Add(&counters.calls, 1);
  Add(&counters.nanos, nanos);
  if (failed) Add(&counters.failed, 1);
  Add(&counters.times[CommandTimes::BucketOf(nanos)], 1);
}

void LoopCommandStats::NoteRejected(const Command& command) { Add(&Of(command).rejected, 1); }

void LoopCommandStats::AddTo(std::vector<CommandTotals>* totals) const {
  for (size_t id = 0; id < counters_.size(); ++id) {
    const Counters* const counters = counters_[id].load(std::memory_order_acquire);
    if (counters == nullptr) continue;
    CommandTotals& total = (*totals)[id];
    total.calls += Value(counters->calls);
    total.nanos += Value(counters->nanos);
    total.rejected += Value(counters->rejected);
    total.failed += Value(counters->failed);
    for (size_t i = 0; i < total.times.size(); ++i) total.times[i] += Value(counters->times[i]);
  }
}

CommandStats::CommandStats(int loop_count) : before_(CommandCount()) {
  for (int i = 0; i < loop_count; ++i) loops_.push_back(std::make_unique<LoopCommandStats>());
}

std::vector<CommandTotals> CommandStats::Sum() const {
  std::vector<CommandTotals> totals(CommandCount());
  for (const auto& loop : loops_) loop->AddTo(&totals);
  return totals;
}

std::vector<CommandTotals> CommandStats::Totals() const {
  MutexLock lock(&mu_);
  std::vector<CommandTotals> totals = Sum();
  for (size_t i = 0; i < totals.size(); ++i) totals[i].Add(before_[i], -1);
  return totals;
}

void CommandStats::NoteError(std::string_view error) {
  const std::string_view kind = error.substr(0, error.find_first_of(" \r\n"));
  MutexLock lock(&mu_);
  const auto found = errors_.find(kind);
  if (found != errors_.end()) {
    ++found->second;
  } else if (errors_.size() < kMaxErrorKinds) {
    errors_.emplace(kind, 1);
  }
}

std::map<std::string, uint64_t, std::less<>> CommandStats::Errors() const {
  MutexLock lock(&mu_);
  return errors_;
}

void CommandStats::Reset() {
  MutexLock lock(&mu_);
  before_ = Sum();
  errors_.clear();
}

}  // namespace varve::server
