// The fields of a plain aggregate, without naming them: how many there are, and a call with all of them.
//
// C++20 has no reflection. The number is found by trying how many initialisers an aggregate accepts
// (Antony Polukhin's method), the fields by a structured binding of that many names.
#ifndef VARVE_AGGREGATE_H_
#define VARVE_AGGREGATE_H_

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace varve {

inline constexpr size_t kMaxFields = 32;

namespace internal {

// An initialiser for a field of any type.
struct AnyField {
  template <typename T>
  operator T() const;  // NOLINT: converts to anything
};
// An initialiser for a base class of T only.
template <typename T>
struct AnyBase {
  template <typename Base>
    requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>)
  operator Base() const;  // NOLINT: converts to any base
};

template <size_t>
using AnyFieldAt = AnyField;

// Initialisers of an array without braces count one by one, so this goes beyond kMaxFields.
inline constexpr size_t kMaxInitialisers = 64;

template <typename T, size_t... before>
consteval bool Accepts(std::index_sequence<before...>) {
  return requires { T{AnyFieldAt<before>{}...}; };
}
// T{before..., {inner...}, after...}
template <typename T, size_t... before, size_t... inner, size_t... after>
consteval bool AcceptsNested(std::index_sequence<before...>, std::index_sequence<inner...>,
                             std::index_sequence<after...>) {
  return requires { T{AnyFieldAt<before>{}..., {AnyFieldAt<inner>{}...}, AnyFieldAt<after>{}...}; };
}

template <typename T, size_t count = 0>
consteval size_t InitialiserCount() {
  if constexpr (count > kMaxInitialisers) {
    return count;
  } else if constexpr (!Accepts<T>(std::make_index_sequence<count + 1>())) {
    return count;
  } else {
    return InitialiserCount<T, count + 1>();
  }
}

// How many of the `total` initialisers the field that takes the one at `at` takes: more than one only
// when it is an array, which leaves less room for the others the more of it is written in braces.
template <typename T, size_t total, size_t at, size_t size = 2>
consteval size_t InitialisersOfField() {
  if constexpr (at + size > total) {
    return 1;
  } else if constexpr (AcceptsNested<T>(std::make_index_sequence<at>(),
                                        std::make_index_sequence<size>(),
                                        std::make_index_sequence<total - at - size>()) &&
                       !AcceptsNested<T>(std::make_index_sequence<at>(),
                                         std::make_index_sequence<size>(),
                                         std::make_index_sequence<total - at - size + 1>())) {
    return size;
  } else {
    return InitialisersOfField<T, total, at, size + 1>();
  }
}

template <typename T, size_t total, size_t at = 0>
consteval size_t CountFields() {
  if constexpr (at >= total) {
    return 0;
  } else {
    return 1 + CountFields<T, total, at + InitialisersOfField<T, total, at>()>();
  }
}

template <typename T>
consteval size_t FieldCount() {
  constexpr size_t kInitialisers = InitialiserCount<T>();
  if constexpr (kInitialisers > kMaxInitialisers) {
    return kInitialisers;
  } else {
    return CountFields<T, kInitialisers>();
  }
}

}  // namespace internal

// std::array and what else has a structured binding of its own.
template <typename T>
concept TupleLike = requires { std::tuple_size<T>::value; };

// A struct without constructors, bases, private or virtual members, that can be made without arguments
// and moved, of at most 32 fields.
template <typename T>
concept PlainAggregate = std::is_class_v<T> && std::is_aggregate_v<T> && !TupleLike<T> &&
                         std::default_initializable<T> && std::movable<T> &&
                         !requires { T{internal::AnyBase<T>{}}; } &&
                         internal::FieldCount<T>() <= kMaxFields;

// Returns visit(field...), in the order of their declaration. Bit-fields do not compile.
template <typename T, typename Visit>
  requires PlainAggregate<std::remove_const_t<T>>
constexpr decltype(auto) VisitFields(T& object, Visit&& visit) {
  constexpr size_t kCount = internal::FieldCount<std::remove_const_t<T>>();
  if constexpr (kCount == 0) {
    return visit();
  } else if constexpr (kCount == 1) {
    auto& [f0] = object;
    return visit(f0);
  } else if constexpr (kCount == 2) {
    auto& [f0, f1] = object;
    return visit(f0, f1);
  } else if constexpr (kCount == 3) {
    auto& [f0, f1, f2] = object;
    return visit(f0, f1, f2);
  } else if constexpr (kCount == 4) {
    auto& [f0, f1, f2, f3] = object;
    return visit(f0, f1, f2, f3);
  } else if constexpr (kCount == 5) {
    auto& [f0, f1, f2, f3, f4] = object;
    return visit(f0, f1, f2, f3, f4);
  } else if constexpr (kCount == 6) {
    auto& [f0, f1, f2, f3, f4, f5] = object;
    return visit(f0, f1, f2, f3, f4, f5);
  } else if constexpr (kCount == 7) {
    auto& [f0, f1, f2, f3, f4, f5, f6] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6);
  } else if constexpr (kCount == 8) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7);
  } else if constexpr (kCount == 9) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8);
  } else if constexpr (kCount == 10) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9);
  } else if constexpr (kCount == 11) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10);
  } else if constexpr (kCount == 12) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11);
  } else if constexpr (kCount == 13) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12);
  } else if constexpr (kCount == 14) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13);
  } else if constexpr (kCount == 15) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14);
  } else if constexpr (kCount == 16) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15);
  } else if constexpr (kCount == 17) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16);
  } else if constexpr (kCount == 18) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17);
  } else if constexpr (kCount == 19) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
           f18] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18);
  } else if constexpr (kCount == 20) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
           f19] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19);
  } else if constexpr (kCount == 21) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20);
  } else if constexpr (kCount == 22) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21);
  } else if constexpr (kCount == 23) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22);
  } else if constexpr (kCount == 24) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23);
  } else if constexpr (kCount == 25) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23, f24] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23, f24);
  } else if constexpr (kCount == 26) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23, f24, f25] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23, f24, f25);
  } else if constexpr (kCount == 27) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23, f24, f25, f26] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23, f24, f25, f26);
  } else if constexpr (kCount == 28) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23, f24, f25, f26, f27] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23, f24, f25, f26, f27);
  } else if constexpr (kCount == 29) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23, f24, f25, f26, f27, f28] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28);
  } else if constexpr (kCount == 30) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23, f24, f25, f26, f27, f28, f29] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29);
  } else if constexpr (kCount == 31) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30);
  } else if constexpr (kCount == 32) {
    auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
           f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31] = object;
    return visit(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17,
                 f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31);
  }
}

template <typename... Types>
struct TypeList {};

namespace internal {
struct ToTypeList {
  template <typename... Fields>
  TypeList<Fields...> operator()(Fields&...) const;
};
}  // namespace internal

// The types of the fields, as a TypeList.
template <PlainAggregate T>
using FieldTypes = decltype(VisitFields(std::declval<T&>(), internal::ToTypeList()));

}  // namespace varve

#endif  // VARVE_AGGREGATE_H_
