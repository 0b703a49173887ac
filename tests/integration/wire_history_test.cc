// Histories of clients of a server that is killed and started again under them: every key is linearizable, over
// all lives of the server. What had no answer when it died has taken effect by then, or never.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "client/client.h"
#include "env/env.h"
#include "tests/support/checkers.h"
#include "tests/support/server_process.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace {

using client::Reply;
using Words = std::vector<std::string>;

uint64_t Now() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

KeyState StateIn(const Reply& reply) {
  if (reply.type == Reply::Type::kNull) return std::nullopt;
  return reply.text;
}

// One step of a client: commands that are sent at once, and the operations that they are.
struct Step {
  std::vector<Words> commands;
  std::vector<Operation> operations;
  // Completes the operations by the replies. Returns what is wrong with these, or nothing.
  std::string (*read)(const std::vector<Reply>& replies, std::vector<Operation>* operations) = nullptr;
};

// What the clients of one history share.
struct Clients {
  std::string path;
  std::atomic<uint64_t> answered{0};
  std::atomic<bool> is_over{false};
};

// A client with a thread of its own, which calls one step after another and connects again when the server dies.
class WireClient {
 public:
  WireClient(Clients* shared, int number, uint64_t seed)
      : shared_(shared), number_(number), random_(seed + static_cast<uint64_t>(number) * 1000) {}

  void Run() {
    while (!shared_->is_over.load() && problem_.empty()) {
      if (client_ == nullptr || client_->is_broken()) {
        Connect();
      } else {
        Do(NextStep());
      }
    }
    client_.reset();
  }
  // Reads all keys, when the others have ended.
  void ReadAll() {
    Connect();
    for (const std::string key : {"n0", "n1", "s0", "s1", "s2"}) Do(Get(key));
    Do(GetPair());
    if (client_ == nullptr || client_->is_broken()) problem_ = "the last server has died";
  }
  const std::string& problem() const { return problem_; }
  // Those whose calls have come to a server. `deaths`: when servers were known to be dead, in order.
  std::vector<Operation> History(const std::vector<uint64_t>& deaths) const {
    std::vector<Operation> history;
    for (Operation operation : operations_) {
      if (operation.outcome == Outcome::kUnknown) {
        // Over with the server that it was connected to: that lived until it was connected at least.
        const auto connected = std::upper_bound(connected_at_.begin(), connected_at_.end(), operation.call_time);
        const auto death = std::lower_bound(deaths.begin(), deaths.end(), *(connected - 1));
        if (death != deaths.end()) operation.latest = *death;
        if (operation.latest < operation.call_time) continue;
      }
      history.push_back(std::move(operation));
    }
    return history;
  }
  size_t connections() const { return connected_at_.size(); }

 private:
  void Connect() {
    client::Endpoint endpoint;
    endpoint.unix_path = shared_->path;
    Result<std::unique_ptr<client::Client>> connected = client::Client::Connect(endpoint);
    if (connected.ok()) {
      client_ = *std::move(connected);
      connected_at_.push_back(Now());
    } else {
      Env::Default()->clock()->SleepNanos(1'000'000);  // it is being started
    }
  }

  void Do(Step step) {
    std::vector<client::Request> requests;
    for (const Words& words : step.commands) requests.emplace_back(words.begin(), words.end());
    const uint64_t call = Now();
    const Result<std::vector<Reply>> replies = client_->Run(requests);
    const uint64_t end = Now();
    for (Operation& operation : step.operations) {
      operation.client = number_;
      operation.call_time = call;
      operation.return_time = end;
      if (!replies.ok()) operation.outcome = Outcome::kUnknown;
    }
    if (replies.ok()) {
      // Many others were faster, again and again: it has not been executed, and says so.
      for (const Reply& reply : *replies) {
        if (reply.is_error() && reply.text.starts_with("TRYAGAIN")) return;
      }
      const std::string wrong = step.read(*replies, &step.operations);
      if (!wrong.empty()) problem_ = step.commands.back()[0] + ": " + wrong;
      shared_->answered.fetch_add(1);
      for (const Operation& operation : step.operations) {
        if (operation.kind == OperationKind::kGet) last_seen_ = operation.observed;
      }
    }
    operations_.insert(operations_.end(), step.operations.begin(), step.operations.end());
  }

