// Sockets: addresses, listening, and a descriptor that closes itself.
#ifndef VARVE_NET_SOCKET_H_
#define VARVE_NET_SOCKET_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "net/handler.h"
#include "varve/status.h"

namespace varve::net {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void Close();
  // Gives the descriptor away.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// kIoError: "`operation`: <what errno says>".
Status SocketError(const std::string& operation);

struct Listener {
  Descriptor descriptor;
  std::string address;  // "127.0.0.1:6379", "[::1]:6379", a path
  uint16_t port = 0;    // of TCP: the one that was given, if 0 was asked for
  int service = 0;
};

// Listens at all addresses that `host` stands for. An IPv6 socket takes no IPv4.
Result<std::vector<Listener>> ListenTcp(const std::string& host, uint16_t port, int backlog);
// A socket file that a dead process left behind is replaced; one that somebody listens at is kBusy.
Result<Listener> ListenUnix(const std::string& path, int backlog);

// Without a descriptor that is open, out of descriptors or memory; kNotFound when nobody waits.
Result<Descriptor> Accept(const Listener& listener);
// Fills in addresses, and sets what a connection of this kind wants (no delay, keep-alive).
void Prepare(const Listener& listener, const Descriptor& descriptor, Peer* peer);

}  // namespace varve::net

#endif  // VARVE_NET_SOCKET_H_
