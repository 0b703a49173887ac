#include "cli/run.h"

#include <gtest/gtest.h>

#include "cli/commands.h"
#include "tests/cli/cli_fixture.h"
#include "varve/version.h"

namespace varve::cli {
namespace run_test {

using RunTest = CliTest;

std::vector<std::string> WithOperands(const VerbSpec& spec) {
  std::vector<std::string> words = {std::string(spec.name)};
  for (size_t i = 0; i < spec.min_operands; ++i) words.push_back("-");
  if (spec.name == "expire") words.back() = "1s";
  return words;
}

TEST_F(RunTest, WithoutWordsPrintsHelpAsAnError) {
  EXPECT_EQ(RunLine({}), kExitUsage);
  EXPECT_EQ(out_, "");
  EXPECT_NE(err_.find("Examples"), std::string::npos);
}

TEST_F(RunTest, HelpNamesEveryCommandAndBeginsWithExamples) {
  EXPECT_EQ(RunLine({"--help"}), kExitOk);
  for (const Command& command : AllCommands()) {
    EXPECT_NE(out_.find("\n  " + std::string(command.spec.name)), std::string::npos);
  }
  EXPECT_LT(out_.find("Examples"), out_.find("Commands"));
  EXPECT_EQ(err_, "");
}

TEST_F(RunTest, EveryCommandHasHelpWithExamplesOfItselfAndItsFlags) {
  for (const Command& command : AllCommands()) {
    const std::string name(command.spec.name);
    EXPECT_EQ(RunLine({name, "--help"}), kExitOk);
    const bool has_dir = command.spec.target != Target::kServer && command.spec.target != Target::kNone &&
                         !command.spec.dir_is_operand;
    EXPECT_NE(out_.find((has_dir ? "varve --dir data " : "varve ") + name), std::string::npos) << name;
    for (const FlagSpec& flag : command.spec.flags) {
      EXPECT_NE(out_.find("  " + std::string(flag.name)), std::string::npos) << name;
    }
    const std::string help = out_;
    EXPECT_EQ(RunLine({"help", name}), kExitOk);
    EXPECT_EQ(out_, help);
  }
}

TEST_F(RunTest, HelpFitsAHundredColumns) {
  std::vector<std::vector<std::string>> lines = {{"--help"}};
  for (const Command& command : AllCommands()) {
    lines.push_back({std::string(command.spec.name), "--help"});
  }
  for (const std::vector<std::string>& words : lines) {
    RunLine(words);
    std::istringstream text(out_);
    for (std::string line; std::getline(text, line);) EXPECT_LE(line.size(), 100u) << line;
  }
}

TEST_F(RunTest, VersionIsPrintedWithoutAStore) {
  EXPECT_EQ(RunLine({"--version"}), kExitOk);
  EXPECT_EQ(out_.find("varve " + std::string(kVersion)), 0u);
}

TEST_F(RunTest, UnknownCommandsGetASuggestionAndExitTwo) {
  EXPECT_EQ(RunLine({"sacn"}), kExitUsage);
  EXPECT_EQ(err_,
            "varve: unknown command 'sacn'; did you mean 'scan'?\n"
            "  'varve --help' lists the commands\n");
  EXPECT_EQ(out_, "");
}

TEST_F(RunTest, UsageErrorsAreJsonOnRequest) {
  EXPECT_EQ(RunLine({"sacn", "--json"}), kExitUsage);
  EXPECT_EQ(err_.find("{\"error\":\"invalid argument\",\"message\":\"unknown command 'sacn'"), 0u);
}

TEST_F(RunTest, TheDirectoryMayComeFromTheEnvironment) {
  EXPECT_EQ(RunLine({"verify"}), kExitUsage);
  EXPECT_NE(err_.find("--dir DIR, or the variable VARVE_DIR"), std::string::npos);
  environment_.dir = "from-environment";
  EXPECT_EQ(RunLine({"put", "k", "v"}), kExitOk);
  EXPECT_TRUE(stores_.Exists("from-environment"));
  EXPECT_EQ(RunLine({"put", "k", "v", "--dir", "from-flag"}), kExitOk);
  EXPECT_TRUE(stores_.Exists("from-flag"));
}

TEST_F(RunTest, OnlyPutAndLoadMakeAStore) {
  for (const Command& command : AllCommands()) {
    const std::string name(command.spec.name);
    // The actions of tree have a test of their own; restore makes one of a backup: backup_commands_test.cc.
    if (name == "put" || name == "load" || name == "tree" || name == "restore") continue;
    // Stores are not what the server, or what needs no directory, is given by a test.
    const Target target = command.spec.target;
    if (name == "server" || name == "shell") continue;
    if (target == Target::kServer || target == Target::kNone) continue;
    EXPECT_EQ(Varve(WithOperands(command.spec)), kExitError) << name;
    EXPECT_NE(err_.find("'varve --dir d put KEY VALUE' makes one"), std::string::npos) << name;
    EXPECT_FALSE(stores_.Exists("d")) << name;
  }
}

TEST_F(RunTest, CommandsThatOnlyReadOpenTheStoreForReading) {
  for (const char* name : {"get", "scan", "count", "dump", "stats", "verify"}) {
    Fill({{"-", "v"}}).options.read_only = false;
    std::vector<std::string> words = {name};
    if (words[0] == "get") words.push_back("-");
    EXPECT_EQ(Varve(words), kExitOk) << name;
    EXPECT_TRUE(stores_.At("d").options.read_only) << name;
  }
}

TEST_F(RunTest, EveryFailureToOpenSaysWhatToDoNext) {
  struct Case {
    Status status;
    int exit_code;
    std::string advice;
  };
  for (const Case& c : std::vector<Case>{
           {Status::Busy("d/LOCK is held"), 1, "another process has this store open"},
           {Status::InvalidArgument("d: not a store"), 1, "a directory that varve has made"},
           {Status::NotSupported("d: format 9"), 1, "the version of varve that wrote it"},
           {Status::Corruption("d/MANIFEST: bad"), 6, "'varve --dir d verify' lists"}}) {
    Fill({}).open_status = c.status;
    EXPECT_EQ(Varve({"scan"}), c.exit_code);
    EXPECT_EQ(err_.find("varve: " + std::string(c.status.message()) + "\n  "), 0u) << err_;
    EXPECT_NE(err_.find(c.advice), std::string::npos) << err_;
  }
}

TEST_F(RunTest, AStoreThatCannotBeMadeIsNotAdvisedToBeMade) {
  Fill({}).open_status = Status::NotFound("create directory a/d: No such file or directory");
  EXPECT_EQ(Varve({"put", "k", "v"}), kExitError);
  EXPECT_NE(err_.find("make the directory above it first"), std::string::npos) << err_;
}

TEST_F(RunTest, AServerNamesTheStoreThatItCannotOpen) {
  Status failure = Status::NotFound("create directory a/d: No such file or directory");
  serve_ = [&](const ServeRequest&, const Console&) { return failure; };
  EXPECT_EQ(RunLine({"server", "a/d"}), kExitError);
  EXPECT_NE(err_.find("make the directory above it first"), std::string::npos) << err_;
  failure = Status::Busy("a/d/LOCK is held");
  EXPECT_EQ(RunLine({"server", "a/d"}), kExitError);
  EXPECT_NE(err_.find("fuser -v a/d/*"), std::string::npos) << err_;
}

TEST_F(RunTest, FailuresAreJsonOnRequest) {
  Fill({}).open_status = Status::Busy("d/LOCK is held");
  EXPECT_EQ(Varve({"scan", "--json"}), kExitError);
  EXPECT_EQ(err_.find("{\"error\":\"busy\",\"message\":\"d/LOCK is held\",\"hint\":\""), 0u)
      << err_;
}

TEST_F(RunTest, FailedWritesReportTheStoresMessage) {
  Fill({}).write_status = Status::IoError("d/0001.wal: no space left on device");
  EXPECT_EQ(Varve({"put", "k", "v"}), kExitError);
  EXPECT_EQ(err_, "varve: d/0001.wal: no space left on device\n");
}

TEST_F(RunTest, OutputThatCannotBeWrittenIsAnError) {
  Fill({{"k", "v"}});
  class FullBuffer : public std::streambuf {
    int_type overflow(int_type) override { return traits_type::eof(); }
  };
  FullBuffer full;
  std::ostream out(&full);
  std::istringstream in;
  std::ostringstream err;
  const Console console{.in = in, .out = out, .err = err, .now_nanos = [] { return uint64_t{0}; }};
  EXPECT_EQ(cli::Run({"--dir", "d", "scan"}, {}, console, stores_.MakeBackend()),
            kExitError);
  EXPECT_EQ(err.str().find("varve: writing the output failed"), 0u) << err.str();
}

}  // namespace run_test
}  // namespace varve::cli
