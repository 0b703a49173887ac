#include "cluster/slot.h"

#include <array>
#include <cstddef>

#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr std::array<uint16_t, 256> MakeTable() {
  std::array<uint16_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t remainder = byte << 8;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder & 0x8000) != 0 ? (remainder << 1) ^ 0x1021 : remainder << 1;
    }
    table[byte] = static_cast<uint16_t>(remainder);
  }
  return table;
}

constexpr std::array<uint16_t, 256> kTable = MakeTable();

}  // namespace

uint16_t Crc16(std::string_view bytes) {
  uint32_t crc = 0;
  for (const char c : bytes) {
    crc = ((crc << 8) & 0xffff) ^ kTable[(crc >> 8) ^ static_cast<unsigned char>(c)];
  }
  return static_cast<uint16_t>(crc);
}

std::string_view HashTag(std::string_view key) {
  const size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const size_t close = VARVE_PLANTED_BUG("slot.tag_ends_at_the_last_brace")
                           ? key.rfind('}')
                           : key.find('}', open + 1);
  if (close == std::string_view::npos || close <= open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

uint16_t SlotOf(std::string_view key) {
  return static_cast<uint16_t>(Crc16(HashTag(key)) & (kSlots - 1));
}

}  // namespace varve::cluster
