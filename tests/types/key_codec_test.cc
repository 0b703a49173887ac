// Keys of C++ types: their bytes order as the values do, and read back.
#include "varve/key_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <compare>
#include <deque>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"
#include "tests/types/random_values.h"

namespace varve::test {
namespace key_codec_test {

struct EventKey {
  std::string user;
  Descending<uint32_t> when;
  std::optional<int16_t> part;
  auto operator<=>(const EventKey&) const = default;
};

// The order of values that keys promise, spelt out once more, without bytes.
template <typename T>
std::strong_ordering Order(const T& a, const T& b) {
  if constexpr (std::floating_point<T>) {
    return std::strong_order(a, b);
  } else {
    return a <=> b;
  }
}
// As unsigned bytes, whatever char is.
std::strong_ordering Order(const std::string& a, const std::string& b) {
  return a.compare(b) <=> 0;
}
template <typename T>
std::strong_ordering Order(const Descending<T>& a, const Descending<T>& b) {
  return Order(b.value, a.value);
}
template <typename... Ts>
std::strong_ordering Order(const std::tuple<Ts...>& a, const std::tuple<Ts...>& b) {
  std::strong_ordering result = std::strong_ordering::equal;
  [&]<size_t... indexes>(std::index_sequence<indexes...>) {
    (void)((result = Order(std::get<indexes>(a), std::get<indexes>(b)), result != 0) || ...);
  }(std::index_sequence_for<Ts...>());
  return result;
}

// All pairs of a few random keys: the order of bytes is that of values, and each key reads back.
template <typename K>
void ExpectOrdered() {
  const uint64_t seed = TypesSeed();
  SCOPED_TRACE("VARVE_TEST_SEED=" + std::to_string(seed));
  Generator generator(seed);
  for (size_t round = Scaled(20); round > 0; --round) {
    std::deque<K> keys;
    std::vector<std::string> bytes;
    for (int i = 0; i < 40; ++i) {
      keys.push_back(generator.Make<K>());
      bytes.push_back(EncodeKey(keys.back()));
      const Result<K> back = DecodeKey<K>(bytes.back());
      ASSERT_OK(back);
      ASSERT_TRUE(Order(*back, keys.back()) == 0);
    }
    for (size_t a = 0; a < keys.size(); ++a) {
      for (size_t b = 0; b < keys.size(); ++b) {
        ASSERT_TRUE(Order(keys[a], keys[b]) == (bytes[a].compare(bytes[b]) <=> 0));
        // No key begins another, or composed keys would not be ordered.
        if (!std::is_same_v<K, std::string> && bytes[a] != bytes[b]) {
          ASSERT_FALSE(bytes[b].starts_with(bytes[a]));
        }
      }
    }
  }
}

template <typename K>
class KeyOrderTest : public testing::Test {};
using KeyTypes = testing::Types<
    bool, uint8_t, int8_t, char, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t, float,
    double, Colour, Signed, std::string, std::optional<int32_t>, std::chrono::milliseconds,
    std::chrono::sys_seconds, std::vector<int16_t>, std::vector<std::string>,
    std::array<int8_t, 3>, std::tuple<std::string, std::string>,
    std::tuple<std::string, uint32_t, double>, std::tuple<Descending<std::string>, std::string>,
    std::tuple<std::optional<std::string>, int8_t>, std::tuple<Descending<double>, bool>,
    std::tuple<std::vector<std::string>, std::string>,
    std::tuple<Descending<std::vector<uint8_t>>, int32_t>,
    std::tuple<Descending<Descending<std::string>>, Descending<std::string>>,
    std::tuple<std::tuple<std::string, bool>, std::string>, EventKey>;
TYPED_TEST_SUITE(KeyOrderTest, KeyTypes);
TYPED_TEST(KeyOrderTest, BytesOrderAsValues) { ExpectOrdered<TypeParam>(); }

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "0123456789abcdef"[static_cast<uint8_t>(c) >> 4];
    text += "0123456789abcdef"[static_cast<uint8_t>(c) & 15];
  }
  return text;
}
template <typename K>
std::string Golden(const K& key) {
  return Hex(EncodeKey(key));
}

TEST(KeyCodecTest, BytesAreWhatTheyAlwaysWere) {
  using namespace std::chrono_literals;
  using namespace std::string_literals;
  EXPECT_EQ(Golden(true), "01");
  EXPECT_EQ(Golden(uint8_t{200}), "c8");
  EXPECT_EQ(Golden(int8_t{-1}), "7f");
  EXPECT_EQ(Golden(uint16_t{300}), "012c");
  EXPECT_EQ(Golden(int32_t{0}), "80000000");
  EXPECT_EQ(Golden(int32_t{-2}), "7ffffffe");
  EXPECT_EQ(Golden(uint64_t{258}), "0000000000000102");
  EXPECT_EQ(Golden(1.5f), "bfc00000");
  EXPECT_EQ(Golden(-1.5), "4007ffffffffffff");
  EXPECT_EQ(Golden(Colour::kBlue), "02");
  EXPECT_EQ(Golden("a\0b"s), "610062");
  EXPECT_EQ(Golden(std::tuple("a\0b"s)), "6100ff620001");
  EXPECT_EQ(Golden(std::optional<uint8_t>()), "00");
  EXPECT_EQ(Golden(std::optional<uint8_t>(7)), "0107");
  EXPECT_EQ(Golden(std::pair("x"s, uint8_t{7})), "78000107");
  EXPECT_EQ(Golden(std::vector<uint8_t>{7, 8}), "0107010800");
  EXPECT_EQ(Golden(std::array<uint8_t, 2>{7, 8}), "0708");
  EXPECT_EQ(Golden(std::chrono::sys_seconds(3s)), "8000000000000003");
  EXPECT_EQ(Golden(Descending<std::string>{"x"}), "87fffe");
  EXPECT_EQ(Golden(EventKey{"x", {1}, 2}), "780001" "fffffffe" "018002");
}

