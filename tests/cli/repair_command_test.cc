// The command repair: what it prints, and how it ends.
#include "tests/cli/cli_fixture.h"

namespace varve::cli {
namespace repair_command_test {

using RepairCommandTest = CliTest;

RepairLoss LossOf(KeyRange range) {
  return {std::move(range), "d/000007.seg", 4096, "checksum does not match", 12};
}

TEST_F(RepairCommandTest, NothingLost) {
  Fill({});
  stores_.At("d").repair_report.key_count = 7;
  EXPECT_EQ(Varve({"repair"}), kExitOk) << err_;
  EXPECT_NE(out_.find("repaired_store\td.repaired\nkeys\t7\n"), std::string::npos) << out_;
  EXPECT_EQ(Varve({"repair", "--to", "e"}), kExitOk);
  EXPECT_NE(out_.find("repaired_store\te\n"), std::string::npos) << out_;
}

TEST_F(RepairCommandTest, LossesAreNamedRangeByRange) {
  Fill({});
  RepairReport& report = stores_.At("d").repair_report;
  report.losses = {LossOf({false, "", "a", "c"}), LossOf({false, "users", "k", std::string("k\0", 2)}),
                   LossOf({true, "", "", {}})};
  EXPECT_EQ(Varve({"repair"}), kExitCorruption);
  EXPECT_NE(out_.find("lost.0.range\tfrom a to before c\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("lost.1.range\t@users key k\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("lost.2.range\tall keys\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("lost.0.offset\t4096\n"), std::string::npos) << out_;
  EXPECT_NE(err_.find("something is lost"), std::string::npos) << err_;
  EXPECT_EQ(Varve({"repair", "--json"}), kExitCorruption);
  EXPECT_NE(out_.find("\"namespace\":\"users\",\"begin\":\"k\""), std::string::npos) << out_;
}

TEST_F(RepairCommandTest, UndecidedIsNoSuccess) {
  Fill({});
  stores_.At("d").repair_report.undecided = {LossOf({true, "", "", {}})};
  EXPECT_EQ(Varve({"repair"}), kExitCorruption);
  EXPECT_NE(err_.find("deleted keys may have come back"), std::string::npos) << err_;
}

TEST_F(RepairCommandTest, NothingCouldBeDone) {
  for (const StatusCode code : {StatusCode::kBusy, StatusCode::kCorruption, StatusCode::kIoError,
                                StatusCode::kInvalidArgument, StatusCode::kNotSupported}) {
    Fill({}).open_status = Status(code, "no");
    EXPECT_EQ(Varve({"repair"}), kExitError);
  }
}

TEST_F(RepairCommandTest, ProgressIsDrawnOnATerminal) {
  terminal_ = true;
  width_ = 80;
  Fill({});
  EXPECT_EQ(Varve({"repair"}), kExitOk);
}

}  // namespace repair_command_test
}  // namespace varve::cli
