// HttpClient: requests over HTTP and HTTPS, by libcurl, that can be cancelled, and say whether a request
// may have been received. The one place that knows libcurl.
#ifndef VARVE_NODE_HTTP_CLIENT_H_
#define VARVE_NODE_HTTP_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tls/context.h"

namespace varve::node {

struct HttpRequest {
  std::string url;
  std::string body;                  // sent by POST
  std::vector<std::string> headers;  // "Name: value"
  tls::Files tls;                    // for https; without authorities the system's
  uint64_t connect_millis = 2000;
  uint64_t millis = 5000;  // of the whole
  // Takes the answer's bytes as they come; false: no more are wanted. Without it they are collected.
  std::function<bool(std::string_view)> on_data;
};

struct HttpAnswer {
  enum class Outcome {
    kAnswered,   // whole, or as much as was wanted
    kNotSent,    // nobody has received any of the request
    kBroken,     // it may have been received, and carried out
    kCancelled,  // like kBroken
  };
  Outcome outcome = Outcome::kNotSent;
  int status = 0;  // of HTTP; 0: it did not come so far
  std::string body;
  bool is_timeout = false;  // kNotSent, kBroken: because the time was over
  std::string reason;       // unless kAnswered, for people
};

// Thread-compatible, but for Cancel, which is thread-safe. Each request has a connection of its own: on one
// that was used before, the library may send a request a second time without saying so.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpAnswer Perform(const HttpRequest& request);
  // Ends the request under way, and all later ones.
  void Cancel();

 private:
  void* const multi_;  // CURLM
  std::atomic<bool> is_cancelled_{false};
};

}  // namespace varve::node

#endif  // VARVE_NODE_HTTP_CLIENT_H_
