// The parser of the HTTP port over any bytes. A request ends where it ends: with less of it more is needed or it is
// refused, with more of it the outcome stays.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/request_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using varve::http::Outcome;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  varve::http::Request request;
  const Outcome outcome = varve::http::ParseRequest(input, &request);
  if (outcome == Outcome::kRequest) {
    if (request.path.empty() || request.path[0] != '/') std::abort();
    if (request.path.data() < input.data() || request.path.data() + request.path.size() > input.data() + size) {
      std::abort();
    }
  }
  if (outcome != Outcome::kNeedMore) {
    varve::http::Request again;
    if (varve::http::ParseRequest(std::string(input) + "x\r\n\r\n", &again) != outcome) std::abort();
  }
  if (size == 0) return 0;
  const Outcome less = varve::http::ParseRequest(input.substr(0, size - 1), &request);
  if (outcome == Outcome::kNeedMore && less != Outcome::kNeedMore) std::abort();
  return 0;
}
