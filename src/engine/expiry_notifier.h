// ExpiryNotifier: tells a listener which keys expire, as they do.
//
// A thread looks every kTickMicros for deadlines between the last look and now, in one super version:
//
//   memtables   a timing wheel each, of references to entries, 16 bytes each. Writers note what they add
//               (expiry_notes.h); the thread takes the notes over
//   segments    the deadlines of a segment in order, 8 bytes each, and the keys of the near ones
//               (segment_deadlines.h). Made while the segment is written; of others, when first met
//
// A due entry is told of when it is still the newest version of its key. Since every look covers its stretch
// of time in all memtables and segments of one super version, an entry may move from one to the next between
// two looks. Merges keep what has not been told: expired_until().
//
// A look reads the time, then the notes under the commit lock, then the super version. So what a writer
// committed while the store's time was before a deadline is there when the deadline is looked at.
#ifndef VARVE_ENGINE_EXPIRY_NOTIFIER_H_
#define VARVE_ENGINE_EXPIRY_NOTIFIER_H_

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/planted_bug.h"
#include "base/timing_wheel.h"
#include "engine/expiry_notes.h"
#include "engine/memtable.h"
#include "engine/segment_deadlines.h"
#include "engine/store_clock.h"
#include "engine/super_version.h"
#include "env/env.h"
#include "varve/expiry_listener.h"

namespace varve {

// An entry that is due.
struct DueKey {
  std::string_view key;  // stored key
  SequenceNumber sequence = 0;
  uint64_t deadline = 0;
  size_t run_count = 0;  // something newer could only be in a memtable, or in the youngest so many runs
  uint64_t hash = 0;     // for who looks it up
  bool is_superseded = false;
};

// What the notifier needs of the store. Called by its thread.
struct ExpirySource {
  // ExpiryNotes::Take, under the commit lock.
  std::function<ExpiryNotes::Taken(uint64_t now)> take_notes;
  std::function<std::shared_ptr<SuperVersion>()> current;
  // Finds out which keys have something newer, visible or not: another version, or a range delete.
  std::function<void(SuperVersion* super, std::span<DueKey> keys)> check;
  // What users call it; `*buffer` may be used. False: it is no key of theirs.
  std::function<bool(const DueKey& due, std::string* buffer, ExpiredKey* expired)> name;
  // The notifier takes so much more memory.
  std::function<void(int64_t bytes)> charge;
};

// HoldBack, Start and Stop by one thread at a time; the rest is thread-safe.
class ExpiryNotifier {
 public:
  // `max_loaded_bytes`: for keys that are read ahead.
  ExpiryNotifier(Env* env, StoreClock* clock, size_t max_loaded_bytes, ExpirySource source)
      : env_(env), clock_(clock), max_loaded_bytes_(max_loaded_bytes), source_(std::move(source)) {}
  ~ExpiryNotifier() { Stop(); }
  ExpiryNotifier(const ExpiryNotifier&) = delete;
  ExpiryNotifier& operator=(const ExpiryNotifier&) = delete;

  // From now on merges keep what expires.
  void HoldBack();
  // Begins to tell of what expires after `now`. REQUIRES: HoldBack, then ExpiryNotes::TurnOn(..., now).
  // kUnavailable when there is no thread; it is as stopped then.
  Status Start(ExpiryListener listener, uint64_t now) VARVE_EXCLUDES(mu_);
  // Returns when the listener is not running and will not be called again. REQUIRES: not in its thread.
  void Stop() VARVE_EXCLUDES(mu_);

  bool is_on() const { return is_on_.load(std::memory_order_seq_cst); }
  // Entries with a deadline up to here need not be kept for the listener. A caller who passes over
  // entries that have expired at a time must have read that time before.
  uint64_t expired_until() const {
    if (VARVE_PLANTED_BUG("expiry.merges_do_not_wait")) return ~uint64_t{0};
    return is_on() ? told_until_.load(std::memory_order_acquire) : ~uint64_t{0};
  }
  // Whether the calling thread is the one that calls the listener.
  bool IsCallingThread() const;

 private:
  static constexpr uint64_t kTickMicros = 20'000;
  static constexpr size_t kBatch = 32;  // keys that are looked up together
  // Keys are read ahead for this long at most.
  static constexpr uint64_t kMaxAheadMillis = 16'384;
  // A look that reads ahead stops after so long, and the next one goes on.
  static constexpr uint64_t kMaxAheadNanos = 8'000'000;
  static constexpr size_t kReadsAtOnce = 4;
  // Due keys of a segment that are loaded in one go, and from how many on that is worth it.
  static constexpr size_t kLoadAtOnce = size_t{1} << 16;
  static constexpr size_t kMinLoad = 8;

  using Wheel = TimingWheel<const MemTableRecord*>;
  struct SegmentPart {
    SegmentDeadlines deadlines;
    bool is_used = true;  // by the version looked at
  };

  static void EmptyBoxes(const SuperVersion& super);
  void Loop() VARVE_EXCLUDES(mu_);
  void Look();
  bool IsStopping() const { return is_stopping_.load(std::memory_order_relaxed); }

  // --- Memtables.
  static bool IsPresent(const SuperVersion& super, uint64_t log_number);
  Wheel& WheelOf(uint64_t log_number);
  void TakeIn(const SuperVersion& super, const ExpiryNotes::Taken& notes);
  void SearchMemTable(const MemTableSlot& slot, SequenceNumber until);
  void LookIntoMemTables(SuperVersion* super, uint64_t now);

  // --- Segments.
  SegmentPart* PartOf(const SegmentSlice& slice);
  void LookIntoSegment(SuperVersion* super, size_t run, const SegmentSlice& slice, uint64_t now,
                       SegmentPart* part);
  void LookIntoSegments(SuperVersion* super, uint64_t now);
  // Loads the keys that are due next.
  void LoadAhead(const SuperVersion& super, uint64_t now);
  // False when the time for it is over.
  bool LoadAheadOf(const SegmentSlice& slice, uint64_t now, uint64_t ahead, uint64_t begin,
                   SegmentDeadlines* deadlines);
  // For how long after `now` there is memory for the keys.
  uint64_t AheadMillis(uint64_t now) const;
  void ChargeMemory();

  // --- Telling.
  // Copies the key unless it `is_stable`: there until the batch is done.
  void AddDue(SuperVersion* super, DueKey due, bool is_stable);
  void TellBatch(SuperVersion* super);

  Env* const env_;
  StoreClock* const clock_;
  const size_t max_loaded_bytes_;
  const ExpirySource source_;
  std::atomic<bool> is_on_{false};
  std::atomic<uint64_t> told_until_{0};
  std::atomic<bool> is_stopping_{false};  // cuts a look short

  // Of the thread while it runs.
  ExpiryListener listener_;
  uint64_t looked_until_ = 0;
  uint64_t ahead_checked_ = 0;                    // when the reading ahead was last complete
  std::map<uint64_t, Wheel> wheels_;              // by log number of the memtable
  std::map<uint64_t, SegmentPart> segments_;      // by file number
  std::array<DueKey, kBatch> batch_;
  std::array<std::string, kBatch> batch_keys_;
  size_t batch_count_ = 0;
  size_t charged_bytes_ = 0;

  Mutex mu_;
  CondVar wake_;
  bool stop_ VARVE_GUARDED_BY(mu_) = false;
  std::unique_ptr<Thread> thread_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_EXPIRY_NOTIFIER_H_
