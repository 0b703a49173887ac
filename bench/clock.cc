#include "bench/clock.h"

#include <fstream>
#include <string>

namespace varve::bench {
namespace {

bool HasConstantCounter() {
#if defined(__x86_64__)
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line;
  while (std::getline(cpuinfo, line)) {
    if (line.rfind("flags", 0) == 0) {
      return line.find(" constant_tsc") != std::string::npos &&
             line.find(" nonstop_tsc") != std::string::npos;
    }
  }
#endif
  return false;
}

}  // namespace

const TickClock& TickClock::Get() {
  static const TickClock clock;
  return clock;
}

TickClock::TickClock() {
  if (!HasConstantCounter()) return;
  uses_counter_ = true;
  const uint64_t start_ns = NowNs();
  const uint64_t start = Now();
  uint64_t end_ns;
  do {
    end_ns = NowNs();
  } while (end_ns - start_ns < 20000000);
  const uint64_t ticks = Now() - start;
  scale_ = static_cast<uint64_t>((static_cast<unsigned __int128>(end_ns - start_ns) << 32) / ticks);
}

}  // namespace varve::bench
