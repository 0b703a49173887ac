// Factors between units of time that are plain numbers.
#ifndef VARVE_BASE_TIME_UNITS_H_
#define VARVE_BASE_TIME_UNITS_H_

#include <cstdint>

namespace varve {

inline constexpr uint64_t kNanosPerSecond = 1'000'000'000;

}  // namespace varve

#endif  // VARVE_BASE_TIME_UNITS_H_
