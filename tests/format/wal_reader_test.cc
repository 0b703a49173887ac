// How the end of a log is judged. A log is built as a writer would, damaged, and read.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "format/wal.h"
#include "tests/format/test_bytes.h"
#include "tests/support/status_matchers.h"
#include "varve/version.h"

namespace varve {
namespace wal_reader_test {

using test::RandomBytes;

class WalReaderTest : public testing::Test {
 protected:
  WalReaderTest() { BeginUse(5, 0x5a17); }

  // Overwrites the file from the start with a new log; what was in it stays behind the header.
  void BeginUse(uint64_t log_number, uint64_t salt) {
    header_ = {.format_version = kFormatVersion, .log_number = log_number, .salt = salt};
    stale_ = log_;
    log_.assign(kWalFileHeaderBytes, '\0');
    EncodeWalFileHeader(header_, log_.data());
    values_.clear();
    offsets_.clear();
  }

  void Put(const std::string& value, uint32_t synced_offset = 0) {
    std::string payload;
    AppendWalOp({static_cast<uint8_t>(EntryKind::kValue), "key", value}, &payload);
    offsets_.push_back(log_.size());
    AppendWalRecord({.payload_bytes = static_cast<uint32_t>(payload.size()),
                     .first_sequence = ++sequence_,
                     .synced_offset = synced_offset,
                     .count = 1},
                    payload, header_.seed(), &log_);
    values_.push_back(value);
  }
  void Mark(uint32_t synced_offset) {
    offsets_.push_back(log_.size());
    AppendWalRecord(
        {.type = WalRecordType::kMark, .first_sequence = sequence_, .synced_offset = synced_offset},
        "", header_.seed(), &log_);
  }
  uint32_t end() const { return static_cast<uint32_t>(log_.size()); }

  // The whole file: the log, then what the use before left or zeros.
  std::string Image() const {
    std::string image = log_;
    if (stale_.size() > image.size()) image += stale_.substr(image.size());
    image.resize(image.size() + 4096);
    return image;
  }

  struct Outcome {
    WalReadResult result;
    std::vector<std::string> values;
    uint64_t offset;
    Status status;
  };
  Outcome Read(const std::string& image, uint64_t durable_offset = 0) const {
    // Exactly as long as it is, so that the address sanitizer sees a read past its end.
    const std::vector<char> copy(image.begin(), image.end());
    WalReader reader({copy.data(), copy.size()}, header_, durable_offset);
    Outcome outcome;
    WalRecord record;
    while ((outcome.result = reader.Next(&record)) == WalReadResult::kRecord) {
      WalOpReader ops(record.payload, record.count);
      for (WalOp op; ops.Next(&op);) outcome.values.emplace_back(op.value);
      EXPECT_TRUE(ops.ok());
    }
    EXPECT_EQ(reader.Next(&record), outcome.result);
    outcome.offset = reader.offset();
    outcome.status = reader.status();
    return outcome;
  }

