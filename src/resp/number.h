// Integers as the protocol writes them.
#ifndef VARVE_RESP_NUMBER_H_
#define VARVE_RESP_NUMBER_H_

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace varve::resp {

// The number that `text` is in the one way of writing it: an optional '-', digits without a leading zero,
// nothing else; no "-0". std::nullopt otherwise, and when it does not fit.
inline std::optional<int64_t> ParseInteger(std::string_view text) {
  if (text.empty() || text.size() > 20) return std::nullopt;
  const std::string_view digits = text[0] == '-' ? text.substr(1) : text;
  if (digits.empty()) return std::nullopt;
  if (digits[0] == '0' && text.size() > 1) return std::nullopt;
  if (digits[0] < '0' || digits[0] > '9') return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace varve::resp

#endif  // VARVE_RESP_NUMBER_H_
