// Users: what each may do, over the whole table of commands; changes while others are connected; what is kept.
#include "server/acl.h"

#include <map>

#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace acl_test {

using Args = std::vector<std::string_view>;

// Every command that can be called, sub-commands and not their containers.
std::vector<const Command*> Callable() {
  std::vector<const Command*> all;
  for (const auto& [name, command] : AllCommands()) {
    if (command->subcommands.empty()) all.push_back(command.get());
    for (const auto& [sub_name, sub] : command->subcommands) all.push_back(sub.get());
  }
  return all;
}

// With as few arguments as it takes, all "k".
Args LineOf(const Command& command) {
  Args args = Words(command.full_name, '|');
  while (args.size() < static_cast<size_t>(std::abs(command.spec.arity))) args.push_back("k");
  return args;
}

AclUser UserWith(const std::vector<std::string_view>& rules) {
  AclUser user("u");
  for (const std::string_view rule : rules) EXPECT_EQ(user.Apply(rule), "") << rule;
  return user;
}

bool IsOpen(const Command& command) { return (command.flags & kFlagNoAuth) != 0; }

// --- The matrix: every command against every rule that could be about it.

TEST(AclMatrix, ByCommand) {
  const AclUser nobody = UserWith({"~*", "&*"});
  for (const Command* allowed : Callable()) {
    const AclUser only = UserWith({"~*", "&*", "+" + allowed->full_name});
    const AclUser all_but = UserWith({"~*", "&*", "+@all", "-" + allowed->full_name});
    for (const Command* command : Callable()) {
      SCOPED_TRACE(allowed->full_name + " " + command->full_name);
      const Args args = LineOf(*command);
      const bool is_it = command == allowed;
      ASSERT_EQ(!only.Check(*command, args), is_it || IsOpen(*command));
      ASSERT_EQ(!all_but.Check(*command, args), !is_it || IsOpen(*command));
    }
    EXPECT_EQ(!nobody.Check(*allowed, LineOf(*allowed)), IsOpen(*allowed));
  }
}

TEST(AclMatrix, ByCategory) {
  for (const std::string_view category : AllCategories()) {
    const AclUser only = UserWith({"~*", "&*", "+@" + std::string(category)});
    const AclUser all_but = UserWith({"~*", "&*", "+@all", "-@" + std::string(category)});
    for (const Command* command : Callable()) {
      SCOPED_TRACE(std::string(category) + " " + command->full_name);
      const auto& has = command->categories;
      // A container's category is that of all its sub-commands.
      const Command* const container = FindCommandByFullName(Words(command->full_name, '|')[0]);
      const auto& container_has = container->categories;
      const bool is_in = std::find(has.begin(), has.end(), category) != has.end() ||
                         std::find(container_has.begin(), container_has.end(), category) != container_has.end();
      ASSERT_EQ(!only.Check(*command, LineOf(*command)), is_in || IsOpen(*command));
      ASSERT_EQ(!all_but.Check(*command, LineOf(*command)), !is_in || IsOpen(*command));
    }
  }
}

TEST(AclMatrix, ByContainer) {
  for (const auto& [name, container] : AllCommands()) {
    if (container->subcommands.empty()) continue;
    const AclUser user = UserWith({"~*", "&*", "+" + name});
    for (const Command* command : Callable()) {
      const bool is_in = command->full_name.starts_with(name + "|");
      ASSERT_EQ(!user.Check(*command, LineOf(*command)), is_in || IsOpen(*command)) << command->full_name;
    }
  }
}

