// Whole nodes in a small world: what clients, operators and faults do to them, one thing at a time.
#include "cluster/node_core.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/message_codec.h"
#include "tests/cluster/node_world.h"

namespace varve::cluster::test {
namespace node_core_test {

using Values = std::vector<std::string>;

std::string Name(int key) { return "key" + std::to_string(key); }

class NodeCoreTest : public ::testing::Test {
 protected:
  // Five nodes hold 16 partitions in three copies; a sixth may join.
  NodeWorld world_{1, 6, 5, 4, 3, ConflictPolicy::kSiblings};

  void SetUp() override { ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); })); }
  void PutKeys(int keys, const std::string& value) {
    for (int key = 0; key < keys; ++key) {
      size_t node = static_cast<size_t>(key) % 5;
      while (!world_.nodes()[node].core) node = (node + 1) % 5;
      const SeenContext seen = world_.GetNow(node, Name(key)).seen;
      ASSERT_EQ(world_.PutNow(node, Name(key), value, seen).outcome, Outcome::kOk) << key;
    }
  }
  void ExpectKeys(int keys, const Values& values, const std::vector<size_t>& nodes) {
    for (int key = 0; key < keys; ++key) {
      for (const size_t node : nodes) {
        const Told get = world_.GetNow(node, Name(key));
        ASSERT_EQ(get.outcome, Outcome::kOk) << key << " at " << node;
        ASSERT_EQ(get.values, values) << key << " at " << node;
      }
    }
  }
  bool Holds(size_t node) {
    const NodeId id = world_.nodes()[node].id;
    return world_.topology().IsUsed(id);
  }
};

TEST_F(NodeCoreTest, MembersGetActorsAndComeUp) {
  for (const Member& member : world_.topology().members) {
    EXPECT_EQ(member.state, MemberState::kUp);
    EXPECT_NE(member.actor, kNoActor);
  }
}

