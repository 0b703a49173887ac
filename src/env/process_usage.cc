#include "env/process_usage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>

namespace varve {

namespace {

uint64_t MicrosOf(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

// The second number of statm: pages in memory.
uint64_t ResidentBytes() {
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 256> text{};
  const ssize_t size = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (size <= 0) return 0;
  const char* const space = std::strchr(text.data(), ' ');
  if (space == nullptr) return 0;
  uint64_t pages = 0;
  std::from_chars(space + 1, text.data() + size, pages);
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  usage.process_id = ::getpid();
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0) {
    usage.user_micros = MicrosOf(used.ru_utime);
    usage.system_micros = MicrosOf(used.ru_stime);
  }
  usage.resident_bytes = ResidentBytes();
  return usage;
}

}  // namespace varve
