#include "cli/json.h"

#include <gtest/gtest.h>

#include <random>

#include "cli/text.h"
#include "tests/support/status_matchers.h"

namespace varve::cli {
namespace json_test {

struct Parsed {
  std::string key, value;
};

Status Parse(std::string_view line) {
  Parsed parsed;
  uint64_t expire_at = 0;
  return ParseJsonRecord(line, &parsed.key, &parsed.value, &expire_at);
}

std::string RoundTrip(const std::string& bytes) {
  Parsed parsed;
  const std::string line = JsonObject().Bytes("key", bytes).Bytes("value", bytes).Take();
  uint64_t expire_at = 0;
  EXPECT_OK(ParseJsonRecord(line, &parsed.key, &parsed.value, &expire_at)) << line;
  EXPECT_EQ(parsed.key, parsed.value);
  return parsed.key;
}

TEST(JsonObjectTest, KeepsTheOrderOfItsMembers) {
  EXPECT_EQ(JsonObject().Bytes("b", "x").Number("a", 7).Bool("c", true).Decimal("d", 1.5).Take(),
            R"({"b":"x","a":7,"c":true,"d":1.500})");
  EXPECT_EQ(JsonObject().Take(), "{}");
  EXPECT_EQ(JsonArray().Add("1").Add("{}").Take(), "[1,{}]");
}

TEST(JsonObjectTest, EscapesTextAndEncodesOtherBytes) {
  EXPECT_EQ(JsonObject().Bytes("k", "\"\\\n\x01\u00fc").Take(),
            "{\"k\":\"\\\"\\\\\\n\\u0001\u00fc\"}");
  EXPECT_EQ(JsonObject().Bytes("k", "\xff").Take(), R"({"k_b64":"/w=="})");
}

TEST(JsonRecordTest, TakesEveryByteBack) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    ASSERT_EQ(RoundTrip(bytes), bytes) << byte;
  }
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 30, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    ASSERT_EQ(RoundTrip(bytes), bytes) << Escape(bytes);
  }
}

// The JSON library has its own idea of UTF-8, and stops the program when it is given something
// else. Goal: it accepts whatever IsUtf8 accepts. Method: every two-byte and three-byte string
// whose lead byte is not ASCII, and four-byte strings at the borders.
TEST(JsonRecordTest, TheLibraryAgreesOnWhatIsUtf8) {
  std::vector<std::string> texts;
  for (int a = 0x80; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      texts.push_back({static_cast<char>(a), static_cast<char>(b)});
      for (int c : {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff}) {
        texts.push_back({static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)});
        texts.push_back({static_cast<char>(a), static_cast<char>(b), static_cast<char>(c), '\x80'});
      }
    }
  }
  for (const std::string& text : texts) ASSERT_EQ(RoundTrip(text), text) << Escape(text);
}

TEST(JsonRecordTest, ReadsWhatOtherProgramsWrite) {
  Parsed parsed;
  uint64_t expire_at = 0;
  ASSERT_OK(ParseJsonRecord(R"( { "value" : "\u00e4\ud83c\udf0d" , "more":[1], "key":"\u0000" } )",
                            &parsed.key, &parsed.value, &expire_at));
  EXPECT_EQ(expire_at, 0u);
  EXPECT_EQ(parsed.key, std::string(1, '\0'));
  EXPECT_EQ(parsed.value, "\u00e4\U0001f30d");
}

TEST(JsonRecordTest, ReadsWhenARecordExpires) {
  Parsed parsed;
  uint64_t expire_at = 0;
  ASSERT_OK(ParseJsonRecord(R"({"key":"a","value":"1","expire_at_ms":1700000000000})", &parsed.key,
                            &parsed.value, &expire_at));
  EXPECT_EQ(expire_at, 1'700'000'000'000u);
  for (const char* line : {R"({"key":"a","value":"1","expire_at_ms":0})",
                           R"({"key":"a","value":"1","expire_at_ms":-1})",
                           R"({"key":"a","value":"1","expire_at_ms":"soon"})"}) {
    EXPECT_STATUS(kInvalidArgument,
                  ParseJsonRecord(line, &parsed.key, &parsed.value, &expire_at));
  }
}

TEST(JsonRecordTest, RefusesWhatIsNotARecord) {
  for (const char* line :
       {"", "x", "[]", "7", "{}", R"({"key":"a"})", R"({"value":"a"})", R"({"key":1,"value":"a"})",
        R"({"key":"a","value":null})", R"({"key":"a","key_b64":"YQ==","value":"b"})",
        R"({"key_b64":"!","value":"b"})", R"({"key":"a","value":"b"} x)",
        "{\"key\":\"\xff\",\"value\":\"\"}"}) {
    EXPECT_STATUS(kInvalidArgument, Parse(line)) << line;
  }
}

}  // namespace json_test
}  // namespace varve::cli
