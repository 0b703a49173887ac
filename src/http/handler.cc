#include "http/handler.h"

#include "base/planted_bug.h"
#include "http/request_parser.h"

namespace varve::http {
namespace {

std::string_view Reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
  }
}

int StatusOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kMethodNotAllowed: return 405;
    case Outcome::kHasBody: return 413;
    case Outcome::kTooLarge: return 431;
    case Outcome::kWrongVersion: return 505;
    default: return 400;
  }
}

Page ErrorPage(int status) {
  return {.status = status, .body = std::string(Reason(status)) + "\n"};
}

class Handler final : public net::ConnectionHandler {
 public:
  explicit Handler(const Pages* pages) : pages_(*pages) {}

  net::Turn OnInput(std::string_view input, std::string* output) override {
    Request request;
    const Outcome outcome = ParseRequest(input, &request);
    if (outcome == Outcome::kNeedMore) return {};
    if (VARVE_PLANTED_BUG("http.anything_is_done") && outcome == Outcome::kMethodNotAllowed) return {};
    if (outcome != Outcome::kRequest) {
      output->append(Answer(ErrorPage(StatusOf(outcome)), /*is_head=*/false));
    } else {
      const auto page = pages_.find(request.path);
      output->append(Answer(page == pages_.end() ? ErrorPage(404) : page->second(), request.is_head));
    }
    return {.consumed = input.size(), .next = net::Turn::Next::kCloseAfterReplies};
  }
  uint64_t lifetime_millis() const override { return kLifetimeMillis; }

 private:
  const Pages& pages_;
};

}  // namespace

std::unique_ptr<net::ConnectionHandler> NewHandler(const Pages* pages) {
  return std::make_unique<Handler>(pages);
}

std::string Answer(const Page& page, bool is_head) {
  std::string bytes = "HTTP/1.1 " + std::to_string(page.status) + " " + std::string(Reason(page.status)) + "\r\n";
  bytes.append("Content-Type: ").append(page.content_type).append("\r\n");
  bytes.append("Content-Length: ").append(std::to_string(page.body.size())).append("\r\n");
  if (page.status == 405) bytes.append("Allow: GET, HEAD\r\n");
  // Nothing here is for other pages' scripts, nor for keeping.
  bytes.append("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
  if (!is_head) bytes.append(page.body);
  return bytes;
}

}  // namespace varve::http
