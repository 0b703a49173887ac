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
#include "torture/call_digest.h"
#include "torture/campaigns.h"
#include "torture/possible_contents.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"
#include "torture/turn_taking.h"

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
  IoErrorsRun(uint64_t seed, Counts* counts)
      : opener_(TurnsOpenerFor(RandomStoreConfig(seed))),
        seed_(seed),
        env_(std::make_unique<CrashEnv>(seed, SimClock::Mode::kManual)),
        counts_(counts) {
    Watch();
  }

  uint64_t digest() const { return digest_.value(); }

  Status Run(const Schedule& schedule) {
    Status status = RunLines(schedule);
    counts_->Add("injected errors", env_->fault_count());
    return status;
  }

 private:
  Status RunLines(const Schedule& schedule) {
    VARVE_RETURN_IF_ERROR(AsBroken(Open(), "open"));
    for (const std::string& line : schedule) {
      ++step_;
      VARVE_RETURN_IF_ERROR(AsBroken(Step(line), line));
      turns_->Yield();
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
    if (line == "kill") return MoveTo(env_->CloneAfterProcessCrash(), kAll, "kills");
    if (words[0] == "cut" && words.size() == 2 && NumberOf(words[1])) {
      return MoveTo(env_->CloneAfterPowerCut(PowerCut::Random(*NumberOf(words[1]))), durable_, "power cuts");
    }
    std::optional<Failing> failing = FailingOf(words);
    if (!failing) return NotUnderstood(line);
    Heal();
    env_->FailCall(failing->nth, failing->fault, failing->span, failing->calls);
    may_fail_ = true;
    syncs_fail_ = failing->fault == Fault::kFailedSync;
    return Status::Ok();
  }

  Status Run(const Command& command) {
    const Status status = Execute(command, db_.get());
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
      const Result<std::string> got = db_->Get(key);
      const bool is_answer = got.ok() || got.status().IsNotFound();
      if (!is_answer && must_work) return Status::Corruption("get " + key + ": " + got.status().ToString());
      if (is_answer) VARVE_RETURN_IF_ERROR(Judge(key, got.ok() ? std::optional(*got) : std::nullopt, kept));
    }
    counts_->Add("whole states read");
    if (!must_work) return Status::Ok();
    const Result<Contents> all = ReadContents(db_.get());
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
    env_->ClearFaults();
    may_fail_ = syncs_fail_ = false;
  }
  bool HasMetAFault() const { return env_->fault_count() > faults_before_; }
  void Watch() {
    env_->SetCallHook([this](const CallInfo& call) { digest_.Add(call); });
  }
  Status Open() {
    turns_ = std::make_unique<TurnTaking>(seed_);
    counts_->Add("openings");
    Result<std::unique_ptr<Db>> db = opener_(turns_.get())(kStoreDir, env_.get());
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
    failed_sync_.clear();
    return Status::Ok();
  }
  Status Reopen() {
    db_.reset();
    faults_before_ = env_->fault_count();
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
    const Result<Contents> found = ReadContents(db_.get());
    if (found.ok()) contents_.Settle(*found, step_);
    return Status::Ok();
  }
  Status MoveTo(std::unique_ptr<CrashEnv> left, size_t kept, const char* what) {
    db_.reset();
    counts_->Add("injected errors", env_->fault_count());
    env_ = std::move(left);
    Watch();
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
    if (!failed_sync_.empty() && db_->Put("late", "").ok()) return AcknowledgedAfter();
    std::array<std::unique_ptr<CrashEnv>, 2> left = {env_->CloneAfterProcessCrash(),
                                                     env_->CloneAfterPowerCut(PowerCut::LoseUnsynced())};
    db_.reset();
    counts_->Add("injected errors", env_->fault_count());
    for (size_t i = 0; i <= left.size(); ++i) {
      if (i > 0) env_ = std::move(left[i - 1]);
      Watch();
      faults_before_ = 0;
      VARVE_RETURN_IF_ERROR(Open());
      VARVE_RETURN_IF_ERROR(CheckReads(i == 2 ? durable_ : kAll, true));
      VARVE_RETURN_IF_ERROR(db_->Put("afterwards", "", {.durability = Durability::kSync}));
      db_.reset();
      env_->ClearFaults();
    }
    return Status::Ok();
  }

  const TurnsOpener opener_;
  const uint64_t seed_;
  CallDigest digest_;
  std::unique_ptr<CrashEnv> env_;
  Counts* const counts_;
  std::unique_ptr<TurnTaking> turns_;
  std::unique_ptr<Db> db_;
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
