// BackupPoint: one moment of a store, and what keeps its files in place.
#ifndef VARVE_ENGINE_BACKUP_POINT_H_
#define VARVE_ENGINE_BACKUP_POINT_H_

#include <memory>
#include <vector>

#include "engine/log_file.h"
#include "engine/version.h"
#include "env/env.h"
#include "format/backup.h"

namespace varve {

// A log of which the first `end` bytes belong to the point.
struct BackupLog {
  uint64_t number = 0;
  uint64_t end = 0;
  SequenceNumber first_sequence = 0;       // no change in it is older; 0: unknown
  std::shared_ptr<LogFile> keep;           // it is not used again meanwhile. Null for a recovered one
  std::shared_ptr<RandomAccessFile> file;  // open: its name may go
};

struct BackupPoint {
  SequenceNumber sequence = 0;  // changes up to here are in it, and no others
  std::shared_ptr<const Version> version;
  std::vector<BackupLog> logs;  // oldest first; what the version has not
  std::vector<std::shared_ptr<ValueLogFile>> values_of_logs;  // what these point into
};

// How much of a log belongs to a point.
struct MeasuredLog {
  uint64_t end = 0;
  SequenceNumber last_sequence = 0;  // of the last change before `end`; 0: there is none
  bool is_whole = false;             // every record before the given end was there and checked
  bool goes_on = false;              // cut because what follows is newer than the point
};

// Reads the records of `log` before log.end and checks them. Stops before the first one with a change after
// `sequence`, and where there is no valid record.
Result<MeasuredLog> MeasureLog(const BackupLog& log, SequenceNumber sequence);

}  // namespace varve

#endif  // VARVE_ENGINE_BACKUP_POINT_H_
