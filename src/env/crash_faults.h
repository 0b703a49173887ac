// Counting the calls that a CrashEnv receives, and choosing those that fail.
#ifndef VARVE_ENV_CRASH_FAULTS_H_
#define VARVE_ENV_CRASH_FAULTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "varve/status.h"

namespace varve {

// Every call that may fail is of one kind. Hints, FileExists, the clock, threads and memory cannot
// fail and are not counted.
enum class CallKind : uint8_t {
  kOpenRead,   // OpenRandomAccess
  kOpenWrite,  // OpenWritable, OpenMapped
  kRead,
  kStat,  // Size, FileSize, FreeSpace
  kList,
  kWrite,
  kAllocate,
  kPopulate,
  kTruncate,
  kSync,
  kSyncDir,
  kClose,  // of writable and mapped files, also by their destructors
  kRename,
  kLink,
  kRemove,  // RemoveFile, RemoveDir
  kCreateDir,
  kLock,
};
inline constexpr size_t kCallKindCount = 17;

// "sync", "rename" ...
std::string_view CallKindName(CallKind kind);

// One call, as the hook sees it before it takes place.
struct CallInfo {
  uint64_t index = 0;  // the first call has 1; set by the environment
  CallKind kind;
  std::string path;
  std::string to;  // kRename and kLink: the second name
  uint64_t offset = 0;
  uint64_t size = 0;      // of the range; of the file for kTruncate
  std::string_view data;  // kWrite: what will be written, valid during the hook
};

// Which calls are meant. By default all.
struct CallFilter {
  std::vector<CallKind> kinds;  // empty: every kind
  std::string path_contains;    // of either name

  bool Matches(const CallInfo& call) const;

  // Calls that leave everything as it is: open for reading, read, stat, list.
  static CallFilter Reads();
  // All others.
  static CallFilter Changes();
};

// How a call fails. Unless said otherwise it returns an error and changes nothing.
enum class Fault : uint8_t {
  kNone,
  kEio,         // a file that fails to close is closed all the same; a mapped one is then not cut
  kNoSpace,     // the error says "no space"
  kShortWrite,  // a write stores a random part from its front; other calls: as kEio
  // A sync leaves a random part of the unsynced state durable. Of the rest a later sync that
  // succeeds makes durable only what was changed again meanwhile, like a kernel that has marked the
  // pages clean. Other calls: as kEio.
  kFailedSync,
};
enum class FaultSpan : uint8_t { kOnce, kForever };

// Thread-safe.
class FaultInjector {
 public:
  using Hook = std::function<void(const CallInfo&)>;

  // The `nth` call from now that `filter` matches (1: the next) fails, and with kForever all later
  // ones too. Several requests may be pending; the oldest that applies wins.
  void FailCall(uint64_t nth, Fault fault, FaultSpan span, CallFilter filter) VARVE_EXCLUDES(mu_);
  void ClearFaults() VARVE_EXCLUDES(mu_);
  void SetHook(Hook hook) VARVE_EXCLUDES(mu_);

  uint64_t call_count() const VARVE_EXCLUDES(mu_);
  uint64_t call_count(CallKind kind) const VARVE_EXCLUDES(mu_);
  uint64_t fault_count() const VARVE_EXCLUDES(mu_);

  // Counts the call, runs the hook and says how the call shall fail.
  Fault Enter(CallInfo call) VARVE_EXCLUDES(mu_);

 private:
  struct Request {
    uint64_t matches_left;  // the call that takes it to 0 fails
    Fault fault;
    FaultSpan span;
    CallFilter filter;
  };
  Fault Decide(const CallInfo& call) VARVE_REQUIRES(mu_);

  mutable Mutex mu_;
  std::vector<Request> requests_ VARVE_GUARDED_BY(mu_);
  std::shared_ptr<const Hook> hook_ VARVE_GUARDED_BY(mu_);
  std::array<uint64_t, kCallKindCount> counts_ VARVE_GUARDED_BY(mu_) = {};
  uint64_t call_count_ VARVE_GUARDED_BY(mu_) = 0;
  uint64_t fault_count_ VARVE_GUARDED_BY(mu_) = 0;
};

}  // namespace varve

#endif  // VARVE_ENV_CRASH_FAULTS_H_
