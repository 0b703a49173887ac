#include "client/load_generator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "client/client.h"
#include "client/load_workload.h"
#include "tests/client/fake_server.h"

namespace varve::client {
namespace load_generator_test {

// Each look at it takes a millisecond; tests move it further.
class TickingClock : public Clock {
 public:
  uint64_t MonotonicNanos() const override { return now_.fetch_add(1'000'000) + 1'000'000; }
  uint64_t WallMillis() const override { return 0; }
  void SleepNanos(uint64_t nanos) override { now_ += nanos; }

 private:
  mutable std::atomic<uint64_t> now_{0};
};

std::vector<StreamSocket> Connect(const FakeServer& server, size_t count) {
  std::vector<StreamSocket> sockets;
  for (size_t i = 0; i < count; ++i) {
    auto client = Client::Connect(server.endpoint());
    EXPECT_TRUE(client.ok()) << client.status().ToString();
    sockets.push_back(Client::Release(*std::move(client)));
  }
  return sockets;
}

const std::vector<LoadCommand> kPing = {{"ping", {"PING"}}};

TEST(LoadGeneratorTest, ClosedLoopSendsExactlyWhatIsAskedFor) {
  for (const size_t pipeline : {1, 7, 64}) {
    FakeServer server([](const Words&) { return "+PONG\r\n"; });
    LoadWorkload workload(kPing, {});
    LoadGenerator generator(Connect(server, 3), &workload, Env::Default()->clock());
    const auto result = generator.Run({.requests = 100, .pipeline = pipeline});
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(result->Count(), 100u);
    EXPECT_EQ(result->received_bytes, 700u);
    EXPECT_EQ(result->sent_bytes, 1400u);
    EXPECT_EQ(server.Requests().size(), 100u);
  }
}

TEST(LoadGeneratorTest, CountsErrorsAndNullsOfEachCommand) {
  FakeServer server([](const Words& request) {
    if (request[0] == "GET") return "$-1\r\n";
    return request[0] == "SET" ? "+OK\r\n" : "-ERR no\r\n";
  });
  LoadWorkload workload({{"get", {"GET", "__key__"}, 2}, {"set", {"SET", "__key__", "__value__"}, 1},
                         {"bad", {"BAD"}, 1}}, {});
  LoadGenerator generator(Connect(server, 2), &workload, Env::Default()->clock());
  const auto result = generator.Run({.requests = 400, .pipeline = 10});
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->kinds.size(), 3u);
  EXPECT_EQ(result->kinds[0].nulls, result->kinds[0].latency_nanos.count());
  EXPECT_EQ(result->kinds[1].nulls + result->kinds[1].errors, 0u);
  EXPECT_EQ(result->kinds[2].errors, result->kinds[2].latency_nanos.count());
  EXPECT_EQ(result->first_error, "ERR no");
  EXPECT_GT(result->kinds[0].latency_nanos.count(), result->kinds[1].latency_nanos.count());
}

// Goal: coordinated omission is avoided. Method: a server that stands still for a second, once. Of the
// thousand requests that came due meanwhile half are answered half a second late or more; in a closed
// loop it is those few that were under way.
TEST(LoadGeneratorTest, APauseShowsInAllRequestsThatCameDueDuringIt) {
  for (const bool is_open : {true, false}) {
    TickingClock clock;
    std::atomic<int> calls = 0;
    FakeServer server([&](const Words&) {
      if (++calls == 10) clock.SleepNanos(1'000'000'000);
      return "+PONG\r\n";
    });
    LoadWorkload workload(kPing, {});
    LoadGenerator generator(Connect(server, 2), &workload, &clock);
    const auto result = generator.Run({.requests = 2000, .rate = is_open ? 1000.0 : 0.0,
                                       .reply_timeout_nanos = 3'600'000'000'000});
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    const Histogram& latency = result->kinds[0].latency_nanos;
    EXPECT_EQ(latency.count(), 2000u);
    EXPECT_GE(latency.max(), 990'000'000u);
    if (is_open) { EXPECT_GE(latency.Percentile(76), 480'000'000u); }
  }
}

TEST(LoadGeneratorTest, TheRateIsKept) {
  TickingClock clock;
  FakeServer server([](const Words&) { return "+PONG\r\n"; });
  LoadWorkload workload(kPing, {});
  LoadGenerator generator(Connect(server, 4), &workload, &clock);
  // By the clock of the test: not faster than asked for.
  const auto result = generator.Run({.duration_nanos = 2'000'000'000, .rate = 1000,
                                     .reply_timeout_nanos = 3'600'000'000'000});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->Count(), 2000u);
  EXPECT_GE(result->elapsed_nanos, 1'990'000'000u);
}

TEST(LoadGeneratorTest, FailuresEndTheRun) {
  LoadWorkload workload(kPing, {});
  {
    FakeServer server([](const Words&) -> std::optional<std::string> { return std::nullopt; });
    LoadGenerator generator(Connect(server, 2), &workload, Env::Default()->clock());
    EXPECT_EQ(generator.Run({.requests = 10}).status().code(), StatusCode::kUnavailable);
  }
  {
    FakeServer server([](const Words&) { return "nonsense\r\n"; });
    LoadGenerator generator(Connect(server, 2), &workload, Env::Default()->clock());
    EXPECT_EQ(generator.Run({.requests = 10}).status().code(), StatusCode::kUnavailable);
  }
  {
    FakeServer server([](const Words&) { return "+one\r\n+too many\r\n"; });
    LoadGenerator generator(Connect(server, 1), &workload, Env::Default()->clock());
    EXPECT_EQ(generator.Run({.requests = 10}).status().code(), StatusCode::kUnavailable);
  }
  {
    FakeServer server([](const Words&) { return ""; });
    LoadGenerator generator(Connect(server, 2), &workload, Env::Default()->clock());
    EXPECT_EQ(generator.Run({.requests = 10, .reply_timeout_nanos = 1'000'000}).status().code(),
              StatusCode::kTimedOut);
  }
}

TEST(LoadWorkloadTest, KeysValuesAndMarks) {
  EXPECT_EQ(LoadKey({.key_bytes = 12}, 34), "key:00000034");
  EXPECT_EQ(LoadKey({.key_bytes = 1}, 34), "key:34");
  FakeServer server([](const Words&) { return "+OK\r\n"; });
  LoadWorkload workload({{"x", {"X", "a__key__b", "__value__", "__other__"}, 1}},
                        {.keys = 3, .key_bytes = 5, .value_bytes = 10}, /*in_order=*/true);
  LoadGenerator generator(Connect(server, 1), &workload, Env::Default()->clock());
  ASSERT_TRUE(generator.Run({.requests = 4}).ok());
  const std::vector<Words> requests = server.Requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[0][1], "akey:0b");
  EXPECT_EQ(requests[2][1], "akey:2b");
  EXPECT_EQ(requests[3][1], "akey:0b");
  EXPECT_EQ(requests[0][2].size(), 10u);
  EXPECT_EQ(requests[0][3], "__other__");
}

TEST(LoadWorkloadTest, TheSeedDecides) {
  const auto bytes = [](uint64_t seed) {
    LoadWorkload workload({{"get", {"GET", "__key__"}, 1}, {"set", {"SET", "__key__", "__value__"}, 3}},
                          {.seed = seed});
    std::string all;
    for (int i = 0; i < 100; ++i) workload.Append(&all);
    return all;
  };
  EXPECT_EQ(bytes(1), bytes(1));
  EXPECT_NE(bytes(1), bytes(2));
}

}  // namespace load_generator_test
}  // namespace varve::client
