// Publishing and subscribing, notifications, monitors and the slow log.
#include <chrono>
#include <thread>

#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace pubsub_test {

class PubSubTest : public ServerTest {};

TEST_F(PubSubTest, MessagesGoToWhoeverSubscribed) {
  const auto a = Connect(0);
  const auto b = Connect(1);
  const auto c = Connect(1);
  EXPECT_EQ(a->Call({"SUBSCRIBE", "news"}), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
  b->Call({"HELLO", "3"});
  EXPECT_EQ(b->Call({"PSUBSCRIBE", "n*"}), ">3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:1\r\n");
  EXPECT_EQ(c->Call({"PUBLISH", "news", "x"}), ":2\r\n");
  EXPECT_EQ(a->Hear(), "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n");
  EXPECT_EQ(b->Hear(), ">4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$1\r\nx\r\n");
  EXPECT_EQ(c->Hear(), "");
  EXPECT_EQ(b->Call({"GET", "k"}), "_\r\n");
  EXPECT_TRUE(a->Call({"GET", "k"}).starts_with("-ERR Can't execute 'get'"));
  a->Call({"UNSUBSCRIBE"});
  EXPECT_EQ(a->Call({"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(c->Call({"PUBLISH", "news", "x"}), ":1\r\n");
  b->Call({"RESET"});
  EXPECT_EQ(c->Call({"PUBLISH", "news", "x"}), ":0\r\n");
}

TEST_F(PubSubTest, WhoHasGoneHearsNothing) {
  const auto a = Connect();
  {
    const auto b = Connect(1);
    b->Call({"SUBSCRIBE", "x", "y"});
    b->Call({"PSUBSCRIBE", "*"});
    EXPECT_EQ(a->Call({"PUBLISH", "x", "1"}), ":2\r\n");
  }
  EXPECT_EQ(a->Call({"PUBLISH", "x", "1"}), ":0\r\n");
  EXPECT_EQ(a->Call({"PUBSUB", "CHANNELS"}), "*0\r\n");
  EXPECT_TRUE(service_->pubsub().empty());
}

// A change that is taken back is not told of, and one that is tried again once.
TEST_F(PubSubTest, EventsAreToldWhenTheyAreCommitted) {
  const auto a = Connect(0);
  const auto b = Connect(1);
  const auto listener = Connect(1);
  a->Call({"CONFIG", "SET", "notify-keyspace-events", "E$"});
  listener->Call({"PSUBSCRIBE", "*"});
  a->Call({"WATCH", "w"});
  a->Call({"MULTI"});
  a->Call({"SET", "k", "v"});
  EXPECT_EQ(listener->Hear(), "");
  b->Call({"SET", "w", "1"});
  EXPECT_TRUE(listener->Hear().ends_with("$1\r\nw\r\n"));
  EXPECT_EQ(a->Call({"EXEC"}), "*-1\r\n");
  EXPECT_EQ(listener->Hear(), "");
  a->Call({"MULTI"});
  a->Call({"SET", "k", "v"});
  a->Call({"EXEC"});
  const std::string heard = listener->Hear();
  EXPECT_TRUE(heard.ends_with("__keyevent@0__:set\r\n$1\r\nk\r\n")) << heard;
  a->Call({"CONFIG", "SET", "notify-keyspace-events", ""});
  a->Call({"SET", "k", "v"});
  EXPECT_EQ(listener->Hear(), "");
}

TEST_F(PubSubTest, PatternsMatchWhatTheySay) {
  const auto a = Connect(0);
  const auto listener = Connect(1);
  listener->Call({"PSUBSCRIBE", "n[a-c]*"});
  EXPECT_EQ(a->Call({"PUBLISH", "nd", "1"}), ":0\r\n");
  EXPECT_EQ(a->Call({"PUBLISH", "xna", "1"}), ":0\r\n");
  EXPECT_EQ(listener->Hear(), "");
  EXPECT_EQ(a->Call({"PUBLISH", "nb", "1"}), ":1\r\n");
  EXPECT_TRUE(listener->Hear().ends_with("$2\r\nnb\r\n$1\r\n1\r\n"));
}

TEST_F(PubSubTest, NothingIsToldOfWhatFails) {
  const auto a = Connect(0);
  const auto listener = Connect(1);
  a->Call({"SET", "k", "v"});
  a->Call({"CONFIG", "SET", "notify-keyspace-events", "EA"});
  listener->Call({"PSUBSCRIBE", "*"});
  a->Call({"MULTI"});
  a->Call({"DEL", "k"});
  // Longer than keys of the store may be: the transaction as a whole fails.
  const std::string long_key(70'000, 'k');
  EXPECT_EQ(a->Call({"SET", long_key, "v"}), "+QUEUED\r\n");
  EXPECT_TRUE(a->Call({"EXEC"}).starts_with("-ERR"));
  EXPECT_EQ(a->Call({"EXISTS", "k"}), ":1\r\n");
  EXPECT_EQ(listener->Hear(), "");
}

// An attempt has been made, and what it would have told is known, when a watched key changes.
TEST_F(PubSubTest, NothingIsToldOfWhatIsRefusedAtLast) {
  const auto a = Connect(0);
  const auto listener = Connect(1);
  a->Call({"MSET", "k", "v", "w", "1"});
  a->Call({"CONFIG", "SET", "notify-keyspace-events", "Eg"});
  const Result<Namespace*> space = service_->databases().Get(0);
  ASSERT_OK(space);
  listener->Call({"SUBSCRIBE", "news", "__keyevent@0__:del"});
  listener->set_on_message([&] { EXPECT_OK((*space)->Put("w", "2")); });
  a->Call({"WATCH", "w"});
  a->Call({"MULTI"});
  a->Call({"DEL", "k"});
  a->Call({"PUBLISH", "news", "now"});
  a->Call({"GET", "w"});
  EXPECT_EQ(a->Call({"EXEC"}), "*-1\r\n");
  EXPECT_EQ(a->Call({"EXISTS", "k"}), ":1\r\n");
  EXPECT_EQ(listener->Hear().find("__keyevent"), std::string::npos);
}

TEST_F(PubSubTest, ExpiryIsToldWithoutAnybodyReading) {
  const auto a = Connect(0);
  const auto listener = Connect(1);
  a->Call({"CONFIG", "SET", "notify-keyspace-events", "Ex"});
  listener->Call({"SUBSCRIBE", "__keyevent@3__:expired"});
  a->Call({"SELECT", "3"});
  a->Call({"SET", "k", "v", "PX", "1000"});
  a->Call({"SET", "other", "v", "PX", "100000"});
  AdvanceMillis(1500);
  std::string heard;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (heard.empty() && std::chrono::steady_clock::now() < give_up) {
    AdvanceMillis(1);
    std::this_thread::yield();
    heard = listener->Hear();
  }
  EXPECT_TRUE(heard.ends_with("$1\r\nk\r\n")) << heard;
  EXPECT_EQ(listener->Hear(), "");
}

TEST_F(PubSubTest, MonitorsSeeCommandsButNoSecrets) {
  const auto monitor = Connect(1);
  const auto a = Connect(0);
  EXPECT_EQ(monitor->Call({"MONITOR"}), "+OK\r\n");
  a->Call({"SET", "k", std::string_view("\"\n\x01", 3)});
  a->Call({"AUTH", "secret"});
  a->Call({"CONFIG", "SET", "slowlog-max-len", "5"});
  a->Call({"MULTI"});
  a->Call({"GET", "k"});
  a->Call({"EXEC"});
  const std::string heard = monitor->Hear();
  EXPECT_NE(heard.find(" [0 127.0.0.1:2] \"SET\" \"k\" \"\\\"\\n\\x01\"\r\n"), heard.npos) << heard;
  EXPECT_NE(heard.find("\"MULTI\"\r\n"), heard.npos);
  EXPECT_NE(heard.find("\"GET\" \"k\"\r\n"), heard.npos);
  EXPECT_EQ(heard.find("secret"), heard.npos);
  EXPECT_EQ(heard.find("slowlog"), heard.npos);
  monitor->Call({"RESET"});
  monitor->Hear();  // that, too
  a->Call({"PING"});
  EXPECT_EQ(monitor->Hear(), "");
}

TEST_F(PubSubTest, SlowlogKeepsTheNewest) {
  const auto a = Connect();
  a->Call({"CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "3"});
  for (int i = 0; i < 5; ++i) a->Call({"SET", "k" + std::to_string(i), std::string(200, 'x')});
  EXPECT_EQ(a->Call({"SLOWLOG", "LEN"}), ":3\r\n");
  a->Call({"SET", "last", std::string(200, 'x')});
  const std::string entries = a->Call({"SLOWLOG", "GET", "1"});
  EXPECT_NE(entries.find("last"), entries.npos) << entries;
  EXPECT_NE(entries.find(std::string(128, 'x') + "... (72 more bytes)"), entries.npos);
  EXPECT_NE(entries.find("127.0.0.1:1"), entries.npos);
  a->Call({"CONFIG", "SET", "slowlog-log-slower-than", "-1"});
  EXPECT_EQ(a->Call({"SLOWLOG", "RESET"}), "+OK\r\n");
  a->Call({"PING"});
  EXPECT_EQ(a->Call({"SLOWLOG", "LEN"}), ":0\r\n");
}

}  // namespace pubsub_test
}  // namespace varve::server::test
