// The campaign `server`: clients of a server that is killed and started again under them. Its lines:
//
//   life ANSWERS kill|stop   a server runs until so many requests were answered; then kill -9, or SIGTERM
//   hurry MICROS kill|stop   a server ends so long after its start, which it may not survive
//
// What had no answer when a server died has taken effect by then, or never. Over all lives each key is linearizable.
#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status_macros.h"
#include "client/client.h"
#include "torture/campaigns.h"
#include "torture/directories.h"
#include "torture/now.h"
#include "torture/store_script.h"
#include "torture/trials.h"

namespace varve::torture {
namespace {

using client::Reply;

constexpr size_t kClients = 4;
constexpr uint64_t kWaitNanos = 60'000'000'000;

struct Shared {
  client::Endpoint endpoint;
  std::atomic<uint64_t> answered{0};
  std::atomic<bool> is_over{false};
};

// A client with a thread of its own, which connects again when the server dies.
class WireClient {
 public:
  WireClient(Shared* shared, int number, uint64_t seed)
      : shared_(shared), number_(number), random_(seed * 100 + static_cast<uint64_t>(number)) {}

  void Run() {
    while (!shared_->is_over && problem_.empty()) {
      if (client_ != nullptr && !client_->is_broken()) {
        RandomStep();
      } else {
        Connect();
      }
    }
    client_.reset();
  }
  const std::string& problem() const { return problem_; }
  // `deaths`: when servers were known to be dead, in order.
  std::vector<Operation> History(const std::vector<uint64_t>& deaths) const {
    std::vector<Operation> history;
    for (Operation operation : operations_) {
      if (operation.outcome == Outcome::kUnknown) {
        // Over with the server that it was connected to, which lived when it was connected.
        const auto connected = std::upper_bound(connected_at_.begin(), connected_at_.end(), operation.call_time);
        const auto death = std::lower_bound(deaths.begin(), deaths.end(), *(connected - 1));
        if (death != deaths.end()) operation.latest = *death;
        if (operation.latest < operation.call_time) continue;
      }
      history.push_back(std::move(operation));
    }
    return history;
  }

 private:
  using Words = std::vector<std::string>;

  void Connect() {
    Result<std::unique_ptr<client::Client>> connected = client::Client::Connect(shared_->endpoint);
    if (connected.ok()) {
      client_ = *std::move(connected);
      connected_at_.push_back(MonotonicNow());
    } else {
      Env::Default()->clock()->SleepNanos(1'000'000);  // it is being started
    }
  }

  void RandomStep() {
    const uint64_t choice = random_.Uniform(10);
    if (choice < 3) return CounterStep("n" + std::to_string(random_.Uniform(2)));
    StringStep("s" + std::to_string(random_.Uniform(3)));
  }
  void CounterStep(const std::string& key) {
    switch (random_.Uniform(5)) {
      case 0: return Do({"GET", key}, OperationKind::kGet, {});
      case 1: return Do({"DEL", key}, OperationKind::kDelete, {});
      default: return Do({"INCR", key}, OperationKind::kIncrement, {});
    }
  }
  void StringStep(const std::string& key) {
    const std::string value = "c" + std::to_string(number_) + "." + std::to_string(++values_);
    switch (random_.Uniform(9)) {
      case 0:
      case 1: return Do({"SET", key, value}, OperationKind::kPut, value);
      case 2: return Do({"DEL", key}, OperationKind::kDelete, {});
      case 3: return Do({"APPEND", key, value}, OperationKind::kAppend, value);
      case 4: return Do({"SET", key, value, "NX"}, OperationKind::kCompareAndSet, value);
      case 5: return Do({"SET", key, value, "GET"}, OperationKind::kSwap, value);
      case 6: return Do({"GETDEL", key}, OperationKind::kSwap, {});
      default: return Do({"GET", key}, OperationKind::kGet, {});
    }
  }

  void Do(const Words& words, OperationKind kind, KeyState argument) {
    Operation operation;
    operation.client = number_;
    operation.kind = kind;
    operation.key = words[1];
    operation.argument = std::move(argument);
    operation.call_time = MonotonicNow();
    const Result<std::vector<Reply>> replies = client_->Run({{words.begin(), words.end()}});
    operation.return_time = MonotonicNow();
    if (!replies.ok()) {
      operation.outcome = Outcome::kUnknown;
    } else {
      const Reply& reply = replies->front();
      // Many others were faster, again and again: it has not been executed.
      if (reply.is_error() && reply.text.starts_with("TRYAGAIN")) return;
      if (reply.is_error()) problem_ = words[0] + ": " + reply.text;
      Complete(reply, &operation);
      ++shared_->answered;
    }
    operations_.push_back(std::move(operation));
  }
  static void Complete(const Reply& reply, Operation* operation) {
    const bool is_null = reply.type == Reply::Type::kNull;
    switch (operation->kind) {
      case OperationKind::kGet:
      case OperationKind::kSwap:
        if (!is_null) operation->observed = reply.text;
        return;
      case OperationKind::kDelete:
      case OperationKind::kAppend:
      case OperationKind::kIncrement: operation->observed = std::to_string(reply.integer); return;
      case OperationKind::kCompareAndSet:
        if (is_null) operation->outcome = Outcome::kConflict;
        return;
      case OperationKind::kPut: return;
    }
  }

