// What long runs of seeds have found in the oracles and in the operator of simulated clusters, each as a story by hand.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "cluster/topology_change.h"
#include "sim/cluster_checks.h"
#include "sim/cluster_history.h"
#include "sim/cluster_namespaces.h"
#include "sim/cluster_operator.h"
#include "sim/cluster_scenario.h"
#include "sim/cluster_server.h"
#include "tests/support/status_matchers.h"

namespace varve::sim {
namespace cluster_findings_test {

using cluster::ActorId;
using cluster::ConflictPolicy;
using cluster::Dot;
using cluster::Epoch;
using cluster::KeyState;
using cluster::MemberState;
using cluster::NodeId;
using cluster::Outcome;
using cluster::PartitionId;
using cluster::ReplyCode;
using Kind = ClientOperation::Kind;

constexpr Dot A(uint64_t counter) { return {ActorId{1}, counter}; }

// One key of the last writer: a put with stamp 60, a delete with 70, and a put with 5 by a clock that is behind.
class ForgottenDeleteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    EndPut(Begin(Kind::kPut, "early"), A(1), 60);
    deleted_.Delete({}, A(2), 70, ConflictPolicy::kLww);
  }
  size_t Begin(Kind kind, const std::string& value) {
    return history_.Begin({.kind = kind, .key = "k", .value = value, .begun = ++now_});
  }
  void EndPut(size_t number, Dot dot, uint64_t stamp) {
    cluster::SeenContext seen;
    seen.context.Add(dot);
    seen.stamp = stamp;
    ASSERT_OK(history_.End(number, ++now_, Outcome::kOk, seen, {}));
  }
  void TakeFloor(uint64_t counter) {
    cluster::VersionVector floor;
    floor.Raise(ActorId{1}, counter);
    history_.OnFloor(PartitionId{0}, floor);
  }
  void PutLate() {
    const size_t late = Begin(Kind::kPut, "late");
    KeyState stored;
    stored.Put({}, A(3), "late", 5, ConflictPolicy::kLww);
    ASSERT_OK(history_.OnStored("k", stored));
    EndPut(late, A(3), 5);
  }
  // In the end there is the late value, and all dots are known.
  Status End() const {
    KeyState end;
    for (uint64_t i = 1; i <= 2; ++i) end.Put({}, A(i), "other", 1, ConflictPolicy::kLww);
    end.Put({}, A(3), "late", 5, ConflictPolicy::kLww);
    return history_.CheckFinal("k", end);
  }

  Nanos now_ = 0;
  KeyState deleted_;
  ClusterHistory history_{[] {
    HistoryOptions options;
    options.policy = ConflictPolicy::kLww;
    options.partition_of = [](std::string_view) { return PartitionId{0}; };
    return options;
  }()};
};

// Seeds 1000563, 2001353: a delete that all replicas have is forgotten with its stamp, and so is that what it had won against
// was later than what is put afterwards.
TEST_F(ForgottenDeleteTest, WhatHadLostToItMayBeLaterThanWhatComesAfterIt) {
  const size_t deleted = Begin(Kind::kDelete, "");
  ASSERT_OK(history_.OnStored("k", deleted_));
  EndPut(deleted, A(2), 70);
  TakeFloor(2);
  PutLate();
  EXPECT_OK(End());
}

TEST_F(ForgottenDeleteTest, NobodyNeedHaveHeardOfTheDelete) {
  static_cast<void>(Begin(Kind::kDelete, ""));
  ASSERT_OK(history_.OnStored("k", deleted_));
  TakeFloor(2);
  PutLate();
  EXPECT_OK(End());
}

TEST_F(ForgottenDeleteTest, OneThatNotAllHaveStillCounts) {
  static_cast<void>(Begin(Kind::kDelete, ""));
  ASSERT_OK(history_.OnStored("k", deleted_));
  TakeFloor(1);
  PutLate();
  EXPECT_TRUE(End().IsCorruption()) << "the delete is later, and so is what was put before it";
}

TEST_F(ForgottenDeleteTest, WhatWasMadeBeforeItWasForgottenHasLost) {
  static_cast<void>(Begin(Kind::kDelete, ""));
  ASSERT_OK(history_.OnStored("k", deleted_));
  PutLate();
  TakeFloor(2);
  EXPECT_TRUE(End().IsCorruption());
}

TEST_F(ForgottenDeleteTest, OneThatWasEarlierItselfExcusesNothing) {
  static_cast<void>(Begin(Kind::kDelete, ""));
  KeyState deleted;
  deleted.Delete({}, A(2), 50, ConflictPolicy::kLww);
  ASSERT_OK(history_.OnStored("k", deleted));
  TakeFloor(2);
  PutLate();
  EXPECT_TRUE(End().IsCorruption());
}