  Step NextStep() {
    const uint64_t kind = random_.Uniform(10);
    const std::string string = "s" + std::to_string(random_.Uniform(3));
    if (kind < 3) return CounterStep("n" + std::to_string(random_.Uniform(2)));
    if (kind < 7) return StringStep(string);
    if (kind < 8) return PairStep();
    return kind == 8 ? Pipeline() : Watched(string);
  }

  std::string NewValue() { return "c" + std::to_string(number_) + "." + std::to_string(++values_); }
  static Operation Of(OperationKind kind, const std::string& key, KeyState argument = {}, KeyState expected = {}) {
    Operation operation;
    operation.kind = kind;
    operation.key = key;
    operation.argument = std::move(argument);
    operation.expected = std::move(expected);
    return operation;
  }
  using Replies = const std::vector<Reply>&;
  using Operations = std::vector<Operation>*;
  static std::string ErrorIn(Replies replies) {
    for (const Reply& reply : replies) {
      if (reply.is_error()) return reply.text;
    }
    return "";
  }
  // The state that the last reply shows goes to the operation.
  static std::string ReadState(Replies replies, Operations operations) {
    operations->front().observed = StateIn(replies.back());
    return ErrorIn(replies);
  }
  static std::string ReadInteger(Replies replies, Operations operations) {
    operations->front().observed = std::to_string(replies.back().integer);
    return ErrorIn(replies);
  }
  static std::string ReadIncrement(Replies replies, Operations operations) {
    if (replies.back().text.starts_with("ERR value is not an integer")) {
      operations->front().outcome = Outcome::kConflict;
      return "";
    }
    return ReadInteger(replies, operations);
  }
  static std::string ReadNothing(Replies replies, Operations) { return ErrorIn(replies); }
  // Of a command that says 0 or null where it has not done it.
  static std::string ReadSuccess(Replies replies, Operations operations) {
    const Reply& reply = replies.back();
    const bool is_done = reply.type == Reply::Type::kInteger ? reply.integer == 1 : reply.type != Reply::Type::kNull;
    if (!is_done) operations->front().outcome = Outcome::kConflict;
    return ErrorIn(replies);
  }

  static Step Get(const std::string& key) {
    return {{{"GET", key}}, {Of(OperationKind::kGet, key)}, ReadState};
  }
  static Step GetPair() {
    return {{{"MGET", "p0", "p1"}}, {Of(OperationKind::kGet, "p")}, [](Replies replies, Operations operations) {
              const std::vector<Reply>& both = replies[0].elements;
              if (both.size() != 2) return std::string("not two values");
              operations->front().observed = StateIn(both[0]);
              if (StateIn(both[0]) == StateIn(both[1])) return std::string();
              return "half of a transaction: " + both[0].text + " and " + both[1].text;
            }};
  }

  Step CounterStep(const std::string& key) {
    switch (random_.Uniform(8)) {
      case 0: return Get(key);
      case 1: return {{{"DEL", key}}, {Of(OperationKind::kDelete, key)}, ReadInteger};
      case 2: {
        const std::string value = random_.Uniform(4) == 0 ? NewValue() : std::to_string(random_.Uniform(1 << 20));
        return {{{"SET", key, value}}, {Of(OperationKind::kPut, key, value)}, ReadNothing};
      }
      case 3:
        return {{{"MULTI"}, {"INCR", "n0"}, {"INCR", "n1"}, {"EXEC"}},
                {Of(OperationKind::kIncrement, "n0"), Of(OperationKind::kIncrement, "n1")},
                ReadIncrements};
      default: return {{{"INCR", key}}, {Of(OperationKind::kIncrement, key)}, ReadIncrement};
    }
  }
  static std::string ReadIncrements(Replies replies, Operations operations) {
    const std::vector<Reply>& results = replies.back().elements;
    if (results.size() != operations->size()) return "a wrong number of results";
    for (size_t i = 0; i < results.size(); i++) {
      std::vector<Operation> one = {(*operations)[i]};
      const std::string wrong = ReadIncrement({results[i]}, &one);
      if (!wrong.empty()) return wrong;
      (*operations)[i] = one[0];
    }
    return "";
  }

