// How values made of others are keys: optional, tuple, vector, times, structs, Descending. Use
// key_codec.h, which has the whole.
#ifndef VARVE_KEY_CODEC_CONTAINERS_H_
#define VARVE_KEY_CODEC_CONTAINERS_H_

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "varve/aggregate.h"
#include "varve/key_codec_types.h"

namespace varve {

// T in the opposite order.
template <typename T>
struct Descending {
  T value{};

  friend bool operator==(const Descending&, const Descending&) = default;
  friend auto operator<=>(const Descending& a, const Descending& b) { return b.value <=> a.value; }
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
    std::apply([&](const Ts&... parts) { (KeyCodec<Ts>::Encode(parts, to), ...); }, key);
  }
  static bool Decode(KeyReader& in, std::tuple<Ts...>* key) {
    return std::apply([&](Ts&... parts) { return (KeyCodec<Ts>::Decode(in, &parts) && ...); },
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

namespace internal {

template <typename List>
inline constexpr bool kAreFieldsKeys = false;
template <typename... Fields>
inline constexpr bool kAreFieldsKeys<TypeList<Fields...>> = (StorableKey<Fields> && ...);

}  // namespace internal

// The fields one after another.
template <typename T>
  requires PlainAggregate<T> && internal::kAreFieldsKeys<FieldTypes<T>>
struct KeyCodec<T> {
  static void Encode(const T& key, std::string* to) {
    VisitFields(key, [&]<typename... Fields>(const Fields&... fields) {
      (KeyCodec<Fields>::Encode(fields, to), ...);
    });
  }
  static bool Decode(KeyReader& in, T* key) {
    return VisitFields(*key, [&]<typename... Fields>(Fields&... fields) {
      return (KeyCodec<Fields>::Decode(in, &fields) && ...);
    });
  }
};

}  // namespace varve

#endif  // VARVE_KEY_CODEC_CONTAINERS_H_
