#include "cluster/coordinator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cluster/get_operation.h"
#include "tests/cluster/core_world.h"

namespace varve::cluster::test {
namespace coordinator_test {

using Values = std::vector<std::string>;

class CoordinatorTest : public ::testing::Test {
 protected:
  Record& Put(size_t node, const std::string& value, RequestOptions options, SeenContext seen = {}) {
    const size_t record = world_.Put(node, "k", value, seen, std::move(options));
    world_.Settle();
    return world_.records()[record];
  }
  Record& Get(size_t node, RequestOptions options) {
    const size_t record = world_.Get(node, "k", std::move(options));
    world_.Settle();
    return world_.records()[record];
  }
  // The sets of a partition on its way to `next`.
  SharedSets Moving(std::vector<NodeId> next) {
    RequestSets sets = world_.sets();
    sets.write.push_back(std::move(next));
    sets.fallbacks.clear();
    return std::make_shared<const RequestSets>(std::move(sets));
  }
  // Nothing goes between the node and the others.
  void Isolate(size_t node) {
    for (size_t other = 0; other < world_.nodes().size(); ++other) {
      if (other == node) continue;
      world_.Cut(node, other);
      world_.Cut(other, node);
    }
  }
  void Suspect(size_t by, size_t node, bool is_suspect = true) {
    world_.nodes()[by].coordinator->SetSuspect(world_.nodes()[node].id, is_suspect);
  }

