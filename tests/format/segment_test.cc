// Segments as a whole: what SegmentBuilder writes, the readers give back, checked against a sorted
// vector; and damage of every byte.
#include "format/segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "base/random.h"
#include "format/block.h"
#include "format/block_file.h"
#include "format/point_index.h"
#include "format/segment_builder.h"
#include "format/value_pointer.h"
#include "tests/format/memory_file.h"
#include "tests/format/test_bytes.h"
#include "tests/support/status_matchers.h"
#include "varve/version.h"

namespace varve {
namespace segment_test {

using test::HalfRandomBytes;
using test::MemoryFile;
using test::RandomBytes;

constexpr uint64_t kFile = 31;
constexpr uint64_t kSalt = 0x5a17;

struct Owned {
  std::string key;
  SequenceNumber sequence;
  EntryKind kind;
  std::string value;

  Entry view() const { return {key, value, sequence, kind}; }
  friend bool operator==(const Owned&, const Owned&) = default;
};

Owned Copy(const Entry& entry) {
  return {std::string(entry.key), entry.sequence, entry.kind, std::string(entry.value)};
}

std::string EncodedPointer(uint32_t value_bytes) {
  std::string bytes(kValuePointerBytes, '\0');
  EncodeValuePointer({1, 64, value_bytes, 3}, bytes.data());
  return bytes;
}

void Sort(std::vector<Owned>* entries) {
  std::sort(entries->begin(), entries->end(), [](const Owned& a, const Owned& b) {
    return CompareInternal(a.key, a.sequence, b.key, b.sequence) < 0;
  });
}

// Entries of every kind: several versions, tombstones, pointers, empty keys and values.
std::vector<Owned> RandomEntries(Random* random, size_t count, size_t max_key, size_t max_value) {
  std::map<std::pair<std::string, SequenceNumber>, bool> seen;
  std::vector<Owned> entries;
  SequenceNumber sequence = 1;
  while (entries.size() < count) {
    const bool repeat = !entries.empty() && random->OneIn(3);
    Owned entry;
    entry.key = repeat ? entries.back().key : RandomBytes(random, random->Uniform(max_key + 1));
    entry.sequence = sequence++;
    entry.kind = static_cast<EntryKind>(random->Uniform(3));
    if (entry.kind == EntryKind::kValue) {
      entry.value = HalfRandomBytes(random, random->Uniform(max_value + 1));
    } else if (entry.kind == EntryKind::kValuePointer) {
      entry.value = EncodedPointer(static_cast<uint32_t>(random->Uniform(1 << 20)));
    }
    entries.push_back(std::move(entry));
  }
  Sort(&entries);
  return entries;
}

Result<SegmentProperties> Build(const std::vector<Owned>& entries,
                                const SegmentBuilderOptions& options, MemoryFile* file) {
  SegmentBuilder builder(file, options);
  for (const Owned& entry : entries) {
    Status status = builder.Add(entry.view());
    if (!status.ok()) return status;
  }
  return builder.Finish();
}

// Reads a segment the way an engine does.
class Reader {
 public:
  explicit Reader(const RandomAccessFile* file) : file_(file) {}

  Status Open() {
    Result<OpenedSegment> opened = OpenSegment(*file_, kFile);
    if (!opened.ok()) return opened.status();
    segment_ = *std::move(opened);
    return Status::Ok();
  }
  const OpenedSegment& segment() const { return segment_; }

  Status Scan(std::vector<Owned>* entries) const {
    for (size_t i = 0; i < segment_.index.block_count(); ++i) {
      Result<std::string> raw = ReadDataBlock(i);
      if (!raw.ok()) return raw.status();
      BlockView block;
      if (!block.Parse(*raw)) return Status::Corruption("frame");
      for (int slot = 0; slot < block.count(); ++slot) {
        Entry entry;
        if (!block.Decode(slot, &entry)) return Status::Corruption("entry");
        entries->push_back(Copy(entry));
      }
    }
    return Status::Ok();
  }

  // The first entry at or after (key, sequence); nullopt at the end.
  Result<std::optional<Owned>> Seek(std::string_view key, SequenceNumber sequence) const {
    const size_t first = segment_.index.FindBlock(key, sequence);
    for (size_t i = first; i < segment_.index.block_count() && i <= first + 1; ++i) {
      Result<std::string> raw = ReadDataBlock(i);
      if (!raw.ok()) return raw.status();
      BlockView block;
      if (!block.Parse(*raw)) return Status::Corruption("frame");
      const int slot = i == first ? block.LowerBound(key, sequence) : 0;
      if (slot < 0) return Status::Corruption("entry");
      if (slot == block.count()) continue;
      Entry entry;
      if (!block.Decode(slot, &entry)) return Status::Corruption("entry");
      return std::optional<Owned>(Copy(entry));
    }
    return std::optional<Owned>();
  }

