#include "torture/power_run.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/random.h"
#include "base/status_macros.h"
#include "torture/turn_taking.h"

namespace varve::torture {
namespace {

PowerCut CutOf(uint64_t number, uint64_t seed) {
  if (number == 0) return PowerCut::LoseUnsynced();
  if (number == 3) return PowerCut::KeepUnsynced();
  return number % 2 == 1 ? PowerCut::Random(seed) : PowerCut::Torn(seed);
}
const char* NameOf(uint64_t number) {
  if (number == 0) return "loses all that was not synced";
  if (number == 3) return "keeps all";
  return number % 2 == 1 ? "keeps a random part" : "tears";
}
std::string NameOf(const CallInfo& call) { return std::string(CallKindName(call.kind)) + " " + call.path; }

}  // namespace

PowerRun::PowerRun(TurnsOpener opener, std::vector<PowerStep> steps, const PowerOptions& options, Counts* counts)
    : opener_(std::move(opener)), steps_(std::move(steps)), options_(options), counts_(counts) {}

Status PowerRun::Run(SimClock::Mode clock_mode) {
  CrashEnv env(options_.seed, clock_mode);
  env.SetCallHook([&](const CallInfo& call) {
    digest_.Add(call);
    if (call.index % options_.stride == options_.seed % options_.stride) {
      TakeClones(&env, call.index, "call " + std::to_string(call.index) + " (" + NameOf(call) + "): ");
    }
  });
  VARVE_RETURN_IF_ERROR(RunSteps(&env));
  env.SetCallHook(nullptr);
  call_count_ = env.call_count();
  return CheckPending();
}

Status PowerRun::RunSteps(CrashEnv* env) {
  TurnTaking turns(options_.seed);
  const StoreOpener open = opener_(options_.takes_turns ? &turns : nullptr);
  Result<std::unique_ptr<Db>> db = open(kStoreDir, env);
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (!db.ok()) return Status::Corruption("without any fault: open: " + db.status().ToString());
    const PowerStep& step = steps_[i];
    started_ = i + 1;
    Status status;
    if (step.act == nullptr) {
      db->reset();
      db = open(kStoreDir, env);
    } else {
      status = step.act(db->get());
    }
    if (!status.ok()) return Status::Corruption("without any fault: " + step.text + ": " + status.ToString());
    if (step.makes_durable) durable_ = i + 1;
    if (step.survives_process) acked_ = i + 1;
    if (options_.takes_turns && db.ok()) {
      const Status settled = (*db)->WaitForBackgroundWork();
      if (!settled.ok()) return Status::Corruption("without any fault: after " + step.text + ": " + settled.ToString());
    }
    // Stores into a mapped log are no calls: look between the steps as well.
    if (options_.between_steps != 0 && (i + options_.seed) % options_.between_steps == 0) {
      TakeClones(env, 1'000'000 + i, "after step " + std::to_string(i) + " (" + step.text + "): ");
    }
    VARVE_RETURN_IF_ERROR(CheckPending());
  }
  return Status::Ok();
}

// On whatever thread makes the call. The lower ends are read before a clone is taken, and the upper one after.
void PowerRun::TakeClones(CrashEnv* env, uint64_t index, const std::string& where) {
  for (uint64_t number = 0; number < options_.cuts_per_call; ++number) {
    const uint64_t seed = options_.seed * 1'000'003 + index * 64 + number;
    Window window{.first = durable_};
    std::unique_ptr<CrashEnv> clone = env->CloneAfterPowerCut(CutOf(number, seed));
    window.last = started_;
    Add({std::move(clone), window, window, seed, where + "a power cut that " + NameOf(number)});
  }
  // What the dead process had not synced may still be lost in recovery.
  Window window{.first = acked_};
  Window second{.first = durable_};
  std::unique_ptr<CrashEnv> clone = env->CloneAfterProcessCrash();
  window.last = second.last = started_;
  Add({std::move(clone), window, second, options_.seed + index, where + "the end of the process"});
}

