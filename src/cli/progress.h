// Progress of a long command, on the error stream.
#ifndef VARVE_CLI_PROGRESS_H_
#define VARVE_CLI_PROGRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/console.h"

namespace varve::cli {

// How far a command is. `done` and `total` are in one unit (bytes of a file, say); total 0:
// unknown.
struct ProgressState {
  uint64_t records = 0;
  uint64_t done = 0;
  uint64_t total = 0;
  uint64_t elapsed_nanos = 0;
  bool counts_bytes = false;  // `done` is what people want to know, and not the records
};

// "loading  45 % [#####.....] 12,345 records  210,000/s  0:12 left" within `width` columns; without
// percentage, bar and remaining time when the total is unknown. With counts_bytes: "1.2 GB  480 MB/s" in
// the place of the records. A pure function.
std::string RenderProgress(std::string_view activity, const ProgressState& state, int width);

// Draws a bar on a terminal, at most ten times a second. Elsewhere it is silent, unless `lines`
// asks for "<past> <count> records" (or bytes), one line for each Update. Thread-compatible; borrows the
// console. The destructor wipes the bar.
class Progress {
 public:
  struct Words {
    std::string_view activity;  // "loading"
    std::string_view past;      // "loaded"
    bool counts_bytes = false;
  };
  Progress(const Console& console, Words words, uint64_t total, bool lines);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(uint64_t records, uint64_t done);
  uint64_t ElapsedNanos() const { return console_.now_nanos() - started_at_; }

 private:
  const Console& console_;
  const Words words_;
  const uint64_t total_;
  const bool lines_;
  const uint64_t started_at_;
  uint64_t drawn_at_;
  bool is_drawn_ = false;
};

}  // namespace varve::cli

#endif  // VARVE_CLI_PROGRESS_H_
