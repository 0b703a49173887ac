#include "node/http_client.h"

#include <curl/curl.h>

#include <memory>

#include "base/check.h"

namespace varve::node {

namespace {

constexpr int kPollMillis = 1000;
constexpr size_t kMaxBodyBytes = size_t{64} << 20;

void InitializeOnce() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  VARVE_CHECK(done == CURLE_OK);
}

// Where the answer's bytes go.
struct Sink {
  const HttpRequest* request;
  HttpAnswer* answer;
  bool has_enough = false;
};

size_t TakeData(char* data, size_t, size_t size, void* to) {
  Sink* const sink = static_cast<Sink*>(to);
  if (sink->request->on_data) {
    sink->has_enough = !sink->request->on_data({data, size});
    return sink->has_enough ? 0 : size;
  }
  if (sink->answer->body.size() + size > kMaxBodyBytes) return 0;
  sink->answer->body.append(data, size);
  return size;
}

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

void SetUp(CURL* easy, const HttpRequest& request, const Headers& headers, Sink* sink, char* error) {
  const auto set_path = [easy](CURLoption option, const std::string& path) {
    if (!path.empty()) curl_easy_setopt(easy, option, path.c_str());
  };
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // whatever the environment says
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_millis));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.millis));
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set_path(CURLOPT_CAINFO, request.tls.authorities);
  set_path(CURLOPT_SSLCERT, request.tls.certificate);
  set_path(CURLOPT_SSLKEY, request.tls.key);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, TakeData);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, sink);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
}

}  // namespace

HttpClient::HttpClient() : multi_((InitializeOnce(), curl_multi_init())) { VARVE_CHECK(multi_ != nullptr); }

HttpClient::~HttpClient() { curl_multi_cleanup(static_cast<CURLM*>(multi_)); }

void HttpClient::Cancel() {
  is_cancelled_.store(true, std::memory_order_release);
  curl_multi_wakeup(static_cast<CURLM*>(multi_));
}

HttpAnswer HttpClient::Perform(const HttpRequest& request) {
  HttpAnswer answer;
  Sink sink{&request, &answer};
  char error[CURL_ERROR_SIZE] = "";
  const Easy easy(curl_easy_init(), curl_easy_cleanup);
  // No "Expect", which would make a large request wait.
  Headers headers(curl_slist_append(nullptr, "Expect:"), curl_slist_free_all);
  VARVE_CHECK(easy != nullptr && headers != nullptr);
  curl_slist_append(headers.get(), "Content-Type: application/json");
  for (const std::string& header : request.headers) curl_slist_append(headers.get(), header.c_str());
  SetUp(easy.get(), request, headers, &sink, error);

  CURLM* const multi = static_cast<CURLM*>(multi_);
  curl_multi_add_handle(multi, easy.get());
  CURLcode result = CURLE_OK;
  bool is_done = false;
  while (!is_done && !is_cancelled_.load(std::memory_order_acquire)) {
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      is_done = true;
      result = message->data.result;
    }
    if (!is_done) curl_multi_poll(multi, nullptr, 0, kPollMillis, nullptr);
  }
  long status = 0;
  long request_bytes = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy.get(), CURLINFO_REQUEST_SIZE, &request_bytes);
  curl_multi_remove_handle(multi, easy.get());

  answer.status = static_cast<int>(status);
  answer.is_timeout = result == CURLE_OPERATION_TIMEDOUT;
  if (!is_done) {
    answer.outcome = HttpAnswer::Outcome::kCancelled;
    answer.reason = "cancelled";
  } else if (result == CURLE_OK || sink.has_enough) {
    answer.outcome = HttpAnswer::Outcome::kAnswered;
  } else {
    answer.outcome = request_bytes == 0 ? HttpAnswer::Outcome::kNotSent : HttpAnswer::Outcome::kBroken;
    answer.reason = error[0] != '\0' ? error : curl_easy_strerror(result);
  }
  return answer;
}

}  // namespace varve::node
