#include "format/block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "tests/format/test_bytes.h"

namespace varve {
namespace block_test {

using test::Hex;
using test::RandomBytes;

struct Owned {
  std::string key;
  SequenceNumber sequence;
  EntryKind kind;
  std::string value;

  Entry view() const { return {key, value, sequence, kind}; }
};

bool SameEntry(const Entry& a, const Entry& b) {
  return a.key == b.key && a.value == b.value && a.sequence == b.sequence && a.kind == b.kind;
}

std::string Build(const std::vector<Owned>& entries) {
  BlockBuilder builder;
  for (const Owned& entry : entries) builder.Add(entry.view());
  return std::string(builder.Finish());
}

// Random entries in internal order, several versions for some keys.
std::vector<Owned> RandomEntries(Random* random, int count, size_t max_key, size_t max_value) {
  std::vector<Owned> entries;
  while (static_cast<int>(entries.size()) < count) {
    const std::string key = RandomBytes(random, random->Uniform(max_key + 1));
    const uint64_t versions = 1 + random->Uniform(3);
    for (uint64_t i = 0; i < versions && static_cast<int>(entries.size()) < count; ++i) {
      const uint64_t choice = random->Uniform(5);
      const auto kind = static_cast<EntryKind>(choice < 3 ? choice : choice + 1);
      size_t size = kind == EntryKind::kDelete ? 0 : random->Uniform(max_value + 1);
      if (kind == EntryKind::kExpiringPointer) size = kValuePointerBytes;
      std::string value;
      if (IsExpiring(kind)) AppendFixed(&value, EncodeDeadline(random->Uniform(kMaxDeadline), kind));
      value += RandomBytes(random, size);
      entries.push_back({key, 1 + random->Uniform(kMaxSequence), kind, value});
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Owned& a, const Owned& b) {
    return CompareInternal(a.key, a.sequence, b.key, b.sequence) < 0;
  });
  return entries;
}

TEST(BlockTest, EntriesComeBackBySlot) {
  Random random(1);
  for (int count : {1, 2, 3, 17, 255}) {
    const std::vector<Owned> entries = RandomEntries(&random, count, 40, 200);
    const std::string raw = Build(entries);
    BlockView view;
    ASSERT_TRUE(view.Parse(raw));
    ASSERT_EQ(view.count(), count);
    for (int slot = 0; slot < count; ++slot) {
      Entry entry;
      ASSERT_TRUE(view.Decode(slot, &entry));
      EXPECT_TRUE(SameEntry(entry, entries[static_cast<size_t>(slot)].view()));
    }
    Entry entry;
    EXPECT_FALSE(view.Decode(count, &entry));
    EXPECT_FALSE(view.Decode(-1, &entry));
  }
}

TEST(BlockTest, BytesAreThoseOfTheFormat) {
  const std::string raw = Build({{"", 3, EntryKind::kValue, "v"},
                                 {"ab", 300, EntryKind::kDelete, ""},
                                 {"b", 1, EntryKind::kValuePointer, std::string(24, 'p')}});
  EXPECT_EQ(Hex(raw),
            "0d000176"      // tag 13, key 0, value 1, "v"
            "b00902006162"  // tag 1200, key 2, value 0
            "060118"        // tag 6, key 1, value 24
            "62"
            "707070707070707070707070707070707070707070707070"
            "0000"
            "0400"
            "0a00"    // slots
            "0300");  // count
}

TEST(BlockTest, BytesOfEntriesThatExpireAreThoseOfTheFormat) {
  const auto word = [](EntryKind kind) {
    std::string bytes;
    AppendFixed(&bytes, EncodeDeadline(0x010203040506, kind));
    return bytes;
  };
  const std::string raw =
      Build({{"a", 1, EntryKind::kExpiringValue, word(EntryKind::kExpiringValue) + "v"},
             {"b", 2, EntryKind::kExpiringPointer,
              word(EntryKind::kExpiringPointer) + std::string(24, 'p')}});
  EXPECT_EQ(Hex(raw),
            "07010961"          // tag 7, key 1, value 9, "a"
            "060504030201000076"  // deadline, "v"
            "0b012062"          // tag 11, key 1, value 32, "b"
            "0605040302010080"
            "707070707070707070707070707070707070707070707070"
            "0000"
            "0d00"    // slots
            "0200");  // count
}

TEST(BlockTest, LargeBlockHasWideSlots) {
  const std::vector<Owned> entries = {{"a", 2, EntryKind::kValue, std::string(70000, 'x')},
                                      {"b", 1, EntryKind::kValue, "y"}};
  const std::string raw = Build(entries);
  EXPECT_EQ(Hex(raw.substr(raw.size() - 10)),
            "0000000076110100"
            "0280");
  BlockView view;
  ASSERT_TRUE(view.Parse(raw));
  Entry entry;
  ASSERT_TRUE(view.Decode(1, &entry));
  EXPECT_TRUE(SameEntry(entry, entries[1].view()));
  EXPECT_EQ(view.LowerBound("b", kMaxSequence), 1);
}

TEST(BlockTest, SlotsTurnWideExactlyAbove65535Bytes) {
  // tag 1, key length 1, value length 3, key 1, slot 2, count 2: 10 bytes beside the value.
  for (const size_t value_bytes : {65525u, 65526u}) {
    BlockBuilder builder;
    const std::string value(value_bytes, 'x');
    builder.Add({"k", value, 1, EntryKind::kValue});
    const size_t estimate = builder.EstimatedSize();
    const std::string raw(builder.Finish());
    EXPECT_EQ(raw.size(), estimate);
    EXPECT_EQ(raw.size(), value_bytes == 65525u ? 65535u : 65538u);
    BlockView view;
    ASSERT_TRUE(view.Parse(raw));
    Entry entry;
    ASSERT_TRUE(view.Decode(0, &entry));
    EXPECT_EQ(entry.value, value);
  }
}

TEST(BlockTest, LowerBoundAgreesWithASortedVector) {
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    const int count = 1 + static_cast<int>(random.Uniform(kMaxBlockEntries));
    const std::vector<Owned> entries = RandomEntries(&random, count, 3, 20);
    const std::string raw = Build(entries);
    BlockView view;
    ASSERT_TRUE(view.Parse(raw));
    for (int probe = 0; probe < 200; ++probe) {
      const Owned& near = entries[random.Uniform(entries.size())];
      const std::string key = random.OneIn(2) ? near.key : RandomBytes(&random, random.Uniform(4));
      const SequenceNumber sequence =
          random.OneIn(3) ? kMaxSequence : near.sequence + random.Uniform(3) - 1;
      const auto expected = std::partition_point(
          entries.begin(), entries.end(),
          [&](const Owned& e) { return CompareInternal(e.key, e.sequence, key, sequence) < 0; });
      ASSERT_EQ(view.LowerBound(key, sequence), expected - entries.begin());
    }
  }
}

TEST(BlockTest, CanFitAndEstimateAgreeWithTheFinishedSize) {
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    BlockBuilder builder;
    const size_t limit = 100 + random.Uniform(5000);
    size_t expected_after = 0;
    for (;;) {
      const std::string key = RandomBytes(&random, random.Uniform(40));
      const std::string value = RandomBytes(&random, random.Uniform(300));
      const Entry entry{key, value, 1 + random.Uniform(kMaxSequence), EntryKind::kValue};
      const bool fits = builder.CanFit(entry, limit);
      const bool was_empty = builder.empty();
      if (!fits) {
        builder.Add(entry);
        EXPECT_GT(builder.Finish().size(), limit);
        break;
      }
      builder.Add(entry);
      expected_after = builder.EstimatedSize();
      EXPECT_TRUE(was_empty || expected_after <= limit);
    }
  }
}