TEST_F(ForgottenDeleteTest, WithoutADeleteTheLatestStays) {
  TakeFloor(2);
  PutLate();
  EXPECT_TRUE(End().IsCorruption());
}

// Seeds 2014429, 2026297: a hint goes out again under the epoch that has come, with the number that it had; then what the network
// held up comes as well.
TEST(EpochsAskedTest, AnAcknowledgementIsOfTheLatestEpochThatItWasAskedFor) {
  EpochsAsked asked;
  asked.OnRequest(NodeId{1}, 7, Epoch{11});
  asked.OnRequest(NodeId{1}, 7, Epoch{5});
  EXPECT_EQ(asked.OnReply(NodeId{1}, 7, ReplyCode::kStaleEpoch), Epoch{5});  // refused at once
  EXPECT_EQ(asked.OnReply(NodeId{1}, 7, ReplyCode::kOk), Epoch{11});
  EXPECT_EQ(asked.OnReply(NodeId{1}, 7, ReplyCode::kOk), cluster::kNoEpoch) << "that was not asked for";
}

// Seeds 2008096, 2018131: what was under way when the fence came is told so when it is durable, and the later one is acknowledged.
TEST(EpochsAskedTest, WhatIsFencedWhenItIsDoneIsTheEarlierOne) {
  for (const ReplyCode passed : {ReplyCode::kFenced, ReplyCode::kStaleEpoch}) {
    EpochsAsked asked;
    asked.OnRequest(NodeId{1}, 7, Epoch{5});
    asked.OnRequest(NodeId{1}, 7, Epoch{11});
    EXPECT_EQ(asked.OnReply(NodeId{1}, 7, passed), Epoch{5});
    EXPECT_EQ(asked.OnReply(NodeId{1}, 7, ReplyCode::kOk), Epoch{11});
  }
  // Of one that the replica does not know yet, the later one is refused.
  EpochsAsked asked;
  asked.OnRequest(NodeId{1}, 7, Epoch{11});
  asked.OnRequest(NodeId{1}, 7, Epoch{5});
  EXPECT_EQ(asked.OnReply(NodeId{1}, 7, ReplyCode::kUnknownEpoch), Epoch{11});
  EXPECT_EQ(asked.OnReply(NodeId{1}, 7, ReplyCode::kOk), Epoch{5});
}

TEST(EpochsAskedTest, OneAskingIsAcknowledgedOnce) {
  EpochsAsked asked;
  asked.OnRequest(NodeId{1}, 7, Epoch{5});
  asked.OnRequest(NodeId{1}, 7, Epoch{11});
  asked.OnRequest(NodeId{2}, 7, Epoch{12});
  asked.OnRequest(NodeId{1}, 8, Epoch{13});
  EXPECT_EQ(asked.OnReply(NodeId{1}, 7, ReplyCode::kOk), Epoch{11});
  EXPECT_EQ(asked.OnReply(NodeId{1}, 7, ReplyCode::kOk), Epoch{5}) << "a second one is of the request that is behind the fence";
}

// Machines 0 to 2 are up, 3 joins.
cluster::Topology FourthJoins(const ClusterOptions& options) {
  const auto first = cluster::DecodeTopology(FirstTopologyOf(options));
  cluster::TopologyChange change(*first);
  EXPECT_OK(change.AddMember({.id = NodeId{4}, .address = AddressOf(3, 0)}));
  cluster::Placement target = first->target;
  target.SetReplicas(PartitionId{0}, std::vector<NodeId>{NodeId{1}, NodeId{2}, NodeId{4}});
  EXPECT_OK(change.SetTarget(target));
  EXPECT_OK(change.StartMove(PartitionId{0}));
  return change.topology();
}

// What the operator makes of it, with machine 3 wiped once.
cluster::Topology AfterItsLook(const ClusterOptions& options, const cluster::Topology& topology) {
  ClusterRun run(options);
  run.wipes[3] = 1;
  ClusterOperator one(&run, 1);
  Actions actions;
  one.OnStore({StoreReply::Kind::kRead, 1, false, 9, EncodeTopology(topology)}, {}, &actions);
  if (actions.list().size() != 1 || actions.list()[0].kind != Actions::Kind::kSwapStore) {
    ADD_FAILURE() << "it did not change the topology once";
    return topology;
  }
  return cluster::DecodeTopology(actions.list()[0].bytes).value();
}

