// Which part of a value GETRANGE means.
#ifndef VARVE_SERVER_TEXT_RANGE_H_
#define VARVE_SERVER_TEXT_RANGE_H_

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace varve::server {

// From `start` to `end`, both of them in it; below zero they count from the end of `text`.
inline std::string_view TextRange(std::string_view text, int64_t start, int64_t end) {
  const int64_t size = static_cast<int64_t>(text.size());
  const bool is_inverted = start < 0 && end < 0 && start > end;
  if (start < 0) start = std::max<int64_t>(0, size + start);
  if (end < 0) end = std::max<int64_t>(0, size + end);
  end = std::min(end, size - 1);
  if (is_inverted || start > end || size == 0) return {};
  return text.substr(static_cast<size_t>(start), static_cast<size_t>(end - start + 1));
}

}  // namespace varve::server

#endif  // VARVE_SERVER_TEXT_RANGE_H_