// What a command does with its keys, by the flags of the table, decides which patterns let it pass.
TEST(AclMatrix, ByKey) {
  const AclUser none = UserWith({"&*", "+@all", "~other"});
  const AclUser reader = UserWith({"&*", "+@all", "%R~k*"});
  const AclUser writer = UserWith({"&*", "+@all", "%W~k*"});
  const AclUser both = UserWith({"&*", "+@all", "~k*"});
  int with_keys = 0;
  for (const Command* command : Callable()) {
    SCOPED_TRACE(command->full_name);
    const Args args = LineOf(*command);
    bool reads = false;
    bool writes = false;
    bool has_keys = false;
    for (const KeyPosition& position : KeysOf(*command, args)) {
      for (const std::string_view flag : KeyFlagsFor(*command, *position.spec, args)) {
        reads = reads || flag == "access";
        writes = writes || flag == "insert" || flag == "delete" || flag == "update";
      }
      const auto& flags = position.spec->flags;
      has_keys = has_keys || std::find(flags.begin(), flags.end(), "not_key") == flags.end();
    }
    with_keys += has_keys ? 1 : 0;
    EXPECT_EQ(!none.Check(*command, args), !has_keys || IsOpen(*command));
    EXPECT_EQ(!reader.Check(*command, args), !writes || IsOpen(*command));
    EXPECT_EQ(!writer.Check(*command, args), !reads || IsOpen(*command));
    EXPECT_FALSE(both.Check(*command, args));
  }
  EXPECT_GT(with_keys, 60);
}

// One selector must allow all that a call does: the command, and every use of every key.
TEST(AclMatrix, BySelector) {
  for (const Command* command : Callable()) {
    if (IsOpen(*command)) continue;
    SCOPED_TRACE(command->full_name);
    const Args args = LineOf(*command);
    const std::string plus = "+" + command->full_name;
    bool reads = false;
    bool writes = false;
    bool has_keys = false;
    for (const KeyPosition& position : KeysOf(*command, args)) {
      for (const std::string_view flag : KeyFlagsFor(*command, *position.spec, args)) {
        reads = reads || flag == "access";
        writes = writes || flag == "insert" || flag == "delete" || flag == "update";
      }
      const auto& flags = position.spec->flags;
      has_keys = has_keys || std::find(flags.begin(), flags.end(), "not_key") == flags.end();
    }
    const auto may = [&](const std::vector<std::string_view>& rules) {
      return !UserWith(rules).Check(*command, args);
    };
    const std::string whole = "(" + plus + " ~k* &k* &k)";
    EXPECT_TRUE(may({whole}));
    EXPECT_TRUE(may({"~other", "+ping", whole}));
    EXPECT_FALSE(may({"~*", "&*", "+@all", "-" + command->full_name, "(~k* &k*)"}));
    const std::string elsewhere = "(" + plus + " ~other &k* &k)";
    EXPECT_EQ(may({"~*", elsewhere}), !has_keys);
    EXPECT_EQ(may({"(~* &*)", elsewhere}), !has_keys);
    const std::string reading = "(" + plus + " %R~k* &k* &k)";
    const std::string writing = "(" + plus + " %W~k* &k* &k)";
    EXPECT_EQ(may({reading, writing}), !(reads && writes));
    EXPECT_TRUE(may({"(" + plus + " %R~k* %W~k* &k* &k)"}));
    EXPECT_FALSE(may({whole, "clearselectors"}));
  }
}

TEST(AclMatrix, ByChannel) {
  const AclUser none = UserWith({"~*", "+@all", "resetchannels", "&other"});
  const AclUser some = UserWith({"~*", "+@all", "resetchannels", "&k*"});
  // A pattern is subscribed to by who may have just that pattern.
  const AclUser literal = UserWith({"~*", "+@all", "resetchannels", "&k"});
  int with_channels = 0;
  for (const Command* command : Callable()) {
    SCOPED_TRACE(command->full_name);
    bool has_channels = false;
    for (const std::string_view name : {"publish", "spublish", "subscribe", "psubscribe", "ssubscribe"}) {
      has_channels = has_channels || command->full_name == name;
    }
    with_channels += has_channels ? 1 : 0;
    EXPECT_EQ(!none.Check(*command, LineOf(*command)), !has_channels);
    EXPECT_EQ(!some.Check(*command, LineOf(*command)), command->full_name != "psubscribe");
    EXPECT_FALSE(literal.Check(*command, LineOf(*command)));
  }
  EXPECT_EQ(with_channels, 5);
}

