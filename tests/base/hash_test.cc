#include "base/hash.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace varve {
namespace hash_test {

// Part of the file formats: a value hashed on one machine is checked on another.
TEST(HashTest, LongAndPlainAgree) {
  Random random(7);
  std::string bytes(size_t{300} << 10, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  const auto check = [&](size_t at, size_t size) {
    const std::string_view part = std::string_view(bytes).substr(at, size);
    const uint64_t seed = random.Next();
    ASSERT_EQ(Hash64Long(part), Hash64(part)) << at << " " << size;
    ASSERT_EQ(Hash64Long(part, seed), Hash64(part, seed)) << at << " " << size;
  };
  for (size_t size = 0; size <= 3'000; ++size) check(size % 67, size);
  for (int i = 0; i < 200; ++i) {
    const size_t at = random.Uniform(bytes.size());
    check(at, random.Uniform(bytes.size() - at + 1));
  }
  EXPECT_EQ(Hash64Long("varve"), 14289426366727016303u);
}

}  // namespace hash_test
}  // namespace varve
