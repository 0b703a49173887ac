// A workload of a store on a disk in memory; at its I/O calls the power fails, or the process ends, and what is left
// is opened: it must hold a state of the workload that is not older than what was acknowledged as durable.
#ifndef VARVE_TORTURE_POWER_RUN_H_
#define VARVE_TORTURE_POWER_RUN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/crash_env.h"
#include "torture/call_digest.h"
#include "torture/campaign.h"
#include "torture/store_options.h"
#include "torture/store_script.h"

namespace varve::torture {

// One step of the workload, and what it is to the oracle.
struct PowerStep {
  std::string text;                     // for people
  std::function<Status(Db*)> act;       // null: the store is closed and opened
  Contents after;                       // what the store holds after it
  bool makes_durable = false;           // it and all before it survive loss of power
  bool survives_process = true;         // it and all before it survive the end of the process
};

struct PowerOptions {
  uint64_t seed = 1;
  uint64_t stride = 1;         // cuts at every so many calls
  uint64_t cuts_per_call = 3;  // all lost; a random part kept; torn; all kept; random ones
  uint64_t between_steps = 0;  // cuts after one in so many steps, too; 0: none
  uint64_t one_in_again = 64;  // of what is opened, one in so many has its power cut again
  uint64_t again_stride = 4;   // then at every so many calls
  // One thread of the store runs at a time, in an order that follows from the seed, and each step waits for all: so
  // that the same workload makes the same calls.
  bool takes_turns = false;
  // What a store shows, as `after` has it. Null: keys and values.
  std::function<Result<Contents>(Db*)> read = nullptr;
};

// Runs once.
class PowerRun {
 public:
  PowerRun(TurnsOpener opener, std::vector<PowerStep> steps, const PowerOptions& options, Counts* counts);

  // kCorruption: the promise is broken, and how. Counts "power cuts", "ends of the process" and "power cuts in
  // recovery".
  Status Run(SimClock::Mode clock_mode);
  // Of the workload. REQUIRES: it has run.
  uint64_t call_count() const { return call_count_; }
  // Of all its calls, and of those of what was left and opened, in order.
  uint64_t digest() const { return digest_.value(); }

 private:
  // What a store may show: the states after so many steps.
  struct Window {
    size_t first = 0;
    size_t last = 0;
  };
  // A world after its crash: what it may hold, also when the power fails again meanwhile.
  struct Pending {
    std::unique_ptr<CrashEnv> env;
    Window window;
    Window second_window;
    uint64_t seed = 0;
    std::string where;
  };

  Status RunSteps(CrashEnv* env);
  void TakeClones(CrashEnv* env, uint64_t index, const std::string& where) VARVE_EXCLUDES(mu_);
  void Add(Pending pending) VARVE_EXCLUDES(mu_);
  Status CheckPending() VARVE_EXCLUDES(mu_);
  Status Check(Pending* one);
  Status CheckOpens(CrashEnv* env, const Window& window, const std::string& where);
  Status CheckOneOpening(CrashEnv* env, Contents* contents);
  // State 0 is the empty store.
  const Contents& StateAfter(size_t steps) const;
  bool IsState(const Contents& contents, const Window& window) const;
  std::string Explain(const Contents& contents, const Window& window) const;

  const TurnsOpener opener_;
  const std::vector<PowerStep> steps_;
  const PowerOptions options_;
  Counts* const counts_;
  // How many steps were begun, are safe from the end of the process, and from loss of power.
  std::atomic<size_t> started_{0};
  std::atomic<size_t> acked_{0};
  std::atomic<size_t> durable_{0};
  uint64_t call_count_ = 0;
  CallDigest digest_;
  Mutex mu_;
  std::vector<Pending> pending_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_POWER_RUN_H_
