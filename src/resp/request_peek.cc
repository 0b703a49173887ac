#include "resp/request_peek.h"

#include "base/planted_bug.h"

namespace varve::resp {

namespace {

// Larger numbers are not for a glance; these cannot overflow.
constexpr size_t kMaxDigits = 9;
constexpr size_t kMaxArguments = 16;

// "<type><digits>\r\n" at *at: moves behind it.
bool TakeNumber(std::string_view input, char type, size_t* at, size_t* number) {
  size_t i = *at;
  if (i >= input.size() || input[i] != type) return false;
  const size_t first = ++i;
  *number = 0;
  for (; i < input.size() && input[i] >= '0' && input[i] <= '9'; ++i) {
    if (i - first == kMaxDigits) return false;
    *number = *number * 10 + static_cast<size_t>(input[i] - '0');
  }
  if (i == first || input.size() - i < 2 || input[i] != '\r') return false;
  *at = i + 2;
  return true;
}

bool TakeBulk(std::string_view input, size_t* at, std::string_view* bulk) {
  size_t bytes = 0;
  if (!TakeNumber(input, '$', at, &bytes)) return false;
  if (input.size() - *at < bytes + 2 && !VARVE_PLANTED_BUG("resp.peek_takes_half_a_request")) return false;
  *bulk = input.substr(*at, bytes);
  *at += bytes + 2;
  return true;
}

bool TakeRequest(std::string_view input, size_t* at, PeekedRequest* request) {
  size_t count = 0;
  if (!TakeNumber(input, '*', at, &count) || count < 2 || count > kMaxArguments) return false;
  if (!TakeBulk(input, at, &request->name) || !TakeBulk(input, at, &request->argument)) return false;
  for (std::string_view rest; count > 2; --count) {
    if (!TakeBulk(input, at, &rest)) return false;
  }
  return true;
}

}  // namespace

size_t PeekRequests(std::string_view input, std::span<PeekedRequest> requests, size_t* size) {
  *size = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    size_t at = *size;
    if (!TakeRequest(input, &at, &requests[i])) return i;
    *size = at;
  }
  return requests.size();
}

}  // namespace varve::resp