  // The newest version of `key` by the point index; nullopt when the segment has none.
  Result<std::optional<Owned>> Find(std::string_view key) const {
    const uint64_t hash = PointIndexHash(key, segment_.properties.hash_salt);
    const uint64_t offset =
        segment_.properties.point_index_offset +
        kPageBytes * PointIndexPageOf(hash, segment_.properties.point_index_page_count);
    Result<std::string> page = ReadBlock(offset, kPageBytes, BlockKind::kPointIndex);
    if (!page.ok()) return page.status();
    if (page->size() != kPointIndexRawBytes) return Status::Corruption("page");
    PointIndexProbe probe(page->data(), hash);
    for (PointLocation at; probe.Next(&at);) {
      if (at.block >= segment_.index.block_count()) return Status::Corruption("location");
      Result<std::string> raw = ReadDataBlock(at.block);
      if (!raw.ok()) return raw.status();
      BlockView block;
      Entry entry;
      if (!block.Parse(*raw) || !block.Decode(at.slot, &entry)) return Status::Corruption("entry");
      if (entry.key == key) return std::optional<Owned>(Copy(entry));
    }
    return std::optional<Owned>();
  }

 private:
  Result<std::string> ReadDataBlock(size_t i) const {
    return ReadBlock(segment_.index.block_offset(i), segment_.index.block_bytes(i),
                     BlockKind::kData);
  }
  Result<std::string> ReadBlock(uint64_t offset, size_t size, BlockKind kind) const {
    std::string disk(size, '\0');
    std::string scratch;
    Result<size_t> got = file_->Read(offset, size, disk.data());
    if (!got.ok()) return got.status();
    disk.resize(*got);
    Result<std::string_view> raw = DecodeBlock(disk, kFile, offset, kind, &scratch);
    if (!raw.ok()) return raw.status();
    return std::string(*raw);
  }

