// Randomness by name: the n-th number of an entity depends on the seed, the entity and n only. Taking a fault out of a
// schedule so leaves the fate of what does not depend on it as it was, and schedules can be minimised.
#ifndef VARVE_SIM_STREAM_H_
#define VARVE_SIM_STREAM_H_

#include <cstdint>

namespace varve::sim {

inline uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}
inline uint64_t Mix(uint64_t a, uint64_t b) { return Mix(a + 0x9E3779B97F4A7C15ull * (b + 1)); }

class Stream {
 public:
  Stream(uint64_t seed, uint64_t entity) : base_(Mix(seed, entity)) {}
  uint64_t Next() { return Mix(base_, ++count_); }
  // Uniform in [0, n). REQUIRES: n > 0.
  uint64_t Uniform(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
  }
  bool Chance(uint64_t of_a_thousand) { return of_a_thousand > 0 && Uniform(1000) < of_a_thousand; }

 private:
  uint64_t base_;
  uint64_t count_ = 0;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_STREAM_H_
