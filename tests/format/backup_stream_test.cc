// Streams whose frames have the right checksums and make no sense: what a writer with a mistake could leave.
#include "format/backup_stream.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "format/backup.h"
#include "tests/format/backup_plans.h"
#include "tests/support/backup_streams.h"
#include "tests/support/status_matchers.h"
#include "varve/version.h"

namespace varve {
namespace backup_stream_test {

using test::PlanOfThree;
using test::StringSink;
using test::StringSource;

// Frames with checksums that are right for where they stand.
class Stream {
 public:
  explicit Stream(const BackupHeader& header = {1, 0, 0}) : id_(header.id) {
    char bytes[kBackupHeaderBytes];
    EncodeBackupHeader(header, bytes);
    bytes_.assign(bytes, sizeof(bytes));
    counted_.stream_bytes = sizeof(bytes);
  }

  Stream& Frame(BackupFrameType type, const std::string& payload) {
    char header[kBackupFrameHeaderBytes];
    EncodeBackupFrameHeader(type, payload, id_, bytes_.size(), header);
    bytes_.append(header, sizeof(header)).append(payload);
    const auto decoded = DecodeBackupFrameHeader({header, sizeof(header)});
    if (decoded.ok()) counted_.Add(*decoded);
    return *this;
  }
  Stream& Plan(const BackupPlan& plan = PlanOfThree()) {
    return Frame(BackupFrameType::kPlan, EncodeBackupPlan(plan));
  }
  Stream& File(char index) { return Frame(BackupFrameType::kFile, std::string(1, index)); }
  Stream& Data(const std::string& data) { return Frame(BackupFrameType::kData, data); }
  Stream& End(uint64_t more_frames = 0) {
    BackupEnd end = counted_;
    end.frame_count += more_frames;
    char payload[kBackupEndPayloadBytes];
    EncodeBackupEnd(end, payload);
    return Frame(BackupFrameType::kEnd, {payload, sizeof(payload)});
  }
  // Up to the end.
  Stream& Files() { return File(0).Data("logs").File(1).Data("va").Data("ls").File(2).Data("seg"); }

  const std::string& bytes() const { return bytes_; }

