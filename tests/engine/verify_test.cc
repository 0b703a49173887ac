// Verify: damage that no checksum shows, planted with checksums that are right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "env/crash_env.h"
#include "format/block.h"
#include "format/block_file.h"
#include "format/filename.h"
#include "format/manifest.h"
#include "format/point_index.h"
#include "format/segment.h"
#include "format/value_log.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"

namespace varve::test {
namespace verify_test {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

constexpr char kDir[] = "/store";

class VerifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = SmallStoreConfig();
    config_.tuning.idle_millis = 1'000'000;
    config_.tuning.segment_bytes = 1 << 20;
    auto db = OpenerFor(config_)(kDir, &env_);
    ASSERT_OK(db);
    for (int i = 0; i < 150; ++i) {
      ASSERT_OK((*db)->Put("key" + std::to_string(1000 + i), std::string(100, 'x')));
    }
    ASSERT_OK((*db)->Put("large1", std::string(5000, 'a')));
    ASSERT_OK((*db)->Put("large2", std::string(5000, 'b')));
    ASSERT_OK((*db)->Put("zlast", "x"));
    const auto space = (*db)->OpenNamespace("users");
    ASSERT_OK(space);
    ASSERT_OK((*space)->Put("anna", "1"));
    ASSERT_OK((*db)->Compact());
    db->reset();
    // What went into the merge may still be there.
    segment_ = Last(".seg");
    number_ = ParseFileName(segment_.substr(segment_.rfind('/') + 1))->number;
    image_ = *env_.ReadFileForTest(segment_);
  }

  std::string Last(const std::string& extension) {
    std::string last;
    for (const std::string& path : env_.FileNames()) {
      if (path.ends_with(extension)) last = path;
    }
    return last;
  }

  VerifyReport Verified(bool read_only = true) {
    StoreConfig config = config_;
    config.options.read_only = read_only;
    auto db = OpenerFor(config)(kDir, &env_);
    EXPECT_OK(db);
    return db.ok() ? *(*db)->Verify() : VerifyReport{};
  }

  // Replaces the plain block of a page at `offset` of the segment by what `change` makes of its raw bytes.
  void ChangeBlock(uint64_t offset, BlockKind kind, const std::function<void(std::string*)>& change) {
    std::string disk = image_.substr(offset, kPageBytes);
    auto block = OpenBlock(disk, number_, offset);
    ASSERT_OK(block);
    std::string raw(block->payload);
    change(&raw);
    ASSERT_LE(raw.size(), kPageBytes - kBlockTrailerBytes);
    disk.replace(0, raw.size(), raw);
    SealPlainBlock(disk.data(), raw.size(), disk.size(), kind, number_, offset);
    ASSERT_OK(env_.WriteFileForTest(segment_, offset, disk));
  }
  // The same for the entries of a data block.
  void ChangeEntries(uint64_t offset, const std::function<void(std::vector<Entry>*)>& change) {
    ChangeBlock(offset, BlockKind::kData, [&](std::string* raw) {
      const std::string before = *raw;
      BlockView view;
      ASSERT_TRUE(view.Parse(before));
      std::vector<Entry> entries(static_cast<size_t>(view.count()));
      for (int i = 0; i < view.count(); ++i) ASSERT_TRUE(view.Decode(i, &entries[static_cast<size_t>(i)]));
      change(&entries);
      BlockBuilder builder;
      for (const Entry& entry : entries) builder.Add(entry);
      raw->assign(builder.Finish());
    });
  }
  // Changes the first edit of the manifest.
  void ChangeManifest(const std::function<void(VersionEdit*)>& change) {
    std::string path;
    for (const std::string& name : env_.FileNames()) {
      if (name.find("MANIFEST") != std::string::npos) path = name;
    }
    const uint64_t number = ParseFileName(path.substr(path.rfind('/') + 1))->number;
    const std::string image = *env_.ReadFileForTest(path);
    ManifestReader reader(image, number);
    std::string changed = image.substr(0, kManifestFileHeaderBytes);
    for (VersionEdit edit; reader.Next(&edit) == ManifestReadResult::kEdit; edit = {}) {
      change(&edit);
      AppendManifestRecord(edit, number, changed.size(), &changed);
    }
    ASSERT_OK(env_.WriteFileForTest(path, changed));
  }
  uint64_t PointIndexOffset() {
    auto file = env_.OpenRandomAccess(segment_);
    return OpenSegment(**file, number_)->properties.point_index_offset;
  }

  CrashEnv env_;
  StoreConfig config_;
  std::string segment_;
  uint64_t number_ = 0;
  std::string image_;
};

TEST_F(VerifyTest, WholeStoreHasNoProblem) {
  EXPECT_THAT(Verified().problems, IsEmpty());
  EXPECT_THAT(Verified(/*read_only=*/false).problems, IsEmpty());
}

TEST_F(VerifyTest, EntriesOutOfOrder) {
  ChangeEntries(4096, [](std::vector<Entry>* entries) { std::swap((*entries)[3], (*entries)[4]); });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("at offset 4096: entries out of order")));
}

TEST_F(VerifyTest, BlocksOutOfOrder) {
  // An entry of the second block that belongs behind the third.
  ChangeEntries(4096, [](std::vector<Entry>* entries) { entries->back().key = "key1140"; });
  const auto problems = Verified().problems;
  EXPECT_THAT(problems, Contains(HasSubstr("entries out of order")));
  EXPECT_THAT(problems, Contains(HasSubstr("a block that the sparse index does not lead to")));
}

