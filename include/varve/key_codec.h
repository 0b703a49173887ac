// Values of C++ types as keys whose byte order is the order of the values, and back.
//
//   varve::EncodeKey(std::tuple<std::string, uint32_t>("ann", 7))   < ... ("ann", 8) < ... ("bob", 0)
//   varve::EncodeKeyPrefix<std::tuple<std::string, uint32_t>>("ann")   what all keys of "ann" begin with
//
// Keys may be integers, bool, float, double, enums with an underlying type, std::string, std::byte,
// optional, pair, tuple, array, vector, durations, system times, structs of these in the order of their
// fields, and Descending<T>. No encoding begins another of its type, so keys can be composed. Keys carry
// no type: that would be bytes in every key. Give each kind of key its own prefix, as TypedDb does.
#ifndef VARVE_KEY_CODEC_H_
#define VARVE_KEY_CODEC_H_

#include <array>
#include <bit>
#include <chrono>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "varve/aggregate.h"
#include "varve/codec.h"
#include "varve/codec_stream.h"
#include "varve/codec_types.h"
#include "varve/status.h"

namespace varve {

// T in the opposite order.
template <typename T>
struct Descending {
  T value{};

  friend bool operator==(const Descending&, const Descending&) = default;
  friend auto operator<=>(const Descending& a, const Descending& b) { return b.value <=> a.value; }
};

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

template <typename List>
inline constexpr bool kAreFieldsKeys = false;
template <typename... Fields>
inline constexpr bool kAreFieldsKeys<TypeList<Fields...>> = (StorableKey<Fields> && ...);

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

// 0 for none, which comes first; 1 and the value.
template <StorableKey T>
struct KeyCodec<std::optional<T>> {
  static void Encode(const std::optional<T>& key, std::string* to) {
    KeyCodec<bool>::Encode(key.has_value(), to);
    if (key.has_value()) KeyCodec<T>::Encode(*key, to);
  }
  static bool Decode(KeyReader& in, std::optional<T>* key) {
    bool has_value = false;
    if (!KeyCodec<bool>::Decode(in, &has_value)) return false;
    if (!has_value) return key->reset(), true;
    return KeyCodec<T>::Decode(in, &key->emplace());
  }
};

template <StorableKey... Ts>
struct KeyCodec<std::tuple<Ts...>> {
  static void Encode(const std::tuple<Ts...>& key, std::string* to) {
    std::apply([to](const Ts&... parts) { (KeyCodec<Ts>::Encode(parts, to), ...); }, key);
  }
  static bool Decode(KeyReader& in, std::tuple<Ts...>* key) {
    return std::apply([&in](Ts&... parts) { return (KeyCodec<Ts>::Decode(in, &parts) && ...); },
                      *key);
  }
};

template <StorableKey A, StorableKey B>
struct KeyCodec<std::pair<A, B>> {
  static void Encode(const std::pair<A, B>& key, std::string* to) {
    KeyCodec<A>::Encode(key.first, to);
    KeyCodec<B>::Encode(key.second, to);
  }
  static bool Decode(KeyReader& in, std::pair<A, B>* key) {
    return KeyCodec<A>::Decode(in, &key->first) && KeyCodec<B>::Decode(in, &key->second);
  }
};

template <StorableKey T, size_t n>
struct KeyCodec<std::array<T, n>> {
  static void Encode(const std::array<T, n>& key, std::string* to) {
    for (const T& element : key) KeyCodec<T>::Encode(element, to);
  }
  static bool Decode(KeyReader& in, std::array<T, n>* key) {
    for (T& element : *key) {
      if (!KeyCodec<T>::Decode(in, &element)) return false;
    }
    return true;
  }
};

// 1 before each element, 0 at the end: a shorter vector comes before what it begins.
template <StorableKey T>
struct KeyCodec<std::vector<T>> {
  static void Encode(const std::vector<T>& key, std::string* to) {
    for (size_t i = 0; i < key.size(); ++i) {
      to->push_back(1);
      KeyCodec<T>::Encode(key[i], to);
    }
    to->push_back(0);
  }
  static bool Decode(KeyReader& in, std::vector<T>* key) {
    key->clear();
    bool has_more = false;
    while (KeyCodec<bool>::Decode(in, &has_more)) {
      if (!has_more) return true;
      T element{};
      if (!KeyCodec<T>::Decode(in, &element)) return false;
      key->push_back(std::move(element));
    }
    return false;
  }
};

template <StorableKey Rep, typename Period>
struct KeyCodec<std::chrono::duration<Rep, Period>> {
  using Duration = std::chrono::duration<Rep, Period>;
  static void Encode(const Duration& key, std::string* to) {
    KeyCodec<Rep>::Encode(key.count(), to);
  }
  static bool Decode(KeyReader& in, Duration* key) {
    Rep ticks{};
    if (!KeyCodec<Rep>::Decode(in, &ticks)) return false;
    *key = Duration(ticks);
    return true;
  }
};

template <StorableKey Duration>
struct KeyCodec<std::chrono::time_point<std::chrono::system_clock, Duration>> {
  using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;
  static void Encode(const Time& key, std::string* to) {
    KeyCodec<Duration>::Encode(key.time_since_epoch(), to);
  }
  static bool Decode(KeyReader& in, Time* key) {
    Duration since_epoch{};
    if (!KeyCodec<Duration>::Decode(in, &since_epoch)) return false;
    *key = Time(since_epoch);
    return true;
  }
};

// All bytes inverted.
template <StorableKey T>
struct KeyCodec<Descending<T>> {
  static void Encode(const Descending<T>& key, std::string* to) {
    const size_t start = to->size();
    KeyCodec<T>::Encode(key.value, to);
    for (size_t i = start; i < to->size(); ++i) (*to)[i] = static_cast<char>(~(*to)[i]);
  }
  static bool Decode(KeyReader& in, Descending<T>* key) {
    in.Invert();
    const bool is_ok = KeyCodec<T>::Decode(in, &key->value);
    in.Invert();
    return is_ok;
  }
};

// The fields one after another.
template <typename T>
  requires PlainAggregate<T> && internal::kAreFieldsKeys<FieldTypes<T>>
struct KeyCodec<T> {
  static void Encode(const T& key, std::string* to) {
    VisitFields(key, [to]<typename... Fields>(const Fields&... fields) {
      (KeyCodec<Fields>::Encode(fields, to), ...);
    });
  }
  static bool Decode(KeyReader& in, T* key) {
    return VisitFields(*key, [&in]<typename... Fields>(Fields&... fields) {
      return (KeyCodec<Fields>::Decode(in, &fields) && ...);
    });
  }
};

namespace internal {

// The parts of a K as a tuple.
template <typename K>
struct KeyPartsOf {
  template <typename... Fields>
  static std::tuple<Fields...> AsTuple(TypeList<Fields...>);
  using Type = decltype(AsTuple(FieldTypes<K>()));
};
template <typename... Ts>
struct KeyPartsOf<std::tuple<Ts...>> {
  using Type = std::tuple<Ts...>;
};
template <typename A, typename B>
struct KeyPartsOf<std::pair<A, B>> {
  using Type = std::tuple<A, B>;
};
template <typename K>
using KeyParts = typename KeyPartsOf<K>::Type;

template <typename Part>
void AppendKeyPart(const Part& part, std::string* to) {
  KeyCodec<Part>::Encode(part, to);
}

template <typename K>
consteval void ExplainKey() {
  Explain<K>();
  static_assert(!Storable<K> || StorableKey<K>,
                "varve can store this type as a value, but not as a key: it has no order in bytes. "
                "Use numbers, strings, optional, pair, tuple, array, vector, times and structs of "
                "these, or specialise varve::KeyCodec for it (docs/types.md).");
}

}  // namespace internal

// Appends the key. A key that is one std::string is its bytes as they are, for it needs no end.
template <typename K>
void EncodeKeyTo(const K& key, std::string* to) {
  if constexpr (std::is_same_v<K, std::string>) {
    to->append(key);
  } else if constexpr (StorableKey<K>) {
    KeyCodec<K>::Encode(key, to);
  } else {
    internal::ExplainKey<K>();
  }
}

template <typename K>
std::string EncodeKey(const K& key) {
  std::string bytes;
  EncodeKeyTo(key, &bytes);
  return bytes;
}

// What the keys that begin with `parts` begin with: K is a tuple, a pair or a struct, and the parts are
// its first ones.
template <StorableKey K, typename... Parts>
  requires(sizeof...(Parts) <= std::tuple_size_v<internal::KeyParts<K>>)
std::string EncodeKeyPrefix(const Parts&... parts) {
  std::string bytes;
  [&]<size_t... indexes>(std::index_sequence<indexes...>) {
    (internal::AppendKeyPart<std::tuple_element_t<indexes, internal::KeyParts<K>>>(parts, &bytes),
     ...);
  }(std::index_sequence_for<Parts...>());
  return bytes;
}

// kInvalidArgument when the bytes are not the whole key of a K. Any bytes are safe. Some keys of another
// type may be keys of this one too: see above.
template <typename K>
Result<K> DecodeKey(std::string_view bytes) {
  if constexpr (std::is_same_v<K, std::string>) {
    return std::string(bytes);
  } else if constexpr (StorableKey<K>) {
    KeyReader in(bytes);
    K key{};
    if (!KeyCodec<K>::Decode(in, &key)) {
      return Status::InvalidArgument(internal::Describe<K>("cannot read as", "not such a key"));
    }
    if (in.remaining() > 0) {
      return Status::InvalidArgument(
          internal::Describe<K>("cannot read as", "the key goes on after it"));
    }
    return key;
  } else {
    internal::ExplainKey<K>();
    return Status(StatusCode::kInvalidArgument);
  }
}

}  // namespace varve

#endif  // VARVE_KEY_CODEC_H_
