#include "resp/reply_parser.h"

#include <algorithm>
#include <cstdlib>

#include "resp/number.h"

namespace varve::resp {

namespace {
constexpr size_t kFormatBytes = 4;  // "txt:"
}  // namespace

ReplyParser::Outcome ReplyParser::Fail(std::string_view why) {
  error_ = why;
  return Outcome::kError;
}

ReplyParser::Outcome ReplyParser::Parse(std::string_view input, Reply* reply) {
  consumed_ = 0;
  if (input.size() < wanted_) return Outcome::kNeedMore;
  wanted_ = 0;
  input_ = input;
  position_ = 0;
  *reply = Reply();
  const Outcome outcome = ParseOne(reply, 0);
  if (outcome == Outcome::kReply) {
    consumed_ = position_;
    wanted_ = 0;
  }
  return outcome;
}

ReplyParser::Outcome ReplyParser::ParseOne(Reply* reply, size_t depth) {
  const std::string_view rest = input_.substr(position_);
  const size_t end = rest.substr(0, limits_.max_line_bytes).find("\r\n");
  if (end == std::string_view::npos) {
    return rest.size() < limits_.max_line_bytes ? Outcome::kNeedMore
                                                : Fail("a line that is too long");
  }
  if (end == 0) return Fail("an empty line");
  const char type = rest[0];
  const std::string_view line = rest.substr(1, end - 1);
  position_ += end + 2;
  switch (type) {
    case '$': case '=': return ParseBulk(type, line, reply);
    case '*': case '%': case '~': case '>': return ParseAggregate(type, line, reply, depth);
    default: return ParseLine(type, line, reply);
  }
}

ReplyParser::Outcome ReplyParser::ParseLine(char type, std::string_view line, Reply* reply) {
  reply->text = line;
  switch (type) {
    case '+': reply->type = Reply::Type::kSimple; return Outcome::kReply;
    case '-': reply->type = Reply::Type::kError; return Outcome::kReply;
    case '(': reply->type = Reply::Type::kBigNumber; return Outcome::kReply;
    case ':': {
      const std::optional<int64_t> value = ParseInteger(line);
      if (!value) return Fail("not an integer");
      reply->type = Reply::Type::kInteger;
      reply->integer = *value;
      return Outcome::kReply;
    }
    case ',': {
      char* end = nullptr;
      reply->type = Reply::Type::kDouble;
      reply->number = std::strtod(reply->text.c_str(), &end);
      const bool is_number = !line.empty() && end == reply->text.c_str() + line.size();
      return is_number ? Outcome::kReply : Fail("not a number");
    }
    case '#':
      if (line != "t" && line != "f") return Fail("not a boolean");
      reply->type = Reply::Type::kBoolean;
      reply->integer = line == "t" ? 1 : 0;
      return Outcome::kReply;
    case '_':
      if (!line.empty()) return Fail("not a null");
      reply->type = Reply::Type::kNull;
      return Outcome::kReply;
    default: return Fail("an unknown type");
  }
}

ReplyParser::Outcome ReplyParser::ParseBulk(char type, std::string_view line, Reply* reply) {
  const std::optional<int64_t> bytes = ParseInteger(line);
  if (!bytes || *bytes < -1 || *bytes > limits_.max_bulk_bytes) return Fail("a bad bulk length");
  if (*bytes == -1) return type == '$' ? Outcome::kReply : Fail("a bad bulk length");
  const size_t size = static_cast<size_t>(*bytes);
  if (input_.size() - position_ < size + 2) {
    wanted_ = position_ + size + 2;
    return Outcome::kNeedMore;
  }
  std::string_view text = input_.substr(position_, size);
  if (input_.substr(position_ + size, 2) != "\r\n") return Fail("a bulk string without its end");
  position_ += size + 2;
  reply->type = type == '$' ? Reply::Type::kBulk : Reply::Type::kVerbatim;
  if (type == '=') {
    if (size < kFormatBytes || text[kFormatBytes - 1] != ':') return Fail("a text without a format");
    text.remove_prefix(kFormatBytes);
  }
  reply->text = text;
  return Outcome::kReply;
}

ReplyParser::Outcome ReplyParser::ParseAggregate(char type, std::string_view line, Reply* reply,
                                                 size_t depth) {
  if (depth >= limits_.max_depth) return Fail("nested too deeply");
  std::optional<int64_t> count = ParseInteger(line);
  if (!count || *count < -1 || *count > limits_.max_elements) return Fail("a bad count");
  if (*count == -1) return type == '*' ? Outcome::kReply : Fail("a bad count");
  switch (type) {
    case '*': reply->type = Reply::Type::kArray; break;
    case '%': reply->type = Reply::Type::kMap; *count *= 2; break;
    case '~': reply->type = Reply::Type::kSet; break;
    default: reply->type = Reply::Type::kPush; break;
  }
  reply->elements.reserve(static_cast<size_t>(std::min<int64_t>(*count, 1024)));
  for (int64_t i = 0; i < *count; ++i) {
    const Outcome outcome = ParseOne(&reply->elements.emplace_back(), depth + 1);
    if (outcome != Outcome::kReply) return outcome;
  }
  return Outcome::kReply;
}

}  // namespace varve::resp