TEST(Acl, WritesAreWhatTheTableCallsWrites) {
  for (const Command* command : Callable()) {
    if ((command->flags & kFlagWrite) == 0 || command->key_specs.empty()) continue;
    bool writes = false;
    for (const KeySpec& spec : command->key_specs) {
      for (const std::string_view flag : spec.flags) {
        writes = writes || flag == "insert" || flag == "delete" || flag == "update";
      }
    }
    EXPECT_TRUE(writes) << command->full_name;
  }
}

TEST(Acl, RangesOfKeysNeedThemAll) {
  const AclUser user = UserWith({"+@all", "~a:*", "~b", "~c?*", "%R~d:*"});
  const auto may = [&](const Args& args) {
    std::string error;
    return !user.Check(*FindCommand(args, &error), args);
  };
  EXPECT_TRUE(may({"V.RANGE", "a:1", "a:2"}));
  EXPECT_TRUE(may({"V.RANGE", "d:1", "d:2"}));
  EXPECT_FALSE(may({"V.RANGE", "a:1", "b"}));
  EXPECT_FALSE(may({"V.RANGE", "a:1", ""}));
  EXPECT_FALSE(may({"V.RANGE", "b", "b"}));
  EXPECT_FALSE(may({"V.RANGE", "cx", "cx"}));
  EXPECT_TRUE(may({"V.DELRANGE", "a:1", "a:2"}));
  EXPECT_FALSE(may({"V.DELRANGE", "d:1", "d:2"})) << "only to be read";
  EXPECT_FALSE(may({"V.DELRANGE", "a:1", "b"}));
  EXPECT_TRUE(may({"V.TREE", "a:x"}));
  EXPECT_TRUE(may({"V.RMTREE", "a:x"}));
  EXPECT_FALSE(may({"V.TREE", "b"})) << "what is below b is not b";
  EXPECT_FALSE(may({"V.RMTREE", "d:x"})) << "only to be read";
  EXPECT_FALSE(may({"V.MVTREE", "a:x", "b"}));
  EXPECT_FALSE(may({"V.LS", ""}));
}

// --- Texts, and the same again from them.

TEST(Acl, ReadsWhatItWrites) {
  Acl acl;
  ASSERT_EQ(acl.Set("a", {"on", ">pw", "~x", "%R~y*", "%W~z", "&c*", "+@read", "-get", "+config|get", "+select|0",
                          "(+set ~s*)", "(%R~(r +get", "&d)"}),
            "");
  ASSERT_EQ(acl.Set("", {"reset", "skip-sanitize-payload", "+@all", "-flushall", "allkeys"}), "");
  ASSERT_EQ(acl.Set("default", {"resetpass", ">secret"}), "");
  const std::string text = acl.Write();
  Acl other;
  EXPECT_FALSE(other.asks_for_password());
  ASSERT_EQ(other.Read(text), "");
  EXPECT_EQ(other.Write(), text);
  EXPECT_TRUE(other.asks_for_password());
  EXPECT_NE(other.Authenticate("default", "secret"), nullptr);
  EXPECT_EQ(other.Authenticate("default", "secreT"), nullptr);
  EXPECT_NE(other.Authenticate("a", "pw"), nullptr);
  EXPECT_EQ(other.Authenticate("", ""), nullptr) << "it is off";
  EXPECT_NE(other.Read("user x on +nosuch\n"), "");
  EXPECT_NE(other.Read("nonsense\n"), "");
  EXPECT_NE(other.Read("user x (+get\n"), "");
  EXPECT_EQ(other.Write(), text) << "all or nothing";
}

// --- Sessions.

class AclTest : public ServerTest {};

