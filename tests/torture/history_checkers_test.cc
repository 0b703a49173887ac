// The checkers of sets, of keys that must not come back, and of causal registers: histories that can be, and for each
// way in which one cannot, one that shows it.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/workload.h"
#include "torture/causal.h"
#include "torture/resurrection.h"
#include "torture/set_history.h"

namespace varve::torture {
namespace history_checkers_test {

SetChange AddOf(const std::string& element, uint64_t call, uint64_t end) {
  return {.is_add = true, .element = element, .call_time = call, .return_time = end};
}
SetChange RemoveOf(const std::string& element, uint64_t call, uint64_t end) {
  return {.is_add = false, .element = element, .call_time = call, .return_time = end};
}
SetChange Unanswered(SetChange change, uint64_t latest) {
  change.is_answered = false;
  change.latest = latest;
  return change;
}

TEST(SetHistoryTest, WhatCanBe) {
  EXPECT_EQ(FindSetAnomaly({}, {{1, 2, {}}}), "");
  // While a change is under way either may be seen.
  EXPECT_EQ(FindSetAnomaly({AddOf("a", 10, 20)}, {{1, 5, {}}, {11, 12, {}}, {13, 14, {"a"}}, {21, 22, {"a"}}}), "");
  EXPECT_EQ(FindSetAnomaly({AddOf("a", 1, 2), RemoveOf("a", 10, 20)}, {{3, 4, {"a"}}, {11, 12, {"a"}}, {13, 14, {}}, {21, 22, {}}}), "");
  // Without an answer: at any time until it is over, or never.
  EXPECT_EQ(FindSetAnomaly({Unanswered(AddOf("a", 1, 0), 50)}, {{10, 11, {}}, {48, 52, {}}, {60, 61, {"a"}}}), "");
  EXPECT_EQ(FindSetAnomaly({Unanswered(AddOf("a", 1, 0), 50)}, {{60, 61, {}}, {70, 71, {}}}), "");
  EXPECT_EQ(FindSetAnomaly({AddOf("a", 1, 2), Unanswered(RemoveOf("a", 3, 0), 50)}, {{60, 61, {}}}), "");
  EXPECT_EQ(FindSetAnomaly({AddOf("a", 1, 2), Unanswered(RemoveOf("a", 3, 0), 50)}, {{60, 61, {"a"}}}), "");
}

TEST(SetHistoryTest, WhatCannot) {
  const auto says = [](const std::string& found, const char* what) { return found.find(what) != std::string::npos; };
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 1, 2)}, {{3, 4, {}}}), "is lost"));
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 1, 20)}, {{3, 4, {"a"}}, {5, 6, {}}}), "is lost"));
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 1, 2), RemoveOf("a", 10, 11)}, {{3, 4, {}}}), "is lost"));
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 1, 2), RemoveOf("a", 10, 11)}, {{12, 13, {"a"}}}), "has come back"));
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 1, 2), RemoveOf("a", 10, 30)}, {{12, 13, {}}, {14, 15, {"a"}}}), "has come back"));
  EXPECT_TRUE(says(FindSetAnomaly({Unanswered(AddOf("a", 1, 0), 50)}, {{60, 61, {}}, {70, 71, {"a"}}}), "has come back"));
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 1, 2), Unanswered(RemoveOf("a", 3, 0), 50)}, {{60, 61, {"a"}}, {70, 71, {}}}), "is lost"));
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 10, 20)}, {{1, 5, {"a"}}}), "before it was added"));
  EXPECT_TRUE(says(FindSetAnomaly({}, {{1, 5, {"a"}}}), "nobody added it"));
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 1, 2), AddOf("a", 3, 4)}, {}), "twice"));
  EXPECT_TRUE(says(FindSetAnomaly({RemoveOf("a", 3, 4)}, {}), "never added"));
  EXPECT_TRUE(says(FindSetAnomaly({AddOf("a", 1, 5), RemoveOf("a", 3, 6)}, {}), "before its add"));
}

