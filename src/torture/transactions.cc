// The campaign `transactions`: transactions of one thread, interleaved as the schedule says. Its lines, of
// transaction T (a number):
//
//   begin T, read T KEY, append T KEY, range T BEGIN END, move T KEY KEY AMOUNT, sum T, commit T, drop T
//   set KEY    a compare-and-set beside them; flush, compact
//
// Each KEY is a list to which numbers are appended that nobody else appends. What the transactions saw must be a
// serial order of those that committed, with no cycle of dependencies (serializability.h). move and sum are of
// accounts, whose sum never changes.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "env/crash_env.h"
#include "torture/bank.h"
#include "torture/call_digest.h"
#include "torture/campaigns.h"
#include "torture/serializability.h"
#include "torture/store_options.h"
#include "torture/store_script.h"
#include "torture/trials.h"
#include "torture/turn_taking.h"

namespace varve::torture {
namespace {

constexpr uint64_t kKeys = 16;
constexpr uint64_t kAccounts = 6;
constexpr int64_t kMoney = 100;  // of each account in the beginning
constexpr uint64_t kDrawnMoment = 1000;

std::string ListKey(uint64_t i) { return "l" + std::to_string(10 + i); }
std::string AccountKey(uint64_t i) { return "account" + std::to_string(i); }

class TransactionsRun {
 public:
  TransactionsRun(uint64_t seed, Counts* counts)
      : turns_(seed), opener_(TurnsOpenerFor(CalmStoreConfig(seed))(&turns_)), env_(seed, SimClock::Mode::kManual), counts_(counts) {
    env_.SetCallHook([this](const CallInfo& call) { digest_.Add(call); });
  }
  ~TransactionsRun() { open_.clear(); }

  uint64_t digest() const { return digest_.value(); }
  // Of the transactions that `problem` names (T7), for people: an operation an access, a client a transaction.
  std::vector<Operation> HistoryOf(const std::string& problem) const {
    std::vector<Operation> operations;
    for (size_t i = 0; i < history_.size(); ++i) {
      if ((problem + " ").find("T" + std::to_string(i) + " ") == std::string::npos) continue;
      const TransactionRecord& record = history_[i];
      const uint64_t count = record.accesses.size();
      for (uint64_t at = 0; at < count; ++at) {
        const TransactionAccess& access = record.accesses[at];
        Operation& one = operations.emplace_back();
        one.client = static_cast<int>(i);
        one.kind = access.is_write ? OperationKind::kPut : OperationKind::kGet;
        one.key = access.key;
        (access.is_write ? one.argument : one.observed) = access.value;
        // Side by side within the transaction, whose moments are whole numbers.
        const uint64_t length = (record.end - record.begin) * kDrawnMoment;
        one.call_time = record.begin * kDrawnMoment + length * at / count;
        one.return_time = record.begin * kDrawnMoment + length * (at + 1) / count;
      }
    }
    return operations;
  }

  Status Run(const Schedule& schedule) {
    Result<std::unique_ptr<Db>> db = opener_(kStoreDir, &env_);
    if (!db.ok()) return AsBroken(db.status(), "open");
    db_ = *std::move(db);
    for (uint64_t i = 0; i < kAccounts; ++i) {
      VARVE_RETURN_IF_ERROR(AsBroken(db_->Put(AccountKey(i), std::to_string(kMoney))));
    }
    for (const std::string& line : schedule) {
      VARVE_RETURN_IF_ERROR(AsBroken(Step(line), line));
      turns_.Yield();
    }
    open_.clear();
    counts_->Add("histories checked");
    counts_->Add("transactions checked", history_.size());
    const std::string anomaly = FindAnomaly(history_, Isolation::kSerializable);
    if (!anomaly.empty()) return Status::Corruption(anomaly);
    return AsBroken(CheckBank());
  }

 private:
  struct Open {
    std::unique_ptr<Transaction> transaction;
    TransactionRecord record;
    std::vector<BankRead> sums;  // that it saw; they matter if it commits, as its transfers do
    std::vector<BankTransfer> transfers;
  };