TEST(KeyCodecTest, FloatsHaveATotalOrder) {
  using Limits = std::numeric_limits<double>;
  const double nan = std::bit_cast<double>(0x7ff8000000000000u);
  const double ascending[] = {-nan, -Limits::infinity(), Limits::lowest(), -1.0, -Limits::min(),
                              -Limits::denorm_min(), -0.0, 0.0, Limits::denorm_min(), Limits::min(),
                              1.0, Limits::max(), Limits::infinity(), nan};
  for (size_t i = 1; i < std::size(ascending); ++i) {
    EXPECT_LT(EncodeKey(ascending[i - 1]), EncodeKey(ascending[i])) << i;
    const Result<double> back = DecodeKey<double>(EncodeKey(ascending[i]));
    ASSERT_OK(back);
    EXPECT_EQ(std::bit_cast<uint64_t>(*back), std::bit_cast<uint64_t>(ascending[i]));
  }
}

TEST(KeyCodecTest, PrefixIsWhatKeysBeginWith) {
  using Key = std::tuple<std::string, int64_t, std::string>;
  const std::string prefix = EncodeKeyPrefix<Key>("ann", 7);  // converted: an int is not an int64_t
  EXPECT_TRUE(EncodeKey(Key("ann", 7, "x")).starts_with(prefix));
  EXPECT_FALSE(EncodeKey(Key("ann", 8, "x")).starts_with(prefix));
  EXPECT_FALSE(EncodeKey(Key("anna", 7, "x")).starts_with(EncodeKeyPrefix<Key>("ann")));
  EXPECT_TRUE(EncodeKey(EventKey{"ann", {3}, {}}).starts_with(EncodeKeyPrefix<EventKey>("ann")));
  EXPECT_EQ(EncodeKeyPrefix<Key>(), "");
}

TEST(KeyCodecTest, BytesThatAreNoSuchKeyAreRefused) {
  using namespace std::string_literals;
  using Strings = std::tuple<std::string>;
  EXPECT_STATUS(kInvalidArgument, DecodeKey<bool>("\x02"));
  EXPECT_STATUS(kInvalidArgument, DecodeKey<uint32_t>("abc"));
  EXPECT_STATUS(kInvalidArgument, DecodeKey<uint32_t>("abcde"));
  EXPECT_STATUS(kInvalidArgument, DecodeKey<Strings>("a"));
  EXPECT_STATUS(kInvalidArgument, DecodeKey<Strings>("a\0"s));
  EXPECT_STATUS(kInvalidArgument, DecodeKey<Strings>("a\0\x02"s));
  EXPECT_STATUS(kInvalidArgument, DecodeKey<Strings>("a\0\x01z"s));
  EXPECT_STATUS(kInvalidArgument, DecodeKey<std::optional<bool>>("\x02"));
  EXPECT_STATUS(kInvalidArgument, DecodeKey<std::vector<bool>>("\x01\x01"));
  EXPECT_OK(DecodeKey<std::string>("anything\0"s));
}

// Every truncation and every change of a byte is refused or is another key, exactly.
TEST(KeyCodecTest, DamagedKeysAreRefusedOrOtherKeys) {
  using Key = std::tuple<std::string, std::optional<double>, Descending<std::vector<std::string>>,
                         bool, Descending<std::optional<int32_t>>>;
  const uint64_t seed = TypesSeed();
  SCOPED_TRACE("VARVE_TEST_SEED=" + std::to_string(seed));
  Generator generator(seed);
  const auto expect_exact = [](const std::string& bytes) {
    // As long as it is, so that the address sanitizer sees a read past its end.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const Result<Key> key = DecodeKey<Key>({exact.data(), exact.size()});
    if (key.ok()) {
      ASSERT_EQ(EncodeKey(*key), bytes);
    } else {
      ASSERT_STATUS(kInvalidArgument, key);
    }
  };
  for (size_t round = Scaled(20); round > 0; --round) {
    const std::string bytes = EncodeKey(generator.Make<Key>());
    for (size_t i = 0; i < bytes.size(); ++i) {
      ASSERT_STATUS(kInvalidArgument, DecodeKey<Key>(bytes.substr(0, i)));
      for (const int change : {0x01, 0x80, 0xff, 0x02}) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ change);
        expect_exact(damaged);
      }
    }
  }
}

static_assert(StorableKey<EventKey> && StorableKey<std::byte> && StorableKey<Descending<Colour>>);
static_assert(!StorableKey<int*> && !StorableKey<std::vector<int*>> && !StorableKey<Everything>);
static_assert(!StorableKey<std::map<int, int>> && !StorableKey<std::tuple<std::map<int, int>>>);

}  // namespace key_codec_test
}  // namespace varve::test
