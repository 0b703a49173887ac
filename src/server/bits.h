// Bits of a string: bit 0 is the highest of the first byte. Behind its end a string is zeros.
#ifndef VARVE_SERVER_BITS_H_
#define VARVE_SERVER_BITS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/call.h"

namespace varve::server {

inline bool BitAt(std::string_view bytes, uint64_t at) {
  const uint64_t byte = at / 8;
  return byte < bytes.size() && ((static_cast<uint8_t>(bytes[byte]) >> (7 - at % 8)) & 1) != 0;
}

// REQUIRES: the byte is there.
inline void SetBitAt(std::string* bytes, uint64_t at, bool value) {
  const uint8_t mask = static_cast<uint8_t>(0x80 >> (at % 8));
  char& byte = (*bytes)[at / 8];
  byte = static_cast<char>(value ? static_cast<uint8_t>(byte) | mask
                                 : static_cast<uint8_t>(byte) & static_cast<uint8_t>(~mask));
}

// Makes room for the bit.
inline void GrowToBit(std::string* bytes, uint64_t at) {
  if (bytes->size() < at / 8 + 1) bytes->resize(at / 8 + 1);
}

// args[i] as the number of a bit. With `width` above 0 also "#n": the n-th field of so many bits. False after
// replying an error.
bool TakeBitOffset(Call& call, size_t i, int width, uint64_t* offset);

}  // namespace varve::server

#endif  // VARVE_SERVER_BITS_H_
