// Values as cereal archives, where libcereal-dev is installed.
#include <gtest/gtest.h>

#if __has_include(<cereal/cereal.hpp>)

#include <cereal/types/memory.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "varve/codec_cereal.h"

namespace varve::test {
namespace {
struct Album {
  std::string title;
  std::vector<uint16_t> parts;
  std::shared_ptr<Album> other;  // what varve's own codec cannot store
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(title, parts, other);
  }
};
struct Refusing {
  template <typename Archive>
  void serialize(Archive&) {
    throw cereal::Exception("not today");
  }
};
}  // namespace
}  // namespace varve::test

namespace varve {
template <>
struct Codec<test::Album> : CerealCodec<test::Album> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("Album as cereal");
};
template <>
struct Codec<test::Refusing> : CerealCodec<test::Refusing> {
  static constexpr uint64_t kFingerprint = TypeFingerprint("Refusing as cereal");
};
}  // namespace varve

namespace varve::test {
namespace {

template <typename T>
Result<T> DecodeExactly(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return DecodeValue<T>({exact.data(), exact.size()});
}

TEST(CerealCodecTest, ComesBack) {
  const Album album{"a", {1, 2}, std::make_shared<Album>(Album{"b", {}, nullptr})};
  const Result<std::string> bytes = EncodeValue(album);
  ASSERT_OK(bytes);
  const Result<Album> back = DecodeValue<Album>(*bytes);
  ASSERT_OK(back);
  EXPECT_EQ(back->title + back->other->title, "ab");
  EXPECT_EQ(back->parts, album.parts);
  EXPECT_EQ(back->other->other, nullptr);
}

TEST(CerealCodecTest, ExceptionsAreErrors) {
  EXPECT_STATUS(kInvalidArgument, EncodeValue(Refusing()));
  EXPECT_STATUS(kInvalidArgument, DecodeValue<Refusing>(*EncodeValue(Album())));
}

TEST(CerealCodecTest, EveryDamageIsAnError) {
  const std::string bytes = *EncodeValue(Album{"title", {1, 2, 3}, nullptr});
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodeExactly<Album>(bytes.substr(0, i)).ok());
    for (int change = 1; change < 256; ++change) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      EXPECT_FALSE(DecodeExactly<Album>(damaged).ok());
    }
  }
}

}  // namespace
}  // namespace varve::test

#else

TEST(CerealCodecTest, ComesBack) { GTEST_SKIP() << "libcereal-dev is not installed"; }

#endif
