#include "tests/client/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "resp/request_parser.h"

namespace varve::client {

namespace {

class HandlerSession : public FakeSession {
 public:
  explicit HandlerSession(FakeServer::Handler handler) : handler_(std::move(handler)) {}
  std::optional<std::string> Answer(const Words& request) override { return handler_(request); }

 private:
  const FakeServer::Handler handler_;
};

bool SendAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(done));
  }
  return true;
}

}  // namespace

FakeServer::FakeServer(NewSession new_session, const std::string& unix_path, const std::string& host)
    : new_session_(std::move(new_session)) {
  Listen(unix_path, host);
  if (is_listening()) acceptor_ = std::thread([this] { Accept(); });
}

FakeServer::FakeServer(Handler handler)
    : FakeServer([handler = std::move(handler)] { return std::make_unique<HandlerSession>(handler); }) {}

FakeServer::~FakeServer() {
  if (!is_listening()) return;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mu_);
    for (const int descriptor : connections_) ::shutdown(descriptor, SHUT_RDWR);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  for (const int descriptor : connections_) ::close(descriptor);
}

void FakeServer::Listen(const std::string& unix_path, const std::string& host) {
  sockaddr_storage address{};
  socklen_t size = 0;
  if (!unix_path.empty()) {
    auto& local = reinterpret_cast<sockaddr_un&>(address);
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, unix_path.data(), unix_path.size());
    size = sizeof(local);
    endpoint_.unix_path = unix_path;
  } else if (host.find(':') != host.npos) {
    auto& in = reinterpret_cast<sockaddr_in6&>(address);
    in.sin6_family = AF_INET6;
    ::inet_pton(AF_INET6, host.c_str(), &in.sin6_addr);
    size = sizeof(in);
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(address);
    in.sin_family = AF_INET;
    ::inet_pton(AF_INET, host.c_str(), &in.sin_addr);
    size = sizeof(in);
  }
  const int descriptor = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (descriptor < 0 || ::bind(descriptor, generic, size) != 0 || ::listen(descriptor, 64) != 0) {
    if (descriptor >= 0) ::close(descriptor);
    return;
  }
  listener_ = descriptor;
  if (!unix_path.empty()) return;
  ::getsockname(descriptor, generic, &size);
  endpoint_.host = host;
  endpoint_.port = ntohs(address.ss_family == AF_INET
                             ? reinterpret_cast<sockaddr_in&>(address).sin_port
                             : reinterpret_cast<sockaddr_in6&>(address).sin6_port);
}

void FakeServer::Accept() {
  while (true) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const std::lock_guard lock(mu_);
    connections_.push_back(descriptor);
    threads_.emplace_back([this, descriptor] { Serve(descriptor); });
  }
}

void FakeServer::Serve(int descriptor) {
  const std::unique_ptr<FakeSession> session = new_session_();
  resp::RequestParser parser;
  std::string input;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::recv(descriptor, buffer, sizeof(buffer), 0);
    if (got <= 0) return;
    input.append(buffer, static_cast<size_t>(got));
    while (parser.Parse(input) == resp::RequestParser::Outcome::kRequest) {
      const Words request(parser.args().begin(), parser.args().end());
      input.erase(0, parser.consumed());
      {
        const std::lock_guard lock(mu_);
        requests_.push_back(request);
      }
      const std::optional<std::string> answer = session->Answer(request);
      if (!answer || !SendAll(descriptor, *answer)) {
        ::shutdown(descriptor, SHUT_RDWR);
        return;
      }
    }
    input.erase(0, parser.consumed());
  }
}

std::vector<Words> FakeServer::Requests() {
  const std::lock_guard lock(mu_);
  return requests_;
}

}  // namespace varve::client