TEST(BlockTest, ABlockTakes255Entries) {
  BlockBuilder builder;
  const Entry entry{"k", "", 1, EntryKind::kValue};
  for (int i = 0; i < kMaxBlockEntries; ++i) {
    EXPECT_TRUE(builder.CanFit(entry, 1 << 20));
    EXPECT_EQ(builder.Add(entry), i);
  }
  EXPECT_FALSE(builder.CanFit(entry, 1 << 20));
  EXPECT_DEATH(builder.Add(entry), "count_ < kMaxBlockEntries");
}

TEST(BlockTest, BuilderStartsAgainAfterReset) {
  BlockBuilder builder;
  builder.Add({"first", std::string(100000, 'x'), 9, EntryKind::kValue});
  builder.Finish();
  builder.Reset();
  EXPECT_TRUE(builder.empty());
  builder.Add({"second", "v", 8, EntryKind::kValue});
  EXPECT_EQ(builder.last_key(), "second");
  EXPECT_EQ(std::string(builder.Finish()), Build({{"second", 8, EntryKind::kValue, "v"}}));
}

TEST(BlockTest, EmptyBlockParses) {
  const std::string raw = Build({});
  BlockView view;
  ASSERT_TRUE(view.Parse(raw));
  EXPECT_EQ(view.count(), 0);
  EXPECT_EQ(view.LowerBound("x", 1), 0);
}

