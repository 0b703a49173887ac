// The campaign `engine`: a store against a std::map, whatever is done to both, with options by chance.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "env/crash_env.h"
#include "torture/call_digest.h"
#include "torture/campaigns.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"
#include "torture/turn_taking.h"

namespace varve::torture {
namespace {

Status Broken(const std::string& what) { return Status::Corruption(what); }

// Reads beside the commands of store_script.h:
//   get KEY, many KEY..., scan BEGIN END, back BEGIN END, all
//   snapshot, old (compares the oldest snapshot), release (that one)
//
// The threads of the store take turns, also after each line, and a line takes a millisecond: the same schedule makes
// the same calls.
class EngineRun {
 public:
  EngineRun(uint64_t seed, Counts* counts)
      : opener_(TurnsOpenerFor(RandomStoreConfig(seed))), seed_(seed), env_(seed, SimClock::Mode::kManual), counts_(counts) {
    env_.SetCallHook([this](const CallInfo& call) { digest_.Add(call); });
  }
  ~EngineRun() { held_.clear(); }

  uint64_t digest() const { return digest_.value(); }

  Status Run(const Schedule& schedule) {
    VARVE_RETURN_IF_ERROR(Reopen());
    for (const std::string& line : schedule) {
      VARVE_RETURN_IF_ERROR(AsBroken(Step(line), line));
      env_.sim_clock()->Advance(1'000'000);
      turns_->Yield();
      counts_->Add("operations");
    }
    VARVE_RETURN_IF_ERROR(AsBroken(CompareAll()));
    VARVE_RETURN_IF_ERROR(Reopen());
    return AsBroken(CompareAll());
  }

 private:
  struct Held {
    std::unique_ptr<Snapshot> snapshot;
    Contents contents;
  };

  Status Step(const std::string& line) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<Command> command, ParseCommand(line));
    return command ? Run(*command) : Read(line);
  }

  Status Run(const Command& command) {
    if (command.kind == Command::Kind::kReopen) {
      VARVE_RETURN_IF_ERROR(Reopen());
      return CompareAll();
    }
    const Status status = Execute(command, db_.get());
    const bool must_conflict =
        command.kind == Command::Kind::kCompareAndSet && !Matches(command, contents_);
    if (must_conflict && status.ok()) return Broken("compared equal what is not");
    if (!status.ok() && !(must_conflict && status.code() == StatusCode::kConflict)) {
      return Broken("failed: " + status.ToString());
    }
    Apply(command, &contents_);
    for (const Change& change : command.changes) VARVE_RETURN_IF_ERROR(Get(change.key));
    if (command.changes_contents()) return Status::Ok();
    counts_->Add("flushes, merges, syncs");
    return CompareAll();
  }

  Status Read(const std::string& line) {
    const std::vector<std::string> words = WordsOf(line);
    if (words[0] == "get" && words.size() == 2) return Get(words[1]);
    if (words[0] == "many" && words.size() > 1) return GetMany({words.begin() + 1, words.end()});
    if ((words[0] == "scan" || words[0] == "back") && words.size() == 3) {
      return Scan(words[1], words[2], words[0] == "scan");
    }
    if (line == "all") return CompareAll();
    if (line == "snapshot") {
      held_.push_back({db_->GetSnapshot(), contents_});
      return Status::Ok();
    }
    if (line == "old") return held_.empty() ? Status::Ok() : Compare(held_[0].contents, held_[0].snapshot.get());
    if (line == "release") {
      if (!held_.empty()) held_.erase(held_.begin());
      return Status::Ok();
    }
    return NotUnderstood(line);
  }

  Status Get(const std::string& key) { return Judge(key, db_->Get(key)); }
  Status GetMany(const std::vector<std::string>& keys) {
    const auto results = db_->MultiGet({keys.begin(), keys.end()});
    if (results.size() != keys.size()) return Broken("a multi-get answered with another number of results");
    for (size_t i = 0; i < keys.size(); ++i) VARVE_RETURN_IF_ERROR(Judge(keys[i], results[i]));
    return Status::Ok();
  }
  Status Judge(const std::string& key, const Result<std::string>& got) {
    counts_->Add("reads checked");
    const auto it = contents_.find(key);
    if (!got.ok() && !got.status().IsNotFound()) return Broken("get " + key + ": " + got.status().ToString());
    if (got.ok() == (it != contents_.end()) && (!got.ok() || *got == it->second)) return Status::Ok();
    Contents expected;
    Contents found;
    if (it != contents_.end()) expected.insert(*it);
    if (got.ok()) found[key] = *got;
    return Broken("get " + Difference(expected, found));
  }

