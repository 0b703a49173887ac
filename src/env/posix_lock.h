// Exclusive locks on files, among processes and within this one.
#ifndef VARVE_ENV_POSIX_LOCK_H_
#define VARVE_ENV_POSIX_LOCK_H_

#include <memory>
#include <string>

#include "env/env.h"

namespace varve {

// Creates `path` when missing, locks it and notes this process's id in it, for the message that
// others get. kBusy when it is held. The lock belongs to the open file: the end of the process
// releases it, and nobody need clean up.
Result<std::unique_ptr<FileLock>> LockPosixFile(const std::string& path);

}  // namespace varve

#endif  // VARVE_ENV_POSIX_LOCK_H_
