#include "cli/text.h"

#include <gtest/gtest.h>

#include <random>

namespace varve::cli {
namespace text_test {

std::string AllBytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

std::string RandomBytes(std::mt19937* random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>((*random)());
  return bytes;
}

TEST(EscapeTest, LeavesPrintableTextAsItIs) {
  EXPECT_EQ(Escape("plain text, 100 %"), "plain text, 100 %");
  EXPECT_EQ(Escape("gr\u00fc\u00df dich, \u4e16\u754c \U0001f30d"),
            "gr\u00fc\u00df dich, \u4e16\u754c \U0001f30d");
}

TEST(EscapeTest, WritesWhatWouldBreakALineAsEscapes) {
  EXPECT_EQ(Escape("a\tb\nc\rd\\e"), "a\\tb\\nc\\rd\\\\e");
}

TEST(EscapeTest, WritesUnprintableBytesInHex) {
  EXPECT_EQ(Escape(std::string_view("\0\x1b\x7f", 3)), "\\x00\\x1b\\x7f");
  EXPECT_EQ(Escape("\xff\xc3("), "\\xff\\xc3(");
}

TEST(EscapeTest, WritesC1ControlsInHex) { EXPECT_EQ(Escape("\u009b"), "\\xc2\\x9b"); }

TEST(EscapeTest, NeverPutsATabOrNewlineIntoTheLine) {
  EXPECT_EQ(Escape(AllBytes()).find_first_of("\t\n\r"), std::string::npos);
}

TEST(UnescapeTest, TakesEveryByteBack) {
  EXPECT_EQ(Unescape(Escape(AllBytes())), AllBytes());
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = RandomBytes(&random, random() % 40);
    ASSERT_EQ(Unescape(Escape(bytes)), bytes) << "round " << i;
  }
}

TEST(UnescapeTest, RefusesEscapesThatEscapeNeverWrites) {
  for (const char* text : {"\\", "a\\", "\\q", "\\x", "\\x1", "\\xg0", "\\x0g"}) {
    EXPECT_EQ(Unescape(text), std::nullopt) << text;
  }
}

TEST(Utf8Test, RefusesOverlongFormsSurrogatesAndWhatIsTooLarge) {
  for (const char* bytes :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x8c"}) {
    EXPECT_FALSE(IsUtf8(bytes)) << Escape(bytes);
  }
  EXPECT_TRUE(IsUtf8("\ud7ff\ue000\U0010ffff"));
}

TEST(Base64Test, MatchesTheVectorsOfTheStandard) {
  EXPECT_EQ(EncodeBase64(""), "");
  EXPECT_EQ(EncodeBase64("f"), "Zg==");
  EXPECT_EQ(EncodeBase64("fo"), "Zm8=");
  EXPECT_EQ(EncodeBase64("foo"), "Zm9v");
  EXPECT_EQ(EncodeBase64("foob"), "Zm9vYg==");
  EXPECT_EQ(EncodeBase64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(EncodeBase64("foobar"), "Zm9vYmFy");
}

TEST(Base64Test, TakesEveryByteBack) {
  std::mt19937 random(11);
  for (size_t size = 0; size < 300; ++size) {
    const std::string bytes = RandomBytes(&random, size);
    ASSERT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
  }
}

TEST(Base64Test, RefusesWhatItNeverWrites) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zm-_"}) {
    EXPECT_EQ(DecodeBase64(text), std::nullopt) << text;
  }
}

TEST(CutToWidthTest, CountsCodePointsAndMarksTheCut) {
  bool was_cut = false;
  EXPECT_EQ(CutToWidth("gr\u00fc\u00df", 4, &was_cut), "gr\u00fc\u00df");
  EXPECT_FALSE(was_cut);
  EXPECT_EQ(CutToWidth("gr\u00fc\u00dfe", 4, &was_cut), "gr\u00fc\u2026");
  EXPECT_TRUE(was_cut);
  EXPECT_EQ(CutToWidth("ab", 1, &was_cut), "\u2026");
}

TEST(NumbersForPeopleTest, HaveSeparatorsAndUnits) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(1000), "1,000");
  EXPECT_EQ(WithThousands(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1000), "1.0 kB");
  EXPECT_EQ(HumanBytes(48'100'000), "48.1 MB");
  EXPECT_EQ(HumanBytes(999'900), "1.0 MB");
  EXPECT_EQ(HumanBytes(UINT64_MAX), "18.4 EB");
  EXPECT_EQ(HumanDuration(870'000), "870 us");
  EXPECT_EQ(HumanDuration(12'340'000), "12.3 ms");
  EXPECT_EQ(HumanDuration(3'400'000'000), "3.4 s");
  EXPECT_EQ(HumanDuration(125'000'000'000), "2:05 min");
}

}  // namespace text_test
}  // namespace varve::cli
