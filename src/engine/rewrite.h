// RewriteAndSync: makes what an earlier process has written survive loss of power.
#ifndef VARVE_ENGINE_REWRITE_H_
#define VARVE_ENGINE_REWRITE_H_

#include <string>

#include "env/env.h"

namespace varve {

// Writes the bytes [from, end of file) of `path` again, as they are, and syncs the file. A sync alone would
// not do: an earlier process may have met a failed one, after which the system holds pages that it
// takes for clean and that never reached the device.
Status RewriteAndSync(Env* env, const std::string& path, uint64_t from);

// Makes the bytes [from, end of file) of `path` zeros, durably. Only pages that hold something else are
// written, so that a full disk does not matter.
Status ZeroTail(Env* env, const std::string& path, uint64_t from);

// What RewriteAndSync is for bytes, for the name of `path`: gives the file another name and its own back, so that a SyncDir has
// something to do. A crash between the two is undone by RestoreNames.
Status RenewName(Env* env, const std::string& path);
Status RestoreNames(Env* env, const std::string& dir);

}  // namespace varve

#endif  // VARVE_ENGINE_REWRITE_H_
