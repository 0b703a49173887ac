// Damaged encodings: an error, or exactly the encoding of another value; never a crash.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"
#include "tests/types/random_values.h"
#include "varve/codec.h"

namespace varve::test {
namespace codec_damage_test {

// As long as it is, so that the address sanitizer sees a read past its end.
template <typename T>
Result<T> DecodeExactly(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return DecodeValue<T>({exact.data(), exact.size()});
}

template <typename T>
void ExpectErrorOrExact(const std::string& bytes) {
  const Result<T> value = DecodeExactly<T>(bytes);
  if (value.ok()) {
    const Result<std::string> again = EncodeValue(*value);
    ASSERT_OK(again);
    ASSERT_EQ(*again, bytes);
  } else {
    const StatusCode code = value.status().code();
    ASSERT_TRUE(code == StatusCode::kCorruption || code == StatusCode::kInvalidArgument ||
                code == StatusCode::kNotSupported)
        << value.status().ToString();
  }
}

template <typename T>
class CodecDamageTest : public testing::Test {
 protected:
  CodecDamageTest() : seed_(TypesSeed()), generator_(seed_) {}

  // Of moderate length: the work grows with the square.
  std::string Make() {
    for (;;) {
      Result<std::string> bytes = EncodeValue(generator_.Make<T>());
      EXPECT_OK(bytes);
      if (!bytes.ok() || bytes->size() < 1500) return bytes.value_or("");
    }
  }

  const uint64_t seed_;
  Generator generator_;
};
using DamageTypes =
    testing::Types<Everything, std::string, uint64_t, std::optional<std::string>,
                   std::variant<std::monostate, uint32_t, std::string, Point>,
                   std::vector<std::vector<int32_t>>, std::vector<bool>, std::set<std::string>,
                   std::map<uint32_t, std::map<std::string, bool>>,
                   std::unordered_map<std::string, Point>, std::unordered_set<int16_t>,
                   std::tuple<Empty, std::chrono::seconds, std::array<Colour, 2>>>;
TYPED_TEST_SUITE(CodecDamageTest, DamageTypes);

TYPED_TEST(CodecDamageTest, EveryTruncationIsAnError) {
  SCOPED_TRACE("VARVE_TEST_SEED=" + std::to_string(this->seed_));
  for (size_t round = Scaled(10); round > 0; --round) {
    const std::string bytes = this->Make();
    for (size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_FALSE(DecodeExactly<TypeParam>(bytes.substr(0, size)).ok());
    }
    ASSERT_FALSE(DecodeExactly<TypeParam>(bytes + '\0').ok());
  }
}

TYPED_TEST(CodecDamageTest, EveryChangedByteIsAnErrorOrAnotherValue) {
  SCOPED_TRACE("VARVE_TEST_SEED=" + std::to_string(this->seed_));
  for (size_t round = Scaled(3); round > 0; --round) {
    std::string bytes = this->Make();
    for (char& byte : bytes) {
      const char sound = byte;
      for (const int change : {0x01, 0x02, 0x10, 0x80, 0xff}) {
        byte = static_cast<char>(sound ^ change);
        ExpectErrorOrExact<TypeParam>(bytes);
        if (this->HasFatalFailure()) return;
      }
      byte = sound;
    }
  }
}

TYPED_TEST(CodecDamageTest, EveryChangeOfTheHeaderIsAnError) {
  const std::string bytes = this->Make();
  for (size_t i = 0; i < kCodecHeaderBytes; ++i) {
    for (int change = 1; change < 256; ++change) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      ASSERT_FALSE(DecodeExactly<TypeParam>(damaged).ok());
    }
  }
}

}  // namespace codec_damage_test
}  // namespace varve::test
