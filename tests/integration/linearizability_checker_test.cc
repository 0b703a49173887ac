// The linearizability checker can say yes and no: recorded histories with known verdicts, small
// ones whose verdict is plain, and good ones that were made wrong by one answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "base/random.h"
#include "tests/support/linearizability.h"
#include "tests/support/porcupine_history.h"
#include "tests/support/status_matchers.h"

namespace varve::test {
namespace {

// Collects a history in a few words: times are given by hand.
class HistoryOf {
 public:
  HistoryOf& Put(uint64_t call, uint64_t ret, const std::string& value) {
    return Add(OperationKind::kPut, call, ret, [&](Operation& op) { op.argument = value; });
  }
  HistoryOf& UnknownPut(uint64_t call, const std::string& value) {
    return Add(OperationKind::kPut, call, Operation::kNever, [&](Operation& op) {
      op.argument = value;
      op.outcome = Outcome::kUnknown;
    });
  }
  HistoryOf& Delete(uint64_t call, uint64_t ret) {
    return Add(OperationKind::kDelete, call, ret, [](Operation&) {});
  }
  HistoryOf& Get(uint64_t call, uint64_t ret, KeyState seen) {
    return Add(OperationKind::kGet, call, ret, [&](Operation& op) { op.observed = seen; });
  }
  HistoryOf& Cas(uint64_t call, uint64_t ret, KeyState expected, KeyState desired, Outcome how) {
    return Add(OperationKind::kCompareAndSet, call, ret, [&](Operation& op) {
      op.expected = expected;
      op.argument = desired;
      op.outcome = how;
    });
  }
  Verdict Check() const { return CheckLinearizability(history_).verdict; }

 private:
  template <typename Fill>
  HistoryOf& Add(OperationKind kind, uint64_t call, uint64_t ret, Fill fill) {
    Operation operation;
    operation.client = static_cast<int>(history_.size());
    operation.kind = kind;
    operation.key = "k";
    operation.call_time = call;
    operation.return_time = ret;
    fill(operation);
    history_.push_back(std::move(operation));
    return *this;
  }

  std::vector<Operation> history_;
};

TEST(LinearizabilityCheckerTest, EmptyHistoryIsLinearizable) {
  EXPECT_EQ(HistoryOf().Check(), Verdict::kLinearizable);
}

TEST(LinearizabilityCheckerTest, ReadMustSeeAWriteThatReturnedBefore) {
  EXPECT_EQ(HistoryOf().Put(1, 2, "a").Get(3, 4, "a").Check(), Verdict::kLinearizable);
  EXPECT_EQ(HistoryOf().Put(1, 2, "a").Get(3, 4, std::nullopt).Check(), Verdict::kNotLinearizable);
}

TEST(LinearizabilityCheckerTest, OverlappingReadMaySeeEither) {
  EXPECT_EQ(HistoryOf().Put(1, 5, "a").Get(2, 3, "a").Check(), Verdict::kLinearizable);
  EXPECT_EQ(HistoryOf().Put(1, 5, "a").Get(2, 3, std::nullopt).Check(), Verdict::kLinearizable);
}

TEST(LinearizabilityCheckerTest, ValueOnceSeenIsNotUnseen) {
  EXPECT_EQ(HistoryOf().Put(1, 9, "a").Get(2, 3, "a").Get(4, 5, std::nullopt).Check(),
            Verdict::kNotLinearizable);
}

TEST(LinearizabilityCheckerTest, UnknownWriteMayTakeEffectLateOrNever) {
  HistoryOf late;
  late.UnknownPut(1, "a").Get(2, 3, std::nullopt).Get(4, 5, "a");
  EXPECT_EQ(late.Check(), Verdict::kLinearizable);
  EXPECT_EQ(HistoryOf().UnknownPut(1, "a").Get(2, 3, std::nullopt).Check(), Verdict::kLinearizable);
  HistoryOf undone;
  undone.UnknownPut(1, "a").Get(2, 3, "a").Get(4, 5, std::nullopt);
  EXPECT_EQ(undone.Check(), Verdict::kNotLinearizable);
  EXPECT_EQ(HistoryOf().Get(1, 2, "a").UnknownPut(3, "a").Check(), Verdict::kNotLinearizable);
}

TEST(LinearizabilityCheckerTest, DeletedValueDoesNotComeBack) {
  EXPECT_EQ(HistoryOf().Put(1, 2, "a").Delete(3, 4).Get(5, 6, "a").Check(),
            Verdict::kNotLinearizable);
}

TEST(LinearizabilityCheckerTest, DeleteThatFitsEarlyMayBeNeededLate) {
  HistoryOf history;
  history.Delete(1, 9).Put(2, 3, "a").Get(4, 5, "a").Get(6, 7, std::nullopt);
  EXPECT_EQ(history.Check(), Verdict::kLinearizable);
}

TEST(LinearizabilityCheckerTest, OnlyOneOfTwoCompareAndSetsWins) {
  HistoryOf both;
  both.Cas(1, 5, std::nullopt, "a", Outcome::kOk).Cas(2, 6, std::nullopt, "b", Outcome::kOk);
  EXPECT_EQ(both.Check(), Verdict::kNotLinearizable);
  HistoryOf one;
  one.Cas(1, 5, std::nullopt, "a", Outcome::kOk).Cas(2, 6, std::nullopt, "b", Outcome::kConflict);
  EXPECT_EQ(one.Check(), Verdict::kLinearizable);
  EXPECT_EQ(HistoryOf().Cas(1, 2, std::nullopt, "a", Outcome::kConflict).Check(),
            Verdict::kNotLinearizable);
}

TEST(LinearizabilityCheckerTest, SearchStopsAtTheTimeLimit) {
  // Writes that all overlap and a read of what nobody wrote: every order must be tried.
  std::vector<Operation> history;
  for (int i = 0; i < 40; i++) {
    Operation put;
    put.client = i;
    put.kind = OperationKind::kAppend;
    put.argument = std::string(1, static_cast<char>('a' + i));
    put.call_time = 1;
    put.return_time = 100;
    history.push_back(put);
  }
  Operation get;
  get.observed = "nobody";
  get.call_time = 101;
  get.return_time = 102;
  history.push_back(get);
  CheckOptions options;
  options.time_limit_ms = 50;
  EXPECT_EQ(CheckLinearizability(history, options).verdict, Verdict::kOutOfTime);
}

class KnownHistoriesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = PorcupineFolder();
    if (folder_.empty()) {
      GTEST_SKIP() << "NOT TESTED: the recorded histories (shared/testdata/porcupine beside the "
                      "checkout) are absent, so the linearizability checker is not validated";
    }
    auto known = ReadVerdicts(folder_);
    ASSERT_OK(known);
    known_ = *std::move(known);
  }

