#include "format/manifest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "tests/format/test_bytes.h"
#include "tests/support/status_matchers.h"
#include "varve/version.h"

namespace varve {
namespace manifest_test {

using test::Hex;
using test::Unhex;

constexpr uint64_t kFile = 9;

VersionEdit FullEdit() {
  VersionEdit edit;
  edit.format_version = kFormatVersion;
  edit.next_file_number = 300;
  edit.last_sequence = kMaxSequence;
  edit.oldest_log_number = 4;
  edit.hash_salt = ~uint64_t{0};
  edit.durable_log = {5, 4096};
  edit.added_runs = {1, 2};
  edit.removed_runs = {3};
  edit.added_segments = {{.run_id = 1,
                          .file_number = 10,
                          .file_bytes = 1 << 20,
                          .smallest_key = "",
                          .largest_key = std::string("z\0z", 3),
                          .smallest_sequence = 5,
                          .largest_sequence = 500,
                          .entry_count = 100,
                          .tombstone_count = 10,
                          .logical_bytes = 12345,
                          .filtered_sequence = 6,
                          .value_refs = {{20, 1000}, {21, 1}}},
                         {.run_id = 2, .file_number = 11}};
  edit.removed_segments = {{3, 7}, {3, 8}};
  edit.segment_trims = {{10, "m"}, {11, ""}};
  edit.added_range_tombstones = {{"a", "b", 5}};
  edit.removed_range_tombstones = {{"", "\xff", 4}};
  edit.added_value_logs = {{20, 1 << 30}};
  edit.removed_value_logs = {18, 19};
  edit.origins = {{0x0123456789abcdef, 1}, {~uint64_t{0}, 200}};
  return edit;
}

TEST(VersionEditTest, EveryFieldComesBack) {
  const VersionEdit edit = FullEdit();
  Result<VersionEdit> decoded = DecodeVersionEdit(EncodeVersionEdit(edit));
  ASSERT_OK(decoded);
  EXPECT_TRUE(*decoded == edit);
}

TEST(VersionEditTest, DeadlinesOfASegmentComeBack) {
  VersionEdit edit;
  edit.added_segments = {{.run_id = 1, .file_number = 10},
                         {.run_id = 1,
                          .file_number = 11,
                          .expiry = {.entry_count = 300,
                                     .min_deadline = 1000,
                                     .max_deadline = 5000,
                                     .shares = {{1500, 7}, {5000, 300}}}},
                         {.run_id = 1, .file_number = 12}};
  const std::string bytes = EncodeVersionEdit(edit);
  EXPECT_NE(Hex(bytes).find("10ac02e807a01f02dc0b07ac1bac02"), std::string::npos) << Hex(bytes);
  Result<VersionEdit> decoded = DecodeVersionEdit(bytes);
  ASSERT_OK(decoded);
  EXPECT_TRUE(*decoded == edit);
  // The field belongs to the segment before it.
  EXPECT_STATUS(kCorruption, DecodeVersionEdit(Unhex("10ac02e807a01f02dc0b07ac1bac02")));
  edit.added_segments[1].expiry.shares[1].until = 5001;
  EXPECT_STATUS(kCorruption, DecodeVersionEdit(EncodeVersionEdit(edit)));
}

TEST(VersionEditTest, EmptyEditIsEmpty) {
  EXPECT_EQ(EncodeVersionEdit({}), "");
  Result<VersionEdit> decoded = DecodeVersionEdit("");
  ASSERT_OK(decoded);
  EXPECT_TRUE(*decoded == VersionEdit());
}

TEST(VersionEditTest, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(Hex(EncodeVersionEdit(FullEdit())),
            "0101"                    // format version
            "02ac02"                  // next file number
            "03ffffffffffffff7f"      // last sequence
            "0404"                    // oldest log
            "05ffffffffffffffffff01"  // salt
            "0b058020"                // durable log
            "0601"
            "0602"  // added runs
            "0703"  // removed run
            "08"
            "01"
            "0a"
            "808040"
            "00"
            "037a007a"
            "05"
            "f403"
            "64"
            "0a"
            "b960"
            "06"
            "02"
            "14e807"
            "1501"  // its value log references
            "08"
            "02"
            "0b"
            "00"
            "00"
            "00"
            "00"
            "00"
            "00"
            "00"
            "00"
            "00"
            "00"
            "090307"
            "090308"  // removed segments
            "0a0a016d"
            "0a0b00"          // trims
            "0c0161016205"    // added range tombstone
            "0d0001ff04"      // removed range tombstone
            "0e148080808004"  // added value log
            "0f12"
            "0f13"  // removed value logs
            "11efcdab896745230101"
            "11ffffffffffffffffc801");  // origins
}

TEST(VersionEditTest, UnknownFieldIsNotSupported) {
  EXPECT_STATUS(kNotSupported, DecodeVersionEdit(EncodeVersionEdit(FullEdit()) + "\x7f"));
  EXPECT_STATUS(kNotSupported, DecodeVersionEdit(std::string(1, '\0')));
}

TEST(VersionEditTest, NewerFormatVersionIsNotSupported) {
  VersionEdit edit;
  edit.format_version = kFormatVersion + 1;
  EXPECT_STATUS(kNotSupported, DecodeVersionEdit(EncodeVersionEdit(edit)));
}

TEST(VersionEditTest, CutOffEditIsCorruption) {
  VersionEdit edit;
  edit.added_segments = FullEdit().added_segments;
  edit.added_segments.pop_back();
  const std::string good = EncodeVersionEdit(edit);
  for (size_t size = 1; size < good.size(); ++size) {
    EXPECT_STATUS(kCorruption, DecodeVersionEdit(good.substr(0, size)));
  }
}

TEST(VersionEditTest, SegmentThatMakesNoSenseIsCorruption) {
  const auto decode = [](const SegmentMeta& segment) {
    VersionEdit edit;
    edit.added_segments = {segment};
    return DecodeVersionEdit(EncodeVersionEdit(edit));
  };
  EXPECT_OK(decode({.smallest_key = "a", .largest_key = "a"}));
  EXPECT_STATUS(kCorruption, decode({.smallest_key = "b", .largest_key = "a"}));
  EXPECT_STATUS(kCorruption, decode({.smallest_sequence = 2, .largest_sequence = 1}));
  EXPECT_STATUS(kCorruption, decode({.largest_sequence = kMaxSequence + 1}));
}

TEST(VersionEditTest, MoreValueReferencesThanBytesAreRefusedBeforeTheyAreAllocated) {
  // A segment whose list of references claims 2^40 of them.
  EXPECT_STATUS(kCorruption,
                DecodeVersionEdit(test::Unhex("08 01 0a 00 00 00 00 00 00 00 00 00 808080808020")));
}

class ManifestTest : public testing::Test {
 protected:
  ManifestTest() : image_(kManifestFileHeaderBytes, '\0') {
    EncodeManifestFileHeader(kFile, image_.data());
  }

