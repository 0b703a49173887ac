// Moves among whole nodes: who is filled, and who comes back.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/fill_pace.h"
#include "cluster/key_state.h"
#include "cluster/node_core.h"
#include "tests/cluster/node_world.h"

namespace varve::cluster::test {
namespace node_core_move_test {

std::string Name(int key) { return "key" + std::to_string(key); }

// Messages are lost and exchanges fail for it: what counts are those that end well. Nothing else fills what is missing.
TEST(NodeCoreMoveTest, FailedExchangesFillNothing) {
  NodeOptions options = NodeWorld::QuickOptions();
  options.exchange_period = options.floor_period = 100'000 * kSeconds;
  options.exchange_patience = 200 * kMilliseconds;
  NodeWorld world(5, 4, 3, 2, 3, ConflictPolicy::kSiblings, options);
  ASSERT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }));
  for (int key = 0; key < 200; ++key) ASSERT_EQ(world.PutNow(0, Name(key), "v", {}, Level::kAll).outcome, Outcome::kOk);
  world.set_faults({.loss = 0.05});
  world.Join(3);
  ASSERT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }, 2'000 * kSeconds));
  EXPECT_GT(world.core(3).status().exchanges_failed, 0u);
  for (int key = 0; key < 200; ++key) {
    const PartitionId partition = world.core(0).PartitionOf(Name(key));
    if (!world.topology().placement.IsReplica(partition, NodeId{4})) continue;
    EXPECT_TRUE(world.nodes()[3].disk.keys[partition].contains(Name(key))) << key;
  }
}

// How long 200 keys take to a node that joins, and how many of them it gets.
std::pair<Nanos, size_t> TimeToFill(uint64_t bytes_per_second) {
  NodeOptions options = NodeWorld::QuickOptions();
  options.exchange_period = options.floor_period = 100'000 * kSeconds;
  options.fill_bytes_per_second = bytes_per_second;
  NodeWorld world(5, 4, 3, 2, 3, ConflictPolicy::kSiblings, options);
  EXPECT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }));
  for (int key = 0; key < 200; ++key) EXPECT_EQ(world.PutNow(0, Name(key), "v", {}, Level::kAll).outcome, Outcome::kOk);
  world.Join(3);
  const Nanos begun = world.now();
  EXPECT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }, 2'000 * kSeconds));
  return {world.now() - begun, world.StoredKeys(3)};
}

TEST(NodeCoreMoveTest, FillsGoNoFasterThanTheyMay) {
  constexpr uint64_t kMost = 3200;
  const auto [quick, keys] = TimeToFill(0);
  ASSERT_GT(keys, 100u);
  const Nanos least = keys * FillPace::kBytesOfAKey * kSeconds / kMost;
  EXPECT_LT(quick, least / 2);
  EXPECT_GE(TimeToFill(kMost).first, least * 9 / 10);
}

// A replica had made a write that no other one had, and left before it told anybody. When it is back it does not have that write:
// then nothing that it makes may say that it is known, or a copy of it that turns up would be taken for overwritten.
TEST(NodeCoreMoveTest, WhoComesBackMakesDotsAsAnother) {
  NodeOptions options = NodeWorld::QuickOptions();
  options.exchange_period = options.floor_period = 100'000 * kSeconds;
  NodeWorld world(7, 4, 4, 0, 3, ConflictPolicy::kSiblings, options);
  const auto is_settled = [&world] { return world.IsSettled(); };
  const auto lie_on = [&world](std::vector<NodeId> nodes) {
    world.Change([&nodes](TopologyChange* change) {
      Placement target = change->topology().target;
      target.SetReplicas(PartitionId{0}, nodes);
      ASSERT_TRUE(change->SetTarget(target).ok());
    });
  };
  lie_on({NodeId{1}, NodeId{2}, NodeId{3}});
  ASSERT_TRUE(world.RunUntil(is_settled));
  const Told first = world.PutNow(1, "key", "v");
  ASSERT_EQ(first.outcome, Outcome::kOk);
  const ActorId actor = world.core(1).status().actor;

  world.Isolate(1);
  world.Put(1, "key", "lost", first.seen);
  const std::map<std::string, std::string>& stored = world.nodes()[1].disk.keys[PartitionId{0}];
  const std::string before = stored.at("key");
  while (stored.at("key") == before) world.Step();
  const auto lost = KeyState::Decode(stored.at("key"));
  ASSERT_TRUE(lost.ok());
  world.Crash(1);
  world.HealAll();
  lie_on({NodeId{1}, NodeId{3}, NodeId{4}});
  ASSERT_TRUE(world.RunUntil([&world] { return world.topology().placement == world.topology().target; }));
  world.Boot(1);
  ASSERT_TRUE(world.RunUntil([&] { return world.IsSettled() && world.StoredKeys(1) == 0; }));
  lie_on({NodeId{1}, NodeId{2}, NodeId{3}});
  ASSERT_TRUE(world.RunUntil(is_settled));

  EXPECT_GT(world.core(1).status().actor, actor);
  ASSERT_EQ(world.PutNow(1, "key", "w").outcome, Outcome::kOk);
  const Told get = world.GetNow(1, "key", Level::kAll);
  EXPECT_EQ(get.values.size(), 2u) << "v, which only the lost write has overwritten, and w";
  EXPECT_FALSE(get.seen.context.Covers(lost->siblings().at(0).dot));
}