TEST_F(NodeCoreTest, EveryNodeTakesEveryKey) {
  PutKeys(40, "v");
  // The sixth is no member, and holds nothing.
  ExpectKeys(40, {"v"}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(world_.core(5).status().partitions, 0u);
  const SeenContext seen = world_.GetNow(5, Name(1)).seen;
  EXPECT_EQ(world_.PutNow(5, Name(1), "w", seen).outcome, Outcome::kOk);
  EXPECT_EQ(world_.GetNow(2, Name(1)).values, Values{"w"});
}

TEST_F(NodeCoreTest, OneReplicaDownFailsNothingAndGetsItsHints) {
  world_.Crash(1);
  PutKeys(40, "v");
  ExpectKeys(10, {"v"}, {0, 2, 3, 4});
  world_.Run(2 * kSeconds);
  size_t hints = 0;
  for (const size_t node : {0u, 2u, 3u, 4u}) hints += world_.core(node).status().hints;
  EXPECT_GT(hints, 0u);
  world_.Boot(1);
  EXPECT_TRUE(world_.RunUntil([this] {
    for (size_t node = 0; node < 5; ++node) {
      if (world_.core(node).status().hints != 0) return false;
    }
    return world_.AreReplicasEqual();
  }));
}

TEST_F(NodeCoreTest, ReplicasComeToAgreeWithoutHints) {
  world_.Crash(1);
  PutKeys(30, "v");
  for (size_t node = 0; node < 5; ++node) {
    if (node != 1) world_.Crash(node);
    world_.nodes()[node].disk.hints.clear();
  }
  for (size_t node = 0; node < 5; ++node) world_.Boot(node);
  EXPECT_TRUE(world_.RunUntil([this] { return world_.AreReplicasEqual(); }));
  uint64_t merged = 0;
  for (size_t node = 0; node < 5; ++node) merged += world_.core(node).status().keys_merged;
  EXPECT_GT(merged, 0u);
}

TEST_F(NodeCoreTest, JoinerIsFilledAndEverythingStaysReadable) {
  PutKeys(60, "v");
  world_.Join(5);
  while (!world_.IsSettled() && world_.now() < 100 * kSeconds) {
    const int key = static_cast<int>(world_.random().Uniform(60));
    const Told get = world_.GetNow(world_.random().Uniform(6), Name(key));
    ASSERT_EQ(get.outcome, Outcome::kOk) << key;
    ASSERT_EQ(get.values, Values{"v"}) << key;
  }
  ASSERT_TRUE(world_.IsSettled());
  EXPECT_GT(world_.core(5).status().bytes_filled, 0u);
  ExpectKeys(60, {"v"}, {0, 5});
  // 16 partitions, 3 copies, 6 nodes.
  for (size_t node = 0; node < 6; ++node) EXPECT_EQ(world_.core(node).status().partitions, 8u);
  EXPECT_TRUE(world_.RunUntil([this] { return world_.AreReplicasEqual(); }));
  EXPECT_EQ(world_.topology().Find(NodeId{6})->state, MemberState::kUp);
}

TEST_F(NodeCoreTest, LeaverIsGoneWhenItHoldsNothing) {
  PutKeys(40, "v");
  world_.Leave(0);
  ASSERT_TRUE(world_.RunUntil([this] {
    return world_.topology().Find(NodeId{1})->state == MemberState::kRemoved;
  }));
  EXPECT_TRUE(world_.RunUntil([this] { return world_.core(0).status().partitions == 0; }));
  EXPECT_TRUE(world_.RunUntil([this] { return world_.StoredKeys(0) == 0; }));
  world_.Crash(0);
  ExpectKeys(40, {"v"}, {1, 2, 3, 4});
}

// A dead node is a replica that never answers; the others have what is needed.
TEST_F(NodeCoreTest, DeadNodeIsReplaced) {
  PutKeys(40, "v");
  world_.Crash(2);
  world_.Change([](TopologyChange* change) {
    Member member;
    member.id = NodeId{6};
    ASSERT_TRUE(change->AddMember(member).ok());
    ASSERT_TRUE(change->SetState(NodeId{3}, MemberState::kLeaving).ok());
    NodeWorld::Aim(change);
  });
  ASSERT_TRUE(world_.RunUntil([this] {
    return world_.topology().Find(NodeId{3})->state == MemberState::kRemoved;
  }));
  ExpectKeys(40, {"v"}, {0, 5});
}

TEST_F(NodeCoreTest, OthersDriveMovesWhenTheFirstCannot) {
  PutKeys(20, "v");
  const uint64_t before = world_.core(0).status().topologies_swapped;
  world_.CutFromStore(0);  // all others reach it
  world_.Join(5);
  world_.TellOne(0);
  EXPECT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
  EXPECT_EQ(world_.core(0).status().topologies_swapped, before);
  world_.Leave(5);
  EXPECT_TRUE(world_.RunUntil([this] { return !Holds(5); }));
  ExpectKeys(20, {"v"}, {0, 3});
}

TEST_F(NodeCoreTest, NothingMovesWhileTheStoreIsAwayAndEverythingIsServed) {
  PutKeys(20, "v");
  world_.Join(5);
  world_.set_store_is_away(true);
  const uint64_t revision = world_.revision();
  world_.Crash(3);
  world_.Boot(3);
  world_.Run(20 * kSeconds);
  EXPECT_EQ(world_.revision(), revision);
  PutKeys(20, "w");
  ExpectKeys(20, {"w"}, {0, 3});
  world_.set_store_is_away(false);
  world_.Change([](TopologyChange* change) { ASSERT_TRUE(change->SetWeight(NodeId{1}, 1).ok()); });
  EXPECT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
}

// Who missed a change hears of it from those who refuse what comes of the old one.
TEST_F(NodeCoreTest, TopologySpreadsFromNodeToNode) {
  world_.set_store_is_away(true);
  PartitionId moved{};
  world_.Change([&moved](TopologyChange* change) {
    Member member;
    member.id = NodeId{6};
    ASSERT_TRUE(change->AddMember(member).ok());
    NodeWorld::Aim(change);
    while (!change->StartMove(moved).ok() || change->topology().moves.empty()) {
      moved = PartitionId{static_cast<uint16_t>(Value(moved) + 1)};
    }
  });
  world_.TellOne(0);
  PutKeys(40, "v");
  for (const NodeId id : world_.topology().SetsOf(moved).Writable()) {
    EXPECT_EQ(world_.core(Value(id) - 1).status().epoch, world_.topology().epoch);
  }
}

TEST_F(NodeCoreTest, RestartedNodesGoOnFromTheirDisks) {
  PutKeys(30, "v");
  world_.set_store_is_away(true);
  for (size_t node = 0; node < 5; ++node) {
    world_.Crash(node);
  }
  for (size_t node = 0; node < 5; ++node) world_.Boot(node);
  PutKeys(30, "w");
  ExpectKeys(30, {"w"}, {0, 1, 2, 3, 4});
  for (size_t node = 0; node < 5; ++node) {
    EXPECT_EQ(world_.core(node).status().actor, world_.topology().Find(NodeId{node + 1})->actor);
  }
}

// A node may come back with a topology that is older than its data.
TEST_F(NodeCoreTest, OldTopologyOfADiskDropsNothing) {
  PutKeys(60, "v");
  world_.Join(5);
  const std::string before = EncodeTopology(world_.topology());
  ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
  const size_t keys = world_.StoredKeys(5);
  EXPECT_GT(keys, 0u);
  world_.Crash(5);
  world_.nodes()[5].disk.durable.topology = before;  // by which it holds nothing
  world_.set_store_is_away(true);
  world_.Boot(5);
  for (int i = 0; i < 20; ++i) world_.Step();
  EXPECT_EQ(world_.StoredKeys(5), keys);
  world_.set_store_is_away(false);
  EXPECT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
  EXPECT_EQ(world_.StoredKeys(5), keys);
  ExpectKeys(60, {"v"}, {5});
}

// Answers of the disk overtake each other; a lease of a later actor is not forgotten for that, or its dots would come again.
TEST_F(NodeCoreTest, LeasesOfFormerActorsComeTooLate) {
  PutKeys(60, "v");
  world_.Crash(1);
  world_.Boot(1, true);
  ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
  const Topology topology = world_.topology();
  PartitionId held{};
  while (!topology.placement.IsReplica(held, NodeId{2})) held = PartitionId{static_cast<uint16_t>(Value(held) + 1)};
  ASSERT_TRUE(world_.RunUntil([&] { return world_.core(1).replica(held)->LastAppliedDot().actor > ActorId{5}; }));
  Actions actions;
  const uint64_t last = world_.core(1).replica(held)->LastAppliedDot().counter;
  world_.core(1).OnLeaseDurable(held, ActorId{1}, 16, {world_.now(), 0}, &actions);
  // It is gone and comes back in the same life.
  Placement target = topology.placement;
  std::vector<NodeId> others;
  for (const NodeId node : target.Replicas(held)) {
    if (node != NodeId{2}) others.push_back(node);
  }
  target.SetReplicas(held, others);
  Topology without = topology;
  without.placement = without.target = target;
  without.epoch = without.since[Value(held)] = Next(topology.epoch);
  ASSERT_TRUE(world_.core(1).OnTopology(EncodeTopology(without), 1'000, {world_.now(), 0}, &actions).ok());
  ASSERT_EQ(world_.core(1).replica(held), nullptr);
  Topology again = topology;
  again.epoch = again.since[Value(held)] = Next(without.epoch);
  ASSERT_TRUE(world_.core(1).OnTopology(EncodeTopology(again), 1'001, {world_.now(), 0}, &actions).ok());
  world_.core(1).OnPartitionLoaded(held, Status::Ok(), {world_.now(), 0}, &actions);
  ASSERT_NE(world_.core(1).replica(held), nullptr);
  EXPECT_GE(world_.core(1).replica(held)->LastAppliedDot().counter, last);
  EXPECT_GT(world_.core(1).replica(held)->LastAppliedDot().counter, 0u);
}

// A partition goes and comes back while a lease of it is on its way to disk: its new replica asks for the same one.
TEST_F(NodeCoreTest, ALeaseThatIsDurableAlreadyIsNotWaitedFor) {
  const Topology topology = world_.topology();
  PartitionId held{};
  while (!topology.placement.IsReplica(held, NodeId{2})) held = PartitionId{static_cast<uint16_t>(Value(held) + 1)};
  const Dot last = world_.core(1).replica(held)->LastAppliedDot();
  Topology without = topology;
  std::vector<NodeId> others;
  for (const NodeId node : topology.placement.Replicas(held)) {
    if (node != NodeId{2}) others.push_back(node);
  }
  without.placement.SetReplicas(held, others);
  without.target = without.placement;
  without.epoch = without.since[Value(held)] = Next(topology.epoch);
  Topology again = topology;
  again.epoch = again.since[Value(held)] = Next(without.epoch);
  const Now now{world_.now(), 0};
  Actions actions;
  ASSERT_TRUE(world_.core(1).OnTopology(EncodeTopology(without), 1'000, now, &actions).ok());
  ASSERT_TRUE(world_.core(1).OnTopology(EncodeTopology(again), 1'001, now, &actions).ok());
  world_.core(1).OnLeaseDurable(held, last.actor, 32, now, &actions);  // as the former one had wanted it
  actions.clear();
  world_.core(1).OnPartitionLoaded(held, Status::Ok(), now, &actions);
  uint64_t asked = 0;
  for (const Action& action : actions) {
    if (const auto* lease = std::get_if<PersistLease>(&action); lease != nullptr && lease->partition == held) asked = lease->end;
  }
  ASSERT_EQ(asked, 32u);
  world_.core(1).OnLeaseDurable(held, last.actor, asked, now, &actions);
  actions.clear();
  Message update{.partition = held, .epoch = again.since[Value(held)], .request = 1};
  update.body = UpdateRequest{.key = "key", .value = "v"};
  world_.core(1).OnMessage(NodeId{1}, EncodeMessage(update), now, &actions);
  ASSERT_EQ(actions.size(), 1u);
  const auto read = std::get<ReadKey>(actions[0]);
  actions.clear();
  world_.core(1).OnKeyRead(held, read.operation, std::optional<std::string>(), now, &actions);
  EXPECT_TRUE(std::any_of(actions.begin(), actions.end(), [](const Action& action) {
    return std::holds_alternative<WriteKey>(action);
  }));
}

TEST_F(NodeCoreTest, WhoMayHaveLostWritesGetsANewActor) {
  PutKeys(30, "v");
  const ActorId before = world_.topology().Find(NodeId{2})->actor;
  world_.Crash(1);
  world_.Boot(1, true);
  // Without its new one it makes no dots, though it serves.
  EXPECT_EQ(world_.core(1).status().actor, kNoActor);
  ExpectKeys(10, {"v"}, {1});
  ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
  EXPECT_GT(world_.core(1).status().actor, before);
  // The old one is not used again, either.
  world_.Crash(1);
  world_.Boot(1);
  ASSERT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
  EXPECT_GT(world_.core(1).status().actor, before);
  PutKeys(30, "w");
  ExpectKeys(30, {"w"}, {0, 1});
}

TEST_F(NodeCoreTest, TombstonesGoWhenAllHaveThem) {
  PutKeys(30, "v");
  for (int key = 0; key < 30; key += 2) {
    const SeenContext seen = world_.GetNow(0, Name(key)).seen;
    ASSERT_EQ(world_.PutNow(0, Name(key), "", seen).outcome, Outcome::kOk);
  }
  EXPECT_TRUE(world_.RunUntil([this] {
    size_t keys = 0;
    for (size_t node = 0; node < 5; ++node) keys += world_.StoredKeys(node);
    return keys == 15u * 3;
  }));
  EXPECT_TRUE(world_.RunUntil([this] { return world_.AreReplicasEqual(); }));
  for (int key = 0; key < 30; ++key) {
    EXPECT_EQ(world_.GetNow(1, Name(key)).values, key % 2 == 0 ? Values{} : Values{"v"});
  }
}

TEST_F(NodeCoreTest, NoFloorIsRaisedWhileAReplicaIsAway) {
  PutKeys(30, "v");
  world_.Crash(3);
  for (int key = 0; key < 30; ++key) {
    const SeenContext seen = world_.GetNow(0, Name(key)).seen;
    ASSERT_EQ(world_.PutNow(0, Name(key), "", seen).outcome, Outcome::kOk);
  }
  uint64_t raised = 0;
  for (const size_t node : {0u, 1u, 2u, 4u}) raised += world_.core(node).status().floors_raised;
  world_.Run(20 * kSeconds);
  uint64_t later = 0;
  for (const size_t node : {0u, 1u, 2u, 4u}) later += world_.core(node).status().floors_raised;
  EXPECT_LE(later, raised + 4);  // what was on its way
  world_.Boot(3);
  EXPECT_TRUE(world_.RunUntil([this] {
    size_t keys = 0;
    for (size_t node = 0; node < 5; ++node) keys += world_.StoredKeys(node);
    return keys == 0;
  }));
  for (int key = 0; key < 30; ++key) EXPECT_EQ(world_.GetNow(3, Name(key)).values, Values{});
}

TEST_F(NodeCoreTest, WhoAsksIsToldInTime) {
  for (size_t node = 0; node < 5; ++node) world_.Isolate(node);
  for (const Level level : {Level::kQuorum, Level::kAll}) {
    const Nanos begun = world_.now();
    EXPECT_NE(world_.Await(world_.Put(0, Name(0), "v", {}, level, kSeconds / 2)).outcome, Outcome::kOk);
    EXPECT_LE(world_.now(), begun + kSeconds / 2 + kSeconds / 10);
  }
}

// kv679: a delete is forgotten only when nobody keeps an older value for somebody, to be handed over later.
TEST_F(NodeCoreTest, NoFloorIsRaisedWhileSomebodyKeepsAHint) {
  const std::string key = Name(0);
  const auto replicas = [&] {
    const Topology now = world_.topology();
    const auto nodes = now.placement.Replicas(now.placement.PartitionOfSlot(SlotOf(key)));
    return std::vector<NodeId>(nodes.begin(), nodes.end());
  }();
  const auto place = [this](NodeId id) {
    size_t node = 0;
    while (world_.nodes()[node].id != id) ++node;
    return node;
  };
  size_t keeper = 0;
  while (IsIn(world_.nodes()[keeper].id, replicas)) ++keeper;
  world_.Cut(keeper, place(replicas.back()));
  ASSERT_EQ(world_.PutNow(keeper, key, "v").outcome, Outcome::kOk);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.core(keeper).status().hints != 0; }));
  const size_t other = place(replicas.front());
  ASSERT_EQ(world_.PutNow(other, key, "", world_.GetNow(other, key).seen).outcome, Outcome::kOk);
  const auto stored = [this] {
    size_t keys = 0;
    for (size_t node = 0; node < 5; ++node) keys += world_.StoredKeys(node);
    return keys;
  };
  world_.Run(20 * kSeconds);
  ASSERT_NE(world_.core(keeper).status().hints, 0u);
  EXPECT_EQ(stored(), 3u) << "the delete is still known";
  world_.HealAll();
  EXPECT_TRUE(world_.RunUntil([&] { return stored() == 0; }));
  for (size_t node = 0; node < 5; ++node) {
    EXPECT_EQ(world_.core(node).status().hints, 0u);
    EXPECT_EQ(world_.GetNow(node, key).values, Values{});
  }
}

// A target of a move waits for whole exchanges; and it makes no dots before it is filled, whoever asks.
TEST_F(NodeCoreTest, TargetThatIsNotFilledServesNothing) {
  PutKeys(300, "v");
  world_.Join(5);
  ASSERT_TRUE(world_.RunUntil([this] { return world_.StoredKeys(5) > 0 || world_.core(5).status().epoch == kNoEpoch; }));
  while (world_.StoredKeys(5) == 0) world_.Step();
  for (size_t node = 1; node < 5; ++node) world_.Cut(5, node);
  const Topology before = world_.topology();
  world_.Run(20 * kSeconds);
  const Topology after = world_.topology();
  ASSERT_FALSE(after.moves.empty());
  for (const Move& move : after.moves) {
    EXPECT_EQ(move.stage, MoveStage::kCopy);
    Actions actions;
    Message update{.partition = move.partition, .epoch = after.since[Value(move.partition)]};
    update.request = Value(move.partition);
    update.body = UpdateRequest{.key = "key", .value = "v"};
    world_.core(5).OnMessage(NodeId{2}, EncodeMessage(update), {world_.now(), 0}, &actions);
    ASSERT_EQ(actions.size(), 1u);
    const Result<Message> reply = DecodeMessage(std::get<SendBytes>(actions[0]).bytes);
    EXPECT_EQ(std::get<UpdateReply>(reply->body).code, ReplyCode::kCannotMakeDots);
  }
  world_.HealAll();
  EXPECT_TRUE(world_.RunUntil([this] { return world_.IsSettled(); }));
  ExpectKeys(300, {"v"}, {5});
}

// The operator changes his mind while copies are made.
TEST_F(NodeCoreTest, MovesThatAreNotWantedAnyMoreAreTakenBack) {
  PutKeys(100, "v");
  world_.Join(5);
  ASSERT_TRUE(world_.RunUntil([this] { return !world_.topology().moves.empty(); }));
  world_.Crash(5);
  world_.Change([](TopologyChange* change) {
    ASSERT_TRUE(change->SetWeight(NodeId{6}, 0).ok());
    NodeWorld::Aim(change);
  });
  EXPECT_TRUE(world_.RunUntil([this] { return !Holds(5); }));
  ExpectKeys(100, {"v"}, {0, 4});
}

TEST_F(NodeCoreTest, RepairComparesNow) {
  NodeOptions options = NodeWorld::QuickOptions();
  options.exchange_period = options.floor_period = 100'000 * kSeconds;
  NodeWorld world(5, 3, 3, 2, 3, ConflictPolicy::kSiblings, options);
  ASSERT_TRUE(world.RunUntil([&world] { return world.IsSettled(); }));
  world.Crash(1);
  for (int key = 0; key < 40; ++key) ASSERT_EQ(world.PutNow(0, Name(key), "v").outcome, Outcome::kOk);
  world.Crash(0);
  world.nodes()[0].disk.hints.clear();
  world.Boot(0);
  world.Boot(1);
  world.Run(20 * kSeconds);
  EXPECT_FALSE(world.AreReplicasEqual());
  world.core(0).Repair();
  EXPECT_TRUE(world.RunUntil([&world] { return world.AreReplicasEqual(); }));
}

TEST_F(NodeCoreTest, GarbageIsCountedAndNothingElse) {
  Actions actions;
  world_.core(0).OnMessage(NodeId{2}, "garbage", {world_.now(), 0}, &actions);
  world_.core(0).OnMessage(NodeId{2}, "", {world_.now(), 0}, &actions);
  EXPECT_TRUE(actions.empty());
  EXPECT_EQ(world_.core(0).status().messages_refused, 2u);
  EXPECT_EQ(world_.core(0).OnTopology("garbage", 9, {world_.now(), 0}, &actions).code(), StatusCode::kCorruption);
  Topology other = world_.topology();
  other.cluster = 1;
  other.epoch = Epoch{1'000};
  EXPECT_FALSE(world_.core(0).OnTopology(EncodeTopology(other), 9, {world_.now(), 0}, &actions).ok());
  EXPECT_EQ(world_.core(0).status().epoch, world_.topology().epoch);
}

}  // namespace node_core_test
}  // namespace varve::cluster::test