void PowerRun::Add(Pending pending) {
  const MutexLock lock(&mu_);
  pending_.push_back(std::move(pending));
}

Status PowerRun::CheckPending() {
  std::vector<Pending> pending;
  {
    const MutexLock lock(&mu_);
    pending.swap(pending_);
  }
  for (Pending& one : pending) VARVE_RETURN_IF_ERROR(Check(&one));
  return Status::Ok();
}

Status PowerRun::Check(Pending* one) {
  counts_->Add(one->where.ends_with("process") ? "ends of the process" : "power cuts");
  one->env->SetCallHook([this](const CallInfo& call) { digest_.Add(call); });
  if (!Random(one->seed).OneIn(options_.one_in_again)) return CheckOpens(one->env.get(), one->window, one->where);
  Mutex mu;
  std::vector<Pending> seconds;
  uint64_t calls = 0;
  one->env->SetCallHook([&](const CallInfo& call) {
    digest_.Add(call);
    const MutexLock lock(&mu);
    if (++calls % options_.again_stride != one->seed % options_.again_stride) return;
    const uint64_t number = calls / options_.again_stride % 4;
    seconds.push_back({one->env->CloneAfterPowerCut(CutOf(number, one->seed + call.index)), one->second_window, {}, 0,
                       one->where + ", and in recovery at " + NameOf(call) + " one that " + NameOf(number)});
  });
  VARVE_RETURN_IF_ERROR(CheckOpens(one->env.get(), one->window, one->where));
  one->env->SetCallHook(nullptr);
  for (const Pending& second : seconds) {
    counts_->Add("power cuts in recovery");
    VARVE_RETURN_IF_ERROR(CheckOpens(second.env.get(), second.window, second.where));
  }
  return Status::Ok();
}

// It must open and show a state of the window; opened again, the same.
Status PowerRun::CheckOpens(CrashEnv* env, const Window& window, const std::string& where) {
  Contents before;
  const Status opened = CheckOneOpening(env, &before);
  if (!opened.ok()) return Status::Corruption(where + ", opened: " + opened.ToString());
  if (!IsState(before, window)) return Status::Corruption(where + Explain(before, window));
  if (env->call_count() % 8 != 0) return Status::Ok();
  Contents after;
  const Status again = CheckOneOpening(env, &after);
  if (!again.ok()) return Status::Corruption(where + ", opened again: " + again.ToString());
  if (before != after) return Status::Corruption(where + ": opened again it shows something else");
  return Status::Ok();
}

Status PowerRun::CheckOneOpening(CrashEnv* env, Contents* contents) {
  TurnTaking turns(options_.seed);
  const Result<std::unique_ptr<Db>> db = opener_(options_.takes_turns ? &turns : nullptr)(kStoreDir, env);
  if (!db.ok()) return db.status();
  VARVE_ASSIGN_OR_RETURN(*contents, options_.read ? options_.read(db->get()) : ReadContents(db->get()));
  return Status::Ok();
}

const Contents& PowerRun::StateAfter(size_t steps) const {
  static const Contents kEmpty;
  return steps == 0 ? kEmpty : steps_[steps - 1].after;
}

bool PowerRun::IsState(const Contents& contents, const Window& window) const {
  for (size_t i = window.last + 1; i > window.first; --i) {
    if (StateAfter(i - 1) == contents) return true;
  }
  return false;
}

std::string PowerRun::Explain(const Contents& contents, const Window& window) const {
  const std::string steps = " commands " + std::to_string(window.first) + " to " + std::to_string(window.last);
  for (size_t i = window.first; i-- > 0;) {
    if (StateAfter(i) == contents) {
      return ": it shows what was there after " + std::to_string(i) + ", and must keep" + steps + ", the first of them " +
             steps_[window.first - 1].text;
    }
  }
  return ": it shows no state after" + steps +
         "; against the last: " + Difference(StateAfter(window.last), contents);
}

}  // namespace varve::torture
