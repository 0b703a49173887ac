// Clock, threads, randomness and large pages of the operating system. CrashEnv uses them too.
#ifndef VARVE_ENV_POSIX_SYSTEM_H_
#define VARVE_ENV_POSIX_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "env/env.h"

namespace varve {

class PosixClock final : public Clock {
 public:
  uint64_t MonotonicNanos() const override;
  uint64_t WallMillis() const override;
  void SleepNanos(uint64_t nanos) override;
};

// Starts a thread that shows `name` (its first 15 bytes) in ps and debuggers. nullptr when the
// system refuses.
std::unique_ptr<Thread> StartPosixThread(const std::string& name, std::function<void()> body);

void LowerPosixThreadPriority();
uint64_t PosixRandomSeed();

// As Env::AllocateHuge and FreeHuge.
void* AllocateHugePages(size_t bytes);
// The same, and in pages of the usual size.
void* AllocateSmallPages(size_t bytes);
void FreeHugePages(void* memory, size_t bytes);

}  // namespace varve

#endif  // VARVE_ENV_POSIX_SYSTEM_H_
