// Requests of HTTP/1.0 and 1.1 that fetch something: GET and HEAD, no body. Strict: what RFC 9112 lets a server
// be lenient about is refused.
#ifndef VARVE_HTTP_REQUEST_PARSER_H_
#define VARVE_HTTP_REQUEST_PARSER_H_

#include <cstddef>
#include <string_view>

namespace varve::http {

inline constexpr size_t kMaxRequestBytes = 8192;  // the line and all headers

struct Request {
  bool is_head = false;
  std::string_view path;  // without what follows a '?'; begins with '/', points into the input
};

enum class Outcome {
  kNeedMore,
  kRequest,
  kBadRequest,        // 400
  kMethodNotAllowed,  // 405: a method of HTTP, but none that fetches
  kHasBody,           // 413
  kTooLarge,          // 431
  kWrongVersion,      // 505
};

// Reads the request that `input` begins with, from its first byte. Stateless: when more is needed, call again with
// more. Headers are checked for their form and for saying that there is a body; the rest of them, Host among
// them, means nothing.
Outcome ParseRequest(std::string_view input, Request* request);

}  // namespace varve::http

#endif  // VARVE_HTTP_REQUEST_PARSER_H_
