#include "varve/statistics.h"

namespace varve {

double Statistics::WriteAmplification() const {
  if (user_bytes_written == 0) return 0;
  return static_cast<double>(wal_bytes_written + flush_bytes_written + compaction_bytes_written +
                             value_log_bytes_written) /
         static_cast<double>(user_bytes_written);
}

}  // namespace varve
