// How late a listener hears of an expiry, with many deadlines pending.
//
//   varve_expiry_latency DIRECTORY [PAIRS [SECONDS]]
//
// Puts PAIRS pairs (ten million) of 16 + 100 bytes with a listener set, whose deadlines lie evenly in the
// SECONDS (60) from a minute after the start on, and waits for all of them. DIRECTORY must not exist.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/histogram.h"
#include "base/random.h"
#include "varve/varve.h"

namespace varve {
namespace {

using Clock = std::chrono::system_clock;
using std::chrono::milliseconds;

uint64_t NowMillis() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch()).count());
}

int Run(const char* dir, uint64_t pairs, uint64_t seconds) {
  auto db = Db::Open(dir);
  if (!db.ok()) return std::fprintf(stderr, "%s\n", db.status().ToString().c_str()), 1;
  Histogram late;  // milliseconds; of the listener's thread until it is taken away
  std::atomic<uint64_t> heard{0};
  const Status set = (*db)->SetExpiryListener([&](const ExpiredKey& expired) {
    late.Record(NowMillis() - expired.expired_at_millis);
    heard.fetch_add(1, std::memory_order_relaxed);
  });
  if (!set.ok()) return 1;
  const auto first = Clock::now() + std::chrono::minutes(1);
  Random random(1);
  const std::string value(100, 'v');
  const uint64_t start = NowMillis();
  for (uint64_t i = 0; i < pairs; ++i) {
    char key[17];
    std::snprintf(key, sizeof(key), "%016llx", static_cast<unsigned long long>(random.Next()));
    const WriteOptions options{.expire_at = first + milliseconds(random.Uniform(seconds * 1000))};
    if (!(*db)->Put({key, 16}, value, options).ok()) return 1;
  }
  const uint64_t filled = NowMillis();
  std::printf("%llu pairs put in %.1f s, %llu heard of by then\n",
              static_cast<unsigned long long>(pairs), static_cast<double>(filled - start) / 1e3,
              static_cast<unsigned long long>(heard.load()));
  while (heard.load() < pairs && NowMillis() < filled + (seconds + 120) * 1000) {
    std::this_thread::sleep_for(milliseconds(100));
  }
  (void)(*db)->SetExpiryListener(nullptr);
  std::printf("%llu heard of; late by, in ms: p50 %llu  p90 %llu  p99 %llu  p99.9 %llu  most %llu\n",
              static_cast<unsigned long long>(heard.load()),
              static_cast<unsigned long long>(late.Percentile(50)),
              static_cast<unsigned long long>(late.Percentile(90)),
              static_cast<unsigned long long>(late.Percentile(99)),
              static_cast<unsigned long long>(late.Percentile(99.9)),
              static_cast<unsigned long long>(late.Percentile(100)));
  return 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return std::fprintf(stderr, "usage: %s DIRECTORY [PAIRS [SECONDS]]\n", argv[0]), 2;
  return varve::Run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 10'000'000,
                    argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 60);
}
