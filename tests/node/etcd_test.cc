// What the store on etcd makes of answers that are late, cut, wrong or twofold, from a server that does what the test
// says; and of a real etcd that is compacted, killed and stopped.
#include <gtest/gtest.h>

#include "node/etcd_codec.h"
#include "node/etcd_topology_store.h"
#include "node/http_client.h"
#include "node/json_splitter.h"
#include "tests/node/topology_fixture.h"

namespace varve::node::test {
namespace etcd_test {

using Outcome = CommitResult::Outcome;

constexpr char kDone[] = R"({"header":{"revision":"5"},"succeeded":true,"responses":[{"response_put":{}}]})";
constexpr char kEmpty[] = R"({"header":{"revision":"5"}})";
const TopologyCommit kPut = {.conditions = {{"a", 0}}, .changes = {{"a", "x"}}};

EtcdOptions OptionsFor(const std::vector<std::string>& endpoints) {
  return {.endpoints = endpoints,
          .connect_millis = 60'000,
          .request_millis = 60'000,
          .least_backoff_millis = 1,
          .most_backoff_millis = 20,
          .seed = 1};
}

// Nobody listens there.
std::string NowhereEndpoint() { return "http://127.0.0.1:1"; }

// With little time, on a loaded machine, the request may not even be sent; then again.
Outcome CommitThatIsSent(EtcdTopologyStore* store, const TopologyCommit& commit) {
  Outcome outcome = Outcome::kUnavailable;
  EXPECT_TRUE(Await([&] { return (outcome = store->Commit(commit).outcome) != Outcome::kUnavailable; }));
  return outcome;
}

TEST(JsonSplitterTest, ObjectsComeWholeWhateverThePieces) {
  const std::string stream = "{\"a\":1}\n {\"b\":{\"c\":\"}\\\"{\"}} \r\n{}";
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    JsonSplitter splitter(100);
    std::vector<std::string> objects;
    for (size_t at = 0; at < stream.size(); at += piece) {
      ASSERT_TRUE(splitter.Add(std::string_view(stream).substr(at, piece),
                               [&](std::string_view object) { objects.emplace_back(object); }));
    }
    EXPECT_EQ(objects, (std::vector<std::string>{"{\"a\":1}", "{\"b\":{\"c\":\"}\\\"{\"}}", "{}"}));
  }
  JsonSplitter small(5);
  EXPECT_FALSE(small.Add("{\"abcdef", [](std::string_view) {}));
  JsonSplitter strict(100);
  EXPECT_FALSE(strict.Add("<html>", [](std::string_view) {}));
}

TEST(EtcdCodecTest, RequestsAreThese) {
  EXPECT_EQ(EtcdRangeRequest("ab"), R"({"key":"YWI=","range_end":"YWM="})");
  EXPECT_EQ(EtcdRangeRequest(""), R"({"key":"AA==","range_end":"AA=="})");
  EXPECT_EQ(EtcdRangeRequest("a\xff"), R"({"key":"Yf8=","range_end":"Yg=="})");
  EXPECT_EQ(EtcdTxnRequest({.conditions = {{"a", 7}}, .changes = {{"b", "c"}, {"d", std::nullopt}}}),
            R"({"compare":[{"key":"YQ==","mod_revision":"7","result":"EQUAL","target":"MOD"}],)"
            R"("failure":[{"request_range":{"key":"YQ=="}}],)"
            R"("success":[{"request_put":{"key":"Yg==","value":"Yw=="}},{"request_delete_range":{"key":"ZA=="}}]})");
  EXPECT_EQ(EtcdWatchRequest("a", 8),
            R"({"create_request":{"key":"YQ==","progress_notify":true,"range_end":"Yg==","start_revision":"8"}})");
}

TEST(EtcdCodecTest, AnswersThatMakeNoSenseAreNoAnswers) {
  const Result<TopologySnapshot> range = ParseEtcdRange(
      R"({"header":{"revision":"9"},"kvs":[{"key":"YQ==","value":"Yg==","mod_revision":"8"},{"key":"Yw==","mod_revision":"9"}]})");
  ASSERT_OK(range);
  EXPECT_EQ(range->records, (std::map<std::string, Record>{{"a", {"b", 8}}, {"c", {"", 9}}}));
  for (const char* const wrong :
       {"", "x", "[]", "{}", "null", R"({"header":{"revision":"-9"}})", R"({"header":{"revision":9.5}})",
        R"({"header":{"revision":"99999999999999999999"}})", R"({"header":{"revision":"9"},"kvs":7})",
        R"({"header":{"revision":"9"},"kvs":[7]})", R"({"header":{"revision":"9"},"kvs":[{"key":"!","mod_revision":"1"}]})",
        R"({"header":{"revision":"9"},"kvs":[{"key":"YQ=="}]})"}) {
    EXPECT_STATUS(kCorruption, ParseEtcdRange(wrong)) << wrong;
  }
  EXPECT_EQ(ParseEtcdTxn(kDone).outcome, Outcome::kDone);
  EXPECT_EQ(ParseEtcdTxn(kEmpty).outcome, Outcome::kConflict);
  EXPECT_EQ(ParseEtcdTxn("{}").outcome, Outcome::kUnknown);
  EXPECT_EQ(ParseEtcdTxn("<html>").outcome, Outcome::kUnknown);
  EXPECT_EQ(ParseEtcdError(R"({"error":"a","code":5,"message":"b"})"), "b");
  EXPECT_EQ(ParseEtcdError(R"({"error":{"grpc_code":5,"message":"c"}})"), "c");
  EXPECT_EQ(ParseEtcdWatch(R"({"error":{"message":"c"}})").end, "c");
  EXPECT_NE(ParseEtcdWatch("").end, "");
  EXPECT_NE(ParseEtcdWatch(R"({"result":{"canceled":true,"compact_revision":"7"}})").end.find("revision 7"),
            std::string::npos);
  EXPECT_NE(ParseEtcdWatch(R"({"result":{"events":[{"kv":{}}]}})").end, "");
  const EtcdWatchMessage message = ParseEtcdWatch(
      R"({"result":{"header":{"revision":"9"},"events":[{"kv":{"key":"YQ==","value":"Yg==","mod_revision":"8"}},)"
      R"({"type":"DELETE","kv":{"key":"YQ==","mod_revision":"9"}}]}})");
  ASSERT_EQ(message.events.size(), 2u);
  EXPECT_EQ(message.events[0].value, "b");
  EXPECT_FALSE(message.events[1].value.has_value());
}

TEST(EtcdFailureTest, NobodyThereIsUnavailable) {
  EtcdTopologyStore store(OptionsFor({NowhereEndpoint(), NowhereEndpoint()}), Env::Default());
  EXPECT_STATUS(kUnavailable, store.Read("a"));
  EXPECT_EQ(store.Commit(kPut).outcome, Outcome::kUnavailable);
}

TEST(EtcdFailureTest, WhatSomebodyMayHaveReceivedIsUnknownAndNotSentAgain) {
  const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"header\"";
  const std::vector<FakeHttp::Act> acts = {
      FakeHttp::Cut(), FakeHttp::Answer(503, R"({"code":14,"message":"etcdserver: request timed out"})"),
      FakeHttp::Answer(500, "?"), FakeHttp::Answer(200, "<html>"), FakeHttp::Answer(200, "{}"),
      [&](const FakeHttp::Request&, RawSocket* socket) { socket->Send(half); }};
  for (const FakeHttp::Act& act : acts) {
    FakeHttp first, second;
    first.Script({act});
    second.Script({FakeHttp::Answer(200, kDone)});
    EtcdTopologyStore store(OptionsFor({first.endpoint(), second.endpoint()}), Env::Default());
    EXPECT_EQ(store.Commit(kPut).outcome, Outcome::kUnknown);
    EXPECT_EQ(first.requests().size(), 1u);
    EXPECT_EQ(second.requests().size(), 0u);
  }
}

TEST(EtcdFailureTest, AStallIsUnknownForACommitAndTimedOutForARead) {
  FakeHttp fake;
  fake.Script({[&](const FakeHttp::Request&, RawSocket*) { fake.Hold([&, n = 0]() mutable { return ++n > 200; }); }});
  EtcdOptions options = OptionsFor({fake.endpoint()});
  options.request_millis = 50;
  EtcdTopologyStore store(options, Env::Default());
  EXPECT_EQ(CommitThatIsSent(&store, kPut), Outcome::kUnknown);
  // The request waits in the socket until the first has been let go, or for ever: either way there is no answer.
  EXPECT_FALSE(store.Read("a").ok());
}

TEST(EtcdFailureTest, ReadsAndWhatNobodyReceivedGoToTheNext) {
  FakeHttp good, bad;
  good.Script({FakeHttp::Answer(200, kEmpty)});
  bad.Script({FakeHttp::Answer(503, "{}"), FakeHttp::Cut()});
  EtcdTopologyStore store(OptionsFor({NowhereEndpoint(), bad.endpoint(), good.endpoint()}), Env::Default());
  EXPECT_OK(store.Read("a"));
  EXPECT_OK(store.Read("a"));
  EXPECT_EQ(bad.requests().size(), 1u);  // the one that answered is preferred
  good.Script({FakeHttp::Answer(200, kDone)});
  EtcdTopologyStore other(OptionsFor({NowhereEndpoint(), good.endpoint()}), Env::Default());
  EXPECT_EQ(other.Commit(kPut).outcome, Outcome::kDone);
}

TEST(EtcdFailureTest, RefusalsAreRefusalsAndNoSpaceIsUnavailable) {
  FakeHttp fake;
  EtcdTopologyStore store(OptionsFor({fake.endpoint()}), Env::Default());
  fake.Script({FakeHttp::Answer(400, R"({"code":3,"message":"etcdserver: user name is empty"})")});
  const CommitResult refused = store.Commit(kPut);
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_NE(refused.reason.find("user name is empty"), std::string::npos);
  EXPECT_STATUS(kInvalidArgument, store.Read("a"));
  fake.Script({FakeHttp::Answer(429, R"({"code":8,"message":"etcdserver: mvcc: database space exceeded"})")});
  EXPECT_EQ(store.Commit(kPut).outcome, Outcome::kUnavailable);
}

TEST(EtcdFailureTest, TokensAreFetchedSentAndRenewed) {
  FakeHttp fake;
  EtcdOptions options = OptionsFor({fake.endpoint()});
  options.user = "u";
  options.password = "p\"";
  EtcdTopologyStore store(options, Env::Default());
  fake.Script({FakeHttp::Answer(200, R"({"token":"one"})"), FakeHttp::Answer(200, kDone),
               FakeHttp::Answer(401, R"({"code":16,"message":"etcdserver: invalid auth token"})"),
               FakeHttp::Answer(200, R"({"token":"two"})"), FakeHttp::Answer(200, kDone), FakeHttp::Answer(403, "{}"),
               FakeHttp::Answer(200, R"({"token":"three"})"), FakeHttp::Answer(403, "{}")});
  EXPECT_EQ(store.Commit(kPut).outcome, Outcome::kDone);
  EXPECT_EQ(store.Commit(kPut).outcome, Outcome::kDone);
  EXPECT_EQ(store.Commit(kPut).outcome, Outcome::kRefused);
  const std::vector<FakeHttp::Request> requests = fake.requests();
  ASSERT_EQ(requests.size(), 8u);
  EXPECT_EQ(requests[0].path, "/v3/auth/authenticate");
  EXPECT_EQ(requests[0].body, R"({"name":"u","password":"p\""})");
  EXPECT_EQ(requests[1].path, "/v3/kv/txn");
  EXPECT_NE(requests[1].headers.find("Authorization: one\r\n"), std::string::npos);
  EXPECT_NE(requests[4].headers.find("Authorization: two"), std::string::npos);
}

