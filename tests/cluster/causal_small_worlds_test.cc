// Every interleaving of a few events in small worlds, without gaps: breadth first, worlds that are the same
// followed once.
#include <gtest/gtest.h>

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "tests/cluster/causal_world.h"
#include "tests/support/workload.h"

namespace varve::cluster::test {
namespace causal_small_worlds_test {

std::vector<Step> Alphabet(const CausalWorld::Shape& shape) {
  std::vector<Step> steps;
  for (uint8_t replica = 0; replica < shape.replicas; ++replica) {
    for (uint8_t key = 0; key < shape.keys; ++key) {
      for (const Step::Kind kind : {Step::kGet, Step::kPut, Step::kBlindPut, Step::kDelete}) {
        steps.push_back({kind, replica, key, 0, 0});
      }
      for (uint8_t other = 0; other < shape.replicas; ++other) {
        if (other != replica) steps.push_back({Step::kSync, replica, key, 0, other});
      }
    }
  }
  steps.push_back({Step::kFloor, 0, 0, 0, 0});
  return steps;
}

struct Node {
  CausalWorld world;
  std::vector<Step> story;
};

// Worlds looked at, or 0 when one was wrong.
size_t Explore(const CausalWorld::Shape& shape, int depth) {
  const std::vector<Step> alphabet = Alphabet(shape);
  std::unordered_set<uint64_t> seen;
  std::vector<Node> level;
  level.push_back({CausalWorld(shape), {}});
  for (int d = 0; d < depth; ++d) {
    std::vector<Node> next;
    for (const Node& node : level) {
      for (const Step& step : alphabet) {
        CausalWorld world = node.world;
        std::string wrong = world.Do(step);
        if (!seen.insert(Hash64(world.Fingerprint())).second) continue;
        if (wrong.empty()) wrong = world.Check();
        CausalWorld end = world;
        if (wrong.empty()) wrong = end.Converge();
        if (wrong.empty()) wrong = end.Check();
        std::vector<Step> story = node.story;
        story.push_back(step);
        if (!wrong.empty()) {
          for (const Step& s : story) wrong.insert(0, ToString(s) + "\n");
          ADD_FAILURE() << "the latest event first:\n" << wrong;
          return 0;
        }
        if (d + 1 < depth) next.push_back({std::move(world), std::move(story)});
      }
    }
    level = std::move(next);
  }
  return seen.size();
}

// A step further for each factor of four in VARVE_TEST_SCALE: takes about thirty times as long.
int Deeper(int depth) {
  for (double scale = varve::test::TestScale(); scale >= 4; scale /= 4) ++depth;
  return depth;
}

TEST(CausalSmallWorldsTest, TwoReplicasOneKey) {
  for (const ConflictPolicy policy : {ConflictPolicy::kSiblings, ConflictPolicy::kLww}) {
    EXPECT_GT(Explore({.replicas = 2, .keys = 1, .clients = 1, .policy = policy}, Deeper(5)), 5000u);
  }
}

TEST(CausalSmallWorldsTest, TwoReplicasTwoKeys) {
  for (const ConflictPolicy policy : {ConflictPolicy::kSiblings, ConflictPolicy::kLww}) {
    EXPECT_GT(Explore({.replicas = 2, .keys = 2, .clients = 1, .policy = policy}, Deeper(4)), 5000u);
  }
}

TEST(CausalSmallWorldsTest, ThreeReplicasOneKey) {
  EXPECT_GT(Explore({.replicas = 3, .keys = 1, .clients = 1}, Deeper(4)), 5000u);
}

TEST(CausalSmallWorldsTest, ThreeReplicasTwoKeys) {
  EXPECT_GT(Explore({.replicas = 3, .keys = 2, .clients = 1}, Deeper(3)), 2000u);
}

}  // namespace causal_small_worlds_test
}  // namespace varve::cluster::test