  std::string folder_;
  std::vector<KnownHistory> known_;
};

TEST_F(KnownHistoriesTest, EveryVerdictIsReproduced) {
  size_t good = 0;
  for (const KnownHistory& known : known_) {
    const auto history = ReadHistory(folder_, known.name);
    ASSERT_OK(history);
    ASSERT_FALSE(history->empty()) << known.name;
    const CheckResult result = CheckLinearizability(*history, OptionsFor(known.name));
    EXPECT_EQ(result.verdict,
              known.is_linearizable ? Verdict::kLinearizable : Verdict::kNotLinearizable)
        << known.name << " key " << result.key << "\n"
        << result.explanation;
    good += known.is_linearizable ? 1 : 0;
  }
  // Both answers were asked for.
  EXPECT_GT(good, 0u);
  EXPECT_LT(good, known_.size());
}

TEST_F(KnownHistoriesTest, GoodHistoryWithAReadOfAnImpossibleValueFails) {
  for (const KnownHistory& known : known_) {
    if (!known.is_linearizable) continue;
    auto history = ReadHistory(folder_, known.name);
    ASSERT_OK(history);
    const auto is_answered_get = [](const Operation& operation) {
      return operation.kind == OperationKind::kGet && operation.outcome == Outcome::kOk;
    };
    const auto read = std::find_if(history->rbegin(), history->rend(), is_answered_get);
    ASSERT_NE(read, history->rend()) << known.name;
    read->observed = "nobody wrote this";
    EXPECT_EQ(CheckLinearizability(*history, OptionsFor(known.name)).verdict,
              Verdict::kNotLinearizable)
        << known.name;
  }
}

TEST_F(KnownHistoriesTest, AppendSeenOnceAndMissedLaterFails) {
  // Cut the last append off what the last get of a key saw, although an earlier get saw it.
  size_t mutated = 0;
  for (const KnownHistory& known : known_) {
    if (!known.is_linearizable || !known.name.starts_with("kv/")) continue;
    auto history = ReadHistory(folder_, known.name);
    ASSERT_OK(history);
    for (Operation& late : *history) {
      if (late.kind != OperationKind::kGet || !late.observed.has_value()) continue;
      const bool seen_before =
          std::any_of(history->begin(), history->end(), [&](const Operation& early) {
            return early.kind == OperationKind::kGet && early.key == late.key &&
                   early.return_time < late.call_time && early.observed == late.observed &&
                   early.observed != "";
          });
      if (!seen_before) continue;
      late.observed->pop_back();
      mutated++;
      EXPECT_EQ(CheckLinearizability(*history, OptionsFor(known.name)).verdict,
                Verdict::kNotLinearizable)
          << known.name << " " << late.ToString();
      break;
    }
  }
  EXPECT_GT(mutated, 0u);
}

}  // namespace
}  // namespace varve::test
