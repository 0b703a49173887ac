// Scrubber: verification in small steps, of a store that is in use. ScrubThread takes the steps, paced.
//
// Nothing is pinned but the one segment that is being read. A merge may take it out of the version
// meanwhile, and remove the large values that it points to: what is found in a segment that has left the
// version by then is no finding.
#ifndef VARVE_ENGINE_SCRUBBER_H_
#define VARVE_ENGINE_SCRUBBER_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "engine/segment_checker.h"
#include "engine/value_log_set.h"
#include "engine/version.h"
#include "env/env.h"
#include "varve/scrub.h"

namespace varve {

// What a scrub needs of its store. All of it thread-safe, and alive until the scrub has ended.
struct ScrubSource {
  Env* env = nullptr;
  uint64_t hash_salt = 0;
  ValueLogSet* values = nullptr;
  std::function<std::shared_ptr<const Version>()> current;
  std::function<Status(uint64_t* bytes)> check_manifest;
  std::function<NamespaceNames()> names;
  std::function<void(std::string_view)> note_event;
};

// When the next read may begin, at a rate. A pause that was too long is not made up for. Thread-compatible.
class ScrubPacer {
 public:
  explicit ScrubPacer(uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}
  // `bytes` were read, and it is `now` (nanoseconds, monotonic): returns when to go on.
  uint64_t Note(uint64_t bytes, uint64_t now);

 private:
  const uint64_t bytes_per_second_;
  uint64_t due_ = 0;
};

// One thread calls Step; state() may be called from any.
class Scrubber {
 public:
  explicit Scrubber(ScrubSource source) : source_(std::move(source)) {}

  // Reads and checks the next piece: the manifest, a block, or a large value. False when that ended a pass;
  // the next call begins another. `*bytes`: what was read.
  bool Step(uint64_t* bytes) VARVE_EXCLUDES(mu_);
  // Lets go of the segment that is being read.
  void Abandon();

  ScrubState state() VARVE_EXCLUDES(mu_);
  void SetRunning(bool is_running) VARVE_EXCLUDES(mu_);

 private:
  static constexpr size_t kMaxFindings = 1000;
  struct Pointed {
    std::string key;
    ValuePointer pointer;
  };

  void BeginPass(uint64_t* bytes) VARVE_EXCLUDES(mu_);
  void EndPass() VARVE_EXCLUDES(mu_);
  // False when there is no segment left.
  bool BeginSegment() VARVE_EXCLUDES(mu_);
  void CheckValue(uint64_t* bytes);
  std::shared_ptr<SegmentReader> FindInVersion(uint64_t number) const;
  // Damage that was met in the segment counts while it is part of the store.
  void Judge(Damage damage) VARVE_EXCLUDES(mu_);
  void Report(const Damage& damage) VARVE_EXCLUDES(mu_);
  void Vanished() VARVE_EXCLUDES(mu_);

  const ScrubSource source_;
  bool is_in_pass_ = false;
  std::deque<uint64_t> segments_;  // file numbers still to be read
  std::shared_ptr<SegmentReader> segment_;
  std::unique_ptr<SegmentChecker> checker_;
  bool segment_is_read_ = false;
  bool has_vanished_ = false;
  std::deque<Pointed> values_;
  std::string buffer_;

  Mutex mu_;
  ScrubState state_ VARVE_GUARDED_BY(mu_);  // without the findings
  struct Finding {
    ScrubFinding finding;
    uint64_t pass = 0;  // the last that met it
  };
  std::map<std::pair<std::string, uint64_t>, Finding> findings_ VARVE_GUARDED_BY(mu_);
};

// Runs a scrubber in a thread of its own until it is destroyed. Thread-safe.
class ScrubThread {
 public:
  ScrubThread(ScrubSource source, const ScrubOptions& options);
  ~ScrubThread() { Stop(); }

  // kUnavailable when there is no thread.
  Status Start();
  // Waits for the read it is at.
  void Stop() VARVE_EXCLUDES(mu_);
  ScrubState state() { return scrubber_.state(); }

 private:
  // How long a wait lasts before the clock is looked at again.
  static constexpr uint64_t kLookMicros = 100'000;

  void Loop();
  // False when the scrub is to end.
  bool WaitUntil(uint64_t nanos) VARVE_EXCLUDES(mu_);

  Env* const env_;
  const ScrubOptions options_;
  Scrubber scrubber_;
  Mutex mu_;
  CondVar wake_;
  bool stop_ VARVE_GUARDED_BY(mu_) = false;
  std::unique_ptr<Thread> thread_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_SCRUBBER_H_
