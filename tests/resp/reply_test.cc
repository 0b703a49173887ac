// The writer and the parser of replies, against bytes and against each other.
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

#include "resp/number.h"
#include "resp/reply_parser.h"
#include "resp/reply_writer.h"

namespace varve::resp {
namespace reply_test {

// Everything that the writer can write.
std::string Everything(int version) {
  std::string out;
  ReplyWriter writer(&out, version);
  writer.Array(14);
  writer.Ok();
  writer.Error("ERR a\r\nb\r\n");
  writer.Integer(std::numeric_limits<int64_t>::min());
  writer.Bulk(std::string_view("\0\r\n", 3));
  writer.Null();
  writer.NullArray();
  writer.Map(1);
  writer.Simple("k");
  writer.Integer(1);
  writer.Set(1);
  writer.Bulk("");
  writer.Push(1);
  writer.Integer(0);
  writer.Double(1.5);
  writer.Double(std::numeric_limits<double>::infinity());
  writer.Boolean(true);
  writer.Verbatim("txt", "hello");
  writer.Array(0);
  return out;
}

TEST(ReplyTest, Version2) {
  EXPECT_EQ(Everything(2), std::string("*14\r\n+OK\r\n-ERR a  b\r\n:-9223372036854775808\r\n$3\r\n\0\r\n\r\n"
                                       "$-1\r\n*-1\r\n*2\r\n+k\r\n:1\r\n*1\r\n$0\r\n\r\n*1\r\n:0\r\n"
                                       "$3\r\n1.5\r\n$3\r\ninf\r\n:1\r\n$5\r\nhello\r\n*0\r\n", 130));
}

TEST(ReplyTest, Version3) {
  EXPECT_EQ(Everything(3), std::string("*14\r\n+OK\r\n-ERR a  b\r\n:-9223372036854775808\r\n$3\r\n\0\r\n\r\n"
                                       "_\r\n_\r\n%1\r\n+k\r\n:1\r\n~1\r\n$0\r\n\r\n>1\r\n:0\r\n"
                                       ",1.5\r\n,inf\r\n#t\r\n=9\r\ntxt:hello\r\n*0\r\n", 124));
}

TEST(ReplyTest, TruncateTakesBack) {
  std::string out = "+OK\r\n";
  ReplyWriter writer(&out);
  const size_t mark = writer.size();
  writer.Bulk("x");
  EXPECT_EQ(writer.Since(mark), "$1\r\nx\r\n");
  writer.Truncate(mark);
  EXPECT_EQ(out, "+OK\r\n");
}

TEST(ReplyTest, WhatIsWrittenIsParsedAndNoPartOfIt) {
  for (const int version : {2, 3}) {
    const std::string bytes = Everything(version);
    Reply reply;
    ReplyParser parser;
    for (size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_EQ(parser.Parse(std::string_view(bytes).substr(0, size), &reply),
                ReplyParser::Outcome::kNeedMore) << size;
    }
    ASSERT_EQ(parser.Parse(bytes + "+more\r\n", &reply), ReplyParser::Outcome::kReply);
    EXPECT_EQ(parser.consumed(), bytes.size());
    ASSERT_EQ(reply.elements.size(), 14u);
    EXPECT_EQ(reply.elements[0].text, "OK");
    EXPECT_TRUE(reply.elements[1].is_error());
    EXPECT_EQ(reply.elements[2].integer, std::numeric_limits<int64_t>::min());
    EXPECT_EQ(reply.elements[3].text, std::string_view("\0\r\n", 3));
    EXPECT_EQ(reply.elements[4].type, Reply::Type::kNull);
    EXPECT_EQ(reply.elements[5].type, Reply::Type::kNull);
    EXPECT_EQ(reply.elements[6].type, version == 3 ? Reply::Type::kMap : Reply::Type::kArray);
    EXPECT_EQ(reply.elements[6].elements.size(), 2u);
    EXPECT_EQ(reply.elements[12].text, "hello");
    if (version == 3) {
      EXPECT_EQ(reply.elements[9].number, 1.5);
    }
  }
}

TEST(ReplyTest, RefusesWhatIsNoReply) {
  const std::string deep = [] {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "*1\r\n";
    return text;
  }();
  for (const std::string& bytes :
       {std::string("?x\r\n"), std::string(":1x\r\n"), std::string("$-2\r\n"), std::string("*-2\r\n"),
        std::string("%-1\r\n"), std::string("$1\r\nabc"), std::string("#x\r\n"), std::string("_x\r\n"),
        std::string(",\r\n"), std::string("=2\r\nab\r\n"), std::string("\r\n"), std::string("$1073741825\r\n"),
        std::string("*99999999\r\n"), std::string(70000, '+'), deep}) {
    Reply reply;
    ReplyParser parser;
    EXPECT_EQ(parser.Parse(bytes, &reply), ReplyParser::Outcome::kError) << bytes.substr(0, 40);
    EXPECT_FALSE(parser.error().empty());
  }
}

TEST(NumberTest, OneWayOfWritingEach) {
  EXPECT_EQ(ParseInteger("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParseInteger("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(ParseInteger("0"), 0);
  for (const char* text : {"", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "0x1", "-a",
                           "9223372036854775808", "-9223372036854775809", "100000000000000000000"}) {
    EXPECT_EQ(ParseInteger(text), std::nullopt) << text;
  }
}

}  // namespace reply_test
}  // namespace varve::resp
