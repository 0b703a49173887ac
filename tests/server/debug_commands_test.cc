// DEBUG, SAVE and CLUSTER, where the comparison with Redis cannot look.
#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace debug_commands_test {

class DebugCommandsTest : public ServerTest {};

TEST_F(DebugCommandsTest, NothingThatHarms) {
  const auto client = Connect();
  client->Call({"SET", "k", "v"});
  for (const std::string_view name : {"JMAP", "SEGFAULT", "PANIC", "RESTART", "CRASH-AND-RECOVER", "OOM", "ASSERT", "LEAK",
                                      "RELOAD", "FLUSHALL", "REPLICATE", "POPULATE", "LOADAOF", "MALLCTL"}) {
    EXPECT_EQ(client->Call({"DEBUG", name, "1"}),
              "-ERR unknown subcommand or wrong number of arguments for '" + std::string(name) +
                  "'. Try DEBUG HELP.\r\n");
  }
  EXPECT_EQ(client->Call({"GET", "k"}), "$1\r\nv\r\n");
}

TEST_F(DebugCommandsTest, SleepIsCounted) {
  const auto client = Connect();
  client->Call({"CONFIG", "SET", "latency-monitor-threshold", "100"});
  EXPECT_EQ(client->Call({"DEBUG", "SLEEP", "0.25"}), "+OK\r\n");
  EXPECT_TRUE(client->Call({"LATENCY", "LATEST"}).starts_with("*1\r\n*4\r\n$7\r\ncommand\r\n"));
  EXPECT_TRUE(client->Call({"LATENCY", "GRAPH", "command"}).find("command - high 250 ms") != std::string::npos);
  EXPECT_EQ(client->Call({"LATENCY", "RESET"}), ":1\r\n");
}

TEST_F(DebugCommandsTest, SavesFlush) {
  const auto client = Connect();
  for (const std::string_view name : {"SAVE", "BGSAVE", "BGREWRITEAOF"}) {
    client->Call({"SET", "k", name});
    const uint64_t before = db_->Stats().sync_count;
    EXPECT_TRUE(client->Call({name}).starts_with("+"));
    EXPECT_GT(db_->Stats().sync_count, before) << name;
  }
}

}  // namespace debug_commands_test
}  // namespace varve::server::test
