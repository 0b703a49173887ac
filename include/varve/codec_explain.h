// What the compiler says about a type that cannot be stored. Include codec.h.
#ifndef VARVE_CODEC_EXPLAIN_H_
#define VARVE_CODEC_EXPLAIN_H_

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "varve/aggregate.h"
#include "varve/codec_types.h"

namespace varve::internal {

template <typename T>
inline constexpr bool kNo = false;

template <typename T>
inline constexpr bool kIsSmartPointer = false;
template <typename T, typename Deleter>
inline constexpr bool kIsSmartPointer<std::unique_ptr<T, Deleter>> = true;
template <typename T>
inline constexpr bool kIsSmartPointer<std::shared_ptr<T>> = true;
template <typename T>
inline constexpr bool kIsSmartPointer<std::weak_ptr<T>> = true;

template <typename T>
inline constexpr bool kIsTime = false;
template <typename Clock, typename Duration>
inline constexpr bool kIsTime<std::chrono::time_point<Clock, Duration>> = true;

// The types that T consists of, for the known templates; their own storability decides T's.
template <typename T>
struct PartsOf {};
template <typename... Ts>
struct PartsOf<std::tuple<Ts...>> {
  using Types = TypeList<Ts...>;
};
template <typename... Ts>
struct PartsOf<std::variant<Ts...>> : PartsOf<std::tuple<Ts...>> {};
template <typename A, typename B>
struct PartsOf<std::pair<A, B>> : PartsOf<std::tuple<A, B>> {};
template <typename T>
struct PartsOf<std::optional<T>> : PartsOf<std::tuple<T>> {};
template <typename T, size_t n>
struct PartsOf<std::array<T, n>> : PartsOf<std::tuple<T>> {};
template <typename T, size_t n>
struct PartsOf<T[n]> : PartsOf<std::tuple<T>> {};
template <typename T, typename A>
struct PartsOf<std::vector<T, A>> : PartsOf<std::tuple<T>> {};
template <typename T, typename A>
struct PartsOf<std::deque<T, A>> : PartsOf<std::tuple<T>> {};
template <typename K, typename... Rest>
struct PartsOf<std::set<K, Rest...>> : PartsOf<std::tuple<K>> {};
template <typename K, typename... Rest>
struct PartsOf<std::unordered_set<K, Rest...>> : PartsOf<std::tuple<K>> {};
template <typename K, typename V, typename... Rest>
struct PartsOf<std::map<K, V, Rest...>> : PartsOf<std::tuple<K, V>> {};
template <typename K, typename V, typename... Rest>
struct PartsOf<std::unordered_map<K, V, Rest...>> : PartsOf<std::tuple<K, V>> {};
template <typename Rep, typename Period>
struct PartsOf<std::chrono::duration<Rep, Period>> : PartsOf<std::tuple<Rep>> {};

template <typename T>
consteval void Explain();
template <typename... Ts>
consteval void ExplainEach(TypeList<Ts...>) {
  (Explain<Ts>(), ...);
}

// Compiles when T is storable. Otherwise fails in a static_assert on the innermost type that is not.
template <typename T>
consteval void Explain() {
  if constexpr (kIsFieldStorable<T>) {
    return;
  } else if constexpr (std::is_const_v<T> || std::is_volatile_v<T>) {
    static_assert(kNo<T>, "varve cannot store a const or volatile type: reading it would have to "
                          "change it. Remove the qualifier.");
  } else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> || kIsSmartPointer<T> ||
                       std::is_null_pointer_v<T> || std::is_function_v<T>) {
    static_assert(kNo<T>, "varve cannot store a pointer: an address means nothing to the next "
                          "process. Store what it points to, std::optional of it if it may be "
                          "absent, or the key of another record.");
  } else if constexpr (std::is_reference_v<T> || std::is_same_v<T, std::string_view>) {
    static_assert(kNo<T>, "varve cannot store a reference or a view: nothing would own what it "
                          "reads back. Store the value; std::string for std::string_view.");
  } else if constexpr (std::is_enum_v<T>) {
    static_assert(kNo<T>, "varve cannot store an enum without a fixed underlying type: not every "
                          "number is a value of it. Declare it as enum class E : uint8_t.");
  } else if constexpr (std::is_arithmetic_v<T>) {
    static_assert(kNo<T>, "varve cannot store wchar_t and long double: they differ between "
                          "platforms. Use char32_t and double.");
  } else if constexpr (kIsTime<T>) {
    static_assert(kNo<T>, "varve cannot store a time of this clock: it means nothing after a "
                          "restart. Use std::chrono::system_clock.");
  } else if constexpr (requires { typename PartsOf<T>::Types; }) {
    ExplainEach(typename PartsOf<T>::Types());
  } else if constexpr (requires { sizeof(Codec<T>); }) {
    static_assert(kNo<T>, "varve::Codec of this type is incomplete. It needs kFingerprint, "
                          "static bool Encode(const T&, Encoder&) and static bool Decode(Decoder&, "
                          "T*); the type must be movable and have a default constructor.");
  } else if constexpr (PlainAggregate<T>) {
    ExplainEach(FieldTypes<T>());
  } else {
    static_assert(kNo<T>, "varve does not know how to store this type. If it is data, make it a "
                          "struct without constructors, bases, private, const and reference "
                          "members, of at most 32 fields (an array counts its elements: use "
                          "std::array), or specialise varve::Codec for it (docs/types.md). If it "
                          "stands for something of the running process, such as a thread, a lock "
                          "or a socket, store what it was made from.");
  }
}

// The same for a value as a whole, which may not be an array.
template <typename T>
consteval void ExplainValue() {
  static_assert(!std::is_array_v<T>, "varve cannot store an array or a string literal as a whole: "
                                     "use std::array or std::string.");
  Explain<T>();
}

}  // namespace varve::internal

#endif  // VARVE_CODEC_EXPLAIN_H_