  WalFileHeader header_;
  std::string log_;
  std::string stale_;
  SequenceNumber sequence_ = 0;
  std::vector<std::string> values_;
  std::vector<uint64_t> offsets_;
};

TEST_F(WalReaderTest, LogEndsAtZeros) {
  for (const char* value : {"one", "", "three and more"}) Put(value);
  const Outcome outcome = Read(Image());
  EXPECT_EQ(outcome.result, WalReadResult::kEnd);
  EXPECT_EQ(outcome.values, values_);
  EXPECT_EQ(outcome.offset, log_.size());
  EXPECT_OK(outcome.status);
}

TEST_F(WalReaderTest, LogEndsAtTheEndOfTheFile) {
  Put("one");
  EXPECT_EQ(Read(log_).result, WalReadResult::kEnd);
  EXPECT_EQ(Read(log_).values, values_);
  EXPECT_EQ(Read(log_.substr(0, kWalFileHeaderBytes)).result, WalReadResult::kEnd);
}

TEST_F(WalReaderTest, LogEndsAtWhatAnEarlierUseLeft) {
  for (int i = 0; i < 100; ++i) Put("old " + std::to_string(i), end());
  BeginUse(6, 0xabc);
  Put("new");
  const Outcome outcome = Read(Image());
  EXPECT_EQ(outcome.result, WalReadResult::kEnd);
  EXPECT_EQ(outcome.values, values_);
}

TEST_F(WalReaderTest, EarlierUseIsNoEvidenceEvenWhenRecordsLineUp) {
  for (int i = 0; i < 100; ++i) Put("same size", end());
  BeginUse(6, 0xabc);
  for (int i = 0; i < 10; ++i) Put("same size");
  const Outcome outcome = Read(Image());
  EXPECT_EQ(outcome.result, WalReadResult::kEnd);
  EXPECT_EQ(outcome.values.size(), 10u);
}

TEST_F(WalReaderTest, EmptyRecycledLogIsEmpty) {
  for (int i = 0; i < 10; ++i) Put("old");
  BeginUse(6, 0xabc);
  const Outcome outcome = Read(Image());
  EXPECT_EQ(outcome.result, WalReadResult::kEnd);
  EXPECT_EQ(outcome.offset, kWalFileHeaderBytes);
}

TEST_F(WalReaderTest, HalfWrittenLastRecordIsATornTail) {
  Put("one");
  Put("two, which is somewhat longer");
  std::string image = Image();
  image[offsets_[1] + 40] ^= 1;
  const Outcome outcome = Read(image);
  EXPECT_EQ(outcome.result, WalReadResult::kTorn);
  EXPECT_EQ(outcome.values, std::vector<std::string>{"one"});
  EXPECT_EQ(outcome.offset, offsets_[1]);
  EXPECT_OK(outcome.status);
}

TEST_F(WalReaderTest, HoleAboveEverythingSyncedIsATornTail) {
  Put("one");
  Put("two", end());
  Put("three", static_cast<uint32_t>(offsets_[1]));
  Put("four", static_cast<uint32_t>(offsets_[1]));
  std::string image = Image();
  image[offsets_[2] + 26] ^= 1;  // "three" was lost, "four" was kept
  const Outcome outcome = Read(image);
  EXPECT_EQ(outcome.result, WalReadResult::kTorn);
  EXPECT_EQ(outcome.values.size(), 2u);
}

TEST_F(WalReaderTest, DamageBelowALaterMarkIsRot) {
  Put("one");
  Put("two");
  Mark(end());
  std::string image = Image();
  image[offsets_[0] + 26] ^= 1;
  const Outcome outcome = Read(image);
  EXPECT_EQ(outcome.result, WalReadResult::kCorrupt);
  EXPECT_STATUS(kCorruption, outcome.status);
  EXPECT_NE(outcome.status.message().find("log 5"), std::string::npos);
  EXPECT_NE(outcome.status.message().find("offset 64,"), std::string::npos)
      << outcome.status.message();
}

TEST_F(WalReaderTest, DamageBelowTheSyncedOffsetOfALaterBatchIsRot) {
  Put("one");
  Put("two");
  Put("three", end());
  std::string image = Image();
  image[offsets_[1]] ^= 1;
  EXPECT_EQ(Read(image).result, WalReadResult::kCorrupt);
}

TEST_F(WalReaderTest, DamageBelowTheSyncedOffsetOfAnEarlierRecordIsRot) {
  Put("one", 200);  // a writer that reserved space ahead of what it had written
  Put("two");
  std::string image = Image();
  image[offsets_[1]] ^= 1;
  EXPECT_EQ(Read(image).result, WalReadResult::kCorrupt);
}

TEST_F(WalReaderTest, DamageBelowTheCallersWatermarkIsRot) {
  Put("one");
  Put("two");
  std::string image = Image();
  image[offsets_[1]] ^= 1;
  EXPECT_EQ(Read(image, offsets_[1]).result, WalReadResult::kTorn);
  EXPECT_EQ(Read(image, offsets_[1] + 8).result, WalReadResult::kCorrupt);
  EXPECT_EQ(Read(image, end()).result, WalReadResult::kCorrupt);
}

TEST_F(WalReaderTest, WholeLogUpToTheWatermarkEndsThere) {
  Put("one");
  EXPECT_EQ(Read(Image(), end()).result, WalReadResult::kEnd);
  EXPECT_EQ(Read(log_, end()).result, WalReadResult::kEnd);
}

TEST_F(WalReaderTest, FileCutBelowTheWatermarkIsRot) {
  Put("one");
  Put("two");
  EXPECT_EQ(Read(log_.substr(0, offsets_[1]), end()).result, WalReadResult::kCorrupt);
}

TEST_F(WalReaderTest, MarksAreRecords) {
  Put("one");
  Mark(end());
  WalReader reader(log_, header_);
  WalRecord record;
  ASSERT_EQ(reader.Next(&record), WalReadResult::kRecord);
  EXPECT_EQ(record.type, WalRecordType::kBatch);
  EXPECT_EQ(record.offset, kWalFileHeaderBytes);
  ASSERT_EQ(reader.Next(&record), WalReadResult::kRecord);
  EXPECT_EQ(record.type, WalRecordType::kMark);
  EXPECT_EQ(record.synced_offset, offsets_[1]);
  EXPECT_EQ(reader.Next(&record), WalReadResult::kEnd);
}

// Values made to look like the headers of huge records must not make recovery slow: without a bound
// this test would hash 20 MiB a million times over.
TEST_F(WalReaderTest, ValuesThatLookLikeRecordsDoNotMakeTheSearchLong) {
  Put("one");
  std::string image = Image();
  const size_t start = image.size();
  image.resize(start + (size_t{24} << 20));
  for (size_t at = start; at + kWalRecordHeaderBytes < image.size(); at += kWalRecordHeaderBytes) {
    StoreFixed(image.data() + at + 4, static_cast<uint32_t>((image.size() - at) / 2));
    StoreFixed(image.data() + at + 8, uint64_t{77});
    StoreFixed(image.data() + at + 16, static_cast<uint32_t>(end() + 64));
    StoreFixed(image.data() + at + 20, uint32_t{1} << 28 | 5);
  }
  EXPECT_EQ(Read(image).result, WalReadResult::kEnd);
}

// Every single-byte flip: the values read are a prefix of what was written, and a flip below what
// was synced is rot.
TEST_F(WalReaderTest, AnyFlippedByteGivesAPrefixAndRotBelowTheMark) {
  Random random(1);
  for (int i = 0; i < 12; ++i) Put(RandomBytes(&random, random.Uniform(60)));
  const uint64_t synced = end();
  Mark(end());
  for (int i = 0; i < 5; ++i) Put(RandomBytes(&random, random.Uniform(60)));
  const std::string good = Image();
  std::set<size_t> padding;  // zeros after payloads, which nobody reads
  for (const uint64_t offset : offsets_) {
    const uint64_t payload_end =
        offset + kWalRecordHeaderBytes + LoadFixed<uint32_t>(good.data() + offset + 4);
    for (uint64_t at = payload_end; at % 8 != 0; ++at) padding.insert(at);
  }
  for (size_t at = kWalFileHeaderBytes; at < log_.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      const Outcome outcome = Read(bad);
      ASSERT_LE(outcome.values.size(), values_.size());
      for (size_t i = 0; i < outcome.values.size(); ++i) ASSERT_EQ(outcome.values[i], values_[i]);
      if (padding.contains(at)) {
        ASSERT_EQ(outcome.values, values_);
      } else if (at < synced) {
        ASSERT_EQ(outcome.result, WalReadResult::kCorrupt) << "byte " << at << " bit " << bit;
      } else {
        ASSERT_NE(outcome.result, WalReadResult::kCorrupt);
      }
    }
  }
}

TEST_F(WalReaderTest, AnyTruncationGivesAPrefix) {
  Random random(2);
  for (int i = 0; i < 12; ++i) Put(RandomBytes(&random, random.Uniform(60)));
  for (size_t size = kWalFileHeaderBytes; size < log_.size(); ++size) {
    const Outcome outcome = Read(log_.substr(0, size));
    ASSERT_NE(outcome.result, WalReadResult::kCorrupt);
    ASSERT_LE(outcome.values.size(), values_.size());
    for (size_t i = 0; i < outcome.values.size(); ++i) ASSERT_EQ(outcome.values[i], values_[i]);
  }
}

}  // namespace wal_reader_test
}  // namespace varve
