// The scrub: pace, findings, files that vanish, and its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/scrubber.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"

namespace varve::test {
namespace scrub_test {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kDir[] = "/store";
constexpr uint64_t kSecond = 1'000'000'000;

TEST(ScrubPacerTest, KeepsTheRateAndDoesNotCatchUp) {
  ScrubPacer pacer(1'000'000);
  EXPECT_EQ(pacer.Note(500'000, 10 * kSecond), 10 * kSecond + kSecond / 2);
  EXPECT_EQ(pacer.Note(500'000, 10 * kSecond), 11 * kSecond);
  EXPECT_EQ(pacer.Note(0, 11 * kSecond), 11 * kSecond);
  EXPECT_EQ(pacer.Note(1'000'000, 50 * kSecond), 51 * kSecond);
  EXPECT_EQ(pacer.Note(uint64_t{1} << 40, 51 * kSecond), 51 * kSecond + (uint64_t{1} << 40) * 1000);
}

class ScrubTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = SmallStoreConfig();
    config_.tuning.idle_millis = 1'000'000'000;
    config_.tuning.segment_bytes = 1 << 20;
    Open();
    for (int i = 0; i < 150; ++i) {
      ASSERT_OK(db_->Put("key" + std::to_string(1000 + i), std::string(100, 'x')));
    }
    ASSERT_OK(db_->Put("large", std::string(6000, 'a')));
    ASSERT_OK(db_->Compact());
    db_.reset();  // what was merged away is gone then
    Open();
  }
  void Open() {
    auto db = OpenerFor(config_)(kDir, &env_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  std::string Last(const std::string& extension) {
    std::string last;
    for (const std::string& path : env_.FileNames()) {
      if (path.ends_with(extension)) last = path;
    }
    return last;
  }
  // One pass at full speed, waited for.
  ScrubState OnePass() {
    ScrubOptions options;
    options.bytes_per_second = uint64_t{1} << 40;
    options.interval = std::chrono::milliseconds(0);
    EXPECT_OK(db_->StartScrub(options));
    ScrubState state;
    do {
      state = db_->Scrub();
    } while (state.is_running);
    return state;
  }

  CrashEnv env_;
  StoreConfig config_;
  std::unique_ptr<Db> db_;
};

TEST_F(ScrubTest, WholeStoreHasNoFindings) {
  const ScrubState state = OnePass();
  EXPECT_EQ(state.pass_count, 1u);
  EXPECT_THAT(state.findings, IsEmpty());
  EXPECT_GE(state.byte_count, 20'000u);
  EXPECT_GE(state.file_count, 2u);  // manifest and segment
  EXPECT_THAT(*db_->GetProperty("varve.scrub"), HasSubstr("findings 0"));
}

TEST_F(ScrubTest, FindsWhatTheCacheHides) {
  ASSERT_OK(db_->Get("key1000"));
  const std::string segment = Last(".seg");
  ASSERT_OK(env_.CorruptByte(segment, 100, 1));
  EXPECT_OK(db_->Get("key1000"));  // from the cache
  const uint64_t cache_bytes = db_->Stats().cache_bytes;
  const ScrubState state = OnePass();
  ASSERT_THAT(state.findings, SizeIs(1));
  EXPECT_EQ(state.findings[0].file, segment);
  EXPECT_EQ(state.findings[0].offset, 0u);
  ASSERT_THAT(state.findings[0].ranges, SizeIs(1));
  EXPECT_TRUE(state.findings[0].ranges[0].Contains("", "key1000"));
  EXPECT_FALSE(state.findings[0].ranges[0].Contains("", "key1149"));
  EXPECT_EQ(db_->Stats().cache_bytes, cache_bytes);
  EXPECT_THAT(*env_.ReadFileForTest("/store/EVENTS"), HasSubstr("scrub: " + segment + " at offset 0"));
  // It goes from the list when it is whole again.
  ASSERT_OK(env_.CorruptByte(segment, 100, 1));
  EXPECT_THAT(OnePass().findings, IsEmpty());
}

TEST_F(ScrubTest, FindsDamagedValues) {
  const std::string values = Last(".val");
  ASSERT_OK(env_.CorruptByte(values, 3000, 1));
  const ScrubState state = OnePass();
  ASSERT_THAT(state.findings, SizeIs(1));
  EXPECT_EQ(state.findings[0].file, values);
  EXPECT_TRUE(state.findings[0].ranges[0].Contains("", "large"));
}

TEST_F(ScrubTest, FilesThatVanishAreNoFindings) {
  ScrubSource source;
  // The store's own scrub cannot be stopped between two steps.
  source.env = &env_;
  source.check_manifest = [](uint64_t*) { return Status::Ok(); };
  source.names = [] { return NamespaceNames(); };
  source.note_event = [](std::string_view) {};
  ReaderContext context;
  context.env = &env_;
  context.dir = kDir;
  context.remove_file = [](std::string) {};
  VersionEdit edit;
  edit.added_runs = {1};
  for (uint64_t number : {901, 902}) {
    SegmentMeta meta;
    meta.run_id = 1;
    meta.file_number = number;
    meta.smallest_key = meta.largest_key = "k" + std::to_string(number);
    edit.added_segments.push_back(meta);
  }
  std::vector<std::shared_ptr<SegmentReader>> readers;
  for (const SegmentMeta& meta : edit.added_segments) {
    readers.push_back(std::make_shared<SegmentReader>(&context, meta));
  }
  auto version = Version().Apply(edit, readers, {});
  ASSERT_OK(version);
  std::shared_ptr<const Version> now = *version;
  source.current = [&now] { return now; };
  Scrubber scrubber(source);
  uint64_t bytes = 0;
  ASSERT_TRUE(scrubber.Step(&bytes));  // lists both
  ASSERT_TRUE(scrubber.Step(&bytes));  // begins with the first
  now = std::make_shared<const Version>();
  // The first is missing from the disk and has left the version; the second has too.
  while (scrubber.Step(&bytes)) {
  }
  EXPECT_THAT(scrubber.state().findings, IsEmpty());
  EXPECT_EQ(scrubber.state().vanished_count, 2u);
  // While the version names them they are damage.
  now = *version;
  while (scrubber.Step(&bytes)) {
  }
  EXPECT_THAT(scrubber.state().findings, SizeIs(2));
}

TEST_F(ScrubTest, IsPacedByTheClockAndEndsAtOnce) {
  db_.reset();
  env_.sim_clock()->SetMode(SimClock::Mode::kManual);
  Open();
  ScrubOptions options;
  options.bytes_per_second = 4096;
  ASSERT_OK(db_->StartScrub(options));
  EXPECT_STATUS(kInvalidArgument, db_->StartScrub(options));
  // The clock stands still: it reads one thing, and waits for the time that this takes.
  while (db_->Scrub().byte_count == 0) {
  }
  const ScrubState first = db_->Scrub();
  EXPECT_EQ(first.pass_count, 0u);
  EXPECT_LE(first.byte_count, 4096u);
  EXPECT_EQ(db_->Scrub().byte_count, first.byte_count);
  while (db_->Scrub().pass_count == 0) env_.sim_clock()->Advance(kSecond);
  EXPECT_TRUE(db_->Scrub().is_running);
  db_->StopScrub();
  EXPECT_FALSE(db_->Scrub().is_running);
  EXPECT_EQ(db_->Scrub().pass_count, 1u);
  options.interval = std::chrono::hours(1);
  ASSERT_OK(db_->StartScrub(options));
  db_.reset();  // in the middle of a wait that will never end
}

TEST_F(ScrubTest, RefusesOptionsOutOfRange) {
  EXPECT_STATUS(kInvalidArgument, db_->StartScrub({.bytes_per_second = 100}));
  EXPECT_STATUS(kInvalidArgument, db_->StartScrub({.interval = std::chrono::milliseconds(-1)}));
  db_->StopScrub();  // none is running: nothing happens
}

}  // namespace scrub_test
}  // namespace varve::test
