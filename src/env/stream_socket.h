// StreamSocket: the client's end of a connection, by TCP or a Unix socket, with time limits.
//
// Waiting is separate from reading and writing, so that one thread can drive many connections.
#ifndef VARVE_ENV_STREAM_SOCKET_H_
#define VARVE_ENV_STREAM_SOCKET_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/status.h"

namespace varve {

// Owns a descriptor that does not block. Movable. Thread-compatible.
class StreamSocket {
 public:
  // Takes over a connected descriptor.
  explicit StreamSocket(int descriptor) : descriptor_(descriptor) {}
  StreamSocket(StreamSocket&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  StreamSocket& operator=(StreamSocket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~StreamSocket();

  // Tries every address that `host` stands for, IPv6 and IPv4, until one answers; `timeout_nanos` is for
  // each. kNotFound: there is no such host; kTimedOut; kUnavailable: refused, or unreachable.
  static Result<StreamSocket> ConnectTcp(const std::string& host, uint16_t port,
                                         uint64_t timeout_nanos);
  // kUnavailable when nobody listens there; kInvalidArgument when the path is too long.
  static Result<StreamSocket> ConnectUnix(const std::string& path);

  // What is there, up to `size` bytes. std::nullopt: nothing yet. 0: the peer has closed.
  // kUnavailable: the connection is broken.
  Result<std::optional<size_t>> Read(char* buffer, size_t size);
  // Takes what fits and returns how many bytes that were, 0 too. No SIGPIPE. kUnavailable as above.
  Result<size_t> Write(std::string_view bytes);

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// What one socket waits for, and what has come of it.
struct SocketWait {
  const StreamSocket* socket = nullptr;
  bool wants_to_write = false;  // reading is always waited for
  bool can_read = false;        // also when the connection is broken: a read then says so
  bool can_write = false;
};

// Waits until one of them is ready, at most `timeout_nanos`; returns how many are. A signal ends it early.
Result<size_t> WaitForSockets(std::vector<SocketWait>* waits, uint64_t timeout_nanos);

}  // namespace varve

#endif  // VARVE_ENV_STREAM_SOCKET_H_
