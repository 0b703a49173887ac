// Reading and writing a descriptor that somebody else has opened, in order: a pipe, a socket, a file.
#ifndef VARVE_ENV_DESCRIPTOR_H_
#define VARVE_ENV_DESCRIPTOR_H_

#include <cstddef>
#include <string_view>

#include "varve/status.h"

namespace varve {

// Writes all of `bytes`, over EINTR and partial writes. No SIGPIPE from a socket.
Status WriteDescriptor(int descriptor, std::string_view bytes);
// Reads up to `size` bytes and returns how many; 0 at the end.
Result<size_t> ReadDescriptor(int descriptor, char* buffer, size_t size);

}  // namespace varve

#endif  // VARVE_ENV_DESCRIPTOR_H_
