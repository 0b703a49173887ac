#include <gtest/gtest.h>

#include "tests/cli/cli_fixture.h"
#include "tests/client/fake_server.h"

namespace varve::cli {
namespace bench_command_test {

using client::Words;

class BenchCommandTest : public CliTest {
 protected:
  BenchCommandTest()
      : server_([store = client::NewFakeStore(true)] { return NewStoreSession(store); }) {
    environment_.url = "redis://" + server_.endpoint().Name();
  }
  client::FakeServer server_;
};

TEST_F(BenchCommandTest, PrintsEachCommandOfTheMix) {
  EXPECT_EQ(RunLine({"bench", "--requests", "200", "--connections", "3", "--mix", "get=1,set=3",
                     "--keys", "10", "--json", "--fill"}), kExitOk) << err_;
  EXPECT_EQ(out_.find("{\"loop\":\"closed\",\"connections\":3,\"pipeline\":1,\"requests\":200,"), 0u) << out_;
  EXPECT_NE(out_.find("\"command\":\"get\""), std::string::npos);
  EXPECT_NE(out_.find("\"command\":\"set\""), std::string::npos);
  EXPECT_NE(out_.find("\"p999_ns\":"), std::string::npos);
  // The keys were there: --fill has put them.
  EXPECT_NE(out_.find("\"errors\":0,\"nulls\":0"), std::string::npos) << out_;
  EXPECT_EQ(server_.Requests().size(), 210u);
}

TEST_F(BenchCommandTest, SendsAnyCommandInAnOpenLoop) {
  EXPECT_EQ(RunLine({"bench", "--requests", "50", "--rate", "100000", "--command", "ECHO 'a __key__'"}),
            kExitOk) << err_;
  EXPECT_NE(out_.find("loop\topen\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("requests\t50\n"), std::string::npos) << out_;
  EXPECT_EQ(server_.Requests().back()[1].find("a key:"), 0u);
}

TEST_F(BenchCommandTest, ErrorsOfTheServerAreFailures) {
  EXPECT_EQ(RunLine({"bench", "--requests", "5", "--command", "NOSUCH"}), kExitError);
  EXPECT_NE(err_.find("first: ERR unknown command"), std::string::npos) << err_;
  EXPECT_EQ(RunLine({"bench", "--socket", "/nonexistent/socket"}), kExitConnection);
}

TEST_F(BenchCommandTest, WhatMakesNoSenseIsRefused) {
  for (const Words& words : std::vector<Words>{
           {"bench", "--mix", "gte=1"}, {"bench", "--mix", "get=x"}, {"bench", "--mix", "get=0"},
           {"bench", "--mix", ""}, {"bench", "--command", "'"}, {"bench", "--command", "X", "--mix", "get"},
           {"bench", "--rate", "5", "--pipeline", "2"}, {"bench", "--time", "x"},
           {"bench", "--connections", "0"}, {"bench", "--keys", "0"}, {"--dir", "d", "bench"}}) {
    EXPECT_EQ(RunLine(words), kExitUsage) << words.back();
  }
}

}  // namespace bench_command_test
}  // namespace varve::cli
