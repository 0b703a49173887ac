// The table of commands: what every entry must have, and that each is refused in the ways that all are.
#include <set>

#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace command_table_test {

template <typename F>
void ForEach(const F& visit) {
  for (const auto& [name, command] : AllCommands()) {
    visit(*command);
    for (const auto& [sub_name, sub] : command->subcommands) visit(*sub);
  }
}

TEST(CommandTable, EntriesAreComplete) {
  ForEach([](const Command& command) {
    SCOPED_TRACE(command.full_name);
    EXPECT_EQ(LowerCase(command.full_name), command.full_name);
    EXPECT_NE(command.spec.arity, 0);
    EXPECT_FALSE(command.spec.summary.empty());
    EXPECT_FALSE(command.spec.since.empty());
    EXPECT_FALSE(command.spec.group.empty());
    EXPECT_TRUE(command.spec.run != nullptr || !command.subcommands.empty());
    EXPECT_FALSE((command.flags & kFlagWrite) != 0 && (command.flags & kFlagReadonly) != 0);
    EXPECT_EQ(FindCommandByFullName(command.full_name), &command);
  });
}

class CommandTableTest : public ServerTest {};

// Too few and too many arguments, everywhere: an error, and nothing else.
TEST_F(CommandTableTest, ArityIsHeld) {
  const auto client = Connect();
  ForEach([&](const Command& command) {
    if (!command.subcommands.empty()) return;
    SCOPED_TRACE(command.full_name);
    std::vector<std::string_view> args = Words(command.full_name, '|');
    const size_t arity = static_cast<size_t>(std::abs(command.spec.arity));
    const std::string error = "-ERR wrong number of arguments for '" + command.full_name + "' command\r\n";
    if (command.full_name == "exec") return;
    if (arity > args.size()) {
      EXPECT_EQ(client->Call(args), error);
    }
    if (command.spec.arity < 0) return;
    while (args.size() <= arity) args.push_back("x");
    EXPECT_EQ(client->Call(args), error);
  });
}

// Without the password only what is open to all is done.
TEST_F(CommandTableTest, AuthenticationIsAskedForByAll) {
  Options options;
  options.password = "secret";
  Restart(options);
  std::set<std::string> open;
  ForEach([&](const Command& command) {
    if (!command.subcommands.empty()) return;
    const auto client = Connect();
    std::vector<std::string_view> args = Words(command.full_name, '|');
    while (args.size() < static_cast<size_t>(std::abs(command.spec.arity))) args.push_back("1");
    if (client->Call(args).find("NOAUTH Authentication required.\r\n") == std::string::npos) {
      open.insert(command.full_name);
    }
  });
  EXPECT_EQ(open, (std::set<std::string>{"auth", "hello", "quit", "reset"}));
}

}  // namespace command_table_test
}  // namespace varve::server::test
