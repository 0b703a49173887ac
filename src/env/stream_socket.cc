#include "env/stream_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/time_units.h"

namespace varve {

namespace {


Status Unavailable(std::string_view what, int error) {
  return Status::Unavailable(std::string(what) + ": " + std::strerror(error));
}

timespec ToTimespec(uint64_t nanos) {
  timespec time{};
  time.tv_sec = static_cast<time_t>(nanos / kNanosPerSecond);
  time.tv_nsec = static_cast<long>(nanos % kNanosPerSecond);
  return time;
}

// Waits for the end of a connect that is under way.
Status AwaitConnect(int descriptor, uint64_t timeout_nanos) {
  pollfd wait{.fd = descriptor, .events = POLLOUT, .revents = 0};
  const timespec timeout = ToTimespec(timeout_nanos);
  int ready = 0;
  do {
    ready = ::ppoll(&wait, 1, &timeout, nullptr);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return Unavailable("poll", errno);
  if (ready == 0) return Status::TimedOut("no answer");
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? Status::Ok() : Status::Unavailable(std::strerror(error));
}

Status ConnectTo(int descriptor, const sockaddr* address, socklen_t size, uint64_t timeout_nanos) {
  if (::connect(descriptor, address, size) == 0) return Status::Ok();
  // A Unix socket whose queue is full says EAGAIN, and is not under way.
  if (errno == EINPROGRESS || errno == EINTR) return AwaitConnect(descriptor, timeout_nanos);
  return Status::Unavailable(std::strerror(errno));
}

Result<StreamSocket> ConnectAt(const addrinfo& info, uint64_t timeout_nanos) {
  const int type = info.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
  StreamSocket socket(::socket(info.ai_family, type, info.ai_protocol));
  if (socket.descriptor() < 0) return Unavailable("socket", errno);
  const Status status = ConnectTo(socket.descriptor(), info.ai_addr, info.ai_addrlen, timeout_nanos);
  if (!status.ok()) return status;
  const int on = 1;
  static_cast<void>(::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
  return socket;
}

}  // namespace

StreamSocket::~StreamSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<StreamSocket> StreamSocket::ConnectTcp(const std::string& host, uint16_t port,
                                              uint64_t timeout_nanos) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    const std::string message = "host '" + host + "': " + ::gai_strerror(error);
    return error == EAI_AGAIN ? Status::Unavailable(message) : Status::NotFound(message);
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Status status;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Result<StreamSocket> socket = ConnectAt(*info, timeout_nanos);
    if (socket.ok()) return socket;
    status = socket.status();
  }
  return status;
}

Result<StreamSocket> StreamSocket::ConnectUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Status::InvalidArgument("the path of a Unix socket has at most " +
                                   std::to_string(sizeof(address.sun_path) - 1) + " bytes: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  StreamSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.descriptor() < 0) return Unavailable("socket", errno);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const Status status = ConnectTo(socket.descriptor(), generic, sizeof(address), 0);
  if (!status.ok()) return status;
  return socket;
}

Result<std::optional<size_t>> StreamSocket::Read(char* buffer, size_t size) {
  while (true) {
    const ssize_t got = ::recv(descriptor_, buffer, size, 0);
    if (got >= 0) return std::optional<size_t>(static_cast<size_t>(got));
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<size_t>();
    if (errno != EINTR) return Unavailable("the connection is broken", errno);
  }
}

Result<size_t> StreamSocket::Write(std::string_view bytes) {
  while (true) {
    const ssize_t done = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done >= 0) return static_cast<size_t>(done);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return size_t{0};
    if (errno != EINTR) return Unavailable("the connection is broken", errno);
  }
}

Result<size_t> WaitForSockets(std::vector<SocketWait>* waits, uint64_t timeout_nanos) {
  std::vector<pollfd> polled;
  polled.reserve(waits->size());
  for (const SocketWait& wait : *waits) {
    const int events = POLLIN | (wait.wants_to_write ? POLLOUT : 0);
    polled.push_back({.fd = wait.socket->descriptor(), .events = static_cast<short>(events), .revents = 0});
  }
  const timespec timeout = ToTimespec(timeout_nanos);
  const int ready = ::ppoll(polled.data(), polled.size(), &timeout, nullptr);
  if (ready < 0 && errno != EINTR) return Unavailable("poll", errno);
  for (size_t i = 0; i < polled.size(); ++i) {
    const int events = ready > 0 ? polled[i].revents : 0;
    (*waits)[i].can_read = (events & (POLLIN | POLLHUP | POLLERR)) != 0;
    (*waits)[i].can_write = (events & (POLLOUT | POLLERR)) != 0;
  }
  return static_cast<size_t>(ready > 0 ? ready : 0);
}

}  // namespace varve
