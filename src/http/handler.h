// Pages over HTTP, one request a connection, in an event loop.
#ifndef VARVE_HTTP_HANDLER_H_
#define VARVE_HTTP_HANDLER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "net/handler.h"

namespace varve::http {

struct Page {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Makes the page of each path, "/metrics". Called in the loops' threads, several at a time, so a page should not take
// long to make.
using Pages = std::map<std::string, std::function<Page()>, std::less<>>;

// The longest time from the connection's begin to its end.
inline constexpr uint64_t kLifetimeMillis = 10'000;

// Answers one request. `pages` must outlive the result.
std::unique_ptr<net::ConnectionHandler> NewHandler(const Pages* pages);

// The bytes of an answer, after which the connection ends. With `is_head` those of GET without the body.
std::string Answer(const Page& page, bool is_head);

}  // namespace varve::http

#endif  // VARVE_HTTP_HANDLER_H_
