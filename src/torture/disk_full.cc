// The campaign `disk-full`: space comes and goes under a store. Its lines, beside those of store_script.h:
//
//   space BYTES   so many bytes are free from now on
//   room          there is plenty; writes must succeed again soon, without a reopen
//   kill          the process ends, and another opens what is left, with as much free space as there was
//
// The threads of the store take turns, and the clock runs only where somebody sleeps: the same schedule makes the same
// calls.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "env/crash_env.h"
#include "torture/campaigns.h"
#include "torture/crash_store.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"

namespace varve::torture {
namespace {

constexpr uint64_t kPlenty = uint64_t{256} << 20;
constexpr int kAttempts = 200;  // with room a command succeeds within so many

class DiskFullRun {
 public:
  DiskFullRun(uint64_t seed, Counts* counts) : store_(seed), counts_(counts) {}

  uint64_t digest() const { return store_.digest(); }

  Status Run(const Schedule& schedule) {
    store_.env()->SetFreeSpace(kPlenty);
    VARVE_RETURN_IF_ERROR(Open());
    for (const std::string& line : schedule) {
      VARVE_RETURN_IF_ERROR(AsBroken(Step(line), line));
    }
    VARVE_RETURN_IF_ERROR(AsBroken(MakeRoom(), "room, in the end"));
    VARVE_RETURN_IF_ERROR(AsBroken(Reopen(), "reopen, in the end"));
    return AsBroken(Compare());
  }

 private:
  // What a key may hold beside what it should: of writes that failed. nullopt: nothing.
  using States = std::set<std::optional<std::string>>;

  Status Step(const std::string& line) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<Command> command, ParseCommand(line));
    counts_->Add("operations");
    if (command) return Run(*command);
    const std::vector<std::string> words = WordsOf(line);
    if (line == "room") return MakeRoom();
    if (line == "kill") return Kill();
    if (words[0] != "space" || words.size() != 2 || !NumberOf(words[1])) return NotUnderstood(line);
    free_ = *NumberOf(words[1]);
    store_.env()->SetFreeSpace(free_);
    counts_->Add("full disks");
    return Status::Ok();
  }

