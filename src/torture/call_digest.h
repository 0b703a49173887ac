// What was asked of a CrashEnv, in one number: equal where the same calls came in the same order with the same data.
#ifndef VARVE_TORTURE_CALL_DIGEST_H_
#define VARVE_TORTURE_CALL_DIGEST_H_

#include <cstdint>

#include "base/hash.h"
#include "base/mutex.h"
#include "env/crash_faults.h"

namespace varve::torture {

// Thread-safe.
class CallDigest {
 public:
  void Add(const CallInfo& call) VARVE_EXCLUDES(mu_) {
    const uint64_t numbers[] = {static_cast<uint64_t>(call.kind), call.offset, call.size, Hash64(call.path),
                                Hash64(call.to), Hash64(call.data)};
    const MutexLock lock(&mu_);
    value_ = Hash64({reinterpret_cast<const char*>(numbers), sizeof(numbers)}, value_);
  }
  uint64_t value() const VARVE_EXCLUDES(mu_) {
    const MutexLock lock(&mu_);
    return value_;
  }

 private:
  mutable Mutex mu_;
  uint64_t value_ VARVE_GUARDED_BY(mu_) = 0;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_CALL_DIGEST_H_
