// Uring: the two rings that a thread shares with the kernel (io_uring(7), Linux 5.6 or newer), by the raw
// system calls.
#ifndef VARVE_ENV_URING_H_
#define VARVE_ENV_URING_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "env/posix_fd.h"

namespace varve {

// Thread-compatible.
class Uring {
 public:
  // nullptr where the kernel has no io_uring that can read, or does not let us.
  static std::unique_ptr<Uring> Open(uint32_t entries);
  // REQUIRES: no read is under way.
  ~Uring();
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  // Adds a read to what SubmitAndWait submits. REQUIRES: fewer than `entries` were added since.
  void AddRead(int fd, uint64_t offset, char* buffer, uint32_t size, uint64_t tag);
  // Begins what was added, and returns when at least one read has ended (or, seldom, none).
  // REQUIRES: no more than twice `entries` are under way, and at least one.
  void SubmitAndWait();
  // Takes a read that has ended: its tag, and how many bytes it has read, or -errno. False: none is left.
  bool Next(uint64_t* tag, int32_t* result);

 private:
  struct Mapping {
    void* address = nullptr;
    size_t bytes = 0;
  };

  Uring() = default;
  bool Map(const void* parameters);

  UniqueFd fd_;
  Mapping rings_;
  Mapping entries_;
  // In the memory shared with the kernel.
  uint32_t* submit_head_ = nullptr;
  uint32_t* submit_tail_ = nullptr;
  uint32_t* submit_index_ = nullptr;
  uint32_t submit_mask_ = 0;
  uint32_t* complete_head_ = nullptr;
  uint32_t* complete_tail_ = nullptr;
  uint32_t complete_mask_ = 0;
  void* completions_ = nullptr;
  uint32_t tail_ = 0;  // of what was added
};

}  // namespace varve

#endif  // VARVE_ENV_URING_H_
