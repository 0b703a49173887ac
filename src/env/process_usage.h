// What this process has used of the machine.
#ifndef VARVE_ENV_PROCESS_USAGE_H_
#define VARVE_ENV_PROCESS_USAGE_H_

#include <cstdint>

namespace varve {

struct ProcessUsage {
  int process_id = 0;
  uint64_t user_micros = 0;    // of processor time
  uint64_t system_micros = 0;
  uint64_t resident_bytes = 0;  // in memory now, mapped files included; 0: not known
};

// Thread-safe. Some system calls.
ProcessUsage ReadProcessUsage();

}  // namespace varve

#endif  // VARVE_ENV_PROCESS_USAGE_H_
