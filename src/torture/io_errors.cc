// The campaign `io-errors`: calls of the file system fail. Its lines, beside those of store_script.h:
//
//   fail NTH HOW SPAN CALLS   the NTH call from now fails, and no earlier request holds any more. HOW: eio, nospace,
//                             short (writes), sync (syncs); SPAN: once, forever; CALLS: all, reads, changes
//   heal                      nothing fails any more
//   kill                      the process ends, and another opens what is left
//   cut SEED                  the power fails, which keeps a random part of what was not synced, and so on
//
// A command that fails has taken effect or not. What was acknowledged stays readable, over reopenings and ends of the
// process, and over power cuts as far as it was synced; after a failed sync, other than of a new segment, nothing is
// acknowledged until the store is opened again; without a fault nothing fails, and when the disk is well again a store
// opens and takes writes. The threads of the store take turns, and the clock runs only where somebody sleeps: the same schedule makes the same calls.
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "env/crash_env.h"
#include "torture/campaigns.h"
#include "torture/crash_store.h"
#include "torture/possible_contents.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"

namespace varve::torture {
namespace {

constexpr size_t kAll = ~size_t{0};

struct Failing {
  uint64_t nth = 0;
  Fault fault = Fault::kEio;
  FaultSpan span = FaultSpan::kOnce;
  CallFilter calls;
};

std::optional<Failing> FailingOf(const std::vector<std::string>& words) {
  if (words.size() != 5 || words[0] != "fail" || NumberOf(words[1]).value_or(0) == 0) return std::nullopt;
  Failing failing{.nth = *NumberOf(words[1])};
  if (words[4] == "reads") failing.calls = CallFilter::Reads();
  else if (words[4] == "changes") failing.calls = CallFilter::Changes();
  else if (words[4] != "all") return std::nullopt;
  if (words[2] == "nospace") {
    failing.fault = Fault::kNoSpace;
  } else if (words[2] == "short") {
    failing.fault = Fault::kShortWrite;
    failing.calls.kinds = {CallKind::kWrite};
  } else if (words[2] == "sync") {
    failing.fault = Fault::kFailedSync;
    failing.calls.kinds = {CallKind::kSync, CallKind::kSyncDir};
  } else if (words[2] != "eio") {
    return std::nullopt;
  }
  if (words[3] == "forever") failing.span = FaultSpan::kForever;
  else if (words[3] != "once") return std::nullopt;
  return failing;
}

class IoErrorsRun {
 public:
  IoErrorsRun(uint64_t seed, Counts* counts) : store_(seed), counts_(counts) {}

  uint64_t digest() const { return store_.digest(); }

  Status Run(const Schedule& schedule) {
    Status status = RunLines(schedule);
    counts_->Add("injected errors", store_.env()->fault_count());
    return status;
  }

 private:
  Status RunLines(const Schedule& schedule) {
    VARVE_RETURN_IF_ERROR(AsBroken(Open(), "open"));
    for (const std::string& line : schedule) {
      ++step_;
      VARVE_RETURN_IF_ERROR(AsBroken(Step(line), line));
      store_.turns()->Yield();
      counts_->Add("operations");
    }
    ++step_;
    return AsBroken(End(), "in the end");
  }

  Status Step(const std::string& line) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<Command> command, ParseCommand(line));
    if (command) return command->kind == Command::Kind::kReopen ? Reopen() : Run(*command);
    const std::vector<std::string> words = WordsOf(line);
    if (line == "heal") {
      Heal();
      return Status::Ok();
    }
    if (line == "kill") return MoveTo(store_.env()->CloneAfterProcessCrash(), kAll, "kills");
    if (words[0] == "cut" && words.size() == 2 && NumberOf(words[1])) {
      return MoveTo(store_.env()->CloneAfterPowerCut(PowerCut::Random(*NumberOf(words[1]))), durable_, "power cuts");
    }
    std::optional<Failing> failing = FailingOf(words);
    if (!failing) return NotUnderstood(line);
    Heal();
    store_.env()->FailCall(failing->nth, failing->fault, failing->span, failing->calls);
    may_fail_ = true;
    syncs_fail_ = failing->fault == Fault::kFailedSync;
    return Status::Ok();
  }

