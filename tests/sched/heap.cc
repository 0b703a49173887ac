#include "tests/sched/heap.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "tests/sched/runtime.h"

namespace varve::sched {

namespace internal {
constinit uintptr_t heap_begin = 0;
constinit uint8_t* shadow = nullptr;
}  // namespace internal

namespace {

using internal::kGranule;
using internal::kHeapBytes;

// Before each block. Blocks of a class are chained through `next` when they are free.
struct Header {
  uint32_t size_class;
  uint32_t offset;  // of the block behind its memory's begin
  Header* next;
};
static_assert(sizeof(Header) == kGranule);

// Where the heap lies, so that addresses are the same in every process.
constexpr uintptr_t kHeapPlace = uintptr_t{0x100000000000};
constexpr uint32_t kClasses = 64;
constexpr size_t kPoisonedBytes = 1024;

// Sizes in steps of an eighth of a power of two.
size_t SizeOfClass(uint32_t size_class) { return (size_t{8} + size_class % 8) << (size_class / 8 + 2); }

uint32_t ClassFor(size_t bytes) {
  uint32_t size_class = 0;
  while (SizeOfClass(size_class) < bytes) ++size_class;
  return size_class;
}

struct Heap {
  uintptr_t used = 0;
  Header* free[8 * kClasses] = {};
  Header* deleted = nullptr;  // in this schedule
};
constinit Heap heap;

void Mark(const Header* header, uint8_t value) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(header + 1) - internal::heap_begin;
  const size_t bytes = SizeOfClass(header->size_class) - sizeof(Header);
  std::memset(internal::shadow + begin / kGranule, value, (bytes + kGranule - 1) / kGranule);
}

void* Reserve(size_t bytes, void* place) {
  const int fixed = place != nullptr ? MAP_FIXED_NOREPLACE : 0;
  void* memory = mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
  if (memory == MAP_FAILED) Fail("no memory for the heap");
  return memory;
}

}  // namespace

void internal::FailAccess(const void* place) {
  if (current != nullptr) current->place = place;
  Fail("access to memory that is freed");
}

void StartHeap() {
  internal::shadow = static_cast<uint8_t*>(Reserve(kHeapBytes / kGranule, nullptr));
  internal::heap_begin = reinterpret_cast<uintptr_t>(Reserve(kHeapBytes, reinterpret_cast<void*>(kHeapPlace)));
}

void* Allocate(size_t bytes, size_t alignment) {
  if (internal::heap_begin == 0) {
    return alignment > kGranule ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                                : std::malloc(bytes > 0 ? bytes : 1);
  }
  const size_t extra = alignment > kGranule ? alignment : 0;
  const uint32_t size_class = ClassFor(bytes + sizeof(Header) + extra);
  Header* header = heap.free[size_class];
  if (header != nullptr) {
    heap.free[size_class] = header->next;
  } else {
    const size_t size = (SizeOfClass(size_class) + kGranule - 1) / kGranule * kGranule;
    if (heap.used + size > kHeapBytes) Fail("the heap is full");
    header = reinterpret_cast<Header*>(internal::heap_begin + heap.used);
    heap.used += size;
    header->size_class = size_class;
  }
  auto address = reinterpret_cast<uintptr_t>(header + 1);
  if (extra == 0) {
    header->offset = 0;
    return header + 1;
  }
  // A second header right before the memory says how far back the first one is.
  address = (address + sizeof(Header) + alignment - 1) / alignment * alignment;
  Header* near = reinterpret_cast<Header*>(address) - 1;
  near->offset = static_cast<uint32_t>(address - reinterpret_cast<uintptr_t>(header + 1));
  return reinterpret_cast<void*>(address);
}

void Free(void* memory) {
  if (memory == nullptr) return;
  const auto address = reinterpret_cast<uintptr_t>(memory);
  if (internal::heap_begin == 0 || address - internal::heap_begin >= kHeapBytes) {
    std::free(memory);
    return;
  }
  const uint32_t offset = (reinterpret_cast<Header*>(memory) - 1)->offset;
  Header* header = reinterpret_cast<Header*>(address - offset) - 1;
  if (internal::shadow[(address - internal::heap_begin) / kGranule] != 0) Fail("memory freed twice");
  const size_t bytes = SizeOfClass(header->size_class) - sizeof(Header);
  std::memset(memory, 0xdd, std::min(bytes - offset, kPoisonedBytes));
  Mark(header, 1);
  header->next = heap.deleted;
  heap.deleted = header;
}

void EndHeapOfRun() {
  while (heap.deleted != nullptr) {
    Header* header = heap.deleted;
    heap.deleted = header->next;
    Mark(header, 0);
    header->next = heap.free[header->size_class];
    heap.free[header->size_class] = header;
  }
}

}  // namespace varve::sched

namespace {
constexpr size_t kPlain = alignof(std::max_align_t);
}

void* operator new(size_t bytes) { return varve::sched::Allocate(bytes, kPlain); }
void* operator new[](size_t bytes) { return varve::sched::Allocate(bytes, kPlain); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return varve::sched::Allocate(bytes, kPlain); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return varve::sched::Allocate(bytes, kPlain); }
void* operator new(size_t bytes, std::align_val_t align) {
  return varve::sched::Allocate(bytes, static_cast<size_t>(align));
}
void* operator new[](size_t bytes, std::align_val_t align) {
  return varve::sched::Allocate(bytes, static_cast<size_t>(align));
}
void operator delete(void* memory) noexcept { varve::sched::Free(memory); }
void operator delete[](void* memory) noexcept { varve::sched::Free(memory); }
void operator delete(void* memory, size_t) noexcept { varve::sched::Free(memory); }
void operator delete[](void* memory, size_t) noexcept { varve::sched::Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { varve::sched::Free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { varve::sched::Free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { varve::sched::Free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { varve::sched::Free(memory); }
