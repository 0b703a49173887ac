#include "format/point_index.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/format/test_bytes.h"

namespace varve {
namespace point_index_test {

using test::Hex;

struct Key {
  uint64_t hash;
  PointLocation location;
};

std::vector<Key> RandomKeys(Random* random, size_t count) {
  std::vector<Key> keys;
  for (size_t i = 0; i < count; ++i) {
    keys.push_back({random->Next(), {static_cast<uint16_t>(i / 30), static_cast<uint8_t>(i % 30)}});
  }
  return keys;
}

std::vector<PointIndexPage> Build(const std::vector<Key>& keys) {
  PointIndexBuilder builder;
  for (const Key& key : keys) builder.Add(key.hash, key.location.block, key.location.slot);
  return builder.Finish();
}

// All candidates for `hash`.
std::vector<PointLocation> Candidates(const std::vector<PointIndexPage>& pages, uint64_t hash) {
  const auto page_count = static_cast<uint32_t>(pages.size());
  PointIndexProbe probe(pages[PointIndexPageOf(hash, page_count)].bytes, hash);
  std::vector<PointLocation> found;
  for (PointLocation location; probe.Next(&location);) found.push_back(location);
  return found;
}

bool Finds(const std::vector<PointIndexPage>& pages, const Key& key) {
  for (const PointLocation& found : Candidates(pages, key.hash)) {
    if (found == key.location) return true;
  }
  return false;
}

TEST(PointIndexTest, EveryKeyIsFoundWhateverTheirNumber) {
  Random random(1);
  for (const size_t count : {1u, 2u, 12u, 13u, 500u, 523u, 524u, 10000u, 300000u}) {
    const std::vector<Key> keys = RandomKeys(&random, count);
    const std::vector<PointIndexPage> pages = Build(keys);
    ASSERT_FALSE(pages.empty());
    for (const Key& key : keys) ASSERT_TRUE(Finds(pages, key));
  }
}

TEST(PointIndexTest, AbsentKeysHaveHardlyAnyCandidates) {
  Random random(2);
  const std::vector<PointIndexPage> pages = Build(RandomKeys(&random, 100000));
  size_t candidates = 0;
  constexpr size_t kProbes = 1000000;
  for (size_t i = 0; i < kProbes; ++i) candidates += Candidates(pages, random.Next()).size();
  // About 9 tags of 16 bits are compared: 1.4e-4 each.
  EXPECT_LT(candidates, kProbes / 4000);
}

TEST(PointIndexTest, PageIsUsedAsPlanned) {
  PointIndexBuilder builder;
  Random random(3);
  for (size_t i = 0; i < 100000; ++i) builder.Add(random.Next(), 0, 0);
  const size_t planned = builder.EstimatedBytes();
  const std::vector<PointIndexPage> pages = builder.Finish();
  EXPECT_EQ(pages.size() * kPageBytes, planned);
  EXPECT_EQ(pages.size(), (100000 + 522) / 523u);
}

TEST(PointIndexTest, ThirteenKeysOfOneBucketSpillIntoTheNext) {
  // Equal page and bucket bits, different tags.
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 13; ++i)
    keys.push_back({0x00000000'05000000 + i, {7, static_cast<uint8_t>(i)}});
  const std::vector<PointIndexPage> pages = Build(keys);
  for (const Key& key : keys) EXPECT_TRUE(Finds(pages, key));
  const uint32_t bucket = PointIndexBucketOf(keys[0].hash);
  EXPECT_EQ(pages[0].bytes[bucket * 64 + kPointIndexOverflowAt], 1);
  EXPECT_EQ(pages[0].bytes[(bucket + 1) * 64 + kPointIndexCountAt], 1);
}

TEST(PointIndexTest, LastBucketSpillsIntoTheFirst) {
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 30; ++i)
    keys.push_back({0x00000000'ffff0000 + i, {1, static_cast<uint8_t>(i)}});
  const std::vector<PointIndexPage> pages = Build(keys);
  EXPECT_EQ(PointIndexBucketOf(keys[0].hash), kPointIndexBucketsPerPage - 1);
  EXPECT_EQ(pages[0].bytes[kPointIndexCountAt], 12);
  for (const Key& key : keys) EXPECT_TRUE(Finds(pages, key));
}

TEST(PointIndexTest, EqualHashesAreAllCandidates) {
  std::vector<Key> keys(20, Key{0x1234567890abcdef, {}});
  for (uint8_t i = 0; i < 20; ++i) keys[i].location = {3, i};
  const std::vector<PointIndexPage> pages = Build(keys);
  std::set<int> slots;
  for (const PointLocation& found : Candidates(pages, keys[0].hash)) slots.insert(found.slot);
  EXPECT_EQ(slots.size(), 20u);
}

TEST(PointIndexTest, PageThatOverflowsWhollyGetsMorePages) {
  // 1000 keys are planned for two pages; all of them go to the first, which has 756 places, until
  // there are more pages to share the same hashes.
  Random random(4);
  std::vector<Key> keys;
  for (size_t i = 0; i < 1000; ++i) {
    const uint64_t page_bits = random.Uniform(uint64_t{1} << 31);  // the lower half of all hashes
    keys.push_back({page_bits << 32 | (random.Next() & 0xffffffff),
                    {static_cast<uint16_t>(i), static_cast<uint8_t>(i)}});
  }
  const std::vector<PointIndexPage> pages = Build(keys);
  EXPECT_GT(pages.size(), 2u);  // what 1000 keys would take
  for (const Key& key : keys) ASSERT_TRUE(Finds(pages, key));
}

TEST(PointIndexTest, MoreEqualHashesThanAPageHoldsGiveNoIndex) {
  EXPECT_FALSE(Build(std::vector<Key>(756, Key{42, {}})).empty());
  EXPECT_TRUE(Build(std::vector<Key>(757, Key{42, {}})).empty());
}

TEST(PointIndexTest, NoKeysGiveNoPages) { EXPECT_TRUE(Build({}).empty()); }

TEST(PointIndexTest, BytesAreThoseOfTheFormat) {
  const std::vector<PointIndexPage> pages =
      Build({{0x00000000'0000beef, {0x0102, 3}}, {0x00000000'00001234, {0xffff, 254}}});
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(Hex({pages[0].bytes, 64}),
            "efbe"
            "3412"
            "0000000000000000000000000000000000000000"  // tags
            "020103"
            "fffffe"
            "000000000000000000000000000000000000000000000000000000000000"
            "02"
            "00"
            "0000");  // count, overflowed
  EXPECT_EQ(std::string(pages[0].bytes + 64, kPageBytes - 64), std::string(kPageBytes - 64, '\0'));
}

TEST(PointIndexTest, HashBitsChoosePageAndBucketWithinBounds) {
  for (const uint64_t hash :
       {uint64_t{0}, ~uint64_t{0}, uint64_t{0xffffffff00000000}, uint64_t{0xffff0000}}) {
    for (const uint32_t page_count : {1u, 2u, 1000u, ~0u}) {
      EXPECT_LT(PointIndexPageOf(hash, page_count), page_count);
    }
    EXPECT_LT(PointIndexBucketOf(hash), kPointIndexBucketsPerPage);
  }
}

TEST(PointIndexTest, AnyBytesAreProbedWithinThePage) {
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    // Exactly what a probe may read.
    const auto page = std::make_unique<char[]>(kPointIndexRawBytes);
    const char fill = random.OneIn(4) ? static_cast<char>(0xff) : static_cast<char>(random.Next());
    std::memset(page.get(), fill, kPointIndexRawBytes);
    const uint64_t hash = fill == static_cast<char>(0xff) ? ~uint64_t{0} : random.Next();
    PointIndexProbe probe(page.get(), hash);
    size_t candidates = 0;
    for (PointLocation location; probe.Next(&location);) ++candidates;
    EXPECT_LE(candidates, size_t{kPointIndexBucketsPerPage} * kPointIndexBucketSlots);
  }
}

}  // namespace point_index_test
}  // namespace varve
