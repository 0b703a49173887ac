// Every check of TopologyWatch with versions that are right, and with some made by hand that are not.
#include "sim/topology_watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/topology_change.h"
#include "tests/support/status_matchers.h"

namespace varve::sim {
namespace topology_watch_test {

using cluster::Epoch;
using cluster::MemberState;
using cluster::MoveStage;
using cluster::NodeId;
using cluster::PartitionId;
using cluster::Topology;
using cluster::TopologyChange;

constexpr PartitionId kPartition{0};

std::vector<NodeId> Nodes(const std::vector<uint64_t>& ids) {
  std::vector<NodeId> nodes;
  for (const uint64_t id : ids) nodes.push_back(NodeId{id});
  return nodes;
}

// One partition on nodes 1 to 3 of six, which are two in each rack.
class TopologyWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TopologyChange first(cluster::NewTopology(7, 0, 3));
    for (uint64_t id = 1; id <= 6; ++id) {
      ASSERT_OK(first.AddMember({.id = NodeId{id}, .rack = std::string(1, static_cast<char>('a' + id % 3)), .address = "x"}));
      ASSERT_OK(first.SetState(NodeId{id}, MemberState::kUp));
      ASSERT_OK(first.GiveActor(NodeId{id}));
    }
    now_ = first.topology();
    Aim({1, 2, 3});
    ASSERT_OK(Take(now_));
  }
  void Aim(const std::vector<uint64_t>& ids) {
    cluster::Placement target(0, 3);
    target.SetReplicas(kPartition, Nodes(ids));
    TopologyChange change(now_);
    ASSERT_OK(change.SetTarget(target));
    now_ = change.topology();
  }
  Status Take(const Topology& topology) {
    now_ = topology;
    return watch_.OnVersion(EncodeTopology(topology));
  }
  Topology Started() const {
    TopologyChange change(now_);
    EXPECT_OK(change.StartMove(kPartition));
    return change.topology();
  }
  Topology Advanced() const {
    cluster::MoveEvidence evidence{.fenced = Nodes({1, 2, 3, 4, 5, 6})};
    for (const NodeId target : evidence.fenced) {
      for (const NodeId source : evidence.fenced) evidence.merged.push_back({target, source});
    }
    TopologyChange change(now_);
    EXPECT_OK(change.AdvanceMove(kPartition, {2, 2}, evidence));
    return change.topology();
  }
  // What it says of `wrong` as the next version; it then goes on from the one before.
  ::testing::AssertionResult Breaks(Topology wrong, const std::string& what) {
    wrong.epoch = Epoch{Value(now_.epoch) + 1};
    TopologyWatch watch = watch_;
    const Status status = watch.OnVersion(EncodeTopology(wrong));
    const bool does = status.IsCorruption() && status.ToString().find("I10") != std::string::npos &&
                      status.ToString().find(what) != std::string::npos;
    return does ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << status.ToString();
  }
  ::testing::AssertionResult IsPlanned(uint32_t copies, bool expected) const {
    const Status status = watch_.CheckPlanned(copies);
    return status.ok() == expected ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << status.ToString();
  }

  Topology now_;
  TopologyWatch watch_;
};

TEST_F(TopologyWatchTest, AMovePassesInAllItsStages) {
  Aim({4, 5, 6});
  ASSERT_OK(Take(now_));
  ASSERT_OK(Take(Started()));
  ASSERT_OK(Take(Advanced()));
  ASSERT_OK(Take(Advanced()));
  EXPECT_TRUE(now_.moves.empty());
  EXPECT_OK(watch_.CheckSettled());
  // Another order is no move; one that ends, and the next one, may be one version; one that copies may be taken back.
  Aim({6, 5, 4});
  ASSERT_OK(Take(Started()));
  Aim({1, 5, 4});
  ASSERT_OK(Take(Started()));
  ASSERT_OK(Take(Advanced()));
  Aim({1, 2, 4});
  now_ = Advanced();
  ASSERT_OK(Take(Started()));
  TopologyChange back(now_);
  ASSERT_OK(back.AbortMove(kPartition));
  EXPECT_OK(Take(back.topology()));
}

TEST_F(TopologyWatchTest, CopiesChangeByAFinishedMoveAlone) {
  Topology wrong = now_;
  const auto jump = [&] {
    wrong.placement.SetReplicas(kPartition, Nodes({4, 5, 6}));
    wrong.since[0] = Epoch{Value(now_.epoch) + 1};
    wrong.moves.clear();
  };
  jump();
  EXPECT_TRUE(Breaks(wrong, "no move was at its end"));
  Aim({4, 5, 6});
  ASSERT_OK(Take(Started()));
  wrong = now_;
  jump();
  EXPECT_TRUE(Breaks(wrong, "no move was at its end")) << "it copies yet";
  ASSERT_OK(Take(Advanced()));
  wrong = now_;
  jump();
  EXPECT_FALSE(Breaks(wrong, "")) << "this is what the move is for";
  wrong.placement.SetReplicas(kPartition, Nodes({2, 5, 6}));
  EXPECT_TRUE(Breaks(wrong, "no move was at its end")) << "it went somewhere else";
}

TEST_F(TopologyWatchTest, VersionsOfAPartitionGoForwards) {
  Aim({4, 5, 6});
  ASSERT_OK(Take(Started()));
  Topology wrong = now_;
  wrong.since[0] = Epoch{Value(now_.since[0]) - 1};
  EXPECT_TRUE(Breaks(wrong, "goes back"));
  wrong = Advanced();
  wrong.since = now_.since;
  EXPECT_TRUE(Breaks(wrong, "the same version")) << "nobody would be fenced";
}

TEST_F(TopologyWatchTest, MovesGoThroughTheirStages) {
  Aim({4, 5, 6});
  ASSERT_OK(Take(now_));
  Topology wrong = Started();
  wrong.moves[0].stage = MoveStage::kSettle;
  EXPECT_TRUE(Breaks(wrong, "before it copies"));
  ASSERT_OK(Take(Started()));
  wrong = Advanced();
  wrong.moves[0].next = Nodes({4, 5});
  EXPECT_TRUE(Breaks(wrong, "before it copies")) << "others than those that were filled";
  ASSERT_OK(Take(Advanced()));
  wrong = now_;
  wrong.moves.clear();
  wrong.since[0] = Epoch{Value(now_.epoch) + 1};
  EXPECT_TRUE(Breaks(wrong, "too late"));
  wrong.moves = now_.moves;
  wrong.moves[0].stage = MoveStage::kCopy;
  EXPECT_TRUE(Breaks(wrong, "too late"));
}

TEST_F(TopologyWatchTest, InTheEndAPlanWouldMoveNothing) {
  EXPECT_TRUE(IsPlanned(3, true));
  EXPECT_TRUE(IsPlanned(2, false)) << "a copy too many";
  EXPECT_TRUE(IsPlanned(4, false));
  TopologyChange leaves(now_);
  ASSERT_OK(leaves.SetState(NodeId{2}, MemberState::kLeaving));
  Topology next = leaves.topology();
  ASSERT_OK(Take(next));
  EXPECT_TRUE(IsPlanned(3, false)) << "who leaves holds one";
  // Two copies in one rack, where there are three racks.
  TopologyWatch other;
  now_.members[1].state = MemberState::kUp;
  now_.placement.SetReplicas(kPartition, Nodes({1, 4, 3}));
  ASSERT_OK(other.OnVersion(EncodeTopology(now_)));
  EXPECT_TRUE(other.CheckPlanned(3).IsCorruption());
}

}  // namespace topology_watch_test
}  // namespace varve::sim