  Step StringStep(const std::string& key) {
    const std::string value = NewValue();
    switch (random_.Uniform(10)) {
      case 0: return {{{"SET", key, value}}, {Of(OperationKind::kPut, key, value)}, ReadNothing};
      case 1: return {{{"DEL", key}}, {Of(OperationKind::kDelete, key)}, ReadInteger};
      case 2: return {{{"APPEND", key, value}}, {Of(OperationKind::kAppend, key, value)}, ReadInteger};
      case 3:
        return {{{"SET", key, value, "NX"}}, {Of(OperationKind::kCompareAndSet, key, value)}, ReadSuccess};
      case 4:
        if (!last_seen_) return Get(key);
        return {{{"V.CAS", key, "IF", *last_seen_, "SET", value}},
                {Of(OperationKind::kCompareAndSet, key, value, last_seen_)},
                ReadSuccess};
      case 5: return {{{"SET", key, value, "GET"}}, {Of(OperationKind::kSwap, key, value)}, ReadState};
      case 6: return {{{"GETDEL", key}}, {Of(OperationKind::kSwap, key)}, ReadState};
      case 7:
        return {{{"MULTI"}, {"GET", key}, {"SET", key, value}, {"EXEC"}},
                {Of(OperationKind::kSwap, key, value)},
                [](Replies replies, Operations operations) {
                  if (replies.back().elements.size() != 2) return std::string("not two results");
                  operations->front().observed = StateIn(replies.back().elements[0]);
                  return ErrorIn(replies);
                }};
      default: return Get(key);
    }
  }

  // Two keys that only transactions write, as one.
  Step PairStep() {
    const std::string value = NewValue();
    switch (random_.Uniform(5)) {
      case 0:
        return {{{"MULTI"}, {"SET", "p0", value}, {"SET", "p1", value}, {"EXEC"}},
                {Of(OperationKind::kPut, "p", value)},
                ReadNothing};
      case 1: return {{{"MSET", "p0", value, "p1", value}}, {Of(OperationKind::kPut, "p", value)}, ReadNothing};
      case 2:
        return {{{"DEL", "p0", "p1"}}, {Of(OperationKind::kDelete, "p")}, [](Replies replies, Operations operations) {
                  if (replies[0].integer == 1) return std::string("half of a transaction was there");
                  operations->front().observed = replies[0].integer == 0 ? "0" : "1";
                  return ErrorIn(replies);
                }};
      case 3:
        return {{{"EXISTS", "p0", "p1"}}, {}, [](Replies replies, Operations) {
                  return replies[0].integer == 1 ? "half of a transaction is there" : ErrorIn(replies);
                }};
      default: return GetPair();
    }
  }

  // Several writes at once, on keys of their own: all of them, each at its moment.
  Step Pipeline() {
    Step step;
    for (const std::string key : {"s0", "s1", "s2"}) {
      const std::string value = NewValue();
      step.commands.push_back({"SET", key, value});
      step.operations.push_back(Of(OperationKind::kPut, key, value));
    }
    step.read = ReadNothing;
    return step;
  }

  // A read and, in a second step, a write that depends on it.
  Step Watched(const std::string& key) {
    Do({{{"WATCH", key}, {"GET", key}}, {Of(OperationKind::kGet, key)}, ReadState});
    const KeyState seen = last_seen_;
    const std::string value = NewValue();
    if (client_->is_broken()) return Get(key);  // which comes to nothing either
    return {{{"MULTI"}, {"SET", key, value}, {"EXEC"}},
            {Of(OperationKind::kCompareAndSet, key, value, seen)},
            [](Replies replies, Operations operations) {
              // Where somebody wrote what had been there before, it is refused, too: no conflict then.
              if (replies.back().type == Reply::Type::kNull) operations->clear();
              return ErrorIn(replies);
            }};
  }