// Watches: a stream in single bytes, cut, compacted, gone back in time; the follower sees each state once.
TEST(EtcdWatchTest, StreamsMayEndInAnyWay) {
  const auto range = [](uint64_t revision, const std::string& value) {
    return FakeHttp::Answer(200, R"({"header":{"revision":")" + std::to_string(revision) +
                                     R"("},"kvs":[{"key":"YQ==","value":")" + value + R"(","mod_revision":")" +
                                     std::to_string(revision) + "\"}]}");
  };
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto stream = [&](const std::string& text) {
    return [&, text](const FakeHttp::Request&, RawSocket* socket) {
      socket->Send(head);
      for (const char c : text) socket->Send(FakeHttp::Chunk(std::string(1, c)));
    };
  };
  const std::string created = R"({"result":{"header":{"revision":"5"},"created":true}})" "\n";
  const auto event = [](const std::string& value, const std::string& revision) {
    return R"({"result":{"header":{"revision":")" + revision + R"("},"events":[{"kv":{"key":"YQ==","value":")" + value +
           R"(","mod_revision":")" + revision + "\"}}]}}\n";
  };
  FakeHttp fake;
  fake.Script({range(5, "MQ=="), stream(created + event("Mg==", "6") + event("MQ==", "5") + event("Mw==", "7")),
               range(3, "MA=="),  // a member that is behind
               range(7, "Mw=="), stream(created + R"({"result":{"canceled":true,"compact_revision":"9"}})"),
               range(12, "NA=="), FakeHttp::Answer(500, "?"), FakeHttp::Cut(), FakeHttp::Answer(200, "<html>"),
               range(13, "NQ=="), stream(created + "garbage"), range(14, "Ng=="),
               [&](const FakeHttp::Request&, RawSocket* socket) {
                 socket->Send(head + FakeHttp::Chunk(created) + FakeHttp::Chunk(event("Nw==", "15")));
                 fake.Hold();
               }});
  EtcdTopologyStore store(OptionsFor({fake.endpoint()}), Env::Default());
  Follower follower;
  std::unique_ptr<TopologyWatch> watch = store.Watch("a", {}, &follower);
  EXPECT_TRUE(follower.AwaitRecords({{"a", "7"}})) << fake.requests().size();
  EXPECT_FALSE(follower.went_back());
  EXPECT_EQ(follower.calls(), 8);  // 5, 6, 7, again 7 after the trouble, 12, 13, 14, 15
  EXPECT_GE(follower.troubles(), 2);
  watch.reset();  // although the stream is open
  const std::vector<FakeHttp::Request> requests = fake.requests();
  ASSERT_GE(requests.size(), 5u);
  EXPECT_NE(requests[1].body.find(R"("start_revision":"6")"), std::string::npos);
  EXPECT_NE(requests[4].body.find(R"("start_revision":"8")"), std::string::npos);
}

class RealEtcdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (EtcdProgram().empty()) GTEST_SKIP() << "skipped: Debian's etcd-server is not installed";
    ASSERT_TRUE(etcd_.Start(dir_.Sub("etcd")));
  }
  varve::test::TempDir dir_;
  EtcdProcess etcd_;
};

TEST_F(RealEtcdTest, KilledStoppedAndCompactedItIsFollowed) {
  EtcdOptions options = OptionsFor({NowhereEndpoint(), etcd_.endpoint()});
  EtcdTopologyStore store(options, Env::Default());
  Follower follower;
  const std::unique_ptr<TopologyWatch> watch = store.Watch("/v/", {}, &follower);
  const CommitResult first = store.Commit({.changes = {{"/v/a", "1"}, {"/v/b", "1"}}});
  ASSERT_EQ(first.outcome, Outcome::kDone);
  ASSERT_TRUE(follower.AwaitRecords({{"/v/a", "1"}, {"/v/b", "1"}}));
  etcd_.Kill();
  EXPECT_TRUE(Await([&] { return follower.troubles() == 1; }));
  EXPECT_EQ(store.Commit({.changes = {{"/v/a", "2"}}}).outcome, Outcome::kUnavailable);
  ASSERT_TRUE(etcd_.Start(dir_.Sub("etcd")));
  // While the watch is away: a deletion, and the history is dropped.
  EtcdTopologyStore again(OptionsFor({etcd_.endpoint()}), Env::Default());
  const CommitResult second =
      again.Commit({.conditions = {{"/v/a", first.revision}}, .changes = {{"/v/a", "3"}, {"/v/b", std::nullopt}}});
  ASSERT_EQ(second.outcome, Outcome::kDone) << second.reason;
  HttpClient client;
  const HttpAnswer compacted = client.Perform({.url = etcd_.endpoint() + "/v3/kv/compaction",
                                               .body = "{\"revision\":\"" + std::to_string(second.revision) + "\"}"});
  EXPECT_EQ(compacted.status, 200) << compacted.body;
  EXPECT_TRUE(follower.AwaitRecords({{"/v/a", "3"}}));
  EXPECT_FALSE(follower.went_back());
  // It stands still: the outcome is not known, and is seen when it goes on.
  etcd_.Stop();
  options.endpoints = {etcd_.endpoint()};
  options.request_millis = 100;
  EtcdTopologyStore hasty(options, Env::Default());
  EXPECT_EQ(CommitThatIsSent(&hasty, {.changes = {{"/v/a", "4"}}}), Outcome::kUnknown);
  etcd_.Continue();
  EXPECT_TRUE(Await([&] { return again.Commit({.changes = {{"/v/c", "5"}}}).outcome == Outcome::kDone; }));
  EXPECT_TRUE(Await([&] { return follower.records().contains("/v/c"); }));
}

}  // namespace etcd_test
}  // namespace varve::node::test
