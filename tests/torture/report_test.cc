// The page of HTML: all of it is text to whoever reads it, whatever keys and values hold, and it asks for nothing else.
#include "torture/report.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace varve::torture {
namespace report_test {

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

Operation PutOf(int client, uint64_t call, uint64_t end) {
  Operation operation;
  operation.client = client;
  operation.kind = OperationKind::kPut;
  operation.key = "<script>alert(1)</script>\xff";
  operation.argument = "v";
  operation.call_time = call;
  operation.return_time = end;
  return operation;
}

TEST(ReportTest, ViolationsAreShownWithTheirHistory) {
  Account account{.name = "server", .promise = "it <stays>", .replay = "varve torture server --seed 3", .tally = {}};
  account.tally.seeds = 7;
  account.tally.nanos = 3'000'000'000;
  account.tally.counts.Add("kills", 12);
  Violation violation;
  violation.seed = 3;
  violation.what = "gone";
  violation.schedule = {"life 5 kill"};
  violation.lines_before = 9;
  violation.history = {PutOf(0, 100, 900), PutOf(1, 200, 300)};
  violation.history[1].outcome = Outcome::kUnknown;
  account.tally.violation = violation;
  AddPoint(account.tally, &account);
  const std::string html = ToHtml("a & b", {account});
  for (const char* part : {"a &amp; b", "it &lt;stays&gt;", "12 kills", "life 5 kill", "varve torture server --seed 3", "<svg", "Time line", "The history"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  for (const char* part : {"<script", "http:", "https:", "\xff", "src="}) EXPECT_EQ(html.find(part), std::string::npos) << part;
  EXPECT_EQ(CountOf(html, "<rect"), 2u);
  EXPECT_EQ(CountOf(html, "<svg"), CountOf(html, "</svg>"));
}

// Where one thread does what its schedule says, that is the history.
TEST(ReportTest, SchedulesAreDrawn) {
  Account account{.name = "power", .promise = "it stays", .replay = "varve torture power --seed 3", .tally = {}};
  account.tally.violation = Violation{.what = "gone", .schedule = {"put k <v>", "cut 3", "put k2 v"}};
  const std::string html = ToHtml("power", {account});
  EXPECT_NE(html.find("What was done"), std::string::npos);
  EXPECT_EQ(CountOf(html, "<rect"), 3u);
  EXPECT_EQ(CountOf(html, "<rect"), CountOf(html, "#6b4ba3"));
  EXPECT_EQ(CountOf(DrawSchedule(account.tally.violation->schedule, true), "#a3131a"), 1u);
  EXPECT_EQ(CountOf(html, "1: put k &lt;v&gt;</title>"), 1u);
  EXPECT_EQ(CountOf(html, ">put</text>"), 1u);  // a lane
  EXPECT_EQ(CountOf(html, ">cut</text>"), 1u);
  EXPECT_LE(CountOf(DrawSchedule(Schedule(1000, "put k v"), true), "<rect"), 200u);
  EXPECT_NE(DrawSchedule(Schedule(1000, "put k v"), true).find("1000: put k v"), std::string::npos);
  EXPECT_EQ(DrawSchedule({}, true), "");
}

TEST(ReportTest, LongHistoriesAndRunsStaySmall) {
  std::vector<Operation> history;
  Account account;
  for (uint64_t i = 0; i < 10'000; ++i) {
    history.push_back(PutOf(static_cast<int>(i % 3), i, i + 2));
    account.tally.seeds = i;
    account.tally.nanos = i;
    AddPoint(account.tally, &account);
  }
  EXPECT_LE(CountOf(DrawHistory(history), "<rect"), 200u);
  EXPECT_LT(account.seeds_by_time.size(), 400u);
  EXPECT_EQ(account.seeds_by_time.back().second, 9999u);
  EXPECT_EQ(DrawHistory({}), "");
}

}  // namespace report_test
}  // namespace varve::torture
