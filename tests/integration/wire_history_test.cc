// Histories of clients of a server that is killed and started again under them: every key is linearizable, over
// all lives of the server. What had no answer when it died has taken effect by then, or never.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "env/env.h"
#include "tests/support/checkers.h"
#include "tests/support/server_process.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"
#include "torture/now.h"
#include "torture/wire_client.h"

namespace varve::test {
namespace wire_history_test {

using torture::MonotonicNow;
using torture::WireClient;
using torture::WireClients;
using Words = std::vector<std::string>;

class WireHistoryTest : public ::testing::TestWithParam<const char*> {
 protected:
  // Ends one life of the server: after so many answers, mostly by a kill; sometimes while it starts.
  void LiveAndDie(ServerProcess* server, WireClients* clients, Random* random, const Words& options) {
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
    deaths_.push_back(MonotonicNow());
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
  WireClients shared;
  shared.endpoint.unix_path = server.path();
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

}  // namespace wire_history_test
}  // namespace varve::test