  Clients* const shared_;
  const int number_;
  Random random_;
  std::unique_ptr<client::Client> client_;
  KeyState last_seen_;
  uint64_t values_ = 0;
  std::vector<uint64_t> connected_at_;
  std::string problem_;
  std::vector<Operation> operations_;
};

class WireHistoryTest : public ::testing::TestWithParam<const char*> {
 protected:
  // Ends one life of the server: after so many answers, mostly by a kill; sometimes while it starts.
  void LiveAndDie(ServerProcess* server, Clients* clients, Random* random, const Words& options) {
    ASSERT_OK(server->Start(options));
    if (random->Uniform(4) == 0) {
      Env::Default()->clock()->SleepNanos(random->Uniform(20'000'000));
    } else {
      ASSERT_OK(server->AwaitListening());
      const uint64_t enough = clients->answered.load() + 50 + random->Uniform(Scaled(600));
      const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
      while (clients->answered.load() < enough && std::chrono::steady_clock::now() < give_up) {
        std::this_thread::yield();
      }
      ASSERT_GE(clients->answered.load(), enough) << server->Log();
    }
    if (random->Uniform(5) == 0) {
      // While it has not come so far, the signal is its end.
      const int end = server->EndBy(SIGTERM);
      ASSERT_TRUE(end == 0 || WIFSIGNALED(end)) << server->Log();
    } else {
      server->EndBy(SIGKILL);
    }
    deaths_.push_back(Now());
  }

  std::vector<uint64_t> deaths_;
};

TEST_P(WireHistoryTest, IsLinearizableOverTheDeathsOfTheServer) {
  constexpr int kClients = 5;
  const char* const given = std::getenv("VARVE_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : 1;
  SCOPED_TRACE("VARVE_TEST_SEED=" + std::to_string(seed));
  Random random(seed);
  const Words options = GetParam()[0] == '\0' ? Words() : Words({GetParam()});
  TempDir dir;
  ServerProcess server(VARVE_PROGRAM, dir.path());
  Clients shared;
  shared.path = server.path();
  std::vector<std::unique_ptr<WireClient>> clients;
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; i++) {
    clients.push_back(std::make_unique<WireClient>(&shared, i, seed));
    threads.emplace_back([client = clients.back().get()] { client->Run(); });
  }
  for (size_t round = 0; round < Scaled(GetParam()[0] == '\0' ? 10 : 5) && !HasFatalFailure(); round++) {
    LiveAndDie(&server, &shared, &random, options);
  }
  shared.is_over = true;
  for (std::thread& thread : threads) thread.join();
  if (HasFatalFailure()) return;
  ASSERT_OK(server.Start(options));
  ASSERT_OK(server.AwaitListening());
  clients.push_back(std::make_unique<WireClient>(&shared, kClients, seed));
  clients.back()->ReadAll();
  std::vector<Operation> history;
  for (const auto& client : clients) {
    ASSERT_EQ(client->problem(), "") << server.Log();
    // No connection ends but by a death; and while it drains one may wait for it in vain.
    EXPECT_LE(client->connections(), 2 * deaths_.size() + 2) << server.Log();
    const std::vector<Operation> operations = client->History(deaths_);
    history.insert(history.end(), operations.begin(), operations.end());
  }
  const CheckResult result = CheckLinearizability(history);
  EXPECT_EQ(result.verdict, Verdict::kLinearizable) << result.key << ": " << result.explanation;
  RecordProperty("operations", static_cast<int>(history.size()));
}

INSTANTIATE_TEST_SUITE_P(Durability, WireHistoryTest, ::testing::Values("", "--sync"),
                         [](const auto& parameter) { return parameter.param[0] == '\0' ? "Process" : "Sync"; });

}  // namespace
}  // namespace varve::test
