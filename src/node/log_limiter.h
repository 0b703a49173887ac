// LogLimiter: passes on so many lines a second, and says how many it has kept back, so that a hostile peer
// cannot fill a disk.
#ifndef VARVE_NODE_LOG_LIMITER_H_
#define VARVE_NODE_LOG_LIMITER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace varve::node {

// Thread-compatible.
class LogLimiter {
 public:
  using Log = std::function<void(const std::string&)>;
  explicit LogLimiter(Log log) : log_(std::move(log)) {}

  void Write(const std::string& line, uint64_t now_nanos) {
    if (now_nanos - begin_ >= kPeriodNanos) {
      begin_ = now_nanos;
      lines_ = 0;
      if (kept_back_ > 0) log_(std::to_string(std::exchange(kept_back_, 0)) + " more lines");
    }
    if (++lines_ > kMaxLines) {
      ++kept_back_;
    } else {
      log_(line);
    }
  }

 private:
  static constexpr uint64_t kPeriodNanos = 1'000'000'000;
  static constexpr uint64_t kMaxLines = 20;
  const Log log_;
  uint64_t begin_ = 0;
  uint64_t lines_ = 0;
  uint64_t kept_back_ = 0;
};

}  // namespace varve::node

#endif  // VARVE_NODE_LOG_LIMITER_H_
