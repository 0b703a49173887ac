// The campaign `ttl`: deadlines under a simulated clock that also jumps. Its lines:
//
//   put KEY VALUE [MILLIS]   with a time to live, or none
//   expire KEY MILLIS        persist KEY        delete KEY        range BEGIN END
//   cas KEY VALUE MILLIS     expects what is there
//   batch CHANGE...          CHANGE: put KEY VALUE MILLIS, at KEY VALUE MILLIS (the moment), stay KEY VALUE, delete KEY
//   advance MILLIS           jump MILLIS        back MILLIS     (of the wall clock; a store's time never goes back)
//   flush, compact, wait, snapshot, release, reopen
//
// After each line the store is compared with what a map with deadlines says: keys, values and deadlines. Stores of
// even seeds tidy up when the clock says that nothing was written for a while. The threads of the store take turns: the
// same schedule makes the same calls.
#include <algorithm>
#include <chrono>
#include <map>
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

constexpr char kClockKey[] = "zz clock";

struct Dated {
  std::string value;
  uint64_t deadline = 0;  // 0: none
};
using DatedContents = std::map<std::string, Dated>;

StoreConfig ConfigOf(uint64_t seed) {
  StoreConfig config = CalmStoreConfig(seed);
  if (seed % 2 == 0) config.tuning.idle_millis = RandomStoreConfig(seed).tuning.idle_millis;
  return config;
}

class TtlRun {
 public:
  TtlRun(uint64_t seed, Counts* counts)
      : opener_(TurnsOpenerFor(ConfigOf(seed))), seed_(seed), env_(seed, SimClock::Mode::kManual), counts_(counts) {
    env_.SetCallHook([this](const CallInfo& call) { digest_.Add(call); });
    now_ = env_.sim_clock()->WallMillis();
  }
  ~TtlRun() { held_.clear(); }

  uint64_t digest() const { return digest_.value(); }

  Status Run(const Schedule& schedule) {
    VARVE_RETURN_IF_ERROR(Open());
    for (const std::string& line : schedule) {
      Status status = Step(WordsOf(line), line);
      if (status.ok()) status = CompareAll();
      VARVE_RETURN_IF_ERROR(AsBroken(status, line));
      turns_->Yield();
    }
    return Status::Ok();
  }

 private:
  struct Held {
    std::unique_ptr<Snapshot> snapshot;
    DatedContents contents;
  };

  bool IsAlive(const Dated& dated) const { return dated.deadline == 0 || dated.deadline > now_; }

  Status Step(const std::vector<std::string>& words, const std::string& line) {
    const std::string& verb = words[0];
    const std::string key = words.size() > 1 ? words[1] : "";
    const std::optional<uint64_t> number = words.size() > 1 ? NumberOf(words.back()) : std::nullopt;
    if (verb == "put" && (words.size() == 3 || (words.size() == 4 && number))) return Put(words, number);
    if (verb == "delete" && words.size() == 2) {
      contents_.erase(key);
      return db_->Delete(key);
    }
    if (verb == "range" && words.size() == 3) return DeleteRange(key, words[2]);
    if (verb == "cas" && words.size() == 4 && number) return CompareAndSet(words, *number);
    if (verb == "batch") return Batch(words, line);
    if (verb == "expire" && words.size() == 3 && number) return Expire(key, *number);
    if (verb == "persist" && words.size() == 2) return Persist(key);
    if (verb == "advance" && words.size() == 2 && number) {
      env_.sim_clock()->Advance(*number * 1'000'000);
      now_ += *number;
      counts_->Add("simulated milliseconds", *number);
      return Status::Ok();
    }
    if ((verb == "jump" || verb == "back") && words.size() == 2 && number) return Jump(*number, verb == "jump");
    if (line == "snapshot") {
      held_.push_back({db_->GetSnapshot(), contents_});
      return Status::Ok();
    }
    if (line == "release") {
      if (!held_.empty()) held_.erase(held_.begin());
      return Status::Ok();
    }
    if (line == "reopen") return Reopen();
    VARVE_ASSIGN_OR_RETURN(const std::optional<Command> command, ParseCommand(line));
    if (!command || command->changes_contents()) return NotUnderstood(line);
    return Execute(*command, db_.get());
  }

  void Set(const std::string& key, std::string value, uint64_t millis) {
    if (millis == 0) {
      contents_.erase(key);
    } else {
      contents_[key] = {std::move(value), now_ + millis};
    }
  }

