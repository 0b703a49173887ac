// Commands of a node of a cluster, with a cluster that does what a test says.
#include <map>

#include "server/cluster_face.h"
#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace cluster_session_test {

using Outcome = ClusterResult::Outcome;

// Keeps values, and answers at once or when it is told to.
class FakeCluster final : public ClusterFace {
 public:
  void Read(std::string key, ClusterQuorum quorum, bool wants_context, Done done) override {
    quorum_ = quorum;
    Answer([this, wants_context, key = std::move(key), done = std::move(done)] {
      ClusterResult result = Result(key);
      if (!wants_context) result.context.clear();
      done(std::move(result));
    });
  }
  Status Write(std::string key, std::optional<std::string> value, std::string_view context, ClusterQuorum quorum,
               Done done) override {
    if (context == "bad") return Status::InvalidArgument("this is no context");
    quorum_ = quorum;
    Answer([this, key = std::move(key), value = std::move(value), context = std::string(context), done = std::move(done)] {
      if (context == "all") values[key].clear();
      if (value) values[key].push_back(*value);
      done(Result(key));
    });
    return Status::Ok();
  }
  void Replace(std::string key, std::optional<std::string> value, bool spares, Done done) override {
    Answer([this, spares, key = std::move(key), value = std::move(value), done = std::move(done)] {
      const ClusterResult before = Result(key);
      const bool is_written = before.outcome != Outcome::kFailed && !(spares && values[key].size() > 1);
      if (is_written) values[key] = value ? std::vector<std::string>{*value} : std::vector<std::string>{};
      done(before);
    });
  }
  void Repair() override { ++repairs; }
  uint64_t timeout_millis() const override { return 100; }
  uint16_t SlotOf(std::string_view key) const override { return key.empty() ? 0 : static_cast<uint8_t>(key[0]); }
  std::vector<std::pair<std::string, std::string>> Info() const override { return {{"varve_node", "1"}}; }
  std::shared_ptr<const ClusterView> View() const override { return std::make_shared<ClusterView>(view); }
  uint64_t CountKeys(uint16_t slot) const override { return slot; }
  size_t max_key_bytes() const override { return 100; }
  Status CheckKey(std::string_view key) const override {
    return key.starts_with("@none/") ? Status::InvalidArgument("there is no namespace 'none'") : Status::Ok();
  }

  // What waits, in its order.
  void Go() {
    for (auto& what : std::exchange(waiting_, {})) what();
  }

  // The last that waits, before the others.
  void GoLast() {
    const auto what = std::move(waiting_.back());
    waiting_.pop_back();
    what();
  }
  size_t waiting() const { return waiting_.size(); }

  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, Outcome> outcomes;  // of keys whose requests do not end well
  bool waits = false;
  ClusterQuorum quorum_;
  int repairs = 0;
  ClusterView view;

 private:
  void Answer(std::function<void()> what) {
    waiting_.push_back(std::move(what));
    if (!waits) Go();
  }
  ClusterResult Result(const std::string& key) {
    const auto outcome = outcomes.find(key);
    if (outcome != outcomes.end()) return {.outcome = outcome->second, .reason = "why", .values = {}, .context = {}};
    return {.outcome = Outcome::kOk, .reason = {}, .values = values[key], .context = "c:" + key};
  }

  std::vector<std::function<void()>> waiting_;
};

class ClusterSessionTest : public ServerTest {
 protected:
  void SetUp() override {
    cluster_.view.nodes = {{.number = 1, .name = "n1", .host = "h1", .port = 1, .cluster_port = 11, .is_self = true},
                           {.number = 2, .name = "n2", .host = "::2", .port = 2, .cluster_port = 12}};
    cluster_.view.ranges = {{0, 99, {0, 1}}, {100, 16383, {1}}};
    cluster_.view.epoch = 9;
    Options options;
    options.cluster = &cluster_;
    Start(options);
    client_ = Connect();
  }
  void TearDown() override {
    client_.reset();
    Stop();
  }
  // The fake answers within the call, so that the reply is there at the next turn.
  std::string Call(const std::vector<std::string_view>& args) {
    std::string reply = client_->Call(args);
    if (client_->turn().next == net::Turn::Next::kWait) reply += client_->Send("");
    return reply;
  }

  FakeCluster cluster_;
  std::unique_ptr<TestClient> client_;
};

