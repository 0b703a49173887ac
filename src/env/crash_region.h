// The memory behind a simulated MappedFile.
#ifndef VARVE_ENV_CRASH_REGION_H_
#define VARVE_ENV_CRASH_REGION_H_

#include <cstdint>

namespace varve::crash {

// Address space of `capacity` bytes whose pages come into being one by one: reserving 64 MiB costs
// nothing. What a real mapping would punish now and then by SIGBUS is punished always: a store
// before Populate, or an access behind the end of the file, is a segmentation fault.
// Thread-compatible, but for stores into populated bytes.
class Region {
 public:
  explicit Region(uint64_t capacity);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  char* data() const { return data_; }
  uint64_t capacity() const { return capacity_; }

  // Makes whole pages [begin, end) readable, or readable and writable. Multiples of kPageBytes.
  void AllowReading(uint64_t begin, uint64_t end);
  void AllowStores(uint64_t begin, uint64_t end);

  // Copies page `index` to `to` (kPageBytes) while others may be storing into it, last word first:
  // who sees a store also sees what was stored before it at lower addresses. That is what the end
  // of a process leaves of a log that grows upwards. REQUIRES: the page is readable.
  void CopyPage(uint64_t index, char* to) const;

 private:
  const uint64_t capacity_;
  char* data_;
};

}  // namespace varve::crash

#endif  // VARVE_ENV_CRASH_REGION_H_
