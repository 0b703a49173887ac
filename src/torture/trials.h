// A campaign of trials: each seed gives a schedule, each schedule a run of its own.
#ifndef VARVE_TORTURE_TRIALS_H_
#define VARVE_TORTURE_TRIALS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "env/env.h"
#include "torture/campaign.h"

namespace varve::torture {

// What a trial came to.
struct Finding {
  // OK: the promise held. kCorruption: it is broken, and the message says how (AsBroken). kInvalidArgument: the
  // schedule makes no sense. Anything else is of the machine.
  Status status;
  std::vector<Operation> history;  // of the key that is wrong, if that is what is wrong
  uint64_t digest = 0;             // of all I/O calls, where a campaign repeats these; else 0
};

inline bool IsBroken(const Finding& finding) { return finding.status.code() == StatusCode::kCorruption; }

// Whether the history is linearizable; if not, with that of the key that is not. Operations without an answer are
// taken for a broken promise unless `may_lack_answers`.
Finding JudgeHistory(std::vector<Operation> history, Counts* counts, bool may_lack_answers = false);

// Whether keys that one client writes never go back (resurrection.h); if not, with the history of that which does.
Finding JudgeResurrections(const std::vector<Operation>& history, Counts* counts);

class Trials : public Campaign {
 public:
  // `attempts`: how many runs of a schedule tell whether it can fail. 1: one does, always.
  Trials(std::string_view name, std::string_view promise, uint64_t attempts)
      : name_(name), promise_(promise), attempts_(attempts) {}
  std::string_view name() const final { return name_; }
  std::string_view promise() const final { return promise_; }
  bool repeats() const final { return attempts_ == 1; }
  Result<Tally> Run(const Budget& budget, const Progress& progress) final;

 protected:
  // What the seed does; follows from it alone.
  virtual Schedule Plan(uint64_t seed) const = 0;
  // The world that it does it in, for people.
  virtual std::string World(uint64_t seed) const = 0;
  // A run of `schedule` in the world of `seed`.
  virtual Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) = 0;

  // Where a trial may have files: a directory that it empties before, removes when the promise held, and leaves
  // otherwise. Valid during Run.
  std::string place() const { return JoinPath(dir_, std::string(name_)); }

 private:
  // Try, and what a broken promise has left is put where the next trial does not touch it.
  Finding TryAndKeep(uint64_t seed, const Schedule& schedule, Counts* counts);
  std::string evidence() const { return JoinPath(dir_, "evidence"); }
  Violation Explain(uint64_t seed, const Schedule& schedule, const Finding& finding, bool whole);

  const std::string_view name_;
  const std::string_view promise_;
  const uint64_t attempts_;
  std::string dir_;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_TRIALS_H_
