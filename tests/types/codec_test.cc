// Values as bytes and back: what they look like, what comes back, what is refused.
#include "varve/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"
#include "tests/types/random_values.h"

namespace varve::test {
namespace {
// Recursive: a Codec of its own ends the question whether it is storable.
struct Node {
  std::string name;
  std::vector<Node> children;
  bool operator==(const Node&) const = default;
};
// Refuses what is negative; what it reads must not be either.
struct Money {
  int64_t cents = 0;
  bool operator==(const Money&) const = default;
};
// Breaks the rule that every value takes a byte.
struct Nothing {};
struct Thrower {
  Thrower() = default;
  explicit Thrower(int number) { throw number; }
  std::string text;
};
// Notes a failure, and claims to have succeeded.
struct Careless {};
}  // namespace
}  // namespace varve::test

namespace varve {
template <>
struct Codec<test::Node> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("Node");
  static bool Encode(const test::Node& node, Encoder& out) {
    return out.Write(node.name) && out.Write(node.children);
  }
  static bool Decode(Decoder& in, test::Node* node) {
    return in.Read(&node->name) && in.Read(&node->children);
  }
};
template <>
struct Codec<test::Money> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("Money");
  static bool Encode(const test::Money& money, Encoder& out) {
    return money.cents < 0 ? out.Fail("money is negative") : out.Write(money.cents);
  }
  static bool Decode(Decoder& in, test::Money* money) {
    return in.Read(&money->cents) && (money->cents >= 0 || in.Fail("money is negative"));
  }
};
template <>
struct Codec<test::Nothing> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("Nothing");
  static bool Encode(const test::Nothing&, Encoder&) { return true; }
  static bool Decode(Decoder&, test::Nothing*) { return true; }
};
template <>
struct Codec<test::Thrower> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("Thrower");
  static bool Encode(const test::Thrower& thrower, Encoder& out) { return out.Write(thrower.text); }
  static bool Decode(Decoder& in, test::Thrower* thrower) { return in.Read(&thrower->text); }
};
template <>
struct Codec<test::Careless> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("Careless");
  static bool Encode(const test::Careless&, Encoder& out) { return out.Fail("careless"), true; }
  static bool Decode(Decoder& in, test::Careless*) { return in.Fail("careless"), true; }
};
}  // namespace varve

namespace varve::test {
namespace {

using ::testing::HasSubstr;

template <typename T>
std::string Encoded(const T& value) {
  Result<std::string> bytes = EncodeValue(value);
  EXPECT_OK(bytes);
  return bytes.ok() ? *bytes : "";
}
std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "0123456789abcdef"[static_cast<uint8_t>(c) >> 4];
    text += "0123456789abcdef"[static_cast<uint8_t>(c) & 15];
  }
  return text;
}
// The fingerprint and the value, without the version before them.
template <typename T>
std::string Golden(const T& value) {
  const std::string bytes = Encoded(value);
  EXPECT_EQ(static_cast<uint8_t>(bytes.at(0)), kCodecVersion);
  return Hex(bytes.substr(1, 4)) + " " + Hex(bytes.substr(kCodecHeaderBytes));
}
// A value of type T whose bytes are `payload`.
template <typename T>
Result<T> DecodePayload(std::string_view payload) {
  return DecodeValue<T>(Encoded(T{}).substr(0, kCodecHeaderBytes) + std::string(payload));
}
template <typename T>
std::string Reason(const T& result) {
  return std::string(ToStatus(result).message());
}

template <typename T>
void ExpectRoundTrip(const T& value) {
  const std::string bytes = Encoded(value);
  const Result<T> back = DecodeValue<T>(bytes);
  ASSERT_OK(back);
  EXPECT_EQ(*back, value);
  EXPECT_EQ(Hex(Encoded(*back)), Hex(bytes));
}

