#include "cluster/siphash.h"

#include <gtest/gtest.h>

#include <string>

namespace varve::cluster {
namespace siphash_test {

// The authors' vectors: key 00 01 .. 0f, input 00 01 .. n-1.
TEST(SipHashTest, KnownVectors) {
  const SipKey key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  std::string input;
  for (int i = 0; i < 63; ++i) input.push_back(static_cast<char>(i));
  const auto hash = [&](size_t size) { return SipHash(key, std::string_view(input).substr(0, size)); };
  EXPECT_EQ(hash(0), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(hash(1), 0x74f839c593dc67fdu);
  EXPECT_EQ(hash(7), 0xab0200f58b01d137u);
  EXPECT_EQ(hash(8), 0x93f5f5799a932462u);
  EXPECT_EQ(hash(15), 0xa129ca6149be45e5u);
  EXPECT_EQ(hash(63), 0x958a324ceb064572u);
}

}  // namespace siphash_test
}  // namespace varve::cluster
