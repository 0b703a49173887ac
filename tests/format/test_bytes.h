// Bytes for tests: hex dumps for golden tests, and values that do or do not compress.
#ifndef VARVE_TESTS_FORMAT_TEST_BYTES_H_
#define VARVE_TESTS_FORMAT_TEST_BYTES_H_

#include <string>
#include <string_view>

#include "base/random.h"

namespace varve::test {

inline std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

// The bytes of hex digits; blanks are ignored.
inline std::string Unhex(std::string_view hex) {
  std::string bytes;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  return bytes;
}

inline std::string RandomBytes(Random* random, size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random->Next());
  return bytes;
}

// Compresses to about half.
inline std::string HalfRandomBytes(Random* random, size_t size) {
  return RandomBytes(random, size / 2) + std::string(size - size / 2, 'v');
}

}  // namespace varve::test

#endif  // VARVE_TESTS_FORMAT_TEST_BYTES_H_
