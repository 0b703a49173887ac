// Statistics: what a store has done and what it holds, in numbers.
#ifndef VARVE_STATISTICS_H_
#define VARVE_STATISTICS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace varve {

// One sorted run, newest first in Statistics::runs.
struct RunStatistics {
  uint64_t id = 0;
  uint64_t segment_count = 0;
  uint64_t entry_count = 0;
  uint64_t disk_bytes = 0;
  uint64_t tombstone_count = 0;
};

// A consistent-enough picture: each number is exact at some moment during the call. Counters count
// since open. Sizes in bytes, times in microseconds.
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

  // Empty, or why writes are refused.
  std::string background_error;

  double WriteAmplification() const;
};

}  // namespace varve

#endif  // VARVE_STATISTICS_H_
