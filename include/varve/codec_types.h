// Codec<T> for the types of the standard library and for plain aggregates. docs/types.md has the bytes.
// Include codec.h.
#ifndef VARVE_CODEC_TYPES_H_
#define VARVE_CODEC_TYPES_H_

#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "varve/aggregate.h"
#include "varve/codec_stream.h"

namespace varve {

// T has a Codec: it can be stored.
//
//   static constexpr uint64_t kFingerprint   tells T's encoding from every other
//   static bool Encode(const T&, Encoder&)   writes at least one byte; equal values, equal bytes
//   static bool Decode(Decoder&, T*)         accepts what Encode writes and nothing else
template <typename T>
concept Storable = std::default_initializable<T> && std::movable<T> &&
                   requires(const T& value, T* to, Encoder& out, Decoder& in) {
                     { Codec<T>::kFingerprint } -> std::convertible_to<uint64_t>;
                     { Codec<T>::Encode(value, out) } -> std::same_as<bool>;
                     { Codec<T>::Decode(in, to) } -> std::same_as<bool>;
                   };

namespace internal {

// A field of an aggregate may also be an array.
template <typename T>
inline constexpr bool kIsFieldStorable = Storable<T>;
template <typename T, size_t n>
inline constexpr bool kIsFieldStorable<T[n]> = kIsFieldStorable<T>;

template <typename List>
inline constexpr bool kAreFieldsStorable = false;
template <typename... Fields>
inline constexpr bool kAreFieldsStorable<TypeList<Fields...>> = (kIsFieldStorable<Fields> && ...);

template <typename List>
inline constexpr uint64_t kFieldsFingerprint = 0;
template <typename... Fields>
inline constexpr uint64_t kFieldsFingerprint<TypeList<Fields...>> =
    ComposeFingerprint("struct", uint64_t{Codec<Fields>::kFingerprint}...);

// Not wchar_t and long double: their sizes differ between platforms.
template <typename T>
concept StorableInteger = std::integral<T> && sizeof(T) <= 8 && !std::same_as<T, bool> &&
                          !std::same_as<T, wchar_t> && !std::is_const_v<T> &&
                          !std::is_volatile_v<T>;
template <typename T>
concept StorableFloat = std::same_as<T, float> || std::same_as<T, double>;
// Any number of the underlying type must be a value of the enum, or reading one would be undefined.
template <typename T>
concept StorableEnum = std::is_enum_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T> &&
                       requires { T{std::underlying_type_t<T>{}}; };

template <typename T>
constexpr std::string_view IntegerName() {
  constexpr std::string_view kNames[2][4] = {{"u8", "u16", "u32", "u64"},
                                             {"i8", "i16", "i32", "i64"}};
  if (std::same_as<T, char>) return "char";
  if (std::same_as<T, char8_t>) return "char8";
  if (std::same_as<T, char16_t>) return "char16";
  if (std::same_as<T, char32_t>) return "char32";
  return kNames[std::is_signed_v<T> ? 1 : 0][std::countr_zero(sizeof(T))];
}

template <typename... Parts>
[[nodiscard]] bool WriteAll(Encoder& out, const Parts&... parts) {
  if constexpr (sizeof...(parts) == 0) out.WriteByte(0);
  return (out.Write(parts) && ...);
}
template <typename... Parts>
[[nodiscard]] bool ReadAll(Decoder& in, Parts&... parts) {
  if constexpr (sizeof...(parts) == 0) {
    uint8_t byte = 0;
    if (!in.ReadByte(&byte)) return false;
    return byte == 0 || in.Fail("an empty value is not a zero byte");
  }
  return (in.Read(&parts) && ...);
}

}  // namespace internal

// One byte, 0 or 1.
template <>
struct Codec<bool> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("bool");
  static bool Encode(bool value, Encoder& out) {
    out.WriteByte(value ? 1 : 0);
    return true;
  }
  static bool Decode(Decoder& in, bool* value) {
    uint8_t byte = 0;
    if (!in.ReadByte(&byte)) return false;
    *value = byte == 1;
    return byte <= 1 || in.Fail("a bool is neither 0 nor 1");
  }
};

