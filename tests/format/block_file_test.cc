#include "format/block_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "format/block.h"
#include "tests/format/test_bytes.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace block_file_test {

using test::HalfRandomBytes;
using test::Hex;
using test::RandomBytes;

constexpr uint64_t kFile = 12;
constexpr uint64_t kOffset = 8192;

std::string Encode(std::string_view raw, Compression compression, bool pad_to_page = false) {
  std::string disk;
  EncodeBlock(raw, {BlockKind::kData, compression, pad_to_page}, kFile, kOffset, &disk);
  return disk;
}

Result<std::string> Decode(std::string_view disk, uint64_t file = kFile,
                           uint64_t offset = kOffset) {
  std::string scratch;
  // Exactly as long as it is, so that the address sanitizer sees a read past its end.
  const std::vector<char> copy(disk.begin(), disk.end());
  Result<std::string_view> raw =
      DecodeBlock({copy.data(), copy.size()}, file, offset, BlockKind::kData, &scratch);
  if (!raw.ok()) return raw.status();
  return std::string(*raw);
}

// Gives `disk` a right checksum whatever its other bytes are.
void Reseal(std::string* disk) {
  const uint64_t checksum =
      Hash64(std::string_view(*disk).substr(0, disk->size() - 8), PlaceSeed(kFile, kOffset));
  StoreFixed(disk->data() + disk->size() - 8, checksum);
}

char* Trailer(std::string* disk) { return disk->data() + disk->size() - kBlockTrailerBytes; }

class BlockFileCodecTest : public testing::TestWithParam<Compression> {};

TEST_P(BlockFileCodecTest, BlocksOfAllSizesComeBack) {
  Random random(1);
  for (const size_t size :
       {0u, 1u, 7u, 15u, 100u, 4079u, 4080u, 4081u, 16384u, 100000u, 3000000u}) {
    const std::string raw = HalfRandomBytes(&random, size);
    for (const bool pad : {false, true}) {
      const std::string disk = Encode(raw, GetParam(), pad);
      Result<std::string> decoded = Decode(disk);
      ASSERT_OK(decoded);
      EXPECT_EQ(*decoded, raw);
    }
  }
}

TEST_P(BlockFileCodecTest, AnyFlippedByteIsCorruption) {
  Random random(2);
  const std::string good = Encode(HalfRandomBytes(&random, 600), GetParam());
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      ASSERT_STATUS(kCorruption, Decode(bad)) << "byte " << at << " bit " << bit;
    }
  }
}

TEST_P(BlockFileCodecTest, AnyTruncationIsCorruption) {
  Random random(3);
  const std::string good = Encode(HalfRandomBytes(&random, 600), GetParam());
  for (size_t size = 0; size < good.size(); ++size) {
    ASSERT_STATUS(kCorruption, Decode(good.substr(0, size)));
  }
}