  Status Step(const std::string& line) {
    const std::vector<std::string> words = WordsOf(line);
    if (line == "flush") return db_->Flush();
    if (line == "compact") return db_->Compact();
    if (words[0] == "set" && words.size() == 2) return Set(words[1]);
    if (!IsKnown(words)) return NotUnderstood(line);
    if (words[0] == "begin") {
      if (open_.contains(words[1])) return Status::Ok();
      Open one;
      one.record.begin = clock_++;
      one.transaction = db_->Begin({});
      open_.emplace(words[1], std::move(one));
      return Status::Ok();
    }
    const auto at = open_.find(words[1]);
    if (at == open_.end()) return Status::Ok();  // its beginning was left out
    if (words[0] == "commit" || words[0] == "drop") {
      Open one = std::move(at->second);
      open_.erase(at);
      return words[0] == "commit" ? Commit(std::move(one)) : Status::Ok();
    }
    counts_->Add("operations");
    return Access(words, &at->second);
  }
  // Of the lines of one transaction.
  static bool IsKnown(const std::vector<std::string>& words) {
    const std::string& verb = words[0];
    switch (words.size()) {
      case 2: return verb == "begin" || verb == "commit" || verb == "drop" || verb == "sum";
      case 3: return verb == "read" || verb == "append";
      case 4: return verb == "range";
      case 5: return verb == "move" && NumberOf(words[4]);
      default: return false;
    }
  }

  Status Access(const std::vector<std::string>& words, Open* one) {
    std::string value;
    if (words[0] == "range") return ReadRange(words[2], words[3], one);
    if (words[0] == "sum") return Sum(one);
    if (words[0] == "move") return Move(words, one);
    VARVE_RETURN_IF_ERROR(Read(words[2], one, &value));
    if (words[0] == "read") return Status::Ok();
    value += std::to_string(++ids_) + ",";
    one->record.accesses.push_back({true, words[2], value});
    return one->transaction->Put(words[2], value);
  }

  static Status Read(const std::string& key, Open* one, std::string* value) {
    const Status status = one->transaction->Get(key, value);
    if (!status.ok() && !status.IsNotFound()) return status;
    one->record.accesses.push_back({false, key, *value});
    return Status::Ok();
  }
  static Status ReadRange(const std::string& begin, const std::string& end, Open* one) {
    IteratorOptions options;
    options.lower_bound = begin;
    options.upper_bound = end;
    Contents found;
    const auto it = one->transaction->NewIterator(options);
    for (it->SeekToFirst(); it->Valid(); it->Next()) found[std::string(it->key())] = it->value();
    VARVE_RETURN_IF_ERROR(it->status());
    // Also of the keys that are not there.
    for (uint64_t i = 0; i < kKeys; ++i) {
      const std::string key = ListKey(i);
      if (key >= begin && key < end) one->record.accesses.push_back({false, key, found[key]});
    }
    return Status::Ok();
  }
  static Status Sum(Open* one) {
    VARVE_ASSIGN_OR_RETURN(Balances balances, BalancesOf(one->transaction->NewIterator({.prefix = "account"}).get()));
    // It saw what it had moved itself.
    for (const BankTransfer& own : one->transfers) {
      balances[own.from] += own.amount;
      balances[own.to] -= own.amount;
    }
    one->sums.push_back({std::move(balances), one->record.begin, 0});
    return Status::Ok();
  }
  template <typename AnyIterator>
  static Result<Balances> BalancesOf(AnyIterator* it) {
    Balances balances;
    for (it->SeekToFirst(); it->Valid(); it->Next()) balances[std::string(it->key())] = std::stoll(std::string(it->value()));
    VARVE_RETURN_IF_ERROR(it->status());
    return balances;
  }
  static Status Move(const std::vector<std::string>& words, Open* one) {
    if (words[2] == words[3]) return Status::Ok();
    VARVE_ASSIGN_OR_RETURN(const std::string from, one->transaction->Get(words[2]));
    VARVE_ASSIGN_OR_RETURN(const std::string to, one->transaction->Get(words[3]));
    const auto amount = static_cast<int64_t>(*NumberOf(words[4]));
    one->transfers.push_back({words[2], words[3], amount, one->record.begin});
    VARVE_RETURN_IF_ERROR(one->transaction->Put(words[2], std::to_string(std::stoll(from) - amount)));
    return one->transaction->Put(words[3], std::to_string(std::stoll(to) + amount));
  }

