// Repair: what can be saved of a damaged store, written to a new directory. The original is only read.
#ifndef VARVE_REPAIR_H_
#define VARVE_REPAIR_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "varve/key_range.h"

namespace varve {

class Env;

struct RepairProgress {
  uint64_t keys = 0;         // written so far
  uint64_t bytes_done = 0;   // read so far, of bytes_total
  uint64_t bytes_total = 0;  // of segments and logs; large values are not counted
};

struct RepairOptions {
  // The directory of the repaired store, which is made; it must be missing or empty. Empty: that of the
  // store with ".repaired" behind it.
  std::string to;
  // Files, clock and randomness. nullptr: the operating system's. Borrowed for the call.
  Env* env = nullptr;
  // Called now and then, from the calling thread. May be empty.
  std::function<void(const RepairProgress&)> progress;
};

// Keys whose newest change may be lost. A key of the range is absent in the repaired store, or shows an
// older value, or has come back although it was deleted; or nothing has happened to it.
struct RepairLoss {
  KeyRange range;
  std::string file;  // with its directory
  uint64_t offset = 0;
  std::string reason;
  // Changes (puts, deletes, old versions among them) that were there; 0: not known.
  uint64_t change_count = 0;
};

struct RepairReport {
  std::string to;
  uint64_t key_count = 0;
  uint64_t byte_count = 0;  // of keys and values
  uint64_t segment_count = 0;  // that were read
  uint64_t log_count = 0;
  // Everything that is damaged, file and offset named, also where nothing is lost by it.
  std::vector<std::string> problems;
  // What is lost. Ranges may overlap where several files are damaged.
  std::vector<RepairLoss> losses;
  // Where nothing is known to be lost, but the same cannot be excluded (above all that deleted keys have
  // come back), because what tells it is lost. `file` is the one that would have told.
  std::vector<RepairLoss> undecided;

  bool is_complete() const { return losses.empty() && undecided.empty(); }
};

}  // namespace varve

#endif  // VARVE_REPAIR_H_