  const RandomAccessFile* const file_;
  OpenedSegment segment_;
};

void ExpectEqualsModel(const Reader& reader, const std::vector<Owned>& model, Random* random,
                       int probes) {
  std::vector<Owned> scanned;
  ASSERT_OK(reader.Scan(&scanned));
  ASSERT_TRUE(scanned == model);
  for (int i = 0; i < probes; ++i) {
    const Owned& near = model[random->Uniform(model.size())];
    std::string key = random->OneIn(4) ? RandomBytes(random, random->Uniform(5)) : near.key;
    const SequenceNumber sequence =
        random->OneIn(2) ? kMaxSequence : near.sequence + random->Uniform(3) - 1;
    const auto expected = std::partition_point(model.begin(), model.end(), [&](const Owned& e) {
      return CompareInternal(e.key, e.sequence, key, sequence) < 0;
    });
    const auto sought = reader.Seek(key, sequence);
    ASSERT_OK(sought);
    ASSERT_EQ(sought->has_value(), expected != model.end());
    if (expected != model.end()) {
      ASSERT_TRUE(**sought == *expected);
    }

    const auto newest = std::partition_point(model.begin(), model.end(), [&](const Owned& e) {
      return CompareInternal(e.key, e.sequence, key, kMaxSequence) < 0;
    });
    const bool exists = newest != model.end() && newest->key == key;
    const auto found = reader.Find(key);
    ASSERT_OK(found);
    ASSERT_EQ(found->has_value(), exists);
    if (exists) {
      ASSERT_TRUE(**found == *newest);
    }
  }
}

class SegmentCodecTest : public testing::TestWithParam<Compression> {
 protected:
  SegmentBuilderOptions Options() const {
    return {.file_number = kFile, .compression = GetParam(), .hash_salt = kSalt};
  }
};

TEST_P(SegmentCodecTest, ReadersAgreeWithASortedVector) {
  Random random(1);
  struct Shape {
    size_t count, max_key, max_value;
  };
  for (const Shape& shape : {Shape{1, 0, 0}, Shape{1, 10, 10}, Shape{300, 2, 5}, Shape{3000, 3, 60},
                             Shape{3000, 40, 200}, Shape{500, 30, 9000}, Shape{40, 65535, 100}}) {
    const std::vector<Owned> model =
        RandomEntries(&random, shape.count, shape.max_key, shape.max_value);
    MemoryFile file;
    Result<SegmentProperties> properties = Build(model, Options(), &file);
    ASSERT_OK(properties);
    Reader reader(&file);
    ASSERT_OK(reader.Open());
    EXPECT_TRUE(reader.segment().properties == *properties);
    ExpectEqualsModel(reader, model, &random, 150);
  }
}

TEST_P(SegmentCodecTest, EntriesAtTheLimitsComeBack) {
  std::vector<Owned> model = {
      {"", 3, EntryKind::kValue, ""},
      {"", 2, EntryKind::kDelete, ""},
      {"", 1, EntryKind::kValue, std::string(100, 'x')},
      {std::string(65535, 'k'), kMaxSequence, EntryKind::kValue, ""},
      {std::string(65535, 'k'), 7, EntryKind::kValue, std::string(3 << 20, 'y')},
      {std::string(65534, 'k') + "l", 7, EntryKind::kValue, "z"},
      {std::string(3, '\xff'), 1, EntryKind::kValue, "last"},
  };
  Sort(&model);
  MemoryFile file;
  ASSERT_OK(Build(model, Options(), &file));
  Reader reader(&file);
  ASSERT_OK(reader.Open());
  Random random(2);
  ExpectEqualsModel(reader, model, &random, 50);
}

TEST_P(SegmentCodecTest, ManyVersionsOfOneKeySpanBlocks) {
  std::vector<Owned> model;
  for (SequenceNumber i = 2000; i > 0; --i) {
    model.push_back({"key", i, EntryKind::kValue, std::string(100, static_cast<char>(i))});
  }
  model.insert(model.begin(), {"a", 1, EntryKind::kValue, "first"});
  model.push_back({"z", 1, EntryKind::kValue, "last"});
  MemoryFile file;
  ASSERT_OK(Build(model, Options(), &file));
  Reader reader(&file);
  ASSERT_OK(reader.Open());
  EXPECT_GT(reader.segment().index.block_count(), 10u);
  Random random(3);
  ExpectEqualsModel(reader, model, &random, 500);
}

// Right data or an error, never wrong data, for every byte of a small segment.
TEST_P(SegmentCodecTest, AnyFlippedByteGivesRightDataOrAnError) {
  Random random(4);
  const std::vector<Owned> model = RandomEntries(&random, 60, 20, 300);
  MemoryFile good;
  ASSERT_OK(Build(model, Options(), &good));
  size_t errors = 0;
  for (size_t at = 0; at < good.bytes().size(); ++at) {
    MemoryFile bad(good.bytes());
    bad.bytes()[at] = static_cast<char>(bad.bytes()[at] ^ (1 << random.Uniform(8)));
    Reader reader(&bad);
    bool failed = !reader.Open().ok();
    std::vector<Owned> scanned;
    if (!failed) {
      if (reader.Scan(&scanned).ok()) {
        ASSERT_TRUE(scanned == model) << "byte " << at;
      } else {
        failed = true;
      }
      const auto found = reader.Find(model[at % model.size()].key);
      if (found.ok()) {
        ASSERT_TRUE(found->has_value() && (*found)->key == model[at % model.size()].key);
      } else {
        failed = true;
      }
    }
    errors += failed ? 1 : 0;
  }
  // Only padding between data and point index is covered by no checksum.
  EXPECT_GE(errors + kPageBytes, good.bytes().size());
  if (GetParam() == Compression::kNone) {
    EXPECT_EQ(errors, good.bytes().size());
  }
}

TEST_P(SegmentCodecTest, AnyTruncationIsAnError) {
  Random random(5);
  MemoryFile good;
  ASSERT_OK(Build(RandomEntries(&random, 60, 20, 300), Options(), &good));
  for (size_t size = 0; size < good.bytes().size(); size += 1 + random.Uniform(30)) {
    const MemoryFile bad(good.bytes().substr(0, size));
    EXPECT_STATUS(kCorruption, OpenSegment(bad, kFile));
  }
}

INSTANTIATE_TEST_SUITE_P(All, SegmentCodecTest,
                         testing::Values(Compression::kNone, Compression::kLz4,
                                         Compression::kZstd));

TEST(SegmentTest, PropertiesCountWhatWasAdded) {
  MemoryFile file;
  Result<SegmentProperties> p = Build({{"a", 9, EntryKind::kValue, "12345"},
                                       {"a", 4, EntryKind::kDelete, ""},
                                       {"bb", 7, EntryKind::kValuePointer, EncodedPointer(1000)}},
                                      {.file_number = kFile, .hash_salt = kSalt}, &file);
  ASSERT_OK(p);
  EXPECT_EQ(p->format_version, kFormatVersion);
  EXPECT_EQ(p->entry_count, 3u);
  EXPECT_EQ(p->tombstone_count, 1u);
  EXPECT_EQ(p->key_bytes, 4u);
  EXPECT_EQ(p->value_bytes, 29u);
  EXPECT_EQ(p->logical_bytes, 1009u);
  EXPECT_EQ(p->smallest_key, "a");
  EXPECT_EQ(p->largest_key, "bb");
  EXPECT_EQ(p->smallest_sequence, 4u);
  EXPECT_EQ(p->largest_sequence, 9u);
  EXPECT_EQ(p->data_bytes, 4096u);
  EXPECT_EQ(p->block_count, 1u);
  EXPECT_EQ(p->point_index_offset, 4096u);
  EXPECT_EQ(p->point_index_page_count, 1u);
  EXPECT_EQ(p->hash_salt, kSalt);
}

TEST(SegmentTest, BytesAreThoseOfTheFormat) {
  MemoryFile file;
  ASSERT_OK(Build({{"a", 9, EntryKind::kValue, "12345"}, {"b", 4, EntryKind::kDelete, ""}},
                  {.file_number = kFile, .hash_salt = kSalt}, &file));
  ASSERT_EQ(file.bytes().size(), 2 * kPageBytes + 153u);
  EXPECT_EQ(test::Hex(file.bytes().substr(0, 24)),
            "25010561"
            "3132333435"
            "10010062"
            "0000"
            "0900"
            "0200"
            "00000000"
            "00");
  EXPECT_EQ(test::Hex(file.bytes().substr(2 * kPageBytes)),
            "01008020000003000005000000d2dd114f7973d3c60101010201000301020401"
            "010501020601050701070801610901620a01040b01090c0280200d01010e0280"
            "200f0101100397b4010004000034000000a4042ca08a3f358d1f000000000000"
            "0000200000000000001520000000000000150000004400000001000000000000"
            "000000000000000000c4bd954a438594ce5641525645534547");
  EXPECT_EQ(Hash64(file.bytes()), 0xfba76cc9515dee5cull);
}

TEST(SegmentTest, IndexAndPropertiesOfANewerVersionAreRefused) {
  MemoryFile file;
  ASSERT_OK(Build({{"a", 9, EntryKind::kValue, "1"}}, {.file_number = kFile}, &file));
  const uint64_t footer_offset = file.bytes().size() - kSegmentFooterBytes;
  SegmentFooter footer = *DecodeSegmentFooter(std::string_view(file.bytes()).substr(footer_offset),
                                              kFile, footer_offset);
  footer.format_version = kFormatVersion + 1;
  EncodeSegmentFooter(footer, footer_offset, file.bytes().data() + footer_offset);
  const Result<OpenedSegment> opened = OpenSegment(file, kFile);
  ASSERT_STATUS(kNotSupported, opened);
  EXPECT_NE(opened.status().message().find("segment 31"), std::string::npos);
}

TEST(SegmentTest, SegmentOfAnotherNumberIsCorruption) {
  MemoryFile file;
  ASSERT_OK(Build({{"a", 9, EntryKind::kValue, "1"}}, {.file_number = kFile}, &file));
  EXPECT_STATUS(kCorruption, OpenSegment(file, kFile + 1));
}

TEST(SegmentTest, UnknownPropertiesAreSkipped) {
  SegmentProperties properties;
  properties.entry_count = 77;
  std::string raw = EncodeSegmentProperties(properties);
  AppendVarint(&raw, 4711);
  AppendLengthPrefixed(&raw, "from the future");
  Result<SegmentProperties> decoded = DecodeSegmentProperties(raw);
  ASSERT_OK(decoded);
  EXPECT_TRUE(*decoded == properties);
  EXPECT_STATUS(kCorruption, DecodeSegmentProperties(raw.substr(0, raw.size() - 1)));
}

TEST(SegmentTest, SegmentWithoutPointIndexSaysSo) {
  MemoryFile file;
  Result<SegmentProperties> p = Build({{"a", 9, EntryKind::kValue, "1"}},
                                      {.file_number = kFile, .with_point_index = false}, &file);
  ASSERT_OK(p);
  EXPECT_EQ(p->point_index_page_count, 0u);
  EXPECT_OK(OpenSegment(file, kFile));
}

TEST(SegmentBuilderTest, WritesLargePiecesAtIncreasingOffsets) {
  MemoryFile file;
  SegmentBuilder builder(&file, {.file_number = kFile});
  const std::string value(1000, 'v');
  for (uint64_t i = 0; i < 5000; ++i) {
    char key[8];
    StoreFixed(key, __builtin_bswap64(i));
    ASSERT_OK(builder.Add({{key, 8}, value, 1, EntryKind::kValue}));
  }
  const uint64_t estimate = builder.EstimatedBytes();
  ASSERT_OK(builder.Finish());
  uint64_t end = 0;
  size_t small = 0;
  for (const MemoryFile::WriteCall& write : file.writes()) {
    EXPECT_EQ(write.offset, end);
    end += write.size;
    small += write.size < (size_t{256} << 10) ? 1 : 0;
  }
  EXPECT_EQ(end, builder.file_bytes());
  EXPECT_LE(small, 3u);  // the rest of the data, the point index, the tail
  EXPECT_NEAR(static_cast<double>(estimate), static_cast<double>(end),
              0.01 * static_cast<double>(end));
}

TEST(SegmentBuilderTest, IsFullByBytesAndByBlocks) {
  MemoryFile file;
  SegmentBuilder builder(&file, {.file_number = kFile, .with_point_index = false});
  EXPECT_FALSE(builder.IsFull(10000));
  const std::string value(4000, 'v');
  uint64_t i = 0;
  while (!builder.IsFull(~uint64_t{0})) {
    char key[8];
    StoreFixed(key, __builtin_bswap64(i++));
    ASSERT_OK(builder.Add({{key, 8}, value, 1, EntryKind::kValue}));
    EXPECT_EQ(builder.IsFull(10000), builder.EstimatedBytes() >= 10000);
  }
  EXPECT_EQ(builder.block_count(), kMaxSegmentBlocks);
}

TEST(SegmentBuilderTest, FailedWriteIsReportedForEver) {
  MemoryFile file;
  file.FailFromWrite(1);
  SegmentBuilder builder(&file, {.file_number = kFile});
  const std::string value(10000, 'v');
  Status status;
  uint64_t i = 0;
  while (status.ok() && i < 1000) {
    char key[8];
    StoreFixed(key, __builtin_bswap64(i++));
    status = builder.Add({{key, 8}, value, 1, EntryKind::kValue});
  }
  EXPECT_STATUS(kIoError, status);
  EXPECT_STATUS(kIoError, builder.Add({"z", "", 1, EntryKind::kValue}));
  EXPECT_STATUS(kIoError, builder.Finish());
  EXPECT_EQ(file.writes().size(), 1u);
}

TEST(SegmentBuilderTest, EveryFailingWriteMakesFinishFail) {
  Random random(6);
  const std::vector<Owned> entries = RandomEntries(&random, 500, 20, 6000);
  MemoryFile good;
  ASSERT_OK(Build(entries, {.file_number = kFile}, &good));
  ASSERT_GE(good.writes().size(), 3u);
  for (size_t i = 0; i < good.writes().size(); ++i) {
    MemoryFile bad;
    bad.FailFromWrite(i);
    EXPECT_STATUS(kIoError, Build(entries, {.file_number = kFile}, &bad));
  }
}

TEST(SegmentBuilderTest, AbandonWritesNothingMore) {
  MemoryFile file;
  {
    SegmentBuilder builder(&file, {.file_number = kFile});
    ASSERT_OK(builder.Add({"a", "1", 1, EntryKind::kValue}));
    builder.Abandon();
  }
  EXPECT_TRUE(file.writes().empty());
}

TEST(SegmentBuilderDeathTest, EntriesOutOfOrderAreAProgrammerError) {
  const auto add_both = [](const Entry& first, const Entry& second) {
    MemoryFile file;
    SegmentBuilder builder(&file, {.file_number = kFile});
    (void)builder.Add(first);
    (void)builder.Add(second);
  };
  EXPECT_DEATH(add_both({"b", "", 1}, {"a", "", 1}), "order < 0");
  EXPECT_DEATH(add_both({"a", "", 1}, {"a", "", 1}), "order < 0");
  EXPECT_DEATH(add_both({"a", "", 1}, {"a", "", 2}), "order < 0");
  add_both({"a", "", 2}, {"a", "", 1});
}

}  // namespace segment_test
}  // namespace varve
