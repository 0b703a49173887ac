#include "format/namespace_record.h"

#include <gtest/gtest.h>

#include "format/expiry.h"

namespace varve {
namespace namespace_record_test {

TEST(NamespaceRecordTest, RoundTrips) {
  for (const NamespaceRecord& record :
       {NamespaceRecord{1, {}, {}}, NamespaceRecord{0xffffffff, Durability::kNone, {}},
        NamespaceRecord{7, {}, Compression::kAuto},
        NamespaceRecord{7, Durability::kSync, Compression::kNone},
        NamespaceRecord{7, {}, {}, std::chrono::milliseconds(1)},
        NamespaceRecord{7, Durability::kNone, {}, std::chrono::milliseconds(kMaxDeadline)}}) {
    const Result<NamespaceRecord> decoded = DecodeNamespaceRecord(EncodeNamespaceRecord(record));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, record);
  }
  EXPECT_EQ(*DecodeNextNamespaceId(EncodeNextNamespaceId(0x01020304)), 0x01020304u);
}

TEST(NamespaceRecordTest, BytesNeverChange) {
  EXPECT_EQ(EncodeNamespaceRecord({0x01020304, Durability::kSync, Compression::kZstd}),
            std::string("\x04\x03\x02\x01\x01\x01\x02\x02", 8));
  EXPECT_EQ(EncodeNamespaceRecord({1, {}, {}, std::chrono::milliseconds(300)}),
            std::string("\x01\0\0\0\x03\xac\x02", 7));
  EXPECT_EQ(EncodeNextNamespaceId(2), std::string("\x02\0\0\0", 4));
}

TEST(NamespaceRecordTest, RefusesWhatItDoesNotUnderstand) {
  const std::string good = EncodeNamespaceRecord({7, Durability::kSync, Compression::kZstd});
  for (size_t size : {0, 1, 3, 5, 7}) {
    EXPECT_TRUE(DecodeNamespaceRecord(good.substr(0, size)).status().IsCorruption()) << size;
  }
  EXPECT_TRUE(DecodeNamespaceRecord(std::string(4, '\0')).status().IsCorruption());
  EXPECT_EQ(DecodeNamespaceRecord(good + "\x04\x01").status().code(), StatusCode::kNotSupported);
  EXPECT_EQ(DecodeNamespaceRecord(good.substr(0, 5) + "\x03").status().code(),
            StatusCode::kNotSupported);
  // No time to live is none; one that no deadline can hold was not written here.
  EXPECT_EQ(DecodeNamespaceRecord(std::string("\x01\0\0\0\x03\0", 6)).status().code(),
            StatusCode::kNotSupported);
  EXPECT_EQ(DecodeNamespaceRecord(std::string("\x01\0\0\0\x03\x80\x80\x80\x80\x80\x80\x40", 12))
                .status()
                .code(),
            StatusCode::kNotSupported);
  EXPECT_TRUE(DecodeNextNamespaceId("123").status().IsCorruption());
}

}  // namespace namespace_record_test
}  // namespace varve
