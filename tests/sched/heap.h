// The memory of programs under the scheduler: what is deleted stays unused until the end of the schedule, and an
// access to it ends the schedule as a failure.
#ifndef VARVE_TESTS_SCHED_HEAP_H_
#define VARVE_TESTS_SCHED_HEAP_H_

#include <cstddef>
#include <cstdint>

namespace varve::sched {

// From here on operator new takes memory here. Once, in the process that runs schedules.
void StartHeap();
// Makes what was deleted in the schedule that has ended usable again.
void EndHeapOfRun();

// Memory as operator new and delete have it; for environments that hand out memory themselves.
void* Allocate(size_t bytes, size_t alignment);
void Free(void* memory);

namespace internal {
constexpr size_t kGranule = 16;
constexpr size_t kHeapBytes = size_t{1} << 30;
extern constinit uintptr_t heap_begin;  // 0: not started
extern constinit uint8_t* shadow;       // a byte for each granule: 1 = deleted
[[noreturn]] void FailAccess(const void* place);
}  // namespace internal

// REQUIRES: size <= 16, or only the first bytes are looked at.
inline void CheckAccess(const volatile void* address, const void* place) {
  const uintptr_t offset = reinterpret_cast<uintptr_t>(address) - internal::heap_begin;
  if (internal::heap_begin == 0 || offset >= internal::kHeapBytes) return;
  if (internal::shadow[offset / internal::kGranule] != 0) internal::FailAccess(place);
}

}  // namespace varve::sched

#endif  // VARVE_TESTS_SCHED_HEAP_H_
