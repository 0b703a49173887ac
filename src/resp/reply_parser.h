// ReplyParser: bytes of a server -> replies, for clients.
#ifndef VARVE_RESP_REPLY_PARSER_H_
#define VARVE_RESP_REPLY_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace varve::resp {

// One reply of either version.
struct Reply {
  enum class Type : uint8_t {
    kSimple, kError, kInteger, kBulk, kNull, kArray, kMap, kSet, kPush, kDouble, kBoolean,
    kVerbatim,   // text without its format
    kBigNumber,  // text: the digits
  };
  Type type = Type::kNull;
  int64_t integer = 0;  // of kInteger and kBoolean
  double number = 0;    // of kDouble
  std::string text;     // of everything with bytes; of an error with its code
  std::vector<Reply> elements;  // of a map keys and values in turn

  bool is_error() const { return type == Type::kError; }
};

struct ReplyLimits {
  int64_t max_bulk_bytes = int64_t{1} << 30;
  int64_t max_elements = int64_t{1} << 24;
  size_t max_depth = 32;
  size_t max_line_bytes = 64 * 1024;
};

// Thread-compatible. A reply that is still incomplete is parsed anew when more has come, except that nothing
// happens before a bulk string at its end is there: O(bytes) for a reply of one bulk string.
class ReplyParser {
 public:
  enum class Outcome { kReply, kNeedMore, kError };

  explicit ReplyParser(const ReplyLimits& limits = {}) : limits_(limits) {}

  // Looks for the next reply at the beginning of `input`; consumed() bytes of it are done with after
  // kReply. After kNeedMore `input` must be given again, with more at its end.
  Outcome Parse(std::string_view input, Reply* reply);
  size_t consumed() const { return consumed_; }
  std::string_view error() const { return error_; }

 private:
  Outcome ParseOne(Reply* reply, size_t depth);
  Outcome ParseLine(char type, std::string_view line, Reply* reply);
  Outcome ParseBulk(char type, std::string_view line, Reply* reply);
  Outcome ParseAggregate(char type, std::string_view line, Reply* reply, size_t depth);
  Outcome Fail(std::string_view why);

  const ReplyLimits limits_;
  std::string_view input_;
  size_t position_ = 0;
  size_t consumed_ = 0;
  size_t wanted_ = 0;
  std::string error_;
};

}  // namespace varve::resp

#endif  // VARVE_RESP_REPLY_PARSER_H_
