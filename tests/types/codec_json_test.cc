// Values as JSON.
#include "varve/codec_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace varve::test {
namespace {
struct Song {
  std::string title;
  double length = 0;
  std::vector<int> parts;
  bool operator==(const Song&) const = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Song, title, length, parts)
struct Book {
  std::string author;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Book, author)
}  // namespace
}  // namespace varve::test

namespace varve {
template <>
struct Codec<test::Song> : JsonCodec<test::Song> {};
template <>
struct Codec<test::Book> : JsonCodec<test::Book> {};
}  // namespace varve

namespace varve::test {
namespace {

TEST(JsonCodecTest, ComesBackAndReadsAsText) {
  const Song song{"Träumerei", 2.5, {1, 2}};
  const Result<std::string> bytes = EncodeValue(song);
  ASSERT_OK(bytes);
  EXPECT_THAT(*bytes, ::testing::EndsWith(R"({"length":2.5,"parts":[1,2],"title":"Träumerei"})"));
  EXPECT_EQ(*DecodeValue<Song>(*bytes), song);
  EXPECT_EQ((*DecodeValue<nlohmann::json>(*bytes))["parts"][1], 2);
  const std::map<std::string, Song> nested = {{"a", song}};
  EXPECT_EQ((*DecodeValue<std::map<std::string, Song>>(*EncodeValue(nested))), nested);
}

TEST(JsonCodecTest, AnotherShapeIsAnError) {
  EXPECT_STATUS(kCorruption, DecodeValue<Book>(*EncodeValue(Song{"x", 1, {}})));
  EXPECT_STATUS(kInvalidArgument, DecodeValue<int>(*EncodeValue(Song{"x", 1, {}})));
}

TEST(JsonCodecTest, WhatJsonCannotSayIsRefused) {
  EXPECT_STATUS(kInvalidArgument,
                EncodeValue(Song{"x", std::numeric_limits<double>::infinity(), {}}));
  EXPECT_STATUS(kInvalidArgument,
                EncodeValue(Song{"x", std::numeric_limits<double>::quiet_NaN(), {}}));
  EXPECT_STATUS(kInvalidArgument, EncodeValue(Song{"\xff", 1, {}}));
  EXPECT_STATUS(kInvalidArgument, EncodeValue(nlohmann::json::binary({1, 2})));
  nlohmann::json deep;
  for (int i = 0; i < 1000; ++i) deep = nlohmann::json::array({deep});
  EXPECT_STATUS(kInvalidArgument, EncodeValue(deep));
}

TEST(JsonCodecTest, DamageIsAnErrorOrOtherJson) {
  const std::string bytes =
      *EncodeValue(nlohmann::json::parse(R"({"a":[1,2.5,{"b":null}],"c":"\"[\\","d":true})"));
  const auto decode = [](const std::string& damaged) {
    const std::vector<char> exact(damaged.begin(), damaged.end());
    return DecodeValue<nlohmann::json>({exact.data(), exact.size()});
  };
  ASSERT_OK(decode(bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(decode(bytes.substr(0, i)).ok());
    for (int change = 1; change < 256; ++change) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      (void)decode(damaged).ok();
    }
  }
  std::string deep = bytes.substr(0, kCodecHeaderBytes);
  Encoder out(&deep);
  ASSERT_TRUE(out.WriteBytes(std::string(1'000'000, '[')));
  EXPECT_STATUS(kCorruption, decode(deep));
}

}  // namespace
}  // namespace varve::test
