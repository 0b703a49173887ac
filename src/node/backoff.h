// Backoff: how long to wait before the next attempt: twice as long each time, a random share of it.
#ifndef VARVE_NODE_BACKOFF_H_
#define VARVE_NODE_BACKOFF_H_

#include <cstdint>

#include "base/random.h"

namespace varve::node {

// Thread-compatible. Nanoseconds.
class Backoff {
 public:
  // REQUIRES: 0 < least <= most.
  Backoff(uint64_t least, uint64_t most) : least_(least), most_(most), next_(least) {}

  // Between half of what is due and all of it, so that those who failed together do not come back together.
  uint64_t Next(Random* random) {
    const uint64_t due = next_;
    next_ = due > most_ / 2 ? most_ : due * 2;
    return due - random->Uniform(due / 2 + 1);
  }
  void Reset() { next_ = least_; }

 private:
  uint64_t least_;
  uint64_t most_;
  uint64_t next_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_BACKOFF_H_
