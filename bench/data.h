// The keys and values that every engine gets, and the order in which they are asked for.
#ifndef VARVE_BENCH_DATA_H_
#define VARVE_BENCH_DATA_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace varve::bench {

inline constexpr size_t kKeyBytes = 16;

// A one-to-one map of 64-bit numbers that leaves no order (the finalizer of MurmurHash3). Different
// indexes thus give different keys, and the keys of [n, 2n) are certainly absent from a store of
// [0, n).
inline uint64_t Scramble(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ull;
  return x ^ (x >> 33);
}

// Sixteen lower-case hexadecimal digits; orders like the number. About three nanoseconds.
class Key {
 public:
  Key() = default;
  static Key Ordered(uint64_t number);
  static Key Scrambled(uint64_t index) { return Ordered(Scramble(index)); }
  std::string_view view() const { return {bytes_, kKeyBytes}; }
  // The first character becomes `tag`: a few key ranges side by side.
  Key& Tag(char tag) {
    bytes_[0] = tag;
    return *this;
  }

 private:
  char bytes_[kKeyBytes];
};

// Makes values that compress to about half: pieces of 50 random bytes, each twice. The first eight
// bytes are the id, so that a read can be checked. Thread-compatible.
class ValueSource {
 public:
  ValueSource(size_t value_bytes, uint64_t seed);
  // The view lives until the next call.
  std::string_view Make(uint64_t id);
  // True when `value` is one that Make(id) gives.
  static bool Matches(std::string_view value, size_t value_bytes, uint64_t id);

 private:
  const size_t value_bytes_;
  const bool is_small_;
  size_t position_ = 0;
  std::string value_;     // where a small value is put together
  std::string own_pool_;  // what large values are cut from, in place
};

// Numbers in [0, n) by Zipf's law: the k-th most frequent comes with a frequency of 1 / (k+1)^0.99.
// Rejection-inversion (Hoermann and Derflinger), no tables. Thread-compatible.
class Zipf {
 public:
  explicit Zipf(uint64_t n);
  uint64_t Next(Random* random) const;

 private:
  const double n_;
  double h_first_;
  double h_last_;
  double shortcut_;
};

// Reads one cache line of every page of `value`.
uint64_t TouchPages(std::string_view value);

}  // namespace varve::bench

#endif  // VARVE_BENCH_DATA_H_
