// Deadlines from what the API is given. Milliseconds since 1970-01-01 UTC.
#ifndef VARVE_ENGINE_DEADLINE_H_
#define VARVE_ENGINE_DEADLINE_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "format/expiry.h"
#include "varve/options.h"

namespace varve {

// `ttl` after `now`: `now` itself when the ttl is not positive, kMaxDeadline at the latest.
inline uint64_t DeadlineAfter(uint64_t now, std::chrono::milliseconds ttl) {
  const uint64_t millis = static_cast<uint64_t>(std::max<int64_t>(0, ttl.count()));
  return std::min(kMaxDeadline, now + std::min(kMaxDeadline, millis));
}

// Times before 1970 are 0. A fraction of a millisecond is dropped: never later than asked for.
inline uint64_t DeadlineAt(std::chrono::system_clock::time_point when) {
  const int64_t millis =
      std::chrono::floor<std::chrono::milliseconds>(when.time_since_epoch()).count();
  return std::min(kMaxDeadline, static_cast<uint64_t>(std::max<int64_t>(0, millis)));
}

inline bool HasDeadline(const WriteOptions& options) {
  return options.ttl.has_value() || options.expire_at.has_value();
}

// `options` with a time to live, where they ask for none.
inline WriteOptions WithDefaultTtl(WriteOptions options,
                                   std::optional<std::chrono::milliseconds> default_ttl) {
  if (!HasDeadline(options)) options.ttl = default_ttl;
  return options;
}

// The earlier of what `options` ask for. REQUIRES: HasDeadline(options).
inline uint64_t RequestedDeadline(const WriteOptions& options, uint64_t now) {
  uint64_t deadline = kMaxDeadline;
  if (options.ttl) deadline = DeadlineAfter(now, *options.ttl);
  if (options.expire_at) deadline = std::min(deadline, DeadlineAt(*options.expire_at));
  return deadline;
}

}  // namespace varve

#endif  // VARVE_ENGINE_DEADLINE_H_
