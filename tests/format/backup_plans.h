// A plan of a backup by hand: a log, a value log and a segment.
#ifndef VARVE_TESTS_FORMAT_BACKUP_PLANS_H_
#define VARVE_TESTS_FORMAT_BACKUP_PLANS_H_

#include <cstdint>

#include "format/backup.h"
#include "varve/version.h"

namespace varve::test {

// `origin`: of the files; 0: of none.
inline BackupPlan PlanOfThree(uint64_t log_bytes = 4, uint64_t origin = 0) {
  BackupPlan plan;
  plan.edit.format_version = kFormatVersion;
  plan.edit.next_file_number = 20;
  plan.edit.last_sequence = 9;
  plan.edit.oldest_log_number = 5;
  plan.edit.hash_salt = 77;
  plan.edit.durable_log = {5, log_bytes};
  plan.edit.added_runs = {1};
  plan.edit.added_segments = {{.run_id = 1, .file_number = 7, .file_bytes = 3}};
  plan.edit.added_value_logs = {{6, 4}};
  if (origin != 0) plan.edit.origins = {{origin, 1}};
  plan.files = {{BackupFileType::kWal, 5, origin, log_bytes, 0, 0},
                {BackupFileType::kValueLog, 6, origin, 4, 4, 0},
                {BackupFileType::kSegment, 7, origin, 3, 3, 0}};
  return plan;
}

}  // namespace varve::test

#endif  // VARVE_TESTS_FORMAT_BACKUP_PLANS_H_