// Operations by hand.
class Calls {
 public:
  Calls& Put(int client, const std::string& key, const std::string& value, uint64_t call, uint64_t end) {
    return Add({.client = client, .kind = OperationKind::kPut, .key = key, .argument = value}, call, end);
  }
  Calls& Delete(int client, const std::string& key, uint64_t call, uint64_t end) {
    return Add({.client = client, .kind = OperationKind::kDelete, .key = key}, call, end);
  }
  Calls& Get(int client, const std::string& key, KeyState seen, uint64_t call, uint64_t end) {
    return Add({.client = client, .kind = OperationKind::kGet, .key = key, .observed = std::move(seen)}, call, end);
  }
  Calls& WithoutAnswer() {
    all_.back().outcome = Outcome::kUnknown;
    return *this;
  }
  const std::vector<Operation>& all() const { return all_; }

 private:
  Calls& Add(Operation operation, uint64_t call, uint64_t end) {
    operation.call_time = call;
    operation.return_time = end;
    all_.push_back(std::move(operation));
    return *this;
  }
  std::vector<Operation> all_;
};

TEST(ResurrectionTest, WhatCanBe) {
  uint64_t checked = 0;
  EXPECT_EQ(FindResurrection(Calls()
                                 .Get(2, "k", std::nullopt, 1, 2)
                                 .Put(1, "k", "a", 10, 20)
                                 .Get(2, "k", std::nullopt, 11, 12)
                                 .Get(2, "k", "a", 13, 14)
                                 .Delete(1, "k", 30, 40)
                                 .Get(2, "k", "a", 31, 50)
                                 .Get(3, "k", std::nullopt, 41, 42)
                                 .Put(1, "k", "b", 60, 70)
                                 .Get(3, "k", "b", 71, 72)
                                 .all(),
                             &checked),
            "");
  EXPECT_EQ(checked, 6u);
  // A write without an answer, late or never.
  EXPECT_EQ(FindResurrection(Calls().Put(1, "k", "a", 1, 2).Put(1, "k", "b", 3, 4).WithoutAnswer().Get(2, "k", "a", 5, 6)
                                 .Get(2, "k", "b", 7, 8).all()), "");
  // Several writers: not judged.
  EXPECT_EQ(FindResurrection(Calls().Put(1, "k", "a", 1, 2).Put(2, "k", "b", 3, 4).Get(2, "k", "a", 5, 6).all(), &checked), "");
  EXPECT_EQ(checked, 0u);
}

TEST(ResurrectionTest, WhatCannot) {
  const auto says = [](const Calls& calls, const char* what) {
    return FindResurrection(calls.all()).find(what) != std::string::npos;
  };
  // After a delete, after another value, after what somebody has seen, after one that was not answered but seen.
  EXPECT_TRUE(says(Calls().Put(1, "k", "a", 1, 2).Delete(1, "k", 3, 4).Get(2, "k", "a", 5, 6), "came back"));
  EXPECT_TRUE(says(Calls().Put(1, "k", "a", 1, 2).Put(1, "k", "b", 3, 4).Get(2, "k", "a", 5, 6), "came back"));
  EXPECT_TRUE(says(Calls().Put(1, "k", "a", 1, 2).Put(1, "k", "b", 3, 9).Get(2, "k", "b", 4, 5).Get(3, "k", "a", 6, 7), "came back"));
  EXPECT_TRUE(says(Calls().Put(1, "k", "a", 1, 2).Put(1, "k", "b", 3, 4).WithoutAnswer().Get(2, "k", "b", 5, 6)
                       .Get(2, "k", "a", 7, 8), "came back"));
  EXPECT_TRUE(says(Calls().Put(1, "k", "a", 1, 2).Get(2, "k", std::nullopt, 5, 6), "lost"));
  EXPECT_TRUE(says(Calls().Put(1, "k", "a", 1, 2).Delete(1, "k", 3, 4).Put(1, "k", "b", 5, 6).Get(2, "k", std::nullopt, 7, 8), "lost"));
  EXPECT_TRUE(says(Calls().Get(2, "k", "a", 1, 2), "nobody wrote"));
  EXPECT_TRUE(says(Calls().Put(1, "k", "a", 5, 6).Get(2, "k", "a", 1, 2), "before it was written"));
}

