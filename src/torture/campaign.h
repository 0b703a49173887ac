// Campaigns: what `varve torture` runs. Each attacks one promise, seed after seed, until its time is over or
// the promise is broken, and judges by an oracle outside of what it attacks (docs/design/0040-torture.md).
#ifndef VARVE_TORTURE_CAMPAIGN_H_
#define VARVE_TORTURE_CAMPAIGN_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "torture/linearizability.h"
#include "varve/status.h"

namespace varve::torture {

// What was done and checked, by name: "power cuts", "operations". Thread-compatible.
class Counts {
 public:
  void Add(std::string_view name, uint64_t number = 1);
  void Add(const Counts& others);
  // 0 for a name that never came.
  uint64_t of(std::string_view name) const;
  // In the order in which the names first came.
  const std::vector<std::pair<std::string, uint64_t>>& all() const { return counts_; }

 private:
  std::vector<std::pair<std::string, uint64_t>> counts_;
};

// What happens in the run of one seed, as data: an operation or a fault a line.
using Schedule = std::vector<std::string>;
std::string ToText(const Schedule& schedule);
// Lines without those that are empty or begin with '#'.
Schedule ScheduleFrom(std::string_view text);

struct Violation {
  uint64_t seed = 0;
  std::string what;   // the promise that is broken, and how that was seen
  std::string world;  // options and the like, which follow from the seed
  // The least that was found to break it; empty where the seed alone says what happens.
  Schedule schedule;
  uint64_t lines_before = 0;  // how long it was
  uint64_t runs = 0;          // that cutting it down took
  // How many of `repeats` further runs of the schedule broke the promise: all of them, but where threads or
  // processes race.
  uint64_t repeated = 0;
  uint64_t repeats = 0;
  std::vector<Operation> history;  // of one key, where a history is what is wrong
  std::string evidence;  // a directory with the files of the last run that broke it; empty: all was in memory
};

struct Budget {
  uint64_t first_seed = 1;
  uint64_t seeds = std::numeric_limits<uint64_t>::max();  // at most
  uint64_t nanos = 10'000'000'000;                        // begins no second seed after that
  std::optional<Schedule> schedule;                       // run instead of what the seed gives, once
  std::string dir;                                        // for campaigns on a disk; exists
  bool whole = false;                                     // of a violation the schedule is not cut down
};

struct Tally {
  uint64_t seeds = 0;
  uint64_t nanos = 0;
  // Of what was done, call by call, where the campaign repeats that: equal for equal seeds. Else 0.
  uint64_t digest = 0;
  Counts counts;
  std::optional<Violation> violation;
};

// Called now and then with the sums so far, on the thread that called Run.
using Progress = std::function<void(const Tally&)>;

// Thread-compatible.
class Campaign {
 public:
  virtual ~Campaign() = default;
  virtual std::string_view name() const = 0;
  // One line: what holds, whatever the campaign does.
  virtual std::string_view promise() const = 0;
  // Whether a seed, or a schedule, gives the same run again. Else threads or processes race.
  virtual bool repeats() const = 0;
  // kInvalidArgument: a schedule that makes no sense, or a campaign without one is given one. kIoError: of the
  // machine. A broken promise is a result.
  virtual Result<Tally> Run(const Budget& budget, const Progress& progress) = 0;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_CAMPAIGN_H_
