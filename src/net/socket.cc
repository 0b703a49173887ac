#include "net/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace varve::net {

namespace {

constexpr int kKeepAliveSeconds = 300;

template <typename Value>
void SetOption(int fd, int level, int name, Value value) {
  // What a system refuses here it does without.
  static_cast<void>(::setsockopt(fd, level, name, &value, sizeof(value)));
}

std::string Text(const sockaddr_storage& address) {
  char host[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
    return std::string(host) + ":" + std::to_string(ntohs(in.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof(host));
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(in.sin6_port));
  }
  return "?";
}

uint16_t PortOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

bool IsLoopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) == 127;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

Result<Listener> ListenAt(const addrinfo& info, int backlog) {
  Listener listener{.descriptor = Descriptor(
                        ::socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
                    .address = {}};
  const int fd = listener.descriptor.get();
  if (fd < 0) return SocketError("socket");
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (info.ai_family == AF_INET6) SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  sockaddr_storage address{};
  std::memcpy(&address, info.ai_addr, info.ai_addrlen);
  if (::bind(fd, info.ai_addr, info.ai_addrlen) != 0) return SocketError("bind " + Text(address));
  if (::listen(fd, backlog) != 0) return SocketError("listen " + Text(address));
  socklen_t size = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return SocketError("getsockname");
  }
  listener.address = Text(address);
  listener.port = PortOf(address);
  return listener;
}

}  // namespace

void Descriptor::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Status SocketError(const std::string& operation) {
  if (errno == EADDRINUSE) return Status::IoError(operation + ": another server has this address; take another port");
  return Status::IoError(operation + ": " + std::strerror(errno));
}

Result<std::vector<Listener>> ListenTcp(const std::string& host, uint16_t port, int backlog) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                  std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return Status::InvalidArgument("address '" + host + "': " + ::gai_strerror(error));
  std::vector<Listener> listeners;
  Status status;
  for (const addrinfo* info = found; info != nullptr && status.ok(); info = info->ai_next) {
    Result<Listener> listener = ListenAt(*info, backlog);
    if (listener.ok()) {
      listeners.push_back(std::move(*listener));
    } else {
      status = listener.status();
    }
  }
  ::freeaddrinfo(found);
  if (!status.ok()) return status;
  return listeners;
}

Result<Listener> ListenUnix(const std::string& path, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Status::InvalidArgument("the path of a Unix socket has at most " +
                                   std::to_string(sizeof(address.sun_path) - 1) + " bytes: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  struct stat existing {};
  if (::lstat(path.c_str(), &existing) == 0) {
    if (!S_ISSOCK(existing.st_mode)) return Status::InvalidArgument(path + " is no socket");
    Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), generic, sizeof(address)) == 0) {
      return Status::Busy("somebody listens at " + path);
    }
    if (::unlink(path.c_str()) != 0) return SocketError("unlink " + path);
  }
  Listener listener{Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), path};
  const int fd = listener.descriptor.get();
  if (fd < 0) return SocketError("socket");
  if (::bind(fd, generic, sizeof(address)) != 0) return SocketError("bind " + path);
  if (::listen(fd, backlog) != 0) return SocketError("listen " + path);
  return listener;
}

Result<Descriptor> Accept(const Listener& listener) {
  while (true) {
    const int fd = ::accept4(listener.descriptor.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return Descriptor(fd);
    switch (errno) {
      case EINTR: case ECONNABORTED: case EPROTO: continue;
      case EAGAIN: return Status::NotFound();
      case EMFILE: case ENFILE: case ENOBUFS: case ENOMEM: return Descriptor();
      default: return SocketError("accept " + listener.address);
    }
  }
}

void Prepare(const Listener& listener, const Descriptor& descriptor, Peer* peer) {
  peer->descriptor = descriptor.get();
  peer->service = listener.service;
  if (listener.port == 0) {
    peer->address = peer->local_address = listener.address + ":0";
    peer->is_local = true;
    return;
  }
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getpeername(descriptor.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    peer->address = Text(address);
    peer->is_local = IsLoopback(address);
  }
  size = sizeof(address);
  if (::getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    peer->local_address = Text(address);
  }
  SetOption(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  // Who has vanished without a word is found out after ten minutes at most.
  SetOption(descriptor.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(descriptor.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
  SetOption(descriptor.get(), IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveSeconds / 3);
  SetOption(descriptor.get(), IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace varve::net
