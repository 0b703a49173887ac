// What is counted: commands, errors, times, events.
#include <thread>

#include "server/command_stats.h"
#include "server/latency_monitor.h"
#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace stats_test {

TEST(CommandTimes, BucketsCoverEverythingInOrder) {
  size_t last = 0;
  for (uint64_t nanos : {uint64_t{0}, uint64_t{1}, uint64_t{1023}, uint64_t{1024}, uint64_t{1279}, uint64_t{1280},
                         uint64_t{2047}, uint64_t{2048}, uint64_t{1'000'000}, (uint64_t{1} << 40) - 1,
                         uint64_t{1} << 40, ~uint64_t{0}}) {
    const size_t bucket = CommandTimes::BucketOf(nanos);
    ASSERT_LT(bucket, CommandTimes::kCount) << nanos;
    EXPECT_GE(bucket, last) << nanos;
    if (bucket + 1 < CommandTimes::kCount) {
      EXPECT_LT(nanos, CommandTimes::EndOf(bucket));
      if (bucket > 0) {
        EXPECT_GE(nanos, CommandTimes::EndOf(bucket - 1));
      }
    }
    last = bucket;
  }
}

TEST(CommandTotals, PercentilesAreNotTooSmallAndHardlyTooLarge) {
  CommandTotals totals;
  EXPECT_EQ(totals.Percentile(50), 0u);
  for (uint64_t micros = 1; micros <= 1000; ++micros) ++totals.times[CommandTimes::BucketOf(micros * 1000)];
  for (const double percent : {50.0, 90.0, 99.0, 99.9, 100.0}) {
    const double exact = percent * 10'000;
    EXPECT_GE(static_cast<double>(totals.Percentile(percent)), exact);
    EXPECT_LE(static_cast<double>(totals.Percentile(percent)), exact * 1.26);
  }
}

const Command& Named(std::string_view name) { return *FindCommandByFullName(name); }

TEST(CommandStats, LoopsAddUpAndResetsLoseNothing) {
  CommandStats stats(2);
  constexpr uint64_t kCalls = 20000;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&stats, i] {
      for (uint64_t n = 0; n < kCalls; ++n) stats.loop(i).NoteCall(Named("get"), 2000, n % 2 == 0);
    });
  }
  // Whatever a reset hides was counted before it: the sum never goes back below what is seen after.
  for (int i = 0; i < 20; ++i) stats.Reset();
  for (std::thread& thread : threads) thread.join();
  const uint64_t left = stats.Totals()[static_cast<size_t>(Named("get").id)].calls;
  EXPECT_LE(left, 2 * kCalls);
  stats.Reset();
  stats.loop(0).NoteRejected(Named("config|get"));
  stats.loop(1).NoteCall(Named("get"), 5000, true);
  const auto totals = stats.Totals();
  EXPECT_EQ(totals[static_cast<size_t>(Named("get").id)].calls, 1u);
  EXPECT_EQ(totals[static_cast<size_t>(Named("get").id)].nanos, 5000u);
  EXPECT_EQ(totals[static_cast<size_t>(Named("get").id)].failed, 1u);
  EXPECT_EQ(totals[static_cast<size_t>(Named("config|get").id)].rejected, 1u);
}

TEST(CommandStats, KindsOfErrorsAreBounded) {
  CommandStats stats(1);
  for (int i = 0; i < 1000; ++i) stats.NoteError("E" + std::to_string(i) + " text\r\n");
  EXPECT_EQ(stats.Errors().size(), 128u);
}

TEST(LatencyMonitor, KeepsTheWorstOfASecondAndTheNewest) {
  LatencyMonitor monitor;
  monitor.Note("command", 50'000'000, 1000);
  EXPECT_TRUE(monitor.All().empty()) << "nothing is watched";
  monitor.set_limit_millis(10);
  monitor.Note("command", 9'999'999, 1000);
  EXPECT_TRUE(monitor.All().empty());
  monitor.Note("command", 10'000'000, 1000);
  monitor.Note("command", 30'000'000, 1999);
  monitor.Note("command", 20'000'000, 1500);
  auto series = monitor.All().at("command");
  ASSERT_EQ(series.samples.size(), 1u);
  EXPECT_EQ(series.samples[0].millis, 30u);
  for (uint64_t second = 2; second < 500; ++second) monitor.Note("command", 11'000'000, second * 1000);
  series = monitor.All().at("command");
  EXPECT_EQ(series.samples.size(), 160u);
  EXPECT_EQ(series.samples.back().second, 499u);
  EXPECT_EQ(series.max_millis, 30u) << "also of those that are gone";
  EXPECT_TRUE(monitor.Reset("command"));
  EXPECT_FALSE(monitor.Reset("command"));
}

TEST(Rates, AreOverTheTimeBetweenLooksOfASecondAtLeast) {
  constexpr uint64_t kSecond = kNanosPerSecond;
  Rates rates(10 * kSecond);
  EXPECT_EQ(rates.PerSecond(10 * kSecond + 1, {500, 0, 0}).commands, 500u) << "less than a second is taken for one";
  EXPECT_EQ(rates.PerSecond(12 * kSecond, {1000, 2048, 4096}).commands, 500u);
  EXPECT_EQ(rates.PerSecond(16 * kSecond, {3000, 2048, 8192}).commands, 500u);
  EXPECT_EQ(rates.PerSecond(16 * kSecond, {3000, 2048, 8192}).output_bytes, 1024u) << "asked again at once: the same";
  EXPECT_EQ(rates.PerSecond(16 * kSecond, {3000, 2048, 8192}).input_bytes, 0u);
  EXPECT_EQ(rates.PerSecond(18 * kSecond, {10, 0, 0}).commands, 5u) << "counted from 0 since a reset";
}

