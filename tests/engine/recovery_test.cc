// LogReplay on logs made by hand: every way in which a chain of logs can hold, end or be refused.
#include "engine/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "format/wal.h"
#include "tests/engine/log_image.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace recovery_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using test::After;
using test::First;
using test::LogImage;

class RecoveryTest : public test::LogsByHand {
 protected:
  Status Run(uint64_t oldest, const DurableLog& durable = {}) {
    applied_.clear();
    begun_.clear();
    replay_.emplace(&env_, "/db");
    return replay_->Run(
        oldest, durable,
        [this](uint64_t number) {
          begun_.push_back(number);
          return begin_status_;
        },
        [this](const WalRecord& record) -> Result<bool> {
          if (!whole_status_.ok()) return whole_status_;
          return record.first_sequence != not_whole_;
        },
        [this](SequenceNumber sequence, const WalOp& op) {
          applied_.push_back(std::to_string(sequence) + std::string(op.key));
          return apply_status_;
        });
  }
  void ExpectCorruption(const Status& status, const std::string& what) {
    EXPECT_STATUS(kCorruption, status);
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  }

  std::optional<LogReplay> replay_;
  std::vector<std::string> applied_;
  std::vector<uint64_t> begun_;
  SequenceNumber not_whole_ = 0;
  Status begin_status_, whole_status_, apply_status_;
};

TEST_F(RecoveryTest, LogsOfAChainAreReplayedInOrder) {
  LogImage first(First(9));
  first.Put(1, "a").Put(2, "b").Mark(2, static_cast<uint32_t>(first.end()));
  LogImage second(After(12, 9, first.end(), true));
  second.Put(3, "c").Zeros(64);
  Save(12, second);
  Save(9, first);
  Save(3, LogImage(First(3)).Put(1, "old"));
  ASSERT_OK(Run(9));
  EXPECT_THAT(applied_, ElementsAre("1a", "2b", "3c"));
  EXPECT_THAT(begun_, ElementsAre(9u, 12u));
  EXPECT_EQ(replay_->last_sequence(), 3u);
  ASSERT_EQ(replay_->replayed().size(), 2u);
  EXPECT_EQ(replay_->replayed()[1].end, second.end() - 64);
  EXPECT_TRUE(replay_->replayed()[1].ended_clean);
}

TEST_F(RecoveryTest, NothingIsAnEmptyHistory) {
  ASSERT_OK(Run(0));
  EXPECT_EQ(replay_->last_sequence(), 0u);
  EXPECT_THAT(replay_->replayed(), IsEmpty());
}

TEST_F(RecoveryTest, AMissingOldestLogIsDamage) {
  ExpectCorruption(Run(5), "the manifest names this log");
  Save(6, LogImage(First(6)).Put(1, "a"));
  ExpectCorruption(Run(5), "000005");
}

TEST_F(RecoveryTest, ADurableLogMayNotBeMissing) {
  const DurableLog durable{7, 100};
  ExpectCorruption(Run(0, durable), "the log is missing");
  Save(5, LogImage(First(5)).Put(1, "a"));
  ExpectCorruption(Run(5, durable), "100 bytes of it had been synced");
  // An older one than the oldest needed, or one of which nothing was durable, may.
  ASSERT_OK(Run(5, {3, 100}));
  ASSERT_OK(Run(5, {7, 0}));
}

TEST_F(RecoveryTest, TheHeaderOfADurableLogMayNotBeDamaged) {
  LogImage log(First(5));
  log.Put(1, "a");
  const uint64_t end = log.end();
  Save(5, log.Damage(20));
  ExpectCorruption(Run(5, {5, end}), "its header is damaged");
  ASSERT_OK(Run(5));  // its use may never have begun
  EXPECT_THAT(applied_, IsEmpty());
}

TEST_F(RecoveryTest, ALogOfANewerVersionIsRefused) {
  LogImage log(First(5));
  StoreFixed(log.bytes().data() + 8, uint32_t{0x7fffffff});
  StoreFixed(log.bytes().data() + 56,
             Hash64(std::string_view(log.bytes()).substr(0, 56), PlaceSeed(5, 0)));
  Save(5, log);
  const Status status = Run(5);
  EXPECT_STATUS(kNotSupported, status);
  EXPECT_THAT(std::string(status.message()), HasSubstr(PathOf(5)));
}

TEST_F(RecoveryTest, WhatDoesNotContinueTheChainIsLeftOut) {
  LogImage first(First(5));
  first.Put(1, "a");
  Save(5, first);
  // It goes on behind a record that was lost with the power, which nobody had synced.
  Save(6, LogImage(After(6, 5, first.end() + 48, false)).Put(3, "c"));
  Save(7, LogImage(After(7, 6, 200, false)).Put(4, "d"));
  ASSERT_OK(Run(5));
  EXPECT_THAT(applied_, ElementsAre("1a"));
  EXPECT_THAT(begun_, ElementsAre(5u));
}

TEST_F(RecoveryTest, ASyncedHeaderBehindAGapProvesDamage) {
  LogImage first(First(5));
  first.Put(1, "a");
  Save(5, first);
  Save(6, LogImage(After(6, 5, first.end() + 48, true)).Put(3, "c"));
  // The log says by itself that what is missing had been synced.
  EXPECT_STATUS(kCorruption, Run(5));
  // So does a later one about a log in between.
  Save(6, std::string(64, '\0'));
  Save(7, LogImage(After(7, 6, 200, true)).Put(4, "d"));
  ExpectCorruption(Run(5), "had been synced");
}