 private:
  const uint64_t id_;
  std::string bytes_;
  BackupEnd counted_;
};

Result<BackupSummary> Verified(const std::string& bytes) {
  StringSource source(bytes, 7);
  return VerifyBackup(source);
}

TEST(BackupStreamTest, FramesThatMakeNoSenseAreRefused) {
  ASSERT_OK(Verified(Stream().Plan().Files().End().bytes()));
  BackupPlan partly = PlanOfThree();
  partly.files[1].from = 2;
  const struct {
    Stream stream;
    const char* message;
  } cases[] = {
      {Stream({0, 0, 0}).Plan().Files().End(), "no id"},
      {Stream().File(0).Data("logs").End(), "no plan"},
      {Stream().Plan(partly).File(0).Data("logs").File(1).Data("ls").File(2).Data("seg").End(), "lacks part of a file"},
      {Stream().Plan().Data("logs").End(), "does not belong there"},
      {Stream().Plan().Plan().Files().End(), "does not belong there"},
      {Stream().Plan().File(0).Data("logss").End(), "does not belong there"},
      {Stream().Plan().File(1).Data("vals").End(), "another file"},
      {Stream().Plan().Files().File(3).End(), "another file"},
      {Stream().Plan().Files().File(2).End(), "another file"},
      {Stream().Plan().Frame(BackupFrameType::kFile, std::string("\0\0", 2)).End(), "file frame is malformed"},
      {Stream().Plan().Frame(BackupFrameType::kFile, "\x80").End(), "file frame is malformed"},
      {Stream().Plan().File(0).Data("log").File(1).Data("vals").End(), "is not whole"},
      {Stream().Plan().File(0).File(1).Data("vals").End(), "is not whole"},
      {Stream().Plan().File(0).Data("log").End(), "is not whole"},
      {Stream().Plan().End(), "it ends before"},
      {Stream().Plan().File(0).Data("logs").End(), "it ends before"},
      {Stream().Plan().Files().End(1), "end does not fit"},
      {Stream().Plan().Files().Frame(BackupFrameType::kEnd, "end"), "end is malformed"},
      {Stream().Plan().Files().End().Data("x"), "something follows"},
      {Stream().Plan().Frame(static_cast<BackupFrameType>(5), "x").End(), "it is damaged"},
      {Stream().Plan().Frame(BackupFrameType::kData, ""), "it is damaged"},
      {Stream().Frame(BackupFrameType::kPlan, "\xff\xff"), "plan is malformed"},
  };
  for (const auto& one : cases) {
    const auto summary = Verified(one.stream.bytes());
    ASSERT_STATUS(kCorruption, summary) << one.message;
    EXPECT_NE(summary.status().message().find(one.message), std::string::npos) << summary.status().ToString();
  }
}

// An increment carries files from where the backup before ended, and leaves out those that have not changed.
TEST(BackupStreamTest, IncrementsCarryWhatIsNew) {
  BackupPlan plan = PlanOfThree();
  plan.files[1].from = 2;
  plan.files[2].from = 3;
  ASSERT_OK(Verified(Stream({2, 1, 0}).Plan(plan).File(0).Data("logs").File(1).Data("ls").End().bytes()));
  const auto twice = Verified(Stream({2, 1, 0}).Plan(plan).File(0).Data("logs").File(1).Data("vals").End().bytes());
  EXPECT_STATUS(kCorruption, twice);
}

TEST(BackupStreamTest, PlansAreDecodedAsTheyAreEncodedOnly) {
  const std::string plan = EncodeBackupPlan(PlanOfThree());
  ASSERT_OK(DecodeBackupPlan(plan));
  for (size_t cut = 0; cut < plan.size(); ++cut) {
    ASSERT_STATUS(kCorruption, DecodeBackupPlan(std::string_view(plan).substr(0, cut))) << cut;
  }
  const std::vector<std::function<void(BackupPlan*)>> changes = {
      [](BackupPlan* p) { p->edit.format_version.reset(); },
      [](BackupPlan* p) { p->edit.next_file_number.reset(); },
      [](BackupPlan* p) { p->edit.next_file_number = uint64_t{1} << 63; },
      [](BackupPlan* p) { p->edit.durable_log.reset(); },
      [](BackupPlan* p) { p->edit.oldest_log_number.reset(); },
      [](BackupPlan* p) { p->files[0].type = static_cast<BackupFileType>(0); },
      [](BackupPlan* p) { p->files[0].type = static_cast<BackupFileType>(4); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    BackupPlan changed = PlanOfThree();
    changes[i](&changed);
    EXPECT_STATUS(kCorruption, DecodeBackupPlan(EncodeBackupPlan(changed))) << i;
  }
}

TEST(BackupStreamTest, FailuresOfTheSourceAreReported) {
  const std::string bytes = Stream().Plan().Files().End().bytes();
  size_t calls = 1;
  for (;; ++calls) {
    StringSource source(bytes, 50);
    source.fail_at = calls;
    const auto summary = VerifyBackup(source);
    if (source.calls < calls) {
      ASSERT_OK(summary);
      break;
    }
    ASSERT_STATUS(kIoError, summary) << calls;
  }
  EXPECT_GT(calls, 10u);
}

TEST(BackupStreamTest, FailuresOfTheSinkAreReported) {
  const auto write = [](StringSink* sink) -> Status {
    BackupWriter writer(sink, {1, 0, 0});
    Status status = writer.Begin(EncodeBackupPlan(PlanOfThree()));
    for (size_t i = 0; status.ok() && i < 3; ++i) {
      status = writer.BeginFile(i);
      const std::string data(static_cast<size_t>(PlanOfThree().files[i].bytes), 'd');
      CopyBytes(writer.data(), data);
      if (status.ok()) status = writer.AppendData(data.size());
    }
    return status.ok() ? writer.End() : status;
  };
  StringSink whole;
  ASSERT_OK(write(&whole));
  ASSERT_OK(Verified(whole.bytes));
  for (size_t call = 1; call <= whole.calls; ++call) {
    StringSink sink;
    sink.fail_at = call;
    ASSERT_STATUS(kIoError, write(&sink)) << call;
    ASSERT_STATUS(kCorruption, Verified(sink.bytes)) << call;
  }
}

// A source that says it has read more than there was room for, at its n-th call.
class LyingSource : public BackupSource {
 public:
  LyingSource(std::string_view bytes, size_t lies_at) : source_(bytes, 50), lies_at_(lies_at) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    auto got = source_.Read(buffer, size);
    if (!got.ok() || source_.calls != lies_at_) return got;
    has_lied = true;
    return size + 1;
  }

  bool has_lied = false;

 private:
  StringSource source_;
  const size_t lies_at_;
};

TEST(BackupStreamTest, SourcesThatReadTooMuchAreRefused) {
  const std::string bytes = Stream().Plan().Files().End().bytes();
  size_t calls = 1;
  for (;; ++calls) {
    LyingSource source(bytes, calls);
    const auto summary = VerifyBackup(source);
    if (!source.has_lied) break;
    ASSERT_FALSE(summary.ok()) << calls;
  }
  EXPECT_GT(calls, 10u);
  LyingSource first(bytes, 1);
  EXPECT_STATUS(kInvalidArgument, VerifyBackup(first));
}

}  // namespace backup_stream_test
}  // namespace varve
