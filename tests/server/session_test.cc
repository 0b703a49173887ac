// Sessions without sockets: any split of the bytes, authentication, transactions, pauses, databases.
#include <thread>

#include "server/session.h"
#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace session_test {

using Next = net::Turn::Next;

class SessionTest : public ServerTest {};

// Requests of both kinds, and every state that a session has.
std::string Conversation() {
  std::string bytes = "PING\r\n\r\nSET  inline  \"a b\\x41\"\n";
  for (const std::vector<std::string_view>& args : std::vector<std::vector<std::string_view>>{
           {"SET", "k", std::string_view("\0\r\n$5", 5)},
           {"GET", "k"},
           {"SET", "n", "10", "EX", "100"},
           {"MULTI"},
           {"INCR", "n"},
           {"GET", "inline"},
           {"EXEC"},
           {"HELLO", "3"},
           {"MGET", "k", "absent", "n"},
           {"CLIENT", "REPLY", "SKIP"},
           {"PING"},
           {"NOSUCH", "x"},
           {"CLIENT", "REPLY", "OFF"},
           {"PING"},
           {"CLIENT", "REPLY", "ON"},
           {"SELECT", "3"},
           {"DBSIZE"},
           {"FLUSHALL"},
           {"RESET"},
           {"QUIT"}}) {
    bytes += Encode(args);
  }
  return bytes;
}