  Status Put(const std::vector<std::string>& words, std::optional<uint64_t> millis) {
    const std::optional<std::string> value = ValueOf(words[2]);
    if (!value) return NotUnderstood(words[2]);
    counts_->Add("puts");
    if (words.size() == 3) {
      contents_[words[1]] = {*value, 0};
      return db_->Put(words[1], *value);
    }
    Set(words[1], *value, *millis);
    return db_->Put(words[1], *value, {.ttl = std::chrono::milliseconds(*millis)});
  }
  Status DeleteRange(const std::string& begin, const std::string& end) {
    if (begin < end) contents_.erase(contents_.lower_bound(begin), contents_.lower_bound(end));
    return db_->DeleteRange(begin, end);
  }
  Status CompareAndSet(const std::vector<std::string>& words, uint64_t millis) {
    const std::optional<std::string> value = ValueOf(words[2]);
    if (!value) return NotUnderstood(words[2]);
    const auto at = contents_.find(words[1]);
    std::optional<std::string> expected;
    if (at != contents_.end() && IsAlive(at->second)) expected = at->second.value;
    Set(words[1], *value, millis);
    return db_->CompareAndSet(words[1], expected, *value, {.ttl = std::chrono::milliseconds(millis)});
  }
  Status Batch(const std::vector<std::string>& words, const std::string& line) {
    WriteBatch batch;
    for (size_t i = 1; i < words.size();) {
      const std::string& verb = words[i];
      const size_t length = verb == "delete" ? 2 : verb == "stay" ? 3 : 4;
      if (i + length > words.size()) return NotUnderstood(line);
      const std::string& key = words[i + 1];
      const std::optional<std::string> value = length > 2 ? ValueOf(words[i + 2]) : std::string();
      const std::optional<uint64_t> millis = length > 3 ? NumberOf(words[i + 3]) : 0;
      if (!value || !millis) return NotUnderstood(line);
      if (verb == "delete") {
        contents_.erase(key);
        batch.Delete(key);
      } else if (verb == "stay") {
        contents_[key] = {*value, 0};
        batch.Put(key, *value);
      } else if (verb == "put") {
        Set(key, *value, *millis);
        batch.Put(key, *value, std::chrono::milliseconds(*millis));
      } else if (verb == "at") {
        Set(key, *value, *millis);
        const auto moment = std::chrono::milliseconds(now_ + *millis);
        batch.Put(key, *value, std::chrono::system_clock::time_point(moment));
      } else {
        return NotUnderstood(line);
      }
      i += length;
    }
    counts_->Add("batches");
    return db_->Write(batch);
  }
  Status Expire(const std::string& key, uint64_t millis) {
    const Status status = db_->Expire(key, std::chrono::milliseconds(millis));
    const auto at = contents_.find(key);
    const bool is_there = at != contents_.end() && IsAlive(at->second);
    counts_->Add("deadlines set");
    if (status.ok() != is_there) return Status::Corruption("the key is there or not: " + status.ToString());
    if (is_there) Set(key, at->second.value, millis);
    return Status::Ok();
  }
  Status Persist(const std::string& key) {
    const Status status = db_->Persist(key);
    const auto at = contents_.find(key);
    const bool is_there = at != contents_.end() && IsAlive(at->second);
    if (status.ok() != is_there) return Status::Corruption("the key is there or not: " + status.ToString());
    if (is_there) at->second.deadline = 0;
    return Status::Ok();
  }
  // The store looks at its clock before and after.
  Status Jump(uint64_t millis, bool forwards) {
    VARVE_RETURN_IF_ERROR(db_->TimeToLive(kClockKey).status());
    const uint64_t wall = env_.sim_clock()->WallMillis();
    const uint64_t to = forwards ? wall + millis : wall - std::min(wall, millis);
    env_.sim_clock()->SetWallMillis(to);
    VARVE_RETURN_IF_ERROR(db_->TimeToLive(kClockKey).status());
    now_ = std::max(now_, to);
    counts_->Add("jumps of the clock");
    return Status::Ok();
  }

  Status Reopen() {
    held_.clear();
    db_.reset();
    // Another process begins with the wall clock as it is: set right by then.
    env_.sim_clock()->SetWallMillis(now_);
    return Open();
  }
  Status Open() {
    turns_ = std::make_unique<TurnTaking>(seed_);
    Result<std::unique_ptr<Db>> db = opener_(turns_.get())(kStoreDir, &env_);
    if (!db.ok()) return Status::Corruption("open: " + db.status().ToString());
    db_ = *std::move(db);
    counts_->Add("openings");
    return AsBroken(db_->Put(kClockKey, "", {.ttl = std::chrono::hours(1'000'000)}));
  }