TEST_F(ClusterSessionTest, KeysOfNoNamespaceAreRefused) {
  const std::string error = "-ERR there is no namespace 'none'\r\n";
  EXPECT_EQ(Call({"SET", "@none/a", "1"}), error);
  EXPECT_EQ(Call({"MSET", "@some/a", "1", "@none/a", "1"}), error);
  EXPECT_EQ(Call({"MGET", "@some/a", "@none/a"}), error);
  EXPECT_EQ(Call({"V.GET", "@none/a"}), error);
  EXPECT_EQ(Call({"V.PUT", "@none/a", "1"}), error);
  EXPECT_EQ(Call({"V.DEL", "@none/a"}), error);
  EXPECT_EQ(cluster_.values.size(), 0u);
  EXPECT_EQ(Call({"SET", "@some/a", "1"}), "+OK\r\n");
  EXPECT_EQ(Call({"GET", "@some/a"}), "$1\r\n1\r\n");
}

TEST_F(ClusterSessionTest, RequestsWaitAndTheirOrderStays) {
  cluster_.waits = true;
  std::string replies = client_->Send(Encode({"SET", "a", "1"}) + Encode({"GET", "a"}) + Encode({"PING"}));
  EXPECT_EQ(replies, "");
  EXPECT_EQ(client_->turn().next, net::Turn::Next::kWait);
  EXPECT_GE(client_->turn().wait_millis, 100u);
  EXPECT_EQ(client_->Send(""), "");  // woken for nothing
  cluster_.Go();
  EXPECT_EQ(client_->Send(""), "+OK\r\n");
  cluster_.Go();
  EXPECT_EQ(client_->Send(""), "$1\r\n1\r\n+PONG\r\n");
  EXPECT_EQ(client_->left(), 0u);
}

TEST_F(ClusterSessionTest, RequestsOfOtherKeysAreUnderWayTogether) {
  cluster_.waits = true;
  cluster_.values["x"] = {"9"};
  const std::string pipeline = Encode({"SET", "a", "1"}) + Encode({"GET", "b"}) + Encode({"GET", "b"}) + Encode({"GET", "x"}) +
                               Encode({"GET", "a"}) + Encode({"GET", "c"});
  EXPECT_EQ(client_->Send(pipeline), "");
  EXPECT_EQ(cluster_.waiting(), 4u);  // all before that which has to see what the first one writes
  cluster_.GoLast();
  EXPECT_EQ(client_->Send(""), "");
  EXPECT_EQ(cluster_.waiting(), 3u);
  cluster_.Go();
  EXPECT_EQ(client_->Send(""), "+OK\r\n$-1\r\n$-1\r\n$1\r\n9\r\n");
  EXPECT_EQ(cluster_.waiting(), 2u);
  cluster_.GoLast();
  EXPECT_EQ(client_->Send(""), "");
  cluster_.Go();
  EXPECT_EQ(client_->Send(""), "$1\r\n1\r\n$-1\r\n");
  EXPECT_EQ(client_->left(), 0u);
}

TEST_F(ClusterSessionTest, WritesOfOneKeyKeepTheirOrder) {
  cluster_.waits = true;
  std::string pipeline = Encode({"GET", "a"});
  for (const char* value : {"1", "2", "3"}) pipeline += Encode({"MSET", "ab", "0", "a", value}) + Encode({"V.GET", "a"});
  EXPECT_EQ(client_->Send(pipeline), "");
  for (const size_t under_way : {1u, 2u, 1u, 2u, 1u, 2u, 1u}) {
    EXPECT_EQ(cluster_.waiting(), under_way);
    cluster_.Go();
    EXPECT_NE(client_->Send(""), "");
  }
  EXPECT_EQ(client_->left(), 0u);
  EXPECT_EQ(cluster_.values["a"], std::vector<std::string>{"3"});
}

TEST_F(ClusterSessionTest, RefusalsAndOtherCommandsWaitForTheirTurn) {
  cluster_.waits = true;
  EXPECT_EQ(client_->Send(Encode({"SET", "a", "1"}) + Encode({"GET", "@none/a"}) + Encode({"MGET", "b", "c"}) + Encode({"GET", "d"}) +
                          Encode({"PING"}) + Encode({"GET", "e"}) + "GET f\r\n"), "");
  EXPECT_EQ(cluster_.waiting(), 2u);
  cluster_.GoLast();
  cluster_.Go();
  const std::string replies = client_->Send("");
  EXPECT_EQ(replies, "+OK\r\n-ERR there is no namespace 'none'\r\n-CROSSSLOT Keys in request don't hash to the same slot\r\n"
                     "$-1\r\n+PONG\r\n");
  EXPECT_EQ(cluster_.waiting(), 1u);
  cluster_.Go();
  EXPECT_EQ(client_->Send(""), "$-1\r\n");
  cluster_.Go();
  EXPECT_EQ(client_->Send(""), "$-1\r\n");
}

