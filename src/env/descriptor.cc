#include "env/descriptor.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "env/posix_error.h"

namespace varve {

namespace {

std::string NameOf(int descriptor) { return "descriptor " + std::to_string(descriptor); }

}  // namespace

Status WriteDescriptor(int descriptor, std::string_view bytes) {
  bool is_socket = true;
  while (!bytes.empty()) {
    const ssize_t done = is_socket ? ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                                   : ::write(descriptor, bytes.data(), bytes.size());
    if (done >= 0) {
      bytes.remove_prefix(static_cast<size_t>(done));
    } else if (is_socket && errno == ENOTSOCK) {
      is_socket = false;
    } else if (errno != EINTR) {
      return ErrnoStatus("write", NameOf(descriptor), errno);
    }
  }
  return Status::Ok();
}

Result<size_t> ReadDescriptor(int descriptor, char* buffer, size_t size) {
  while (true) {
    const ssize_t got = ::read(descriptor, buffer, size);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return ErrnoStatus("read", NameOf(descriptor), errno);
  }
}

}  // namespace varve
