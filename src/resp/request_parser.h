// RequestParser: bytes of a client -> requests. A request is an array of bulk strings, or a line of words
// ("inline", what people type).
//
//   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n        GET k\r\n
//
// Accepts and refuses exactly what Redis 7.0 does. Any split of the bytes gives the same requests: where
// Redis's answer depends on how the bytes arrived (lines that are too long), the one for small pieces is
// given.
#ifndef VARVE_RESP_REQUEST_PARSER_H_
#define VARVE_RESP_REQUEST_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace varve::resp {

struct RequestLimits {
  size_t max_line_bytes = 64 * 1024;
  int64_t max_arguments = 2147483647;
  int64_t max_bulk_bytes = int64_t{512} << 20;
};
// Of clients that have not authenticated yet, where that is asked for.
inline constexpr int64_t kMaxUnauthenticatedArguments = 10;
inline constexpr int64_t kMaxUnauthenticatedBulkBytes = 16384;

// Thread-compatible. Costs: O(bytes) altogether, however they are split; 16 bytes an argument.
class RequestParser {
 public:
  enum class Outcome {
    kRequest,   // args() is the next one
    kNeedMore,  // the input ends before the request does
    kError,     // error() says why; the connection is to be closed after it has been answered
  };

  explicit RequestParser(const RequestLimits& limits = {}) : limits_(limits) {}

  // Looks for the next request in `input`, which begins where the last request ended: it is the input of
  // the call before with more at its end (after kNeedMore), or without its first consumed() bytes.
  Outcome Parse(std::string_view input, bool is_authenticated = true);

  // After kRequest: views, of a line into this, valid until the next call, else into the input. Never empty.
  const std::vector<std::string_view>& args() const { return args_; }
  // Bytes of the input that are done with. After kNeedMore this can be more than 0: empty requests.
  size_t consumed() const { return consumed_; }
  // After kNeedMore: the input, without the consumed bytes, must have at least this size before anything
  // comes of it. A hint for buffers.
  size_t wanted() const { return wanted_; }
  // Whether the request was a line.
  bool is_inline() const { return is_inline_; }
  // Without "-ERR " and the end of the line.
  std::string_view error() const { return error_; }

 private:
  // A place in the input, from its beginning.
  struct Span {
    size_t offset;
    size_t size;
  };
  enum class Line { kFound, kNeedMore, kTooLong };

  Outcome ParseArray(bool is_authenticated);
  Outcome ParseArguments(bool is_authenticated);
  Outcome ParseInline();
  Line FindLine(char terminator, std::string_view* line);
  Outcome Fail(std::string message);
  Outcome NeedMore(size_t more);
  void Finish();

  const RequestLimits limits_;
  std::string_view input_;
  size_t begin_ = 0;     // of the request
  size_t position_ = 0;  // parsed up to here
  size_t scanned_ = 0;   // no end of line between position_ and here
  int64_t missing_ = 0;  // arguments of the array under way
  int64_t bulk_bytes_ = -1;  // of the argument under way; -1: not known yet
  std::vector<Span> spans_;
  std::vector<std::string_view> args_;
  std::vector<std::string> words_;
  size_t consumed_ = 0;
  size_t wanted_ = 0;
  bool is_inline_ = false;
  std::string error_;
};

// Splits a line into words: quotes and escapes as in a shell's, "\xHH" among them. False when quotes are
// unbalanced. A zero byte ends the line.
bool SplitWords(std::string_view line, std::vector<std::string>* words);

}  // namespace varve::resp

#endif  // VARVE_RESP_REQUEST_PARSER_H_
