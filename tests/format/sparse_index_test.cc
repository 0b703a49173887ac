#include "format/sparse_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/format/test_bytes.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace sparse_index_test {

using test::Hex;
using test::RandomBytes;

struct Version {
  std::string key;
  SequenceNumber sequence;
};
using Block = std::vector<Version>;

constexpr uint64_t kBlockBytes = 4096;

std::string Encode(const std::vector<Block>& blocks) {
  SparseIndexBuilder builder;
  std::string previous;
  for (const Block& block : blocks) {
    builder.AddBlock(previous, block.front().key, block.front().sequence);
    builder.SetBlockBytes(kBlockBytes);
    previous = block.back().key;
  }
  return builder.Finish();
}
SegmentIndex Parse(const std::vector<Block>& blocks) {
  Result<SegmentIndex> index = SegmentIndex::Parse(Encode(blocks), blocks.size() * kBlockBytes);
  EXPECT_OK(index);
  return index.ok() ? *std::move(index) : SegmentIndex();
}

// Versions in internal order, cut into blocks.
std::vector<Block> RandomBlocks(Random* random, std::string_view prefix, size_t max_key,
                                int versions) {
  std::vector<Version> all;
  for (int i = 0; i < versions; ++i) {
    const bool repeat = !all.empty() && random->OneIn(3);
    std::string key = repeat
                          ? all.back().key
                          : std::string(prefix) + RandomBytes(random, random->Uniform(max_key + 1));
    if (random->OneIn(4)) key.append(random->Uniform(3), '\0');
    all.push_back({key, static_cast<SequenceNumber>(i + 1)});
  }
  std::sort(all.begin(), all.end(), [](const Version& a, const Version& b) {
    return CompareInternal(a.key, a.sequence, b.key, b.sequence) < 0;
  });
  std::vector<Block> blocks;
  for (size_t i = 0; i < all.size();) {
    const size_t size = std::min<size_t>(1 + random->Uniform(3), all.size() - i);
    blocks.emplace_back(all.begin() + static_cast<ptrdiff_t>(i),
                        all.begin() + static_cast<ptrdiff_t>(i + size));
    i += size;
  }
  return blocks;
}

// What FindBlock promises, by looking at every version.
bool IsWhereTheSearchBegins(const std::vector<Block>& blocks, size_t found, std::string_view key,
                            SequenceNumber sequence) {
  const auto is_before = [&](const Version& v) {
    return CompareInternal(v.key, v.sequence, key, sequence) < 0;
  };
  // Nothing at or after the target in earlier blocks; nothing before it in later ones.
  for (size_t b = 0; b < blocks.size(); ++b) {
    for (const Version& version : blocks[b]) {
      if (b < found && !is_before(version)) return false;
      if (b > found && is_before(version)) return false;
    }
  }
  return true;
}

TEST(SparseIndexTest, FindBlockAgreesWithALookAtEveryVersion) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const std::string prefix = RandomBytes(&random, random.Uniform(12));
    const std::vector<Block> blocks = RandomBlocks(&random, prefix, round % 2 == 0 ? 2 : 12,
                                                   1 + static_cast<int>(random.Uniform(round % 3 == 0 ? 400 : 60)));
    const SegmentIndex index = Parse(blocks);
    ASSERT_EQ(index.block_count(), blocks.size());
    for (int probe = 0; probe < 60; ++probe) {
      const Block& block = blocks[random.Uniform(blocks.size())];
      const Version& near = block[random.Uniform(block.size())];
      std::string key = near.key;
      if (random.OneIn(3)) key = prefix + RandomBytes(&random, random.Uniform(4));
      if (random.OneIn(5)) key = RandomBytes(&random, random.Uniform(14));
      if (random.OneIn(5) && !key.empty()) key.pop_back();
      if (random.OneIn(5)) key += '\0';
      const SequenceNumber sequence =
          random.OneIn(2) ? kMaxSequence : near.sequence + random.Uniform(3) - 1;
      const size_t found = index.FindBlock(key, sequence);
      ASSERT_TRUE(IsWhereTheSearchBegins(blocks, found, key, sequence))
          << "round " << round << " key " << Hex(key) << " sequence " << sequence;
    }
  }
}