// A byte as it is; a wider number as a varint, a signed one zigzag: 0 -1 1 -2 2 ...
template <internal::StorableInteger T>
struct Codec<T> {
  static constexpr uint64_t kFingerprint = TypeFingerprint(internal::IntegerName<T>());
  static bool Encode(T value, Encoder& out) {
    if constexpr (sizeof(T) == 1) {
      out.WriteByte(static_cast<uint8_t>(value));
    } else if constexpr (std::is_signed_v<T>) {
      const int64_t wide = value;
      out.WriteVarint((static_cast<uint64_t>(wide) << 1) ^ static_cast<uint64_t>(wide >> 63));
    } else {
      out.WriteVarint(value);
    }
    return true;
  }
  static bool Decode(Decoder& in, T* value) {
    if constexpr (sizeof(T) == 1) {
      uint8_t byte = 0;
      if (!in.ReadByte(&byte)) return false;
      *value = static_cast<T>(byte);
      return true;
    } else {
      uint64_t bits = 0;
      if (!in.ReadVarint(&bits)) return false;
      // A zigzag number is as wide as the number itself.
      if (bits > std::numeric_limits<UnsignedLike<T>>::max()) {
        return in.Fail("a number is out of range");
      }
      if constexpr (std::is_signed_v<T>) bits = (bits >> 1) ^ (uint64_t{0} - (bits & 1));
      *value = static_cast<T>(bits);
      return true;
    }
  }
};

// The IEEE 754 bits, little-endian. Every bit comes back, those of a NaN too.
template <internal::StorableFloat T>
struct Codec<T> {
  static constexpr uint64_t kFingerprint = TypeFingerprint(sizeof(T) == 4 ? "f32" : "f64");
  static bool Encode(T value, Encoder& out) {
    out.WriteFixed(std::bit_cast<UnsignedLike<T>>(value));
    return true;
  }
  static bool Decode(Decoder& in, T* value) {
    UnsignedLike<T> bits = 0;
    if (!in.ReadFixed(&bits)) return false;
    *value = std::bit_cast<T>(bits);
    return true;
  }
};

// As its number. std::byte is one of these.
template <internal::StorableEnum T>
struct Codec<T> {
  using Number = std::underlying_type_t<T>;
  static constexpr uint64_t kFingerprint = ComposeFingerprint("enum", Codec<Number>::kFingerprint);
  static bool Encode(T value, Encoder& out) {
    return Codec<Number>::Encode(static_cast<Number>(value), out);
  }
  static bool Decode(Decoder& in, T* value) {
    Number number{};
    if (!Codec<Number>::Decode(in, &number)) return false;
    *value = static_cast<T>(number);
    return true;
  }
};

template <typename Allocator>
struct Codec<std::basic_string<char, std::char_traits<char>, Allocator>> {
  using String = std::basic_string<char, std::char_traits<char>, Allocator>;
  static constexpr uint64_t kFingerprint = TypeFingerprint("string");
  static bool Encode(const String& value, Encoder& out) {
    return out.WriteBytes({value.data(), value.size()});
  }
  static bool Decode(Decoder& in, String* value) {
    std::string_view bytes;
    if (!in.ReadBytes(&bytes)) return false;
    value->assign(bytes.data(), bytes.size());
    return true;
  }
};

template <>
struct Codec<std::monostate> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("nothing");
  static bool Encode(std::monostate, Encoder& out) { return internal::WriteAll(out); }
  static bool Decode(Decoder& in, std::monostate*) { return internal::ReadAll(in); }
};

// A byte that says whether there is a value, then the value.
template <Storable T>
struct Codec<std::optional<T>> {
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint("optional", uint64_t{Codec<T>::kFingerprint});
  static bool Encode(const std::optional<T>& value, Encoder& out) {
    return out.Write(value.has_value()) && (!value.has_value() || out.Write(*value));
  }
  static bool Decode(Decoder& in, std::optional<T>* value) {
    bool has_value = false;
    if (!in.Read(&has_value)) return false;
    if (!has_value) return value->reset(), true;
    return in.Read(&value->emplace());
  }
};

// The index of the alternative as a varint, then the alternative.
template <Storable... Ts>
struct Codec<std::variant<Ts...>> {
  using Variant = std::variant<Ts...>;
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint("variant", uint64_t{Codec<Ts>::kFingerprint}...);
  static bool Encode(const Variant& value, Encoder& out) {
    if (value.valueless_by_exception()) return out.Fail("a variant is valueless");
    out.WriteVarint(value.index());
    return std::visit([&out](const auto& alternative) { return out.Write(alternative); }, value);
  }
  static bool Decode(Decoder& in, Variant* value) {
    uint64_t index = 0;
    if (!in.ReadVarint(&index)) return false;
    if (index >= sizeof...(Ts)) return in.Fail("a variant has no such alternative");
    return DecodeAlternative(in, index, value, std::index_sequence_for<Ts...>());
  }

