// Statistics: what a store has done and what it holds, in numbers.
#ifndef VARVE_STATISTICS_H_
#define VARVE_STATISTICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

// The kinds of operations that are counted and timed apart.
enum class Operation {
  kPut,        // a call that changes one key or one range: Put, Delete, CompareAndSet, ...
  kWrite,      // a batch or the commit of a transaction, of more than one change
  kGetHit,     // Get, GetPinned and TimeToLive that found the key; inside of transactions, too
  kGetAbsent,  // ... that did not
  kMultiGet,   // a call of MultiGet, whatever it found
  kScan,       // a positioning of an iterator, whatever it found: Seek, SeekToFirst and so on; not Next
  kSync,       // a flush of the log to the device, for all the writers that waited for it together
};
inline constexpr size_t kOperationCount = 7;

// "put", "write", "get_hit", "get_absent", "multi_get", "scan", "sync".
std::string_view OperationName(Operation operation);

// How many operations of one kind have succeeded, and how long they took, in nanoseconds.
//
// The number is exact. Timed are: every operation that had to wait (for the disk, for a sync, for the
// commit lock, by back-pressure), and of the others one in 64, chosen at random, which stands for 64.
// So the percentiles are those of all operations, with the error of a sample of that size, and of up to
// 3 % for the width of a bucket. The maximum is the longest timed one: no wait is missed by it, but a
// thread that the system suspended in an operation that did not wait may be. An operation that waited
// and was not drawn is timed from where it began to wait. Below 2^40 ns (18 minutes).
struct OperationStatistics {
  uint64_t count = 0;
  uint64_t timed_count = 0;   // what the timed ones stand for: count, about
  uint64_t timed_sum_ns = 0;  // the times of these, together
  uint64_t p50_ns = 0;
  uint64_t p90_ns = 0;
  uint64_t p99_ns = 0;
  uint64_t p999_ns = 0;
  uint64_t max_ns = 0;
  // How many of timed_count took less than BoundNanos(i). Ascending.
  static constexpr size_t kBoundCount = 28;
  std::array<uint64_t, kBoundCount> timed_below{};

  // 128 ns to 17 s, by powers of two.
  static constexpr uint64_t BoundNanos(size_t i) { return uint64_t{128} << i; }
  double MeanNanos() const;
};

// One sorted run, newest first in Statistics::runs: what other stores call a level.
struct RunStatistics {
  uint64_t id = 0;
  uint64_t segment_count = 0;
  uint64_t entry_count = 0;
  uint64_t disk_bytes = 0;
  uint64_t tombstone_count = 0;
};

// A consistent-enough picture: each number is exact at some moment during the call. Counters count
// since open. Sizes in bytes, times in the unit that the name ends with.
struct Statistics {
  // Contents.
  uint64_t last_sequence = 0;
  uint64_t entry_count = 0;       // entries in all layers; overwritten ones count until merged away
  uint64_t memtable_entry_count = 0;
  uint64_t range_tombstone_count = 0;
  uint64_t snapshot_count = 0;
  std::vector<RunStatistics> runs;

  // Disk.
  uint64_t segment_bytes = 0;
  uint64_t value_log_bytes = 0;
  uint64_t value_log_dead_bytes = 0;
  uint64_t value_log_file_count = 0;
  uint64_t wal_bytes = 0;
  uint64_t wal_file_count = 0;

  // Memory.
  uint64_t memory_budget_bytes = 0;
  uint64_t memtable_bytes = 0;
  uint64_t cache_bytes = 0;
  uint64_t index_bytes = 0;
  uint64_t iterator_bytes = 0;
  uint64_t range_tombstone_bytes = 0;  // part of memtable_bytes
  uint64_t statistics_bytes = 0;       // of the times of operations

  // Operations.
  std::array<OperationStatistics, kOperationCount> operations;  // by Operation
  OperationStatistics& operation(Operation kind) { return operations[static_cast<size_t>(kind)]; }
  const OperationStatistics& operation(Operation kind) const {
    return operations[static_cast<size_t>(kind)];
  }
  uint64_t multi_get_key_count = 0;
  uint64_t get_run_count = 0;        // runs that gets and MultiGets asked for a key
  uint64_t get_disk_read_count = 0;  // reads from files that these had to wait for

  // Work done.
  uint64_t put_count = 0;          // changes, batched ones one by one
  uint64_t user_bytes_written = 0; // keys, with the prefix of their namespace, and values
  uint64_t wal_bytes_written = 0;
  uint64_t flush_bytes_written = 0;
  uint64_t compaction_bytes_written = 0;
  uint64_t compaction_bytes_read = 0;
  uint64_t value_log_bytes_written = 0;
  uint64_t flush_count = 0;
  uint64_t compaction_count = 0;
  uint64_t sync_count = 0;
  uint64_t cache_hit_count = 0;
  uint64_t cache_miss_count = 0;
  uint64_t slowdown_us = 0;        // time that writers were held back, all threads together
  uint64_t slowdown_us_max = 0;    // the longest for one write
  uint64_t slowdown_count = 0;     // how many waits that were

  // Empty, or why writes are refused.
  std::string background_error;

  // Bytes written to files, the log included, for each byte of keys and values given. 0: nothing was.
  double WriteAmplification() const;
  // Runs asked for each key looked up by Get and MultiGet; what the memtables have is found without. 0
  // when no key was.
  double ReadAmplification() const;
  // Reads from files for each key looked up so. The rest was in memory.
  double DiskReadsPerGet() const;
  // Bytes in segments and value logs for each byte that is live. An upper estimate: what lies above the
  // largest run is taken to replace entries in it. 0 when there are no segments.
  double SpaceAmplification() const;

  // All of it in the text format for exposition of Prometheus, version 0.0.4: names begin with varve_,
  // seconds and bytes.
  std::string ToPrometheus() const;
};

}  // namespace varve

#endif  // VARVE_STATISTICS_H_