TEST_F(RecoveryTest, ASyncedRecordBehindAGapProvesDamage) {
  LogImage first(First(5));
  first.Put(1, "a");
  Save(5, first);
  Save(6, std::string(64, '\0'));
  Save(7, LogImage(After(7, 6, 200, false)).Put(4, "d"));
  ASSERT_OK(Run(5));
  Save(7, LogImage(After(7, 6, 200, false)).Put(4, "d").Put(5, "e", 96));
  ExpectCorruption(Run(5), "log 7 shows");
  // An unreadable log in between says nothing.
  Save(7, LogImage(After(7, 6, 200, false)).Put(4, "d").Damage(3));
  ASSERT_OK(Run(5));
}

TEST_F(RecoveryTest, ASyncUpToTheBreakProvesNothing) {
  LogImage first(First(5));
  first.Put(1, "a").Put(2, "b");
  Save(5, first);
  Save(6, LogImage(After(6, 5, first.end() - 40, true)).Put(2, "c"));
  ASSERT_OK(Run(5));
  EXPECT_THAT(applied_, ElementsAre("1a", "2b"));
}

TEST_F(RecoveryTest, ARecordWithoutItsValueEndsHistory) {
  LogImage first(First(5));
  first.Put(1, "a");
  const uint64_t end = first.end();
  first.Put(2, "b").Put(3, "c");
  Save(5, first);
  Save(6, LogImage(After(6, 5, first.end(), false)).Put(4, "d"));
  not_whole_ = 2;
  ASSERT_OK(Run(5));
  EXPECT_THAT(applied_, ElementsAre("1a"));
  EXPECT_EQ(replay_->last_sequence(), 1u);
  EXPECT_EQ(replay_->replayed()[0].end, end);
  EXPECT_FALSE(replay_->replayed()[0].ended_clean);
  // What is known to be durable is not asked about.
  ASSERT_OK(Run(5, {5, first.end()}));
  EXPECT_THAT(applied_, ElementsAre("1a", "2b", "3c", "4d"));
}

TEST_F(RecoveryTest, DamageBeforeTheDurableEndIsRefused) {
  LogImage first(First(5));
  first.Put(1, "a").Put(2, "b");
  const uint64_t end = first.end();
  first.Damage(kWalFileHeaderBytes + kWalRecordHeaderBytes);
  Save(5, first);
  ASSERT_OK(Run(5));
  EXPECT_THAT(applied_, IsEmpty());
  EXPECT_FALSE(replay_->replayed()[0].ended_clean);
  ExpectCorruption(Run(5, {5, end}), PathOf(5));
  // The next log's header knows it, too.
  Save(6, LogImage(After(6, 5, end, true)));
  ExpectCorruption(Run(5), PathOf(5));
}

TEST_F(RecoveryTest, AnIntactRecordOfNonsenseIsRefused) {
  LogImage log(First(5));
  log.Record(1, std::string("\x01\x05", 2));
  Save(5, log);
  ExpectCorruption(Run(5), "at offset 64: malformed record");
}

TEST_F(RecoveryTest, RecordsBehindAHoleAreKnownOf) {
  LogImage log(First(5));
  log.Put(1, "a");
  log.Zeros(48).Put(3, "c");
  Save(5, log);
  ASSERT_OK(Run(5));
  EXPECT_THAT(applied_, ElementsAre("1a"));
  EXPECT_FALSE(replay_->replayed()[0].ended_clean);
}

TEST_F(RecoveryTest, ErrorsOfThoseWhoAreToldPassThrough) {
  Save(5, LogImage(First(5)).Put(1, "a"));
  begin_status_ = Status::Busy("begin");
  EXPECT_STATUS(kBusy, Run(5));
  EXPECT_THAT(applied_, IsEmpty());
  begin_status_ = Status::Ok();
  whole_status_ = Status::Aborted("whole");
  EXPECT_STATUS(kAborted, Run(5));
  EXPECT_THAT(applied_, IsEmpty());
  whole_status_ = Status::Ok();
  apply_status_ = Status::TimedOut("apply");
  EXPECT_STATUS(kTimedOut, Run(5));
}

// Every call that reads fails once, and nothing is taken for the end of history.
TEST_F(RecoveryTest, EveryFailingReadIsReported) {
  LogImage first(First(5));
  first.Put(1, "a");
  Save(5, first);
  Save(6, LogImage(After(6, 5, first.end(), false)).Put(2, "b"));
  Save(7, LogImage(After(7, 6, 1000, false)).Put(4, "d"));  // judged, too
  int failed = 0;
  for (uint64_t nth = 1;; ++nth) {
    const uint64_t before = env_.fault_count();
    env_.FailCall(nth, Fault::kEio);
    const Status status = Run(5);
    const bool has_failed = env_.fault_count() > before;
    env_.ClearFaults();
    if (!has_failed) break;
    EXPECT_STATUS(kIoError, status) << nth;
    ++failed;
  }
  EXPECT_GE(failed, 10);  // the list, and opening and reading each log, some of them twice
  ASSERT_OK(Run(5));
  EXPECT_THAT(applied_, ElementsAre("1a", "2b"));
}

}  // namespace recovery_test
}  // namespace varve
