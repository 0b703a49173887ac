#include "format/stored_key.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace varve {
namespace stored_key_test {

// Keys of the bytes at which the mapping could go wrong: all of up to three of them, and random longer ones.
std::vector<std::string> TrickyKeys() {
  const std::string bytes("\x00\x01\x02" "a\xfe\xff", 6);
  std::vector<std::string> keys = {""};
  for (size_t begin = 0, length = 0; length < 3; ++length) {
    const size_t end = keys.size();
    for (; begin < end; ++begin) {
      for (char byte : bytes) keys.push_back(keys[begin] + byte);
    }
  }
  Random random(1);
  for (int i = 0; i < 100; ++i) {
    std::string key;
    for (uint64_t n = random.Uniform(9); n > 0; --n) key += bytes[random.Uniform(bytes.size())];
    keys.push_back(key);
  }
  return keys;
}

const std::vector<Keyspace>& Keyspaces() {
  static const std::vector<Keyspace> keyspaces = {
      Keyspace(),                  Keyspace::Named(0),           Keyspace::Named(1),
      Keyspace::Named(0xff),       Keyspace::Named(0x100),       Keyspace::Named(0xffff),
      Keyspace::Named(0xfffffffe), Keyspace::Named(0xffffffffu),
  };
  return keyspaces;
}

TEST(StoredKeyTest, KeepsTheBytesThatTheFormatPromises) {
  EXPECT_EQ(Keyspace().ToStored("key"), "key");
  EXPECT_EQ(Keyspace().ToStored(""), "");
  EXPECT_EQ(Keyspace().ToStored("\xff"), std::string("\xff\0", 2));
  EXPECT_EQ(Keyspace().ToStored("\xff\x01z"), std::string("\xff\0\x01z", 4));
  EXPECT_EQ(Keyspace::Named(0x01020304).ToStored("k"), "\xff\x01\x01\x02\x03\x04k");
}

TEST(StoredKeyTest, RoundTripsAndCountsItsOwnBytes) {
  for (const Keyspace& keyspace : Keyspaces()) {
    for (const std::string& key : TrickyKeys()) {
      const std::string stored = keyspace.ToStored(key);
      EXPECT_EQ(keyspace.ToUser(stored), key);
      EXPECT_EQ(stored.size() - StoredKeyOverhead(stored), key.size());
      EXPECT_LE(stored.size(), key.size() + kNamespacePrefixBytes);
    }
  }
}

TEST(StoredKeyTest, EveryKeyBelongsToItsNamespaceAlone) {
  for (size_t a = 0; a < Keyspaces().size(); ++a) {
    for (const std::string& key : TrickyKeys()) {
      const std::string stored = Keyspaces()[a].ToStored(key);
      for (size_t b = 0; b < Keyspaces().size(); ++b) {
        const Keyspace& other = Keyspaces()[b];
        EXPECT_EQ(other.Contains(stored), a == b);
        EXPECT_EQ(stored >= other.begin() && stored < other.end(), a == b);
      }
      EXPECT_EQ(IsBeyondDefaultNamespace(stored), a != 0);
      EXPECT_EQ(NamespaceIdOf(stored).has_value(), a != 0);
    }
  }
  EXPECT_EQ(NamespaceIdOf(Keyspace::Named(0x01020304).ToStored("k")), 0x01020304u);
}

TEST(StoredKeyTest, KeepsTheOrderWithinAndAcrossNamespaces) {
  const std::vector<std::string> keys = TrickyKeys();
  for (const Keyspace& keyspace : Keyspaces()) {
    for (const std::string& a : keys) {
      for (const std::string& b : keys) {
        ASSERT_EQ(a < b, keyspace.ToStored(a) < keyspace.ToStored(b));
      }
    }
  }
  for (size_t i = 1; i < Keyspaces().size(); ++i) {
    EXPECT_LE(Keyspaces()[i - 1].end(), Keyspaces()[i].begin());
  }
}

TEST(StoredKeyTest, RangesHoldExactlyTheKeysThatAreAskedFor) {
  const std::vector<std::string> keys = TrickyKeys();
  Random random(1);
  const auto maybe = [&]() -> std::optional<std::string> {
    if (random.Uniform(3) == 0) return std::nullopt;
    return keys[random.Uniform(keys.size())];
  };
  for (int round = 0; round < 500; ++round) {
    const std::string prefix = maybe().value_or("");
    const std::optional<std::string> lower = maybe(), upper = maybe();
    for (const Keyspace& keyspace : Keyspaces()) {
      const StoredRange range = StoredRangeOf(keyspace, prefix, lower, upper);
      for (const std::string& key : keys) {
        const std::string stored = keyspace.ToStored(key);
        const bool wanted =
            key.starts_with(prefix) && (!lower || key >= *lower) && (!upper || key < *upper);
        ASSERT_EQ(stored >= range.lower && stored < range.upper, wanted)
            << testing::PrintToString(key) << " " << testing::PrintToString(prefix);
      }
      EXPECT_GE(range.lower, keyspace.begin());
      EXPECT_LE(range.upper, keyspace.end());
    }
  }
}

TEST(StoredKeyTest, BoundsAreNotCountedAsKeys) {
  for (const Keyspace& keyspace : Keyspaces()) {
    EXPECT_EQ(StoredKeyOverhead(keyspace.begin()), keyspace.begin().size());
    EXPECT_EQ(StoredKeyOverhead(keyspace.end()), keyspace.end().size());
  }
}

TEST(StoredKeyTest, AfterKeysWithPrefixEndsThem) {
  EXPECT_EQ(AfterKeysWithPrefix("a"), "b");
  EXPECT_EQ(AfterKeysWithPrefix("a\xff\xff"), "b");
  EXPECT_EQ(AfterKeysWithPrefix("\xfe"), "\xff");
  EXPECT_EQ(AfterKeysWithPrefix("\xff\xff"), std::nullopt);
  EXPECT_EQ(AfterKeysWithPrefix(""), std::nullopt);
}

}  // namespace stored_key_test
}  // namespace varve
