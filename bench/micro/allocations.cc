// varve_allocations: how often the calling thread allocates memory in a put, a get that finds, a get that
// does not, and a pinned get.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "base/random.h"
#include "varve/varve.h"

namespace {
thread_local uint64_t allocations = 0;
}

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size, std::align_val_t alignment) {
  ++allocations;
  const size_t step = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(step, (size + step - 1) / step * step)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace varve {
namespace {

constexpr int kOperations = 200'000;

template <typename Operation>
void Measure(const char* name, const Operation& operation) {
  const uint64_t before = allocations;
  for (int i = 0; i < kOperations; ++i) operation(i);
  std::printf("%-12s %8.5f allocations an operation\n", name,
              static_cast<double>(allocations - before) / kOperations);
}

int Run(const std::string& dir) {
  auto opened = Db::Open(dir);
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.status().ToString().c_str());
    return 1;
  }
  Db& db = **opened;
  const std::string value(100, 'v');
  char key[17];
  const auto name = [&](int i) {
    std::snprintf(key, sizeof(key), "%016x", i * 2654435761u);
    return std::string_view(key, 16);
  };
  int failures = 0;
  Measure("put", [&](int i) { failures += !db.Put(name(i), value).ok(); });
  if (!db.Flush().ok() || !db.WaitForBackgroundWork().ok()) return 1;
  std::string out;
  for (int i = 0; i < kOperations; ++i) failures += !db.Get(name(i), &out).ok();  // fills the cache
  Measure("get hit", [&](int i) { failures += !db.Get(name(i), &out).ok(); });
  Measure("get pinned", [&](int i) { failures += !db.GetPinned(name(i)).ok(); });
  Measure("get absent", [&](int i) { failures += db.Get(name(i + kOperations), &out).ok(); });
  if (failures > 0) std::fprintf(stderr, "%d operations failed\n", failures);
  return failures > 0 ? 1 : 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: varve_allocations DIRECTORY   (of a new store)\n");
    return 2;
  }
  return varve::Run(argv[1]);
}
