// The parsers of the protocol over any bytes. Requests: the same however the bytes are split. Replies: what
// is parsed lies within the input.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "resp/reply_parser.h"
#include "resp/request_parser.h"

namespace {

using varve::resp::RequestParser;

// All requests of `input`, which arrives in pieces of `step` bytes; the first byte says who sends it.
std::string Requests(std::string_view input, size_t step, bool is_authenticated) {
  RequestParser parser({.max_line_bytes = 64, .max_bulk_bytes = 1 << 20});
  std::string seen;
  size_t begin = 0;
  for (size_t end = 0; end < input.size();) {
    end = std::min(input.size(), end + step);
    while (true) {
      const auto outcome = parser.Parse(input.substr(begin, end - begin), is_authenticated);
      if (outcome == RequestParser::Outcome::kError) return seen.append("!").append(parser.error());
      if (parser.consumed() > end - begin) std::abort();
      begin += parser.consumed();
      if (outcome == RequestParser::Outcome::kNeedMore) {
        if (parser.wanted() <= end - begin) std::abort();
        break;
      }
      if (parser.args().empty()) std::abort();
      seen.append(parser.is_inline() ? "i" : "a");
      for (const std::string_view arg : parser.args()) {
        seen.append(std::to_string(arg.size())).append(":").append(arg);
      }
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool is_authenticated = (data[0] & 1) != 0;
  const std::string whole = Requests(input, input.size() + 1, is_authenticated);
  for (const size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{1} + data[0]}) {
    if (Requests(input, step, is_authenticated) != whole) std::abort();
  }
  varve::resp::ReplyParser replies({.max_bulk_bytes = 1 << 20, .max_elements = 1 << 12});
  std::string_view rest = input;
  varve::resp::Reply reply;
  while (replies.Parse(rest, &reply) == varve::resp::ReplyParser::Outcome::kReply) {
    if (replies.consumed() == 0 || replies.consumed() > rest.size()) std::abort();
    rest.remove_prefix(replies.consumed());
  }
  return 0;
}
