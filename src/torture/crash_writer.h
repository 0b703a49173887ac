// The process that the campaign `crash` kills: it writes a list of commands, and notes how far it is.
#ifndef VARVE_TORTURE_CRASH_WRITER_H_
#define VARVE_TORTURE_CRASH_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "torture/store_script.h"
#include "varve/status.h"

namespace varve::torture {

// The first argument of such a process. The others: directory of the store, file of the progress, seed of the
// commands, seed of the options.
inline constexpr std::string_view kWriterVerb = "torture-writer";
inline constexpr size_t kWriters = 2;

// Of one thread, since the store was made.
struct WriterProgress {
  uint64_t started = 0;
  uint64_t acknowledged = 0;  // as many, or one fewer
};
using WritersProgress = std::array<WriterProgress, kWriters>;

Status WriteProgress(const std::string& path, const WritersProgress& progress);
Result<WritersProgress> ReadProgress(const std::string& path);

// All keys of a thread begin with this.
std::string WriterPrefix(size_t writer);
// Command `index` of a thread.
Command CommandOf(uint64_t seed, size_t writer, uint64_t index);

// Goes on where the file of the progress says, until it is killed or something is wrong, which it returns. What begins
// with "progress:" is of the machine.
Status RunCrashWriter(const std::vector<std::string>& arguments);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_CRASH_WRITER_H_