  Status CompareAll() {
    VARVE_RETURN_IF_ERROR(Compare(contents_, nullptr));
    for (const Held& held : held_) VARVE_RETURN_IF_ERROR(Compare(held.contents, held.snapshot.get()));
    return Status::Ok();
  }
  Status Compare(const DatedContents& contents, const Snapshot* snapshot) {
    Contents expected;
    for (const auto& [key, dated] : contents) {
      if (IsAlive(dated)) expected[key] = dated.value + " until " + std::to_string(dated.deadline);
    }
    Contents found;
    IteratorOptions options;
    options.snapshot = snapshot;
    options.upper_bound = "z";
    const auto it = db_->NewIterator(options);
    const bool forwards = ++scans_ % 2 == 0;
    for (forwards ? it->SeekToFirst() : it->SeekToLast(); it->Valid(); forwards ? it->Next() : it->Prev()) {
      const std::string value(it->value());
      found[std::string(it->key())] = value + " until " + std::to_string(it->expire_at_millis());
    }
    VARVE_RETURN_IF_ERROR(it->status());
    counts_->Add("whole states compared");
    if (found != expected) return Status::Corruption("scan: " + Difference(expected, found));
    for (const auto& [key, dated] : contents) {
      const Result<std::string> got = db_->Get(key, {.snapshot = snapshot});
      if (got.ok() != IsAlive(dated) || (got.ok() && *got != dated.value)) {
        return Status::Corruption("get " + key + " does not agree with its deadline");
      }
      const auto many = db_->MultiGet({key}, {.snapshot = snapshot});
      if (many[0].ok() != got.ok() || (got.ok() && *many[0] != *got)) {
        return Status::Corruption("a get of many keys does not agree on " + key);
      }
    }
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
  DatedContents contents_;
  uint64_t now_ = 0;  // the store's, in milliseconds
  uint64_t scans_ = 0;
};

class TtlTrials final : public Trials {
 public:
  TtlTrials() : Trials("ttl", "nothing is readable after its deadline, and everything before", 1) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    ScriptWriter writer(seed, {.lines = 0, .keys = 25});
    Schedule schedule;
    while (schedule.size() < 250) schedule.push_back(RandomLine(&writer));
    return schedule;
  }
  static std::string RandomLine(ScriptWriter* writer) {
    Random& random = *writer->random();
    const uint64_t choice = random.Uniform(100);
    const std::string millis = std::to_string(random.OneIn(20) ? 0 : random.Uniform(400));
    if (choice < 25) return "put " + writer->Key() + " " + writer->Value() + " " + millis;
    if (choice < 30) return "put " + writer->Key() + " " + writer->Value();
    if (choice < 31) return "range k1003 k1007";
    if (choice < 33) return "cas " + writer->Key() + " " + writer->Value() + " " + millis;
    if (choice < 38) return RandomBatch(writer);
    if (choice < 45) return "expire " + writer->Key() + " " + millis;
    if (choice < 50) return "persist " + writer->Key();
    if (choice < 54) return "delete " + writer->Key();
    if (choice < 74) return "advance " + std::to_string(random.Uniform(100));
    if (choice < 80) return std::string(random.OneIn(2) ? "jump " : "back ") + std::to_string(random.Uniform(300));
    if (choice < 88) return "flush";
    if (choice < 91) return "compact";
    if (choice < 92) return "wait";
    if (choice < 95) return "snapshot";
    return choice < 98 ? "release" : "reopen";
  }
  static std::string RandomBatch(ScriptWriter* writer) {
    Random& random = *writer->random();
    std::string line = "batch";
    const uint64_t changes = 1 + random.Uniform(5);
    for (uint64_t i = 0; i < changes; ++i) {
      const std::string millis = " " + std::to_string(random.OneIn(20) ? 0 : random.Uniform(400));
      switch (random.Uniform(4)) {
        case 0: line += " delete " + writer->Key(); break;
        case 1: line += " stay " + writer->Key() + " " + writer->Value(); break;
        case 2: line += " put " + writer->Key() + " " + writer->Value() + millis; break;
        default: line += " at " + writer->Key() + " " + writer->Value() + millis;
      }
    }
    return line;
  }
  std::string World(uint64_t seed) const override { return ConfigOf(seed).ToString(); }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    TtlRun run(seed, counts);
    Status status = run.Run(schedule);
    return {std::move(status), {}, run.digest()};
  }
};

}  // namespace

std::unique_ptr<Campaign> TtlCampaign() { return std::make_unique<TtlTrials>(); }

}  // namespace varve::torture