  Shared* const shared_;
  const int number_;
  Random random_;
  std::unique_ptr<client::Client> client_;
  uint64_t values_ = 0;
  std::vector<uint64_t> connected_at_;
  std::vector<Operation> operations_;
  std::string problem_;
};

// One line.
struct Life {
  bool hurries = false;
  uint64_t amount = 0;
  bool is_killed = false;
};

class ServerRun {
 public:
  ServerRun(Processes* processes, std::string dir, uint64_t seed, Counts* counts)
      : processes_(processes), dir_(std::move(dir)), seed_(seed), counts_(counts) {
    shared_.endpoint.unix_path = JoinPath(dir_, "socket");
    for (size_t i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<WireClient>(&shared_, static_cast<int>(i), seed));
    }
  }

  Finding Run(const std::vector<Life>& lives) {
    std::vector<std::unique_ptr<Thread>> threads;
    for (const auto& client : clients_) {
      threads.push_back(Env::Default()->StartThread("client", [&client] { client->Run(); }));
    }
    Status status;
    for (size_t i = 0; i < lives.size() && status.ok(); ++i) status = Live(lives[i]);
    shared_.is_over = true;
    processes_->Kill();
    threads.clear();  // which waits for them
    if (!status.ok()) return {status, {}};
    std::vector<Operation> history;
    for (const auto& client : clients_) {
      if (!client->problem().empty()) return {Status::Corruption("a client was told " + client->problem()), {}};
      const std::vector<Operation> operations = client->History(deaths_);
      history.insert(history.end(), operations.begin(), operations.end());
    }
    return JudgeHistory(std::move(history), counts_, true);
  }

 private:
  Status Live(const Life& life) {
    std::vector<std::string> arguments = {"server",       JoinPath(dir_, "store"), "--port", "0",
                                          "--unixsocket", shared_.endpoint.unix_path};
    if (seed_ % 2 == 0) arguments.emplace_back("--sync");
    VARVE_RETURN_IF_ERROR(processes_->Start(arguments, JoinPath(dir_, "log")));
    counts_->Add("servers");
    Clock* const clock = Env::Default()->clock();
    if (life.hurries) {
      clock->SleepNanos(std::min<uint64_t>(life.amount, 1'000'000) * 1000);
    } else {
      const uint64_t enough = shared_.answered + life.amount;
      const uint64_t begun = MonotonicNow();
      while (shared_.answered < enough) {
        if (!processes_->IsRunning()) return Status::Corruption("a server ended by itself; see " + JoinPath(dir_, "log"));
        if (MonotonicNow() - begun > kWaitNanos) return Status::Corruption("a server does not answer any more");
        clock->SleepNanos(200'000);
      }
    }
    if (life.is_killed) {
      processes_->Kill();
    } else {
      processes_->Stop();
    }
    counts_->Add(life.is_killed ? "kills" : "orderly ends");
    deaths_.push_back(MonotonicNow());
    return Status::Ok();
  }

  Processes* const processes_;
  const std::string dir_;
  const uint64_t seed_;
  Counts* const counts_;
  Shared shared_;
  std::vector<std::unique_ptr<WireClient>> clients_;
  std::vector<uint64_t> deaths_;
};

class ServerTrials final : public Trials {
 public:
  explicit ServerTrials(Processes* processes)
      : Trials("server", "what clients see is linearizable over the deaths of the server", 3),
        processes_(processes) {}

 private:
  Schedule Plan(uint64_t seed) const override {
    Random random(seed);
    Schedule schedule;
    while (schedule.size() < 8) {
      const std::string end = random.OneIn(5) ? " stop" : " kill";
      if (random.OneIn(4)) {
        schedule.push_back("hurry " + std::to_string(random.Uniform(20'000)) + end);
      } else {
        schedule.push_back("life " + std::to_string(50 + random.Uniform(800)) + end);
      }
    }
    schedule.push_back("life 100 stop");
    return schedule;
  }
  std::string World(uint64_t seed) const override {
    return std::to_string(kClients) + " clients" + (seed % 2 == 0 ? ", every write is synced" : "");
  }
  Finding Try(uint64_t seed, const Schedule& schedule, Counts* counts) override {
    std::vector<Life> lives;
    for (const std::string& line : schedule) {
      const std::vector<std::string> words = WordsOf(line);
      const std::optional<uint64_t> amount = words.size() == 3 ? NumberOf(words[1]) : std::nullopt;
      const bool is_known = amount && (words[0] == "life" || words[0] == "hurry") &&
                            (words[2] == "kill" || words[2] == "stop");
      if (!is_known) return {NotUnderstood(line), {}};
      lives.push_back({words[0] == "hurry", *amount, words[2] == "kill"});
    }
    const std::string place = JoinPath(dir(), "server");
    const Status made = MakeEmpty(place);
    if (!made.ok()) return {made, {}};
    Finding finding = ServerRun(processes_, place, seed, counts).Run(lives);
    static_cast<void>(RemoveTree(place));
    return finding;
  }

  Processes* const processes_;
};

}  // namespace

std::unique_ptr<Campaign> ServerCampaign(Processes* processes) { return std::make_unique<ServerTrials>(processes); }

}  // namespace varve::torture
