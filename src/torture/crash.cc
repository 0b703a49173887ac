// The campaign `crash`: a process writes on the disk of the user, and is killed. Its lines:
//
//   kill MICROS   a writer starts, and is killed after so long: while it opens, recovers or writes
//   grow COUNT    a writer starts, and is killed when its first thread has COUNT more commands acknowledged
//
// Two threads of the writer have keys of their own. What each does is a list that follows from the seed, and it notes
// in shared memory, outside of the store, how far it is. After each kill this process opens the store and compares:
// of each thread there must be all that was acknowledged, and of the command under way all or nothing.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "torture/campaigns.h"
#include "torture/crash_writer.h"
#include "torture/directories.h"
#include "torture/now.h"
#include "torture/patience.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"

namespace varve::torture {
namespace {

constexpr uint64_t kMostMicros = 10'000'000;

class CrashRun {
 public:
  CrashRun(Processes* processes, std::string dir, uint64_t seed, Counts* counts)
      : processes_(processes), dir_(std::move(dir)), seed_(seed), counts_(counts) {}

  Status Run(const Schedule& schedule) {
    for (const std::string& line : schedule) {
      const std::vector<std::string> words = WordsOf(line);
      const std::optional<uint64_t> number = words.size() == 2 ? NumberOf(words[1]) : std::nullopt;
      if (!number || (words[0] != "kill" && words[0] != "grow")) return NotUnderstood(line);
      VARVE_RETURN_IF_ERROR(RunWriter(words[0] == "kill", *number));
      // An oracle that cannot be read is the machine's fault.
      VARVE_ASSIGN_OR_RETURN(const WritersProgress progress, ReadProgress(OraclePath()));
      VARVE_RETURN_IF_ERROR(AsBroken(Check(progress), line));
    }
    return Status::Ok();
  }

 private:
  std::string StoreDir() const { return JoinPath(dir_, "store"); }
  std::string OraclePath() const { return JoinPath(dir_, "oracle"); }
  std::string LogPath() const { return JoinPath(dir_, "log"); }

  Status RunWriter(bool by_time, uint64_t number) {
    ++round_;
    VARVE_RETURN_IF_ERROR(WriteProgress(OraclePath(), done_));
    const uint64_t options = seed_ * 1000 + round_;
    VARVE_RETURN_IF_ERROR(processes_->Start({std::string(kWriterVerb), StoreDir(), OraclePath(), std::to_string(seed_),
                                             std::to_string(options)},
                                            LogPath()));
    Clock* const clock = Env::Default()->clock();
    if (by_time) {
      clock->SleepNanos(std::min(number, kMostMicros) * 1000);
    } else {
      for (Patience patience(clock);;) {
        VARVE_ASSIGN_OR_RETURN(const WritersProgress progress, ReadProgress(OraclePath()));
        if (progress[0].acknowledged >= done_[0].acknowledged + number) break;
        if (!processes_->IsRunning()) break;
        if (!patience.Wait()) return Status::Corruption("a writer has got stuck");
      }
    }
    const bool ran = processes_->IsRunning();
    processes_->Kill();
    counts_->Add("kills");
    // It ends by itself only when something is wrong, and says what.
    if (ran) return Status::Ok();
    const std::string line = LastLineOf(LogPath());
    if (line.starts_with("progress:")) return Status::IoError("a writer cannot note how far it is: " + line);
    return Status::Corruption("a writer ended by itself: " + line);
  }

  Status Check(const WritersProgress& progress) {
    const StoreConfig config = RandomStoreConfig(seed_ * 1000 + round_ + 500);
    const Result<std::unique_ptr<Db>> db = OpenerFor(config)(StoreDir(), Env::Default());
    counts_->Add("openings");
    if (!db.ok()) return Status::Corruption("open: " + db.status().ToString());
    VARVE_ASSIGN_OR_RETURN(const Contents all, ReadContents(db->get()));
    for (size_t writer = 0; writer < kWriters; ++writer) {
      const std::string prefix = WriterPrefix(writer);
      const Contents found(all.lower_bound(prefix), all.lower_bound(prefix + "~"));
      VARVE_RETURN_IF_ERROR(CheckWriter(writer, progress[writer], found));
    }
    return Status::Ok();
  }
  // From now on what is found is what was written.
  Status CheckWriter(size_t writer, const WriterProgress& progress, const Contents& found) {
    Contents& contents = contents_[writer];
    uint64_t at = done_[writer].acknowledged;
    counts_->Add("acknowledged commands checked", progress.acknowledged - at);
    for (; at < progress.acknowledged; ++at) Apply(CommandOf(seed_, writer, at), &contents);
    const Contents acknowledged = contents;
    if (found != contents && progress.started > progress.acknowledged) {
      counts_->Add("found done without an answer");
      Apply(CommandOf(seed_, writer, at++), &contents);
    }
    done_[writer] = {at, at};
    if (found == contents) return Status::Ok();
    return Status::Corruption("thread " + std::to_string(writer) + ", " + std::to_string(progress.acknowledged) +
                              " commands acknowledged, " + std::to_string(progress.started) +
                              " begun: " + Difference(acknowledged, found));
  }

  Processes* const processes_;
  const std::string dir_;
  const uint64_t seed_;
  Counts* const counts_;
  uint64_t round_ = 0;
  WritersProgress done_{};
  std::array<Contents, kWriters> contents_;
};

class CrashTrials final : public Trials {
 public:
  explicit CrashTrials(Processes* processes)
      : Trials("crash", "what was acknowledged survives kill -9, and no command is there in part", 3),
        processes_(processes) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    Random random(seed);
    Schedule schedule;
    while (schedule.size() < 20) {
      if (random.OneIn(2)) {
        schedule.push_back("kill " + std::to_string(random.Uniform(40'000)));
      } else {
        schedule.push_back("grow " + std::to_string(1 + random.Uniform(400)));
      }
    }
    return schedule;
  }
  std::string World(uint64_t seed) const override {
    return "options change with each process; of the first: " + RandomStoreConfig(seed * 1000 + 1).ToString();
  }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    Status status = MakeEmpty(place());
    if (!status.ok()) return {status, {}};
    status = CrashRun(processes_, place(), seed, counts).Run(schedule);
    if (status.ok()) static_cast<void>(RemoveTree(place()));
    return {status, {}};
  }

  Processes* const processes_;
};

}  // namespace

std::unique_ptr<Campaign> CrashCampaign(Processes* processes) { return std::make_unique<CrashTrials>(processes); }

}  // namespace varve::torture
