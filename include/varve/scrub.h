// Scrubbing: an open store reads its own files in the background, and says what it finds damaged.
#ifndef VARVE_SCRUB_H_
#define VARVE_SCRUB_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "varve/key_range.h"

namespace varve {

struct ScrubOptions {
  // What it reads a second, on average; each read is at most a block or a large value. At least 4096.
  uint64_t bytes_per_second = uint64_t{8} << 20;
  // From the start of one pass to the start of the next, which waits for the end of the one before. Not
  // negative; 0: one pass, and no more.
  std::chrono::milliseconds interval = std::chrono::hours(24 * 7);
};

// One place that is damaged. It stays listed until a pass finds the file gone or whole.
struct ScrubFinding {
  std::string file;
  uint64_t offset = 0;
  std::string problem;
  // The keys that it concerns. Empty: none, or not known.
  std::vector<KeyRange> ranges;
};

struct ScrubState {
  bool is_running = false;  // between StartScrub and StopScrub, or the end of the only pass
  uint64_t pass_count = 0;  // completed ones
  // Of the present pass; after the last one, of that.
  uint64_t file_count = 0;
  uint64_t byte_count = 0;
  uint64_t vanished_count = 0;  // segments that were merged away before their turn, or in it
  // At most 1000.
  std::vector<ScrubFinding> findings;
};

}  // namespace varve

#endif  // VARVE_SCRUB_H_