// Seed 2000822 and 19 more: a machine that loses its disk while it joins was nobody's care; what was to move to it waited for ever.
// An administrator replaces it; the simulated one lets it have nothing, and then takes it out.
TEST(ClusterOperatorTest, AMachineThatLosesItsDiskWhileItJoinsIsGivenUp) {
  ClusterOptions options;
  options.nodes = 3;
  options.spares = 1;
  options.wipes = true;
  options.partition_bits = 0;
  EXPECT_FALSE(AfterItsLook(options, FourthJoins(options)).target.IsReplica(PartitionId{0}, NodeId{4}));
}

// Seed 8054916: a machine that had been given up while it joined, and had joined again, was replaced by itself once more. Of two
// members of one machine the process is one only, and what was to move to the other waited for ever.
TEST(ClusterOperatorTest, AMachineThatHasJoinedAgainIsNotAddedTwice) {
  ClusterOptions options;
  options.nodes = 3;
  options.spares = 1;
  options.wipes = true;
  options.partition_bits = 0;
  cluster::TopologyChange change(FourthJoins(options));
  ASSERT_OK(change.AbortMove(PartitionId{0}));
  ASSERT_OK(change.SetState(NodeId{4}, MemberState::kUp));
  ASSERT_OK(change.AddMember({.id = NodeId{5}, .address = AddressOf(3, 1)}));
  const cluster::Topology next = AfterItsLook(options, change.topology());
  EXPECT_EQ(next.members.size(), 5u);
  EXPECT_EQ(next.Find(NodeId{4})->state, MemberState::kLeaving);
}

// Seed 9511389: a machine had lost its disk before anything moved to it, and was given up. Without its weight another one's share was
// a whole copy, and nobody planned anew.
TEST(ClusterOperatorTest, WithoutAMemberThatHadNothingSharesAreOthers) {
  ClusterOptions options;
  options.nodes = 3;
  options.spares = 2;
  options.wipes = true;
  options.is_weighted = true;  // 1, 3, 5, 2, 4
  options.partition_bits = 0;
  const auto first = cluster::DecodeTopology(FirstTopologyOf(options));
  ASSERT_OK(first.status());
  cluster::TopologyChange change(*first);
  ASSERT_OK(change.AddMember({.id = NodeId{4}, .weight = 2, .address = AddressOf(3, 0)}));
  ASSERT_OK(change.AddMember({.id = NodeId{5}, .weight = 4, .address = AddressOf(4, 0)}));
  const cluster::Topology next = AfterItsLook(options, change.topology());
  EXPECT_EQ(next.Find(NodeId{4})->state, MemberState::kRemoved);
  EXPECT_TRUE(next.target.IsReplica(PartitionId{0}, NodeId{5}));
}

// Seed 8003353: a throw decided each time, also when the faults were over, whether the operator looked at the settings. Eight in a
// row said no, so that a namespace was still missing when everything was read.
TEST(ClusterOperatorTest, NamespacesThatAreMissingComeAsSoonAsItIsCalm) {
  ClusterOptions options;
  options.namespaces = {{"a", ConflictPolicy::kLww, 2, 2, false}, {"b", ConflictPolicy::kSiblings, 2, 2, true}};
  const std::string bytes = EncodeRecord(options, {FirstSettingsOf(options), FirstTopologyOf(options)});
  for (uint64_t seed = 0; seed < 20; ++seed) {
    ClusterRun run(options);
    run.calm_since = 1;
    ClusterOperator one(&run, seed);
    Actions actions;
    one.OnStore({StoreReply::Kind::kRead, 1, false, 9, bytes}, {}, &actions);
    ASSERT_EQ(actions.list().size(), 1u) << seed;
    const auto settings = cluster::DecodeClusterSettings(SplitRecord(options, actions.list()[0].bytes).settings);
    ASSERT_OK(settings.status());
    EXPECT_TRUE(settings->namespaces.contains("b"));
  }
}

// Seed 8007481: no machine reached the topology store until the faults were almost over, so none was a member; of 331 requests
// two were asked of one that was. Here all are refused, and nodes begin when the clients have ended.
TEST(ClusterScenarioTest, NobodyNeedAcknowledgeWhatNoMemberHasBeenAskedFor) {
  ClusterOptions options;
  options.store_period = 7 * kSecond;
  ClusterScenario scenario(options);
  const Schedule schedule = {{FaultKind::kStoreNoReply, 0, options.least, 0, 0, 0}};
  EXPECT_OK(World(&scenario, 1, schedule, WorldOptionsFor(options)).Run().status);
  EXPECT_GT(scenario.run().history.operations().size(), 200u);
  EXPECT_EQ(scenario.run().history.acknowledged(), 0u);
}

}  // namespace cluster_findings_test
}  // namespace varve::sim