  Status Scan(const std::string& begin, const std::string& end, bool forwards) {
    IteratorOptions options;
    options.lower_bound = begin;
    options.upper_bound = end;
    Contents found;
    std::string last;
    const auto it = db_->NewIterator(options);
    for (forwards ? it->SeekToFirst() : it->SeekToLast(); it->Valid(); forwards ? it->Next() : it->Prev()) {
      const std::string key(it->key());
      if (!found.empty() && (key > last) != forwards) return Broken("a scan comes to " + key + " after " + last);
      found[key] = it->value();
      last = key;
    }
    VARVE_RETURN_IF_ERROR(it->status());
    counts_->Add("scans checked");
    if (begin >= end) return found.empty() ? Status::Ok() : Broken("an empty range has keys");
    const Contents expected(contents_.lower_bound(begin), contents_.lower_bound(end));
    return found == expected ? Status::Ok() : Broken("scan: " + Difference(expected, found));
  }

  Status CompareAll() {
    VARVE_RETURN_IF_ERROR(Compare(contents_, nullptr));
    for (const Held& held : held_) VARVE_RETURN_IF_ERROR(Compare(held.contents, held.snapshot.get()));
    return Status::Ok();
  }
  Status Compare(const Contents& expected, const Snapshot* snapshot) {
    const Result<Contents> found = ReadContents(db_.get(), snapshot);
    if (!found.ok()) return Broken(found.status().ToString());
    counts_->Add("whole states compared");
    return *found == expected ? Status::Ok()
                              : Broken((snapshot == nullptr ? "" : "snapshot: ") + Difference(expected, *found));
  }

  Status Reopen() {
    held_.clear();
    db_.reset();
    turns_ = std::make_unique<TurnTaking>(seed_);
    Result<std::unique_ptr<Db>> db = opener_(turns_.get())(kStoreDir, &env_);
    if (!db.ok()) return Broken("open: " + db.status().ToString());
    db_ = *std::move(db);
    counts_->Add("openings");
    return Status::Ok();
  }

  const TurnsOpener opener_;
  const uint64_t seed_;
  CallDigest digest_;
  CrashEnv env_;
  Counts* const counts_;
  std::unique_ptr<TurnTaking> turns_;
  std::unique_ptr<Db> db_;
  std::vector<Held> held_;
  Contents contents_;
};

class EngineTrials final : public Trials {
 public:
  EngineTrials() : Trials("engine", "a store is a map with snapshots, under any options and over any reopening", 1) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    ScriptWriter writer(seed, {.lines = 0, .keys = 20 + seed % 5 * 40, .with_none = true});
    Random& random = *writer.random();
    const uint64_t reads = 100 + random.Uniform(500);
    Schedule schedule;
    while (schedule.size() < 400) {
      schedule.push_back(random.Uniform(1000) < reads ? RandomRead(&writer) : writer.Next());
    }
    return schedule;
  }
  static std::string RandomRead(ScriptWriter* writer) {
    switch (writer->random()->Uniform(12)) {
      case 0: return "snapshot";
      case 1: return "release";
      case 2: return "old";
      case 3: return "all";
      case 4: return "many " + writer->Key() + " " + writer->Key() + " " + writer->Key();
      case 5: return "scan " + writer->Key() + " " + writer->Key();
      case 6: return "back " + writer->Key() + " " + writer->Key();
      default: return "get " + writer->Key();
    }
  }
  std::string World(uint64_t seed) const override { return RandomStoreConfig(seed).ToString(); }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    EngineRun run(seed, counts);
    Status status = run.Run(schedule);
    return {std::move(status), {}, run.digest()};
  }
};

}  // namespace

std::unique_ptr<Campaign> EngineCampaign() { return std::make_unique<EngineTrials>(); }

}  // namespace varve::torture
