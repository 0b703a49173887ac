// CommandStats: how often each command was called, refused and failed, and how long it took.
#ifndef VARVE_SERVER_COMMAND_STATS_H_
#define VARVE_SERVER_COMMAND_STATS_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "server/command.h"

namespace varve::server {

// Times in nanoseconds, in buckets: below 1,024 one, above four to every power of two, so that a percentile is at
// most a quarter too large; from 2^40 (18 minutes) on one again.
struct CommandTimes {
  static constexpr int kFirstBits = 10;
  static constexpr int kLastBits = 40;
  static constexpr size_t kCount = 4 * (kLastBits - kFirstBits) + 2;

  static size_t BucketOf(uint64_t nanos) {
    const int bits = std::bit_width(nanos) - 1;
    if (nanos < (uint64_t{1} << kFirstBits)) return 0;
    if (bits >= kLastBits) return kCount - 1;
    return 1 + static_cast<size_t>(4 * (bits - kFirstBits)) + (nanos >> (bits - 2) & 3);
  }
  // What the times of a bucket are below.
  static uint64_t EndOf(size_t bucket);
};

// Of one command, or of the same since a moment.
struct CommandTotals {
  uint64_t calls = 0;
  uint64_t nanos = 0;
  uint64_t rejected = 0;  // before they were run
  uint64_t failed = 0;    // with an error for a reply
  std::array<uint64_t, CommandTimes::kCount> times{};

  // Nanoseconds; 0 < percent <= 100.
  uint64_t Percentile(double percent) const;
  void Add(const CommandTotals& other, int sign);
};

// What one loop counts. Written by its thread, read by all.
class LoopCommandStats {
 public:
  LoopCommandStats() : counters_(CommandCount()) {}
  ~LoopCommandStats();
  LoopCommandStats(const LoopCommandStats&) = delete;
  LoopCommandStats& operator=(const LoopCommandStats&) = delete;

  void NoteCall(const Command& command, uint64_t nanos, bool failed);
  void NoteRejected(const Command& command);
  void AddTo(std::vector<CommandTotals>* totals) const;

 private:
  struct Counters {
    std::atomic<uint64_t> calls{0};
    std::atomic<uint64_t> nanos{0};
    std::atomic<uint64_t> rejected{0};
    std::atomic<uint64_t> failed{0};
    std::array<std::atomic<uint64_t>, CommandTimes::kCount> times{};
  };
  Counters& Of(const Command& command);

  // By Command::id; made when a command is first used.
  std::vector<std::atomic<Counters*>> counters_;
};

// Thread-safe.
class CommandStats {
 public:
  explicit CommandStats(int loop_count);

  LoopCommandStats& loop(int index) { return *loops_[static_cast<size_t>(index)]; }
  // By Command::id, since the start or the last Reset.
  std::vector<CommandTotals> Totals() const VARVE_EXCLUDES(mu_);

  // "ERR ...": counts the error by its first word. Of more than 128 different words none is counted any more.
  void NoteError(std::string_view error) VARVE_EXCLUDES(mu_);
  std::map<std::string, uint64_t, std::less<>> Errors() const VARVE_EXCLUDES(mu_);

  void Reset() VARVE_EXCLUDES(mu_);

 private:
  std::vector<CommandTotals> Sum() const;

  std::vector<std::unique_ptr<LoopCommandStats>> loops_;
  mutable Mutex mu_;
  // What there was at the last Reset: so nobody but a loop writes its counters.
  std::vector<CommandTotals> before_ VARVE_GUARDED_BY(mu_);
  std::map<std::string, uint64_t, std::less<>> errors_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::server

#endif  // VARVE_SERVER_COMMAND_STATS_H_
