// The campaign `power`: the power fails at I/O calls of a workload, and what is left is opened.
//
// A line "cuts SEED STRIDE" asks for power cuts at every STRIDE-th call: one that loses all that was not synced, one
// that keeps a random part, one that also tears; and for the end of the process alone. One in 64 is followed by
// another while the store recovers. One thread works behind the
// workload, no clock runs, and each command waits for that thread: so that the same workload makes the same calls, but
// for the order of a few that both make at once.
#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status_macros.h"
#include "env/crash_env.h"
#include "torture/campaigns.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"

namespace varve::torture {
namespace {

constexpr char kDir[] = "/store";

// How many commands the store may show: not fewer than `first`, not more than `last`.
struct Window {
  size_t first = 0;
  size_t last = 0;
};

struct Cuts {
  uint64_t seed = 0;
  uint64_t stride = 1;
};

class PowerRun {
 public:
  PowerRun(StoreOpener opener, std::vector<Command> commands, const Cuts& cuts, Counts* counts)
      : opener_(std::move(opener)), commands_(std::move(commands)), cuts_(cuts), counts_(counts), states_(1) {
    for (const Command& command : commands_) {
      states_.push_back(states_.back());
      Apply(command, &states_.back());
    }
  }

  Status Run(uint64_t seed) {
    CrashEnv env(seed, SimClock::Mode::kManual);
    env.SetCallHook([&](const CallInfo& call) {
      if (call.index % cuts_.stride == cuts_.seed % cuts_.stride) TakeClones(&env, call);
    });
    VARVE_RETURN_IF_ERROR(RunCommands(&env));
    env.SetCallHook(nullptr);
    return CheckPending();
  }

 private:
  // A world after its crash: what it may hold, and if the power fails again meanwhile.
  struct Pending {
    std::unique_ptr<CrashEnv> env;
    Window window;
    Window second_window;
    uint64_t seed = 0;
    std::string where;
  };

  Status RunCommands(CrashEnv* env) {
    Result<std::unique_ptr<Db>> db = opener_(kDir, env);
    for (size_t i = 0; i < commands_.size(); ++i) {
      if (!db.ok()) return Status::Corruption("open: " + db.status().ToString());
      const Command& command = commands_[i];
      started_ = i + 1;
      Status status;
      if (command.kind == Command::Kind::kReopen) {
        db->reset();
        db = opener_(kDir, env);
      } else {
        status = Execute(command, db->get());
        if (status.code() == StatusCode::kConflict && command.kind == Command::Kind::kCompareAndSet) status = {};
      }
      if (!status.ok()) return Status::Corruption("without any fault: " + status.ToString());
      if (command.MakesDurable()) durable_ = i + 1;
      if (!command.changes_contents() || command.durability != Durability::kNone) acked_ = i + 1;
      if (db.ok()) VARVE_RETURN_IF_ERROR((*db)->WaitForBackgroundWork());
      VARVE_RETURN_IF_ERROR(CheckPending());
    }
    return Status::Ok();
  }

  static PowerCut CutOf(uint64_t kind, uint64_t seed) {
    if (kind == 0) return PowerCut::LoseUnsynced();
    return kind == 1 ? PowerCut::Random(seed) : PowerCut::Torn(seed);
  }
  static std::string NameOf(uint64_t kind) {
    constexpr const char* kNames[] = {"loses all that was not synced", "keeps a random part", "tears"};
    return kNames[kind];
  }

  // On whatever thread makes the call. The lower ends are read before a clone is taken, and the upper one after.
  void TakeClones(CrashEnv* env, const CallInfo& call) {
    const std::string where = "call " + std::to_string(call.index) + " (" + std::string(CallKindName(call.kind)) + " " +
                              call.path + "): ";
    for (uint64_t kind = 0; kind < 3; ++kind) {
      const uint64_t seed = cuts_.seed * 1'000'003 + call.index * 4 + kind;
      Window window{.first = durable_};
      std::unique_ptr<CrashEnv> clone = env->CloneAfterPowerCut(CutOf(kind, seed));
      window.last = started_;
      Add({std::move(clone), window, window, seed, where + "a power cut that " + NameOf(kind)});
    }
    Window window{.first = acked_};
    Window second{.first = durable_};
    std::unique_ptr<CrashEnv> clone = env->CloneAfterProcessCrash();
    window.last = second.last = started_;
    Add({std::move(clone), window, second, cuts_.seed + call.index, where + "the end of the process"});
  }
  void Add(Pending pending) {
    const MutexLock lock(&mu_);
    pending_.push_back(std::move(pending));
  }

  Status CheckPending() {
    std::vector<Pending> pending;
    {
      const MutexLock lock(&mu_);
      pending.swap(pending_);
    }
    for (Pending& one : pending) VARVE_RETURN_IF_ERROR(Check(&one));
    return Status::Ok();
  }