// A write at level one lies on node 2 alone, and nothing but a move may carry it on.
class LeaverTest : public ::testing::Test {
 protected:
  explicit LeaverTest(const NodeOptions& options = Options())
      : world_(9, 4, 4, 0, 3, ConflictPolicy::kSiblings, options) {}
  void SetUp() override {
    LieOn({NodeId{1}, NodeId{2}, NodeId{3}});
    ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
    world_.Isolate(1);
    ASSERT_EQ(world_.PutNow(1, "key", "v", {}, Level::kOne).outcome, Outcome::kOk);
    world_.Crash(1);  // and with it the hints for those that do not have it
    world_.HealAll();
  }
  static NodeOptions Options() {
    NodeOptions options = NodeWorld::QuickOptions();
    options.exchange_period = options.floor_period = 100'000 * kSeconds;
    options.leaver_patience = 20 * kSeconds;
    return options;
  }
  void LieOn(const std::vector<NodeId>& nodes) {
    world_.Change([&nodes](TopologyChange* change) {
      Placement target = change->topology().target;
      target.SetReplicas(PartitionId{0}, nodes);
      ASSERT_TRUE(change->SetTarget(target).ok());
    });
  }
  bool IsThere() const { return world_.topology().placement == world_.topology().target; }
  std::vector<std::string> Values() { return world_.GetNow(0, "key", Level::kAll).values; }

  NodeWorld world_;
};

TEST_F(LeaverTest, WhoLeavesAndIsThereGivesAllThatItHas) {
  world_.Boot(1);
  world_.Cut(1, 3);  // meanwhile the others have given what they have, and they are enough
  LieOn({NodeId{1}, NodeId{3}, NodeId{4}});
  world_.Run(5 * kSeconds);
  world_.HealAll();
  ASSERT_TRUE(world_.RunUntil([this] { return IsThere(); }));
  EXPECT_EQ(Values(), std::vector<std::string>{"v"});
  ASSERT_TRUE(world_.RunUntil([this] { return world_.StoredKeys(1) == 0; }));
}

// A key takes longer to fill than the move waits for those that leave.
class SlowLeaverTest : public LeaverTest {
 protected:
  SlowLeaverTest() : LeaverTest(SlowOptions()) {}
  static NodeOptions SlowOptions() {
    NodeOptions options = Options();
    options.fill_bytes_per_second = FillPace::kSteps * FillPace::kBytesOfAKey * kSeconds / (2 * options.leaver_patience);
    return options;
  }
};

