#include "http/request_parser.h"

#include <algorithm>
#include <optional>

#include "base/planted_bug.h"

namespace varve::http {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadersEnd = "\r\n\r\n";

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// What names of methods and headers consist of.
bool IsToken(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return IsAlphanumeric(c) || kOthers.find(c) != kOthers.npos;
  });
}

bool IsVisible(char c) { return c > ' ' && c < 0x7f; }

// Bytes of other alphabets are allowed in values, and ignored.
bool IsHeaderValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool EqualsIgnoringCase(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
  });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The outcome if the line alone decides it.
std::optional<Outcome> ReadRequestLine(std::string_view line, Request* request) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == line.npos || target_end == method_end) return Outcome::kBadRequest;
  const std::string_view method = line.substr(0, method_end);
  std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view version = line.substr(target_end + 1);
  if (!IsToken(method) || !std::all_of(target.begin(), target.end(), IsVisible)) {
    return Outcome::kBadRequest;
  }
  if (!version.starts_with("HTTP/")) return Outcome::kBadRequest;
  if (version != "HTTP/1.0" && version != "HTTP/1.1") return Outcome::kWrongVersion;
  if (method != "GET" && method != "HEAD") return Outcome::kMethodNotAllowed;
  if (!target.starts_with('/')) return Outcome::kBadRequest;
  request->is_head = method == "HEAD";
  request->path = target.substr(0, target.find('?'));
  return std::nullopt;
}

std::optional<Outcome> ReadHeader(std::string_view line) {
  const size_t colon = line.find(':');
  // A name followed by a space, and lines that continue others, are how requests are smuggled.
  if (colon == line.npos || !IsToken(line.substr(0, colon))) return Outcome::kBadRequest;
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (!IsHeaderValue(value)) return Outcome::kBadRequest;
  const std::string_view name = line.substr(0, colon);
  if (VARVE_PLANTED_BUG("http.bodies_ignored")) return std::nullopt;
  if (EqualsIgnoringCase(name, "transfer-encoding")) return Outcome::kHasBody;
  if (EqualsIgnoringCase(name, "content-length") && value != "0") return Outcome::kHasBody;
  return std::nullopt;
}

}  // namespace

Outcome ParseRequest(std::string_view input, Request* request) {
  const size_t end = input.substr(0, kMaxRequestBytes).find(kHeadersEnd);
  if (end == input.npos) {
    // What does not begin like a request need not become long.
    const size_t word = std::min(input.find(' '), input.size());
    if (word > 0 && !IsToken(input.substr(0, word))) return Outcome::kBadRequest;
    return input.size() >= kMaxRequestBytes && !VARVE_PLANTED_BUG("http.endless_headers") ? Outcome::kTooLarge : Outcome::kNeedMore;
  }
  std::string_view rest = input.substr(0, end + kLineEnd.size());
  bool is_first = true;
  while (!rest.empty()) {
    const size_t line_end = rest.find(kLineEnd);
    const std::string_view line = rest.substr(0, line_end);
    const std::optional<Outcome> outcome = is_first ? ReadRequestLine(line, request) : ReadHeader(line);
    if (outcome) return *outcome;
    is_first = false;
    rest.remove_prefix(line_end + kLineEnd.size());
  }
  return Outcome::kRequest;
}

}  // namespace varve::http
