// A memory cgroup for a child process, version 1 or 2.
#ifndef VARVE_BENCH_CGROUP_H_
#define VARVE_BENCH_CGROUP_H_

#include <cstdint>
#include <memory>
#include <string>

#include "varve/status.h"

namespace varve::bench {

// A new cgroup that holds its processes, page cache included, to a limit. It is made below the
// cgroup of this process; under version 2, where a cgroup with processes cannot have children with
// limits, below the nearest ancestor that hands the memory controller down. Nothing that exists is
// changed. The destructor removes it; no process may be in it then. Thread-compatible.
class MemoryCgroup {
 public:
  // kNotSupported, with the reason, where there is no memory controller or no permission.
  static Result<std::unique_ptr<MemoryCgroup>> Create(uint64_t limit_bytes);
  ~MemoryCgroup();
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;

  // Moves the calling process into it.
  Status Enter() const;

 private:
  explicit MemoryCgroup(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

}  // namespace varve::bench

#endif  // VARVE_BENCH_CGROUP_H_
