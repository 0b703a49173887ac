// SipHash-2-4: a keyed hash that somebody without the key can neither predict nor forge.
#ifndef VARVE_CLUSTER_SIPHASH_H_
#define VARVE_CLUSTER_SIPHASH_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace varve::cluster {

// 128 bits, from a source that nobody can guess.
using SipKey = std::array<uint64_t, 2>;

// Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012; two rounds a word and four at the end. Not
// for long-lived signatures: 64 bits.
uint64_t SipHash(const SipKey& key, std::string_view bytes);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_SIPHASH_H_