  Status Commit(Open one) {
    const Status status = one.transaction->Commit();
    if (!status.ok() && status.code() != StatusCode::kConflict) return status;
    counts_->Add(status.ok() ? "committed" : "refused for conflicts");
    one.record.is_committed = status.ok();
    one.record.end = clock_++;
    if (status.ok()) {
      for (BankTransfer& transfer : one.transfers) transfer.return_time = one.record.end;
      for (BankRead& sum : one.sums) sum.return_time = one.record.end;
      transfers_.insert(transfers_.end(), one.transfers.begin(), one.transfers.end());
      sums_.insert(sums_.end(), one.sums.begin(), one.sums.end());
    }
    history_.push_back(std::move(one.record));
    return Status::Ok();
  }
  Status Set(const std::string& key) {
    TransactionRecord record{.begin = clock_++};
    const Result<std::string> old = db_->Get(key);
    const std::string before = old.value_or("");
    const std::string after = before + std::to_string(++ids_) + ",";
    record.accesses = {{false, key, before}, {true, key, after}};
    const std::optional<std::string_view> expected = old.ok() ? std::optional<std::string_view>(before) : std::nullopt;
    const Status status = db_->CompareAndSet(key, expected, after);
    if (!status.ok()) return Status::Corruption("nobody was in between: " + status.ToString());
    record.is_committed = true;
    record.end = clock_++;
    history_.push_back(std::move(record));
    return Status::Ok();
  }
  Status CheckBank() {
    VARVE_ASSIGN_OR_RETURN(Balances balances, BalancesOf(db_->NewIterator({.prefix = "account"}).get()));
    const uint64_t now = clock_++;
    sums_.push_back({std::move(balances), now, now});
    counts_->Add("sums of a bank checked", sums_.size());
    Balances initial;
    for (uint64_t i = 0; i < kAccounts; ++i) initial[AccountKey(i)] = kMoney;
    const std::string anomaly = FindBankAnomaly(initial, transfers_, sums_);
    return anomaly.empty() ? Status::Ok() : Status::Corruption(anomaly);
  }

  TurnTaking turns_;
  const StoreOpener opener_;
  CallDigest digest_;
  CrashEnv env_;
  Counts* const counts_;
  std::unique_ptr<Db> db_;
  std::map<std::string, Open> open_;
  std::vector<TransactionRecord> history_;
  std::vector<BankTransfer> transfers_;  // of those that have committed, as are the sums
  std::vector<BankRead> sums_;
  uint64_t clock_ = 1;
  uint64_t ids_ = 0;
};

class TransactionsTrials final : public Trials {
 public:
  TransactionsTrials()
      : Trials("transactions", "transactions that commit stand in a serial order, and see a bank that is whole", 1) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    Random random(seed);
    Schedule schedule;
    uint64_t next = 0;
    std::vector<std::string> open;
    while (schedule.size() < 600) {
      if (random.OneIn(80)) schedule.push_back(random.OneIn(3) ? "compact" : "flush");
      if (random.OneIn(40)) schedule.push_back("set " + ListKey(random.Uniform(kKeys)));
      if (open.empty() || (open.size() < 4 && random.OneIn(4))) {
        open.push_back(std::to_string(++next));
        schedule.push_back("begin " + open.back());
        continue;
      }
      const size_t at = random.Uniform(open.size());
      if (random.OneIn(5)) {
        schedule.push_back((random.OneIn(12) ? "drop " : "commit ") + open[at]);
        open.erase(open.begin() + static_cast<ptrdiff_t>(at));
      } else {
        schedule.push_back(RandomAccess(open[at], &random));
      }
    }
    return schedule;
  }
  static std::string RandomAccess(const std::string& name, Random* random) {
    const uint64_t key = random->Uniform(kKeys);
    switch (random->Uniform(10)) {
      case 0: return "range " + name + " " + ListKey(key) + " " + ListKey(key + 1 + random->Uniform(4));
      case 1: return "sum " + name;
      case 2:
        return "move " + name + " " + AccountKey(random->Uniform(kAccounts)) + " " +
               AccountKey(random->Uniform(kAccounts)) + " " + std::to_string(random->Uniform(30));
      case 3:
      case 4:
      case 5: return "read " + name + " " + ListKey(key);
      default: return "append " + name + " " + ListKey(key);
    }
  }
  std::string World(uint64_t seed) const override { return CalmStoreConfig(seed).ToString(); }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    TransactionsRun run(seed, counts);
    Status status = run.Run(schedule);
    std::vector<Operation> history = run.HistoryOf(std::string(status.message()));
    return {std::move(status), std::move(history), run.digest()};
  }
};

}  // namespace

std::unique_ptr<Campaign> TransactionsCampaign() { return std::make_unique<TransactionsTrials>(); }

}  // namespace varve::torture
