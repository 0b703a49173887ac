#include "format/value_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "tests/format/test_bytes.h"
#include "tests/support/status_matchers.h"
#include "varve/version.h"

namespace varve {
namespace value_log_test {

using test::Hex;
using test::RandomBytes;

constexpr uint64_t kFile = 21;
constexpr uint64_t kOffset = 4096;

std::string Record(std::string_view key, std::string_view value, uint64_t offset = kOffset) {
  std::string record(kValueLogRecordHeaderBytes, '\0');
  EncodeValueLogRecordHeader(key, value.size(), ValueLogValueHash(value), kFile, offset,
                             record.data());
  record.append(key).append(value);
  record.resize(ValueLogRecordBytes(key.size(), value.size()));
  return record;
}

// Decodes a copy that is exactly as long as it is, so that the address sanitizer sees a read past
// its end; `*key` and `*value` get the parts.
Status Decode(std::string_view bytes, std::string* key, std::string* value,
              const ValuePointer* pointer = nullptr) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  const std::string_view view(copy.data(), copy.size());
  Result<ValueLogRecord> record = pointer != nullptr ? DecodeValueLogRecord(view, *pointer)
                                                     : DecodeValueLogRecord(view, kFile, kOffset);
  if (!record.ok()) return record.status();
  *key = record->key;
  *value = record->value;
  return Status::Ok();
}

TEST(ValueLogTest, RecordsComeBack) {
  Random random(1);
  for (const size_t key_bytes : {0u, 1u, 16u, 65535u}) {
    for (const size_t value_bytes : {0u, 1u, 7u, 100u, 300000u}) {
      const std::string key = RandomBytes(&random, key_bytes);
      const std::string value = RandomBytes(&random, value_bytes);
      const std::string record = Record(key, value);
      EXPECT_EQ(record.size() % 8, 0u);
      std::string got_key, got_value;
      ASSERT_OK(Decode(record, &got_key, &got_value));
      EXPECT_EQ(got_key, key);
      EXPECT_EQ(got_value, value);
      const ValuePointer pointer{kFile, kOffset, static_cast<uint32_t>(value_bytes),
                                 static_cast<uint32_t>(key_bytes)};
      // Without the zeros at the end, too.
      ASSERT_OK(Decode(record.substr(0, kValueLogRecordHeaderBytes + key_bytes + value_bytes),
                       &got_key, &got_value, &pointer));
      EXPECT_EQ(ValueLogValueOffset(pointer), kOffset + kValueLogRecordHeaderBytes + key_bytes);
      EXPECT_EQ(ValueLogRecordBytes(pointer), record.size());
    }
  }
}

TEST(ValueLogTest, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(Hex(Record("key", "value")),
            "56524c56"
            "03000000"
            "0500000000000000"
            "4f690c012105e68e"
            "6b6579"
            "76616c7565");
  std::string header(kValueLogFileHeaderBytes, '\0');
  EncodeValueLogFileHeader(kFile, header.data());
  EXPECT_EQ(Hex(header),
            "564152564556414c"
            "01000000"
            "00000000"
            "1500000000000000"
            "cdb13eb289fec6bb");
}

TEST(ValueLogTest, AnyFlippedByteIsCorruption) {
  const std::string good = Record("some key", "some value, and more of it");
  const size_t meaningful = kValueLogRecordHeaderBytes + 8 + 26;
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      std::string key, value;
      const Status status = Decode(bad, &key, &value);
      if (at < meaningful) {
        ASSERT_STATUS(kCorruption, status) << "byte " << at << " bit " << bit;
        ASSERT_NE(status.message().find("value log 21: record at offset 4096"), std::string::npos);
      } else {
        ASSERT_OK(status);  // zeros that nobody reads
        ASSERT_EQ(value, "some value, and more of it");
      }
    }
  }
}

TEST(ValueLogTest, AnyTruncationIsCorruption) {
  const std::string good = Record("key", "value");
  std::string key, value;
  for (size_t size = 0; size < kValueLogRecordHeaderBytes + 8; ++size) {
    EXPECT_STATUS(kCorruption, Decode(good.substr(0, size), &key, &value));
  }
}

TEST(ValueLogTest, RecordInTheWrongPlaceIsCorruption) {
  const std::string record = Record("key", "value");
  EXPECT_STATUS(kCorruption, DecodeValueLogRecord(record, kFile, kOffset + 8));
  EXPECT_STATUS(kCorruption, DecodeValueLogRecord(record, kFile + 1, kOffset));
}

TEST(ValueLogTest, PointerOfOtherLengthsIsCorruption) {
  const std::string record = Record("key", "value");
  EXPECT_OK(DecodeValueLogRecord(record, {kFile, kOffset, 5, 3}));
  EXPECT_STATUS(kCorruption, DecodeValueLogRecord(record, {kFile, kOffset, 4, 3}));
  EXPECT_STATUS(kCorruption, DecodeValueLogRecord(record, {kFile, kOffset, 5, 2}));
  EXPECT_STATUS(kCorruption, DecodeValueLogRecord(record, {kFile, kOffset, 4, 4}));
}

TEST(ValueLogTest, PeekBelievesOnlyPossibleLengths) {
  std::string record = Record("key", "value");
  uint64_t key_bytes, value_bytes;
  ASSERT_TRUE(PeekValueLogRecord(record.data(), &key_bytes, &value_bytes));
  EXPECT_EQ(key_bytes, 3u);
  EXPECT_EQ(value_bytes, 5u);
  StoreFixed(record.data() + 8, kMaxValueLogValueBytes + 1);
  EXPECT_FALSE(PeekValueLogRecord(record.data(), &key_bytes, &value_bytes));
  StoreFixed(record.data() + 8, uint64_t{5});
  StoreFixed(record.data() + 4, kMaxValueLogKeyBytes + 1);
  EXPECT_FALSE(PeekValueLogRecord(record.data(), &key_bytes, &value_bytes));
}

TEST(ValueLogTest, FileHeaderIsChecked) {
  std::string header(kValueLogFileHeaderBytes, '\0');
  EncodeValueLogFileHeader(kFile, header.data());
  EXPECT_OK(CheckValueLogFileHeader(header, kFile));
  EXPECT_STATUS(kCorruption, CheckValueLogFileHeader(header, kFile + 1));
  EXPECT_STATUS(kCorruption, CheckValueLogFileHeader(header.substr(0, 31), kFile));
  for (size_t at = 0; at < header.size(); ++at) {
    std::string bad = header;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_STATUS(kCorruption, CheckValueLogFileHeader(bad, kFile));
  }
  StoreFixed(header.data() + 8, kFormatVersion + 1);
  StoreFixed(header.data() + 24, Hash64({header.data(), 24}, PlaceSeed(kFile, 0)));
  EXPECT_STATUS(kNotSupported, CheckValueLogFileHeader(header, kFile));
}

TEST(ValuePointerTest, ComesBackAndHasTheBytesOfTheFormat) {
  const ValuePointer pointer{0x0102, 0x0304, 0x0506, 0x0708};
  char bytes[kValuePointerBytes];
  EncodeValuePointer(pointer, bytes);
  EXPECT_EQ(Hex({bytes, sizeof(bytes)}),
            "0201000000000000"
            "0403000000000000"
            "06050000"
            "08070000");
  ValuePointer decoded;
  ASSERT_TRUE(DecodeValuePointer({bytes, sizeof(bytes)}, &decoded));
  EXPECT_TRUE(decoded == pointer);
  EXPECT_FALSE(DecodeValuePointer({bytes, sizeof(bytes) - 1}, &decoded));
}

}  // namespace value_log_test
}  // namespace varve
