// errno as a Status. CrashEnv uses the same words, so that tests see what users see.
#ifndef VARVE_ENV_POSIX_ERROR_H_
#define VARVE_ENV_POSIX_ERROR_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "varve/status.h"

namespace varve {

// "<operation> <path>: <reason>". ENOENT is kNotFound, everything else kIoError. The reason of
// ENOSPC and EDQUOT starts with "no space".
Status ErrnoStatus(std::string_view operation, const std::string& path, int error);

// The same with " at offset <offset>" after the path.
Status ErrnoStatusAt(std::string_view operation, const std::string& path, uint64_t offset,
                     int error);

}  // namespace varve

#endif  // VARVE_ENV_POSIX_ERROR_H_
