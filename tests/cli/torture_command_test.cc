// The command torture: what it asks for, what it prints, and how it ends.
#include "tests/cli/cli_fixture.h"

namespace varve::cli {
namespace torture_command_test {

class TortureCommandTest : public CliTest {
 protected:
  void SetUp() override {
    width_ = 80;
    torture_ = [this](const TortureRequest& request, const TortureProgress& progress) -> Result<TortureResult> {
      asked_ = request;
      if (!status_.ok()) return status_;
      progress(result_.figures);
      return result_;
    };
  }
  TortureRequest asked_;
  TortureResult result_;
  Status status_;
};

TEST_F(TortureCommandTest, Defaults) {
  result_.figures = {.seeds = 1, .events = 9, .simulated_nanos = 20'000'000'000, .writes = 7,
                     .profiles = "mixed 1", .trace = 17};
  EXPECT_EQ(RunLine({"torture", "cluster"}), kExitOk) << err_;
  EXPECT_NE(out_.find("profiles\tmixed 1\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("trace\t17"), std::string::npos) << out_;
  EXPECT_EQ(asked_.first_seed, 0u);
  EXPECT_EQ(asked_.seeds, 1u);
  EXPECT_EQ(asked_.nodes, 5u);
  EXPECT_EQ(asked_.seconds, 0u);
  EXPECT_EQ(asked_.simulate, 5u);
  EXPECT_EQ(asked_.schedule_file, "");
  EXPECT_NE(out_.find("simulated_seconds\t20.000\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("acknowledged_writes\t7\n"), std::string::npos) << out_;
  EXPECT_EQ(out_.find("violation"), std::string::npos) << out_;
}

TEST_F(TortureCommandTest, AsksForWhatTheLineSays) {
  EXPECT_EQ(RunLine({"torture", "cluster", "--seed", "18446744073709551", "--seeds", "3", "--nodes", "7", "--simulate", "2",
                     "--schedule", "f", "--profile", "moves"}),
            kExitOk)
      << err_;
  EXPECT_EQ(asked_.profile, "moves");
  EXPECT_EQ(asked_.first_seed, 18446744073709551u);
  EXPECT_EQ(asked_.seeds, 3u);
  EXPECT_EQ(asked_.nodes, 7u);
  EXPECT_EQ(asked_.simulate, 2u);
  EXPECT_EQ(asked_.schedule_file, "f");
}

TEST_F(TortureCommandTest, SecondsAreABudget) {
  EXPECT_EQ(RunLine({"torture", "cluster", "--seconds", "60"}), kExitOk) << err_;
  EXPECT_EQ(asked_.seconds, 60u);
  EXPECT_GT(asked_.seeds, uint64_t{1} << 60);  // as many as there is time for
  EXPECT_EQ(RunLine({"torture", "cluster", "--seconds", "60", "--seeds", "7"}), kExitOk) << err_;
  EXPECT_EQ(asked_.seeds, 7u);
  EXPECT_EQ(RunLine({"torture", "cluster", "--seconds", "0"}), kExitUsage);
}

TEST_F(TortureCommandTest, ASeedThatFailsIsNamedWithAllThatReplaysIt) {
  result_.failure = TortureFailure{.seed = 17, .violation = "I2: gone", .cluster = "3 nodes",
                                   .schedule = "cut 1 2 3 4 0\n", .faults = 1, .faults_before = 9};
  EXPECT_EQ(RunLine({"torture", "cluster", "--seeds", "100", "--nodes", "3"}), kExitCorruption);
  EXPECT_NE(out_.find("violation\tI2: gone\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("cut 1 2 3 4 0"), std::string::npos) << out_;
  EXPECT_NE(out_.find("replay\tvarve torture cluster --seed 17 --nodes 3 --simulate 5\n"), std::string::npos) << out_;
  EXPECT_NE(err_.find("seed 17 breaks an invariant"), std::string::npos) << err_;
  EXPECT_EQ(RunLine({"torture", "cluster", "--profile", "hints"}), kExitCorruption);
  EXPECT_NE(out_.find(" --profile hints\n"), std::string::npos) << out_;
  EXPECT_EQ(RunLine({"torture", "cluster", "--json"}), kExitCorruption);
  EXPECT_NE(out_.find("\"violation\":\"I2: gone\""), std::string::npos) << out_;
}

TEST_F(TortureCommandTest, WhatMakesNoSenseIsRefused) {
  EXPECT_EQ(RunLine({"torture"}), kExitUsage);
  EXPECT_EQ(RunLine({"torture", "cats"}), kExitUsage);
  EXPECT_EQ(RunLine({"torture", "cluster", "--nodes", "0"}), kExitUsage);
  EXPECT_EQ(RunLine({"torture", "cluster", "--nodes", "21"}), kExitUsage);
  EXPECT_EQ(RunLine({"torture", "cluster", "--seeds", "0"}), kExitUsage);
  EXPECT_EQ(RunLine({"torture", "cluster", "--simulate", "0"}), kExitUsage);
  EXPECT_EQ(RunLine({"torture", "cluster", "--seed", "x"}), kExitUsage);
}

TEST_F(TortureCommandTest, AScheduleThatCannotBeRead) {
  status_ = Status::IoError("f: cannot be read");
  EXPECT_EQ(RunLine({"torture", "cluster", "--schedule", "f"}), kExitError) << err_;
  EXPECT_NE(err_.find("cannot be read"), std::string::npos) << err_;
}

TEST_F(TortureCommandTest, ProgressIsDrawnOnATerminal) {
  terminal_ = true;
  EXPECT_EQ(RunLine({"torture", "cluster"}), kExitOk);
}

}  // namespace torture_command_test
}  // namespace varve::cli