TEST(CodecTest, BytesAreWhatTheyAlwaysWere) {
  using namespace std::chrono_literals;
  EXPECT_EQ(Golden(true), "4ff8ea03 01");
  EXPECT_EQ(Golden(uint8_t{200}), "1d92e986 c8");
  EXPECT_EQ(Golden(int8_t{-1}), "2d6c2d49 ff");
  EXPECT_EQ(Golden('a'), "a4601dc1 61");
  EXPECT_EQ(Golden(uint16_t{300}), "2bc1143d ac02");
  EXPECT_EQ(Golden(int16_t{-300}), "27436b01 d704");
  EXPECT_EQ(Golden(uint32_t{1} << 31), "25e9e219 8080808008");
  EXPECT_EQ(Golden(int32_t{-2}), "2f7a3051 03");
  EXPECT_EQ(Golden(std::numeric_limits<uint64_t>::max()), "9b44631b ffffffffffffffffff01");
  EXPECT_EQ(Golden(std::numeric_limits<int64_t>::min()), "f6ad4a03 ffffffffffffffffff01");
  EXPECT_EQ(Golden(1.5f), "dc7683bd 0000c03f");
  EXPECT_EQ(Golden(-1.5), "e792f7c6 000000000000f8bf");
  EXPECT_EQ(Golden(Colour::kBlue), "e2314bf2 02");
  EXPECT_EQ(Golden(Signed::kLow), "4be02f3a 09");
  EXPECT_EQ(Golden(std::string("abc")), "9dbd72b2 03616263");
  EXPECT_EQ(Golden(std::optional<uint8_t>()), "9e98d144 00");
  EXPECT_EQ(Golden(std::optional<uint8_t>(7)), "9e98d144 0107");
  EXPECT_EQ(Golden(std::pair<bool, std::string>(true, "x")), "90c35ab8 010178");
  EXPECT_EQ(Golden(std::tuple<bool, std::string>(true, "x")), "90c35ab8 010178");
  EXPECT_EQ(Golden(std::tuple<>()), "228dcaa1 00");
  EXPECT_EQ(Golden(std::variant<std::monostate, uint8_t>(uint8_t{9})), "c303d6ee 0109");
  EXPECT_EQ(Golden(std::vector<uint16_t>{1, 300}), "c1021760 0201ac02");
  EXPECT_EQ(Golden(std::vector<uint8_t>{1, 255}), "990aa655 0201ff");
  EXPECT_EQ(Golden(std::vector<bool>{true, false}), "363bfb07 020100");
  EXPECT_EQ(Golden(std::array<uint8_t, 2>{1, 2}), "bea3f643 0102");
  EXPECT_EQ(Golden(std::set<uint8_t>{2, 1}), "15b80504 020102");
  EXPECT_EQ(Golden(std::map<uint16_t, bool>{{300, true}, {2, false}}), "6b46ddeb 020200ac0201");
  EXPECT_EQ(Golden(std::unordered_map<uint16_t, bool>{{300, true}, {2, false}}),
            "0647dc97 020200ac0201");
  EXPECT_EQ(Golden(3s), "5af0057e 06");
  EXPECT_EQ(Golden(3ms), "0b43b7de 06");
  EXPECT_EQ(Golden(std::chrono::sys_seconds(3s)), "b4f59c72 06");
  EXPECT_EQ(Golden(Point{-3, 0.5}), "917659fd 05000000000000e03f");
  EXPECT_EQ(Golden(Empty()), "f967de0c 00");
}

TEST(CodecTest, EverythingComesBack) {
  const uint64_t seed = TypesSeed();
  SCOPED_TRACE("VARVE_TEST_SEED=" + std::to_string(seed));
  Generator generator(seed);
  for (size_t i = Scaled(300); i > 0; --i) {
    const auto value = generator.Make<Everything>();
    const std::string bytes = Encoded(value);
    const Result<Everything> back = DecodeValue<Everything>(bytes);
    ASSERT_OK(back);
    // An encoding tells all that a value has; that of the copy must be the same.
    ASSERT_EQ(Encoded(*back), bytes);
    EXPECT_EQ(back->text, value.text);
    EXPECT_EQ(back->map, value.map);
    EXPECT_EQ(back->table, value.table);
    EXPECT_EQ(back->variant, value.variant);
    EXPECT_EQ(back->i64, value.i64);
    EXPECT_EQ(back->lists, value.lists);
    EXPECT_EQ(back->bits, value.bits);
    EXPECT_EQ(back->time, value.time);
    EXPECT_EQ(back->grid[1][0], value.grid[1][0]);
  }
}

