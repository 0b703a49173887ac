#include "base/hash.h"

#include "base/hash_wide.h"

namespace varve {

uint64_t Hash64Long(std::string_view bytes, uint64_t seed) {
#ifdef VARVE_HAS_WIDE_HASH
  static const bool is_supported = __builtin_cpu_supports("avx2");
  if (is_supported) return HashWide(bytes.data(), bytes.size(), seed);
#endif
  return Hash64(bytes, seed);
}

}  // namespace varve
