#include "node/base64.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace varve::node {

namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> kValues = [] {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kLetters.size(); ++i) values[static_cast<uint8_t>(kLetters[i])] = static_cast<int8_t>(i);
  return values;
}();

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : uint8_t{0});
    }
    const size_t count = bytes.size() - at;
    for (size_t i = 0; i < 4; ++i) text.push_back(i <= count ? kLetters[bits >> (18 - 6 * i) & 63] : '=');
  }
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t at = 0; at < text.size(); at += 4) {
    size_t letters = 4;
    if (at + 4 == text.size()) {
      while (letters > 2 && text[at + letters - 1] == '=') --letters;
    }
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) {
      const int value = i < letters ? kValues[static_cast<uint8_t>(text[at + i])] : 0;
      if (value < 0) return std::nullopt;
      bits = bits << 6 | static_cast<uint32_t>(value);
    }
    for (size_t i = 0; i + 1 < letters; ++i) bytes.push_back(static_cast<char>(bits >> (16 - 8 * i)));
    // The bits that no byte takes are zeros.
    if (letters < 4 && (bits & (letters == 3 ? 0xff : 0xffff)) != 0) return std::nullopt;
  }
  return bytes;
}

}  // namespace varve::node
