// SyncGroup: many writers share one write or flush of the log, without a timer.
//
// A writer that needs the log to be durable up to its own bytes becomes the leader when there is none,
// and does the work for everybody who has appended by then; the others sleep until the log is durable
// far enough. While a leader works the next group gathers, so the group grows with the load. A leader
// that has just been served together with others first yields the processor to those who are about to
// come back with their next write; it waits for nobody who does not come.
#ifndef VARVE_ENGINE_SYNC_GROUP_H_
#define VARVE_ENGINE_SYNC_GROUP_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/mutex.h"
#include "varve/status.h"

namespace varve {

// Thread-safe.
class SyncGroup {
 public:
  // Makes everything appended so far durable: handed to the operating system, or with `sync` flushed
  // to the device. Returns the log position it has reached, which must cover every append that
  // happened before the call. Called by one thread at a time.
  using Work = std::function<Result<uint64_t>(bool sync)>;

  explicit SyncGroup(Work work) : work_(std::move(work)) {}

  // Returns when the log is durable up to `position`. After a failure every later call for a position
  // not yet durable returns that error: the state of the file is unknown then.
  Status WaitFor(uint64_t position, bool sync) VARVE_EXCLUDES(mu_);

  // Whether WaitFor would return OK at once.
  bool IsDone(uint64_t position, bool sync) const {
    // Acquire: what the leader published before is visible to those it served.
    return (sync ? synced_ : written_).load(std::memory_order_acquire) >= position;
  }

 private:
  // noexcept: a leader that vanished would leave the others waiting for ever. Out of memory ends the process.
  Status Lead(bool sync) noexcept VARVE_EXCLUDES(mu_);
  void Gather();

  const Work work_;
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> synced_{0};
  std::atomic<uint32_t> arrived_{0};     // since the last group was closed
  std::atomic<uint32_t> last_group_{0};  // size of the group closed last
  std::atomic<uint32_t> round_{0};       // grows when a leader has finished

  Mutex mu_;
  bool has_leader_ VARVE_GUARDED_BY(mu_) = false;
  Status failure_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve

#endif  // VARVE_ENGINE_SYNC_GROUP_H_