// Behind a right checksum the payload may still be anything: memory safety is all that is asked.
TEST_P(BlockFileCodecTest, AnyFlippedByteBehindARightChecksumIsReadSafely) {
  Random random(4);
  const std::string good = Encode(HalfRandomBytes(&random, 600), GetParam());
  for (size_t at = 0; at + 8 < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      Reseal(&bad);
      const Result<std::string> decoded = Decode(bad);
      if (!decoded.ok()) {
        ASSERT_STATUS(kCorruption, decoded);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, BlockFileCodecTest,
                         testing::Values(Compression::kNone, Compression::kLz4,
                                         Compression::kZstd));

TEST(BlockFileTest, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(Hex(Encode("hello", Compression::kNone)),
            "68656c6c6f"  // payload
            "00"
            "01"
            "0000"      // plain, data, no padding
            "05000000"  // raw bytes
            "941028c5b23657a0");
}

TEST(BlockFileTest, PlainBlocksFillPages) {
  for (const size_t size : {0u, 1u, 4079u, 4080u}) {
    EXPECT_EQ(Encode(std::string(size, 'x'), Compression::kNone, true).size(), kPageBytes);
  }
  EXPECT_EQ(Encode(std::string(4081, 'x'), Compression::kNone, true).size(), 2 * kPageBytes);
}

TEST(BlockFileTest, BlockThatSavesLessThanAnEighthStaysPlain) {
  Random random(5);
  const std::string raw = RandomBytes(&random, 700) + std::string(100, 'v');
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    const std::string disk = Encode(raw, compression);
    Result<BlockFrame> frame = OpenBlock(disk, kFile, kOffset);
    ASSERT_OK(frame);
    EXPECT_EQ(frame->codec, BlockCodec::kPlain);
    EXPECT_TRUE(frame->in_place());
  }
  const std::string compressible = RandomBytes(&random, 600) + std::string(200, 'v');
  EXPECT_EQ(OpenBlock(Encode(compressible, Compression::kLz4), kFile, kOffset)->codec,
            BlockCodec::kLz4);
  EXPECT_EQ(OpenBlock(Encode(compressible, Compression::kZstd), kFile, kOffset)->codec,
            BlockCodec::kZstd);
}

TEST(BlockFileTest, PlainBlockIsReadInPlace) {
  const std::string disk = Encode("hello", Compression::kNone, true);
  std::string scratch = "untouched";
  Result<std::string_view> raw = DecodeBlock(disk, kFile, kOffset, BlockKind::kData, &scratch);
  ASSERT_OK(raw);
  EXPECT_EQ(raw->data(), disk.data());
  EXPECT_EQ(scratch, "untouched");
}

TEST(BlockFileTest, BlockInTheWrongPlaceIsCorruptionThatNamesThePlace) {
  const std::string disk = Encode("hello", Compression::kNone);
  EXPECT_STATUS(kCorruption, Decode(disk, kFile + 1, kOffset));
  const Result<std::string> moved = Decode(disk, kFile, kOffset + 4096);
  ASSERT_STATUS(kCorruption, moved);
  EXPECT_NE(moved.status().message().find("offset 12288 of file 12"), std::string::npos)
      << moved.status().message();
}

TEST(BlockFileTest, BlockOfAnotherKindIsCorruption) {
  std::string disk;
  EncodeBlock("hello", {.kind = BlockKind::kProperties}, kFile, kOffset, &disk);
  EXPECT_STATUS(kCorruption, Decode(disk));
}

TEST(BlockFileTest, SealedBlockEqualsTheEncodedOne) {
  std::string sealed(kPageBytes, 'j');
  sealed.replace(0, 5, "hello");
  SealPlainBlock(sealed.data(), 5, kPageBytes, BlockKind::kData, kFile, kOffset);
  EXPECT_EQ(sealed, Encode("hello", Compression::kNone, true));
}

TEST(BlockFileTest, ImpossibleTrailersAreRefusedBeforeAnythingIsAllocated) {
  const auto refuses = [](std::string disk, const auto& damage) {
    damage(Trailer(&disk));
    Reseal(&disk);
    return OpenBlock(disk, kFile, kOffset).status().IsCorruption();
  };
  const std::string plain = Encode("hello", Compression::kNone);
  const std::string lz4 = Encode(std::string(500, 'x'), Compression::kLz4);
  const std::string zstd = Encode(std::string(500, 'x'), Compression::kZstd);
  EXPECT_FALSE(refuses(plain, [](char*) {}));
  EXPECT_TRUE(refuses(plain, [](char* t) { t[0] = 3; }));
  EXPECT_TRUE(refuses(plain, [](char* t) { StoreFixed(t + 2, uint16_t{6}); }));
  EXPECT_TRUE(refuses(plain, [](char* t) { StoreFixed(t + 4, uint32_t{4}); }));
  EXPECT_TRUE(refuses(lz4, [](char* t) { StoreFixed(t + 4, uint32_t{1} << 20); }));
  EXPECT_TRUE(refuses(zstd, [](char* t) { StoreFixed(t + 4, uint32_t{1} << 30); }));
  EXPECT_TRUE(refuses(zstd, [](char* t) { StoreFixed(t + 4, ~uint32_t{0}); }));
}

TEST(BlockFileTest, CompressedBlockOfAnotherSizeThanItSaysIsCorruption) {
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    for (const uint32_t raw_bytes : {499u, 501u, 0u}) {
      std::string disk = Encode(std::string(500, 'x'), compression);
      StoreFixed(Trailer(&disk) + 4, raw_bytes);
      Reseal(&disk);
      EXPECT_STATUS(kCorruption, Decode(disk));
    }
  }
}

}  // namespace block_file_test
}  // namespace varve
