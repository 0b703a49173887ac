// How single values are keys: numbers, enums, strings. Use key_codec.h, which has the whole.
#ifndef VARVE_KEY_CODEC_TYPES_H_
#define VARVE_KEY_CODEC_TYPES_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "varve/codec_types.h"

namespace varve {

// Reads a key from bytes that are borrowed, never past their end.
class KeyReader {
 public:
  explicit KeyReader(std::string_view input) : input_(input) {}

  bool ReadByte(uint8_t* byte) {
    if (input_.empty()) return false;
    *byte = static_cast<uint8_t>(input_.front()) ^ mask_;
    input_.remove_prefix(1);
    return true;
  }
  // Between two calls all bytes are read inverted.
  void Invert() { mask_ ^= 0xff; }
  size_t remaining() const { return input_.size(); }

 private:
  std::string_view input_;
  uint8_t mask_ = 0;
};

// How a T is a key:
//
//   static void Encode(const T&, std::string* to)   appends; a < b exactly if the bytes are, and no
//                                                   encoding is the beginning of another
//   static bool Decode(KeyReader&, T*)              accepts what Encode writes and nothing else
template <typename T>
struct KeyCodec;

template <typename T>
concept StorableKey = std::default_initializable<T> && std::movable<T> &&
                      requires(const T& key, T* to, std::string* out, KeyReader& in) {
                        KeyCodec<T>::Encode(key, out);
                        { KeyCodec<T>::Decode(in, to) } -> std::same_as<bool>;
                      };

namespace internal {

// Big-endian.
template <std::unsigned_integral T>
void AppendKeyBits(T bits, std::string* to) {
  for (size_t i = sizeof(T); i-- > 0;) {
    to->push_back(static_cast<char>(static_cast<uint64_t>(bits) >> (8 * i)));
  }
}
template <std::unsigned_integral T>
bool ReadKeyBits(KeyReader& in, T* bits) {
  uint64_t result = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    uint8_t byte = 0;
    if (!in.ReadByte(&byte)) return false;
    result = (result << 8) | byte;
  }
  *bits = static_cast<T>(result);
  return true;
}
template <typename T>
inline constexpr T kTopBit = static_cast<T>(T{1} << (8 * sizeof(T) - 1));

}  // namespace internal

template <>
struct KeyCodec<bool> {
  static void Encode(bool key, std::string* to) { to->push_back(key ? 1 : 0); }
  static bool Decode(KeyReader& in, bool* key) {
    uint8_t byte = 0;
    if (!in.ReadByte(&byte) || byte > 1) return false;
    *key = byte == 1;
    return true;
  }
};

// Big-endian, as wide as the type; the sign bit flipped.
template <internal::StorableInteger T>
struct KeyCodec<T> {
  using Bits = UnsignedLike<T>;
  static constexpr Bits kFlip = std::is_signed_v<T> ? internal::kTopBit<Bits> : Bits{0};
  static void Encode(T key, std::string* to) {
    internal::AppendKeyBits(static_cast<Bits>(static_cast<Bits>(key) ^ kFlip), to);
  }
  static bool Decode(KeyReader& in, T* key) {
    Bits bits = 0;
    if (!internal::ReadKeyBits(in, &bits)) return false;
    *key = static_cast<T>(static_cast<Bits>(bits ^ kFlip));
    return true;
  }
};

// The total order of IEEE 754: -NaN < -inf < ... < -0.0 < 0.0 < ... < inf < NaN. Positive numbers with
// the sign bit flipped, negative ones with all bits flipped.
template <internal::StorableFloat T>
struct KeyCodec<T> {
  using Bits = UnsignedLike<T>;
  static void Encode(T key, std::string* to) {
    const Bits bits = std::bit_cast<Bits>(key);
    const bool is_negative = (bits & internal::kTopBit<Bits>) != 0;
    internal::AppendKeyBits(is_negative ? static_cast<Bits>(~bits) : bits | internal::kTopBit<Bits>,
                            to);
  }
  static bool Decode(KeyReader& in, T* key) {
    Bits bits = 0;
    if (!internal::ReadKeyBits(in, &bits)) return false;
    const bool is_negative = (bits & internal::kTopBit<Bits>) == 0;
    bits = is_negative ? static_cast<Bits>(~bits) : bits ^ internal::kTopBit<Bits>;
    *key = std::bit_cast<T>(bits);
    return true;
  }
};

template <internal::StorableEnum T>
struct KeyCodec<T> {
  using Number = std::underlying_type_t<T>;
  static void Encode(T key, std::string* to) {
    KeyCodec<Number>::Encode(static_cast<Number>(key), to);
  }
  static bool Decode(KeyReader& in, T* key) {
    Number number{};
    if (!KeyCodec<Number>::Decode(in, &number)) return false;
    *key = static_cast<T>(number);
    return true;
  }
};

// The bytes, 00 as 00 ff, and 00 01 at the end: a shorter string comes before what it begins.
template <>
struct KeyCodec<std::string> {
  static void Encode(std::string_view key, std::string* to) {
    for (size_t zero; (zero = key.find('\0')) != key.npos; key.remove_prefix(zero + 1)) {
      to->append(key.substr(0, zero + 1));
      to->push_back('\xff');
    }
    to->append(key);
    to->push_back('\x00');
    to->push_back('\x01');
  }
  static bool Decode(KeyReader& in, std::string* key) {
    key->clear();
    uint8_t byte = 0;
    while (in.ReadByte(&byte)) {
      if (byte == 0) {
        if (!in.ReadByte(&byte) || (byte != 0x01 && byte != 0xff)) return false;
        if (byte == 0x01) return true;
        byte = 0;
      }
      key->push_back(static_cast<char>(byte));
    }
    return false;
  }
};

}  // namespace varve

#endif  // VARVE_KEY_CODEC_TYPES_H_