  Status Run(const Command& command) {
    if (command.kind == Command::Kind::kReopen) return Reopen();
    if (!command.changes_contents()) return Maintain(command);
    const Status status = Execute(command, store_.db());
    if (status.ok()) {
      if (command.kind == Command::Kind::kCompareAndSet && !Matches(command, contents_)) {
        const std::string& key = command.changes[0].key;
        if (!maybe_.contains(key)) return Status::Corruption("compared equal what is not");
        // It found what a write without space has left.
        contents_.erase(key);
        if (command.expected) contents_[key] = *command.expected;
      }
      for (const Change& change : command.changes) Settle(change);
      Apply(command, &contents_);
      return Status::Ok();
    }
    if (status.code() == StatusCode::kConflict && command.kind == Command::Kind::kCompareAndSet) {
      if (!Matches(command, contents_) || maybe_.contains(command.changes[0].key)) return Status::Ok();
    }
    if (free_ == kPlenty || !IsNoSpace(status)) return Status::Corruption("failed: " + status.ToString());
    counts_->Add("writes without space");
    Contents after = contents_;
    Apply(command, &after);
    for (const auto& [key, value] : contents_) {
      if (!after.contains(key)) maybe_[key].insert(std::nullopt);
    }
    for (const auto& [key, value] : after) {
      const auto before = contents_.find(key);
      if (before == contents_.end() || before->second != value) maybe_[key].insert(value);
    }
    return Compare();
  }
  Status Maintain(const Command& command) {
    Status status;
    // It may meet what failed while there was no room, and will be tried again.
    const bool succeeds = Soon([&] { return status = Execute(command, store_.db()); });
    if (succeeds || (free_ < kPlenty && IsNoSpace(status))) return Compare();
    return Status::Corruption(status.ToString());
  }
  // Tries again a number of times where there is room and it is for lack of room that `act` fails. Each attempt gives
  // the threads of the store their turns.
  bool Soon(const std::function<Status()>& act) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const Status status = act();
      if (status.ok()) return true;
      if (free_ < kPlenty || !IsNoSpace(status)) return false;
      store_.env()->clock()->SleepNanos(1'000'000);
    }
    return false;
  }

  // What was written to these keys before does not matter any more.
  void Settle(const Change& change) {
    if (change.kind != Change::Kind::kRange) {
      maybe_.erase(change.key);
    } else if (change.key < change.value) {
      maybe_.erase(maybe_.lower_bound(change.key), maybe_.lower_bound(change.value));
    }
  }

  Status Compare() {
    counts_->Add("whole states compared");
    VARVE_ASSIGN_OR_RETURN(const Contents found, ReadContents(store_.db()));
    Contents expected = contents_;
    for (const auto& [key, states] : maybe_) {
      const auto at = found.find(key);
      const std::optional<std::string> state = at == found.end() ? std::nullopt : std::optional(at->second);
      if (!states.contains(state)) continue;
      if (state) {
        expected[key] = *state;
      } else {
        expected.erase(key);
      }
    }
    if (found != expected) return Status::Corruption(Difference(expected, found));
    return Status::Ok();
  }

  Status MakeRoom() {
    free_ = kPlenty;
    store_.env()->SetFreeSpace(free_);
    Status status;
    if (!Soon([&] { return status = store_.db()->Put("room", ""); })) {
      return Status::Corruption("there is room again, and a write still fails: " + status.ToString());
    }
    contents_["room"] = "";
    maybe_.erase("room");
    counts_->Add("ways back");
    return Compare();
  }

  Status Kill() {
    store_.MoveTo(store_.env()->CloneAfterProcessCrash());
    store_.env()->SetFreeSpace(free_);
    counts_->Add("kills");
    return OpenAndSettle();
  }
  Status Reopen() {
    store_.Close();
    return OpenAndSettle();
  }
  // What is found then is what it is.
  Status OpenAndSettle() {
    VARVE_RETURN_IF_ERROR(Open());
    VARVE_RETURN_IF_ERROR(Compare());
    VARVE_ASSIGN_OR_RETURN(contents_, ReadContents(store_.db()));
    maybe_.clear();
    return Status::Ok();
  }
  Status Open() {
    if (const Status status = store_.Open(); !status.ok()) return Status::Corruption("open: " + status.ToString());
    counts_->Add("openings");
    return Status::Ok();
  }

  CrashStore store_;
  Counts* const counts_;
  uint64_t free_ = kPlenty;
  Contents contents_;
  std::map<std::string, States> maybe_;
};

class DiskFullTrials final : public Trials {
 public:
  DiskFullTrials()
      : Trials("disk-full", "a full disk loses nothing, reads go on, and with room again writing does", 1) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    ScriptWriter writer(seed, {.lines = 0, .keys = 60, .largest_value = 3000});
    Random& random = *writer.random();
    Schedule schedule;
    while (schedule.size() < 300) {
      const uint64_t choice = random.Uniform(100);
      if (choice < 4) {
        schedule.push_back("space " + std::to_string(random.OneIn(3) ? 0 : random.Uniform(300'000)));
      } else if (choice < 7) {
        schedule.push_back("room");
      } else if (choice < 9) {
        schedule.push_back("kill");
      } else {
        schedule.push_back(writer.Next());
      }
    }
    return schedule;
  }
  std::string World(uint64_t seed) const override { return RandomStoreConfig(seed).ToString(); }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    DiskFullRun run(seed, counts);
    Status status = run.Run(schedule);
    return {std::move(status), {}, run.digest()};
  }
};

}  // namespace

std::unique_ptr<Campaign> DiskFullCampaign() { return std::make_unique<DiskFullTrials>(); }

}  // namespace varve::torture
