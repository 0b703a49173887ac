// Every check of AckWatch with acknowledgements that are right, and with some that break it.
#include "sim/cluster_acks.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/topology_change.h"
#include "tests/support/status_matchers.h"

namespace varve::sim {
namespace cluster_acks_test {

using cluster::ActorId;
using cluster::CausalContext;
using cluster::Epoch;
using cluster::Level;
using cluster::NodeId;
using cluster::PartitionId;
using Kind = Acknowledgement::Kind;

constexpr PartitionId kPartition{0};

CausalContext Dots(uint64_t counter) {
  CausalContext context;
  context.Raise(ActorId{1}, counter);
  return context;
}

class AckWatchTest : public ::testing::Test {
 protected:
  // Nodes 1 to 3 hold the partition; then it moves to 3, 4 and 5, in three versions.
  void SetUp() override {
    cluster::TopologyChange first(cluster::NewTopology(7, 0, 3));
    for (uint64_t id = 1; id <= 5; ++id) ASSERT_OK(first.AddMember({.id = NodeId{id}, .address = "a"}));
    Aim(&first, {NodeId{1}, NodeId{2}, NodeId{3}});
    Take(first.topology(), &none_);
    cluster::TopologyChange second(topology_);
    Aim(&second, {NodeId{3}, NodeId{4}, NodeId{5}});
    for (const uint64_t id : {3, 4, 5}) static_cast<void>(second.GiveActor(NodeId{id}));
    ASSERT_OK(second.StartMove(kPartition));
    Take(second.topology(), &copy_);
    Advance({.merged = Merges()}, &settle_);
    Advance({.fenced = {NodeId{1}, NodeId{2}}}, &after_);
  }
  static void Aim(cluster::TopologyChange* change, const std::vector<NodeId>& nodes) {
    cluster::Placement target(0, 3);
    target.SetReplicas(kPartition, nodes);
    ASSERT_OK(change->SetTarget(target));
  }
  static std::vector<cluster::MoveEvidence::Merge> Merges() {
    std::vector<cluster::MoveEvidence::Merge> merges;
    for (const uint64_t target : {4, 5}) {
      for (const uint64_t source : {1, 2, 3}) merges.push_back({NodeId{target}, NodeId{source}});
    }
    return merges;
  }
  void Advance(const cluster::MoveEvidence& evidence, Epoch* since) {
    cluster::TopologyChange change(topology_);
    ASSERT_OK(change.AdvanceMove(kPartition, {2, 2}, evidence));
    Take(change.topology(), since);
  }
  void Take(const cluster::Topology& topology, Epoch* since) {
    topology_ = topology;
    *since = topology.since[0];
    watch_.OnTopology(topology);
  }

  void Ack(Kind kind, Epoch since, const std::vector<uint64_t>& nodes, uint64_t dots = 1, uint64_t to = 9) {
    for (const uint64_t node : nodes) {
      watch_.OnAcknowledged("k", {.kind = kind, .replica = NodeId{node}, .to = NodeId{to}, .since = since, .at = ++now_,
                                  .context = Dots(dots)});
    }
  }
  void Hint(uint64_t owner, uint64_t keeper) {
    watch_.OnAcknowledged("k", {.kind = Kind::kHint, .replica = NodeId{owner}, .keeper = NodeId{keeper}, .to = NodeId{9},
                                .since = none_, .at = ++now_, .context = Dots(1)});
  }
  AnsweredRequest Answer(bool is_write, Level level = Level::kQuorum) const {
    return {.partition = kPartition, .key = "k", .coordinator = NodeId{9}, .is_write = is_write, .level = level,
            .begun = begun_, .written = Dots(1)};
  }
  // Told now, and the next one begins.
  Status Tell(const AnsweredRequest& answer) {
    const Status status = watch_.OnAnswered(answer, ++now_);
    begun_ = ++now_;
    return status;
  }
  static ::testing::AssertionResult Breaks(const Status& status, const std::string& invariant) {
    const bool does = status.IsCorruption() && status.ToString().find(invariant) != std::string::npos;
    return does ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << status.ToString();
  }

