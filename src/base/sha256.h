// SHA-256 (FIPS 180-4), for passwords that are kept as hashes. Not for files: Hash64 is faster.
#ifndef VARVE_BASE_SHA256_H_
#define VARVE_BASE_SHA256_H_

#include <string>
#include <string_view>

namespace varve {

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

}  // namespace varve

#endif  // VARVE_BASE_SHA256_H_