TEST_F(ClusterSessionTest, NotMoreThanSixtyFourAreUnderWay) {
  cluster_.waits = true;
  std::string pipeline, replies;
  for (int i = 0; i < 200; ++i) pipeline += Encode({"GET", "a" + std::to_string(i)});
  pipeline += "*2\r\n$3\r\nGET\r\n";
  EXPECT_EQ(client_->Send(pipeline), "");
  EXPECT_EQ(cluster_.waiting(), 64u);
  while (cluster_.waiting() > 0) {
    cluster_.Go();
    replies += client_->Send("");
    EXPECT_LE(cluster_.waiting(), 64u);
  }
  EXPECT_EQ(replies.size(), 200u * 5);
  EXPECT_EQ(client_->Send("$1\r\na\r\n"), "");
  EXPECT_EQ(cluster_.waiting(), 1u);
}

TEST_F(ClusterSessionTest, WhoGoesWhileItWaitsHarmsNobody) {
  cluster_.waits = true;
  client_->Call({"SET", "a", "1"});
  client_.reset();
  cluster_.Go();
  EXPECT_EQ(cluster_.values["a"], std::vector<std::string>{"1"});
}

TEST_F(ClusterSessionTest, PlainCommands) {
  EXPECT_EQ(Call({"GET", "a"}), "$-1\r\n");
  EXPECT_EQ(Call({"SET", "a", "1"}), "+OK\r\n");
  EXPECT_EQ(Call({"EXISTS", "a", "a", "ab"}), ":2\r\n");
  EXPECT_EQ(Call({"MSET", "a", "x", "ab", "2", "a", "3"}), "+OK\r\n");
  EXPECT_EQ(Call({"MGET", "a", "ab", "ac"}), "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n");
  EXPECT_EQ(Call({"TOUCH", "a", "ab", "ac"}), ":2\r\n");
  EXPECT_EQ(Call({"DEL", "ab", "ab", "ac"}), ":1\r\n");
  EXPECT_EQ(Call({"GETDEL", "a"}), "$1\r\n3\r\n");
  EXPECT_EQ(Call({"GETDEL", "a"}), "$-1\r\n");
  EXPECT_EQ(Call({"MSET", "a", "x", "ab"}), "-ERR wrong number of arguments for 'mset' command\r\n");
  EXPECT_EQ(Call({"GET", std::string(101, 'k')}), "-ERR a key has at most 100 bytes in a cluster\r\n");
}

TEST_F(ClusterSessionTest, ReadsOfOneKeyAreLikeGet) {
  EXPECT_EQ(Call({"TYPE", "a"}), "+none\r\n");
  EXPECT_EQ(Call({"STRLEN", "a"}), ":0\r\n");
  EXPECT_EQ(Call({"GETRANGE", "a", "0", "-1"}), "$0\r\n\r\n");
  EXPECT_EQ(Call({"SET", "a", "01234"}), "+OK\r\n");
  EXPECT_EQ(Call({"TYPE", "a"}), "+string\r\n");
  EXPECT_EQ(Call({"STRLEN", "a"}), ":5\r\n");
  EXPECT_EQ(Call({"GETRANGE", "a", "1", "2"}), "$2\r\n12\r\n");
  EXPECT_EQ(Call({"SUBSTR", "a", "-2", "-1"}), "$2\r\n34\r\n");
  EXPECT_EQ(Call({"GETRANGE", "a", "3", "2"}), "$0\r\n\r\n");
  EXPECT_EQ(Call({"GETRANGE", "a", "x", "2"}), "-ERR value is not an integer or out of range\r\n");
  cluster_.values["a"] = {"x", "y"};
  EXPECT_EQ(Call({"TYPE", "a"}), "+string\r\n");
  EXPECT_EQ(Call({"STRLEN", "a"}).substr(0, 10), "-CONFLICT ");
  EXPECT_EQ(Call({"GETRANGE", "a", "0", "0"}).substr(0, 10), "-CONFLICT ");
}