TEST_F(AclTest, RefusalsAreRedissAndAreLogged) {
  const auto admin = Connect();
  EXPECT_EQ(admin->Call({"ACL", "SETUSER", "u", "on", ">pw", "~k*", "&c*", "+get", "+mget", "+multi", "+exec", "+subscribe"}), "+OK\r\n");
  const auto client = Connect(1);
  EXPECT_TRUE(client->Call({"AUTH", "u", "no"}).starts_with("-WRONGPASS"));
  EXPECT_EQ(client->Call({"AUTH", "u", "pw"}), "+OK\r\n");
  EXPECT_EQ(client->Call({"GET", "k1"}), "$-1\r\n");
  EXPECT_EQ(client->Call({"SET", "k1", "v"}), "-NOPERM this user has no permissions to run the 'set' command\r\n");
  EXPECT_EQ(client->Call({"CONFIG", "GET", "x"}),
            "-NOPERM this user has no permissions to run the 'config|get' command\r\n");
  EXPECT_EQ(client->Call({"MGET", "k1", "x"}),
            "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n");
  EXPECT_EQ(client->Call({"SUBSCRIBE", "c1", "x"}),
            "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n");
  EXPECT_EQ(client->Call({"MULTI"}), "+OK\r\n");
  EXPECT_EQ(client->Call({"GET", "k1"}), "+QUEUED\r\n");
  EXPECT_EQ(client->Call({"MGET", "k1"}), "+QUEUED\r\n");
  EXPECT_EQ(admin->Call({"ACL", "SETUSER", "u", "-get"}), "+OK\r\n");
  EXPECT_EQ(client->Call({"EXEC"}),
            "*2\r\n-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC "
            "call. This command is no longer allowed for the following reason: no permission to execute the "
            "command or subcommand\r\n*1\r\n$-1\r\n");
  EXPECT_EQ(client->Call({"MULTI"}), "+OK\r\n");
  EXPECT_TRUE(client->Call({"GET", "k1"}).starts_with("-NOPERM"));
  EXPECT_TRUE(client->Call({"EXEC"}).starts_with("-EXECABORT"));
  const auto log = service_->acl_log().Newest(100);
  ASSERT_EQ(log.size(), 6u);
  EXPECT_EQ(log[0].object, "get");
  EXPECT_EQ(log[0].context, "multi");
  EXPECT_EQ(log[0].count, 2u);
  EXPECT_EQ(log[1].reason, "channel");
  EXPECT_EQ(log[1].object, "x");
  EXPECT_EQ(log[2].reason, "key");
  EXPECT_EQ(log.back().reason, "auth");
  EXPECT_NE(log[0].client.find(" user=u "), std::string::npos);
  EXPECT_TRUE(admin->Call({"ACL", "LOG", "1"}).starts_with("*1\r\n*14\r\n$5\r\ncount\r\n:2\r\n"));
  EXPECT_EQ(admin->Call({"ACL", "LOG", "RESET"}), "+OK\r\n");
  EXPECT_EQ(admin->Call({"ACL", "LOG"}), "*0\r\n");
}

TEST_F(AclTest, DeletedUsersAreCutAndComeBackAsOthers) {
  const auto admin = Connect();
  admin->Call({"ACL", "SETUSER", "u", "on", "nopass", "allkeys", "allcommands"});
  const auto client = Connect(1);
  EXPECT_EQ(client->Call({"AUTH", "u", "any"}), "+OK\r\n");
  EXPECT_EQ(client->Call({"ACL", "WHOAMI"}), "$1\r\nu\r\n");
  EXPECT_EQ(admin->Call({"ACL", "DELUSER", "u", "nosuch"}), ":1\r\n");
  admin->Call({"ACL", "SETUSER", "u", "on", "nopass", "allkeys", "allcommands"});
  EXPECT_EQ(client->Call({"GET", "k"}), "");
  EXPECT_EQ(client->turn().next, net::Turn::Next::kCloseAfterReplies);
  // The same when nobody has told the connection, which is what it comes to between the two steps.
  const auto late = Connect(1);
  EXPECT_EQ(late->Call({"AUTH", "u", "any"}), "+OK\r\n");
  service_->acl().Delete("u");
  EXPECT_EQ(service_->acl().Set("u", {"on", "nopass", "allkeys", "allcommands"}), "");
  EXPECT_EQ(late->Call({"SET", "k", "v"}), "");
  EXPECT_EQ(late->turn().next, net::Turn::Next::kCloseAfterReplies);
  EXPECT_EQ(admin->Call({"GET", "k"}), "$-1\r\n");
  EXPECT_TRUE(admin->Call({"ACL", "DELUSER", "default"}).starts_with("-ERR The 'default' user"));
  const auto own = Connect();
  own->Call({"AUTH", "u", "x"});
  EXPECT_EQ(own->Call({"ACL", "DELUSER", "u"}), ":1\r\n");
  EXPECT_EQ(own->turn().next, net::Turn::Next::kCloseAfterReplies);
}