  CoreWorld world_{1, 3, 2, ConflictPolicy::kSiblings};
};

TEST_F(CoordinatorTest, AnyNodeTakesAnyKey) {
  for (size_t node = 0; node < 5; ++node) {
    const std::string value = "v" + std::to_string(node);
    EXPECT_EQ(Put(node, value, world_.Options(), Get(node, world_.Options()).seen).outcome, Outcome::kOk);
    EXPECT_EQ(Get((node + 1) % 5, world_.Options()).values, Values{value});
  }
}

// The example of the requirement, on servers: two of them are cut off from each other.
TEST_F(CoordinatorTest, ConflictOfTheRequirementIsReturnedAndSettled) {
  const SeenContext foo = Put(0, "foo", world_.Options(Level::kAll)).seen;
  const SeenContext bar = Put(0, "bar", world_.Options(Level::kAll), foo).seen;
  Isolate(0);
  EXPECT_EQ(Put(0, "baz", world_.Options(Level::kOne), bar).outcome, Outcome::kOk);
  EXPECT_EQ(Put(1, "bax", world_.Options(Level::kOne), bar).outcome, Outcome::kOk);
  EXPECT_EQ(Get(0, world_.Options(Level::kOne)).values, Values{"baz"});
  EXPECT_EQ(Get(1, world_.Options(Level::kOne)).values, Values{"bax"});
  world_.HealAll();
  for (size_t node = 0; node < 5; ++node) {
    EXPECT_EQ(Get(node, world_.Options(Level::kAll)).values, (Values{"baz", "bax"}));
  }
  const SeenContext both = Get(4, world_.Options()).seen;
  EXPECT_EQ(Put(4, "settled", world_.Options(), both).outcome, Outcome::kOk);
  for (size_t node = 0; node < 5; ++node) {
    EXPECT_EQ(Get(node, world_.Options()).values, Values{"settled"});
  }
}

TEST_F(CoordinatorTest, OneReplicaDownFailsNothingAtQuorum) {
  world_.Crash(1);
  for (size_t node : {0u, 2u, 3u, 4u}) {
    if (node > 2) Suspect(node, 1);
    const SeenContext seen = Get(node, world_.Options()).seen;
    EXPECT_EQ(Put(node, "v" + std::to_string(node), world_.Options(), seen).outcome, Outcome::kOk) << node;
    EXPECT_EQ(Get(node, world_.Options(Level::kLinear)).values, Values{"v" + std::to_string(node)});
  }
}

TEST_F(CoordinatorTest, TooFewReplicasIsAnErrorOrUnknownButNeverSilent) {
  Isolate(0);
  const Record& put = Put(0, "v", world_.Options());
  EXPECT_EQ(put.outcome, Outcome::kUnknown);  // it is on node 0, and spreads when the network heals
  EXPECT_LE(put.ended, put.options.deadline + 25 * kMilli);
  EXPECT_EQ(Get(0, world_.Options()).outcome, Outcome::kFailed);
  // Known beforehand: nothing is begun.
  Suspect(0, 1);
  Suspect(0, 2);
  const Record& refused = Put(0, "w", world_.Options());
  EXPECT_EQ(refused.outcome, Outcome::kFailed);
  EXPECT_EQ(refused.reason, ReplyCode::kTooFewReplicas);
  EXPECT_EQ(refused.ended, refused.begun);
  EXPECT_EQ(Get(0, world_.Options()).reason, ReplyCode::kTooFewReplicas);
  world_.HealAll();
  Suspect(0, 1, false);
  Suspect(0, 2, false);
  world_.SettleHints();
  EXPECT_EQ(Get(1, world_.Options()).values, Values{"v"});
}

TEST_F(CoordinatorTest, MoreReplicasThanThereAreFails) {
  RequestOptions options = world_.Options();
  options.replicas = 4;
  EXPECT_EQ(Put(0, "v", options).outcome, Outcome::kFailed);
  EXPECT_EQ(Get(0, options).outcome, Outcome::kFailed);
  options = world_.Options();
  options.sets = std::make_shared<const RequestSets>();
  EXPECT_EQ(Put(0, "v", options).outcome, Outcome::kFailed);
  EXPECT_EQ(Get(0, options).outcome, Outcome::kFailed);
}

TEST_F(CoordinatorTest, HintsCountOnlyWhenAskedFor) {
  for (size_t node : {0u, 3u, 4u}) {
    world_.Cut(node, 1);
    world_.Cut(node, 2);
  }
  EXPECT_EQ(Put(0, "strict", world_.Options()).outcome, Outcome::kUnknown);
  RequestOptions options = world_.Options();
  options.sloppy = true;
  EXPECT_EQ(Put(0, "sloppy", options).outcome, Outcome::kOk);
  EXPECT_FALSE(world_.nodes()[3].hints.empty());
  // Linear writes know no substitutes.
  options = world_.Options(Level::kLinear);
  options.sloppy = true;
  EXPECT_EQ(Put(0, "linear", options).outcome, Outcome::kUnknown);
}

TEST_F(CoordinatorTest, TwoHintsAtOneFallbackAreNotTwoCopies) {
  for (size_t node : {0u, 3u, 4u}) {
    world_.Cut(node, 1);
    world_.Cut(node, 2);
  }
  RequestOptions options = world_.Options(Level::kAll);
  options.sloppy = true;
  RequestSets sets = *options.sets;
  sets.fallbacks = {world_.nodes()[3].id};
  options.sets = std::make_shared<const RequestSets>(std::move(sets));
  EXPECT_EQ(Put(0, "one", options).outcome, Outcome::kUnknown);
  options = world_.Options(Level::kAll);
  options.sloppy = true;
  EXPECT_EQ(Put(0, "two", options).outcome, Outcome::kOk);
}

// Sibling explosion, on servers: two clients that take turns, each with the context of its last reply, at any node.
TEST_F(CoordinatorTest, ClientsThatTakeTurnsMakeNoMoreSiblingsThanClients) {
  SeenContext mine;
  SeenContext yours;
  size_t node = 0;
  for (int i = 0; i < 20; ++i) {
    mine = Put(node++ % 5, "mine " + std::to_string(i), world_.Options(), mine).seen;
    yours = Put(node++ % 5, "yours " + std::to_string(i), world_.Options(), yours).seen;
    Values values = Get(node % 5, world_.Options()).values;
    std::sort(values.begin(), values.end());
    EXPECT_EQ(values, (Values{"mine " + std::to_string(i), "yours " + std::to_string(i)}));
  }
}

TEST_F(CoordinatorTest, ContextOfAReplyErasesNothingThatItsClientHasNotSeen) {
  Put(0, "of another client", world_.Options(Level::kAll));
  const SeenContext mine = Put(1, "mine", world_.Options()).seen;
  Put(4, "mine, again", world_.Options(), mine);
  EXPECT_EQ(Get(2, world_.Options()).values.size(), 2u);
}

// One that reads before each put, and one that never does.
TEST_F(CoordinatorTest, ReaderSettlesWhatBlindWritersLeave) {
  for (size_t i = 0; i < 10; ++i) {
    Put(i % 5, "blind", world_.Options());
    Put((i + 1) % 5, "settled", world_.Options(), Get((i + 2) % 5, world_.Options()).seen);
    EXPECT_EQ(Get((i + 3) % 5, world_.Options()).values, Values{"settled"});
  }
}

// Found by the simulator: this node's copy was given up while nobody understood it, and what it had acknowledged alone went.
TEST_F(CoordinatorTest, HintsThatNoFallbackHasTakenStayHere) {
  Isolate(0);
  RequestOptions options = world_.Options(Level::kOne);
  options.sloppy = true;
  EXPECT_EQ(Put(0, "sloppy", options).outcome, Outcome::kOk);
  EXPECT_EQ(world_.nodes()[0].hints.size(), 2u);
  world_.HealAll();
  world_.SettleHints();
  EXPECT_TRUE(world_.nodes()[0].hints.empty());
  for (size_t node = 1; node < 3; ++node) EXPECT_EQ(world_.StateOf(node, "k"), world_.StateOf(0, "k"));
}

TEST_F(CoordinatorTest, HintsBringAReplicaWhatItMissed) {
  world_.Crash(2);
  EXPECT_EQ(Put(0, "v", world_.Options()).outcome, Outcome::kOk);
  EXPECT_EQ(world_.nodes()[0].hints.size(), 1u);
  // The keeper restarts in between.
  world_.Crash(0);
  world_.Restart(0);
  world_.Restart(2);
  world_.SettleHints();
  EXPECT_EQ(world_.StateOf(2, "k"), world_.StateOf(0, "k"));
  EXPECT_TRUE(world_.StateOf(2, "k").HasValue());
  EXPECT_TRUE(world_.nodes()[0].hints.empty());
}

TEST_F(CoordinatorTest, ReadRepairsWhatLags) {
  world_.Crash(2);
  Put(0, "v", world_.Options());
  world_.nodes()[0].hints.clear();
  world_.Crash(0);
  world_.Restart(0);
  world_.Restart(2);
  world_.Settle();
  EXPECT_FALSE(world_.StateOf(2, "k").HasValue());
  // Every read finds it, and one of kReadsPerRepair looks at all replicas.
  for (uint64_t read = 0; read < 40 * GetOperation::kReadsPerRepair && !world_.StateOf(2, "k").HasValue(); ++read) {
    EXPECT_EQ(Get(3, world_.Options()).values, Values{"v"});
  }
  EXPECT_EQ(world_.StateOf(2, "k"), world_.StateOf(0, "k"));
}

// A partition on its way from {0, 1, 2} to {0, 3, 4}: each of the two must have its quorum.
TEST_F(CoordinatorTest, MovesNeedAQuorumInBothSets) {
  for (size_t node : {3u, 4u}) {
    Actions actions;
    world_.nodes()[node].replica->OnTopology(Epoch{1}, &actions);
    world_.Do(&world_.nodes()[node], std::move(actions));
  }
  world_.Settle();
  RequestOptions moving = world_.Options();
  moving.sets = Moving({world_.nodes()[0].id, world_.nodes()[3].id, world_.nodes()[4].id});
  Isolate(3);
  Isolate(4);
  EXPECT_EQ(Put(0, "v", moving).outcome, Outcome::kUnknown);
  world_.HealAll();
  world_.SettleHints();
  Isolate(4);
  moving.deadline = world_.now() + 2000 * kMilli;
  EXPECT_EQ(Put(0, "w", moving).outcome, Outcome::kOk);
}

// A node that has not everything yet would cover writes of its own that it has lost.
TEST_F(CoordinatorTest, NobodyMakesDotsBeforeItIsRead) {
  world_.nodes()[3].durable = {.actor = ActorId{4}, .epoch = Epoch{1}};
  world_.Crash(3);
  world_.Restart(3);
  RequestOptions moving = world_.Options();
  moving.sets = Moving({world_.nodes()[3].id});
  const Record& put = Put(3, "v", moving);
  EXPECT_EQ(put.outcome, Outcome::kOk);
  EXPECT_EQ(put.seen.context.HighestOf(ActorId{4}), 0u);
}

TEST_F(CoordinatorTest, RefusalWithoutEffectMakesRoomForTheNextReplica) {
  world_.nodes()[0].durable.actor = kNoActor;  // it waits for its incarnation
  world_.Crash(0);
  world_.Restart(0);
  EXPECT_EQ(Put(0, "v", world_.Options()).outcome, Outcome::kOk);
  EXPECT_EQ(Get(0, world_.Options()).values, Values{"v"});
}

TEST_F(CoordinatorTest, StaleTopologyFailsWithoutEffect) {
  Actions actions;
  for (size_t i = 0; i < 3; ++i) {
    world_.nodes()[i].replica->OnTopology(Epoch{2}, &actions);
    world_.Do(&world_.nodes()[i], std::exchange(actions, {}));
  }
  world_.Settle();
  const Record& put = Put(0, "v", world_.Options());
  EXPECT_EQ(put.outcome, Outcome::kFailed);
  EXPECT_EQ(put.reason, ReplyCode::kStaleEpoch);
  const Record& get = Get(0, world_.Options());
  EXPECT_EQ(get.outcome, Outcome::kFailed);
  EXPECT_EQ(get.reason, ReplyCode::kStaleEpoch);
  world_.sets().epoch = Epoch{2};
  EXPECT_TRUE(Get(0, world_.Options()).values.empty());
}

// Who would make it has a later topology, and the last one left is away: the put fails at once, and can be tried again.
TEST_F(CoordinatorTest, StalePutsDoNotWaitForTheDead) {
  Actions actions;
  for (size_t i = 0; i < 2; ++i) {
    world_.nodes()[i].replica->OnTopology(Epoch{2}, &actions);
    world_.Do(&world_.nodes()[i], std::exchange(actions, {}));
  }
  world_.Settle();
  world_.Crash(2);
  Suspect(3, 2);
  const RequestOptions options = world_.Options();
  const size_t put = world_.Put(3, "k", "v", {}, options);
  while (world_.records()[put].finished == 0) world_.Step();
  EXPECT_EQ(world_.records()[put].outcome, Outcome::kFailed);
  EXPECT_EQ(world_.records()[put].reason, ReplyCode::kStaleEpoch);
  EXPECT_LT(world_.now(), options.deadline);
}

// One replica has a later topology and one is away: nobody waits for that one until the deadline.
TEST_F(CoordinatorTest, StaleReadsDoNotWaitForTheDead) {
  Actions actions;
  world_.nodes()[0].replica->OnTopology(Epoch{2}, &actions);
  world_.Do(&world_.nodes()[0], std::exchange(actions, {}));
  world_.Settle();
  world_.Crash(2);
  const RequestOptions options = world_.Options();
  const size_t get = world_.Get(3, "k", options);
  while (world_.records()[get].finished == 0) world_.Step();
  EXPECT_EQ(world_.records()[get].reason, ReplyCode::kStaleEpoch);
  EXPECT_LT(world_.now(), options.deadline);
}

// What it has answered while a partition moves is in the next set as well, whoever asks that one later.
TEST_F(CoordinatorTest, LinearReadsOfAMoveAgreeInBothSets) {
  Actions actions;
  for (const size_t node : {3u, 4u}) {
    world_.nodes()[node].replica->OnTopology(Epoch{1}, &actions);
    world_.Do(&world_.nodes()[node], std::exchange(actions, {}));
  }
  world_.Settle();
  for (const size_t node : {3u, 4u}) world_.Cut(0, node);
  EXPECT_EQ(Put(0, "v", world_.Options(Level::kAll)).outcome, Outcome::kOk);
  world_.HealAll();
  RequestOptions moving = world_.Options(Level::kLinear);
  moving.sets = Moving({world_.nodes()[0].id, world_.nodes()[3].id, world_.nodes()[4].id});
  EXPECT_EQ(Get(1, moving).values, Values{"v"});
  EXPECT_TRUE(world_.StateOf(3, "k").HasValue() || world_.StateOf(4, "k").HasValue());
}

// The topology changes while a put gathers acknowledgements: it goes on with the new sets, and what was said under the old
// one is worth nothing.
TEST_F(CoordinatorTest, PutGoesOnUnderALaterTopology) {
  for (const bool is_reached : {true, false}) {
    CoreWorld world{3, 3, 2, ConflictPolicy::kSiblings};
    world.Cut(0, 2);
    const size_t put = world.Put(0, "k", "v", {}, world.Options(Level::kAll));
    for (int i = 0; i < 60; ++i) world.Step();
    ASSERT_EQ(world.records()[put].finished, 0);
    world.sets().epoch = Epoch{2};
    world.sets().write = world.sets().read = {{NodeId{1}, NodeId{2}, NodeId{4}}};
    Actions actions;
    for (const size_t node : {0u, 1u, 3u}) {
      world.nodes()[node].replica->OnTopology(Epoch{2}, &actions);
      world.Do(&world.nodes()[node], std::exchange(actions, {}));
    }
    if (!is_reached) world.Cut(0, 1);  // it had acknowledged the write before
    world.nodes()[0].coordinator->OnTopology([&](const PutRequest&) { return world.SharedNow(); }, world.now(), &actions);
    world.Do(&world.nodes()[0], std::exchange(actions, {}));
    world.Settle();
    EXPECT_EQ(world.records()[put].finished, 1);
    EXPECT_EQ(world.records()[put].outcome, is_reached ? Outcome::kOk : Outcome::kUnknown);
    EXPECT_TRUE(world.StateOf(3, "k").HasValue());
  }
}

TEST_F(CoordinatorTest, OperationsHaveABound) {
  CoordinatorOptions options{.self = NodeId{1}, .policy_of = [](std::string_view) {
                               return ConflictPolicy::kSiblings;
                             },
                             .first_operation = 1};
  options.max_operations = 1;
  Coordinator coordinator(options);
  Actions actions;
  coordinator.Get(1, {"k", world_.Options()}, 0, &actions);
  actions.clear();
  coordinator.Get(2, {"k", world_.Options()}, 0, &actions);
  coordinator.Put(3, {{.key = "k"}, world_.Options()}, 0, &actions);
  ASSERT_EQ(actions.size(), 2u);
  EXPECT_EQ(std::get<FinishGet>(actions[0]).reason, ReplyCode::kOverloaded);
  EXPECT_EQ(std::get<FinishPut>(actions[1]).outcome, Outcome::kFailed);
  EXPECT_EQ(coordinator.NextTime(), options.hedge_after);
}

TEST(HintKeeperTest, BoundsAreRefusalsAndNeverLosses) {
  HintKeeper keeper({.self = NodeId{1}, .first_hint = 1, .max_bytes = 100, .max_bytes_of_owner = 60});
  const auto offer = [&keeper](uint64_t owner, size_t size) {
    Message message{.from = NodeId{9}, .to = NodeId{1}, .partition = kPartition, .epoch = Epoch{1}};
    message.body = HintRequest{NodeId{owner}, "key", std::string(size - 3, 's')};
    Actions actions;
    keeper.OnMessage(message, &actions);
    if (const auto* store = std::get_if<StoreHint>(&actions.at(0))) {
      const uint64_t hint = store->hint;
      actions.clear();
      keeper.OnHintStored(hint, true, &actions);
    }
    return std::get<HintReply>(std::get<Send>(actions.at(0)).message.body).code;
  };
  EXPECT_EQ(offer(2, 50), ReplyCode::kOk);
  EXPECT_EQ(offer(2, 11), ReplyCode::kOverloaded);  // of its owner
  EXPECT_EQ(offer(3, 50), ReplyCode::kOk);
  EXPECT_EQ(offer(4, 10), ReplyCode::kOverloaded);  // of all
  EXPECT_EQ(keeper.refused(), 2u);
  EXPECT_EQ(keeper.bytes(), 100u);
  // What has an heir goes there.
  keeper.ChangeOwner(kPartition, NodeId{2}, NodeId{5});
  Actions actions;
  keeper.OnTime(1, [](PartitionId) { return Epoch{7}; }, {NodeId{3}}, &actions);
  ASSERT_EQ(actions.size(), 1u);  // 3 is a suspect
  const Message sent = std::get<Send>(actions[0]).message;
  EXPECT_EQ(sent.to, NodeId{5});
  EXPECT_EQ(sent.epoch, Epoch{7});
  // Only its owner's acknowledgement lets it go.
  Message reply{.from = NodeId{2}, .to = NodeId{1}, .request = sent.request};
  reply.body = MergeReply{ReplyCode::kOk, ""};
  keeper.OnMessage(reply, &actions);
  reply.from = NodeId{5};
  reply.body = MergeReply{ReplyCode::kStaleEpoch, ""};
  keeper.OnMessage(reply, &actions);
  EXPECT_EQ(keeper.hints(), 2u);
  reply.body = MergeReply{ReplyCode::kOk, ""};
  keeper.OnMessage(reply, &actions);
  EXPECT_EQ(keeper.hints(), 1u);
  EXPECT_EQ(keeper.bytes(), 50u);
}

}  // namespace coordinator_test
}  // namespace varve::cluster::test
