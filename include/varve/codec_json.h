// Values as JSON, by nlohmann-json (Debian: nlohmann-json3-dev). For types that have to_json and
// from_json already, and for values that other programs than C++ ones are to read.
//
//   template <> struct varve::Codec<User> : varve::JsonCodec<User> {};
//
// nlohmann::json itself is storable once this header is included. The text follows the five bytes of the
// header (codec.h). Numbers that JSON has no words for (inf, NaN) and strings that are not UTF-8 are
// refused. All JsonCodecs have one fingerprint: what tells types apart is from_json, whose exceptions
// become errors here.
#ifndef VARVE_CODEC_JSON_H_
#define VARVE_CODEC_JSON_H_

#include <cmath>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "varve/codec.h"
#include "varve/codec_stream.h"

namespace varve {
namespace internal {

// Text that reads back as the same JSON: finite numbers, no bytes, not too deep.
inline bool IsPlainJson(const nlohmann::json& value, int depth) {
  if (depth > kMaxCodecDepth || value.is_binary() || value.is_discarded()) return false;
  if (value.is_number_float()) return std::isfinite(value.get<double>());
  for (const nlohmann::json& element : value) {
    if (value.is_structured() && !IsPlainJson(element, depth + 1)) return false;
  }
  return true;
}
// So deep that reading it may be left to recursive code.
inline bool IsShallowJson(std::string_view text) {
  int depth = 0;
  bool is_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') is_string = !is_string;
    if (is_string && c == '\\') ++i;
    if (is_string) continue;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kMaxCodecDepth) return false;
  }
  return true;
}

}  // namespace internal

template <typename T>
struct JsonCodec {
  static constexpr uint64_t kFingerprint = TypeFingerprint("json");
  static bool Encode(const T& value, Encoder& out) {
    try {
      const nlohmann::json json = value;
      if (!internal::IsPlainJson(json, 0)) {
        return out.Fail("JSON has no inf, NaN and bytes, and at most 100 levels");
      }
      return out.WriteBytes(json.dump());
    } catch (const std::exception& error) {
      return out.Fail(error.what());
    }
  }
  static bool Decode(Decoder& in, T* value) {
    std::string_view text;
    if (!in.ReadBytes(&text)) return false;
    if (!internal::IsShallowJson(text)) return in.Fail("the JSON has more than 100 levels");
    try {
      *value = nlohmann::json::parse(text).template get<T>();
      return true;
    } catch (const std::exception& error) {
      return in.Fail(error.what());
    }
  }
};

template <>
struct Codec<nlohmann::json> : JsonCodec<nlohmann::json> {};

}  // namespace varve

#endif  // VARVE_CODEC_JSON_H_
