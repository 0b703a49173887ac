#include "format/backup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "format/backup_stream.h"
#include "tests/format/backup_plans.h"
#include "tests/format/test_bytes.h"
#include "tests/support/backup_streams.h"
#include "tests/support/status_matchers.h"
#include "varve/version.h"

namespace varve {
namespace backup_test {

using test::Hex;
using test::StringSink;
using test::StringSource;

constexpr BackupHeader kHeader{0x1122334455667788, 0, 1'700'000'000'000};

BackupPlan SmallPlan() { return test::PlanOfThree(100, 0xabcdef); }

std::string SmallStream() {
  StringSink sink;
  BackupWriter writer(&sink, kHeader);
  EXPECT_OK(writer.Begin(EncodeBackupPlan(SmallPlan())));
  const std::vector<std::string> contents = {std::string(100, 'l'), "vals", "seg"};
  for (size_t i = 0; i < contents.size(); ++i) {
    EXPECT_OK(writer.BeginFile(i));
    CopyBytes(writer.data(), contents[i]);
    EXPECT_OK(writer.AppendData(contents[i].size()));
  }
  EXPECT_OK(writer.End());
  return sink.bytes;
}

Result<BackupSummary> Verified(std::string_view bytes, size_t step = ~size_t{0}) {
  StringSource source(bytes, step);
  return VerifyBackup(source);
}

TEST(BackupFormatTest, BytesStay) {
  const std::string stream = SmallStream();
  EXPECT_EQ(Hex(stream.substr(0, kBackupHeaderBytes)),
            "564152564542414b0100000000000000887766554433221100000000000000000068e5cf8b010000"
            "00000000000000000000000000000000f481f40fa5fdc6ff");
  EXPECT_EQ(Hex(EncodeBackupPlan(SmallPlan())),
            "290101021403090405054d0b05640601080107030000000000000000000e060411efcdab00000000"
            "00010303efcdab00000000000564000002efcdab00000000000604040001efcdab00000000000703"
            "0300");
  EXPECT_EQ(Hex(stream.substr(stream.size() - 48)),
            "0400000020000000c6f518d73e0d964107000000000000006b000000000000007001000000000000"
            "c7c784708b08fb69");
}

TEST(BackupFormatTest, StreamComesBackInWhateverPieces) {
  const std::string stream = SmallStream();
  for (const size_t step : {1, 2, 3, 7, 64, 1000}) {
    const auto summary = Verified(stream, step);
    ASSERT_OK(summary);
    EXPECT_EQ(summary->id, kHeader.id);
    EXPECT_EQ(summary->created_millis, kHeader.created_millis);
    EXPECT_EQ(summary->sequence, 9u);
    EXPECT_EQ(summary->carried_bytes, 107u);
    EXPECT_EQ(summary->store_bytes, 107u);
    EXPECT_EQ(summary->file_count, 3u);
    EXPECT_TRUE(*PlanOf(*summary) == SmallPlan());
  }
}

TEST(BackupFormatTest, AnyFlippedBitAndAnyTruncationIsFound) {
  std::string stream = SmallStream();
  for (size_t i = 0; i < stream.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      stream[i] = static_cast<char>(stream[i] ^ (1 << bit));
      ASSERT_STATUS(kCorruption, Verified(stream)) << i;
      stream[i] = static_cast<char>(stream[i] ^ (1 << bit));
    }
    ASSERT_STATUS(kCorruption, Verified(stream.substr(0, i))) << i;
  }
  EXPECT_STATUS(kCorruption, Verified(stream + "x"));
}

TEST(BackupFormatTest, NewerVersionIsNotSupported) {
  char header[kBackupHeaderBytes];
  EncodeBackupHeader(kHeader, header);
  StoreFixed(header + 8, kFormatVersion + 1);
  StoreFixed(header + 56, Hash64({header, 56}));
  EXPECT_STATUS(kNotSupported, DecodeBackupHeader({header, sizeof(header)}));
}

// Frames that are right each, in the wrong order, twice, or of another backup with the same files.
TEST(BackupFormatTest, SwappedAndForeignFramesAreFound) {
  StringSink sink, other;
  for (StringSink* to : {&sink, &other}) {
    BackupHeader header = kHeader;
    if (to == &other) header.id += 1;
    BackupPlan plan = SmallPlan();
    plan.files[0].bytes = plan.edit.durable_log->end = 200;
    BackupWriter writer(to, header);
    ASSERT_OK(writer.Begin(EncodeBackupPlan(plan)));
    for (size_t i = 0; i < 3; ++i) {
      ASSERT_OK(writer.BeginFile(i));
      for (int part = 0; part < (i == 0 ? 2 : 1); ++part) {
        const size_t size = i == 0 ? 100 : plan.files[i].bytes;
        std::fill_n(writer.data(), size, static_cast<char>('a' + part));
        ASSERT_OK(writer.AppendData(size));
      }
    }
    ASSERT_OK(writer.End());
  }
  ASSERT_OK(Verified(sink.bytes));
  const size_t first = sink.bytes.find("aaaa") - kBackupFrameHeaderBytes;
  const size_t frame = kBackupFrameHeaderBytes + 100;
  const std::string one = sink.bytes.substr(first, frame), two = sink.bytes.substr(first + frame, frame);
  std::string changed = sink.bytes;
  EXPECT_STATUS(kCorruption, Verified(changed.replace(first, 2 * frame, two + one)));
  changed = sink.bytes;
  EXPECT_STATUS(kCorruption, Verified(changed.replace(first, 2 * frame, one + one)));
  changed = sink.bytes;
  EXPECT_STATUS(kCorruption, Verified(changed.replace(first, frame, other.bytes.substr(first, frame))));
  changed = sink.bytes;
  EXPECT_STATUS(kCorruption, Verified(changed.erase(first, frame)));
}

TEST(BackupFormatTest, PlansThatContradictThemselvesAreCorruption) {
  const std::vector<std::function<void(BackupPlan*)>> changes = {
      [](BackupPlan* plan) { plan->files.pop_back(); },
      [](BackupPlan* plan) { plan->files.push_back(plan->files[1]); },
      [](BackupPlan* plan) { plan->files[2].bytes = 5; },
      [](BackupPlan* plan) { plan->files[1].settled = 5; },
      [](BackupPlan* plan) { plan->files[1].from = 5; },
      [](BackupPlan* plan) { plan->files[0].from = 1; },
      [](BackupPlan* plan) { plan->files[0].number = 4; },
      [](BackupPlan* plan) { plan->files.push_back({BackupFileType::kSegment, 8, 0, 1, 1, 0}); },
      [](BackupPlan* plan) { plan->files.push_back({BackupFileType::kWal, 4, 0, 1, 0, 0}); },
      [](BackupPlan* plan) { plan->edit.hash_salt.reset(); },
      [](BackupPlan* plan) { plan->edit.next_file_number = 7; },
      [](BackupPlan* plan) { plan->edit.last_sequence.reset(); },
      [](BackupPlan* plan) { plan->edit.oldest_log_number = 6; },
      [](BackupPlan* plan) { plan->edit.durable_log->end = 99; },
      [](BackupPlan* plan) { plan->edit.added_value_logs.push_back({9, 1}); },
  };
  ASSERT_OK(DecodeBackupPlan(EncodeBackupPlan(SmallPlan())));
  for (size_t i = 0; i < changes.size(); ++i) {
    BackupPlan plan = SmallPlan();
    changes[i](&plan);
    EXPECT_STATUS(kCorruption, DecodeBackupPlan(EncodeBackupPlan(plan))) << i;
  }
  EXPECT_STATUS(kCorruption, DecodeBackupPlan(EncodeBackupPlan(SmallPlan()) + "x"));
}

}  // namespace backup_test
}  // namespace varve