TEST_F(ClusterSessionTest, SeveralValuesAreAConflict) {
  cluster_.values["a"] = {"x", "y"};
  EXPECT_EQ(Call({"GET", "a"}).substr(0, 20), "-CONFLICT 2 values w");
  EXPECT_EQ(Call({"GETDEL", "a"}).substr(0, 10), "-CONFLICT ");
  EXPECT_EQ(Call({"V.GET", "a"}), "*2\r\n$1\r\nx\r\n$1\r\ny\r\n");
  EXPECT_EQ(Call({"V.GET", "a", "CTX", "R", "2"}), "*2\r\n$3\r\nc:a\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n");
  EXPECT_EQ(cluster_.quorum_.replicas, 2u);
  EXPECT_EQ(Call({"V.PUT", "a", "z", "W", "3", "CTX", "all"}), "$3\r\nc:a\r\n");
  EXPECT_EQ(cluster_.quorum_.replicas, 3u);
  EXPECT_FALSE(cluster_.quorum_.is_linear || cluster_.quorum_.is_sloppy);
  EXPECT_EQ(Call({"GET", "a"}), "$1\r\nz\r\n");
  EXPECT_EQ(Call({"V.GET", "a", "linear"}), "*1\r\n$1\r\nz\r\n");
  EXPECT_TRUE(cluster_.quorum_.is_linear);
  EXPECT_EQ(Call({"V.PUT", "a", "z", "CTX", "all", "SLOPPY"}), "$3\r\nc:a\r\n");
  EXPECT_TRUE(cluster_.quorum_.is_sloppy && !cluster_.quorum_.is_linear);
  EXPECT_EQ(Call({"V.PUT", "a", "z", "SLOPPY", "LINEAR"}), "-ERR LINEAR and SLOPPY exclude each other\r\n");
  EXPECT_EQ(Call({"V.GET", "a", "SLOPPY"}), "-ERR syntax error\r\n");
  EXPECT_EQ(Call({"V.DEL", "a", "CTX", "all"}), "$3\r\nc:a\r\n");
  EXPECT_EQ(Call({"V.GET", "a"}), "*0\r\n");
  cluster_.values["a"] = {"x", "x"};
  EXPECT_EQ(Call({"GET", "a"}), "$1\r\nx\r\n");
}

TEST_F(ClusterSessionTest, NonsenseIsRefusedBeforeItBegins) {
  for (const auto& args : std::vector<std::vector<std::string_view>>{
           {"V.GET", "a", "R"}, {"V.GET", "a", "R", "0"}, {"V.GET", "a", "R", "16"}, {"V.GET", "a", "W", "1"},
           {"V.PUT", "a", "1", "CTX"}, {"V.PUT", "a", "1", "CTX", "bad"}, {"V.PUT", "a", "1", "X"}, {"V.DEL", "a", "1"},
           {"SET", "a", "1", "NX"}, {"INCR", "a"}, {"MULTI"}, {"SELECT", "1"}, {"SUBSCRIBE", "c"}, {"KEYS", "*"}}) {
    EXPECT_EQ(client_->Call(args).substr(0, 5), "-ERR ") << args[0];
    EXPECT_NE(client_->turn().next, net::Turn::Next::kWait);
  }
  EXPECT_TRUE(cluster_.values.empty());
  for (const auto& args : std::vector<std::vector<std::string_view>>{
           {"MGET", "a", "b"}, {"MSET", "a", "1", "b", "2"}, {"DEL", "a", "b"}, {"EXISTS", "a", "b"}}) {
    EXPECT_EQ(Call(args), "-CROSSSLOT Keys in request don't hash to the same slot\r\n") << args[0];
  }
}

TEST_F(ClusterSessionTest, FailuresSayWhetherTheWriteMayAppear) {
  cluster_.outcomes["a"] = Outcome::kFailed;
  cluster_.outcomes["au"] = Outcome::kUnknown;
  EXPECT_EQ(Call({"GET", "a"}), "-NOQUORUM why; nothing was read\r\n");
  EXPECT_EQ(Call({"SET", "a", "1"}), "-NOQUORUM why; nothing was written\r\n");
  EXPECT_EQ(Call({"SET", "au", "1"}), "-UNKNOWN why; the write may still appear\r\n");
  EXPECT_EQ(Call({"V.PUT", "au", "1"}), "-UNKNOWN why; the write may still appear\r\n");
  // One is written, and the other one certainly not: of both together neither can be said.
  EXPECT_EQ(Call({"MSET", "a", "1", "ab", "2"}), "-UNKNOWN why; the write may still appear\r\n");
  EXPECT_EQ(Call({"DEL", "a"}), "-NOQUORUM why; nothing was written\r\n");
}