  void Append(uint64_t next_file_number) {
    VersionEdit edit;
    edit.next_file_number = next_file_number;
    edit.segment_trims = {{1, std::string(next_file_number % 40, 'b')}};
    offsets_.push_back(image_.size());
    AppendManifestRecord(edit, kFile, image_.size(), &image_);
    numbers_.push_back(next_file_number);
  }

  struct Outcome {
    ManifestReadResult result;
    std::vector<uint64_t> numbers;
    uint64_t offset;
    Status status;
  };
  static Outcome Read(const std::string& image) {
    const std::vector<char> copy(image.begin(), image.end());
    ManifestReader reader({copy.data(), copy.size()}, kFile);
    Outcome outcome;
    VersionEdit edit;
    while ((outcome.result = reader.Next(&edit)) == ManifestReadResult::kEdit) {
      outcome.numbers.push_back(edit.next_file_number.value_or(0));
    }
    EXPECT_EQ(reader.Next(&edit), outcome.result);
    outcome.offset = reader.offset();
    outcome.status = reader.status();
    return outcome;
  }

  std::string image_;
  std::vector<uint64_t> numbers_;
  std::vector<uint64_t> offsets_;
};

TEST_F(ManifestTest, EditsComeBackInOrder) {
  for (uint64_t i = 1; i <= 50; ++i) Append(i);
  const Outcome outcome = Read(image_);
  EXPECT_EQ(outcome.result, ManifestReadResult::kEnd);
  EXPECT_EQ(outcome.numbers, numbers_);
  EXPECT_EQ(outcome.offset, image_.size());
}

TEST_F(ManifestTest, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(Hex(image_),
            "56415256454d414e"
            "01000000"
            "00000000"
            "0900000000000000"
            "45c4ef4dd2800ad7");
  Append(7);
  EXPECT_EQ(Hex(image_.substr(kManifestFileHeaderBytes)),
            "0c000000"
            "126f20758fb92d62"
            "0207"
            "0a0107"
            "62626262626262");
}

TEST_F(ManifestTest, LastRecordCutOffAnywhereIsTorn) {
  Append(1);
  Append(2);
  Append(33);
  for (size_t size = offsets_[2] + 1; size < image_.size(); ++size) {
    const Outcome outcome = Read(image_.substr(0, size));
    ASSERT_EQ(outcome.result, ManifestReadResult::kTorn);
    ASSERT_EQ(outcome.numbers.size(), 2u);
    ASSERT_EQ(outcome.offset, offsets_[2]);
    ASSERT_OK(outcome.status);
  }
}

TEST_F(ManifestTest, ZerosAfterTheLastRecordAreTorn) {
  Append(1);
  EXPECT_EQ(Read(image_ + std::string(5000, '\0')).result, ManifestReadResult::kTorn);
}

// Every flip in the last record is a torn tail, every other is corruption that names its place.
TEST_F(ManifestTest, AnyFlippedByteIsTornAtTheEndAndCorruptionBefore) {
  for (uint64_t i = 1; i <= 6; ++i) Append(i * 13);
  for (size_t at = kManifestFileHeaderBytes; at < image_.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = image_;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      const Outcome outcome = Read(bad);
      ASSERT_LT(outcome.numbers.size(), numbers_.size());
      for (size_t i = 0; i < outcome.numbers.size(); ++i)
        ASSERT_EQ(outcome.numbers[i], numbers_[i]);
      if (at >= offsets_.back()) {
        ASSERT_EQ(outcome.result, ManifestReadResult::kTorn);
      } else {
        ASSERT_EQ(outcome.result, ManifestReadResult::kError);
        ASSERT_STATUS(kCorruption, outcome.status);
        ASSERT_NE(outcome.status.message().find("offset " + std::to_string(outcome.offset)),
                  std::string::npos);
      }
    }
  }
}

TEST_F(ManifestTest, FlippedHeaderIsCorruption) {
  EXPECT_OK(CheckManifestFileHeader(image_, kFile));
  for (size_t at = 0; at < kManifestFileHeaderBytes; ++at) {
    std::string bad = image_;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_STATUS(kCorruption, CheckManifestFileHeader(bad, kFile));
  }
  EXPECT_STATUS(kCorruption, CheckManifestFileHeader(image_, kFile + 1));
  EXPECT_STATUS(kCorruption, CheckManifestFileHeader(image_.substr(0, 31), kFile));
}

TEST_F(ManifestTest, NewerVersionIsNotSupported) {
  StoreFixed(image_.data() + 8, kFormatVersion + 1);
  StoreFixed(image_.data() + 24, Hash64({image_.data(), 24}, PlaceSeed(kFile, 0)));
  EXPECT_STATUS(kNotSupported, CheckManifestFileHeader(image_, kFile));
}

TEST_F(ManifestTest, IntactRecordOfANewerVersionIsNotSupported) {
  Append(1);
  VersionEdit edit;
  edit.format_version = kFormatVersion + 1;
  AppendManifestRecord(edit, kFile, image_.size(), &image_);
  const Outcome outcome = Read(image_);
  EXPECT_EQ(outcome.result, ManifestReadResult::kError);
  EXPECT_STATUS(kNotSupported, outcome.status);
}

TEST_F(ManifestTest, RecordOfAnotherManifestIsNotRead) {
  Append(1);
  AppendManifestRecord({}, kFile + 1, image_.size(), &image_);
  EXPECT_EQ(Read(image_).result, ManifestReadResult::kTorn);
}

}  // namespace manifest_test
}  // namespace varve
