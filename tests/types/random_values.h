// Random values of storable types, and one type that holds all of them.
#ifndef VARVE_TESTS_TYPES_RANDOM_VALUES_H_
#define VARVE_TESTS_TYPES_RANDOM_VALUES_H_

#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "varve/aggregate.h"
#include "varve/key_codec.h"

namespace varve::test {

// The seed of a test: VARVE_TEST_SEED, or 1.
inline uint64_t TypesSeed() {
  const char* text = std::getenv("VARVE_TEST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

enum class Colour : uint8_t { kRed, kGreen, kBlue };
enum class Signed : int32_t { kLow = -5, kHigh = 5 };

struct Empty {
  bool operator==(const Empty&) const = default;
};
struct Point {
  int32_t x = 0;
  double y = 0;
  bool operator==(const Point&) const = default;
};

struct Everything {
  bool flag = false;
  char letter = 0;
  uint8_t u8 = 0;
  int8_t i8 = 0;
  uint16_t u16 = 0;
  int16_t i16 = 0;
  uint32_t u32 = 0;
  int32_t i32 = 0;
  uint64_t u64 = 0;
  int64_t i64 = 0;
  char32_t rune = 0;
  float f32 = 0;
  double f64 = 0;
  Colour colour = Colour::kRed;
  Signed number = Signed::kLow;
  std::byte byte{};
  std::string text;
  std::optional<std::string> maybe;
  std::pair<uint16_t, std::string> pair;
  std::tuple<int8_t, std::optional<bool>, Empty> tuple;
  std::variant<std::monostate, uint32_t, std::string, Point> variant;
  std::vector<uint8_t> bytes;
  std::vector<std::vector<int32_t>> lists;
  std::vector<bool> bits;
  std::deque<std::string> deque;
  std::array<int16_t, 3> array{};
  int32_t grid[2][2] = {};
  std::set<std::string> set;
  std::map<uint32_t, std::string> map;
  std::unordered_map<std::string, Point> table;
  std::chrono::system_clock::time_point time;
  Point point;
};
static_assert(internal::FieldCount<Everything>() == 32);

template <typename Container>
concept MapLike = requires { typename Container::mapped_type; };

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}
  Random& random() { return random_; }

  template <typename T>
  T Make() {
    T value{};
    Fill(&value);
    return value;
  }

 private:
  size_t Size() { return random_.OneIn(20) ? 40 + random_.Uniform(200) : random_.Uniform(4); }

  void Fill(bool* value) { *value = random_.OneIn(2); }
  // Small, at an edge, or anything.
  template <std::integral T>
  void Fill(T* value) {
    const T near = static_cast<T>(random_.Uniform(2));
    switch (random_.Uniform(4)) {
      case 0: *value = static_cast<T>(random_.Uniform(5) - 2); break;
      case 1: *value = static_cast<T>(std::numeric_limits<T>::max() - near); break;
      case 2: *value = static_cast<T>(std::numeric_limits<T>::min() + near); break;
      default: *value = static_cast<T>(random_.Next() >> random_.Uniform(64));
    }
  }
  template <std::floating_point T>
  void Fill(T* value) {
    using Limits = std::numeric_limits<T>;
    const T kEdges[] = {T{0},         -T{0},           T{1},         -T{1},
                        Limits::min(), Limits::max(),  Limits::lowest(), Limits::infinity(),
                        -Limits::infinity(), Limits::denorm_min()};
    *value = random_.OneIn(2) ? kEdges[random_.Uniform(10)]
                              : static_cast<T>((random_.NextDouble() - 0.5) * 1e6);
  }
  template <typename T>
    requires std::is_enum_v<T>
  void Fill(T* value) {
    *value = static_cast<T>(Make<std::underlying_type_t<T>>());
  }
  // Of few letters, zero and 0xff among them, so that many begin alike.
  void Fill(std::string* value) {
    for (size_t i = Size(); i > 0; --i) value->push_back("\x00\x01\xff" "ab"[random_.Uniform(5)]);
  }
  template <typename T>
  void Fill(std::optional<T>* value) {
    if (random_.OneIn(2)) *value = Make<T>();
  }
  template <typename A, typename B>
  void Fill(std::pair<A, B>* value) {
    Fill(&value->first);
    Fill(&value->second);
  }
  template <typename... Ts>
  void Fill(std::tuple<Ts...>* value) {
    std::apply([this](Ts&... parts) { (Fill(&parts), ...); }, *value);
  }
  void Fill(std::monostate*) {}
  template <typename... Ts>
  void Fill(std::variant<Ts...>* value) {
    size_t left = random_.Uniform(sizeof...(Ts));
    (void)((left-- == 0 && (*value = Make<Ts>(), true)) || ...);
  }
  template <typename T, size_t n>
  void Fill(std::array<T, n>* value) {
    for (T& element : *value) Fill(&element);
  }
  template <typename T, size_t n>
  void Fill(T (*value)[n]) {
    for (T& element : *value) Fill(&element);
  }
  template <typename T>
  void Fill(std::vector<T>* value) {
    for (size_t i = Size(); i > 0; --i) value->push_back(Make<T>());
  }
  template <typename T>
  void Fill(std::deque<T>* value) {
    for (size_t i = Size(); i > 0; --i) value->push_back(Make<T>());
  }
  template <typename Container>
    requires requires { typename Container::key_type; }
  void Fill(Container* value) {
    for (size_t i = Size(); i > 0; --i) {
      if constexpr (MapLike<Container>) {
        value->emplace(Make<typename Container::key_type>(),
                       Make<typename Container::mapped_type>());
      } else {
        value->insert(Make<typename Container::key_type>());
      }
    }
  }
  template <typename Rep, typename Period>
  void Fill(std::chrono::duration<Rep, Period>* value) {
    *value = std::chrono::duration<Rep, Period>(Make<Rep>());
  }
  template <typename Clock, typename Duration>
  void Fill(std::chrono::time_point<Clock, Duration>* value) {
    *value = std::chrono::time_point<Clock, Duration>(Make<Duration>());
  }
  template <typename T>
  void Fill(Descending<T>* value) {
    Fill(&value->value);
  }
  template <PlainAggregate T>
  void Fill(T* value) {
    VisitFields(*value, [this](auto&... fields) { (Fill(&fields), ...); });
  }

  Random random_;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_TYPES_RANDOM_VALUES_H_