TEST_F(ClusterSessionTest, WhoAsksForTheMapIsSentOn) {
  EXPECT_EQ(Call({"SET", "x", "1"}), "+OK\r\n");
  EXPECT_EQ(client_->Call({"CLUSTER", "SLOTS"}).substr(0, 12), "*2\r\n*4\r\n:0\r\n");
  EXPECT_EQ(Call({"GET", "x"}), "-MOVED 120 [::2]:2\r\n");
  EXPECT_EQ(Call({"GET", "A"}), "$-1\r\n");
  // Not to one that cannot be reached.
  cluster_.view.nodes[1].is_reachable = false;
  EXPECT_EQ(Call({"GET", "x"}), "$1\r\n1\r\n");
  client_->Call({"RESET"});
  cluster_.view.nodes[1].is_reachable = true;
  EXPECT_EQ(Call({"GET", "x"}), "$1\r\n1\r\n");
}

TEST_F(ClusterSessionTest, WhatIsToldOfTheCluster) {
  EXPECT_EQ(client_->Call({"CLUSTER", "KEYSLOT", "a"}), ":97\r\n");
  EXPECT_EQ(client_->Call({"CLUSTER", "MYID"}), "$2\r\nn1\r\n");
  EXPECT_EQ(client_->Call({"CLUSTER", "COUNTKEYSINSLOT", "7"}), ":7\r\n");
  EXPECT_EQ(client_->Call({"CLUSTER", "COUNTKEYSINSLOT", "16384"}), "-ERR Invalid slot\r\n");
  EXPECT_NE(client_->Call({"CLUSTER", "INFO"}).find("cluster_slots_assigned:16384\r\n"), std::string::npos);
  EXPECT_NE(client_->Call({"CLUSTER", "NODES"}).find("n1 h1:1@11 myself,master - 0 0 9 connected 0-99\n"), std::string::npos);
  EXPECT_EQ(client_->Call({"CLUSTER", "SHARDS"}).substr(0, 4), "*2\r\n");  // whole: tests/clients/cluster_clients_test.py
  EXPECT_NE(client_->Call({"INFO", "cluster"}).find("cluster_enabled:1"), std::string::npos);
  EXPECT_EQ(client_->Call({"CLUSTER", "MEET", "h", "1"}).substr(0, 5), "-ERR ");
  // What ends like a command for keys is none.
  EXPECT_EQ(client_->Call({"CONFIG", "GET", "nosuch"}), "*0\r\n");
  EXPECT_EQ(client_->Call({"SLOWLOG", "GET"}), "*0\r\n");
  EXPECT_EQ(client_->Call({"CONFIG", "SET", "slowlog-max-len", "5"}), "+OK\r\n");
  EXPECT_EQ(client_->Call({"V.REPAIR"}), "+OK\r\n");
  EXPECT_EQ(cluster_.repairs, 1);
}

TEST_F(ClusterSessionTest, RepliesCanBeSwitchedOff) {
  EXPECT_EQ(client_->Send(Encode({"CLIENT", "REPLY", "SKIP"}) + Encode({"SET", "a", "1"})), "");
  EXPECT_EQ(client_->Send(""), "");
  EXPECT_EQ(Call({"GET", "a"}), "$1\r\n1\r\n");
}

TEST_F(ServerTest, WithoutAClusterThereAreNoContexts) {
  const auto client = Connect();
  for (const auto& args : std::vector<std::vector<std::string_view>>{{"V.GET", "a"}, {"V.PUT", "a", "1"}, {"V.DEL", "a"}}) {
    EXPECT_EQ(client->Call(args), "-ERR this server is no node of a cluster\r\n");
  }
  EXPECT_EQ(client->Call({"CLUSTER", "INFO"}), "-ERR This instance has cluster support disabled\r\n");
}

}  // namespace cluster_session_test
}  // namespace varve::server::test
