// Hashing and checksums: XXH3, 64 bits. Part of the file formats: the values never change.
#ifndef VARVE_BASE_HASH_H_
#define VARVE_BASE_HASH_H_

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace varve {

inline uint64_t Hash64(std::string_view bytes, uint64_t seed = 0) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

// The same value; twice as fast from some kilobytes on where the processor has wide registers.
uint64_t Hash64Long(std::string_view bytes, uint64_t seed = 0);

// A seed that ties a checksum to the place of the bytes, so that a block read from the wrong file or
// offset fails its check.
inline uint64_t PlaceSeed(uint64_t file_number, uint64_t offset) {
  uint64_t x = file_number * 0x9E3779B97F4A7C15ull ^ (offset + 0x632BE59BD9B4E019ull);
  x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93ull;
  return x ^ (x >> 32);
}

}  // namespace varve

#endif  // VARVE_BASE_HASH_H_