class StatsTest : public ServerTest {};

TEST_F(StatsTest, InfoCountsCommandsAndErrors) {
  const auto a = Connect(0);
  const auto b = Connect(1);
  a->Call({"SET", "k", "v"});
  b->Call({"SET", "k", "v"});
  b->Call({"SET", "k"});
  b->Call({"INCR", "k"});
  a->Call({"MULTI"});
  a->Call({"GET", "k"});
  a->Call({"INCR", "k"});
  a->Call({"EXEC"});
  const std::string stats = a->Call({"INFO", "commandstats"});
  const auto line = [&](std::string_view text, std::string_view name) {
    const size_t begin = text.find("cmdstat_" + std::string(name) + ":");
    return begin == text.npos ? std::string() : std::string(text.substr(begin, text.find('\r', begin) - begin));
  };
  EXPECT_TRUE(line(stats, "set").starts_with("cmdstat_set:calls=2,")) << stats;
  EXPECT_TRUE(line(stats, "set").ends_with(",rejected_calls=1,failed_calls=0")) << stats;
  EXPECT_TRUE(line(stats, "incr").starts_with("cmdstat_incr:calls=2,")) << stats;
  EXPECT_TRUE(line(stats, "incr").ends_with(",failed_calls=2")) << stats;
  EXPECT_TRUE(line(stats, "get").starts_with("cmdstat_get:calls=1,")) << stats;
  EXPECT_NE(a->Call({"INFO", "errorstats"}).find("errorstat_ERR:count=3\r\n"), std::string::npos);
  EXPECT_NE(a->Call({"INFO", "everything"}).find("latency_percentiles_usec_set:p50="), std::string::npos);
  EXPECT_NE(a->Call({"LATENCY", "HISTOGRAM", "set"}).find("$5\r\ncalls\r\n:2\r\n"), std::string::npos);
  EXPECT_NE(a->Call({"INFO", "stats"}).find("\r\ninstantaneous_ops_per_sec:"), std::string::npos);
  EXPECT_EQ(a->Call({"CONFIG", "RESETSTAT"}), "+OK\r\n");
  EXPECT_EQ(line(a->Call({"INFO", "commandstats"}), "set"), "");
}

TEST_F(StatsTest, AStoreThatFailsIsNotReliedOnUntilItWorksAgain) {
  const auto client = Connect();
  EXPECT_EQ(service_->StoreFailure(), "");
  client->Call({"SET", "k", "v"});
  service_->NoteStoreFailure("MISCONF it was full");
  EXPECT_EQ(service_->StoreFailure(), "MISCONF it was full");
  EXPECT_NE(client->Call({"INFO", "persistence"}).find("aof_last_write_status:err"), std::string::npos);
  AdvanceMillis(4900);
  EXPECT_EQ(service_->StoreFailure(), "MISCONF it was full") << "others may fail as well";
  AdvanceMillis(200);
  EXPECT_EQ(service_->StoreFailure(), "") << "it takes a write";
  EXPECT_EQ(client->Call({"DBSIZE"}), ":1\r\n") << "which nobody sees";
  EXPECT_NE(client->Call({"INFO", "persistence"}).find("aof_last_write_status:ok"), std::string::npos);
}

TEST_F(StatsTest, PrometheusHasStoreAndServer) {
  const auto client = Connect();
  client->Call({"SET", "k", "v"});
  client->Call({"SET", "k"});
  const std::string text = client->Call({"V.STATS", "PROMETHEUS"});
  EXPECT_NE(text.find("\nvarve_server_commands_total{command=\"set\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nvarve_server_errors_total{error=\"ERR\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("\nvarve_operations_total{"), std::string::npos);
  EXPECT_NE(client->Call({"V.STATS"}).size(), 0u);
  EXPECT_EQ(client->Call({"V.STATS", "x"}), "-ERR syntax error\r\n");
  EXPECT_EQ(client->Call({"V.STATS", "PROMETHEUS", "x"}), "-ERR syntax error\r\n");
}

TEST_F(StatsTest, GetsAreExplained) {
  const auto client = Connect();
  client->Call({"SET", "k", "value"});
  const std::string present = client->Call({"V.EXPLAIN", "k"});
  EXPECT_NE(present.find("\nanswer: value of 5 bytes"), std::string::npos) << present;
  client->Call({"DEL", "k"});
  EXPECT_NE(client->Call({"V.EXPLAIN", "k"}).find("\nanswer: tombstone"), std::string::npos);
  client->Call({"SELECT", "1"});
  EXPECT_NE(client->Call({"V.EXPLAIN", "k"}).find("answer: nothing"), std::string::npos);
  client->Call({"HELLO", "3"});
  EXPECT_TRUE(client->Call({"V.EXPLAIN", "k"}).starts_with("=")) << "a text for people";
}

}  // namespace stats_test
}  // namespace varve::server::test
