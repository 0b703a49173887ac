#include "torture/trials.h"

#include <atomic>
#include <utility>

#include "base/epoch.h"
#include "torture/directories.h"
#include "torture/minimise.h"
#include "torture/now.h"
#include "torture/resurrection.h"

namespace varve::torture {
namespace {

constexpr uint64_t kRepeats = 5;
constexpr uint64_t kCheckMillis = 5000;
constexpr uint64_t kMostRuns = 2000;
constexpr uint64_t kMinimiseNanos = 30'000'000'000;

// How far the process is from its next collection of what was retired (base/epoch.h) decides which blocks a cache has
// to give up, and so what is read again: each trial begins right behind one. REQUIRES: no store is open.
void BeginBehindACollection() {
  static std::atomic<uint64_t> collected{0};
  EpochDrain();
  for (const uint64_t before = collected; collected == before;) {
    EpochRetire(&collected, [](void* count) { ++*static_cast<std::atomic<uint64_t>*>(count); });
  }
}

}  // namespace

Finding JudgeHistory(std::vector<Operation> history, Counts* counts, bool may_lack_answers) {
  for (const Operation& operation : history) {
    if (may_lack_answers || operation.outcome != Outcome::kUnknown) continue;
    return {Status::Corruption("an operation failed: " + operation.ToString()), {operation}};
  }
  counts->Add("operations", history.size());
  counts->Add("histories checked");
  const CheckResult result = CheckLinearizability(history, {.time_limit_ms = kCheckMillis});
  if (result.verdict == Verdict::kLinearizable) return {};
  if (result.verdict == Verdict::kOutOfTime) {
    counts->Add("histories too hard to check");
    return {};
  }
  std::erase_if(history, [&](const Operation& operation) { return operation.key != result.key; });
  return {Status::Corruption("key " + result.key + " is not linearizable: " + result.explanation), std::move(history)};
}

Finding JudgeResurrections(const std::vector<Operation>& history, Counts* counts) {
  uint64_t checked = 0;
  std::string key;
  const std::string problem = FindResurrection(history, &checked, &key);
  counts->Add("reads held against one writer", checked);
  if (problem.empty()) return {};
  Finding finding{Status::Corruption(problem), history};
  std::erase_if(finding.history, [&](const Operation& operation) { return operation.key != key; });
  return finding;
}

Result<Tally> Trials::Run(const Budget& budget, const Progress& progress) {
  dir_ = budget.dir;
  Tally tally;
  const uint64_t began = MonotonicNow();
  const uint64_t most = budget.schedule ? 1 : budget.seeds;
  while (tally.seeds < most && (tally.seeds == 0 || tally.nanos < budget.nanos) && !tally.violation) {
    const uint64_t seed = budget.first_seed + tally.seeds;
    const Schedule schedule = budget.schedule ? *budget.schedule : Plan(seed);
    const Finding finding = TryAndKeep(seed, schedule, &tally.counts);
    if (!finding.status.ok() && !IsBroken(finding)) return finding.status;
    ++tally.seeds;
    tally.digest = tally.digest * 1'000'000'007 + finding.digest;
    if (IsBroken(finding)) tally.violation = Explain(seed, schedule, finding, budget.whole);
    tally.nanos = MonotonicNow() - began;
    progress(tally);
  }
  return tally;
}

Finding Trials::TryAndKeep(uint64_t seed, const Schedule& schedule, Counts* counts) {
  BeginBehindACollection();
  Finding finding = Try(seed, schedule, counts);
  Env* const env = Env::Default();
  if (!IsBroken(finding) || dir_.empty() || !env->FileExists(place())) return finding;
  // The last one stands for the others: it is of the shortest schedule.
  static_cast<void>(RemoveTree(evidence()));
  static_cast<void>(env->RenameFile(place(), evidence()));
  return finding;
}

Violation Trials::Explain(uint64_t seed, const Schedule& schedule, const Finding& finding, bool whole) {
  Counts unused;
  const uint64_t give_up = MonotonicNow() + kMinimiseNanos;
  Finding last = finding;
  const auto fails = [&](const Schedule& some) {
    if (MonotonicNow() > give_up) return false;
    // Where threads race a schedule that can fail does so only now and then.
    for (uint64_t attempt = 0; attempt < attempts_; ++attempt) {
      Finding found = TryAndKeep(seed, some, &unused);
      if (!IsBroken(found)) continue;
      last = std::move(found);
      return true;
    }
    return false;
  };
  Minimised least = whole ? Minimised{schedule} : Minimise(schedule, fails, kMostRuns);
  Violation violation;
  violation.seed = seed;
  violation.world = World(seed);
  violation.lines_before = schedule.size();
  violation.runs = least.runs;
  violation.schedule = std::move(least.schedule);
  violation.what = std::string(last.status.message());
  violation.history = std::move(last.history);
  const uint64_t stop = give_up + kMinimiseNanos;
  const uint64_t repeats = whole ? 0 : kRepeats;
  for (; violation.repeats < repeats && (violation.repeats == 0 || MonotonicNow() < stop); ++violation.repeats) {
    violation.repeated += IsBroken(TryAndKeep(seed, violation.schedule, &unused)) ? 1 : 0;
  }
  if (!dir_.empty() && Env::Default()->FileExists(evidence())) violation.evidence = evidence();
  return violation;
}

}  // namespace varve::torture
