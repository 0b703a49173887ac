#include <gtest/gtest.h>

#include <atomic>

#include "cli/top_frame.h"
#include "tests/cli/cli_fixture.h"
#include "tests/cli/scripted_terminal.h"
#include "tests/client/fake_server.h"

namespace varve::cli {
namespace top_test {

TopSample Sample(uint64_t seconds, uint64_t commands, const std::string& more = "") {
  return {seconds * 1'000'000'000,
          ServerInfo("# Server\r\nrun_id:a\r\nvarve_version:1.2\r\nuptime_in_seconds:75\r\n"
                     "total_commands_processed:" + std::to_string(commands) + "\r\n" + more)};
}

TEST(TopFiguresTest, RatesAreThoseBetweenTheLooks) {
  const TopFigures figures = FiguresOf(
      Sample(10, 1000, "keyspace_hits:10\r\nkeyspace_misses:0\r\ncmdstat_get:calls=5,usec=50\r\n"
                       "cmdstat_set:calls=7,usec=1\r\n"),
      Sample(12, 1500, "keyspace_hits:40\r\nkeyspace_misses:10\r\ncmdstat_get:calls=25,usec=150\r\n"
                       "cmdstat_set:calls=7,usec=1\r\ncmdstat_del:calls=2,usec=8\r\n"
                       "latency_percentiles_usec_get:p50=1.003,p99=9.023,p99.9=11.5\r\n"
                       "db0:keys=7,expires=0\r\ndb11:keys=4,expires=0\r\ndbx:keys=100\r\n"));
  EXPECT_DOUBLE_EQ(figures.commands_per_second, 250);
  EXPECT_DOUBLE_EQ(figures.hit_percent, 75);
  EXPECT_DOUBLE_EQ(figures.cache_hit_percent, -1);
  EXPECT_EQ(figures.keys, 11u);
  ASSERT_EQ(figures.commands.size(), 2u);
  EXPECT_EQ(figures.commands[0].name, "get");
  EXPECT_DOUBLE_EQ(figures.commands[0].calls_per_second, 10);
  EXPECT_DOUBLE_EQ(figures.commands[0].mean_micros, 5);
  EXPECT_EQ(figures.commands[0].p999, "11.5");
  EXPECT_EQ(figures.commands[1].name, "del");
}

TEST(TopFiguresTest, ARestartOrNoTimeGivesNoRates) {
  TopSample other = Sample(12, 500);
  other.info = ServerInfo("run_id:b\r\ntotal_commands_processed:500\r\n");
  EXPECT_EQ(FiguresOf(Sample(10, 100), other).commands_per_second, 0);
  EXPECT_EQ(FiguresOf(Sample(10, 100), Sample(10, 200)).commands_per_second, 0);
  // A counter that went back, as after CONFIG RESETSTAT.
  EXPECT_EQ(FiguresOf(Sample(10, 100), Sample(11, 50)).commands_per_second, 0);
}

class TopTest : public CliTest {
 protected:
  TopTest()
      : server_([this](const Words& request) -> std::optional<std::string> {
          if (request[0] != "INFO") return "-ERR unknown command\r\n";
          const std::string text = "run_id:a\r\nlsm_runs:3\r\nused_memory:1000\r\n"
                                   "total_commands_processed:" + std::to_string(++calls_) + "\r\n";
          return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
        }) {
    environment_.url = "redis://" + server_.endpoint().Name();
  }
  using Words = client::Words;
  std::atomic<int> calls_ = 0;
  client::FakeServer server_;
};

TEST_F(TopTest, LinesOfJsonWithoutATerminal) {
  EXPECT_EQ(RunLine({"top", "--interval", "1ms", "--count", "2", "--json"}), kExitOk) << err_;
  // The clock of the tests moves a millisecond a look.
  const std::string line = "{\"commands_per_second\":1000.000,\"input_bytes_per_second\":0.000,"
                           "\"output_bytes_per_second\":0.000,\"syncs_per_second\":0.000,\"clients\":0,"
                           "\"memory_bytes\":1000,\"keys\":0,\"commands\":[]}\n";
  EXPECT_EQ(out_, line + line);
}

TEST_F(TopTest, APictureOnATerminalUntilAKeyEndsIt) {
  ScriptedTerminal terminal({"", "", "q"});
  terminal_at_ = &terminal;
  EXPECT_EQ(RunLine({"top"}), kExitOk) << err_;
  EXPECT_NE(terminal.screen.find("commands            1,000/s"), std::string::npos) << terminal.screen;
  EXPECT_NE(terminal.screen.find("runs                3"), std::string::npos);
  EXPECT_TRUE(terminal.screen.ends_with("\x1b[?1049l"));
  EXPECT_EQ(terminal.open_count, 0);
  EXPECT_EQ(out_, "");
}

TEST_F(TopTest, LinesFitTheTerminal) {
  std::istringstream in;
  std::ostringstream out;
  const Console console{.in = in, .out = out, .err = out, .now_nanos = [] { return uint64_t{0}; }};
  resp::Reply slow;
  resp::ReplyParser parser;
  parser.Parse("*1\r\n*4\r\n:1\r\n:2\r\n:12000\r\n*2\r\n$3\r\nGET\r\n$90\r\n" + std::string(90, 'k') + "\r\n",
               &slow);
  const TopSample now = Sample(3, 10);
  const auto lines = TopLines("box", now, FiguresOf(now, now), slow, console, 40, 100);
  EXPECT_EQ(lines[0].find("box  varve 1.2  up 1:15 min"), 0u) << lines[0];
  EXPECT_NE(lines.back().find("12.0 ms  GET kkk"), std::string::npos) << lines.back();
  EXPECT_EQ(TopLines("box", now, FiguresOf(now, now), slow, console, 40, 5).size(), 5u);
}

TEST_F(TopTest, WhatMakesNoSenseIsRefused) {
  EXPECT_EQ(RunLine({"top", "--interval", "0s"}), kExitUsage);
  EXPECT_EQ(RunLine({"top", "--interval", "x"}), kExitUsage);
  EXPECT_EQ(RunLine({"top", "--count", "x"}), kExitUsage);
  EXPECT_EQ(RunLine({"--dir", "d", "top"}), kExitUsage);
  EXPECT_EQ(RunLine({"top", "--socket", "/nonexistent/socket"}), kExitConnection);
}

}  // namespace top_test
}  // namespace varve::cli