TEST_F(SessionTest, StrangersHaveLittleTimeAndRoom) {
  Options options;
  options.password = "secret";
  Restart(options);
  const auto client = Connect();
  EXPECT_EQ(client->lifetime_millis(), kMillisToAuthenticate);
  std::string requests;
  for (int i = 0; i < 10'000; ++i) requests += "GET k\r\n";
  const std::string errors = client->Send(requests);
  EXPECT_EQ(client->turn().next, net::Turn::Next::kClose);
  EXPECT_LT(errors.size(), kMaxOutputBeforeAuth + 100);
  const auto known = Connect();
  EXPECT_EQ(known->Call({"AUTH", "secret"}), "+OK\r\n");
  EXPECT_EQ(known->lifetime_millis(), 0u);
  EXPECT_EQ(known->Send(requests).size(), 10'000 * std::string("$-1\r\n").size());
  EXPECT_EQ(known->Call({"RESET"}), "+RESET\r\n");
  EXPECT_TRUE(known->Call({"GET", "k"}).starts_with("-NOAUTH"));
}

TEST_F(SessionTest, AnySplitOfTheBytesGivesTheSameReplies) {
  const std::string bytes = Conversation();
  // The number of the connection is shown, and must be as long.
  next_id_ = 100000;
  const std::string whole = Connect()->Send(bytes);
  EXPECT_TRUE(whole.starts_with("+PONG\r\n+OK\r\n+OK\r\n$5\r\n"));
  EXPECT_TRUE(whole.ends_with("+RESET\r\n+OK\r\n"));
  const size_t id_at = whole.find(":100000\r\n");
  ASSERT_NE(id_at, whole.npos);
  for (size_t split = 0; split <= bytes.size(); ++split) {
    const auto client = Connect();
    std::string replies = client->Send(bytes.substr(0, split));
    if (client->turn().next == Next::kRead) replies += client->Send(bytes.substr(split));
    EXPECT_EQ(client->turn().next, Next::kCloseAfterReplies);
    replies.replace(id_at, 9, ":100000\r\n");
    ASSERT_EQ(replies, whole) << "split at " << split;
  }
  const auto client = Connect();
  std::string replies;
  for (const char byte : bytes) replies += client->Send(std::string_view(&byte, 1));
  replies.replace(id_at, 9, ":100000\r\n");
  EXPECT_EQ(replies, whole);
}

TEST_F(SessionTest, LongPipelinesTakeTurns) {
  const auto client = Connect();
  client->Call({"SET", "k", std::string(100'000, 'v')});
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += Encode({"STRLEN", "k"}) + Encode({"GET", "k"});
  const net::Peer peer{.id = 999, .close = [] {}, .wake = [] {}};
  const auto session = loops_[0]->OnConnect(peer);
  std::string output;
  const net::Turn turn = session->OnInput(bytes, &output);
  EXPECT_EQ(turn.next, Next::kMore);
  EXPECT_LT(output.size(), size_t{2} << 20);
  EXPECT_EQ(client->Send(bytes).size(), 100 * (std::string(":100000\r\n").size() + 100'000 + 11));
}

TEST_F(SessionTest, WithAPasswordNothingIsDoneBeforeIt) {
  Options options;
  options.password = "secret";
  Restart(options);
  const auto client = Connect();
  EXPECT_EQ(client->Call({"SET", "k", "v"}), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(client->Call({"PING"}), "-NOAUTH Authentication required.\r\n");
  EXPECT_TRUE(client->Call({"HELLO", "3"}).starts_with("-NOAUTH HELLO must be called"));
  EXPECT_TRUE(client->Call({"AUTH", "secreT"}).starts_with("-WRONGPASS"));
  EXPECT_TRUE(client->Call({"AUTH", ""}).starts_with("-WRONGPASS"));
  EXPECT_TRUE(client->Call({"AUTH", "secretsecret"}).starts_with("-WRONGPASS"));
  EXPECT_TRUE(client->Call({"AUTH", "nobody", "secret"}).starts_with("-WRONGPASS"));
  EXPECT_EQ(client->Call({"AUTH", "secret"}), "+OK\r\n");
  EXPECT_EQ(client->Call({"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(client->Call({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(client->Call({"GET", "k"}), "-NOAUTH Authentication required.\r\n");
  EXPECT_TRUE(client->Call({"HELLO", "3", "AUTH", "default", "secret"}).starts_with("%8\r\n"));
  EXPECT_EQ(client->Call({"GET", "k"}), "_\r\n");
}

TEST_F(SessionTest, LargeRequestsAreRefusedBeforeAuthentication) {
  Options options;
  options.password = "secret";
  Restart(options);
  const auto client = Connect();
  EXPECT_EQ(client->Send("*11\r\n"), "-ERR Protocol error: unauthenticated multibulk length\r\n");
  EXPECT_EQ(client->turn().next, Next::kCloseAfterReplies);
  EXPECT_EQ(Connect()->Send("*2\r\n$16385\r\n"),
            "-ERR Protocol error: unauthenticated bulk length\r\n");
  const auto known = Connect();
  EXPECT_EQ(known->Call({"AUTH", "secret"}), "+OK\r\n");
  EXPECT_EQ(known->Call({"SET", "k", std::string(20000, 'x')}), "+OK\r\n");
}

TEST_F(SessionTest, ReplyToAWatchedKeyThatChanged) {
  const auto a = Connect(0);
  const auto b = Connect(1);
  a->Call({"SET", "k", "1"});
  const auto execute = [&] {
    std::string replies = a->Call({"MULTI"});
    replies += a->Call({"SET", "k", "a"});
    return replies + a->Call({"EXEC"});
  };
  const std::string kDone = "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n";
  const std::string kNot = "+OK\r\n+QUEUED\r\n*-1\r\n";
  a->Call({"WATCH", "k"});
  EXPECT_EQ(execute(), kDone);
  a->Call({"WATCH", "k"});
  b->Call({"SET", "k", "b"});
  EXPECT_EQ(execute(), kNot);
  EXPECT_EQ(b->Call({"GET", "k"}), "$1\r\nb\r\n");
  EXPECT_EQ(execute(), kDone) << "EXEC ends the watch";
  a->Call({"WATCH", "k"});
  b->Call({"SET", "k", "b"});
  a->Call({"UNWATCH"});
  EXPECT_EQ(execute(), kDone);
  a->Call({"WATCH", "k"});
  a->Call({"SET", "k", "own"});
  EXPECT_EQ(execute(), kNot) << "own writes count";
  a->Call({"WATCH", "absent"});
  b->Call({"SET", "absent", "now"});
  EXPECT_EQ(execute(), kNot);
  a->Call({"WATCH", "k"});
  b->Call({"FLUSHALL"});
  EXPECT_EQ(execute(), kNot);
  a->Call({"WATCH", "absent"});
  b->Call({"DEL", "absent"});
  b->Call({"SET", "k", "b"});
  EXPECT_EQ(execute(), kDone) << "a key that was absent and is";
}

TEST_F(SessionTest, WatchesAddUp) {
  const auto client = Connect(0);
  const auto other = Connect(1);
  for (const std::string_view changed : {"a", "b", "c"}) {
    client->Call({"WATCH", "a", "b"});
    client->Call({"WATCH", "b", "c"});
    other->Call({"INCR", changed});
    client->Call({"MULTI"});
    client->Call({"PING"});
    EXPECT_EQ(client->Call({"EXEC"}), "*-1\r\n") << changed;
  }
}

TEST_F(SessionTest, WatchedKeyThatExpires) {
  const auto a = Connect();
  a->Call({"SET", "k", "1", "PX", "1000"});
  a->Call({"WATCH", "k"});
  AdvanceMillis(2000);
  a->Call({"MULTI"});
  a->Call({"PING"});
  EXPECT_EQ(a->Call({"EXEC"}), "*-1\r\n");
}

TEST_F(SessionTest, WatchIsOfADatabase) {
  const auto a = Connect(0);
  const auto b = Connect(1);
  a->Call({"WATCH", "k"});
  b->Call({"SELECT", "1"});
  b->Call({"SET", "k", "1"});
  a->Call({"MULTI"});
  EXPECT_EQ(a->Call({"EXEC"}), "*0\r\n");
  a->Call({"SELECT", "1"});
  a->Call({"WATCH", "k"});
  a->Call({"SELECT", "0"});
  b->Call({"SET", "k", "2"});
  a->Call({"MULTI"});
  EXPECT_EQ(a->Call({"EXEC"}), "*-1\r\n");
}

// Every EXEC moves money; no sum that anybody sees differs.
TEST_F(SessionTest, TransactionsOfManyLoopsAreSerializable) {
  const auto setup = Connect();
  setup->Call({"MSET", "a", "1000", "b", "1000"});
  std::vector<std::unique_ptr<TestClient>> clients;
  for (size_t i = 0; i < 2; ++i) clients.push_back(Connect(i));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([client = clients[i].get(), i] {
      for (int round = 0; round < 200; ++round) {
        client->Call({"MULTI"});
        client->Call({"DECRBY", i == 0 ? "a" : "b", "3"});
        client->Call({"INCRBY", i == 0 ? "b" : "a", "3"});
        EXPECT_TRUE(client->Call({"EXEC"}).starts_with("*2\r\n:"));
        client->Call({"MULTI"});
        client->Call({"GET", "a"});
        client->Call({"GET", "b"});
        const std::string seen = client->Call({"EXEC"});
        const size_t a = seen.find('\n', 5) + 1;
        const size_t b = seen.find('\n', seen.find('$', a)) + 1;
        EXPECT_EQ(std::stoi(seen.substr(a)) + std::stoi(seen.substr(b)), 2000) << seen;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(setup->Call({"MGET", "a", "b"}), "*2\r\n$4\r\n1000\r\n$4\r\n1000\r\n");
}

TEST_F(SessionTest, PauseLetsClientsWait) {
  const auto a = Connect();
  const auto b = Connect(1);
  EXPECT_EQ(a->Call({"CLIENT", "PAUSE", "1000", "WRITE"}), "+OK\r\n");
  EXPECT_EQ(b->Call({"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(b->Call({"SET", "k", "v"}), "");
  EXPECT_EQ(b->turn().next, Next::kWait);
  EXPECT_EQ(b->turn().wait_millis, 1000u);
  AdvanceMillis(400);
  EXPECT_EQ(b->Send(""), "");
  EXPECT_EQ(b->turn().wait_millis, 600u);
  AdvanceMillis(600);
  EXPECT_EQ(b->Send(""), "+OK\r\n");
  a->Call({"CLIENT", "PAUSE", "1000"});
  EXPECT_EQ(b->Call({"GET", "k"}), "");
  AdvanceMillis(1000);
  EXPECT_EQ(b->Send(""), "$1\r\nv\r\n");
}

TEST_F(SessionTest, BrowsersAreCutOff) {
  for (const std::string_view bytes : {"POST / HTTP/1.1\r\n", "Host: localhost\r\n", "GET / HTTP/1.1\r\n",
                                       "*1\r\n$4\r\npost\r\n"}) {
    const auto client = Connect();
    EXPECT_EQ(client->Send(bytes), "") << bytes;
    EXPECT_EQ(client->turn().next, Next::kClose) << bytes;
  }
}

// The password may be taken away while the server runs.
TEST_F(SessionTest, StrangersAreDeniedWhileThereIsNoPassword) {
  Options options;
  options.password = "secret";
  options.admits_without_password = [](const net::Peer& peer) { return peer.is_local; };
  Restart(options);
  const auto known = ConnectStranger();
  EXPECT_EQ(known->Call({"AUTH", "secret"}), "+OK\r\n");
  EXPECT_EQ(known->Call({"CONFIG", "SET", "requirepass", ""}), "+OK\r\n");
  EXPECT_EQ(known->Call({"PING"}), "+PONG\r\n") << "who has come already may stay";
  const auto stranger = ConnectStranger();
  EXPECT_GT(stranger->lifetime_millis(), 0u) << "who says nothing is cut as well";
  EXPECT_TRUE(stranger->Call({"AUTH", "x"}).starts_with("-DENIED "));
  EXPECT_EQ(stranger->turn().next, Next::kCloseAfterReplies);
  EXPECT_EQ(stranger->left(), 0u);
  EXPECT_EQ(Connect()->Call({"CONFIG", "GET", "protected-mode"}), "*2\r\n$14\r\nprotected-mode\r\n$3\r\nyes\r\n");
  EXPECT_EQ(Connect()->Call({"ACL", "SETUSER", "default", "resetpass", ">other"}), "+OK\r\n");
  EXPECT_EQ(ConnectStranger()->Call({"AUTH", "other"}), "+OK\r\n");
  EXPECT_EQ(Connect()->Call({"AUTH", "other"}), "+OK\r\n");
}

TEST_F(SessionTest, FlushesCostTheSameHoweverManyKeysThereAre) {
  const auto client = Connect();
  const std::vector<std::vector<std::string_view>> commands = {
      {"FLUSHDB"}, {"FLUSHALL"}, {"V.RMTREE", "k"}, {"V.DELRANGE", "k", "l"}};
  for (const std::vector<std::string_view>& command : commands) {
    std::vector<uint64_t> written;
    for (const int count : {10, 10'000}) {
      std::string sets;
      for (int i = 0; i < count; ++i) sets += Encode({"SET", "k/" + std::to_string(i), "v"});
      client->Send(sets);
      const uint64_t before = db_->Stats().wal_bytes_written;
      EXPECT_EQ(client->Call(command), "+OK\r\n");
      written.push_back(db_->Stats().wal_bytes_written - before);
      EXPECT_EQ(client->Call({"DBSIZE"}), ":0\r\n") << command[0];
    }
    EXPECT_LT(written[1], written[0] + 1000) << command[0];
  }
}

TEST_F(SessionTest, DatabasesAreApartAndSwapsAreKept) {
  auto a = Connect();
  a->Call({"SET", "k", "zero"});
  a->Call({"SELECT", "5"});
  a->Call({"SET", "k", "five"});
  EXPECT_EQ(a->Call({"SWAPDB", "0", "5"}), "+OK\r\n");
  EXPECT_EQ(a->Call({"GET", "k"}), "$4\r\nzero\r\n");
  a.reset();
  Restart();
  const auto b = Connect();
  EXPECT_EQ(b->Call({"GET", "k"}), "$4\r\nfive\r\n");
  b->Call({"SELECT", "5"});
  EXPECT_EQ(b->Call({"GET", "k"}), "$4\r\nzero\r\n");
  EXPECT_EQ(b->Call({"FLUSHDB"}), "+OK\r\n");
  EXPECT_EQ(b->Call({"DBSIZE"}), ":0\r\n");
  b->Call({"SELECT", "0"});
  EXPECT_EQ(b->Call({"DBSIZE"}), ":1\r\n");
  // What is swapped with one that has never been used.
  EXPECT_EQ(b->Call({"SWAPDB", "0", "9"}), "+OK\r\n");
  EXPECT_EQ(b->Call({"DBSIZE"}), ":0\r\n");
}

TEST_F(SessionTest, SwapsWhileOthersWork) {
  const auto swapper = Connect(0);
  const auto worker = Connect(1);
  worker->Call({"SET", "k", "0"});
  worker->Call({"SELECT", "1"});
  worker->Call({"SET", "k", "0"});
  std::thread other([&] {
    for (int i = 0; i < 300; ++i) swapper->Call({"SWAPDB", "0", "1"});
  });
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(worker->Call({"INCR", "k"}).starts_with(":"));
  }
  other.join();
  const std::string one = worker->Call({"GET", "k"});
  worker->Call({"SELECT", "0"});
  const std::string two = worker->Call({"GET", "k"});
  EXPECT_EQ(std::stoi(one.substr(4)) + std::stoi(two.substr(4)), 300) << one << two;
}

TEST_F(SessionTest, FewerDatabasesThanWereSwappedIsRefused) {
  Connect()->Call({"SWAPDB", "0", "5"});
  Stop();
  Options options;
  options.databases = 4;
  Result<std::unique_ptr<Db>> db = OpenStore();
  ASSERT_OK(db);
  Service service(db->get(), options, &env_, [] {});
  EXPECT_STATUS(kInvalidArgument, service.Load());
}

TEST_F(SessionTest, AppendAndRenameKeepTheDeadline) {
  const auto a = Connect();
  for (const auto& change : std::vector<std::vector<std::string_view>>{{"APPEND", "k", "x"},
                                                                      {"SETRANGE", "k", "0", "7"},
                                                                      {"SETBIT", "k", "7", "1"},
                                                                      {"BITFIELD", "k", "SET", "u8", "0", "55"},
                                                                      {"RENAME", "k", "k2"}}) {
    a->Call({"SET", "k", "1", "PX", "5000"});
    a->Call(change);
    const std::string_view key = change[0] == "RENAME" ? "k2" : "k";
    EXPECT_EQ(a->Call({"PTTL", key}), ":5000\r\n") << change[0];
    if (key == "k2") {
      EXPECT_EQ(a->Call({"EXISTS", "k"}), ":0\r\n");
    }
    AdvanceMillis(5000);
    EXPECT_EQ(a->Call({"EXISTS", key}), ":0\r\n") << change[0];
  }
}

TEST_F(SessionTest, KilledClientsEnd) {
  const auto a = Connect();
  const auto b = Connect(1);
  EXPECT_EQ(a->Call({"CLIENT", "KILL", "ID", "2"}), ":1\r\n");
  EXPECT_EQ(b->Call({"SET", "k", "v"}), "");
  EXPECT_EQ(b->turn().next, Next::kCloseAfterReplies);
  EXPECT_EQ(a->Call({"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(a->Call({"CLIENT", "KILL", "ID", "1", "SKIPME", "no"}), ":1\r\n");
  EXPECT_EQ(a->turn().next, Next::kCloseAfterReplies);
}

TEST_F(SessionTest, ShutdownAsksForTheEnd) {
  const auto a = Connect();
  EXPECT_EQ(a->Call({"SHUTDOWN"}), "");
  EXPECT_EQ(shutdowns_, 1);
}

// A subcommand is not the command of that name.
TEST_F(SessionTest, SubcommandsAreQueuedAndRefusedAsOthers) {
  const auto client = Connect();
  client->Call({"MULTI"});
  for (const char* container : {"SLOWLOG", "LATENCY"}) {
    EXPECT_EQ(client->Call({container, "RESET"}), "+QUEUED\r\n") << container;
  }
  EXPECT_EQ(client->Call({"DISCARD"}), "+OK\r\n");
  client->Call({"SUBSCRIBE", "c"});
  EXPECT_TRUE(client->Call({"SLOWLOG", "RESET"}).starts_with("-ERR Can't execute 'slowlog|reset'"));
}

}  // namespace session_test
}  // namespace varve::server::test
