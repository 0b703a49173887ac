// What tests of transports share: a handler that collects, awaiting, a raw socket, and a listener that a test plays a
// peer with.
#ifndef VARVE_TESTS_NODE_NODE_FIXTURE_H_
#define VARVE_TESTS_NODE_NODE_FIXTURE_H_

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "node/transport.h"
#include "tests/support/status_matchers.h"

namespace varve::node::test {

// Until others have got so far. False: they never do.
template <typename Condition>
[[nodiscard]] bool Await(const Condition& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

class Collector : public TransportHandler {
 public:
  void OnMessage(const Delivery& delivery) override {
    const std::lock_guard<std::mutex> lock(mu_);
    messages_.emplace_back(delivery.bytes);
    last_ = delivery;
    last_.bytes = {};
  }
  void OnPeerChange(NodeId peer, bool is_reachable, Nanos) override {
    const std::lock_guard<std::mutex> lock(mu_);
    changes_[peer].push_back(is_reachable);
  }
  size_t count() {
    const std::lock_guard<std::mutex> lock(mu_);
    return messages_.size();
  }
  std::vector<std::string> messages() {
    const std::lock_guard<std::mutex> lock(mu_);
    return messages_;
  }
  Delivery last() {
    const std::lock_guard<std::mutex> lock(mu_);
    return last_;
  }
  std::vector<bool> changes(NodeId peer) {
    const std::lock_guard<std::mutex> lock(mu_);
    return changes_[peer];
  }

 private:
  std::mutex mu_;
  std::vector<std::string> messages_;
  Delivery last_;
  std::map<NodeId, std::vector<bool>> changes_;
};

// Collects the lines of a log.
class Lines {
 public:
  void Add(const std::string& line) {
    const std::lock_guard<std::mutex> lock(mu_);
    text_ += line + "\n";
  }
  bool Has(const std::string& part) {
    const std::lock_guard<std::mutex> lock(mu_);
    return text_.find(part) != text_.npos;
  }
  std::string text() {
    const std::lock_guard<std::mutex> lock(mu_);
    return text_;
  }

 private:
  std::mutex mu_;
  std::string text_;
};

// A blocking socket.
class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) {}
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  static RawSocket Connect(uint16_t port) {
    RawSocket made(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address = Loopback(port);
    EXPECT_EQ(::connect(made.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return made;
  }
  ~RawSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  static sockaddr_in Loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }
  // What is there, at least a byte; empty at the end.
  std::string ReadSome() {
    std::string bytes(64 * 1024, '\0');
    const ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return bytes;
  }
  std::string ReadAll() {
    std::string all;
    for (std::string some = ReadSome(); !some.empty(); some = ReadSome()) all += some;
    return all;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Listens on loopback, for a test to play the peer.
class RawListener {
 public:
  explicit RawListener(uint16_t port = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address = RawSocket::Loopback(port);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(fd_, 64), 0);
    socklen_t size = sizeof(address);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~RawListener() { ::close(fd_); }
  uint16_t port() const { return port_; }
  RawSocket Accept() { return RawSocket(::accept(fd_, nullptr, nullptr)); }

 private:
  const int fd_;
  uint16_t port_ = 0;
};

// A port of loopback that nobody has, and that no connection gets by chance: those begin above.
inline uint16_t FreePort() {
  static std::mutex mu;
  const std::lock_guard<std::mutex> lock(mu);
  static Random random(static_cast<uint64_t>(::getpid()) * 1'000'003 + Env::Default()->RandomSeed());
  while (true) {
    const uint16_t port = static_cast<uint16_t>(10'240 + random.Uniform(22'000));
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = RawSocket::Loopback(port);
    const bool is_free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    ::close(fd);
    if (is_free) return port;
  }
}

inline NodeId Id(uint64_t number) { return NodeId{number}; }

// One node.
struct TestNode {
  explicit TestNode(uint64_t number, TransportOptions options = {}) : id(Id(number)) {
    options.identity.node = id;
    if (options.identity.cluster.empty()) options.identity.cluster = "test";
    options.seed = number;
    // Patient, unless the test is about that: a loaded machine may let a thread wait for long.
    const TransportOptions usual;
    for (Nanos TransportOptions::*const time : {&TransportOptions::greeting_timeout, &TransportOptions::suspect_after,
                                               &TransportOptions::idle_timeout, &TransportOptions::connect_timeout}) {
      if (options.*time == usual.*time) options.*time = 600 * kSecond;
    }
    options.least_backoff = std::min(options.least_backoff, 5 * kMilli);
    options.most_backoff = std::min(options.most_backoff, 50 * kMilli);
    options.log = [this](const std::string& line) { lines.Add(line); };
    transport = std::make_unique<Transport>(options, Env::Default(), &collector);
  }
  void Start() { ASSERT_OK(transport->Start()); }
  PeerAddress address() const { return {"127.0.0.1", transport->port()}; }
  void Knows(const TestNode& other) { transport->SetPeer(other.id, other.address()); }
  bool AwaitReach(NodeId peer) {
    return Await([&] { return !transport->UnreachableSince(peer).has_value(); });
  }

  const NodeId id;
  Collector collector;
  Lines lines;
  std::unique_ptr<Transport> transport;
};

}  // namespace varve::node::test

#endif  // VARVE_TESTS_NODE_NODE_FIXTURE_H_
