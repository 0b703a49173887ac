// Pipelines: whatever is sent together, and however it is cut, is answered as if it had been sent one by one.
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace pipeline_test {

class PipelineTest : public ServerTest {
 protected:
  using Request = std::vector<std::string>;

  static std::string Bytes(const Request& request) { return Encode({request.begin(), request.end()}); }

  // Requests over a few keys, mostly runs of reads and of writes of the kind that are looked at together.
  static std::vector<Request> RandomRequests(Random* random, size_t count) {
    std::vector<Request> requests;
    const auto key = [&] { return std::string(1, static_cast<char>('a' + random->Uniform(4))); };
    while (requests.size() < count) {
      const size_t run = 1 + random->Uniform(6);
      const uint64_t kind = random->Uniform(16);
      for (size_t i = 0; i < run; ++i) {
        const std::string value = std::to_string(requests.size());
        switch (kind) {
          case 0: case 1: case 2: requests.push_back({random->OneIn(4) ? "get" : "GET", key()}); break;
          case 3: case 4: requests.push_back({random->OneIn(4) ? "set" : "SET", key(), value}); break;
          case 5: requests.push_back({"SET", key(), value, "PX", random->OneIn(5) ? "0" : "100000"}); break;
          case 6: requests.push_back({"DEL", key()}); break;
          case 7: requests.push_back({"EXPIRE", key(), random->OneIn(2) ? "-1" : "100"}); break;
          case 8: requests.push_back({"MULTI"}); i = run; break;
          case 9: requests.push_back({random->OneIn(4) ? "DISCARD" : "EXEC"}); i = run; break;
          case 10: requests.push_back({"SELECT", std::to_string(random->Uniform(3))}); i = run; break;
          case 11: requests.push_back({"MGET", key(), key(), key()}); break;
          case 12: requests.push_back({"SET", key(), "v", "XX", "GET"}); break;
          case 13: requests.push_back(random->OneIn(2) ? Request{"GET"} : Request{"SET", key()}); break;
          case 14: requests.push_back({"CLIENT", "REPLY", "SKIP"}); i = run; break;
          default: requests.push_back({"INCR", key()}); break;
        }
      }
    }
    return requests;
  }

  // What a new connection to an empty server is answered to these pieces.
  std::string Replies(const std::vector<std::string>& pieces) {
    const auto client = Connect();
    client->Call({"FLUSHALL"});
    std::string replies;
    for (const std::string& piece : pieces) replies += client->Send(piece);
    for (const char* database : {"0", "1", "2"}) {
      client->Call({"DISCARD"});
      client->Call({"SELECT", database});
      replies += client->Call({"MGET", "a", "b", "c", "d"});
    }
    return replies;
  }
};

TEST_F(PipelineTest, IsAnsweredAsOneByOne) {
  Random random(21);
  for (int round = 0; round < 60; ++round) {
    const std::vector<Request> requests = RandomRequests(&random, 40);
    std::vector<std::string> one_by_one;
    std::string all;
    for (const Request& request : requests) all += one_by_one.emplace_back(Bytes(request));
    const std::string expected = Replies(one_by_one);
    ASSERT_EQ(Replies({all}), expected) << "round " << round;
    std::vector<std::string> pieces;
    for (size_t at = 0; at < all.size();) {
      pieces.push_back(all.substr(at, 1 + random.Uniform(200)));
      at += pieces.back().size();
    }
    ASSERT_EQ(Replies(pieces), expected) << "round " << round;
  }
}

TEST_F(PipelineTest, CutAtEveryByte) {
  Random random(22);
  const std::vector<Request> requests = RandomRequests(&random, 25);
  std::string all;
  for (const Request& request : requests) all += Bytes(request);
  const std::string expected = Replies({all});
  for (size_t at = 1; at < all.size(); ++at) {
    ASSERT_EQ(Replies({all.substr(0, at), all.substr(at)}), expected) << "cut at " << at;
  }
}

TEST_F(PipelineTest, SeesEveryRequestOfTheOthers) {
  // What one connection has written, another finds at once, and a run of reads is not older than a write in it.
  const auto a = Connect(0);
  const auto b = Connect(1);
  for (int i = 0; i < 100; ++i) {
    const std::string value = std::to_string(i);
    const std::string request = Encode({"GET", "k"}) + Encode({"SET", "k", value}) + Encode({"GET", "k"});
    const std::string before = i == 0 ? "$-1\r\n" : "$" + std::to_string(std::to_string(i - 1).size()) + "\r\n" +
                                                        std::to_string(i - 1) + "\r\n";
    const std::string after = "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
    ASSERT_EQ((i % 2 == 0 ? a : b)->Send(request), before + "+OK\r\n" + after);
  }
}

TEST_F(PipelineTest, TimeGoesOnInThem) {
  const auto client = Connect();
  const std::string replies =
      client->Send(Encode({"SET", "before", "v", "PX", "100"}) + Encode({"PEXPIRETIME", "before"}) +
                   Encode({"DEBUG", "SLEEP", "2"}) + Encode({"SET", "after", "v", "PX", "100"}) +
                   Encode({"GET", "before"}) + Encode({"PTTL", "after"}));
  EXPECT_TRUE(replies.ends_with("+OK\r\n+OK\r\n$-1\r\n:100\r\n")) << replies;
}

TEST_F(PipelineTest, OthersGetTheirTurnInSlowOnes) {
  const auto client = Connect();
  const std::string slow = Encode({"DEBUG", "SLEEP", "0.001"});
  EXPECT_EQ(client->Send(slow + slow + slow + Encode({"PING"})), "+OK\r\n+OK\r\n+OK\r\n+PONG\r\n");
  EXPECT_EQ(client->turns(), 4);
  client->Send(slow);  // what is nobody's to wait for needs no turn more
  EXPECT_EQ(client->turns(), 5);
}

TEST_F(PipelineTest, CountsAreExact) {
  const auto client = Connect();
  client->Call({"CONFIG", "RESETSTAT"});
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += Encode({"SET", "k", "v"}) + Encode({"GET", "k"}) + Encode({"GET", "absent"});
  client->Send(bytes + Encode({"GET"}));
  const std::string info = client->Call({"INFO", "stats"}) + client->Call({"INFO", "commandstats"});
  EXPECT_NE(info.find("keyspace_hits:50\r\n"), info.npos) << info;
  EXPECT_NE(info.find("keyspace_misses:50\r\n"), info.npos);
  EXPECT_NE(info.find("total_error_replies:1\r\n"), info.npos);
  EXPECT_NE(info.find("cmdstat_get:calls=100,"), info.npos);
  EXPECT_NE(info.find("cmdstat_set:calls=50,"), info.npos);
  // The sum over loops, from both sides of a reset.
  Connect(1)->Call({"GET", "k"});
  EXPECT_NE(client->Call({"INFO", "stats"}).find("keyspace_hits:51\r\n"), std::string::npos);
  Connect(1)->Call({"CONFIG", "RESETSTAT"});
  EXPECT_NE(client->Call({"INFO", "stats"}).find("keyspace_hits:0\r\n"), std::string::npos);
}

// --- SETs in a row are written together.

std::string Sets(int count, const std::string& value = "v") {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += Encode({"SET", "k" + std::to_string(i), value});
  return bytes;
}

std::string Repeat(std::string_view text, int count) {
  std::string repeated;
  for (int i = 0; i < count; ++i) repeated += text;
  return repeated;
}

TEST_F(PipelineTest, SetsInARowAreOneWrite) {
  const auto client = Connect();
  const auto batches = [&] { return db_->Stats().operation(Operation::kWrite).count; };
  const uint64_t before = batches();
  EXPECT_EQ(client->Send(Sets(30)), Repeat("+OK\r\n", 30));
  EXPECT_EQ(batches(), before + 1);
  EXPECT_EQ(client->Send(Sets(1)), "+OK\r\n");
  EXPECT_EQ(batches(), before + 1);
  // Others whose name ends so.
  EXPECT_TRUE(client->Send(Encode({"CONFIG", "SET", "k0"}) + Encode({"PING"})).starts_with("-ERR wrong number"));
}

TEST_F(PipelineTest, APipelineIsSyncedOnce) {
  const auto client = Connect();
  EXPECT_EQ(client->Call({"V.DURABILITY", "sync"}), "+OK\r\n");
  const uint64_t before = db_->Stats().sync_count;
  EXPECT_EQ(client->Send(Sets(1000)), Repeat("+OK\r\n", 1000));
  EXPECT_GE(db_->Stats().sync_count, before + 1);
  EXPECT_LE(db_->Stats().sync_count, before + 2) << "its own, and perhaps one for a log that is full";
}

TEST_F(PipelineTest, ARefusedSetIsRefusedAlone) {
  store_options_.max_value_bytes = 10;
  Restart();
  const auto client = Connect();
  const std::string replies =
      client->Send(Sets(3, "small") + Encode({"SET", "k1", "much too large"}) + Encode({"SET", "k2", "other"}));
  EXPECT_TRUE(replies.starts_with("+OK\r\n+OK\r\n+OK\r\n-ERR a value of 14 bytes")) << replies;
  EXPECT_TRUE(replies.ends_with("\r\n+OK\r\n")) << replies;
  EXPECT_EQ(client->Call({"MGET", "k0", "k1", "k2"}), "*3\r\n$5\r\nsmall\r\n$5\r\nsmall\r\n$5\r\nother\r\n");
  const std::string info = client->Call({"INFO", "commandstats"});
  EXPECT_NE(info.find("cmdstat_set:calls=5,"), info.npos) << info;
  EXPECT_NE(info.find("rejected_calls=0,failed_calls=1"), info.npos) << info;
}

TEST_F(PipelineTest, SetsInARowAreToldAsOthers) {
  const auto client = Connect();
  const auto listener = Connect();
  client->Call({"CONFIG", "SET", "notify-keyspace-events", "E$", "slowlog-log-slower-than", "0"});
  listener->Call({"PSUBSCRIBE", "*"});
  client->Send(Sets(3));
  const std::string heard = listener->Hear();
  for (const char* key : {"k0", "k1", "k2"}) EXPECT_NE(heard.find(key), heard.npos) << heard;
  listener->Call({"RESET"});

  client->Call({"SLOWLOG", "RESET"});
  client->Send(Sets(3, "slow"));
  const std::string slow = client->Call({"SLOWLOG", "GET"});
  for (const char* key : {"k0", "k1", "k2"}) EXPECT_NE(slow.find(key), slow.npos) << slow;

  listener->Call({"MONITOR"});
  client->Send(Sets(3, "watched"));
  const std::string shown = listener->Hear();
  for (const char* key : {"k0", "k1", "k2"}) EXPECT_NE(shown.find(key), shown.npos) << shown;
}

TEST_F(PipelineTest, SetsInARowMayNotDoMoreThanTheirUser) {
  const auto admin = Connect();
  const auto client = Connect();
  admin->Call({"ACL", "SETUSER", "u", "on", "nopass", "~k1", "+set"});
  client->Call({"AUTH", "u", "any"});
  const std::string replies = client->Send(Sets(3));
  EXPECT_TRUE(replies.starts_with("-NOPERM")) << replies;
  EXPECT_NE(replies.find("+OK\r\n-NOPERM"), replies.npos) << replies;
  admin->Call({"ACL", "SETUSER", "u", "~*"});
  EXPECT_EQ(client->Send(Sets(3)), Repeat("+OK\r\n", 3));
}

}  // namespace pipeline_test
}  // namespace varve::server::test