TEST(BlockTest, FrameThatDoesNotFitIsRefused) {
  BlockView view;
  EXPECT_FALSE(view.Parse(""));
  EXPECT_FALSE(view.Parse("\x01"));
  EXPECT_FALSE(view.Parse(std::string("\x01\x00", 2)));          // a slot, and no room for it
  EXPECT_FALSE(view.Parse(std::string("\0\0\x01\x80", 4)));      // a wide slot in two bytes
  EXPECT_FALSE(view.Parse(std::string("\0\0\0\0\x01\x40", 6)));  // unknown flag
  EXPECT_FALSE(view.Parse(std::string("\0\0\x00\x01", 4)));      // 256 entries
}

// Each malformed entry alone in a block.
TEST(BlockTest, MalformedEntryIsRefused) {
  const auto refuses = [](std::string entry, uint16_t offset = 0) {
    AppendFixed(&entry, offset);
    AppendFixed(&entry, uint16_t{1});
    // Exactly as long as it is, so that the address sanitizer sees a read past its end.
    const std::vector<char> raw(entry.begin(), entry.end());
    BlockView view;
    EXPECT_TRUE(view.Parse({raw.data(), raw.size()}));
    Entry decoded;
    return !view.Decode(0, &decoded) && view.LowerBound("", 0) == -1;
  };
  EXPECT_FALSE(refuses(std::string("\x05\x01\x01kv", 5)));
  EXPECT_TRUE(refuses(std::string("\x05\x01\x01kv", 5), 5));       // offset at the slots
  EXPECT_TRUE(refuses(std::string("\x05\x01\x01kv", 5), 0xffff));  // offset beyond the block
  EXPECT_TRUE(refuses(std::string("\x05\x02\x01kv", 5)));          // lengths beyond the entries
  EXPECT_TRUE(refuses(std::string("\x05\x01\x02kv", 5)));
  EXPECT_TRUE(refuses("\x05"));  // cut off after the tag
  EXPECT_TRUE(refuses("\x05\x01"));
  EXPECT_TRUE(refuses("\x85"));
  EXPECT_TRUE(refuses("\x05\x81"));
  EXPECT_TRUE(refuses("\x05\x01\x81"));
  EXPECT_TRUE(refuses(std::string("\x07\x01\x01kv", 5)));  // no room for a deadline
  EXPECT_FALSE(refuses(std::string("\x07\x01\x08k\x01\0\0\0\0\0\0\0", 12)));
  EXPECT_TRUE(refuses(std::string("\x07\x01\x08k\x01\0\0\0\0\0\x01\0", 12)));     // beyond 48 bits
  EXPECT_TRUE(refuses(std::string("\x07\x01\x08k\x01\0\0\0\0\0\0\x40", 12)));    // relative
  EXPECT_TRUE(refuses(std::string("\x07\x01\x08k\x01\0\0\0\0\0\0\x80", 12)));    // no pointer
  EXPECT_TRUE(refuses(std::string("\x04\x01\x01kv", 5)));  // tombstone with a value
  EXPECT_TRUE(refuses("\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"));  // length of 2^64 - 1
  EXPECT_TRUE(refuses("\x05\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k"));
  // Sequence number of 57 bits.
  std::string large;
  AppendVarint(&large, (kMaxSequence + 1) << 2 | 1);
  EXPECT_TRUE(refuses(large + std::string("\x01\x01kv", 4)));
}

// A flipped byte may change what is read (the checksum is a layer above), but never reads outside.
TEST(BlockTest, AnyFlippedByteIsReadWithinTheBlock) {
  Random random(4);
  const std::string good = Build(RandomEntries(&random, 12, 20, 30));
  for (size_t at = 0; at < good.size(); ++at) {
    for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
      std::vector<char> raw(good.begin(), good.end());
      raw[at] = static_cast<char>(static_cast<unsigned char>(raw[at]) ^ flip);
      BlockView view;
      if (!view.Parse({raw.data(), raw.size()})) continue;
      for (int slot = 0; slot < view.count(); ++slot) {
        Entry entry;
        if (!view.Decode(slot, &entry)) continue;
        EXPECT_GE(entry.key.data(), raw.data());
        EXPECT_LE(entry.value.data() + entry.value.size(), raw.data() + raw.size());
      }
      const int found = view.LowerBound("m", 5);
      EXPECT_GE(found, -1);
      EXPECT_LE(found, view.count());
    }
  }
}

}  // namespace block_test
}  // namespace varve
