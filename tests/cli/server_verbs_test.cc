// The verbs on a server: the same functions as on a directory, over a connection.
#include <gtest/gtest.h>

#include "cli/commands.h"
#include "tests/cli/cli_fixture.h"
#include "tests/client/fake_server.h"

namespace varve::cli {
namespace server_verbs_test {

using client::FakeServer;
using client::Words;

class ServerVerbsTest : public CliTest {
 protected:
  ServerVerbsTest() : server_([store = client::NewFakeStore(true)] { return NewStoreSession(store); }) {
    environment_.url = "redis://" + server_.endpoint().Name();
  }

  std::string Says(const Words& words) {
    EXPECT_EQ(RunLine(words), kExitOk) << err_;
    return out_;
  }
  // Runs on another server, one that answers like this.
  int AgainstAnswer(const std::string& answer, Words words) {
    FakeServer other([&](const Words&) { return answer; });
    words.insert(words.begin(), "redis://" + other.endpoint().Name());
    return RunLine(words);
  }

  FakeServer server_;
};

// The lines of requirement 004 as they are written there.
TEST_F(ServerVerbsTest, ClientSpeaksInWords) {
  EXPECT_EQ(Says({"client", "put", "test/val", "this is a test val"}), "success\n");
  EXPECT_EQ(Says({"client", "get", "test/val"}), "got data:\nthis is a test val\n");
  EXPECT_EQ(Says({"client", "get", "test/val", "--json"}),
            "{\"key\":\"test/val\",\"value\":\"this is a test val\"}\n");
  EXPECT_EQ(Says({"client", "del", "test/val"}), "success\n");
  EXPECT_EQ(RunLine({"client", "get", "test/val"}), kExitKeyNotFound);
}

TEST_F(ServerVerbsTest, ValuesAreRawInPipes) {
  EXPECT_EQ(Says({"put", "k", "v"}), "");
  EXPECT_EQ(Says({"get", "k"}), "v");
  EXPECT_EQ(Says({"put", "k", "w", "--json"}), "{\"ok\":true}\n");
  terminal_ = true;
  EXPECT_EQ(Says({"get", "k"}), "w\n");
}

TEST_F(ServerVerbsTest, TimesToLive) {
  Says({"put", "k", "v", "--ttl", "10s"});
  EXPECT_EQ(Says({"ttl", "k"}), "10000ms\n");
  Says({"expire", "k", "2m"});
  EXPECT_EQ(Says({"ttl", "k"}), "120000ms\n");
  Says({"persist", "k"});
  EXPECT_EQ(Says({"ttl", "k"}), "none\n");
  EXPECT_EQ(RunLine({"expire", "absent", "2m"}), kExitKeyNotFound);
  EXPECT_EQ(RunLine({"ttl", "absent"}), kExitKeyNotFound);
}

TEST_F(ServerVerbsTest, LoadScanCountAndDump) {
  input_ = "a/1\tone\na/2\ttwo\t1700000009000\nb\tthree\n@db2\tc\tfour\n";
  Says({"load", "-"});
  EXPECT_EQ(Says({"scan"}), "a/1\tone\na/2\ttwo\nb\tthree\n");
  EXPECT_EQ(Says({"scan", "--prefix", "a/", "--reverse", "--limit", "1"}), "a/2\ttwo\n");
  EXPECT_EQ(Says({"scan", "--keys", "--from", "a/2"}), "a/2\nb\n");
  EXPECT_EQ(Says({"scan", "-n", "db2", "--json"}),
            "{\"namespace\":\"db2\",\"key\":\"c\",\"value\":\"four\"}\n");
  EXPECT_EQ(Says({"count"}), "3\n");
  EXPECT_EQ(Says({"count", "--to", "b"}), "2\n");
  EXPECT_EQ(Says({"dump"}), input_);
  EXPECT_EQ(Says({"namespaces"}), "db2\tstore's\tstore's\tnone\n");
  EXPECT_EQ(RunLine({"scan", "-n", "users"}), kExitUsage);
}

TEST_F(ServerVerbsTest, Trees) {
  Says({"tree", "put", "shop/fruit/apple", "red"});
  Says({"tree", "put", "shop/tea", "green"});
  EXPECT_EQ(Says({"tree", "list", "shop"}), "fruit\tchildren\ntea\tvalue\n");
  EXPECT_EQ(Says({"tree", "walk", "shop"}), "shop/fruit/apple\tred\nshop/tea\tgreen\n");
  Says({"tree", "delete", "shop/fruit"});
  EXPECT_EQ(Says({"tree", "count"}), "1\n");
  // A server that does not know the command says so.
  EXPECT_EQ(RunLine({"tree", "rename", "absent", "x"}), kExitKeyNotFound);
  EXPECT_EQ(RunLine({"tree", "rename", "shop", "taken"}), kExitError);
  EXPECT_EQ(RunLine({"tree", "put", "shop//x", "v"}), kExitUsage);
  EXPECT_EQ(AgainstAnswer("-WRONGTYPE Operation\r\n", {"tree", "get", "shop"}), kExitError);
  EXPECT_EQ(RunLine({"tree", "rename", "shop", "new"}), kExitError);
  EXPECT_NE(err_.find("V.MVTREE"), std::string::npos) << err_;
}

TEST_F(ServerVerbsTest, StatsAreInfo) {
  EXPECT_EQ(Says({"stats"}), "redis_version\t7.0.15\n");
  Says({"put", "k", "v"});
  EXPECT_EQ(Says({"stats", "--json"}),
            "{\"redis_version\":\"7.0.15\",\"db0\":\"keys=1,expires=0,avg_ttl=0\"}\n");
}

TEST_F(ServerVerbsTest, AddressesComeFromFlagsTheFirstWordAndTheEnvironment) {
  Says({"put", "k", "v"});
  const client::Endpoint there = server_.endpoint();
  const std::string port = std::to_string(there.port);
  environment_.url = "redis://nowhere.invalid";
  EXPECT_EQ(Says({"--server", "redis://" + there.Name(), "get", "k"}), "v");
  EXPECT_EQ(Says({"get", "k", "--server", there.Name()}), "v");
  EXPECT_EQ(Says({"redis://" + there.Name(), "get", "k"}), "v");
  EXPECT_EQ(Says({"get", "k", "--host", "127.0.0.1", "--port", port}), "v");
  // Another database.
  EXPECT_EQ(RunLine({"redis://" + there.Name() + "/1", "get", "k"}), kExitKeyNotFound);
}

TEST_F(ServerVerbsTest, ADirectoryIsTakenBeforeTheServerOfTheEnvironment) {
  EXPECT_EQ(Varve({"put", "k", "in d"}), kExitOk);
  environment_.dir = "d";
  EXPECT_EQ(Says({"get", "k"}), "in d");
  EXPECT_EQ(RunLine({"client", "get", "k"}), kExitKeyNotFound);
  EXPECT_EQ(RunLine({"get", "k", "--server", server_.endpoint().Name()}), kExitKeyNotFound);
  EXPECT_EQ(RunLine({"--dir", "d", "get", "k", "--server", "x"}), kExitUsage);
  EXPECT_EQ(RunLine({"client", "--dir", "d", "get", "k"}), kExitUsage);
}

TEST_F(ServerVerbsTest, RangesAreDeleted) {
  for (const char* key : {"a", "b", "b1", "c"}) Says({"put", key, "v"});
  Says({"delrange", "b", "c"});
  EXPECT_EQ(Says({"scan", "--keys"}), "a\nc\n");
  EXPECT_EQ(RunLine({"delrange", "c", "b"}), kExitUsage);
}

TEST_F(ServerVerbsTest, GetsAreExplainedByTheServer) {
  Says({"put", "k", "v", "-n", "db2"});
  EXPECT_EQ(Says({"explain", "k"}), "answer: nothing\n");
  EXPECT_EQ(Says({"explain", "k", "-n", "db2"}), "answer: value\n");
  EXPECT_EQ(Says({"explain", "k", "--json"}), "{\"key\":\"k\",\"text\":\"answer: nothing\\n\"}\n");
  EXPECT_EQ(AgainstAnswer("-ERR unknown command 'V.EXPLAIN'\r\n", {"explain", "k"}), kExitError);
}

TEST_F(ServerVerbsTest, BackupsAreMadeByTheServer) {
  int looks = 0;
  std::vector<Words> seen;
  FakeServer other([&](const Words& request) -> std::string {
    seen.push_back(request);
    if (request[1] == "START") return request[2] == "taken" ? "-ERR there is a backup of that name\r\n" : "+Backup started\r\n";
    const bool runs = ++looks < 3;
    const std::string done = runs ? ":10\r\n" : ":40\r\n";
    const std::string error = seen[0][2] == "bad" ? "$8\r\nno space\r\n" : "$0\r\n\r\n";
    return "*10\r\n$7\r\nrunning\r\n" + std::string(runs ? ":1\r\n" : ":0\r\n") + "$4\r\nname\r\n$1\r\nm\r\n$10\r\ndone_bytes\r\n" +
           done + "$11\r\ntotal_bytes\r\n:40\r\n$5\r\nerror\r\n" + error;
  });
  const std::string address = "redis://" + other.endpoint().Name();
  const Words words = {address, "backup", "m", "--since", "n", "--rate", "5", "--progress"};
  EXPECT_EQ(RunLine(words), kExitOk) << err_;
  EXPECT_EQ(seen[0], (Words{"V.BACKUP", "START", "m", "SINCE", "n", "RATE", "5"}));
  EXPECT_EQ(looks, 3);
  EXPECT_TRUE(out_.starts_with("name\tm\nbytes\t40\nseconds\t")) << out_;
  EXPECT_NE(err_.find("backed up"), std::string::npos) << err_;
  EXPECT_EQ(RunLine({address, "backup", "-"}), kExitUsage);
  EXPECT_EQ(RunLine({address, "backup", "taken"}), kExitError);
  EXPECT_NE(err_.find("there is a backup of that name"), std::string::npos) << err_;
  seen.clear();
  EXPECT_EQ(RunLine({address, "backup", "bad"}), kExitError);
  EXPECT_NE(err_.find("no space"), std::string::npos) << err_;
}

TEST_F(ServerVerbsTest, VerbsOfDirectoriesSayThatTheyAre) {
  for (const Command& command : AllCommands()) {
    if (command.spec.target != Target::kDirectory) continue;
    Words words = {"client", std::string(command.spec.name)};
    for (size_t i = 0; i < command.spec.min_operands; ++i) words.push_back("-");
    EXPECT_EQ(RunLine(words), kExitUsage) << words[1];
    EXPECT_NE(err_.find("does not work through a server"), std::string::npos) << err_;
  }
}

TEST_F(ServerVerbsTest, AddressesThatMakeNoSenseAreUsageErrors) {
  for (const Words& words : std::vector<Words>{{"get", "k", "--server", "http://box"},
                                               {"get", "k", "--server", "rediss://box:x"},
                                               {"get", "k", "--socket", "/x", "--tls"},
                                               {"get", "k", "--port", "0"},
                                               {"get", "k", "--port", "x"},
                                               {"get", "k", "--user", "ada"},
                                               {"get", "k", "--timeout", "soon"}}) {
    EXPECT_EQ(RunLine(words), kExitUsage) << words[3];
    EXPECT_EQ(out_, "");
  }
  environment_.url = "redis://:hush@box:x";
  EXPECT_EQ(RunLine({"get", "k"}), kExitUsage);
  EXPECT_NE(err_.find("VARVE_URL"), std::string::npos) << err_;
  EXPECT_EQ(err_.find("hush"), std::string::npos) << err_;
}

TEST_F(ServerVerbsTest, NoConnectionIsExitFour) {
  EXPECT_EQ(RunLine({"get", "k", "--socket", "/nonexistent/socket"}), kExitConnection);
  EXPECT_EQ(err_.find("varve: cannot connect to /nonexistent/socket: No such file or directory\n"), 0u) << err_;
  EXPECT_NE(err_.find("'varve server DIR' starts a server"), std::string::npos) << err_;
  EXPECT_EQ(AgainstAnswer("-LOADING the data set\r\n", {"scan"}), kExitConnection);
  EXPECT_EQ(AgainstAnswer("nonsense\r\n", {"get", "k"}), kExitConnection);
}

TEST_F(ServerVerbsTest, AMissingPasswordIsExitFive) {
  const std::string answer = "-NOAUTH Authentication required.\r\n";
  for (const Words& words : std::vector<Words>{
           {"get", "k"}, {"put", "k", "v"}, {"scan"}, {"stats"}, {"tree", "list"}, {"ttl", "k"},
           {"tree", "delete", "k"}, {"scan", "-n", "db1"}, {"namespaces"}}) {
    EXPECT_EQ(AgainstAnswer(answer, words), kExitAuthentication) << words[0];
    EXPECT_NE(err_.find("VARVE_PASSWORD"), std::string::npos) << err_;
  }
}

TEST_F(ServerVerbsTest, ThePasswordMayComeFromTheEnvironment) {
  FakeServer other([](const Words& request) {
    return request == Words{"AUTH", "ada", "hush"} ? "+OK\r\n" : "$1\r\nv\r\n";
  });
  environment_.password = "hush";
  EXPECT_EQ(Says({"--server", other.endpoint().Name(), "--user", "ada", "get", "k"}), "v");
  EXPECT_EQ(other.Requests(), (std::vector<Words>{{"AUTH", "ada", "hush"}, {"GET", "k"}}));
}

TEST_F(ServerVerbsTest, NoAnswerIsExitSeven) {
  EXPECT_EQ(AgainstAnswer("", {"get", "k", "--timeout", "20ms"}), kExitTimeout);
  EXPECT_NE(err_.find("no answer within 20 ms"), std::string::npos) << err_;
  EXPECT_NE(err_.find("--timeout 2m"), std::string::npos) << err_;
}

TEST_F(ServerVerbsTest, ErrorsOfTheServerAreShownAsTheyAre) {
  EXPECT_EQ(AgainstAnswer("-WRONGTYPE Operation against a key\r\n", {"get", "k"}), kExitError);
  EXPECT_EQ(err_, "varve: WRONGTYPE Operation against a key\n");
  EXPECT_EQ(AgainstAnswer("-MISCONF disk\r\n", {"put", "k", "v", "--json"}), kExitError);
  EXPECT_EQ(err_, "{\"error\":\"invalid argument\",\"message\":\"MISCONF disk\"}\n");
}

}  // namespace server_verbs_test
}  // namespace varve::cli
