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

#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "varve/codec.h"
#include "varve/key_codec_containers.h"
#include "varve/key_codec_types.h"
#include "varve/status.h"

namespace varve {

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
