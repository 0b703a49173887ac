#include "cluster/slot.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"

namespace varve::cluster {
namespace slot_test {

// The remainder of the polynomial division, bit by bit, without a table.
uint16_t PlainCrc16(std::string_view bytes) {
  uint16_t crc = 0;
  for (const char c : bytes) {
    for (int bit = 7; bit >= 0; --bit) {
      const bool next = ((static_cast<unsigned char>(c) >> bit) & 1) != 0;
      const bool top = (crc & 0x8000) != 0;
      crc = static_cast<uint16_t>(crc << 1);
      if (next != top) crc ^= 0x1021;
    }
  }
  return crc;
}

TEST(SlotTest, ChecksumIsXmodem) {
  EXPECT_EQ(Crc16("123456789"), 0x31C3);
  EXPECT_EQ(Crc16(""), 0);
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes(random.Uniform(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Next());
    EXPECT_EQ(Crc16(bytes), PlainCrc16(bytes));
  }
}

// What CLUSTER KEYSLOT of Redis 7.0.15 answers.
TEST(SlotTest, AgreesWithRedis) {
  const std::vector<std::pair<std::string_view, uint16_t>> slots = {
      {"123456789", 12739},
      {"", 0},
      {"foo", 12182},
      {"{user1000}.following", 3443},
      {"{user1000}.followers", 3443},
      {"foo{}{bar}", 8363},
      {"foo{{bar}}zap", 4015},
      {"foo{bar}{zap}", 5061},
      {"{}", 15257},
      {"{", 4092},
      {"}", 12090},
      {"}{a}", 15495},
      {"a{b", 13340},
      {"{a}", 15495},
      {"a}b{c}d", 7365},
      {"{{}}", 4092},
      {"x{y}z}", 12222},
      {std::string_view("k\0{\xff\xfe}", 6), 3374},
  };
  for (const auto& [key, slot] : slots) EXPECT_EQ(SlotOf(key), slot) << key;
}

TEST(SlotTest, TagIsBetweenTheFirstBraceAndTheFirstThatClosesIt) {
  EXPECT_EQ(HashTag("a{b}c"), "b");
  EXPECT_EQ(HashTag("a{b}{c}"), "b");
  EXPECT_EQ(HashTag("a{{b}c}"), "{b");
  EXPECT_EQ(HashTag("a}b{c}d}"), "c");
  EXPECT_EQ(HashTag("{}{a}"), "{}{a}");  // an empty tag: the whole key
  EXPECT_EQ(HashTag("a{b"), "a{b");
  EXPECT_EQ(HashTag("a}b"), "a}b");
  EXPECT_EQ(HashTag(""), "");
}

// 100,000 keys over 16,384 slots: chi-squared, whose standard deviation is sqrt(2 * 16,383) = 181.
TEST(SlotTest, SlotsAreHitEvenly) {
  std::vector<uint32_t> hits(kSlots);
  constexpr double kKeys = 100'000;
  for (uint32_t i = 0; i < kKeys; ++i)
    ++hits[SlotOf("user:" + std::to_string(i * 7919) + ":profile")];
  double squares = 0;
  for (const uint32_t hit : hits) squares += (hit - kKeys / kSlots) * (hit - kKeys / kSlots);
  EXPECT_LT(squares / (kKeys / kSlots), kSlots + 5 * 181);
}

}  // namespace slot_test
}  // namespace varve::cluster