TEST(CodecTest, EveryBitOfFloatsComesBack) {
  for (const uint64_t bits : {0x8000000000000000u, 0x7ff8000000000123u, 0xfff0000000000001u}) {
    const Result<double> back = DecodeValue<double>(Encoded(std::bit_cast<double>(bits)));
    ASSERT_OK(back);
    EXPECT_EQ(std::bit_cast<uint64_t>(*back), bits);
  }
}

TEST(CodecTest, BytesAreCopiedAsTheyAre) {
  std::string bytes(100'000, 'x');
  bytes[500] = '\0';
  ExpectRoundTrip(bytes);
  ExpectRoundTrip(std::vector<uint8_t>(bytes.begin(), bytes.end()));
  ExpectRoundTrip(std::vector<std::byte>(1000, std::byte{0xff}));
  EXPECT_EQ(Encoded(std::vector<char>(1000)).size(), kCodecHeaderBytes + 2 + 1000);
}

TEST(CodecTest, EqualUnorderedContainersAreEqualBytes) {
  std::unordered_map<std::string, int> one, other;
  other.reserve(1000);
  for (int i = 0; i < 100; ++i) one["key" + std::to_string(i)] = i;
  for (int i = 99; i >= 0; --i) other["key" + std::to_string(i)] = i;
  EXPECT_EQ(Encoded(one), Encoded(other));
  ExpectRoundTrip(one);
  ExpectRoundTrip(std::unordered_set<std::string>{"b", "a", "", "c"});
  ExpectRoundTrip(std::set<int, std::greater<int>>{1, -1, 300});
  ExpectRoundTrip(std::map<std::string, int, std::less<>>{{"b", 1}, {"a", 2}});
}

TEST(CodecTest, AnotherTypeIsRefused) {
  const auto expect_refused = [](const Status& status) {
    EXPECT_STATUS(kInvalidArgument, status);
    EXPECT_THAT(Reason(status), HasSubstr("stored as another type"));
  };
  const std::string number = Encoded(uint32_t{1});
  expect_refused(DecodeValue<int32_t>(number).status());
  expect_refused(DecodeValue<uint64_t>(number).status());
  expect_refused(DecodeValue<std::string>(number).status());
  expect_refused(DecodeValue<std::optional<uint32_t>>(number).status());
  expect_refused(DecodeValue<std::tuple<uint32_t>>(number).status());
  expect_refused(DecodeValue<std::chrono::seconds>(Encoded(std::chrono::milliseconds(1))).status());
  expect_refused(DecodeValue<Colour>(Encoded(uint8_t{1})).status());
  expect_refused((DecodeValue<std::pair<int32_t, double>>(Encoded(Point())).status()));
  using Table = std::unordered_map<int, int>;
  expect_refused((DecodeValue<std::map<int, int>>(Encoded(Table())).status()));
  expect_refused(
      (DecodeValue<std::array<uint8_t, 3>>(Encoded(std::array<uint8_t, 2>())).status()));
}

TEST(CodecTest, PairIsATupleOfTwoAndTheMessageNamesTheType) {
  using Tuple = std::tuple<bool, std::string>;
  EXPECT_OK(DecodeValue<Tuple>(Encoded(std::pair<bool, std::string>())));
  EXPECT_THAT(Reason(DecodeValue<Point>(Encoded(1))), HasSubstr("as varve::test::Point"));
}

TEST(CodecTest, PlainBytesAndNewerEncodingsAreRefused) {
  for (const std::string& bytes : {std::string(), std::string("hello"), std::string(100, '\0'),
                                   std::string("\xf8"), std::string("\xf8\x01\x02\x03")}) {
    EXPECT_STATUS(kInvalidArgument, DecodeValue<std::string>(bytes));
  }
  std::string newer = Encoded(true);
  newer[0] = static_cast<char>(kCodecVersion + 1);
  EXPECT_STATUS(kNotSupported, DecodeValue<bool>(newer));
}

TEST(CodecTest, WhatEncodeDoesNotWriteIsCorrupt) {
  EXPECT_STATUS(kCorruption, DecodePayload<bool>("\x02"));
  EXPECT_STATUS(kCorruption, DecodePayload<bool>(""));
  EXPECT_STATUS(kCorruption, DecodePayload<bool>("\x01\x01"));
  EXPECT_STATUS(kCorruption, DecodePayload<uint16_t>("\x80\x80\x04"));    // 65536
  EXPECT_STATUS(kCorruption, DecodePayload<int16_t>("\x80\x80\x04"));
  EXPECT_STATUS(kCorruption, (DecodePayload<uint32_t>(std::string_view("\x81\x00", 2))));
  EXPECT_STATUS(kCorruption, DecodePayload<uint64_t>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
  EXPECT_OK(DecodePayload<uint64_t>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  EXPECT_STATUS(kCorruption, DecodePayload<Empty>("\x01"));
  EXPECT_STATUS(kCorruption, DecodePayload<std::string>("\x05" "abcd"));
  EXPECT_STATUS(kCorruption, DecodePayload<std::optional<bool>>("\x02\x01"));
  EXPECT_STATUS(kCorruption, (DecodePayload<std::variant<bool, Empty>>("\x02\x01")));
  EXPECT_STATUS(kCorruption, DecodePayload<std::set<uint8_t>>("\x02\x02\x01"));
  EXPECT_STATUS(kCorruption, DecodePayload<std::set<uint8_t>>("\x02\x01\x01"));
  EXPECT_STATUS(kCorruption, DecodePayload<std::unordered_set<uint8_t>>("\x02\x02\x01"));
  EXPECT_STATUS(kCorruption, DecodePayload<std::unordered_set<uint8_t>>("\x02\x01\x01"));
  EXPECT_THAT(Reason(DecodePayload<std::set<uint8_t>>("\x03\x01\x03\x02")), HasSubstr("at byte 9"));
}

TEST(CodecTest, LengthsAreNotBelieved) {
  const std::string_view kHuge = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
  EXPECT_STATUS(kCorruption, DecodePayload<std::string>(kHuge));
  EXPECT_STATUS(kCorruption, DecodePayload<std::vector<uint64_t>>(kHuge));
  EXPECT_STATUS(kCorruption, DecodePayload<std::vector<std::byte>>(kHuge));
  EXPECT_STATUS(kCorruption, (DecodePayload<std::map<int, int>>(kHuge)));
  EXPECT_STATUS(kCorruption, DecodePayload<std::vector<Nothing>>(kHuge));
  // As many as there are bytes, of large elements: reserved is little.
  std::string payload = "\xff\xff\x07" + std::string(0x1ffff, '\x02');
  EXPECT_STATUS(kCorruption, (DecodePayload<std::vector<std::array<bool, 1000>>>(payload)));
}

TEST(CodecTest, ValuesThatCannotBeEncodedAreRefused) {
  std::string to = "before";
  EXPECT_STATUS(kInvalidArgument, EncodeValueTo(Money{-1}, &to));
  EXPECT_EQ(to, "before");
  const Result<std::string> list = EncodeValue(std::vector<Money>{{1}, {-1}});
  EXPECT_STATUS(kInvalidArgument, list);
  EXPECT_THAT(Reason(list), HasSubstr("money is negative"));
  const Result<std::string> table = EncodeValue(std::unordered_map<int, Money>{{1, {-1}}});
  EXPECT_THAT(Reason(table), HasSubstr("money is negative"));
  EXPECT_STATUS(kCorruption, DecodePayload<Money>("\x01"));
  ExpectRoundTrip(std::map<std::string, Money>{{"a", {5}}});
  EXPECT_STATUS(kInvalidArgument, EncodeValue(Careless()));
  EXPECT_STATUS(kInvalidArgument, EncodeValue(std::vector<Nothing>(1)));
  const double nan = std::nan("");
  std::map<double, int> unordered = {{nan, 1}};
  EXPECT_OK(EncodeValue(unordered));
  unordered = {{1.0, 1}, {2.0, 2}};
  const_cast<double&>(unordered.begin()->first) = nan;
  EXPECT_STATUS(kInvalidArgument, EncodeValue(unordered));
}

TEST(CodecTest, ACarelessCodecIsNotBelieved) {
  std::string bytes(1, static_cast<char>(kCodecVersion));
  Encoder out(&bytes);
  out.WriteFixed(internal::StoredFingerprint<Careless>());
  EXPECT_STATUS(kCorruption, DecodeValue<Careless>(bytes));
}

TEST(CodecTest, ValuelessVariantIsRefused) {
  std::variant<std::string, Thrower> value = "x";
  EXPECT_ANY_THROW(value.emplace<Thrower>(1));
  ASSERT_TRUE(value.valueless_by_exception());
  EXPECT_STATUS(kInvalidArgument, EncodeValue(value));
}

TEST(CodecTest, DepthIsLimitedBothWays) {
  Node tree{"leaf", {}};
  int depth = 0;
  for (; EncodeValue(tree).ok(); ++depth) {
    ExpectRoundTrip(tree);
    Node parent{"inner", {}};
    parent.children.push_back(std::move(tree));
    tree = std::move(parent);
    ASSERT_LT(depth, kMaxCodecDepth);
  }
  EXPECT_EQ(depth, 50);  // a Node and a vector each; the innermost has a name instead
  EXPECT_THAT(Reason(EncodeValue(tree)), HasSubstr("nested too deeply"));
  // A name of no bytes and one child, over and over.
  std::string payload;
  for (int i = 0; i < 100'000; ++i) payload += std::string("\x00\x01", 2);
  EXPECT_STATUS(kCorruption, DecodePayload<Node>(payload));
}

// --- A struct in two earlier shapes.

struct UserV1 {
  std::string name;
};
struct UserV2 {
  using VarvePrevious = UserV1;
  static UserV2 VarveUpgrade(UserV1 old) { return {std::move(old.name), 18}; }
  std::string name;
  uint32_t age = 0;
};
struct User {
  using VarvePrevious = UserV2;
  static User VarveUpgrade(UserV2 old) { return {std::move(old.name), old.age, "none"}; }
  std::string name;
  uint32_t age = 0;
  std::string mail;
};

TEST(CodecTest, EarlierShapesAreUpgraded) {
  const Result<User> from_first = DecodeValue<User>(Encoded(UserV1{"Ann"}));
  ASSERT_OK(from_first);
  EXPECT_EQ(from_first->name + std::to_string(from_first->age) + from_first->mail, "Ann18none");
  const Result<User> from_second = DecodeValue<User>(Encoded(UserV2{"Bob", 7}));
  ASSERT_OK(from_second);
  EXPECT_EQ(from_second->age, 7u);
  EXPECT_STATUS(kInvalidArgument, DecodeValue<User>(Encoded(Point())));
  EXPECT_THAT(Reason(DecodeValue<User>(Encoded(Point()))), HasSubstr("as varve::test::"));
  EXPECT_STATUS(kInvalidArgument, DecodeValue<UserV1>(Encoded(User())));
  std::string damaged = Encoded(UserV1{"Ann"});
  damaged.pop_back();
  EXPECT_STATUS(kCorruption, DecodeValue<User>(damaged));
}

struct Metres {
  static constexpr std::string_view kVarveType = "metres";
  double value = 0;
};
struct Feet {
  static constexpr std::string_view kVarveType = "feet";
  double value = 0;
};

TEST(CodecTest, NamedStructsAreDistinct) {
  EXPECT_OK(DecodeValue<Metres>(Encoded(Metres{1})));
  EXPECT_STATUS(kInvalidArgument, DecodeValue<Metres>(Encoded(Feet{1})));
}

enum Loose { kOne, kTwo };
struct WithBase : Point {
  int z;
};
struct WithReference {
  int& x;
};
struct WithConst {
  const int x = 1;
};
static_assert(Storable<Everything> && Storable<Node> && Storable<User> && Storable<std::byte>);
static_assert(!Storable<int*> && !Storable<const int> && !Storable<int&> && !Storable<Loose>);
static_assert(!Storable<WithBase> && !Storable<WithReference> && !Storable<WithConst>);
static_assert(!Storable<std::string_view> && !Storable<long double> && !Storable<wchar_t>);
static_assert(!Storable<std::thread> && !Storable<std::function<void()>> && !Storable<char[4]>);
static_assert(!Storable<std::unique_ptr<int>> && !Storable<std::vector<int*>>);
static_assert(!Storable<std::map<std::string, FILE*>> && !Storable<std::optional<void*>>);
static_assert(!Storable<std::chrono::steady_clock::time_point>);

}  // namespace
}  // namespace varve::test
