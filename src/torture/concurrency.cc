// The campaign `concurrency`: threads on few keys, with flushes and merges behind their backs. What each saw must be
// explained by one order of all that they did. Its lines begin with the number of a thread:
//
//   N get KEY, N put KEY VALUE, N delete KEY, N range KEY, N cas KEY VALUE (expects what N saw last),
//   N batch VALUE KEY..., N many KEY..., N flush, N compact,
//   N add ELEMENT, N remove ELEMENT (which N has added), N members (of the set, by a scan)
//
// Keys that one thread alone writes must never go back, and of the set nothing may be lost, invented or come back.
#include <atomic>
#include <barrier>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "torture/campaigns.h"
#include "torture/directories.h"
#include "torture/history_recorder.h"
#include "torture/now.h"
#include "torture/set_history.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"

namespace varve::torture {
namespace {

constexpr uint64_t kMostThreads = 64;
constexpr char kSetPrefix[] = "set/";

// The lines of one thread, which runs them one after another.
class ThreadOfLines {
 public:
  ThreadOfLines(Db* db, int number) : db_(db), recorder_(db, number) {}

  // Whether the line makes sense.
  bool Add(const std::vector<std::string>& words) {
    const std::string verb = words.size() > 1 ? words[1] : "";
    const bool takes_one = verb == "get" || verb == "delete" || verb == "range" || verb == "add" || verb == "remove";
    const bool is_known = (takes_one && words.size() == 3) ||
                          ((verb == "put" || verb == "cas") && words.size() == 4 && ValueOf(words[3])) ||
                          (verb == "batch" && words.size() > 3 && ValueOf(words[2])) ||
                          (verb == "many" && words.size() > 2) ||
                          ((verb == "flush" || verb == "compact" || verb == "members") && words.size() == 2);
    if (is_known) lines_.push_back(words);
    return is_known;
  }
  void Run() {
    for (const std::vector<std::string>& words : lines_) RunLine(words);
  }
  const std::vector<Operation>& operations() const { return recorder_.operations(); }
  const std::vector<SetChange>& set_changes() const { return set_changes_; }
  const std::vector<SetRead>& set_reads() const { return set_reads_; }
  const Status& status() const { return status_; }