  AckWatch watch_;
  cluster::Topology topology_;
  Epoch none_{}, copy_{}, settle_{}, after_{};
  Nanos now_ = 0;
  Nanos begun_ = 1;
};

TEST_F(AckWatchTest, WritesNeedAQuorumOfEachSet) {
  Ack(Kind::kWrite, none_, {1, 2});
  EXPECT_OK(Tell(Answer(true)));
  Ack(Kind::kWrite, none_, {1});
  EXPECT_OK(Tell(Answer(true, Level::kOne)));
  Ack(Kind::kWrite, none_, {1});
  EXPECT_TRUE(Breaks(Tell(Answer(true)), "I9"));
  Ack(Kind::kWrite, none_, {1, 2});
  EXPECT_TRUE(Breaks(Tell(Answer(true, Level::kAll)), "I9"));
  Ack(Kind::kWrite, copy_, {1, 2});
  EXPECT_TRUE(Breaks(Tell(Answer(true)), "I9")) << "the next set";
  Ack(Kind::kWrite, copy_, {1, 3, 4});
  EXPECT_OK(Tell(Answer(true)));
  Ack(Kind::kWrite, none_, {1});
  Ack(Kind::kWrite, copy_, {3, 4});
  EXPECT_TRUE(Breaks(Tell(Answer(true)), "I9")) << "of two versions";
}

TEST_F(AckWatchTest, OnlyWhatIsMeantCounts) {
  Ack(Kind::kWrite, none_, {1, 2}, 0);
  EXPECT_TRUE(Breaks(Tell(Answer(true)), "I9")) << "another write";
  Ack(Kind::kWrite, none_, {1, 2}, 1, 8);
  EXPECT_TRUE(Breaks(Tell(Answer(true)), "I9")) << "to another coordinator";
  Ack(Kind::kWrite, none_, {1, 2});
  begun_ = ++now_;
  EXPECT_TRUE(Breaks(Tell(Answer(true)), "I9")) << "before it began";
  Ack(Kind::kWrite, none_, {1});
  Ack(Kind::kHint, none_, {2});
  EXPECT_TRUE(Breaks(Tell(Answer(true)), "I9")) << "a hint that nobody asked for";
  Ack(Kind::kWrite, none_, {1});
  Ack(Kind::kHint, none_, {2});
  AnsweredRequest sloppy = Answer(true);
  sloppy.sloppy = true;
  EXPECT_OK(Tell(sloppy));
  Ack(Kind::kWrite, none_, {2});
  AnsweredRequest own = Answer(true);
  own.coordinator = NodeId{9};
  own.own_since = none_;
  EXPECT_TRUE(Breaks(Tell(own), "I9")) << "it is no replica";
}

TEST_F(AckWatchTest, AFallbackCountsOnce) {
  AnsweredRequest sloppy = Answer(true, Level::kAll);
  const auto tell = [&] {
    sloppy.sloppy = true;
    const Status status = Tell(sloppy);
    sloppy.begun = begun_;
    return status;
  };
  Ack(Kind::kWrite, none_, {1});
  Hint(2, 4);
  Hint(3, 4);
  EXPECT_TRUE(Breaks(tell(), "I9")) << "two hints at one node";
  Ack(Kind::kWrite, none_, {1});
  Hint(2, 4);
  Hint(3, 5);
  EXPECT_OK(tell());
  // The first keeper has answered late, and the second one was asked instead.
  Ack(Kind::kWrite, none_, {1});
  Hint(2, 4);
  Hint(2, 5);
  Hint(3, 4);
  EXPECT_OK(tell());
  Hint(2, 4);
  Hint(3, 4);
  Ack(Kind::kWrite, none_, {1, 3});
  EXPECT_OK(tell()) << "one of them has it itself";
}

TEST_F(AckWatchTest, ReadsNeedAQuorumOfTheSetThatIsRead) {
  Ack(Kind::kRead, copy_, {1, 2});
  EXPECT_OK(Tell(Answer(false)));
  Ack(Kind::kRead, copy_, {3, 4});
  EXPECT_TRUE(Breaks(Tell(Answer(false)), "I9"));
  Ack(Kind::kRead, settle_, {3, 4});
  EXPECT_OK(Tell(Answer(false)));
  Ack(Kind::kRead, copy_, {1, 2});
  EXPECT_TRUE(Breaks(Tell(Answer(false, Level::kLinear)), "I9"));
  Ack(Kind::kRead, copy_, {1, 3, 5});
  EXPECT_OK(Tell(Answer(false, Level::kLinear)));
}

TEST_F(AckWatchTest, NoQuorumOfAnOldVersionComesAboutBehindALaterOne) {
  Ack(Kind::kWrite, after_, {4, 5});
  EXPECT_OK(Tell(Answer(true)));
  Ack(Kind::kRead, copy_, {1, 3});
  Ack(Kind::kRead, copy_, {2});
  EXPECT_TRUE(Breaks(Tell(Answer(false)), "I9"));
}

TEST_F(AckWatchTest, WhatBeganBeforeOrMeetsItMay) {
  const Nanos long_ago = begun_;
  Ack(Kind::kWrite, after_, {4, 5});
  EXPECT_OK(Tell(Answer(true)));
  begun_ = long_ago;
  Ack(Kind::kRead, copy_, {1, 2});
  EXPECT_OK(Tell(Answer(false)));
  Ack(Kind::kWrite, after_, {3, 4});
  EXPECT_OK(Tell(Answer(true)));
  Ack(Kind::kRead, after_, {3, 5});
  EXPECT_OK(Tell(Answer(false)));
}

TEST_F(AckWatchTest, OnlyWhoIsReadMakesDots) {
  EXPECT_OK(watch_.OnUpdateAsked(NodeId{1}, kPartition, copy_));
  EXPECT_TRUE(Breaks(watch_.OnUpdateAsked(NodeId{4}, kPartition, copy_), "I8"));
  EXPECT_OK(watch_.OnUpdateMade(NodeId{4}, kPartition, settle_));
  EXPECT_TRUE(Breaks(watch_.OnUpdateMade(NodeId{1}, kPartition, settle_), "I8"));
}

}  // namespace cluster_acks_test
}  // namespace varve::sim
