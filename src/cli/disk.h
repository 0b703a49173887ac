// What 'varve torture certify-disk' makes of a disk: facts in, findings out.
#ifndef VARVE_CLI_DISK_H_
#define VARVE_CLI_DISK_H_

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor.h"
#include "varve/status.h"

namespace varve::cli {

struct Context;

// Filled in by main, or by a test. Times are sorted.
struct DiskFacts {
  std::string directory;
  std::string device;         // "vda1"; empty: it is not known which
  std::string file_system;    // "ext4"
  std::string mount_options;  // "rw,relatime"
  bool is_in_memory = false;
  bool is_network = false;
  std::string write_cache;    // "write back", "write through", empty: the system does not say
  std::optional<bool> is_rotational;
  bool has_fua = false;       // single writes can be forced to the medium
  uint64_t logical_block = 0;   // bytes; 0: not known
  uint64_t physical_block = 0;
  uint64_t atomic_write = 0;    // what the device writes whole or not at all; 0: nothing
  std::vector<uint64_t> append_sync;   // nanoseconds of 4 KiB more and a sync
  std::vector<uint64_t> rewrite_sync;  // of the same 4 KiB over and over and a sync
  std::vector<uint64_t> empty_sync;    // of a sync with nothing to do
  std::vector<uint64_t> name_sync;     // of a new file and a sync of its directory
};

// Writes and removes files in a directory. For about so many seconds.
using CertifyDisk = std::function<Result<DiskFacts>(const std::string& dir, uint64_t seconds)>;

// Of the lines of /proc/self/mountinfo (proc(5)) the mount that holds facts->directory on the device `id` ("8:1"): file
// system, options, device. Without one nothing is changed.
void ReadMounts(std::istream& mounts, std::string_view id, DiskFacts* facts);

// What it means, most important first.
std::vector<Finding> JudgeDisk(const DiskFacts& facts);

// The command. Exit code 1 when something is bad.
int PrintDisk(const Context& context);

}  // namespace varve::cli

#endif  // VARVE_CLI_DISK_H_
