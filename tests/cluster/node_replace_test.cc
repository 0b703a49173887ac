// Nodes that are lost for good while copies move to them, and those that take their places.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/node_core.h"
#include "tests/cluster/node_world.h"

namespace varve::cluster::test {
namespace node_replace_test {

// What `varve cluster replace` commits, also for a member that never came up.
void Replace(NodeWorld* world, NodeId lost, NodeId joins) {
  world->Change([&](TopologyChange* change) {
    if (change->topology().Find(lost)->state == MemberState::kJoining) {
      ASSERT_TRUE(change->SetState(lost, MemberState::kUp).ok());
    }
    ASSERT_TRUE(change->SetState(lost, MemberState::kLeaving).ok());
    Member member;
    member.id = joins;
    ASSERT_TRUE(change->AddMember(member).ok());
    NodeWorld::Aim(change);
  });
}

// Five nodes hold 16 partitions in three copies; the sixth joins, and is lost at some moment; the seventh replaces it.
// `waited`: whether copies were on their way to the one that was lost, and would be for ever.
void LoseWhileItJoins(uint64_t seed, Nanos after, bool* waited) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", lost after " + std::to_string(after));
  NodeWorld world(seed, 7, 5, 4, 3, ConflictPolicy::kSiblings);
  ASSERT_TRUE(world.RunUntil([&] { return world.IsSettled(); }));
  for (int key = 0; key < 30; ++key) {
    ASSERT_EQ(world.PutNow(static_cast<size_t>(key) % 5, "key" + std::to_string(key), "v").outcome, Outcome::kOk);
  }
  world.Join(5);
  world.Run(after);
  world.Crash(5);
  world.Run(5 * kSeconds);
  *waited = !world.IsSettled();
  Replace(&world, world.nodes()[5].id, world.nodes()[6].id);
  ASSERT_TRUE(world.RunUntil([&] { return world.IsSettled(); }));
  EXPECT_EQ(world.topology().Find(world.nodes()[5].id)->state, MemberState::kRemoved);
  for (int key = 0; key < 30; ++key) {
    const Told get = world.GetNow(static_cast<size_t>(key) % 5, "key" + std::to_string(key), Level::kAll);
    ASSERT_EQ(get.outcome, Outcome::kOk) << key;
    EXPECT_EQ(get.values, std::vector<std::string>{"v"}) << key;
  }
  ASSERT_TRUE(world.RunUntil([&] { return world.AreReplicasEqual(); }));
}

TEST(NodeReplaceTest, OneThatIsLostWhileItJoinsIsReplaced) {
  size_t waited = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    bool has_waited = false;
    LoseWhileItJoins(seed, seed * 25 * kMilliseconds, &has_waited);
    waited += has_waited ? 1 : 0;
  }
  EXPECT_GE(waited, 4u);
  EXPECT_LT(waited, 12u) << "it was never lost when it had everything";
}

// One that is lost while it joins is given up: the target has nothing for it. The move to it is taken back, and it must not come
// up by that, as one that holds all that it shall: then it would be planned for again, and replaced once more.
TEST(NodeReplaceTest, OneThatIsGivenUpWhileItJoinsDoesNotComeUp) {
  NodeWorld world(1, 4, 3, 0, 3, ConflictPolicy::kSiblings);
  ASSERT_TRUE(world.RunUntil([&] { return world.IsSettled(); }));
  const Placement before = world.topology().target;
  world.Change([](TopologyChange* change) {
    Member member;
    member.id = NodeId{4};
    ASSERT_TRUE(change->AddMember(member).ok());
    Placement target = change->topology().target;
    target.SetReplicas(PartitionId{0}, std::vector<NodeId>{NodeId{1}, NodeId{2}, NodeId{4}});
    ASSERT_TRUE(change->SetTarget(target).ok());
  });
  ASSERT_TRUE(world.RunUntil([&] { return !world.topology().moves.empty() && world.topology().Find(NodeId{4})->actor != kNoActor; }));
  world.Crash(3);
  ASSERT_FALSE(world.topology().moves.empty()) << "it was filled before it was lost";
  world.Change([&before](TopologyChange* change) { ASSERT_TRUE(change->SetTarget(before).ok()); });
  ASSERT_TRUE(world.RunUntil([&] { return world.topology().moves.empty(); }));
  world.Run(5 * kSeconds);
  EXPECT_EQ(world.topology().Find(NodeId{4})->state, MemberState::kJoining);
  TopologyChange change(world.topology());
  EXPECT_TRUE(change.SetState(NodeId{4}, MemberState::kRemoved).ok());
}

}  // namespace node_replace_test
}  // namespace varve::cluster::test
