// The version of the library and of the files it writes.
#ifndef VARVE_VERSION_H_
#define VARVE_VERSION_H_

#include <cstdint>

namespace varve {

inline constexpr char kVersion[] = "0.1.0";

// A store of a larger number is refused with kNotSupported. Part of every file's header.
inline constexpr uint32_t kFormatVersion = 1;

}  // namespace varve

#endif  // VARVE_VERSION_H_
