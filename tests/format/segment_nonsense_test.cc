// Segments and edits whose checksums are right and whose parts contradict each other: what a writer with a mistake, or
// somebody who means no good, could leave. Each must be refused, with a word that says why.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "format/block_file.h"
#include "format/expiry.h"
#include "format/segment.h"
#include "format/segment_builder.h"
#include "format/version_edit.h"
#include "format/wal.h"
#include "tests/format/memory_file.h"
#include "tests/format/test_bytes.h"
#include "tests/support/status_matchers.h"
#include "varve/version.h"

namespace varve {
namespace segment_nonsense_test {

using test::MemoryFile;

constexpr uint64_t kFile = 31;

// What stands behind the data of a segment, to be changed.
struct Tail {
  SegmentProperties properties;
  std::string index;
  BlockKind index_kind = BlockKind::kSparseIndex;
  std::string more_properties;
  std::function<void(SegmentFooter*)> change_footer = [](SegmentFooter*) {};
  std::string magic;  // "": as it should be
};

MemoryFile SmallSegment() {
  MemoryFile file;
  SegmentBuilder builder(&file, {.file_number = kFile, .hash_salt = 5});
  EXPECT_OK(builder.Add({"a", "1", 9, EntryKind::kValue}));
  EXPECT_OK(builder.Add({"b", "2", 4, EntryKind::kValue}));
  EXPECT_OK(builder.Finish());
  return file;
}

// The segment with another tail, all checksums right.
MemoryFile WithTail(const MemoryFile& good, const std::function<void(Tail*)>& change) {
  const OpenedSegment opened = *OpenSegment(good, kFile);
  SegmentFooter footer = opened.footer;
  Tail tail{.properties = opened.properties, .index = {}, .more_properties = {}, .magic = {}};
  std::string scratch;
  tail.index = *DecodeBlock(
      std::string_view(good.bytes()).substr(footer.sparse_index_offset, footer.sparse_index_bytes), kFile,
      footer.sparse_index_offset, BlockKind::kSparseIndex, &scratch);
  change(&tail);
  std::string bytes = good.bytes().substr(0, footer.sparse_index_offset);
  EncodeBlock(tail.index, {.kind = tail.index_kind}, kFile, bytes.size(), &bytes);
  footer.sparse_index_bytes = static_cast<uint32_t>(bytes.size() - footer.sparse_index_offset);
  footer.properties_offset = bytes.size();
  EncodeBlock(EncodeSegmentProperties(tail.properties) + tail.more_properties, {.kind = BlockKind::kProperties}, kFile,
              bytes.size(), &bytes);
  footer.properties_bytes = static_cast<uint32_t>(bytes.size() - footer.properties_offset);
  tail.change_footer(&footer);
  const size_t footer_offset = bytes.size();
  bytes.resize(footer_offset + kSegmentFooterBytes);
  EncodeSegmentFooter(footer, footer_offset, bytes.data() + footer_offset);
  if (footer.file_number != kFile) {  // sealed as if it stood in file kFile
    StoreFixed(bytes.data() + footer_offset + 48,
               Hash64({bytes.data() + footer_offset, 48}, PlaceSeed(kFile, footer_offset)));
  }
  bytes.replace(bytes.size() - tail.magic.size(), tail.magic.size(), tail.magic);
  return MemoryFile(std::move(bytes));
}

TEST(SegmentNonsenseTest, PartsThatContradictEachOtherAreRefused) {
  const MemoryFile good = SmallSegment();
  ASSERT_OK(OpenSegment(WithTail(good, [](Tail*) {}), kFile));
  const auto footer = [](void (*change)(SegmentFooter*)) {
    return [change](Tail* tail) { tail->change_footer = change; };
  };
  const struct {
    std::function<void(Tail*)> change;
    const char* message;
  } cases[] = {
      {[](Tail* t) { t->properties.data_bytes += kPageBytes; }, "properties do not fit"},
      {[](Tail* t) { t->properties.data_bytes = ~uint64_t{0}; }, "properties do not fit"},
      {[](Tail* t) { t->properties.point_index_offset -= kPageBytes; }, "properties do not fit"},
      {[](Tail* t) { t->properties.point_index_page_count += 1; }, "properties do not fit"},
      {[](Tail* t) { t->properties.block_count = 2; }, "about the number of blocks"},
      {[](Tail* t) { t->index.push_back('x'); }, "segment 31: "},
      {[](Tail* t) { t->index_kind = BlockKind::kData; }, "is of kind 1, not 3"},
      {[](Tail* t) { t->more_properties = "\x03\x02\xff\xff"; }, "malformed"},
      {[](Tail* t) { t->more_properties = std::string("\x11\x01\x00", 3); }, "malformed"},
      {[](Tail* t) { t->magic = "VARVEWAL"; }, "does not end like a segment"},
      {footer([](SegmentFooter* f) { f->file_number = kFile + 1; }), "is file 32 in truth"},
      {footer([](SegmentFooter* f) { f->sparse_index_offset += 1; }), "footer does not fit"},
      {footer([](SegmentFooter* f) { f->sparse_index_offset = ~uint64_t{0}; }), "footer does not fit"},
      {footer([](SegmentFooter* f) { f->sparse_index_bytes -= 1; }), "footer does not fit"},
      {footer([](SegmentFooter* f) { f->properties_bytes += 1; }), "footer does not fit"},
      {footer([](SegmentFooter* f) {
         f->properties_offset += 1;
         f->properties_bytes -= 1;
       }),
       "footer does not fit"},
  };
  for (const auto& one : cases) {
    const auto opened = OpenSegment(WithTail(good, one.change), kFile);
    ASSERT_STATUS(kCorruption, opened) << one.message;
    EXPECT_NE(opened.status().message().find(one.message), std::string::npos)
        << opened.status().ToString() << " instead of " << one.message;
  }
}

// Gives fewer bytes than there should be, or an error, from the n-th read on.
class ShortFile : public MemoryFile {
 public:
  ShortFile(std::string bytes, size_t good_reads, bool fails)
      : MemoryFile(std::move(bytes)), left_(good_reads), fails_(fails) {}
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    if (left_ > 0) {
      --left_;
      return MemoryFile::Read(offset, size, buffer);
    }
    if (fails_) return Status::IoError("no read");
    return MemoryFile::Read(offset, size - 1, buffer);
  }

