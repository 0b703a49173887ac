// Values of C++ types as the bytes of a stored value, and back.
//
//   struct User { std::string name; uint32_t age; std::vector<std::string> tags; };
//   varve::Result<std::string> bytes = varve::EncodeValue(User{"Ann", 41, {"admin"}});
//   varve::Result<User> user = varve::DecodeValue<User>(*bytes);
//
// Storable are integers, bool, float, double, enums with an underlying type, std::string, optional,
// pair, tuple, variant, array, vector, deque, set, map and their unordered kin, durations and system
// times, and structs of these; any other type after a specialisation of Codec. Of a type that cannot
// be stored (a pointer, a thread, a socket) the compiler says what to do instead.
//
// The bytes: the encoding's version, the fingerprint of the type, the value. Compact, the same on every
// platform, and canonical: what decodes is exactly what the encoding of the same value gives, so bytes
// can be compared for values. (0.0 and -0.0 are two values here.) docs/types.md describes them.
#ifndef VARVE_CODEC_H_
#define VARVE_CODEC_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "varve/aggregate.h"
#include "varve/codec_containers.h"
#include "varve/codec_explain.h"
#include "varve/codec_stream.h"
#include "varve/codec_types.h"
#include "varve/status.h"

namespace varve {

// The first byte of an encoded value: this or, for later encodings, up to 0xff. No UTF-8 text has one.
inline constexpr uint8_t kCodecVersion = 0xf8;
inline constexpr size_t kCodecHeaderBytes = 5;

// A struct whose earlier shape is also read:
//
//   struct User {
//     using VarvePrevious = UserV1;
//     static User VarveUpgrade(UserV1 old) { return {.name = old.name}; }
//     std::string name;
//     std::string mail;  // new
//   };
//
// A value that was stored as a UserV1 (or what that upgrades from) is read as a User; it is written as
// one at the next Put. Applies to the type that is stored as a whole, not to values within it.
template <typename T>
concept Upgradable = Storable<T> && requires(typename T::VarvePrevious old) {
  { T::VarveUpgrade(std::move(old)) } -> std::same_as<T>;
};

namespace internal {

// The name of T for messages, as the compiler spells it.
template <typename T>
constexpr std::string_view TypeName() {
  const std::string_view text = __PRETTY_FUNCTION__;
  const size_t begin = text.find("T = ") + 4;
  return text.substr(begin, text.find_first_of(";]", begin) - begin);
}

// 32 of the fingerprint's 64 bits, each dependent on all.
template <typename T>
constexpr uint32_t StoredFingerprint() {
  uint64_t mixed = Codec<T>::kFingerprint;
  mixed = (mixed ^ (mixed >> 32)) * 0x9e3779b97f4a7c15u;
  return static_cast<uint32_t>(mixed >> 32);
}

template <typename T>
std::string Describe(std::string_view action, std::string_view reason) {
  std::string text(action);
  text.append(" ").append(TypeName<T>()).append(": ").append(reason);
  return text;
}

// The version and the fingerprint. OK: the value was stored in this encoding, as what `*fingerprint`
// says.
template <typename T>
Status ReadHeader(Decoder& in, uint32_t* fingerprint) {
  uint8_t version = 0;
  if (!in.ReadByte(&version) || version < kCodecVersion || !in.ReadFixed(fingerprint)) {
    return Status::InvalidArgument(
        Describe<T>("cannot read as", "the value was stored as plain bytes, not as a type"));
  }
  if (version > kCodecVersion) {
    return Status::NotSupported(
        Describe<T>("cannot read as", "the value was stored by a newer version of varve"));
  }
  return Status::Ok();
}

template <typename T>
Result<T> DecodePayload(Decoder& in, uint32_t fingerprint) {
  if (fingerprint != StoredFingerprint<T>()) {
    if constexpr (Upgradable<T>) {
      Result<typename T::VarvePrevious> previous =
          DecodePayload<typename T::VarvePrevious>(in, fingerprint);
      if (previous.ok()) return T::VarveUpgrade(*std::move(previous));
      if (previous.status().code() != StatusCode::kInvalidArgument) return previous.status();
    }
    return Status::InvalidArgument(
        Describe<T>("cannot read as", "the value was stored as another type"));
  }
  T value{};
  if (!in.Read(&value) || !in.error().empty()) {
    return Status::Corruption(Describe<T>("cannot read as", in.error()));
  }
  if (in.remaining() > 0) {
    return Status::Corruption(Describe<T>(
        "cannot read as", std::to_string(in.remaining()) + " bytes follow the value"));
  }
  return value;
}

}  // namespace internal

// Appends to `*to`, which is as before when the result is not OK: kInvalidArgument when a Codec refuses
// the value, it is nested deeper than 100 levels or takes more than 512 MiB.
template <typename T>
Status EncodeValueTo(const T& value, std::string* to) {
  if constexpr (Storable<T>) {
    const size_t start = to->size();
    Encoder out(to);
    out.WriteByte(kCodecVersion);
    out.WriteFixed(internal::StoredFingerprint<T>());
    if (out.Write(value) && out.error().empty()) return Status::Ok();
    to->resize(start);
    return Status::InvalidArgument(internal::Describe<T>("cannot store", out.error()));
  } else {
    internal::ExplainValue<T>();
    return Status(StatusCode::kInvalidArgument);
  }
}

template <typename T>
Result<std::string> EncodeValue(const T& value) {
  std::string bytes;
  Status status = EncodeValueTo(value, &bytes);
  if (!status.ok()) return status;
  return bytes;
}

// kInvalidArgument when the bytes were stored as another type, or not by a Codec; kNotSupported when a
// newer version stored them; kCorruption when they are not what Encode writes. Any bytes are safe.
template <typename T>
Result<T> DecodeValue(std::string_view bytes) {
  if constexpr (Storable<T>) {
    Decoder in(bytes);
    uint32_t fingerprint = 0;
    Status status = internal::ReadHeader<T>(in, &fingerprint);
    if (!status.ok()) return status;
    return internal::DecodePayload<T>(in, fingerprint);
  } else {
    internal::ExplainValue<T>();
    return Status(StatusCode::kInvalidArgument);
  }
}

}  // namespace varve

#endif  // VARVE_CODEC_H_
