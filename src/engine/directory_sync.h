// DirectorySync: makes the names in a store's directory survive loss of power.
#ifndef VARVE_ENGINE_DIRECTORY_SYNC_H_
#define VARVE_ENGINE_DIRECTORY_SYNC_H_

#include <string>

#include "base/mutex.h"
#include "base/planted_bug.h"
#include "env/env.h"

namespace varve {

// Everybody who needs a durable name goes through one of these: after a failure every further call fails,
// whoever makes it, because a sync that is tried again may succeed without the names having reached the
// device. Thread-safe.
class DirectorySync {
 public:
  DirectorySync(Env* env, std::string dir) : env_(env), dir_(std::move(dir)) {}

  Status Sync() VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    if (VARVE_PLANTED_BUG("directory.not_synced")) return Status::Ok();
    if (failure_.ok() || VARVE_PLANTED_BUG("directory.failed_sync_tried_again")) {
      failure_ = env_->SyncDir(dir_);
    }
    return failure_;
  }

 private:
  Env* const env_;
  const std::string dir_;
  Mutex mu_;
  Status failure_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve

#endif  // VARVE_ENGINE_DIRECTORY_SYNC_H_
