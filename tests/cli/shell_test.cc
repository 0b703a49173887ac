#include "cli/shell.h"

#include <gtest/gtest.h>

#include "cli/reply_text.h"
#include "tests/cli/cli_fixture.h"
#include "tests/cli/scripted_terminal.h"
#include "tests/client/fake_server.h"

namespace varve::cli {
namespace shell_test {

using client::Words;

class ShellTest : public CliTest {
 protected:
  ShellTest()
      : server_([store = client::NewFakeStore(true)] { return NewStoreSession(store); }) {
    environment_.url = "redis://" + server_.endpoint().Name();
  }

  // What a shell prints that reads these lines from a pipe.
  std::string Says(const std::string& lines, const Words& place = {}) {
    input_ = lines;
    Words words = place;
    words.push_back("shell");
    exit_code_ = RunLine(words);
    return out_ + err_;
  }
  // What is on the terminal of a person that types these keys.
  std::string Screen(std::deque<std::string> keys, const Words& words = {}) {
    ScriptedTerminal terminal(std::move(keys));
    terminal_at_ = &terminal;
    terminal.history = history_;
    exit_code_ = RunLine(words);
    terminal_at_ = nullptr;
    history_ = terminal.history;
    return terminal.screen;
  }

  client::FakeServer server_;
  std::vector<std::string> history_;
  int exit_code_ = 0;
};

TEST_F(ShellTest, LinesAreVerbsOrCommandsOfTheServer) {
  EXPECT_EQ(Says("put k v\nget k\n"), "v");
  EXPECT_EQ(Says("GET k\nGET absent\nSET k \"a b\\x00\"\nGET k\nDBSIZE\necho hello\n"),
            "\"v\"\n(nil)\nOK\n\"a b\\x00\"\n(integer) 1\n\"hello\"\n");
  EXPECT_EQ(exit_code_, kExitOk);
  EXPECT_EQ(Says("put 'a b' c\nscan --json\n"),
            "{\"key\":\"a b\",\"value\":\"c\"}\n{\"key\":\"k\",\"value\":\"a b\\u0000\"}\n");
}

TEST_F(ShellTest, TheExitCodeIsThatOfTheLastFailure) {
  EXPECT_EQ(Says("NOSUCH x\nECHO on\n"),
            "(error) ERR unknown command 'NOSUCH', with args beginning with: \n\"on\"\n");
  EXPECT_EQ(exit_code_, kExitError);
  Says("get absent\nput k v\n");
  EXPECT_EQ(exit_code_, kExitKeyNotFound);
  Says("put 'k\n");
  EXPECT_EQ(exit_code_, kExitUsage);
}

TEST_F(ShellTest, NoAnswerToShutdownIsWhatOneWants) {
  client::FakeServer other([](const Words& request) -> std::optional<std::string> {
    if (request.size() > 1) return "-ERR Errors trying to SHUTDOWN. Check logs.\r\n";
    return std::nullopt;
  });
  environment_.url = "redis://" + other.endpoint().Name();
  EXPECT_EQ(Says("SHUTDOWN\n"), "");
  EXPECT_EQ(exit_code_, kExitOk);
  Says("SHUTDOWN SAVE\n");
  EXPECT_EQ(exit_code_, kExitError);
  Says("FLUSHALL\n");
  EXPECT_EQ(exit_code_, kExitConnection);
}

TEST_F(ShellTest, CommentsEmptyLinesAndTheEnd) {
  EXPECT_EQ(Says("# a comment\n\n  \nECHO a\nquit\nECHO b\n"), "\"a\"\n");
  EXPECT_EQ(exit_code_, kExitOk);
}

TEST_F(ShellTest, TheVerbsFollowTheConnectionsDatabase) {
  EXPECT_EQ(Says("SELECT 3\nput k third\nGET k\nSELECT 0\nGET k\n"), "OK\n\"third\"\nOK\n(nil)\n");
}

TEST_F(ShellTest, OneConnectionIsKeptForCommands) {
  EXPECT_EQ(Says("MULTI\nSET a 1\nSET b 2\nEXEC\n"), "OK\nQUEUED\nQUEUED\n1) OK\n2) OK\n");
}

TEST_F(ShellTest, ADirectoryHasAShellToo) {
  EXPECT_EQ(Says("put k v\nget k\nscan\n", {"--dir", "d"}), "vk\tv\n");
  EXPECT_NE(Says("INFO\n", {"--dir", "d"}).find("unknown command 'INFO'"), std::string::npos);
  EXPECT_EQ(exit_code_, kExitUsage);
}

TEST_F(ShellTest, WhatDoesNotFitThePlaceSaysSo) {
  EXPECT_NE(Says("verify\n").find("no store given"), std::string::npos);
  EXPECT_NE(Says("shell\n").find("this is one"), std::string::npos);
}

TEST_F(ShellTest, TimingIsShownWhenAskedFor) {
  EXPECT_EQ(Says("\\timing\nECHO a\n\\timing\nECHO a\n"),
            "timing is on\n\"a\"\n(1.0 ms)\ntiming is off\n\"a\"\n");
}

TEST_F(ShellTest, HelpListsWhatWorksHere) {
  const std::string help = Says("help\n");
  EXPECT_NE(help.find("  scan "), std::string::npos);
  EXPECT_EQ(help.find("  verify "), std::string::npos);
  EXPECT_NE(Says("help\n", {"--dir", "d"}).find("  verify "), std::string::npos);
  EXPECT_NE(Says("help put\n").find("--ttl"), std::string::npos);
  EXPECT_NE(Says("help nosuch\n").find("there is no 'nosuch'"), std::string::npos);
}

TEST_F(ShellTest, APersonGetsAPromptHistoryAndCompletion) {
  Says("put shop/apple red\nput shop/pear green\n");
  terminal_ = true;
  const std::string screen = Screen({"ge", "\t", "shop/a\t\r", "\x1b[A\r", "\x04"});
  EXPECT_NE(screen.find(server_.endpoint().Name() + "> "), std::string::npos) << screen;
  EXPECT_NE(out_.find("red\nred\n"), std::string::npos) << out_;
  EXPECT_EQ(history_, (Words{"get shop/apple "}));
  EXPECT_EQ(exit_code_, kExitOk);
}

TEST_F(ShellTest, LinesWithPasswordsAreNotKept) {
  Screen({"AUTH hush\r", "hello 3 auth ada hush\r", "CONFIG SET requirepass hush\r",
          "ACL SETUSER ada >hush\r", "get --server redis://:hush@127.0.0.1:1 k\r", "ECHO kept\r", "\x04"});
  EXPECT_EQ(history_, (Words{"ECHO kept"}));
}

TEST_F(ShellTest, ALostConnectionIsMadeAnew) {
  std::atomic<int> calls = 0;
  client::FakeServer flaky([&](const Words&) -> std::optional<std::string> {
    if (++calls == 2) return std::nullopt;
    return "+fine\r\n";
  });
  environment_.url = "redis://" + flaky.endpoint().Name();
  const std::string said = Says("PING\nPING\nPING\n");
  EXPECT_EQ(exit_code_, kExitConnection);
  EXPECT_EQ(out_, "fine\nfine\n") << said;
}

TEST_F(ShellTest, CompletionsAndHints) {
  const Result<Arguments> arguments =
      Arguments::Parse({"shell"}, {&AllCommands().back().spec});
  std::istringstream in;
  std::ostringstream out;
  const Console console{.in = in, .out = out, .err = out, .now_nanos = [] { return uint64_t{0}; }};
  ASSERT_TRUE(arguments.ok());
  const Backend backend = stores_.MakeBackend();
  const Context context{*arguments, console, backend, "", false,
                        ServerTarget{server_.endpoint(), {}}};
  Says("put shop/apple red\nput 'a b' x\n");
  Shell shell(context);
  EXPECT_EQ(shell.Complete("sca").words, (Words{"scan"}));
  EXPECT_EQ(shell.Complete("verif").words, (Words{}));
  EXPECT_EQ(shell.Complete("scan --pre").words, (Words{"--prefix"}));
  EXPECT_EQ(shell.Complete("get sh").words, (Words{"shop/apple"}));
  EXPECT_EQ(shell.Complete("get sh").start, 4u);
  EXPECT_EQ(shell.Complete("GET a").words, (Words{"\"a b\""}));
  EXPECT_EQ(shell.Complete("get 'a b").words, (Words{}));
  EXPECT_EQ(shell.Complete("help expi").words, (Words{"expire"}));
  EXPECT_EQ(shell.Hint("put"), " KEY VALUE");
  EXPECT_EQ(shell.Hint("put "), "KEY VALUE");
  EXPECT_EQ(shell.Hint("put k"), " VALUE");
  EXPECT_EQ(shell.Hint("put k v"), "");
  EXPECT_EQ(shell.Hint("put 'k"), "");
  EXPECT_EQ(shell.Hint("frobnicate"), "");
}

TEST(ReplyTextTest, EveryKindOfReply) {
  using resp::Reply;
  std::istringstream in;
  std::ostringstream out;
  const Console console{.in = in, .out = out, .err = out, .now_nanos = [] { return uint64_t{0}; }};
  const std::pair<const char*, const char*> cases[] = {
      {"+OK\r\n", "OK\n"},
      {"-ERR x\r\n", "(error) ERR x\n"},
      {":-3\r\n", "(integer) -3\n"},
      {"$4\r\na\"\nb\r\n", "\"a\\\"\\nb\"\n"},
      {"$12\r\n# A\r\nb:c\r\nd\n\r\n", "# A\r\nb:c\r\nd\n"},
      {"$-1\r\n", "(nil)\n"},
      {"*0\r\n", "(empty)\n"},
      {"*2\r\n+a\r\n*2\r\n:1\r\n:2\r\n", "1) a\n2) 1) (integer) 1\n   2) (integer) 2\n"},
      {"%1\r\n+k\r\n*2\r\n+v\r\n+w\r\n", "1) k => 1) v\n   2) w\n"},
      {",1.5\r\n", "(double) 1.5\n"},
      {"#t\r\n", "(true)\n"},
      {"(123456789012345678901\r\n", "(number) 123456789012345678901\n"},
      {"=8\r\ntxt:a\nb\n\r\n", "a\nb\n"},
  };
  for (const auto& [bytes, expected] : cases) {
    resp::ReplyParser parser;
    Reply reply;
    ASSERT_EQ(parser.Parse(bytes, &reply), resp::ReplyParser::Outcome::kReply) << bytes;
    EXPECT_EQ(ReplyText(reply, console), expected);
  }
}

}  // namespace shell_test
}  // namespace varve::cli
