#include "varve/statistics.h"

#include <algorithm>

namespace varve {

namespace {

double Ratio(uint64_t of, uint64_t to) {
  return to == 0 ? 0 : static_cast<double>(of) / static_cast<double>(to);
}

uint64_t KeysRead(const Statistics& stats) {
  return stats.operation(Operation::kGetHit).count + stats.operation(Operation::kGetAbsent).count +
         stats.multi_get_key_count;
}

}  // namespace

std::string_view OperationName(Operation operation) {
  switch (operation) {
    case Operation::kPut: return "put";
    case Operation::kWrite: return "write";
    case Operation::kGetHit: return "get_hit";
    case Operation::kGetAbsent: return "get_absent";
    case Operation::kMultiGet: return "multi_get";
    case Operation::kScan: return "scan";
    case Operation::kSync: return "sync";
  }
  return "";
}

double OperationStatistics::MeanNanos() const { return Ratio(timed_sum_ns, timed_count); }

double Statistics::ReadAmplification() const { return Ratio(get_run_count, KeysRead(*this)); }

double Statistics::DiskReadsPerGet() const { return Ratio(get_disk_read_count, KeysRead(*this)); }

double Statistics::SpaceAmplification() const {
  uint64_t largest = 0;
  for (const RunStatistics& run : runs) largest = std::max(largest, run.disk_bytes);
  if (largest == 0) return 0;
  return Ratio(segment_bytes + value_log_bytes, largest + value_log_bytes - value_log_dead_bytes);
}

double Statistics::WriteAmplification() const {
  return Ratio(wal_bytes_written + flush_bytes_written + compaction_bytes_written +
                   value_log_bytes_written,
               user_bytes_written);
}

}  // namespace varve
