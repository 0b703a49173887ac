// The laws of the causal kernel, against causal histories that are spelt out: random worlds. A failure names
// its seed (VARVE_TEST_SEED=<seed> runs that one alone) and the shortest story found.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/cluster/causal_world.h"
#include "tests/support/workload.h"

namespace varve::cluster::test {
namespace causal_laws_test {

std::vector<Step> RandomSteps(Random* random, size_t count) {
  std::vector<Step> steps(count);
  // Losing everything and floors are rare, reads and writes frequent.
  static constexpr Step::Kind kFrequent[] = {Step::kGet, Step::kPut, Step::kPut, Step::kBlindPut,
                                             Step::kDelete, Step::kSync, Step::kSync, Step::kSend,
                                             Step::kDeliver};
  for (Step& step : steps) {
    step.kind = random->OneIn(12) ? static_cast<Step::Kind>(random->Uniform(Step::kKinds))
                                  : kFrequent[random->Uniform(std::size(kFrequent))];
    step.replica = static_cast<uint8_t>(random->Uniform(5));
    step.key = static_cast<uint8_t>(random->Uniform(3));
    step.client = static_cast<uint8_t>(random->Uniform(4));
    step.other = static_cast<uint8_t>(random->Next());
  }
  return steps;
}

// Leaves out steps as long as something is wrong without them.
std::string Shrunk(const CausalWorld::Shape& shape, std::vector<Step> steps) {
  for (bool shorter = true; shorter;) {
    shorter = false;
    for (size_t i = steps.size(); i-- > 0;) {
      std::vector<Step> without = steps;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
      if (RunSteps(shape, without).empty()) continue;
      steps = std::move(without);
      shorter = true;
    }
  }
  return RunSteps(shape, steps);
}

bool RunSeed(uint64_t seed, ConflictPolicy policy) {
  Random random(seed);
  const CausalWorld::Shape shape{.replicas = 2 + static_cast<int>(random.Uniform(4)),
                                 .keys = 1 + static_cast<int>(random.Uniform(3)),
                                 .clients = 1 + static_cast<int>(random.Uniform(4)),
                                 .policy = policy};
  const std::vector<Step> steps = RandomSteps(&random, 10 + random.Uniform(70));
  if (RunSteps(shape, steps).empty()) return true;
  ADD_FAILURE() << "VARVE_TEST_SEED=" << seed << ", " << shape.replicas << " replicas\n"
                << Shrunk(shape, steps);
  return false;
}

void RunCampaign(ConflictPolicy policy) {
  if (const char* seed = std::getenv("VARVE_TEST_SEED")) {
    RunSeed(std::strtoull(seed, nullptr, 10), policy);
    return;
  }
  for (uint64_t seed = 0; seed < varve::test::Scaled(400); ++seed) {
    if (!RunSeed(seed, policy)) return;
  }
}

TEST(CausalLawsTest, SiblingsAgreeWithCausalHistories) { RunCampaign(ConflictPolicy::kSiblings); }
TEST(CausalLawsTest, LwwAgreesWithCausalHistories) { RunCampaign(ConflictPolicy::kLww); }

// Any three states of a world, also of different moments.
TEST(CausalLawsTest, MergeIsAJoin) {
  for (const ConflictPolicy policy : {ConflictPolicy::kSiblings, ConflictPolicy::kLww}) {
    for (uint64_t seed = 0; seed < varve::test::Scaled(100); ++seed) {
      Random random(seed);
      CausalWorld world({.replicas = 4, .keys = 1, .clients = 3, .policy = policy});
      std::vector<KeyState> states;
      for (Step step : RandomSteps(&random, 30)) {
        if (step.kind == Step::kFloor) continue;  // for floors, see the campaigns
        ASSERT_EQ(world.Do(step), "");
        states.push_back(world.StateOf(step.replica % 4, 0));
      }
      for (int i = 0; i < 40; ++i) {
        const KeyState& a = states[random.Uniform(states.size())];
        const KeyState& b = states[random.Uniform(states.size())];
        const KeyState& c = states[random.Uniform(states.size())];
        const auto merged = [policy](KeyState x, const KeyState& y) {
          x.Merge(y, policy);
          return x;
        };
        ASSERT_EQ(merged(a, a), a) << "seed " << seed;
        ASSERT_EQ(merged(a, b), merged(b, a)) << "seed " << seed;
        ASSERT_EQ(merged(merged(a, b), c), merged(a, merged(b, c))) << "seed " << seed;
        ASSERT_EQ(merged(merged(a, b), b), merged(a, b)) << "seed " << seed;
        // The context alone determines the state: what anti-entropy and linear reads rely on.
        ASSERT_TRUE(a.context() != b.context() || a == b) << "seed " << seed;
      }
    }
  }
}

}  // namespace causal_laws_test
}  // namespace varve::cluster::test
