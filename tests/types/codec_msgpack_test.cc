// Values as MessagePack, where libmsgpack-cxx-dev is installed.
#include <gtest/gtest.h>

#if __has_include(<msgpack.hpp>)

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "varve/codec_msgpack.h"

namespace varve::test {
namespace {
struct Song {
  std::string title;
  double length = 0;
  std::vector<int> parts;
  bool operator==(const Song&) const = default;
  MSGPACK_DEFINE(title, length, parts)
};
struct Book {
  std::vector<std::string> authors;
  MSGPACK_DEFINE(authors)
};
}  // namespace
}  // namespace varve::test

namespace varve {
template <>
struct Codec<test::Song> : MsgpackCodec<test::Song> {};
template <>
struct Codec<test::Book> : MsgpackCodec<test::Book> {};
}  // namespace varve

namespace varve::test {
namespace {

template <typename T>
Result<T> DecodeExactly(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return DecodeValue<T>({exact.data(), exact.size()});
}

TEST(MsgpackCodecTest, ComesBack) {
  const std::vector<Song> songs = {{"a", 2.5, {1, 2}}, {"", -1, {}}};
  const Result<std::string> bytes = EncodeValue(songs);
  ASSERT_OK(bytes);
  EXPECT_EQ(*DecodeValue<std::vector<Song>>(*bytes), songs);
}

TEST(MsgpackCodecTest, AnotherShapeIsAnError) {
  EXPECT_STATUS(kCorruption, DecodeValue<Book>(*EncodeValue(Song{"x", 1, {}})));
  EXPECT_STATUS(kInvalidArgument, DecodeValue<int>(*EncodeValue(Song{"x", 1, {}})));
}

TEST(MsgpackCodecTest, DamageIsAnErrorOrAnotherValue) {
  const std::string bytes = *EncodeValue(Song{"title", 2.5, {1, 200, 70'000}});
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodeExactly<Song>(bytes.substr(0, i)).ok());
    for (int change = 1; change < 256; ++change) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      (void)DecodeExactly<Song>(damaged).ok();
    }
  }
}

TEST(MsgpackCodecTest, LengthsAreNotBelieved) {
  std::string bytes = EncodeValue(Song())->substr(0, kCodecHeaderBytes);
  std::string array = bytes, deep = bytes;
  Encoder to_array(&array), to_deep(&deep);
  ASSERT_TRUE(to_array.WriteBytes("\xdd\xff\xff\xff\xff"));  // 2^32 - 1 elements
  ASSERT_TRUE(to_deep.WriteBytes(std::string(100'000, '\x91')));
  EXPECT_STATUS(kCorruption, DecodeExactly<Song>(array));
  EXPECT_STATUS(kCorruption, DecodeExactly<Song>(deep));
}

}  // namespace
}  // namespace varve::test

#else

TEST(MsgpackCodecTest, ComesBack) { GTEST_SKIP() << "libmsgpack-cxx-dev is not installed"; }

#endif