TEST(SparseIndexTest, NewestVersionIsFoundWhereTheVersionsOfItsKeyBegin) {
  const SegmentIndex index = Parse({{{"a", 1}},
                                    {{"b", 90}, {"k", 80}},
                                    {{"k", 70}, {"k", 60}},
                                    {{"k", 50}},
                                    {{"k", 40}, {"z", 2}}});
  EXPECT_EQ(index.FindBlock("k"), 1u);
  EXPECT_EQ(index.FindBlock("k", 80), 1u);
  EXPECT_EQ(index.FindBlock("k", 70), 2u);
  EXPECT_EQ(index.FindBlock("k", 55), 2u);
  EXPECT_EQ(index.FindBlock("k", 50), 3u);
  EXPECT_EQ(index.FindBlock("k", 1), 4u);
  EXPECT_EQ(index.FindBlock("l"), 4u);
}

TEST(SparseIndexTest, KeysOutsideTheSegmentGoToItsEnds) {
  const SegmentIndex index = Parse({{{"pre-b", 1}}, {{"pre-d", 1}}, {{"pre-f", 1}}});
  EXPECT_EQ(index.FindBlock(""), 0u);
  EXPECT_EQ(index.FindBlock("pre"), 0u);
  EXPECT_EQ(index.FindBlock("a"), 0u);
  EXPECT_EQ(index.FindBlock("pre-z"), 2u);
  EXPECT_EQ(index.FindBlock("q"), 2u);
}

TEST(SparseIndexTest, SeparatorsAreShort) {
  const std::string tail(1000, 'x');
  const std::string raw = Encode({{{"a" + tail, 1}}, {{"b" + tail, 1}}, {{"bc" + tail, 1}}});
  EXPECT_LT(raw.size(), 20u);
  const SegmentIndex index = Parse({{{"a" + tail, 1}}, {{"b" + tail, 1}}, {{"bx" + tail, 1}}});
  std::string separator;
  index.AppendSeparator(0, &separator);
  EXPECT_EQ(separator, "");
  index.AppendSeparator(1, &separator);
  EXPECT_EQ(separator, "b");
}

TEST(SparseIndexTest, PlacesOfBlocksFollowFromTheirSizes) {
  SparseIndexBuilder builder;
  builder.AddBlock("", "a", 1);
  builder.SetBlockBytes(100);
  builder.AddBlock("a", "b", 1);
  builder.SetBlockBytes(5000);
  Result<SegmentIndex> index = SegmentIndex::Parse(builder.Finish(), 5100);
  ASSERT_OK(index);
  EXPECT_EQ(index->block_offset(0), 0u);
  EXPECT_EQ(index->block_bytes(0), 100u);
  EXPECT_EQ(index->block_offset(1), 100u);
  EXPECT_EQ(index->block_bytes(1), 5000u);
  EXPECT_GT(index->memory_bytes(), 40u);
}

TEST(SparseIndexTest, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(Hex(Encode({{{"pa", 9}}, {{"pb", 8}, {"pc", 300}}, {{"pc", 299}}})),
            "03"
            "01"
            "70"  // three blocks; prefix "p"
            "8020"
            "00"  // 4096 bytes, empty key
            "8020"
            "02"
            "62"  // "b"
            "8020"
            "03"
            "63"
            "ab02");  // "c" continues from sequence 299
}

TEST(SparseIndexTest, MalformedIndexesAreRefused) {
  const std::string good = Encode({{{"pa", 9}}, {{"pb", 8}, {"pc", 300}}, {{"pc", 299}}});
  EXPECT_OK(SegmentIndex::Parse(good, 3 * kBlockBytes));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_STATUS(kCorruption, SegmentIndex::Parse(good.substr(0, size), 3 * kBlockBytes));
  }
  EXPECT_STATUS(kCorruption, SegmentIndex::Parse(good + "x", 3 * kBlockBytes));
  EXPECT_STATUS(kCorruption, SegmentIndex::Parse(good, 3 * kBlockBytes - 1));
  EXPECT_STATUS(kCorruption, SegmentIndex::Parse(good, 3 * kBlockBytes + 1));
  EXPECT_STATUS(kCorruption, SegmentIndex::Parse(std::string("\x00\x00", 2), 0));
  EXPECT_STATUS(kCorruption, SegmentIndex::Parse("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0));
  // Keys in the wrong order, equal keys, and versions in the wrong order.
  EXPECT_STATUS(kCorruption,
                SegmentIndex::Parse(Encode({{{"a", 1}}, {{"c", 1}}, {{"b", 1}}}), 3 * kBlockBytes));
  EXPECT_STATUS(kCorruption, SegmentIndex::Parse(test::Unhex("03 00 0100 010262 010262"), 3));
  EXPECT_STATUS(kCorruption,
                SegmentIndex::Parse(Encode({{{"b", 9}}, {{"b", 7}}, {{"b", 8}}}), 3 * kBlockBytes));
}

}  // namespace sparse_index_test
}  // namespace varve
