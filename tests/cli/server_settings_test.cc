// The server's settings: flags before the environment before the file before defaults; and what is refused.
#include "cli/server_settings.h"

#include <fstream>
#include <set>

#include "cli/config_file.h"
#include "tests/cli/cli_fixture.h"
#include "tests/support/temp_dir.h"

namespace varve::cli {
namespace server_settings_test {

class ServerSettingsTest : public CliTest {
 protected:
  ServerSettingsTest() {
    environment_.variable = [this](const char* name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
  }
  std::string File(const std::string& text) {
    const std::string path = dir_.Sub("varve.toml");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    return path;
  }
  // The settings of `varve server WORDS`, as they are printed.
  std::string Printed(std::vector<std::string> words) {
    words.insert(words.begin(), {"server", "--print-config"});
    EXPECT_EQ(RunLine(words), kExitOk) << err_;
    return out_;
  }
  // What is said of a file that is refused.
  std::string Refusal(const std::string& text) {
    EXPECT_EQ(RunLine({"server", "d", "--print-config", "--config", File(text)}), kExitUsage) << text;
    EXPECT_EQ(out_, "");
    return err_;
  }
  static bool Contains(const std::string& text, const std::string& part) {
    return text.find(part) != text.npos;
  }

  test::TempDir dir_;
  std::map<std::string, std::string> variables_;
};

TEST_F(ServerSettingsTest, FlagsGoBeforeTheEnvironmentBeforeTheFileBeforeDefaults) {
  EXPECT_TRUE(Contains(Printed({"d"}), "port = 6379  # default\n"));
  const std::string file = File("# a comment\nport = 1\nmaxclients = 7\n");
  EXPECT_TRUE(Contains(Printed({"d", "--config", file}), "port = 1  # " + file + ":2\n"));
  variables_["VARVE_CONFIG"] = file;
  EXPECT_TRUE(Contains(Printed({"d"}), "port = 1  # " + file + ":2\n"));
  variables_["VARVE_PORT"] = "2";
  EXPECT_TRUE(Contains(Printed({"d"}), "port = 2  # VARVE_PORT\n"));
  EXPECT_TRUE(Contains(Printed({"d", "--port", "3"}), "port = 3  # --port\n"));
  EXPECT_TRUE(Contains(out_, "maxclients = 7  # " + file + ":3\n"));
}

TEST_F(ServerSettingsTest, TheDirectoryMayStandInTheFile) {
  const std::string file = File("dir = \"from file\"\n");
  EXPECT_TRUE(Contains(Printed({"--config", file}), "dir = \"from file\"  # " + file + ":1\n"));
  EXPECT_TRUE(Contains(Printed({"d", "--config", file}), "dir = \"d\"  # DIR\n"));
  environment_.dir = variables_["VARVE_DIR"] = "v";
  EXPECT_TRUE(Contains(Printed({"--config", file}), "dir = \"v\"  # VARVE_DIR\n"));
  environment_.dir.reset();
  EXPECT_EQ(RunLine({"server"}), kExitUsage);
  EXPECT_TRUE(Contains(err_, "no store given"));
}

// Every setting has a flag, a variable and a key, and they do the same.
TEST_F(ServerSettingsTest, EverySettingHasItsThreeNames) {
  std::set<std::string> names;
  for (const Setting& setting : ServerSettings()) {
    EXPECT_TRUE(names.insert(VariableName(setting)).second) << setting.name;
    const bool is_switch = setting.value_name.empty();
    const bool is_text = std::holds_alternative<std::string ServeRequest::*>(setting.place);
    const bool is_list = std::holds_alternative<std::vector<std::string> ServeRequest::*>(setting.place);
    std::string value = is_switch ? "true" : is_text || is_list ? "x" : std::to_string(setting.max);
    if (!setting.choices.empty()) value = setting.choices.back();
    const std::string toml = is_text || is_list ? TomlText(value) : value;
    ServerConfig wanted;
    ASSERT_TRUE(SetSetting(setting, value, &wanted.request).ok()) << setting.name;
    const auto expect = [&](const std::string& printed, const std::string& origin) {
      wanted.origins = {{setting.name, origin}, {"dir", "DIR"}};
      wanted.request.dir = "d";
      EXPECT_EQ(printed, PrintedConfig(wanted)) << setting.name;
    };
    expect(Printed({"d", FlagName(setting) + (is_switch ? "" : "=" + value)}), FlagName(setting));
    const std::string file = File(std::string(setting.name) + " = " + toml + "\n");
    expect(Printed({"d", "--config", file}), file + ":1");
    variables_ = {{VariableName(setting), value}};
    expect(Printed({"d"}), VariableName(setting));
    variables_.clear();
  }
}

TEST_F(ServerSettingsTest, WhatIsPrintedSaysTheSameAsAFile) {
  const std::string first = Printed({"d \"\\\x01", "--port", "7", "--sync", "--bind", "::1,localhost,"});
  EXPECT_TRUE(Contains(first, "bind = [\"::1\", \"localhost\"]  # --bind\n"));
  const auto values = [](const std::string& text) {
    std::string kept;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) kept += line.substr(0, line.find("  # ")) + "\n";
    return kept.substr(0, kept.find("# "));
  };
  const std::string second = Printed({"--config", File(first)});
  EXPECT_EQ(values(second), values(first));
}

TEST_F(ServerSettingsTest, PasswordsAreNotPrinted) {
  for (const bool in_file : {false, true}) {
    const std::string file = File("requirepass = \"geheim\"\n");
    const std::string printed = in_file ? Printed({"d", "--config", file}) : Printed({"d", "--requirepass", "geheim"});
    EXPECT_FALSE(Contains(printed, "geheim"));
    EXPECT_TRUE(Contains(printed, "# requirepass is set: "));
  }
  EXPECT_TRUE(Contains(Printed({"d"}), "# requirepass is not set: default\n"));
}

TEST_F(ServerSettingsTest, UnknownKeysAreRefusedWithTheLineAndASuggestion) {
  EXPECT_TRUE(Contains(Refusal("port = 1\nmaxclient = 7\n"),
                       "varve.toml:2: unknown key 'maxclient'; did you mean 'maxclients'?\n"));
  EXPECT_TRUE(Contains(Refusal("\n\nwhatever = 7\n"), "varve.toml:3: unknown key 'whatever'\n"));
  EXPECT_TRUE(Contains(Refusal("[server]\nport = 1\n"), "varve.toml:1: unknown key 'server'"));
  EXPECT_EQ(RunLine({"server", "d", "--maxclient", "1"}), kExitUsage);
  EXPECT_TRUE(Contains(err_, "did you mean '--maxclients'?"));
}

TEST_F(ServerSettingsTest, WrongValuesAreRefusedAndNamed) {
  EXPECT_TRUE(Contains(Refusal("a = 1\nport = = 2\n"), "varve.toml: line 2: "));
  EXPECT_TRUE(Contains(Refusal("port = 1\nport = 2\n"), "varve.toml: line 2: "));
  EXPECT_TRUE(Contains(Refusal("port = 65536\n"),
                       "varve.toml:1: port: takes a number from 0 to 65535, not '65536'\n"));
  EXPECT_TRUE(Contains(Refusal("port = -1\n"), "not '-1'"));
  EXPECT_TRUE(Contains(Refusal("port = \"1\"\n"), "port takes a number\n"));
  EXPECT_TRUE(Contains(Refusal("sync = 1\n"), "sync takes true or false\n"));
  EXPECT_TRUE(Contains(Refusal("unixsocket = 1.5\n"), "unixsocket takes a text in quotes\n"));
  EXPECT_TRUE(Contains(Refusal("bind = [1]\n"), "bind takes a list of texts\n"));
  EXPECT_TRUE(Contains(Refusal("bind = []\n"), "bind: takes at least one address\n"));
  variables_["VARVE_PORT"] = "tcp://10.0.0.1:6379";
  EXPECT_EQ(RunLine({"server", "d", "--print-config"}), kExitUsage);
  EXPECT_TRUE(Contains(err_, "VARVE_PORT: takes a number from 0 to 65535, not 'tcp://10.0.0.1:6379'\n"));
  variables_.clear();
  EXPECT_EQ(RunLine({"server", "d", "--config", dir_.Sub("absent")}), kExitUsage);
  EXPECT_TRUE(Contains(err_, "cannot be opened"));
}

}  // namespace server_settings_test
}  // namespace varve::cli