TEST_F(VerifyTest, CountsThatDoNotFit) {
  ChangeEntries(4096, [](std::vector<Entry>* entries) { entries->pop_back(); });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("entries, not ")));
}

TEST_F(VerifyTest, SequenceBeyondTheBounds) {
  ChangeEntries(4096, [](std::vector<Entry>* entries) { (*entries)[2].sequence = 900'000; });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("as largest sequence number")));
}

TEST_F(VerifyTest, BytesThatDoNotFit) {
  const std::string other(99, 'x');
  ChangeEntries(4096, [&](std::vector<Entry>* entries) { (*entries)[2].value = other; });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("bytes of values, not ")));
}

TEST_F(VerifyTest, PointIndexWithoutAKey) {
  const uint64_t offset = PointIndexOffset();
  ChangeBlock(offset, BlockKind::kPointIndex, [](std::string* raw) {
    for (size_t bucket = 0; bucket < kPointIndexBucketsPerPage; ++bucket) {
      char& count = (*raw)[bucket * kPointIndexBucketBytes + kPointIndexCountAt];
      if (count == 0) continue;
      --count;
      return;
    }
  });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("the point index does not lead to")));
}

TEST_F(VerifyTest, PointIndexIntoNothing) {
  const uint64_t offset = PointIndexOffset();
  ChangeBlock(offset, BlockKind::kPointIndex, [](std::string* raw) {
    char* bucket = raw->data();
    while (bucket[kPointIndexCountAt] == static_cast<char>(kPointIndexBucketSlots)) {
      bucket += kPointIndexBucketBytes;
    }
    ++bucket[kPointIndexCountAt];
  });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("places for")));
}

TEST_F(VerifyTest, ValueOfAnotherKey) {
  const std::string path = Last(".val");
  const uint64_t number = ParseFileName(path.substr(path.rfind('/') + 1))->number;
  std::string image = *env_.ReadFileForTest(path);
  auto record = DecodeValueLogRecord(std::string_view(image).substr(kValueLogFileHeaderBytes), number,
                                     kValueLogFileHeaderBytes);
  ASSERT_OK(record);
  const std::string key = record->key == "large1" ? "large2" : "large1";
  EncodeValueLogRecordHeader(key, record->value.size(), ValueLogValueHash(record->value), number,
                             kValueLogFileHeaderBytes, image.data() + kValueLogFileHeaderBytes);
  image.replace(kValueLogFileHeaderBytes + kValueLogRecordHeaderBytes, key.size(), key);
  ASSERT_OK(env_.WriteFileForTest(path, image));
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("is of another key")));
}

TEST_F(VerifyTest, ManifestThatDescribesAnotherSegment) {
  ChangeManifest([](VersionEdit* edit) {
    for (SegmentMeta& meta : edit->added_segments) ++meta.logical_bytes;
  });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("logical bytes: ")));
}

TEST_F(VerifyTest, ManifestThatCountsValuesWrongly) {
  ChangeManifest([](VersionEdit* edit) {
    for (SegmentMeta& meta : edit->added_segments) {
      for (ValueLogRef& ref : meta.value_refs) ref.bytes += 8;
    }
  });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("other large values")));
}

TEST_F(VerifyTest, RangeDeleteOfNoChange) {
  ChangeManifest([](VersionEdit* edit) {
    if (!edit->added_segments.empty()) edit->added_range_tombstones.push_back({"q", "r", 0});
  });
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("range delete")));
}

// The entry of the table that names "users" is replaced by one that names nothing.
TEST_F(VerifyTest, KeysOfANamespaceThatDoesNotExist) {
  const uint64_t last = PointIndexOffset() - kPageBytes;
  std::string other;
  ChangeEntries(last, [&](std::vector<Entry>* entries) {
    for (Entry& entry : *entries) {
      if (!entry.key.ends_with("nusers")) continue;
      other = std::string(entry.key);
      other[other.size() - 6] = 'm';  // of another kind, before the names
      entry.key = other;
    }
  });
  ASSERT_FALSE(other.empty());
  EXPECT_THAT(Verified().problems, Contains(HasSubstr("namespace")));
}

// What cannot be read is no proof that all is well.
TEST_F(VerifyTest, LogsThatCannotBeReadAreProblems) {
  auto db = OpenerFor(config_)(kDir, &env_);
  ASSERT_OK(db);
  ASSERT_OK((*db)->Put("zzz", "in the log alone"));
  CallFilter filter = CallFilter::Reads();
  filter.path_contains = Last(".wal");
  uint64_t call = 1;
  for (;; ++call) {
    const uint64_t before = env_.fault_count();
    env_.FailCall(call, Fault::kEio, FaultSpan::kOnce, filter);
    const auto report = (*db)->Verify();
    const bool was_reached = env_.fault_count() > before;
    env_.ClearFaults();
    if (!was_reached) break;
    ASSERT_TRUE(!report.ok() || !report->problems.empty()) << "call " << call;
  }
  EXPECT_EQ(call, 4u);  // it is opened, measured and read
}

TEST_F(VerifyTest, OrphansAreNamed) {
  ASSERT_OK(env_.WriteFileForTest("/store/000900.seg", "left by a crash"));
  ASSERT_OK(env_.WriteFileForTest("/store/MANIFEST-000901", "left by a crash"));
  const VerifyReport report = Verified();
  EXPECT_THAT(report.orphans, IsSupersetOf({"000900.seg", "MANIFEST-000901"}));
  EXPECT_THAT(report.problems, IsEmpty());
}

}  // namespace verify_test
}  // namespace varve::test
