#include "resp/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace varve::resp {
namespace request_parser_test {

using Outcome = RequestParser::Outcome;

// Requests as their arguments in brackets, and the error at the end, if there is one.
std::string Parsed(std::string_view input, const std::vector<size_t>& ends, bool is_authenticated,
                   const RequestLimits& limits = {}) {
  RequestParser parser(limits);
  std::string seen;
  size_t begin = 0;
  for (const size_t end : ends) {
    while (true) {
      const Outcome outcome = parser.Parse(input.substr(begin, end - begin), is_authenticated);
      if (outcome == Outcome::kError) return seen.append("!").append(parser.error());
      begin += parser.consumed();
      if (outcome == Outcome::kNeedMore) break;
      seen.append("[");
      for (const std::string_view arg : parser.args()) seen.append(arg).append("|");
      seen.append("]");
    }
  }
  return seen;
}

std::string Parsed(std::string_view input, bool is_authenticated = true) {
  return Parsed(input, {input.size()}, is_authenticated);
}

TEST(RequestParserTest, ArraysAndLines) {
  EXPECT_EQ(Parsed("*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n*1\r\n$0\r\n\r\n"), "[GET|a\r\n|][|]");
  EXPECT_EQ(Parsed("PING\r\nget  a\t b\n\r\n  \r\n*0\r\n*-5\r\nx\n"), "[PING|][get|a|b|][x|]");
  EXPECT_EQ(Parsed("set \"a\\x41\\n\\q\\\"\" 'b\\'\\n'\n"), "[set|aA\nq\"|b'\\n|]");
  EXPECT_EQ(Parsed("\"\" ab\"c d\"\n"), "[|abc d|]");
  EXPECT_EQ(Parsed("\vget\f a\vb\f \v\n"), "[get\f|a\vb\f|]") << "they stand before words, and end none";
  EXPECT_EQ(Parsed("*1\r\n$1\r\na"), "");
}

TEST(RequestParserTest, WhatRedisDoesNotLookAt) {
  EXPECT_EQ(Parsed("*1\rX$4\rYPINGab"), "[PING|]");
  // A zero byte hides what follows from the search for the end of a line.
  EXPECT_EQ(Parsed(std::string_view("get \0 a\nping\n", 12)), "");
}

TEST(RequestParserTest, Errors) {
  EXPECT_EQ(Parsed("*1x\r\n"), "!Protocol error: invalid multibulk length");
  EXPECT_EQ(Parsed("*2147483648\r\n"), "!Protocol error: invalid multibulk length");
  EXPECT_EQ(Parsed("*01\r\n"), "!Protocol error: invalid multibulk length");
  EXPECT_EQ(Parsed("*1\r\nfoo\r\n"), "!Protocol error: expected '$', got 'f'");
  EXPECT_EQ(Parsed(std::string_view("*1\r\n:\0\r\n", 8)), "");
  EXPECT_EQ(Parsed("*1\r\n$-1\r\n"), "!Protocol error: invalid bulk length");
  EXPECT_EQ(Parsed("*1\r\n$536870913\r\n"), "!Protocol error: invalid bulk length");
  EXPECT_EQ(Parsed("*1\r\n$+1\r\n"), "!Protocol error: invalid bulk length");
  EXPECT_EQ(Parsed("a\n*1\r\n$x\r\n"), "[a|]!Protocol error: invalid bulk length");
  EXPECT_EQ(Parsed("a \"b\n"), "!Protocol error: unbalanced quotes in request");
  EXPECT_EQ(Parsed("a 'b'c\n"), "!Protocol error: unbalanced quotes in request");
}

TEST(RequestParserTest, LimitsBeforeAuthentication) {
  EXPECT_EQ(Parsed("*11\r\n", false), "!Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(Parsed("*1\r\n$16385\r\n", false), "!Protocol error: unauthenticated bulk length");
  EXPECT_EQ(Parsed("*10\r\n$16384\r\n", false), "");
  EXPECT_EQ(Parsed("*11\r\n$16385\r\n", true), "");
}

TEST(RequestParserTest, LinesHaveALimit) {
  const std::string fits(65536, 'x');
  EXPECT_EQ(Parsed(fits + "\n"), "[" + fits + "|]");
  EXPECT_EQ(Parsed(fits), "");
  EXPECT_EQ(Parsed(fits + "xx"), "!Protocol error: too big inline request");
  EXPECT_EQ(Parsed("*" + fits + "\r\n"), "!Protocol error: too big mbulk count string");
  EXPECT_EQ(Parsed("*1\r\n$" + fits + "\r\n"), "!Protocol error: too big bulk count string");
}

// Every way of cutting each stream in two, and in three at most places; and byte by byte.
TEST(RequestParserTest, AnySplitGivesTheSameRequests) {
  const std::vector<std::string> streams = {
      "*2\r\n$3\r\nGET\r\n$2\r\nab\r\n*0\r\nPING\r\n\r\n*1\r\n$4\r\nQUIT\r\n",
      "set \"a b\" 'c'\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n\r\n*1\r\n$4\r\nP\n\r\nx\n",
      "*1\r\n$1\r\na\r\n*1\r\nX\r\n",
      "*2\r\n$1\r\na\r\n$-3\r\n",
      "a 'b\r\n",
      "*1\rX$4\rYPINGab*1\r\n$1\r\nz\r\n",
      "a\n01234567890123456789\n",
      "*1\r\n$0000000000000000000\r\n",
  };
  const RequestLimits limits{.max_line_bytes = 16};
  for (const std::string& stream : streams) {
    SCOPED_TRACE(stream);
    const std::string whole = Parsed(stream, {stream.size()}, true, limits);
    std::vector<size_t> bytes;
    for (size_t i = 1; i <= stream.size(); ++i) bytes.push_back(i);
    EXPECT_EQ(Parsed(stream, bytes, true, limits), whole);
    for (size_t first = 0; first <= stream.size(); ++first) {
      for (size_t second = first; second <= stream.size(); ++second) {
        ASSERT_EQ(Parsed(stream, {first, second, stream.size()}, true, limits), whole)
            << first << " " << second;
      }
    }
  }
}

// Goal: no rescanning. Method: a request of many small arguments and a long line, a byte at a time; with
// rescanning this would be 10^10 steps.
TEST(RequestParserTest, BytesAreLookedAtOnce) {
  std::string stream = "*30000\r\n";
  for (int i = 0; i < 30000; ++i) stream += "$1\r\na\r\n";
  stream += std::string(60000, 'y') + "\n";
  RequestParser parser;
  size_t begin = 0;
  int requests = 0;
  for (size_t end = 1; end <= stream.size(); ++end) {
    while (parser.Parse(std::string_view(stream).substr(begin, end - begin)) == Outcome::kRequest) {
      ++requests;
      begin += parser.consumed();
    }
    begin += parser.consumed();
    if (begin == end) continue;
    ASSERT_GT(parser.wanted(), end - begin);
  }
  EXPECT_EQ(requests, 2);
}

TEST(RequestParserTest, WantedIsTheSizeOfALargeArgument) {
  RequestParser parser;
  ASSERT_EQ(parser.Parse("*2\r\n$3\r\nGET\r\n$1000\r\nab"), Outcome::kNeedMore);
  EXPECT_EQ(parser.wanted(), std::string_view("*2\r\n$3\r\nGET\r\n$1000\r\n").size() + 1002);
}

}  // namespace request_parser_test
}  // namespace varve::resp
