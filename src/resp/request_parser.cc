#include "resp/request_parser.h"

#include <algorithm>
#include <utility>

#include "resp/number.h"

namespace varve::resp {

namespace {
// What an array reserves ahead, whatever it says of itself.
constexpr int64_t kMaxReserved = 1024;
// Larger lists of arguments are given back after their request.
constexpr size_t kMaxKept = 4096;
}  // namespace

RequestParser::Outcome RequestParser::Fail(std::string message) {
  error_ = std::move(message);
  return Outcome::kError;
}

RequestParser::Outcome RequestParser::NeedMore(size_t more) {
  consumed_ = begin_;
  wanted_ = position_ + more - begin_;
  // The caller drops what is consumed.
  position_ -= begin_;
  scanned_ -= std::min(scanned_, begin_);
  for (Span& span : spans_) span.offset -= begin_;
  begin_ = 0;
  return Outcome::kNeedMore;
}

void RequestParser::Finish() {
  consumed_ = position_;
  begin_ = position_ = scanned_ = 0;
}

RequestParser::Outcome RequestParser::Parse(std::string_view input, bool is_authenticated) {
  input_ = input;
  if (args_.size() > kMaxKept) std::vector<std::string_view>().swap(args_);
  args_.clear();
  while (true) {
    if (missing_ > 0) return ParseArguments(is_authenticated);
    begin_ = position_;
    if (position_ == input_.size()) return NeedMore(1);
    is_inline_ = input_[position_] != '*';
    const Outcome outcome = is_inline_ ? ParseInline() : ParseArray(is_authenticated);
    // Requests without arguments are passed over.
    const bool is_empty = outcome == Outcome::kRequest && args_.empty();
    if (!is_empty) return outcome;
  }
}

// A line without its terminator. position_ stays.
RequestParser::Line RequestParser::FindLine(char terminator, std::string_view* line) {
  const std::string_view rest = input_.substr(position_);
  size_t at = std::max(scanned_, position_) - position_;
  // A zero byte hides what follows it, as it does from Redis.
  while (at < rest.size() && rest[at] != terminator && rest[at] != '\0') ++at;
  scanned_ = position_ + at;
  const bool is_found = at < rest.size() && rest[at] == terminator;
  if (is_found ? at > limits_.max_line_bytes : rest.size() > limits_.max_line_bytes) {
    return Line::kTooLong;
  }
  // With '\r' as the terminator one more byte belongs to it, whatever it is.
  if (!is_found || (terminator == '\r' && at + 1 >= rest.size())) return Line::kNeedMore;
  *line = rest.substr(0, at);
  return Line::kFound;
}

RequestParser::Outcome RequestParser::ParseArray(bool is_authenticated) {
  std::string_view line;
  switch (FindLine('\r', &line)) {
    case Line::kTooLong: return Fail("Protocol error: too big mbulk count string");
    case Line::kNeedMore: return NeedMore(input_.size() - position_ + 1);
    case Line::kFound: break;
  }
  const std::optional<int64_t> count = ParseInteger(line.substr(1));
  if (!count || *count > limits_.max_arguments) {
    return Fail("Protocol error: invalid multibulk length");
  }
  if (*count > kMaxUnauthenticatedArguments && !is_authenticated) {
    return Fail("Protocol error: unauthenticated multibulk length");
  }
  position_ += line.size() + 2;
  if (*count <= 0) return Outcome::kRequest;
  missing_ = *count;
  bulk_bytes_ = -1;
  if (spans_.capacity() > kMaxKept) std::vector<Span>().swap(spans_);
  spans_.clear();
  spans_.reserve(static_cast<size_t>(std::min(*count, kMaxReserved)));
  return ParseArguments(is_authenticated);
}

RequestParser::Outcome RequestParser::ParseArguments(bool is_authenticated) {
  while (missing_ > 0) {
    if (bulk_bytes_ < 0) {
      std::string_view line;
      switch (FindLine('\r', &line)) {
        case Line::kTooLong: return Fail("Protocol error: too big bulk count string");
        case Line::kNeedMore: return NeedMore(input_.size() - position_ + 1);
        case Line::kFound: break;
      }
      const char first = input_[position_];
      if (first != '$') {
        std::string message = "Protocol error: expected '$', got '";
        // A zero byte ends Redis's message.
        if (first != '\0') message.append(1, first).append("'");
        return Fail(std::move(message));
      }
      const std::optional<int64_t> bytes = ParseInteger(line.substr(1));
      if (!bytes || *bytes < 0 || *bytes > limits_.max_bulk_bytes) {
        return Fail("Protocol error: invalid bulk length");
      }
      if (*bytes > kMaxUnauthenticatedBulkBytes && !is_authenticated) {
        return Fail("Protocol error: unauthenticated bulk length");
      }
      bulk_bytes_ = *bytes;
      position_ += line.size() + 2;
      scanned_ = position_;
    }
    const size_t bytes = static_cast<size_t>(bulk_bytes_);
    // The two bytes behind it are not looked at.
    if (input_.size() - position_ < bytes + 2) return NeedMore(bytes + 2);
    spans_.push_back({position_, bytes});
    position_ += bytes + 2;
    scanned_ = position_;
    bulk_bytes_ = -1;
    --missing_;
  }
  args_.reserve(spans_.size());
  for (const Span& span : spans_) args_.push_back(input_.substr(span.offset, span.size));
  spans_.clear();
  Finish();
  return Outcome::kRequest;
}

RequestParser::Outcome RequestParser::ParseInline() {
  std::string_view line;
  switch (FindLine('\n', &line)) {
    case Line::kTooLong: return Fail("Protocol error: too big inline request");
    case Line::kNeedMore: return NeedMore(input_.size() - position_ + 1);
    case Line::kFound: break;
  }
  position_ += line.size() + 1;
  scanned_ = position_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  words_.clear();
  if (!SplitWords(line, &words_)) return Fail("Protocol error: unbalanced quotes in request");
  if (words_.empty()) return Outcome::kRequest;
  args_.assign(words_.begin(), words_.end());
  Finish();
  return Outcome::kRequest;
}

namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Fewer than what may stand between words, as with Redis.
bool EndsWord(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

// What stands between quotes from line[*at] on, which is behind the opening one. False when the closing
// one is missing, or is not the end of the word.
bool TakeQuoted(std::string_view line, char quote, size_t* at, std::string* word) {
  while (*at < line.size()) {
    const char c = line[*at];
    const bool has_next = *at + 1 < line.size();
    if (c == quote) {
      ++*at;
      return *at == line.size() || IsSpace(line[*at]);
    }
    if (quote == '"' && c == '\\' && *at + 3 < line.size() && line[*at + 1] == 'x' &&
        HexDigit(line[*at + 2]) >= 0 && HexDigit(line[*at + 3]) >= 0) {
      word->push_back(static_cast<char>(HexDigit(line[*at + 2]) * 16 + HexDigit(line[*at + 3])));
      *at += 4;
    } else if (quote == '"' && c == '\\' && has_next) {
      word->push_back(Unescaped(line[*at + 1]));
      *at += 2;
    } else if (quote == '\'' && c == '\\' && has_next && line[*at + 1] == '\'') {
      word->push_back('\'');
      *at += 2;
    } else {
      word->push_back(c);
      ++*at;
    }
  }
  return false;
}

}  // namespace

bool SplitWords(std::string_view line, std::vector<std::string>* words) {
  line = line.substr(0, line.find('\0'));
  for (size_t at = 0;;) {
    while (at < line.size() && IsSpace(line[at])) ++at;
    if (at == line.size()) return true;
    std::string word;
    while (at < line.size() && !EndsWord(line[at])) {
      const char c = line[at++];
      if (c != '"' && c != '\'') {
        word.push_back(c);
      } else {
        if (!TakeQuoted(line, c, &at, &word)) return false;
        break;
      }
    }
    words->push_back(std::move(word));
  }
}

}  // namespace varve::resp
