// Namespaces in a small world of whole nodes.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cluster/key_namespace.h"
#include "tests/cluster/node_world.h"

namespace varve::cluster::test {
namespace node_namespace_test {

using Values = std::vector<std::string>;

std::string Name(int key) { return "key" + std::to_string(key); }

// Under faults and a move, and whatever is merged by whom: each key by the policy of its namespace.
TEST(NodeNamespaceTest, KeysFollowThePoliciesOfTheirNamespaces) {
  // Five nodes hold 16 partitions in three copies; a sixth joins.
  NodeWorld world(1, 6, 5, 4, 3, ConflictPolicy::kSiblings);
  ASSERT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }));
  const auto name = [](const std::string& space, ConflictPolicy policy, int key) {
    return ReplicaKey("@" + space + "/" + Name(key), policy);
  };
  constexpr int kKeys = 10;
  for (int key = 0; key < kKeys; ++key) {
    std::vector<size_t> puts;
    for (const auto& [first, second] : {std::pair<size_t, size_t>{0, 3}, {4, 1}}) {
      // Neither knows of the other.
      puts.push_back(world.Put(first, name("both", ConflictPolicy::kSiblings, key), "a"));
      puts.push_back(world.Put(second, name("both", ConflictPolicy::kSiblings, key), "b"));
      puts.push_back(world.Put(second, name("last", ConflictPolicy::kLww, key), "a"));
      puts.push_back(world.Put(first, name("last", ConflictPolicy::kLww, key), "b"));
    }
    for (const size_t put : puts) ASSERT_EQ(world.Await(put).outcome, Outcome::kOk) << key;
    world.Crash(2);
    ASSERT_EQ(world.PutNow(0, Name(key), "mine").outcome, Outcome::kOk);
    world.Boot(2);
  }
  world.Join(5);
  ASSERT_TRUE(world.RunUntil([&world] { return world.IsSettled() && world.AreReplicasEqual(); }));
  for (int key = 0; key < kKeys; ++key) {
    for (size_t node = 0; node < 6; ++node) {
      const Told both = world.GetNow(node, name("both", ConflictPolicy::kSiblings, key));
      EXPECT_EQ(both.values.size(), 4u) << key;
      EXPECT_EQ(world.GetNow(node, name("last", ConflictPolicy::kLww, key)).values.size(), 1u) << key;
      EXPECT_EQ(world.GetNow(node, name("both", ConflictPolicy::kLww, key)).values, Values{}) << key;
      EXPECT_EQ(world.GetNow(node, Name(key)).values, Values{"mine"}) << key;
      EXPECT_EQ(world.GetNow(node, "@both/" + Name(key + kKeys) + "=").values, Values{}) << key;
    }
  }
}

// A namespace comes to be in which one replica suffices for writes: from then on moves ask all of the present ones.
TEST(NodeNamespaceTest, MovesUnderWayGoByRulesThatBecomeStricter) {
  for (const bool is_stricter : {false, true}) {
    NodeWorld world(7, 4, 3, 2, 3, ConflictPolicy::kSiblings);
    ASSERT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }));
    world.Isolate(0);
    world.Join(3);
    world.Leave(0);
    ASSERT_TRUE(world.RunUntil([&world] { return !world.topology().moves.empty(); }));
    for (size_t node = 0; is_stricter && node < 4; ++node) world.core(node).SetRules({0, 1});
    world.Run(60 * kSeconds);
    EXPECT_EQ(world.topology().IsUsed(NodeId{1}), is_stricter);
    world.HealAll();
    EXPECT_TRUE(world.RunUntil([&world] { return world.IsSettled() && !world.topology().IsUsed(NodeId{1}); }));
  }
}

}  // namespace node_namespace_test
}  // namespace varve::cluster::test
