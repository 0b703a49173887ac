#include "cli/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace varve::cli {
namespace progress_test {

constexpr uint64_t kSecond = 1'000'000'000;

TEST(RenderProgressTest, ShowsPercentBarCountRateAndRemainingTime) {
  const ProgressState state{
      .records = 12'000, .done = 25, .total = 100, .elapsed_nanos = 4 * kSecond};
  EXPECT_EQ(RenderProgress("loading", state, 70),
            "loading  25 % [####..............] 12,000 records  3,000/s  0:12 left");
}

TEST(RenderProgressTest, ShowsWhatIsKnownWithoutATotal) {
  EXPECT_EQ(RenderProgress("loading", {.records = 10, .done = 5, .elapsed_nanos = kSecond}, 80),
            "loading  10 records  10/s");
  EXPECT_EQ(RenderProgress("loading", {}, 80), "loading  0 records");
}

TEST(RenderProgressTest, NeverPassesAHundredPercentOrTheWidth) {
  const ProgressState state{.records = 1, .done = 7, .total = 5, .elapsed_nanos = kSecond};
  EXPECT_NE(RenderProgress("dumping", state, 80).find("100 %"), std::string::npos);
  for (int width = 45; width < 120; ++width) {
    EXPECT_LE(RenderProgress("dumping", state, width).size(), static_cast<size_t>(width));
  }
}

TEST(RenderProgressTest, LongTimesHaveHours) {
  const ProgressState state{.records = 1, .done = 1, .total = 3601, .elapsed_nanos = 2 * kSecond};
  EXPECT_NE(RenderProgress("loading", state, 80).find("2:00:00 left"), std::string::npos);
}

class ProgressTest : public testing::Test {
 protected:
  Console MakeConsole(bool is_terminal) {
    return {
        .in = in_, .out = out_, .err = err_, .err_is_terminal = is_terminal, .now_nanos = [this] {
          return now_;
        }};
  }

  std::istringstream in_;
  std::ostringstream out_, err_;
  uint64_t now_ = kSecond;
};

TEST_F(ProgressTest, DrawsAtMostTenTimesASecondAndWipesTheBar) {
  const Console console = MakeConsole(true);
  {
    Progress progress(console, {"loading", "loaded"}, 100, false);
    progress.Update(1, 1);
    EXPECT_EQ(err_.str(), "");
    now_ += kSecond / 10;
    progress.Update(2, 2);
    const std::string drawn = err_.str();
    EXPECT_NE(drawn.find("2 records"), std::string::npos);
    progress.Update(3, 3);
    EXPECT_EQ(err_.str(), drawn);
  }
  EXPECT_TRUE(err_.str().ends_with("\r\x1b[K"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ProgressTest, IsSilentWithoutATerminal) {
  const Console console = MakeConsole(false);
  {
    Progress progress(console, {"loading", "loaded"}, 100, false);
    now_ += kSecond;
    progress.Update(2, 2);
  }
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ProgressTest, PrintsALineForEachUpdateWhenAsked) {
  const Console console = MakeConsole(true);
  {
    Progress progress(console, {"loading", "loaded"}, 100, true);
    progress.Update(1000, 2);
    progress.Update(1234, 3);
  }
  EXPECT_EQ(err_.str(), "loaded 1000 records\nloaded 1234 records\n");
}

}  // namespace progress_test
}  // namespace varve::cli
