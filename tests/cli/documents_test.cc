#include "cli/documents.h"

#include <gtest/gtest.h>

#include "cli/commands.h"
#include "tests/cli/cli_fixture.h"

namespace varve::cli {
namespace documents_test {

using DocumentsTest = CliTest;

TEST_F(DocumentsTest, EveryCommandAndFlagIsInAllOfThem) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"completion", "bash"}, {"completion", "zsh"}, {"man"}}) {
    ASSERT_EQ(RunLine(words), kExitOk) << err_;
    std::string text = out_;
    // As it is written there: - is \- in a manual page.
    for (size_t at = text.find("\\-"); at != text.npos; at = text.find("\\-")) text.erase(at, 1);
    for (const Command& command : AllCommands()) {
      EXPECT_NE(text.find(command.spec.name), std::string::npos) << command.spec.name;
      for (const FlagSpec& flag : command.spec.flags) {
        EXPECT_NE(text.find(flag.name), std::string::npos) << flag.name;
      }
    }
  }
}

TEST_F(DocumentsTest, NoLineOfTheManualPageIsTakenForAnotherCommand) {
  ASSERT_EQ(RunLine({"man"}), kExitOk);
  std::istringstream lines(out_);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || (line[0] != '.' && line[0] != '\'')) continue;
    const std::string request = line.substr(0, line.find(' '));
    EXPECT_TRUE(request == ".TH" || request == ".SH" || request == ".SS" || request == ".TP" ||
                request == ".PP" || request == ".nf" || request == ".fi" || request == ".RS" ||
                request == ".RE" || request == ".B")
        << line;
  }
}

TEST_F(DocumentsTest, OtherShellsAreRefused) {
  EXPECT_EQ(RunLine({"completion", "fish"}), kExitUsage);
  EXPECT_EQ(RunLine({"completion"}), kExitUsage);
}

}  // namespace documents_test
}  // namespace varve::cli
