// What 'varve doctor' makes of a machine: facts in, findings out.
#ifndef VARVE_CLI_DOCTOR_H_
#define VARVE_CLI_DOCTOR_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::cli {

// What was seen. Filled in by main, or by a test.
struct MachineFacts {
  std::string file_system;     // of the directory: "ext4"; a number in hexadecimal when it is not known
  bool is_in_memory = false;   // tmpfs and its like
  bool is_network = false;     // NFS, SMB, 9p, FUSE
  uint64_t free_bytes = 0;
  std::vector<uint64_t> sync_nanos;  // of 4 KiB and a sync each, in the order of the trials
  bool has_mapped_log = false;  // blocks can be allocated ahead, so that the log's tail is mapped memory
  uint64_t open_files = 0;      // how many descriptors a process may have
  uint64_t open_files_at_most = 0;
  uint64_t memory_bytes = 0;
  uint64_t clock_read_nanos = 0;
  uint64_t wall_millis = 0;
  int64_t clock_drift_nanos = 0;   // wall clock against the monotonic one, during the trials
  uint64_t trial_nanos = 0;        // how long these took
};

struct Finding {
  enum class Level { kGood, kNote, kBad };
  Level level = Level::kGood;
  std::string subject;  // one word
  std::string text;     // what was seen, and what it means
};

// "good", "note", "bad".
std::string_view LevelName(Finding::Level level);

// Looks at the machine, writing and removing a file in `dir`.
using Examine = std::function<Result<MachineFacts>(const std::string& dir)>;

std::vector<Finding> Diagnose(const MachineFacts& facts);

}  // namespace varve::cli

#endif  // VARVE_CLI_DOCTOR_H_
