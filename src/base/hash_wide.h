// XXH3 compiled for processors with AVX2, which the rest of the program does not ask for. For hash.cc only.
#ifndef VARVE_BASE_HASH_WIDE_H_
#define VARVE_BASE_HASH_WIDE_H_

#include <stddef.h>
#include <stdint.h>

namespace varve {

#if defined(__x86_64__) && defined(__GNUC__)
#define VARVE_HAS_WIDE_HASH
// REQUIRES: the processor has AVX2.
uint64_t HashWide(const char* bytes, size_t size, uint64_t seed);
#endif

}  // namespace varve

#endif  // VARVE_BASE_HASH_WIDE_H_