 private:
  void RunLine(const std::vector<std::string>& words) {
    const std::string& verb = words[1];
    if (verb == "flush" || verb == "compact") {
      const Status status = verb == "flush" ? db_->Flush() : db_->Compact();
      if (!status.ok()) status_ = status;
    } else if (verb == "add" || verb == "remove") {
      ChangeSet(verb == "add", words[2]);
    } else if (verb == "members") {
      ReadSet();
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

  // Nothing where it makes no sense: elements are added once, and removed by who has added them. Of a schedule that is
  // being cut down one of the two may be left.
  void ChangeSet(bool is_add, const std::string& element) {
    if (is_add ? !added_.insert(element).second : added_.count(element) == 0 || !removed_.insert(element).second) return;
    SetChange change{.is_add = is_add, .element = element, .call_time = MonotonicNow()};
    const std::string key = kSetPrefix + element;
    const Status status = is_add ? db_->Put(key, element) : db_->Delete(key);
    change.return_time = MonotonicNow();
    if (!status.ok()) status_ = status;
    set_changes_.push_back(std::move(change));
  }
  void ReadSet() {
    SetRead read{.call_time = MonotonicNow()};
    IteratorOptions options;
    options.lower_bound = kSetPrefix;
    options.upper_bound = "set0";  // the first behind the prefix
    const auto it = db_->NewIterator(options);
    for (it->SeekToFirst(); it->Valid(); it->Next()) read.elements.insert(std::string(it->value()));
    if (!it->status().ok()) status_ = it->status();
    read.return_time = MonotonicNow();
    set_reads_.push_back(std::move(read));
  }

  Db* const db_;
  ClientRecorder recorder_;
  std::set<std::string> added_, removed_;
  std::vector<SetChange> set_changes_;
  std::vector<SetRead> set_reads_;
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
      const uint64_t size = random.OneIn(50) ? 5000 : 8 + random.Uniform(200);  // all differ
      return std::to_string(size) + ":" + std::to_string(++salt);
    };
    std::map<std::string, std::vector<std::string>> elements;  // of each thread, that it has added
    while (schedule.size() < 1500) {
      const std::string thread = std::to_string(random.Uniform(threads));
      if (random.OneIn(3)) {
        schedule.push_back(thread + OwnLine(thread, threads, value(), &elements[thread], &random));
        continue;
      }
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
  // On what one thread alone writes: its own key and its elements of the set.
  static std::string OwnLine(const std::string& thread, uint64_t threads, const std::string& value,
                             std::vector<std::string>* elements, Random* random) {
    switch (random->Uniform(8)) {
      case 0:
        elements->push_back(value);
        return " add " + value;
      case 1: {
        if (elements->empty()) return " members";
        const std::string element = elements->back();
        elements->pop_back();
        return " remove " + element;
      }
      case 2: return " members";
      case 3: return " put own" + thread + " " + value;
      case 4: return (random->OneIn(2) ? " delete own" : " range own") + thread;
      default: return " get own" + std::to_string(random->Uniform(threads));
    }
  }
  std::string World(uint64_t seed) const override { return RandomStoreConfig(seed).ToString(); }

  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    Status made = MakeEmpty(place());
    if (!made.ok()) return {made, {}};
    Finding finding = TryAt(place(), seed, schedule, counts);
    if (!IsBroken(finding)) static_cast<void>(RemoveTree(place()));
    return finding;
  }
  static Finding TryAt(const std::string& place, uint64_t seed, const Schedule& schedule, Counts* counts) {
    Result<std::unique_ptr<Db>> db = OpenerFor(RandomStoreConfig(seed))(JoinPath(place, "store"), Env::Default());
    if (!db.ok()) return {AsBroken(db.status(), "open"), {}};
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
    return Judge(of_lines, counts);
  }
  static Finding Judge(const std::map<uint64_t, ThreadOfLines>& of_lines, Counts* counts) {
    std::vector<Operation> history;
    std::vector<SetChange> changes;
    std::vector<SetRead> reads;
    for (const auto& [number, lines] : of_lines) {
      if (!lines.status().ok()) return {Status::Corruption("without a fault: " + lines.status().ToString()), {}};
      history.insert(history.end(), lines.operations().begin(), lines.operations().end());
      changes.insert(changes.end(), lines.set_changes().begin(), lines.set_changes().end());
      reads.insert(reads.end(), lines.set_reads().begin(), lines.set_reads().end());
    }
    counts->Add("reads of a set checked", reads.size());
    std::string element;
    const std::string problem = FindSetAnomaly(changes, reads, &element);
    if (!problem.empty()) return {Status::Corruption("the set: " + problem), HistoryOf(element, of_lines)};
    if (Finding finding = JudgeResurrections(history, counts); IsBroken(finding)) return finding;
    return JudgeHistory(std::move(history), counts);
  }
  // Of one element of the set: it is put and deleted, and each read of the set sees it or not.
  static std::vector<Operation> HistoryOf(const std::string& element, const std::map<uint64_t, ThreadOfLines>& of_lines) {
    std::vector<Operation> history;
    for (const auto& [number, lines] : of_lines) {
      Operation one;
      one.client = static_cast<int>(number);
      one.key = element;
      for (const SetChange& change : lines.set_changes()) {
        if (change.element != element) continue;
        one.kind = change.is_add ? OperationKind::kPut : OperationKind::kDelete;
        one.argument = change.is_add ? KeyState("in the set") : KeyState();
        one.call_time = change.call_time;
        one.return_time = change.return_time;
        history.push_back(one);
      }
      one.kind = OperationKind::kGet;
      one.argument = KeyState();
      for (const SetRead& read : lines.set_reads()) {
        one.observed = read.elements.contains(element) ? KeyState("in the set") : KeyState();
        one.call_time = read.call_time;
        one.return_time = read.return_time;
        history.push_back(one);
      }
    }
    return history;
  }
};

}  // namespace

std::unique_ptr<Campaign> ConcurrencyCampaign() { return std::make_unique<ConcurrencyTrials>(); }

}  // namespace varve::torture
