#include "env/posix_system.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/time_units.h"

namespace varve {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;

uint64_t NanosOf(clockid_t id) {
  struct timespec now;
  VARVE_CHECK(::clock_gettime(id, &now) == 0);
  return static_cast<uint64_t>(now.tv_sec) * kNanosPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

class PosixThread final : public Thread {
 public:
  explicit PosixThread(std::thread thread) : thread_(std::move(thread)) {}
  ~PosixThread() override { thread_.join(); }

 private:
  std::thread thread_;
};

}  // namespace

uint64_t PosixClock::MonotonicNanos() const { return NanosOf(CLOCK_MONOTONIC); }

uint64_t PosixClock::WallMillis() const { return NanosOf(CLOCK_REALTIME) / 1'000'000; }

void PosixClock::SleepNanos(uint64_t nanos) {
  struct timespec left;
  left.tv_sec = static_cast<time_t>(nanos / kNanosPerSecond);
  left.tv_nsec = static_cast<long>(nanos % kNanosPerSecond);  // NOLINT: the type of timespec
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

std::unique_ptr<Thread> StartPosixThread(const std::string& name, std::function<void()> body) {
  constexpr size_t kNameBytes = 15;  // the kernel's limit
  auto named_body = [short_name = name.substr(0, kNameBytes), body = std::move(body)] {
    (void)::pthread_setname_np(::pthread_self(), short_name.c_str());
    body();
  };
  try {
    return std::make_unique<PosixThread>(std::thread(std::move(named_body)));
  } catch (const std::system_error&) {
    return nullptr;
  }
}

void LowerPosixThreadPriority() {
  // Ten steps: a tenth of a processor that an ordinary thread wants, too. On Linux each thread has a nice
  // value of its own.
  constexpr int kSteps = 10;
  const auto self = static_cast<id_t>(::gettid());
  (void)::setpriority(PRIO_PROCESS, self, ::getpriority(PRIO_PROCESS, self) + kSteps);
}

uint64_t PosixRandomSeed() {
  uint64_t seed;
  ssize_t n;
  do {
    n = ::getrandom(&seed, sizeof(seed), 0);
  } while (n < 0 && errno == EINTR);
  VARVE_CHECK(n == sizeof(seed));  // requests of up to 256 bytes are never cut short
  return seed;
}

namespace {

void* AllocateAligned(size_t bytes, int advice) {
  VARVE_CHECK(bytes > 0 && bytes % kHugePageBytes == 0);
  // Mappings are aligned to 4 KiB: take one huge page more and give back both ends.
  const size_t mapped = bytes + kHugePageBytes;
  void* memory =
      ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(memory);
  const size_t head =
      (kHugePageBytes - reinterpret_cast<uintptr_t>(begin) % kHugePageBytes) % kHugePageBytes;
  if (head > 0) VARVE_CHECK(::munmap(begin, head) == 0);
  VARVE_CHECK(::munmap(begin + head + bytes, mapped - head - bytes) == 0);
  // Where large pages are switched off, the memory is as good, only slower.
  (void)::madvise(begin + head, bytes, advice);
  return begin + head;
}

}  // namespace

void* AllocateHugePages(size_t bytes) { return AllocateAligned(bytes, MADV_HUGEPAGE); }
void* AllocateSmallPages(size_t bytes) { return AllocateAligned(bytes, MADV_NOHUGEPAGE); }

void FreeHugePages(void* memory, size_t bytes) {
  if (memory != nullptr) VARVE_CHECK(::munmap(memory, bytes) == 0);
}

}  // namespace varve
