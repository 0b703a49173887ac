#include "resp/reply_writer.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace varve::resp {

namespace {
constexpr size_t kLargeBytes = 64 * 1024;
constexpr size_t kFrameBytes = 32;
}  // namespace

void ReplyWriter::Line(char type, std::string_view text) {
  out_->push_back(type);
  out_->append(text).append("\r\n");
}

void ReplyWriter::Number(char type, int64_t value) {
  char buffer[24];
  buffer[0] = type;
  char* end = std::to_chars(buffer + 1, buffer + sizeof(buffer) - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out_->append(buffer, end);
}

void ReplyWriter::Error(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  out_->push_back('-');
  for (const char c : text) out_->push_back(c == '\r' || c == '\n' ? ' ' : c);
  out_->append("\r\n");
}

bool ReplyWriter::HasRoom(size_t size) {
  const size_t written = out_->size() - begin_;
  is_full_ = is_full_ || written > limit_ || size > limit_ - written;
  return !is_full_;
}

void ReplyWriter::Bulk(std::string_view bytes) {
  if (!HasRoom(bytes.size())) return;
  // The end of the line behind a large text must not double the memory.
  if (bytes.size() >= kLargeBytes) out_->reserve(out_->size() + bytes.size() + kFrameBytes);
  Number('$', static_cast<int64_t>(bytes.size()));
  out_->append(bytes).append("\r\n");
}

void ReplyWriter::Aggregate(char type, size_t count, size_t factor) {
  if (version_ >= 3) {
    Number(type, static_cast<int64_t>(count));
  } else {
    Array(count * factor);
  }
}

void ReplyWriter::Double(double value) {
  char buffer[40];
  std::string_view text;
  if (std::isinf(value)) {
    text = value > 0 ? "inf" : "-inf";
  } else if (std::isnan(value)) {
    text = "nan";
  } else {
    text = {buffer, static_cast<size_t>(std::snprintf(buffer, sizeof(buffer), "%.17g", value))};
  }
  if (version_ >= 3) {
    Line(',', text);
  } else {
    Bulk(text);
  }
}

void ReplyWriter::Boolean(bool value) {
  if (version_ >= 3) {
    Line('#', value ? "t" : "f");
  } else {
    Integer(value ? 1 : 0);
  }
}

void ReplyWriter::Verbatim(std::string_view format, std::string_view text) {
  if (version_ < 3) return Bulk(text);
  if (!HasRoom(text.size())) return;
  Number('=', static_cast<int64_t>(format.size() + 1 + text.size()));
  out_->append(format).append(":").append(text).append("\r\n");
}

}  // namespace varve::resp