  Status Run(const Command& command) {
    const Status status = Execute(command, store_.db());
    const bool is_write = command.changes_contents();
    const bool is_refused = command.kind == Command::Kind::kCompareAndSet && status.code() == StatusCode::kConflict;
    if (is_refused) return Status::Ok();
    if (is_write) contents_.Record(command, status.ok(), step_);
    if (status.ok()) {
      if (!failed_sync_.empty() && (is_write || command.MakesDurable())) return AcknowledgedAfter();
      if (command.MakesDurable()) durable_ = step_;
      return Status::Ok();
    }
    if (!HasMetAFault()) return Status::Corruption("failed, and no call had: " + status.ToString());
    counts_->Add("commands that failed");
    // A segment that could not be synced is no part of the store: it is made again, by another name.
    const bool is_final = status.message().find(".seg: ") == std::string_view::npos;
    if (command.MakesDurable() && syncs_fail_ && is_final && failed_sync_.empty()) failed_sync_ = status.ToString();
    return CheckReads(kAll, false);
  }

  // Everything that is read must be possible; `must_work`: and nothing may fail.
  Status CheckReads(size_t kept, bool must_work) {
    for (const std::string& key : contents_.Keys()) {
      const Result<std::string> got = store_.db()->Get(key);
      const bool is_answer = got.ok() || got.status().IsNotFound();
      if (!is_answer && must_work) return Status::Corruption("get " + key + ": " + got.status().ToString());
      if (is_answer) VARVE_RETURN_IF_ERROR(Judge(key, got.ok() ? std::optional(*got) : std::nullopt, kept));
    }
    counts_->Add("whole states read");
    if (!must_work) return Status::Ok();
    const Result<Contents> all = ReadContents(store_.db());
    if (!all.ok()) return Status::Corruption("scan: " + all.status().ToString());
    for (const auto& [key, value] : *all) VARVE_RETURN_IF_ERROR(Judge(key, value, kept));
    return Status::Ok();
  }
  Status Judge(const std::string& key, const std::optional<std::string>& seen, size_t kept) const {
    if (contents_.IsPossible(key, seen, kept)) return Status::Ok();
    return Status::Corruption(key + (seen ? " has \"" + seen->substr(0, 12) + "\", and cannot" : " is absent, and cannot be"));
  }

  Status AcknowledgedAfter() const { return Status::Corruption("acknowledged after a failed sync: " + failed_sync_); }

  void Heal() {
    store_.env()->ClearFaults();
    may_fail_ = syncs_fail_ = false;
  }
  bool HasMetAFault() const { return store_.env()->fault_count() > faults_before_; }
  Status Open() {
    counts_->Add("openings");
    VARVE_RETURN_IF_ERROR(store_.Open());
    failed_sync_.clear();
    return Status::Ok();
  }
  Status Reopen() {
    store_.Close();
    faults_before_ = store_.env()->fault_count();
    const Status opened = Open();
    if (!opened.ok()) {
      if (!HasMetAFault()) return Status::Corruption("open, and no call had failed: " + opened.ToString());
      counts_->Add("openings that failed");
      Heal();
      VARVE_RETURN_IF_ERROR(Open());
    }
    return Settle(kAll);
  }
  // What a store shows when it was opened it shows from then on.
  Status Settle(size_t kept) {
    VARVE_RETURN_IF_ERROR(CheckReads(kept, !may_fail_));
    const Result<Contents> found = ReadContents(store_.db());
    if (found.ok()) contents_.Settle(*found, step_);
    return Status::Ok();
  }
  Status MoveTo(std::unique_ptr<CrashEnv> left, size_t kept, const char* what) {
    store_.Close();
    counts_->Add("injected errors", store_.env()->fault_count());
    store_.MoveTo(std::move(left));
    faults_before_ = 0;
    may_fail_ = syncs_fail_ = false;
    counts_->Add(what);
    VARVE_RETURN_IF_ERROR(Open());
    VARVE_RETURN_IF_ERROR(Settle(kept));
    if (kept == kAll) return Status::Ok();
    // What is left of a power cut is durable.
    contents_.Forget();
    durable_ = step_;
    return Status::Ok();
  }

