// Explain: each kind of answer, and that it always says what Get says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/merge_filter.h"
#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"
#include "varve/db.h"

namespace varve {
namespace explain_test {

using namespace std::chrono_literals;
using Answer = Explanation::Answer;
using Filter = ExplainedPart::Filter;
using Kind = ExplainedPart::Kind;

std::string Large(char c) { return std::string(10'000, c); }

// Background merges are put off by the tuning: files stay where the test has put them.
class ExplainTest : public ::testing::Test {
 protected:
  ExplainTest() {
    env_.sim_clock()->SetMode(SimClock::Mode::kManual);
    tuning_.memtable_bytes = 4 << 20;
    tuning_.segment_bytes = 256 << 10;
    tuning_.tier_runs = 64;
    tuning_.slowdown_runs = 1000;
    tuning_.max_immutable_memtables = 1000;
    tuning_.idle_millis = 1'000'000'000;
    tuning_.cache_bytes = 16 << 20;
    options_.env = &env_;
    options_.space_amplification_target = 10;
    Open();
  }
  void Open() {
    auto db = OpenTuned("/db", options_, tuning_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  void Reopen() {
    db_.reset();
    Open();
  }
  void Put(std::string_view key, std::string_view value) { ASSERT_OK(db_->Put(key, value)); }
  void Flush() { ASSERT_OK(db_->Flush()); }

  // What Explain says, having been compared with Get.
  Explanation Explain(Namespace* space, std::string_view key, const ReadOptions& options = {}) {
    const Result<Explanation> explanation = space->Explain(key, options);
    EXPECT_OK(explanation);
    if (!explanation.ok()) return {};
    const Result<std::string> value = space->Get(key, options);
    EXPECT_TRUE(value.ok() || value.status().IsNotFound()) << value.status().ToString();
    EXPECT_EQ(explanation->found(), value.ok()) << key;
    if (value.ok()) {
      EXPECT_EQ(explanation->value_bytes, value->size());
    }
    EXPECT_EQ(explanation->answering_part() != nullptr, explanation->answer != Answer::kNothing);
    const uint64_t threshold = tuning_.separation_threshold_bytes;
    EXPECT_EQ(explanation->value_log.has_value(), value.ok() && value->size() >= threshold);
    return *explanation;
  }
  Explanation Explain(std::string_view key, const ReadOptions& options = {}) {
    return Explain(db_.get(), key, options);
  }
  static std::string Name(int i) { return "key" + std::to_string(1'000'000 + i); }

  CrashEnv env_;
  Options options_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
};

TEST_F(ExplainTest, AMemtableAnswers) {
  Put("a", "1");
  Put("b", "22");
  const Explanation got = Explain("b");
  EXPECT_EQ(got.answer, Answer::kValue);
  EXPECT_EQ(got.sequence, 2u);
  EXPECT_EQ(got.read_sequence, 2u);
  EXPECT_EQ(got.value_bytes, 2u);
  EXPECT_EQ(got.bytes_read, 0u);
  ASSERT_EQ(got.parts.size(), 1u);
  EXPECT_EQ(got.parts[0].kind, Kind::kActiveMemTable);
  EXPECT_EQ(got.parts[0].filter, Filter::kMaybe);
  EXPECT_TRUE(got.parts[0].has_answered);
}

TEST_F(ExplainTest, AnEmptyStoreHasNothing) {
  const Explanation got = Explain("a");
  EXPECT_EQ(got.answer, Answer::kNothing);
  EXPECT_EQ(got.sequence, 0u);
  ASSERT_EQ(got.parts.size(), 1u);
  EXPECT_EQ(got.parts[0].filter, Filter::kAbsent);
}

TEST_F(ExplainTest, AnImmutableMemtableAnswers) {
  Put("a", "1");
  // A flush that cannot make its segment leaves the memtable where it is.
  env_.FailCall(1, Fault::kNoSpace, FaultSpan::kForever,
                {.kinds = {CallKind::kOpenWrite}, .path_contains = ".seg"});
  EXPECT_FALSE(db_->Flush().ok());
  Put("b", "2");
  const Explanation got = Explain("a");
  EXPECT_EQ(got.answer, Answer::kValue);
  ASSERT_EQ(got.parts.size(), 2u);
  EXPECT_EQ(got.parts[0].kind, Kind::kActiveMemTable);
  EXPECT_FALSE(got.parts[0].has_answered);
  EXPECT_EQ(got.parts[1].kind, Kind::kImmutableMemTable);
  EXPECT_TRUE(got.parts[1].has_answered);
  EXPECT_LT(got.parts[1].number, got.parts[0].number);
  EXPECT_EQ(Explain("b").parts.size(), 1u);
  env_.ClearFaults();
}

TEST_F(ExplainTest, SegmentsAnswerByLevelAndTellWhatWasRead) {
  Put("a", "old");
  Put("m", "old");
  Put("z", "old");
  Flush();
  Put("m", "new");
  Put("n", "new");
  Flush();
  ASSERT_EQ(db_->Stats().runs.size(), 2u);
  Reopen();
  const auto runs = db_->Stats().runs;

  const Explanation first = Explain("m");
  ASSERT_EQ(first.parts.size(), 2u);
  const ExplainedPart& part = first.parts[1];
  EXPECT_EQ(part.kind, Kind::kSegment);
  EXPECT_EQ(part.level, 0u);
  EXPECT_EQ(part.run_id, runs[0].id);
  EXPECT_TRUE(part.was_opened);
  EXPECT_TRUE(part.has_answered);
  EXPECT_EQ(part.filter, Filter::kMaybe);
  EXPECT_EQ(first.sequence, 4u);
  ASSERT_EQ(part.blocks.size(), 2u);
  EXPECT_EQ(part.blocks[0].kind, ExplainedBlock::Kind::kIndexPage);
  EXPECT_EQ(part.blocks[1].kind, ExplainedBlock::Kind::kData);
  EXPECT_NE(part.blocks[0].offset, part.blocks[1].offset);
  uint64_t bytes = 0;
  for (const ExplainedBlock& block : part.blocks) {
    EXPECT_TRUE(block.was_read);
    EXPECT_GT(block.bytes, 0u);
    bytes += block.bytes;
  }
  EXPECT_EQ(first.bytes_read, bytes);

  const Explanation again = Explain("m");
  ASSERT_EQ(again.parts[1].blocks.size(), 2u);
  for (const ExplainedBlock& block : again.parts[1].blocks) EXPECT_FALSE(block.was_read);
  EXPECT_FALSE(again.parts[1].was_opened);
  EXPECT_EQ(again.bytes_read, 0u);

  // Out of the range of the first level, found in the second.
  const Explanation deeper = Explain("z");
  ASSERT_EQ(deeper.parts.size(), 3u);
  EXPECT_EQ(deeper.parts[1].kind, Kind::kRun);
  EXPECT_EQ(deeper.parts[1].filter, Filter::kOutOfRange);
  EXPECT_EQ(deeper.parts[1].run_id, runs[0].id);
  EXPECT_EQ(deeper.parts[2].level, 1u);
  EXPECT_EQ(deeper.parts[2].run_id, runs[1].id);
  EXPECT_TRUE(deeper.parts[2].has_answered);
  EXPECT_EQ(deeper.sequence, 3u);
  EXPECT_NE(deeper.parts[2].number, part.number);
}

TEST_F(ExplainTest, AbsentByRangeAndByFilter) {
  Put("b", "1");
  Put("y", "2");
  Flush();
  const Explanation outside = Explain("a");
  EXPECT_EQ(outside.answer, Answer::kNothing);
  ASSERT_EQ(outside.parts.size(), 2u);
  EXPECT_EQ(outside.parts[1].filter, Filter::kOutOfRange);
  const Explanation inside = Explain("m");
  EXPECT_EQ(inside.answer, Answer::kNothing);
  ASSERT_EQ(inside.parts.size(), 2u);
  EXPECT_EQ(inside.parts[1].kind, Kind::kSegment);
  EXPECT_EQ(inside.parts[1].filter, Filter::kAbsent);
  ASSERT_EQ(inside.parts[1].blocks.size(), 1u);
  EXPECT_EQ(inside.parts[1].blocks[0].kind, ExplainedBlock::Kind::kIndexPage);
}

TEST_F(ExplainTest, TheFilterTakesAnotherKeyForThisOne) {
  WriteBatch batch;
  for (int i = 0; i < 20'000; ++i) batch.Put(Name(i), "v");
  ASSERT_OK(db_->Write(batch));
  Flush();
  // Of an absent key one in some 10,000 has the tag of a present one in its bucket: 20 are expected here.
  uint64_t seen = 0;
  for (int i = 0; i < 200'000 && seen == 0; ++i) {
    const Result<Explanation> got = db_->Explain(Name(i % 20'000) + std::to_string(i));
    ASSERT_OK(got);
    ASSERT_EQ(got->answer, Answer::kNothing);
    for (const ExplainedPart& part : got->parts) {
      seen += part.false_positives;
      ASSERT_EQ(part.false_positives > 0, part.filter == Filter::kMaybe);
    }
  }
  EXPECT_GT(seen, 0u);
}

TEST_F(ExplainTest, TheValueLogHoldsTheValue) {
  Put("a", Large('a'));
  Flush();
  Reopen();
  const Explanation first = Explain("a");
  ASSERT_TRUE(first.value_log.has_value());
  EXPECT_TRUE(first.value_log->was_read);
  EXPECT_GE(first.value_log->bytes, 10'001u);
  EXPECT_EQ(first.value_bytes, 10'000u);
  EXPECT_GE(first.bytes_read, first.value_log->bytes);
  const Explanation again = Explain("a");
  EXPECT_FALSE(again.value_log->was_read);
  EXPECT_EQ(again.value_log->file_number, first.value_log->file_number);
  EXPECT_EQ(again.bytes_read, 0u);
}

TEST_F(ExplainTest, TombstonesOfBothKinds) {
  Put("a", "1");
  Put("b", "1");
  // Merges keep for it what they would drop.
  const auto snapshot = db_->GetSnapshot();
  Flush();
  ASSERT_OK(db_->Delete("a"));
  ASSERT_OK(db_->DeleteRange("b", "c"));
  for (int round = 0; round < 2; ++round) {
    const Explanation deleted = Explain("a");
    EXPECT_EQ(deleted.answer, Answer::kTombstone);
    EXPECT_EQ(deleted.sequence, 3u);
    EXPECT_EQ(deleted.range_tombstone_sequence, 0u);
    EXPECT_EQ(deleted.answering_part()->kind,
              round == 0 ? Kind::kActiveMemTable : Kind::kSegment);
    const Explanation covered = Explain("b");
    EXPECT_EQ(covered.answer, Answer::kRangeTombstone);
    EXPECT_LE(covered.sequence, 2u);
    EXPECT_EQ(covered.range_tombstone_sequence, 4u);
    Flush();
  }
  Put("b", "2");
  EXPECT_EQ(Explain("b").answer, Answer::kValue);
  EXPECT_EQ(Explain("b").range_tombstone_sequence, 0u);
}

TEST_F(ExplainTest, DeadlinesAndExpiredKeys) {
  const uint64_t now = env_.sim_clock()->WallMillis();
  ASSERT_OK(db_->Put("a", "1", {.ttl = 1000ms}));
  ASSERT_OK(db_->Put("b", Large('b'), {.ttl = 1000ms}));
  for (const std::string_view key : {"a", "b"}) {
    const Explanation got = Explain(key);
    EXPECT_EQ(got.answer, Answer::kValue);
    EXPECT_EQ(got.expire_at_millis, now + 1000);
  }
  env_.sim_clock()->Advance(1'000'000'000);
  for (const std::string_view key : {"a", "b"}) {
    const Explanation got = Explain(key);
    EXPECT_EQ(got.answer, Answer::kExpired);
    EXPECT_EQ(got.expire_at_millis, now + 1000);
    EXPECT_FALSE(got.value_log.has_value());
  }
  Put("a", "2");
  EXPECT_EQ(Explain("a").expire_at_millis, 0u);
}

TEST_F(ExplainTest, SnapshotsSeeTheirState) {
  Put("a", "1");
  const auto snapshot = db_->GetSnapshot();
  Put("a", "22");
  Put("b", "1");
  const Explanation old = Explain("a", {.snapshot = snapshot.get()});
  EXPECT_EQ(old.sequence, 1u);
  EXPECT_EQ(old.read_sequence, 1u);
  EXPECT_EQ(old.value_bytes, 1u);
  EXPECT_EQ(Explain("b", {.snapshot = snapshot.get()}).answer, Answer::kNothing);
  EXPECT_EQ(Explain("a").sequence, 2u);
}

TEST_F(ExplainTest, NamespacesAreApart) {
  auto space = db_->OpenNamespace("users");
  ASSERT_OK(space);
  ASSERT_OK((*space)->Put("a", "in a namespace"));
  Put("\xff odd", "default");
  EXPECT_EQ(Explain(space->get(), "a").answer, Answer::kValue);
  EXPECT_EQ(Explain("a").answer, Answer::kNothing);
  EXPECT_EQ(Explain("\xff odd").answer, Answer::kValue);
  ASSERT_OK((*space)->Clear());
  EXPECT_EQ(Explain(space->get(), "a").answer, Answer::kRangeTombstone);
  ASSERT_OK(db_->DropNamespace("users"));
  EXPECT_TRUE((*space)->Explain("a").status().IsNotFound());
}

TEST_F(ExplainTest, ErrorsAreThoseOfGet) {
  Put("a", "1");
  Flush();
  Reopen();
  env_.FailCall(1, Fault::kEio, FaultSpan::kForever, {.kinds = {CallKind::kRead}, .path_contains = ".seg"});
  EXPECT_EQ(db_->Explain("a").status().code(), StatusCode::kIoError);
  EXPECT_EQ(db_->Get("a").status().code(), StatusCode::kIoError);
  env_.ClearFaults();
  EXPECT_OK(db_->Explain("a"));
}

TEST_F(ExplainTest, TimeIsThatOfTheClockAndStatisticsStay) {
  Put("a", "1");
  Flush();
  Reopen();
  constexpr uint64_t kReadNanos = 1'234;
  env_.SetCallHook([&](const CallInfo& call) {
    if (call.kind == CallKind::kRead && call.path.ends_with(".seg")) env_.sim_clock()->Advance(kReadNanos);
  });
  const Result<Explanation> cold = db_->Explain("a");
  ASSERT_OK(cold);
  EXPECT_GE(cold->nanos, 2 * kReadNanos);  // an index page and a block
  EXPECT_EQ(cold->nanos % kReadNanos, 0u);
  const Result<Explanation> warm = db_->Explain("a");
  ASSERT_OK(warm);
  EXPECT_EQ(warm->nanos, 0u);
  env_.SetCallHook(nullptr);
  EXPECT_EQ(db_->Stats().operation(Operation::kGetHit).count, 0u);
}

// Sequence numbers tell which write a value is of, unless a merge has forgotten them.
TEST_F(ExplainTest, AgreesWithGetOverARandomHistory) {
  const size_t steps = test::Scaled(4000);
  constexpr uint64_t kKeys = 300;
  Random random(11);
  std::map<std::string, uint64_t> put_at;  // the sequence of the last put
  std::unique_ptr<Snapshot> snapshot;
  const auto random_key = [&] { return Name(static_cast<int>(random.Uniform(kKeys))); };
  const auto put = [&](const std::string& key, const std::string& value, const WriteOptions& options) {
    ASSERT_OK(db_->Put(key, value, options));
    put_at[key] = db_->Stats().last_sequence;
  };
  const auto check = [&](const std::string& key) {
    const Explanation got = Explain(key);
    if (got.found() && got.sequence != kOldestSequence) {
      EXPECT_EQ(got.sequence, put_at[key]);
    }
    for (const ExplainedPart& part : got.parts) {
      EXPECT_EQ(part.has_answered, &part == got.answering_part());
    }
    return got;
  };
  for (size_t step = 0; step < steps && !HasFailure(); ++step) {
    if (random.Uniform(20) == 0) env_.sim_clock()->Advance(random.Uniform(20) * 1'000'000);
    if (random.Uniform(300) == 0) Flush();
    if (random.Uniform(800) == 0) snapshot = db_->GetSnapshot();
    if (random.Uniform(1500) == 0) {
      ASSERT_OK(db_->Compact());
    }
    const std::string key = random_key();
    switch (random.Uniform(12)) {
      case 0:
        ASSERT_OK(db_->Delete(key));
        break;
      case 1:
        ASSERT_OK(db_->DeleteRange(key, random_key()));
        break;
      case 2:
        put(key, "short", {.ttl = std::chrono::milliseconds(1 + random.Uniform(50))});
        break;
      case 3:
        put(key, std::string(4096 + random.Uniform(3), 'l'), {});
        break;
      default:
        put(key, std::string(random.Uniform(200), 'v'), {});
        break;
    }
    const Explanation written = check(key);
    if (written.found() && written.sequence == written.read_sequence) {
      EXPECT_EQ(written.answering_part()->kind, Kind::kActiveMemTable);
    }
    check(random_key());
    if (snapshot != nullptr) {
      const Explanation old = Explain(random_key(), {.snapshot = snapshot.get()});
      EXPECT_LE(old.sequence, snapshot->sequence());
      EXPECT_EQ(old.read_sequence, snapshot->sequence());
    }
  }
}

}  // namespace explain_test
}  // namespace varve