  Status Check(Pending* one) {
    counts_->Add(one->where.ends_with("process") ? "ends of the process" : "power cuts");
    if (Random(one->seed).Uniform(64) != 0) return CheckOpens(one->env.get(), one->window, one->where);
    Mutex mu;
    std::vector<Pending> seconds;
    uint64_t calls = 0;
    one->env->SetCallHook([&](const CallInfo& call) {
      const MutexLock lock(&mu);
      if (++calls % 4 != one->seed % 4) return;
      const uint64_t kind = calls % 3;
      seconds.push_back({one->env->CloneAfterPowerCut(CutOf(kind, one->seed + call.index)), one->second_window, {}, 0,
                         one->where + ", and in recovery at " + std::string(CallKindName(call.kind)) + " " + call.path +
                             " one that " + NameOf(kind)});
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
  Status CheckOpens(CrashEnv* env, const Window& window, const std::string& where) {
    std::optional<Contents> before;
    for (const char* const attempt : {", opened", ", opened again"}) {
      const Result<std::unique_ptr<Db>> db = opener_(kDir, env);
      if (!db.ok()) return Status::Corruption(where + attempt + ": " + db.status().ToString());
      Result<Contents> contents = ReadContents(db->get());
      if (!contents.ok()) return Status::Corruption(where + attempt + ": " + contents.status().ToString());
      if (before && *before != *contents) return Status::Corruption(where + ": opened again it shows something else");
      if (!before && !IsState(*contents, window)) return Status::Corruption(where + Explain(*contents, window));
      if (env->call_count() % 8 != 0) break;
      before = *std::move(contents);
    }
    return Status::Ok();
  }
  bool IsState(const Contents& contents, const Window& window) const {
    for (size_t i = window.last + 1; i > window.first; --i) {
      if (states_[i - 1] == contents) return true;
    }
    return false;
  }
  std::string Explain(const Contents& contents, const Window& window) const {
    const std::string commands = " commands " + std::to_string(window.first) + " to " + std::to_string(window.last);
    for (size_t i = window.first; i-- > 0;) {
      if (states_[i] == contents) {
        return ": it shows what was there after " + std::to_string(i) + ", and must keep" + commands;
      }
    }
    return ": it shows no state after" + commands + "; against the last: " + Difference(states_[window.last], contents);
  }

  const StoreOpener opener_;
  const std::vector<Command> commands_;
  const Cuts cuts_;
  Counts* const counts_;
  std::vector<Contents> states_;
  // How many commands were begun, acknowledged, and acknowledged as durable.
  std::atomic<size_t> started_{0};
  std::atomic<size_t> acked_{0};
  std::atomic<size_t> durable_{0};
  Mutex mu_;
  std::vector<Pending> pending_ VARVE_GUARDED_BY(mu_);
};

class PowerTrials final : public Trials {
 public:
  PowerTrials()
      : Trials("power", "what was acknowledged as synced survives any loss of power, and the rest is a prefix", 2) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    ScriptWriter writer(seed, {.lines = 0, .keys = 12 + seed % 3 * 20, .with_none = seed % 3 == 0});
    Schedule schedule{"cuts " + std::to_string(seed) + " " + std::to_string(1 + seed % 4)};
    while (schedule.size() < 80) schedule.push_back(writer.Next());
    return schedule;
  }
  std::string World(uint64_t seed) const override { return CalmStoreConfig(seed).ToString(); }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    Schedule lines = schedule;
    Cuts cuts;
    bool has_cuts = false;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (!lines[i].starts_with("cuts ")) continue;
      const std::vector<std::string> words = WordsOf(lines[i]);
      const std::optional<uint64_t> cut_seed = words.size() == 3 ? NumberOf(words[1]) : std::nullopt;
      const std::optional<uint64_t> stride = words.size() == 3 ? NumberOf(words[2]) : std::nullopt;
      if (!cut_seed || !stride || *stride == 0) return {NotUnderstood(lines[i]), {}};
      cuts = {*cut_seed, *stride};
      has_cuts = true;
      lines.erase(lines.begin() + static_cast<ptrdiff_t>(i--));
    }
    if (!has_cuts) return {};
    Result<std::vector<Command>> commands = ParseCommands(lines);
    if (!commands.ok()) return {commands.status(), {}};
    counts->Add("commands", commands->size());
    return {PowerRun(OpenerFor(CalmStoreConfig(seed)), *std::move(commands), cuts, counts).Run(seed), {}};
  }
};

}  // namespace

std::unique_ptr<Campaign> PowerCampaign() { return std::make_unique<PowerTrials>(); }

}  // namespace varve::torture
