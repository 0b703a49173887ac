#include "env/crash_region.h"

#include <sys/mman.h>

#include "base/check.h"
#include "env/crash_bytes.h"

namespace varve::crash {
namespace {

uint64_t RoundUp(uint64_t n) { return (n + kPageBytes - 1) / kPageBytes * kPageBytes; }

// clang's no_sanitize("thread") leaves atomics instrumented.
#if __has_attribute(disable_sanitizer_instrumentation)
#define VARVE_UNSANITIZED __attribute__((noinline, disable_sanitizer_instrumentation))
#else
#define VARVE_UNSANITIZED __attribute__((noinline, no_sanitize("thread")))
#endif

// Reads the words of a page downwards, as the device would: without synchronising with whoever is
// storing. Therefore hidden from the thread sanitizer.
VARVE_UNSANITIZED void CopyDownwards(const char* from, char* to) {
  const auto* source = reinterpret_cast<const uint64_t*>(from);
  auto* target = reinterpret_cast<uint64_t*>(to);
  for (uint64_t i = kPageBytes / sizeof(uint64_t); i-- > 0;) {
    // Acquire keeps the loads in this order on every processor.
    target[i] = __atomic_load_n(source + i, __ATOMIC_ACQUIRE);
  }
}

}  // namespace

Region::Region(uint64_t capacity) : capacity_(capacity) {
  void* memory = ::mmap(nullptr, RoundUp(capacity), PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  VARVE_CHECK(memory != MAP_FAILED);
  data_ = static_cast<char*>(memory);
}

Region::~Region() { VARVE_CHECK(::munmap(data_, RoundUp(capacity_)) == 0); }

void Region::AllowReading(uint64_t begin, uint64_t end) {
  if (begin < end) VARVE_CHECK(::mprotect(data_ + begin, end - begin, PROT_READ) == 0);
}

void Region::AllowStores(uint64_t begin, uint64_t end) {
  if (begin < end) VARVE_CHECK(::mprotect(data_ + begin, end - begin, PROT_READ | PROT_WRITE) == 0);
}

void Region::CopyPage(uint64_t index, char* to) const {
  CopyDownwards(data_ + index * kPageBytes, to);
}

}  // namespace varve::crash