TEST_F(SlowLeaverTest, WhatOnlyALeaverHasDoesNotWaitForRoom) {
  world_.Boot(1);
  ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
  for (int key = 0; key < 5; ++key) ASSERT_EQ(world_.PutNow(0, Name(key), "w", {}, Level::kAll).outcome, Outcome::kOk);
  world_.Cut(1, 3);  // meanwhile the others have given what they have, and nothing more has room
  LieOn({NodeId{1}, NodeId{3}, NodeId{4}});
  ASSERT_TRUE(world_.RunUntil([this] { return world_.StoredKeys(3) == 5; }, 2'000 * kSeconds));
  world_.HealAll();
  const Nanos before = world_.now();
  ASSERT_TRUE(world_.RunUntil([this] { return IsThere(); }, 2'000 * kSeconds));
  EXPECT_LT(world_.now(), before + Options().leaver_patience);
  EXPECT_EQ(Values(), std::vector<std::string>{"v"});
}

// Of eight partitions, the first four that are filled would wait for it, and the others for them.
TEST(ManyLeaversTest, NobodyWaitsForThemToBeFilled) {
  NodeOptions options = NodeWorld::QuickOptions();
  options.exchange_period = options.floor_period = 100'000 * kSeconds;
  options.leaver_patience = 20 * kSeconds;
  NodeWorld world(11, 4, 4, 3, 3, ConflictPolicy::kSiblings, options);
  const auto lie_on = [&world](const std::vector<NodeId>& nodes) {
    world.Change([&nodes](TopologyChange* change) {
      Placement target = change->topology().target;
      for (uint16_t partition = 0; partition < 8; ++partition) target.SetReplicas(PartitionId{partition}, nodes);
      ASSERT_TRUE(change->SetTarget(target).ok());
    });
  };
  lie_on({NodeId{1}, NodeId{2}, NodeId{3}});
  ASSERT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }));
  for (int key = 0; key < 64; ++key) ASSERT_EQ(world.PutNow(0, Name(key), "v", {}, Level::kAll).outcome, Outcome::kOk);
  world.Cut(1, 3);
  lie_on({NodeId{1}, NodeId{3}, NodeId{4}});
  const Nanos before = world.now();
  ASSERT_TRUE(world.RunUntil([&world] { return world.StoredKeys(3) == 64; }));
  EXPECT_LT(world.now(), before + options.leaver_patience / 2);
}

// Nobody has to be filled then.
TEST_F(LeaverTest, AlsoToThoseThatStayWhenNobodyComes) {
  world_.Boot(1);
  world_.Isolate(1);
  LieOn({NodeId{1}, NodeId{3}});
  world_.Run(kSeconds);
  world_.HealAll();
  ASSERT_TRUE(world_.RunUntil([this] { return IsThere(); }));
  EXPECT_EQ(Values(), std::vector<std::string>{"v"});
}

TEST_F(LeaverTest, WhoDoesNotAnswerIsNotWaitedFor) {
  const Nanos before = world_.now();
  LieOn({NodeId{1}, NodeId{3}, NodeId{4}});
  ASSERT_TRUE(world_.RunUntil([this] { return IsThere(); }));
  EXPECT_LT(world_.now(), before + 5 * kSeconds);
  EXPECT_EQ(Values(), std::vector<std::string>{}) << "the only copy was given up";
}

TEST_F(LeaverTest, WhoAnswersAndCannotGiveIsNotWaitedForLong) {
  world_.Boot(1);
  world_.Cut(1, 3);  // who takes it over does not reach it
  const Nanos before = world_.now();
  LieOn({NodeId{1}, NodeId{3}, NodeId{4}});
  world_.Run(15 * kSeconds);
  EXPECT_FALSE(IsThere());
  ASSERT_TRUE(world_.RunUntil([this] { return IsThere(); }));
  EXPECT_GE(world_.now(), before + Options().leaver_patience);
}

// Who has made nothing there needs no other actor.
TEST(NodeCoreMoveTest, WhoHasMadeNothingComesBackAsItself) {
  NodeWorld world(8, 4, 4, 0, 3, ConflictPolicy::kSiblings);
  const auto lie_on = [&world](std::vector<NodeId> nodes) {
    world.Change([&nodes](TopologyChange* change) {
      Placement target = change->topology().target;
      target.SetReplicas(PartitionId{0}, nodes);
      ASSERT_TRUE(change->SetTarget(target).ok());
    });
    ASSERT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }));
  };
  lie_on({NodeId{1}, NodeId{2}, NodeId{3}});
  ASSERT_EQ(world.PutNow(0, "key", "v").outcome, Outcome::kOk);
  const ActorId actor = world.core(1).status().actor;
  lie_on({NodeId{1}, NodeId{3}, NodeId{4}});
  lie_on({NodeId{1}, NodeId{2}, NodeId{3}});
  EXPECT_EQ(world.core(1).status().actor, actor);
}

}  // namespace node_core_move_test
}  // namespace varve::cluster::test
