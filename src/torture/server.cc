// The campaign `server`: clients of a server that is killed and started again under them. Its lines:
//
//   life ANSWERS kill|stop   a server runs until so many requests were answered; then kill -9, or SIGTERM
//   hurry MICROS kill|stop   a server ends so long after its start, which it may not survive
//
// What had no answer when a server died has taken effect by then, or never. Over all lives each key is linearizable, keys
// of one writer never go back, and nobody sees an effect without its cause.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status_macros.h"
#include "torture/campaigns.h"
#include "torture/causal.h"
#include "torture/directories.h"
#include "torture/now.h"
#include "torture/patience.h"
#include "torture/store_script.h"
#include "torture/trials.h"
#include "torture/wire_client.h"

namespace varve::torture {
namespace {

constexpr size_t kClients = 4;

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
    return Judge(std::move(history));
  }

 private:
  Finding Judge(std::vector<Operation> history) const {
    if (Finding finding = JudgeResurrections(history, counts_); IsBroken(finding)) return finding;
    std::vector<Operation> registers;
    for (const Operation& operation : history) {
      if (WireClient::IsRegister(operation.key)) registers.push_back(operation);
    }
    counts_->Add("operations of sessions checked for causality", registers.size());
    const std::string problem = FindCausalAnomaly(registers);
    if (!problem.empty()) return {Status::Corruption("not causal: " + problem), std::move(registers)};
    return JudgeHistory(std::move(history), counts_, true);
  }
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
      Patience patience(clock);
      while (shared_.answered < enough) {
        if (!processes_->IsRunning()) return Status::Corruption("a server ended by itself: " + LastLineOf(JoinPath(dir_, "log")));
        if (!patience.Wait()) return Status::Corruption("a server does not answer any more");
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
  WireClients shared_;
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
    const Status made = MakeEmpty(place());
    if (!made.ok()) return {made, {}};
    Finding finding = ServerRun(processes_, place(), seed, counts).Run(lives);
    if (finding.status.ok()) static_cast<void>(RemoveTree(place()));
    return finding;
  }

  Processes* const processes_;
};

}  // namespace

std::unique_ptr<Campaign> ServerCampaign(Processes* processes) { return std::make_unique<ServerTrials>(processes); }

}  // namespace varve::torture
