// What clients make the server remember, and how large replies can be, is bounded.
#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace limits_test {

class LimitsTest : public ServerTest {
 protected:
  void SetUp() override {
    Options options;
    options.net.memory_budget_bytes = 64 << 10;
    options.net.pause_output_bytes = 1 << 10;
    options.net.max_output_bytes = 101 << 10;
    Start(options);
    const auto client = Connect();
    for (int i = 0; i < 4; ++i) client->Call({"SET", "k" + std::to_string(i), std::string(30 << 10, 'v')});
  }
  static bool IsTooLarge(std::string_view reply) {
    return reply.starts_with("-ERR the reply would have more than 102400 bytes: ask for less");
  }
};

TEST_F(LimitsTest, RepliesAreWholeOrErrors) {
  const auto client = Connect();
  EXPECT_TRUE(client->Call({"MGET", "k0", "k1", "k2"}).starts_with("*3\r\n$30720\r\n"));
  const std::vector<std::vector<std::string_view>> larger = {
      {"MGET", "k0", "k1", "k2", "k3"}, {"V.RANGE", "", ""}, {"V.RANGE", "", "", "REV"}, {"V.TREE", ""}};
  for (const auto& words : larger) EXPECT_TRUE(IsTooLarge(client->Call(words))) << words[0];
  EXPECT_EQ(client->Call({"V.RANGE", "", "", "KEYS", "LIMIT", "1"}), "*1\r\n$2\r\nk0\r\n");
  EXPECT_TRUE(client->Call({"V.RANGE", "", "", "LIMIT", "3"}).starts_with("*6\r\n"));
  // The limit is one reply's, not that of all in a row.
  const std::string three = Encode({"MGET", "k0", "k1", "k2"});
  EXPECT_GT(client->Send(three + three + Encode({"PING"})).size(), 6u * (30 << 10));
}

TEST_F(LimitsTest, KeysAreBoundedToo) {
  const auto client = Connect();
  for (int i = 0; i < 110; ++i) client->Call({"SET", std::string(1000, 'x') + std::to_string(i), "1"});
  EXPECT_TRUE(IsTooLarge(client->Call({"KEYS", "*"})));
  EXPECT_EQ(client->Call({"KEYS", "k0"}), "*1\r\n$2\r\nk0\r\n");
}

// A transaction whose replies are too large is not executed at all.
TEST_F(LimitsTest, ExecIsAllOrNothing) {
  const auto client = Connect();
  client->Send(Encode({"MULTI"}) + Encode({"SET", "new", "1"}));
  for (const std::string_view key : {"k0", "k1", "k2", "k3"}) client->Call({"GET", key});
  EXPECT_TRUE(IsTooLarge(client->Call({"EXEC"})));
  EXPECT_EQ(client->Call({"EXISTS", "new"}), ":0\r\n");
}

TEST_F(LimitsTest, QueuesShareOneBudgetAndGiveItBack) {
  const auto client = Connect();
  const auto other = Connect();
  const std::string value(20 << 10, 'v');
  client->Call({"MULTI"});
  other->Call({"MULTI"});
  EXPECT_EQ(client->Call({"SET", "a", value}), "+QUEUED\r\n");
  EXPECT_EQ(client->Call({"SET", "b", value}), "+QUEUED\r\n");
  EXPECT_EQ(other->Call({"SET", "c", value}), "+QUEUED\r\n");
  EXPECT_EQ(other->Call({"SET", "d", value}), "-ERR there is no memory for more queued commands\r\n");
  EXPECT_TRUE(other->Call({"EXEC"}).starts_with("-EXECABORT"));
  EXPECT_EQ(client->Call({"SET", "b", value}), "+QUEUED\r\n");
  EXPECT_EQ(client->Call({"EXEC"}), "*3\r\n+OK\r\n+OK\r\n+OK\r\n");
  for (int i = 0; i < 10; ++i) {
    const auto gone = Connect();
    gone->Call({"MULTI"});
    EXPECT_EQ(gone->Call({"SET", "e", value}), "+QUEUED\r\n") << i;
  }
  EXPECT_EQ(client->Call({"EXISTS", "c", "d"}), ":0\r\n");
}

TEST_F(LimitsTest, WatchedKeysAndChannelsCountAsWell) {
  const auto client = Connect();
  std::string reply;
  for (int i = 0; i < 1000 && !reply.starts_with("-"); ++i) reply = client->Call({"WATCH", "k" + std::to_string(i)});
  EXPECT_EQ(reply, "-ERR there is no memory for more watched keys\r\n");
  EXPECT_EQ(client->Call({"UNWATCH"}), "+OK\r\n");
  EXPECT_EQ(client->Call({"WATCH", "k0"}), "+OK\r\n");
  const auto listener = Connect();
  const std::string name(10 << 10, 'c');
  for (int i = 0; i < 10; ++i) {
    listener->Call({"SUBSCRIBE", name + std::to_string(i)});
    if (i < 5) {
      EXPECT_EQ(listener->turn().next, net::Turn::Next::kRead) << i;
    }
    if (listener->turn().next == net::Turn::Next::kCloseAfterReplies) return;
  }
  FAIL() << "subscriptions without end";
}

TEST_F(LimitsTest, NamesOfChannelsAreGivenBack) {
  const auto listener = Connect();
  const std::string name(10 << 10, 'c');
  for (int i = 0; i < 100; ++i) {
    listener->Call({"SUBSCRIBE", name});
    listener->Call({"UNSUBSCRIBE", name});
    ASSERT_EQ(listener->turn().next, net::Turn::Next::kRead) << i;
  }
}

}  // namespace limits_test
}  // namespace varve::server::test