TEST_F(AclTest, LostChannelsCutWhoHearsThem) {
  const auto admin = Connect();
  admin->Call({"ACL", "SETUSER", "u", "on", "nopass", "+@all", "&a", "&b"});
  const auto client = Connect(1);
  client->Call({"AUTH", "u", ""});
  EXPECT_TRUE(client->Call({"SUBSCRIBE", "a"}).starts_with("*3"));
  admin->Call({"ACL", "SETUSER", "u", "&c"});
  EXPECT_TRUE(client->Call({"PING"}).starts_with("*2"));
  admin->Call({"ACL", "SETUSER", "u", "resetchannels", "&b"});
  EXPECT_EQ(client->Call({"PING"}), "");
  EXPECT_EQ(client->turn().next, net::Turn::Next::kCloseAfterReplies);
}

TEST_F(AclTest, WhoIsConnectedStaysSoWhenAPasswordIsSet) {
  const auto before = Connect();
  EXPECT_EQ(before->Call({"CONFIG", "SET", "requirepass", "secret"}), "+OK\r\n");
  EXPECT_EQ(before->Call({"GET", "k"}), "$-1\r\n");
  const auto after = Connect();
  EXPECT_TRUE(after->Call({"GET", "k"}).starts_with("-NOAUTH"));
  EXPECT_EQ(after->Call({"AUTH", "secret"}), "+OK\r\n");
  EXPECT_EQ(before->Call({"ACL", "SETUSER", "default", "off"}), "+OK\r\n");
  EXPECT_TRUE(Connect()->Call({"AUTH", "secret"}).starts_with("-WRONGPASS"));
}

TEST_F(AclTest, SavedUsersSurviveAndOthersDoNot) {
  auto admin = Connect();
  admin->Call({"ACL", "SETUSER", "kept", "on", ">pw", "~k*", "+get"});
  EXPECT_EQ(admin->Call({"ACL", "SAVE"}), "+OK\r\n");
  admin->Call({"ACL", "SETUSER", "late", "on"});
  admin->Call({"ACL", "SETUSER", "kept", "+@all"});
  const std::string kKept =
      "user kept on #30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4 ~k* resetchannels -@all +get";
  EXPECT_EQ(admin->Call({"ACL", "LOAD"}), "+OK\r\n");
  EXPECT_EQ(service_->acl().Find("kept")->Describe(), kKept);
  EXPECT_EQ(service_->acl().Find("late"), nullptr);
  EXPECT_EQ(admin->Call({"PING"}), "+PONG\r\n") << "default stays connected";
  admin.reset();
  Options options;
  options.password = "started with";
  Restart(options);
  EXPECT_EQ(service_->acl().Find("kept")->Describe(), kKept);
  const auto client = Connect();
  EXPECT_TRUE(client->Call({"GET", "k"}).starts_with("-NOAUTH"));
  EXPECT_EQ(client->Call({"AUTH", "started with"}), "+OK\r\n");
}

TEST_F(AclTest, PasswordsAreRandomAndOfTheLengthAskedFor) {
  const auto client = Connect();
  EXPECT_EQ(client->Call({"ACL", "GENPASS"}).size(), 64u + 7);
  EXPECT_EQ(client->Call({"ACL", "GENPASS", "5"}).size(), 2u + 6);
  EXPECT_EQ(client->Call({"ACL", "GENPASS", "4096"}).size(), 1024u + 9);
}

}  // namespace acl_test
}  // namespace varve::server::test
