// Compiled with -mavx2. It includes nothing with inline functions of external linkage: the linker could take
// such a copy for the whole program, which must also run where there is no AVX2.
#include "base/hash_wide.h"

#ifdef VARVE_HAS_WIDE_HASH

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace varve {

uint64_t HashWide(const char* bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

}  // namespace varve

#endif
