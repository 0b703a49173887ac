// The campaign `concurrency`: threads on few keys, with flushes and merges behind their backs. What each saw must be
// explained by one order of all that they did. Its lines begin with the number of a thread:
//
//   N get KEY, N put KEY VALUE, N delete KEY, N range KEY, N cas KEY VALUE (expects what N saw last),
//   N batch VALUE KEY..., N many KEY..., N flush, N compact
#include <atomic>
#include <barrier>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "torture/campaigns.h"
#include "torture/directories.h"
#include "torture/history_recorder.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"

namespace varve::torture {
namespace {

constexpr uint64_t kMostThreads = 64;

// The lines of one thread, which runs them one after another.
class ThreadOfLines {
 public:
  ThreadOfLines(Db* db, int number) : db_(db), recorder_(db, number) {}

  // Whether the line makes sense.
  bool Add(const std::vector<std::string>& words) {
    const std::string verb = words.size() > 1 ? words[1] : "";
    const bool is_known = ((verb == "get" || verb == "delete" || verb == "range") && words.size() == 3) ||
                          ((verb == "put" || verb == "cas") && words.size() == 4 && ValueOf(words[3])) ||
                          (verb == "batch" && words.size() > 3 && ValueOf(words[2])) ||
                          (verb == "many" && words.size() > 2) ||
                          ((verb == "flush" || verb == "compact") && words.size() == 2);
    if (is_known) lines_.push_back(words);
    return is_known;
  }
  void Run() {
    for (const std::vector<std::string>& words : lines_) RunLine(words);
  }
  const std::vector<Operation>& operations() const { return recorder_.operations(); }
  const Status& status() const { return status_; }

 private:
  void RunLine(const std::vector<std::string>& words) {
    const std::string& verb = words[1];
    if (verb == "flush" || verb == "compact") {
      const Status status = verb == "flush" ? db_->Flush() : db_->Compact();
      if (!status.ok()) status_ = status;
    } else if (verb == "get") {
      recorder_.Get(words[2]);
    } else if (verb == "put") {
      recorder_.Put(words[2], *ValueOf(words[3]), {});
    } else if (verb == "delete") {
      recorder_.Delete(words[2], {});
    } else if (verb == "range") {
      recorder_.DeleteRange(words[2], {});
    } else if (verb == "cas") {
      recorder_.CompareAndSet(words[2], recorder_.last_observed(), ValueOf(words[3]), {});
    } else if (verb == "batch") {
      recorder_.PutBatch({words.begin() + 3, words.end()}, *ValueOf(words[2]), {});
    } else {
      recorder_.MultiGet({words.begin() + 2, words.end()});
    }
  }

  Db* const db_;
  ClientRecorder recorder_;
  std::vector<std::vector<std::string>> lines_;
  Status status_;
};

class ConcurrencyTrials final : public Trials {
 public:
  ConcurrencyTrials() : Trials("concurrency", "operations of many threads are linearizable", 5) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    Random random(seed);
    const uint64_t threads = 2 + random.Uniform(7);
    const uint64_t keys = 1 + random.Uniform(4);
    uint64_t salt = 0;
    Schedule schedule;
    const auto key = [&] { return "k" + std::to_string(random.Uniform(keys)); };
    const auto value = [&] {
      const uint64_t size = random.OneIn(50) ? 5000 : random.Uniform(200);
      return std::to_string(size) + ":" + std::to_string(++salt);
    };
    while (schedule.size() < 1500) {
      const std::string thread = std::to_string(random.Uniform(threads));
      switch (random.Uniform(20)) {
        case 0: schedule.push_back(thread + " range " + key()); break;
        case 1: schedule.push_back(thread + " batch " + value() + " k0 k1"); break;
        case 2: schedule.push_back(thread + " many k0 k1 k2"); break;
        case 3:
        case 4: schedule.push_back(thread + " delete " + key()); break;
        case 5:
        case 6:
        case 7: schedule.push_back(thread + " cas " + key() + " " + value()); break;
        case 8: schedule.push_back(std::to_string(threads) + (random.OneIn(4) ? " compact" : " flush")); break;
        case 9:
        case 10:
        case 11:
        case 12: schedule.push_back(thread + " put " + key() + " " + value()); break;
        default: schedule.push_back(thread + " get " + key());
      }
    }
    return schedule;
  }
  std::string World(uint64_t seed) const override { return RandomStoreConfig(seed).ToString(); }

  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    const std::string place = JoinPath(dir(), "concurrency");
    Status made = MakeEmpty(place);
    if (!made.ok()) return {made, {}};
    Finding finding = TryAt(place, seed, schedule, counts);
    static_cast<void>(RemoveTree(place));
    return finding;
  }
  static Finding TryAt(const std::string& place, uint64_t seed, const Schedule& schedule, Counts* counts) {
    Result<std::unique_ptr<Db>> db = OpenerFor(RandomStoreConfig(seed))(JoinPath(place, "store"), Env::Default());
    if (!db.ok()) return {db.status(), {}};
    std::map<uint64_t, ThreadOfLines> of_lines;
    for (const std::string& line : schedule) {
      const std::vector<std::string> words = WordsOf(line);
      const std::optional<uint64_t> number = NumberOf(words[0]);
      if (!number || *number >= kMostThreads) return {NotUnderstood(line), {}};
      auto [at, is_new] = of_lines.try_emplace(*number, db->get(), static_cast<int>(*number));
      if (!at->second.Add(words)) return {NotUnderstood(line), {}};
    }
    std::barrier start(static_cast<ptrdiff_t>(of_lines.size()));
    std::vector<std::unique_ptr<Thread>> threads;
    for (auto& [number, lines] : of_lines) {
      threads.push_back(Env::Default()->StartThread("client", [&start, &lines = lines] {
        start.arrive_and_wait();
        lines.Run();
      }));
    }
    threads.clear();  // which waits for them
    std::vector<Operation> history;
    for (const auto& [number, lines] : of_lines) {
      if (!lines.status().ok()) return {Status::Corruption("flush or compact: " + lines.status().ToString()), {}};
      history.insert(history.end(), lines.operations().begin(), lines.operations().end());
    }
    return JudgeHistory(std::move(history), counts);
  }
};

}  // namespace

std::unique_ptr<Campaign> ConcurrencyCampaign() { return std::make_unique<ConcurrencyTrials>(); }

}  // namespace varve::torture
