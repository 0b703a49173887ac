// From a key to its slot: the rule of Redis Cluster, so that its clients can go to the right node directly.
//
//   slot = CRC16(the key, or its hash tag) mod 16384
//
// CRC16 is the XMODEM variant: polynomial 0x1021, initial value 0, no reflection. Slots never change; which
// partition they belong to, and where that lies, is the placement's (placement.h).
#ifndef VARVE_CLUSTER_SLOT_H_
#define VARVE_CLUSTER_SLOT_H_

#include <cstdint>
#include <string_view>

namespace varve::cluster {

inline constexpr uint32_t kSlotBits = 14;
inline constexpr uint32_t kSlots = 1u << kSlotBits;

// O(size), a table of 512 bytes.
uint16_t Crc16(std::string_view bytes);

// What of `key` is hashed: the bytes between the first '{' and the first '}' after it, when there is at least
// one; otherwise the whole key. A view into `key`.
std::string_view HashTag(std::string_view key);

// In [0, kSlots).
uint16_t SlotOf(std::string_view key);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_SLOT_H_
