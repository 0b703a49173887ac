// RepairInventory: which files a store consists of, as far as that can be told when it is damaged.
//
//   the manifest of CURRENT, else the newest one that can be read   -> its version, and no other file
//   none can be read                                                -> every segment, every log
//   its last record is torn, and files that it names are missing    -> its version, and every other segment
//
// A torn last record may have been whole once, and have said more: nothing is certain then either.
//
// A manifest is a chain of changes, so one that is damaged before its last record is of no use. Without a
// manifest three things cannot be told: which segments had been merged away, what range deletes had
// deleted, and whether a file is missing. Then deleted keys may come back, and the report says so.
#ifndef VARVE_ENGINE_REPAIR_INVENTORY_H_
#define VARVE_ENGINE_REPAIR_INVENTORY_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/segment_salvage.h"
#include "env/env.h"
#include "format/version_edit.h"
#include "varve/status.h"

namespace varve {

struct RepairInventory {
  // Runs that do not overlap, in order of keys each. The order of the lists means nothing.
  std::vector<std::vector<SegmentPlan>> runs;
  std::vector<uint64_t> logs;  // ascending
  std::vector<RangeTombstone> range_tombstones;
  DurableLog durable_log;
  SequenceNumber last_sequence = 0;
  uint64_t hash_salt = 0;  // 0: not known
  uint64_t total_bytes = 0;

  bool has_manifest = false;
  // How far the logs went at the end is not known.
  bool manifest_is_torn = false;
  uint64_t oldest_log = 0;
  // Changes up to here are in segments, and logs are not asked about them. Only without a manifest.
  SequenceNumber flushed_sequence = 0;
  std::string undecided_file;    // empty: everything can be told
  std::string undecided_reason;
  std::vector<std::string> problems;
};

// Reads what `dir` holds. kNotFound when that is nothing of a store; kNotSupported when a newer version
// wrote it.
Result<RepairInventory> TakeInventory(Env* env, const std::string& dir);

}  // namespace varve

#endif  // VARVE_ENGINE_REPAIR_INVENTORY_H_
