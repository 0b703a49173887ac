#include "cli/arguments.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace varve::cli {
namespace arguments_test {

class ArgumentsTest : public testing::Test {
 protected:
  Result<Arguments> Parse(const std::vector<std::string>& words) {
    return Arguments::Parse(words, {&put_, &scan_});
  }
  std::string MessageOf(const std::vector<std::string>& words) {
    const Result<Arguments> arguments = Parse(words);
    return arguments.ok() ? "no error" : std::string(arguments.status().message());
  }

  const VerbSpec put_{.name = "put", .operands = "KEY VALUE", .min_operands = 2, .max_operands = 2};
  const VerbSpec scan_{
      .name = "scan",
      .flags = {{"--prefix", "P", ""}, {"--limit", "N", ""}, {"--reverse", "", ""}}};
};

TEST_F(ArgumentsTest, FlagsMayComeBeforeAndAfterTheVerb) {
  const Result<Arguments> arguments = Parse({"--dir", "d", "scan", "--prefix=p", "--reverse"});
  ASSERT_OK(arguments);
  EXPECT_EQ(arguments->verb(), &scan_);
  EXPECT_EQ(arguments->Value("--dir"), "d");
  EXPECT_EQ(arguments->Value("--prefix"), "p");
  EXPECT_TRUE(arguments->Has("--reverse"));
  EXPECT_FALSE(arguments->Has("--limit"));
}

TEST_F(ArgumentsTest, TheLastOfARepeatedFlagCounts) {
  EXPECT_EQ(Parse({"scan", "--prefix", "a", "--prefix", "b"})->Value("--prefix"), "b");
}

TEST_F(ArgumentsTest, OperandsMayBeEmptyADashOrFollowTwoDashes) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(Parse({"put", "", "-"})->operands(), (Words{"", "-"}));
  EXPECT_EQ(Parse({"put", "--", "--key", "--"})->operands(), (Words{"--key", "--"}));
}

TEST_F(ArgumentsTest, AFlagTakesTheNextWordWhateverItIs) {
  EXPECT_EQ(Parse({"scan", "--prefix", "--reverse"})->Value("--prefix"), "--reverse");
  EXPECT_EQ(Parse({"scan", "--prefix="})->Value("--prefix"), "");
}

TEST_F(ArgumentsTest, MistakesGetASuggestion) {
  EXPECT_EQ(MessageOf({"pt", "a", "b"}), "unknown command 'pt'; did you mean 'put'?");
  EXPECT_EQ(MessageOf({"scan", "--perfix", "a"}),
            "unknown flag '--perfix' for 'scan'; did you mean '--prefix'?");
  EXPECT_EQ(MessageOf({"--dri", "d", "scan"}), "unknown flag '--dri'; did you mean '--dir'?");
}

TEST_F(ArgumentsTest, MistakesUnlikeAnythingGetAdviceInstead) {
  EXPECT_EQ(MessageOf({"frobnicate"}), "unknown command 'frobnicate'");
  EXPECT_EQ(MessageOf({"put", "k", "-5"}),
            "unknown flag '-5' for 'put'; write -- before a key or value that begins with -");
  EXPECT_EQ(MessageOf({"--limit", "3", "scan"}),
            "unknown flag '--limit'; a command's own flags come after the command");
}

TEST_F(ArgumentsTest, WrongNumbersOfOperandsAndValuesAreNamed) {
  EXPECT_EQ(MessageOf({}), "no command given");
  EXPECT_EQ(MessageOf({"put", "k"}),
            "'put' needs more operands; usage: varve --dir DIR put KEY VALUE");
  EXPECT_EQ(MessageOf({"scan", "x"}),
            "unexpected operand 'x' for 'scan'; usage: varve --dir DIR scan");
  EXPECT_EQ(MessageOf({"scan", "--limit"}), "flag --limit needs a value: --limit N");
  EXPECT_EQ(MessageOf({"scan", "--reverse=yes"}), "flag --reverse takes no value");
}

TEST_F(ArgumentsTest, HelpExcusesWhatIsMissing) {
  EXPECT_OK(Parse({"--help"}));
  EXPECT_EQ(Parse({"put", "-h"})->verb(), &put_);
  EXPECT_EQ(Parse({"help", "put"})->verb(), &put_);
  EXPECT_TRUE(Parse({"help", "put"})->Has("--help"));
}

TEST_F(ArgumentsTest, NumbersAreWholeAndNotNegative) {
  EXPECT_EQ(**Parse({"scan", "--limit", "18446744073709551615"})->Number("--limit"), UINT64_MAX);
  EXPECT_EQ(*Parse({"scan"})->Number("--limit"), std::nullopt);
  for (const char* text : {"", "-1", "+1", "1x", " 1", "1.5", "18446744073709551616"}) {
    EXPECT_STATUS(kInvalidArgument, Parse({"scan", "--limit", text})->Number("--limit")) << text;
  }
}

TEST(SuggestTest, AllowsOneSlipInAShortWordAndTwoInALongOne) {
  const std::vector<std::string_view> verbs = {"put", "get", "delrange", "compact"};
  EXPECT_EQ(Suggest("gte", verbs), "get");
  EXPECT_EQ(Suggest("gt", verbs), "get");
  EXPECT_EQ(Suggest("compcat", verbs), "compact");
  EXPECT_EQ(Suggest("delrnge", verbs), "delrange");
  EXPECT_EQ(Suggest("del_ranges", verbs), "delrange");
  EXPECT_EQ(Suggest("xyz", verbs), std::nullopt);
  EXPECT_EQ(Suggest("cmpat_", verbs), std::nullopt);
}

}  // namespace arguments_test
}  // namespace varve::cli
