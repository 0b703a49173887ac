#include "format/filename.h"

#include <gtest/gtest.h>

#include <string>

namespace varve {
namespace filename_test {

TEST(FileNameTest, NamesAreThoseOfTheFormat) {
  EXPECT_EQ(SegmentFileName(7), "000007.seg");
  EXPECT_EQ(WalFileName(123456), "123456.wal");
  EXPECT_EQ(ValueLogFileName(1234567), "1234567.val");
  EXPECT_EQ(SpareWalFileName(0), "000000.spare");
  EXPECT_EQ(ManifestFileName(42), "MANIFEST-000042");
  EXPECT_EQ(EncodeCurrentFile(42), "MANIFEST-000042\n");
}

TEST(FileNameTest, EveryNameParses) {
  for (const uint64_t number :
       {uint64_t{0}, uint64_t{1}, uint64_t{999999}, uint64_t{1000000}, ~uint64_t{0}}) {
    EXPECT_EQ(ParseFileName(SegmentFileName(number)), (ParsedFileName{FileType::kSegment, number}));
    EXPECT_EQ(ParseFileName(WalFileName(number)), (ParsedFileName{FileType::kWal, number}));
    EXPECT_EQ(ParseFileName(ValueLogFileName(number)),
              (ParsedFileName{FileType::kValueLog, number}));
    EXPECT_EQ(ParseFileName(SpareWalFileName(number)),
              (ParsedFileName{FileType::kSpareWal, number}));
    EXPECT_EQ(ParseFileName(ManifestFileName(number)),
              (ParsedFileName{FileType::kManifest, number}));
    EXPECT_EQ(ParseCurrentFile(EncodeCurrentFile(number)), number);
  }
  EXPECT_EQ(ParseFileName("CURRENT"), (ParsedFileName{FileType::kCurrent}));
  EXPECT_EQ(ParseFileName("LOCK"), (ParsedFileName{FileType::kLock}));
  EXPECT_EQ(ParseFileName("EVENTS"), (ParsedFileName{FileType::kEvents}));
}

TEST(FileNameTest, OtherNamesDoNotParse) {
  for (const char* name : {"",
                           ".seg",
                           "7.seg",
                           "0000007.seg",
                           "00000a.seg",
                           "-00001.seg",
                           "+00001.seg",
                           "000007.sst",
                           "000007.seg ",
                           " 000007.seg",
                           "000007",
                           "000007.SEG",
                           "MANIFEST-",
                           "MANIFEST-7",
                           "MANIFEST-000042x",
                           "manifest-000042",
                           "CURRENT.tmp",
                           "lock",
                           "LOCK2",
                           "18446744073709551616.seg",
                           "000007.seg.wal"}) {
    EXPECT_EQ(ParseFileName(name), std::nullopt) << name;
  }
}

TEST(FileNameTest, DamagedCurrentDoesNotParse) {
  for (const char* content : {"", "\n", "MANIFEST-000042", "MANIFEST-000042\n\n", "000042.seg\n",
                              "CURRENT\n", "MANIFEST-00004"}) {
    EXPECT_EQ(ParseCurrentFile(content), std::nullopt) << content;
  }
}

}  // namespace filename_test
}  // namespace varve