TEST(CausalTest, WhatCanBe) {
  // Two who do not know of each other may see their writes in any order.
  EXPECT_EQ(FindCausalAnomaly(Calls().Put(1, "x", "1", 1, 2).Put(2, "x", "2", 1, 2).Get(3, "x", "1", 3, 4).Get(3, "x", "2", 5, 6)
                                  .Get(4, "x", "2", 3, 4).Get(4, "x", "1", 5, 6).all()), "");
  // Stale, but nothing of what was seen says otherwise.
  EXPECT_EQ(FindCausalAnomaly(Calls().Put(1, "x", "1", 1, 2).Put(1, "x", "2", 3, 4).Get(2, "x", "1", 9, 10)
                                  .Get(2, "y", std::nullopt, 11, 12).all()), "");
  // What nobody answered and nobody saw has not been.
  EXPECT_EQ(FindCausalAnomaly(Calls().Put(1, "x", "1", 1, 2).Put(1, "x", "2", 3, 4).WithoutAnswer().Get(1, "x", "1", 5, 6).all()), "");
}

TEST(CausalTest, WhatCannot) {
  const auto says = [](const Calls& calls, const char* what) {
    return FindCausalAnomaly(calls.all()).find(what) != std::string::npos;
  };
  // One's own write; what one has seen before; the cause of what one has seen, through another client.
  EXPECT_TRUE(says(Calls().Put(1, "x", "1", 1, 2).Get(1, "x", std::nullopt, 3, 4), "replaced"));
  EXPECT_TRUE(says(Calls().Put(1, "x", "1", 1, 2).Put(1, "x", "2", 3, 4).Get(2, "x", "2", 5, 6).Get(2, "x", "1", 7, 8), "replaced"));
  EXPECT_TRUE(says(Calls().Put(1, "x", "1", 1, 2).Put(1, "x", "2", 3, 4).Get(2, "x", "2", 5, 6).Put(2, "y", "3", 7, 8)
                       .Get(3, "y", "3", 9, 10).Get(3, "x", "1", 11, 12), "replaced"));
  EXPECT_TRUE(says(Calls().Put(1, "x", "1", 1, 2).Put(1, "y", "2", 3, 4).Get(2, "y", "2", 5, 6).Get(2, "x", std::nullopt, 7, 8), "replaced"));
  // An effect before its cause.
  EXPECT_TRUE(says(Calls().Get(1, "x", "1", 1, 2).Put(1, "y", "2", 3, 4).Get(2, "y", "2", 1, 2).Put(2, "x", "1", 3, 4), "before itself"));
  EXPECT_TRUE(says(Calls().Get(1, "x", "1", 1, 2), "nobody wrote"));
  EXPECT_TRUE(says(Calls().Put(1, "x", "1", 1, 2).Put(2, "x", "1", 3, 4), "twice"));
}

// Clients of one map see a history without an anomaly; with one read made older, all checkers that know of it say no.
TEST(HistoryCheckersTest, RandomHistoriesOfAMapAndWithOneOldRead) {
  for (uint64_t seed = 1; seed <= test::Scaled(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    std::map<std::string, std::string> map;
    Calls calls;
    uint64_t now = 0;
    for (int i = 0; i < 60; ++i) {
      const int client = static_cast<int>(random.Uniform(3));
      const uint64_t call = ++now;
      if (random.OneIn(2)) {
        const std::string own = "k" + std::to_string(client);
        map[own] = std::to_string(i);
        calls.Put(client, own, map[own], call, ++now);
      } else {
        const std::string key = "k" + std::to_string(random.Uniform(3));
        calls.Get(client, key, map.contains(key) ? KeyState(map[key]) : std::nullopt, call, ++now);
      }
    }
    EXPECT_EQ(FindResurrection(calls.all()), "");
    EXPECT_EQ(FindCausalAnomaly(calls.all()), "");
    calls.Put(0, "k0", "old", now + 1, now + 2).Put(0, "k0", "new", now + 3, now + 4).Get(1, "k0", "new", now + 5, now + 6);
    calls.Get(1, "k0", "old", now + 7, now + 8);
    EXPECT_NE(FindResurrection(calls.all()), "");
    EXPECT_NE(FindCausalAnomaly(calls.all()), "");
  }
}

}  // namespace history_checkers_test
}  // namespace varve::torture