 private:
  template <size_t... indexes>
  static bool DecodeAlternative(Decoder& in, size_t index, Variant* value,
                                std::index_sequence<indexes...>) {
    bool is_ok = false;
    (void)((index == indexes &&
            (is_ok = in.Read(&value->template emplace<indexes>()), true)) ||
           ...);
    return is_ok;
  }
};

// Fields one after another.
template <Storable... Ts>
struct Codec<std::tuple<Ts...>> {
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint("tuple", uint64_t{Codec<Ts>::kFingerprint}...);
  static bool Encode(const std::tuple<Ts...>& value, Encoder& out) {
    return std::apply([&out](const Ts&... parts) { return internal::WriteAll(out, parts...); },
                      value);
  }
  static bool Decode(Decoder& in, std::tuple<Ts...>* value) {
    return std::apply([&in](Ts&... parts) { return internal::ReadAll(in, parts...); }, *value);
  }
};

template <Storable A, Storable B>
struct Codec<std::pair<A, B>> {
  static constexpr uint64_t kFingerprint = Codec<std::tuple<A, B>>::kFingerprint;
  static bool Encode(const std::pair<A, B>& value, Encoder& out) {
    return internal::WriteAll(out, value.first, value.second);
  }
  static bool Decode(Decoder& in, std::pair<A, B>* value) {
    return internal::ReadAll(in, value->first, value->second);
  }
};

// The number of ticks. The tick is part of the type: seconds do not read as milliseconds.
template <Storable Rep, typename Period>
struct Codec<std::chrono::duration<Rep, Period>> {
  using Duration = std::chrono::duration<Rep, Period>;
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint("duration", uint64_t{Codec<Rep>::kFingerprint},
                         static_cast<uint64_t>(Period::num), static_cast<uint64_t>(Period::den));
  static bool Encode(const Duration& value, Encoder& out) { return out.Write(value.count()); }
  static bool Decode(Decoder& in, Duration* value) {
    Rep ticks{};
    if (!in.Read(&ticks)) return false;
    *value = Duration(ticks);
    return true;
  }
};

// Since the Unix epoch. Other clocks have other epochs, which a restart may change.
template <Storable Duration>
struct Codec<std::chrono::time_point<std::chrono::system_clock, Duration>> {
  using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint("time", uint64_t{Codec<Duration>::kFingerprint});
  static bool Encode(const Time& value, Encoder& out) {
    return out.Write(value.time_since_epoch());
  }
  static bool Decode(Decoder& in, Time* value) {
    Duration since_epoch{};
    if (!in.Read(&since_epoch)) return false;
    *value = Time(since_epoch);
    return true;
  }
};

// An array as a field of an aggregate: its elements.
template <typename T, size_t n>
  requires internal::kIsFieldStorable<T>
struct Codec<T[n]> {
  static constexpr uint64_t kFingerprint =
      ComposeFingerprint("array", uint64_t{Codec<T>::kFingerprint}, uint64_t{n});
  static bool Encode(const T (&value)[n], Encoder& out) {
    for (const T& element : value) {
      if (!out.Write(element)) return false;
    }
    return true;
  }
  static bool Decode(Decoder& in, T (*value)[n]) {
    for (T& element : *value) {
      if (!in.Read(&element)) return false;
    }
    return true;
  }
};

// The fields in the order of their declaration. A member `static constexpr std::string_view
// kVarveType = "..."` makes a struct distinct from others with the same fields.
template <typename T>
  requires PlainAggregate<T> && internal::kAreFieldsStorable<FieldTypes<T>>
struct Codec<T> {
  static constexpr uint64_t Fingerprint() {
    constexpr uint64_t kFields = internal::kFieldsFingerprint<FieldTypes<T>>;
    if constexpr (requires { std::string_view(T::kVarveType); }) {
      return TypeFingerprint(T::kVarveType, kFields);
    } else {
      return kFields;
    }
  }
  static constexpr uint64_t kFingerprint = Fingerprint();
  static bool Encode(const T& value, Encoder& out) {
    return VisitFields(value, [&out](const auto&... fields) {
      return internal::WriteAll(out, fields...);
    });
  }
  static bool Decode(Decoder& in, T* value) {
    return VisitFields(*value, [&in](auto&... fields) { return internal::ReadAll(in, fields...); });
  }
};

}  // namespace varve

#endif  // VARVE_CODEC_TYPES_H_
