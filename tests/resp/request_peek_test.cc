#include "resp/request_peek.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "resp/request_parser.h"

namespace varve::resp {
namespace request_peek_test {

std::string Encode(const std::vector<std::string>& args) {
  std::string bytes = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string& arg : args) {
    bytes += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  return bytes;
}

// In memory of just this size, so that a look beyond its end is noticed where memory is checked.
std::string Peeked(std::string_view bytes, size_t* size, size_t limit = 64) {
  const auto exact = std::make_unique<char[]>(bytes.size());
  bytes.copy(exact.get(), bytes.size());
  std::vector<PeekedRequest> requests(limit);
  const size_t count = PeekRequests({exact.get(), bytes.size()}, requests, size);
  EXPECT_LE(count, limit);
  std::string seen;
  for (size_t i = 0; i < count; ++i) {
    seen.append("[").append(requests[i].name).append("|").append(requests[i].argument).append("]");
  }
  return seen;
}

// The same as the parser has it, of the requests that have two arguments.
std::string Parsed(std::string_view bytes, size_t size) {
  RequestParser parser;
  std::string seen;
  for (size_t at = 0; at < size; at += parser.consumed()) {
    EXPECT_EQ(parser.Parse(bytes.substr(at, size - at)), RequestParser::Outcome::kRequest);
    seen.append("[").append(parser.args()[0]).append("|").append(parser.args()[1]).append("]");
  }
  return seen;
}

TEST(RequestPeekTest, SeesWhatTheParserSees) {
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    for (size_t i = random.Uniform(6); i > 0; --i) {
      std::vector<std::string> args(2 + random.Uniform(4));
      for (std::string& arg : args) arg = std::string(random.Uniform(12), "ab\r\n*$1"[random.Uniform(7)]);
      bytes += Encode(args);
    }
    for (size_t end = 0; end <= bytes.size(); ++end) {
      size_t size = 0;
      const std::string_view input = std::string_view(bytes).substr(0, end);
      const std::string seen = Peeked(input, &size);
      ASSERT_LE(size, end);
      ASSERT_EQ(seen, Parsed(input, size));
    }
    size_t size = 0;
    Peeked(bytes, &size);
    EXPECT_EQ(size, bytes.size());
  }
}

TEST(RequestPeekTest, StopsBeforeWhatIsNotPlain) {
  const std::string get = Encode({"GET", "k"});
  size_t size = 0;
  for (const std::string& other :
       {std::string("PING\r\n"), Encode({"PING"}), std::string("*0\r\n"), std::string("*-1\r\n"),
        std::string("*2\r\n$3\r\nGET\r\n$-1\r\n"), std::string("*2\r\n$3\r\nGET\r\n:1\r\n"), std::string("*\r\n"),
        std::string("*99999999999999999999\r\n"), std::string("*2\r\n$99999999999999999999\r\nGET\r\n"),
        std::string("*2\r\n$18446744073709551615\r\nGET\r\n$1\r\nk\r\n"), std::string("*2\n$3\r\n")}) {
    EXPECT_EQ(Peeked(get + other + get, &size), "[GET|k]") << other;
    EXPECT_EQ(size, get.size());
  }
  EXPECT_EQ(Peeked(get + get + get, &size, 2), "[GET|k][GET|k]");
  EXPECT_EQ(size, 2 * get.size());
}

TEST(RequestPeekTest, BytesAtRandom) {
  Random random(12);
  const std::string alphabet = "*$123\r\nGET k0";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random.Uniform(40), ' ');
    for (char& byte : bytes) byte = alphabet[random.Uniform(alphabet.size())];
    size_t size = 0;
    Peeked(bytes, &size);
    ASSERT_LE(size, bytes.size());
  }
}

}  // namespace request_peek_test
}  // namespace varve::resp
