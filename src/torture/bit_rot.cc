// The campaign `bit-rot`: bytes of a closed store change. What it then reads is right, or an error.
//
// Lines of damage, each done to a copy of its own:
//   flip AT MASK    the byte AT, of all bytes of all files one after another (AT modulo their number), xor MASK
//   zero AT BYTES   so many bytes of that file become zeros
//   cut AT          that file ends there
//
// The threads of the store take turns, and no clock runs: the same schedule makes the same calls.
#include <algorithm>
#include <memory>
#include <optional>
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

struct Damage {
  enum class Kind : uint8_t { kFlip, kZero, kCut } kind;
  uint64_t at = 0;
  uint64_t amount = 0;
  std::string line;
};

std::optional<Damage> DamageOf(const std::string& line) {
  const std::vector<std::string> words = WordsOf(line);
  const auto number = [&words](size_t i) { return NumberOf(words[i]).value_or(0); };
  if (words[0] == "flip" && words.size() == 3) {
    return Damage{Damage::Kind::kFlip, number(1), number(2) % 255 + 1, line};
  }
  if (words[0] == "zero" && words.size() == 3) return Damage{Damage::Kind::kZero, number(1), number(2) % 65536, line};
  if (words[0] == "cut" && words.size() == 2) return Damage{Damage::Kind::kCut, number(1), 0, line};
  return std::nullopt;
}

// The lock, and the event log, which is text for people.
bool HoldsNoData(const std::string& path) { return path.ends_with("/LOCK") || path.ends_with("/EVENTS"); }

class BitRotRun {
 public:
  BitRotRun(uint64_t seed, Counts* counts)
      : opener_(TurnsOpenerFor(CalmStoreConfig(seed))), seed_(seed), env_(seed, SimClock::Mode::kManual), counts_(counts) {
    env_.SetCallHook([this](const CallInfo& call) { digest_.Add(call); });
  }

  Status Build(const std::vector<Command>& commands) {
    TurnTaking turns(seed_);
    const StoreOpener open = opener_(&turns);
    Result<std::unique_ptr<Db>> db = open(kStoreDir, &env_);
    for (const Command& command : commands) {
      if (!db.ok()) return Status::Corruption("open: " + db.status().ToString());
      if (command.kind == Command::Kind::kReopen) {
        db->reset();
        db = open(kStoreDir, &env_);
        continue;
      }
      const Status status = Execute(command, db->get());
      if (!status.ok() && status.code() != StatusCode::kConflict) {
        return Status::Corruption("without any damage: " + status.ToString());
      }
      Apply(command, &contents_);
      VARVE_RETURN_IF_ERROR(AsBroken((*db)->WaitForBackgroundWork()));
    }
    if (!db.ok()) return Status::Corruption("open: " + db.status().ToString());
    VARVE_RETURN_IF_ERROR(AsBroken((*db)->WaitForBackgroundWork()));
    VARVE_RETURN_IF_ERROR(AsBroken((*db)->Sync()));
    db->reset();
    for (const std::string& path : env_.FileNames()) {
      if (HoldsNoData(path)) continue;
      VARVE_ASSIGN_OR_RETURN(std::string bytes, env_.ReadFileForTest(path));
      total_ += bytes.size();
      files_.emplace_back(path, std::move(bytes));
    }
    log_ = LogOf(&env_);
    return Status::Ok();
  }

  uint64_t digest() const { return digest_.value(); }

  Status Try(const Damage& damage) {
    const std::unique_ptr<CrashEnv> env = env_.CloneAfterProcessCrash();
    env->SetCallHook([this](const CallInfo& call) { digest_.Add(call); });
    uint64_t at = total_ == 0 ? 0 : damage.at % total_;
    for (const auto& [path, bytes] : files_) {
      if (at >= bytes.size()) {
        at -= bytes.size();
        continue;
      }
      VARVE_RETURN_IF_ERROR(Do(damage, path, bytes, at, env.get()));
      // A change after which the log says the same belongs to no record: space kept ready, or an earlier use. Recovery
      // reads it by other ways, and must come to the same.
      if (path.ends_with(".wal") && LogOf(env.get()) == log_) counts_->Add("changes of unused bytes");
      const Status status = Examine(env.get());
      return status.ok() ? status
                         : Status::Corruption("\"" + damage.line + "\", " + path + " at " + std::to_string(at) + " of " +
                                              std::to_string(bytes.size()) + ": " + std::string(status.message()));
    }
    return Status::Ok();
  }

