// LogSalvage on logs made by hand: what is intact is taken, in its order and once, and whatever is missing or damaged
// is told of, with how much is lost where that can be known.
#include "engine/log_salvage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "format/filename.h"
#include "tests/engine/log_image.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace log_salvage_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using test::After;
using test::First;
using test::LogImage;

class LogSalvageTest : public test::LogsByHand {
 protected:
  Status Run(const std::vector<uint64_t>& numbers, const DurableLog& durable = {}, SequenceNumber known = 0) {
    applied_.clear();
    damage_.clear();
    LogSalvage salvage(&env_, "/db");
    Status status = salvage.Run(
        numbers, durable, known, [](uint64_t) {},
        [&](SequenceNumber sequence, const WalOp& op) { applied_.push_back(std::to_string(sequence) + std::string(op.key)); },
        [&](const LogDamage& damage) { damage_.push_back(damage); });
    last_ = salvage.last_sequence();
    return status;
  }

  std::vector<std::string> applied_;
  std::vector<LogDamage> damage_;
  SequenceNumber last_ = 0;
};

TEST_F(LogSalvageTest, IntactLogsAreTakenWithoutAWord) {
  const LogImage first = LogImage(First(3)).Put(1, "a").Put(2, "b");
  Save(3, first);
  Save(4, LogImage(After(4, 3, first.end(), false)).Mark(2, 0).Put(3, "c").Mark(3, 0));
  ASSERT_OK(Run({3, 4}));
  EXPECT_THAT(applied_, ElementsAre("1a", "2b", "3c"));
  EXPECT_THAT(damage_, IsEmpty());
  EXPECT_EQ(last_, 3u);
}

TEST_F(LogSalvageTest, AHoleIsCountedByWhatComesAfterIt) {
  LogImage log = LogImage(First(3)).Put(1, "a");
  const uint64_t hole = log.end();
  log.Put(2, "b").Put(3, "c").Damage(hole + 4).Put(4, "d");
  Save(3, log);
  ASSERT_OK(Run({3}));
  // The third record is found behind the damage: one change is lost.
  EXPECT_THAT(applied_, ElementsAre("1a", "3c", "4d"));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_EQ(damage_[0].offset, hole);
  EXPECT_EQ(damage_[0].lost_changes, 1u);
  EXPECT_FALSE(damage_[0].is_harmless);
}

// Intact records whose numbers leave out some: nothing is damaged that can be seen, and something is missing.
TEST_F(LogSalvageTest, NumbersThatAreLeftOutAreALoss) {
  LogImage log = LogImage(First(3)).Put(1, "a");
  const uint64_t at = log.end();
  Save(3, log.Put(5, "b"));
  ASSERT_OK(Run({3}));
  EXPECT_THAT(applied_, ElementsAre("1a", "5b"));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_EQ(damage_[0].what, "changes before this record are missing");
  EXPECT_EQ(damage_[0].offset, at);
  EXPECT_EQ(damage_[0].lost_changes, 3u);
  EXPECT_FALSE(damage_[0].is_harmless);
}

// A mark says how far history had gone: damage that only took marks has lost nothing.
TEST_F(LogSalvageTest, DamageBeforeAMarkOfTheSameNumberIsHarmless) {
  LogImage log = LogImage(First(3)).Put(1, "a");
  const uint64_t at = log.end();
  Save(3, log.Mark(1, 0).Damage(at).Mark(1, 0).Put(2, "b"));
  ASSERT_OK(Run({3}));
  EXPECT_THAT(applied_, ElementsAre("1a", "2b"));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_TRUE(damage_[0].is_harmless);
}

TEST_F(LogSalvageTest, ALogThatIsMissingBetweenTwoIsToldOf) {
  Save(3, LogImage(First(3)).Put(1, "a"));
  Save(5, LogImage(After(5, 4, 1000, true)).Put(4, "d"));
  ASSERT_OK(Run({3, 5}));
  EXPECT_THAT(applied_, ElementsAre("1a", "4d"));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_EQ(damage_[0].what, "the log is missing");
  EXPECT_THAT(damage_[0].file, HasSubstr(WalFileName(4)));
  EXPECT_EQ(damage_[0].lost_changes, 2u);
}

// What was known to be durable is missing from the end, and nothing comes after it.
TEST_F(LogSalvageTest, AnEndThatIsMissingIsCountedByTheLastNumberThatIsKnown) {
  LogImage log = LogImage(First(3)).Put(1, "a");
  const uint64_t whole = log.end();
  log.Put(2, "b").Put(3, "c");
  const uint64_t end = log.end();
  Save(3, log.bytes().substr(0, whole));
  ASSERT_OK(Run({3}, {3, end}, 3));
  EXPECT_THAT(applied_, ElementsAre("1a"));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_EQ(damage_[0].lost_changes, 2u);
  EXPECT_FALSE(damage_[0].is_harmless);
  // It is known that history had ended before: nothing was there.
  ASSERT_OK(Run({3}, {3, end}, 1));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_TRUE(damage_[0].is_harmless);
  // Nothing is known: it may be anything.
  ASSERT_OK(Run({3}, {3, end}, 0));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_FALSE(damage_[0].is_harmless);
  EXPECT_EQ(damage_[0].lost_changes, 0u);
  // Without a word that more had been there, this is where it ends.
  ASSERT_OK(Run({3}));
  EXPECT_THAT(damage_, IsEmpty());
}

TEST_F(LogSalvageTest, AnIntactRecordOfNonsenseIsTakenAsFarAsItGoes) {
  Save(3, LogImage(First(3)).Put(1, "a").Record(2, "\x7f").Put(3, "c"));
  ASSERT_OK(Run({3}));
  EXPECT_THAT(applied_, ElementsAre("1a", "3c"));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_EQ(damage_[0].what, "malformed record");
  EXPECT_EQ(damage_[0].lost_changes, 1u);
}

TEST_F(LogSalvageTest, LogsThatCannotBeReadAreToldOf) {
  const LogImage log = LogImage(First(3)).Put(1, "a");
  Save(3, log);
  for (uint64_t call = 1;; ++call) {
    const uint64_t before = env_.fault_count();
    env_.FailCall(call, Fault::kEio, FaultSpan::kOnce);
    ASSERT_OK(Run({3}));
    const bool has_failed = env_.fault_count() > before;
    env_.ClearFaults();
    if (!has_failed) break;
    ASSERT_FALSE(damage_.empty() && applied_.empty()) << call;
    EXPECT_TRUE(!applied_.empty() || !damage_[0].is_harmless) << call;
  }
  EXPECT_THAT(applied_, ElementsAre("1a"));
  ASSERT_OK(Run({3, 9}));  // there is no log 9
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_THAT(damage_[0].file, HasSubstr(WalFileName(9)));
}

TEST_F(LogSalvageTest, HeadersThatAreDamagedNewOrWereNeverWritten) {
  LogImage log = LogImage(First(3)).Put(1, "a");
  Save(4, std::string(4096, '\0'));  // its use never began
  ASSERT_OK(Run({4}));
  EXPECT_THAT(damage_, IsEmpty());
  Save(5, "short");
  ASSERT_OK(Run({5}));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_FALSE(damage_[0].is_harmless);
  // Damage to what the records do not depend on loses nothing.
  log.Damage(kWalFileHeaderBytes - 1);
  Save(3, log);
  ASSERT_OK(Run({3}));
  EXPECT_THAT(applied_, ElementsAre("1a"));
  ASSERT_EQ(damage_.size(), 1u);
  EXPECT_TRUE(damage_[0].is_harmless);
}

}  // namespace log_salvage_test
}  // namespace varve
