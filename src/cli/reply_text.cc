#include "cli/reply_text.h"

#include <charconv>
#include <array>

#include "cli/text.h"

namespace varve::cli {

namespace {

using resp::Reply;

// Any bytes on one line, in quotes.
std::string Quoted(std::string_view bytes) {
  std::string quoted = "\"";
  for (const char c : Escape(bytes)) {
    if (c == '"') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "\"";
}

// Lines of text that end as INFO's and CLIENT LIST's do.
bool IsLinesOfText(std::string_view text) {
  if (!text.ends_with('\n') || !IsUtf8(text)) return false;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') return false;
  }
  return true;
}

std::string DecimalOf(double number) {
  std::array<char, 64> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() ? std::string(digits.data(), end) : "";
}

bool IsAggregate(const Reply& reply) {
  return reply.type == Reply::Type::kArray || reply.type == Reply::Type::kMap ||
         reply.type == Reply::Type::kSet || reply.type == Reply::Type::kPush;
}

std::string ScalarText(const Reply& reply, const Console& console) {
  switch (reply.type) {
    case Reply::Type::kSimple: return Escape(reply.text);
    case Reply::Type::kError:
      return console.OnOut(Console::Style::kRed, "(error) " + Escape(reply.text));
    case Reply::Type::kInteger: return "(integer) " + std::to_string(reply.integer);
    case Reply::Type::kBoolean: return reply.integer != 0 ? "(true)" : "(false)";
    case Reply::Type::kDouble: return "(double) " + DecimalOf(reply.number);
    case Reply::Type::kBigNumber: return "(number) " + Escape(reply.text);
    case Reply::Type::kNull: return console.OnOut(Console::Style::kDim, "(nil)");
    default: return Quoted(reply.text);
  }
}

// `indent`: what precedes the lines after the first.
void AppendReply(const Reply& reply, const Console& console, size_t indent, std::string* out) {
  if (!IsAggregate(reply)) {
    out->append(ScalarText(reply, console)).append("\n");
    return;
  }
  if (reply.elements.empty()) {
    out->append(console.OnOut(Console::Style::kDim, "(empty)")).append("\n");
    return;
  }
  const bool is_map = reply.type == Reply::Type::kMap;
  const size_t step = is_map ? 2 : 1;
  const size_t width = std::to_string(reply.elements.size() / step).size();
  for (size_t i = 0; i + step <= reply.elements.size(); i += step) {
    const std::string number = std::to_string(i / step + 1);
    if (i > 0) out->append(indent, ' ');
    const std::string label = std::string(width - number.size(), ' ') + number + ") ";
    out->append(console.OnOut(Console::Style::kDim, label));
    if (is_map) out->append(ScalarText(reply.elements[i], console)).append(" => ");
    AppendReply(reply.elements[i + step - 1], console, indent + label.size(), out);
  }
}

}  // namespace

std::string ReplyText(const Reply& reply, const Console& console) {
  const bool is_text = reply.type == Reply::Type::kBulk || reply.type == Reply::Type::kVerbatim;
  if (is_text && IsLinesOfText(reply.text)) return reply.text;
  std::string text;
  AppendReply(reply, console, 0, &text);
  return text;
}

}  // namespace varve::cli