  // The disk is well again.
  Status End() {
    Heal();
    VARVE_RETURN_IF_ERROR(CheckReads(kAll, true));
    if (!failed_sync_.empty() && store_.db()->Put("late", "").ok()) return AcknowledgedAfter();
    std::array<std::unique_ptr<CrashEnv>, 2> left = {store_.env()->CloneAfterProcessCrash(),
                                                     store_.env()->CloneAfterPowerCut(PowerCut::LoseUnsynced())};
    store_.Close();
    counts_->Add("injected errors", store_.env()->fault_count());
    for (size_t i = 0; i <= left.size(); ++i) {
      if (i > 0) store_.MoveTo(std::move(left[i - 1]));
      faults_before_ = 0;
      VARVE_RETURN_IF_ERROR(Open());
      VARVE_RETURN_IF_ERROR(CheckReads(i == 2 ? durable_ : kAll, true));
      VARVE_RETURN_IF_ERROR(store_.db()->Put("afterwards", "", {.durability = Durability::kSync}));
      store_.Close();
      store_.env()->ClearFaults();
    }
    return Status::Ok();
  }

  CrashStore store_;
  Counts* const counts_;
  PossibleContents contents_;
  size_t step_ = 0;
  size_t durable_ = 0;          // all that was acknowledged until then survives loss of power
  uint64_t faults_before_ = 0;  // of the environment, when the store was opened
  bool may_fail_ = false;       // some call
  bool syncs_fail_ = false;     // by what was asked for last
  std::string failed_sync_;     // what somebody was told of one; empty: none has failed
};

class IoErrorsTrials final : public Trials {
 public:
  IoErrorsTrials()
      : Trials("io-errors", "calls that fail lose nothing that was acknowledged, and after a failed sync nothing is", 1) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    ScriptWriter writer(seed, {.lines = 0, .keys = 30, .largest_value = 2000});
    Random& random = *writer.random();
    Schedule schedule;
    while (schedule.size() < 200) {
      const uint64_t choice = random.Uniform(100);
      if (choice < 9) {
        schedule.push_back(RandomFail(&random));
      } else if (choice < 13) {
        schedule.emplace_back("heal");
      } else if (choice < 16) {
        schedule.emplace_back("reopen");
      } else if (choice < 18) {
        schedule.emplace_back("kill");
      } else if (choice < 20) {
        schedule.push_back("cut " + std::to_string(random.Uniform(1'000'000)));
      } else {
        schedule.push_back(writer.Next());
      }
    }
    return schedule;
  }
  static std::string RandomFail(Random* random) {
    constexpr const char* kHow[] = {"eio", "eio", "nospace", "short", "sync", "sync"};
    constexpr const char* kCalls[] = {"all", "reads", "changes", "changes"};
    return "fail " + std::to_string(1 + random->Uniform(random->OneIn(2) ? 5 : 60)) + " " + kHow[random->Uniform(6)] +
           (random->OneIn(3) ? " forever " : " once ") + kCalls[random->Uniform(4)];
  }
  std::string World(uint64_t seed) const override { return RandomStoreConfig(seed).ToString(); }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    IoErrorsRun run(seed, counts);
    Status status = run.Run(schedule);
    return {std::move(status), {}, run.digest()};
  }
};

}  // namespace

std::unique_ptr<Campaign> IoErrorsCampaign() { return std::make_unique<IoErrorsTrials>(); }

}  // namespace varve::torture
