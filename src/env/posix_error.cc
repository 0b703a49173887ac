#include "env/posix_error.h"

#include <cerrno>
#include <cstring>

namespace varve {
namespace {

std::string Reason(int error) {
  if (error == ENOSPC) return "no space left on the device (ENOSPC)";
  if (error == EDQUOT) return "no space left in the disk quota (EDQUOT)";
  char buffer[128];
  return strerror_r(error, buffer, sizeof(buffer));
}

Status FromReason(int error, std::string message) {
  message += Reason(error);
  return Status(error == ENOENT ? StatusCode::kNotFound : StatusCode::kIoError, std::move(message));
}

}  // namespace

Status ErrnoStatus(std::string_view operation, const std::string& path, int error) {
  return FromReason(error, std::string(operation) + " " + path + ": ");
}

Status ErrnoStatusAt(std::string_view operation, const std::string& path, uint64_t offset,
                     int error) {
  return FromReason(
      error, std::string(operation) + " " + path + " at offset " + std::to_string(offset) + ": ");
}

}  // namespace varve