 private:
  Status Do(const Damage& damage, const std::string& path, const std::string& bytes, uint64_t at, CrashEnv* env) {
    switch (damage.kind) {
      case Damage::Kind::kFlip:
        counts_->Add("flipped bytes");
        return env->CorruptByte(path, at, static_cast<uint8_t>(damage.amount));
      case Damage::Kind::kZero:
        counts_->Add("zeroed ranges");
        return env->WriteFileForTest(path, at, std::string(std::min<uint64_t>(damage.amount, bytes.size() - at), '\0'));
      case Damage::Kind::kCut: {
        counts_->Add("cut files");
        // A tail of zeros is space kept ready.
        if (bytes.find_first_not_of('\0', at) == std::string::npos) return Status::Ok();
        return env->WriteFileForTest(path, std::string_view(bytes).substr(0, at));
      }
    }
    return Status::Ok();
  }

  static std::string LogOf(CrashEnv* env) {
    std::string text;
    Options options;
    options.env = env;
    const Status status = ReadWal(kStoreDir, options, [&](const WalChange& change) {
      text += std::to_string(change.sequence) + " " + std::string(change.kind) + "\t" + std::string(change.key) + "\t" +
              std::string(change.value) + "\n";
    });
    return text + status.ToString();
  }

  // Every way to read. Wrong bytes are broken, and so is a loss that nothing tells of.
  Status Examine(CrashEnv* env) {
    TurnTaking turns(seed_);
    const Result<std::unique_ptr<Db>> db = opener_(&turns)(kStoreDir, env);
    if (!db.ok()) return Noticed("by opening");
    std::string missing;
    bool is_told = false;
    for (const auto& [key, value] : contents_) {
      const Result<std::string> got = (*db)->Get(key);
      if (got.ok() && *got != value) return Status::Corruption("get " + key + ": wrong bytes");
      if (got.status().IsNotFound()) missing = key;
      is_told |= !got.ok() && !got.status().IsNotFound();
    }
    VARVE_RETURN_IF_ERROR(ExamineScan(db->get(), &missing, &is_told));
    if (is_told) return Noticed("by reading");
    const Result<VerifyReport> report = (*db)->Verify();
    if (!report.ok() || !report->problems.empty()) return Noticed("by verify");
    if (!missing.empty()) return Status::Corruption(missing + " is gone, and nothing says so");
    counts_->Add("harmless");
    return Status::Ok();
  }
  Status ExamineScan(Db* db, std::string* missing, bool* is_told) {
    size_t right = 0;
    const auto it = db->NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const std::string key(it->key());
      const std::string value(it->value());
      if (!it->status().ok()) break;
      const auto expected = contents_.find(key);
      if (expected == contents_.end()) return Status::Corruption("scan: " + key + " has come from nowhere");
      if (expected->second != value) return Status::Corruption("scan: wrong bytes at " + key);
      ++right;
    }
    *is_told |= !it->status().ok();
    if (it->status().ok() && right != contents_.size() && missing->empty()) *missing = "of a scan, a key";
    return Status::Ok();
  }
  Status Noticed(std::string_view how) {
    counts_->Add("noticed " + std::string(how));
    return Status::Ok();
  }

  const TurnsOpener opener_;
  const uint64_t seed_;
  CallDigest digest_;
  CrashEnv env_;
  Counts* const counts_;
  Contents contents_;
  std::vector<std::pair<std::string, std::string>> files_;
  uint64_t total_ = 0;
  std::string log_;
};

class BitRotTrials final : public Trials {
 public:
  BitRotTrials() : Trials("bit-rot", "of damaged files nothing wrong is read, and nothing is lost in silence", 1) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    ScriptWriter writer(seed, {.lines = 0, .keys = 20 + seed % 3 * 30});
    Random& random = *writer.random();
    Schedule schedule;
    while (schedule.size() < 60) schedule.push_back(writer.Next());
    while (schedule.size() < 360) {
      const std::string at = std::to_string(random.Uniform(uint64_t{1} << 40));
      switch (random.Uniform(12)) {
        case 0: schedule.push_back("zero " + at + " " + std::to_string(1 + random.Uniform(4096))); break;
        case 1: schedule.push_back("cut " + at); break;
        default: schedule.push_back("flip " + at + " " + std::to_string(random.Uniform(255)));
      }
    }
    return schedule;
  }
  std::string World(uint64_t seed) const override { return CalmStoreConfig(seed).ToString(); }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    std::vector<Damage> damages;
    Schedule lines;
    for (const std::string& line : schedule) {
      if (std::optional<Damage> damage = DamageOf(line)) {
        damages.push_back(*std::move(damage));
      } else {
        lines.push_back(line);
      }
    }
    Result<std::vector<Command>> commands = ParseCommands(lines);
    if (!commands.ok()) return {commands.status(), {}};
    BitRotRun run(seed, counts);
    Status status = run.Build(*commands);
    for (size_t i = 0; i < damages.size() && status.ok(); ++i) status = run.Try(damages[i]);
    return {std::move(status), {}, run.digest()};
  }
};

}  // namespace

std::unique_ptr<Campaign> BitRotCampaign() { return std::make_unique<BitRotTrials>(); }

}  // namespace varve::torture