 private:
  mutable size_t left_;
  const bool fails_;
};

TEST(SegmentNonsenseTest, FilesThatBecomeShorterAndReadsThatFailAreReported) {
  const std::string bytes = SmallSegment().bytes();
  for (size_t good_reads = 0; good_reads < 3; ++good_reads) {
    const auto opened = OpenSegment(ShortFile(bytes, good_reads, false), kFile);
    ASSERT_STATUS(kCorruption, opened);
    EXPECT_NE(opened.status().message().find("1 bytes are missing"), std::string::npos);
    EXPECT_STATUS(kIoError, OpenSegment(ShortFile(bytes, good_reads, true), kFile));
  }
  EXPECT_OK(OpenSegment(ShortFile(bytes, 3, true), kFile));
}

TEST(SegmentNonsenseTest, SummariesOfDeadlinesThatCannotBeAreRefused) {
  const auto accepted = [](const std::vector<uint64_t>& numbers) {
    std::string bytes;
    for (const uint64_t number : numbers) AppendVarint(&bytes, number);
    std::string_view from = bytes;
    ExpirySummary summary;
    return ConsumeExpirySummary(&from, &summary);
  };
  // Entries, first deadline, span, shares, and of each how much later than the one before, and bytes.
  EXPECT_TRUE(accepted({1, 100, 50, 2, 120, 7, 30, 8}));
  EXPECT_TRUE(accepted({1, kMaxDeadline, 0, 0}));
  EXPECT_FALSE(accepted({0, 100, 50, 2, 120, 7, 30, 8}));
  EXPECT_FALSE(accepted({1, kMaxDeadline + 1, 0, 0}));
  EXPECT_FALSE(accepted({1, kMaxDeadline, 1, 0}));
  EXPECT_FALSE(accepted({1, 0, ~uint64_t{0}, 0}));
  EXPECT_FALSE(accepted({1, 100, 50, 3, 120, 7, 30, 8}));
  EXPECT_FALSE(accepted({1, 100, 50, uint64_t{1} << 40, 120, 7, 30, 8}));
  EXPECT_FALSE(accepted({1, 100, 50, 2, 120, 7, 31, 8}));
  EXPECT_FALSE(accepted({1, 100, 50, 2, ~uint64_t{0}, 7, 30, 8}));
}

TEST(VersionEditNonsenseTest, NumbersThatCannotBeAreRefused) {
  const std::vector<std::function<void(VersionEdit*)>> changes = {
      [](VersionEdit* e) { e->last_sequence = kMaxSequence + 1; },
      [](VersionEdit* e) { e->added_segments = {{.filtered_sequence = kMaxSequence + 1}}; },
      [](VersionEdit* e) { e->added_range_tombstones = {{"a", "b", kMaxSequence + 1}}; },
      [](VersionEdit* e) { e->removed_range_tombstones = {{"a", "b", kMaxSequence + 1}}; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    VersionEdit edit;
    changes[i](&edit);
    EXPECT_STATUS(kCorruption, DecodeVersionEdit(EncodeVersionEdit(edit))) << i;
  }
  // A version that needs more than 32 bits, and deadlines of a segment that there is not.
  std::string bytes;
  AppendVarint(&bytes, 1);
  AppendVarint(&bytes, uint64_t{1} << 32);
  EXPECT_STATUS(kCorruption, DecodeVersionEdit(bytes));
}

// Every field by itself, cut off at every byte.
TEST(VersionEditNonsenseTest, EveryFieldCutOffIsCorruption) {
  const std::vector<std::function<void(VersionEdit*)>> fields = {
      [](VersionEdit* e) { e->format_version = kFormatVersion; },
      [](VersionEdit* e) { e->next_file_number = 1000; },
      [](VersionEdit* e) { e->last_sequence = 1000; },
      [](VersionEdit* e) { e->oldest_log_number = 1000; },
      [](VersionEdit* e) { e->hash_salt = ~uint64_t{0}; },
      [](VersionEdit* e) { e->durable_log = {5, 4096}; },
      [](VersionEdit* e) { e->added_runs = {1000}; },
      [](VersionEdit* e) { e->removed_runs = {1000}; },
      [](VersionEdit* e) { e->added_segments = {{.value_refs = {{20, 1000}}, .expiry = {3, 100, 200, {{200, 9}}}}}; },
      [](VersionEdit* e) { e->removed_segments = {{3, 1000}}; },
      [](VersionEdit* e) { e->segment_trims = {{10, "m"}}; },
      [](VersionEdit* e) { e->added_range_tombstones = {{"a", "b", 500}}; },
      [](VersionEdit* e) { e->removed_range_tombstones = {{"a", "b", 500}}; },
      [](VersionEdit* e) { e->added_value_logs = {{20, 1 << 30}}; },
      [](VersionEdit* e) { e->removed_value_logs = {1000}; },
      [](VersionEdit* e) { e->origins = {{77, 200}}; },
  };
  for (size_t i = 0; i < fields.size(); ++i) {
    VersionEdit edit;
    fields[i](&edit);
    const std::string good = EncodeVersionEdit(edit);
    const auto decoded = DecodeVersionEdit(good);
    ASSERT_OK(decoded);
    EXPECT_TRUE(*decoded == edit) << i;
    for (size_t size = 1; size < good.size(); ++size) {
      const auto cut = DecodeVersionEdit(good.substr(0, size));
      // The deadlines of a segment are a field of their own: without them it is whole.
      if (cut.ok()) {
        edit.added_segments.at(0).expiry = {};
        EXPECT_TRUE(*cut == edit) << i << " " << size;
      } else {
        EXPECT_STATUS(kCorruption, cut) << i << " " << size;
      }
    }
  }
}

TEST(WalNonsenseTest, LogsShorterThanARecordAreEmpty) {
  for (size_t size = 0; size < kWalRecordHeaderBytes; ++size) {
    const std::string image(size, '\1');
    WalReader reader(image, {.log_number = 1, .salt = 2});
    WalRecord record;
    EXPECT_NE(reader.Next(&record), WalReadResult::kRecord) << size;
    EXPECT_OK(reader.status());
  }
}

}  // namespace segment_nonsense_test
}  // namespace varve
