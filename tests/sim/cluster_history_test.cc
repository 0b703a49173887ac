// Every check of the oracle against a history that is right, and against one that breaks it.
#include "sim/cluster_history.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/cluster_checks.h"
#include "cluster/topology_change.h"
#include "sim/topology_watch.h"
#include "tests/support/status_matchers.h"

namespace varve::sim {
namespace cluster_history_test {

using cluster::ActorId;
using cluster::ConflictPolicy;
using cluster::Dot;
using cluster::Epoch;
using cluster::KeyState;
using cluster::Level;
using cluster::NodeId;
using cluster::Outcome;
using cluster::PartitionId;
using cluster::SeenContext;
using Kind = ClientOperation::Kind;

constexpr Dot A(uint64_t counter) { return {ActorId{1}, counter}; }
constexpr Dot B(uint64_t counter) { return {ActorId{2}, counter}; }

// The status names the invariant.
#define EXPECT_BREAKS(invariant, expression)                                          \
  do {                                                                                \
    const Status broken = (expression);                                               \
    EXPECT_TRUE(broken.IsCorruption()) << broken.ToString();                          \
    EXPECT_NE(broken.ToString().find(invariant), std::string::npos) << broken.ToString(); \
  } while (false)

class ClusterHistoryTest : public ::testing::Test {
 protected:
  static HistoryOptions Options(ConflictPolicy policy = ConflictPolicy::kSiblings, bool moves = false) {
    HistoryOptions options;
    options.policy = policy;
    options.moves = moves;
    options.partition_of = [](std::string_view) { return PartitionId{0}; };
    return options;
  }
  static SeenContext Seen(const std::vector<Dot>& dots) {
    SeenContext seen;
    for (const Dot& dot : dots) seen.context.Add(dot);
    return seen;
  }
  size_t BeginPut(const std::string& value, const std::vector<Dot>& brought = {}, Level level = Level::kQuorum,
                  const std::string& key = "k") {
    return history_.Begin({.kind = Kind::kPut, .key = key, .value = value, .level = level, .brought = Seen(brought),
                           .begun = ++now_});
  }
  size_t BeginDelete(const std::vector<Dot>& brought) {
    return history_.Begin({.kind = Kind::kDelete, .key = "k", .brought = Seen(brought), .begun = ++now_});
  }
  size_t BeginGet(Level level = Level::kQuorum) {
    return history_.Begin({.kind = Kind::kGet, .key = "k", .level = level, .begun = ++now_});
  }
  Status EndWrite(size_t number, const std::vector<Dot>& seen, Outcome outcome = Outcome::kOk) {
    return history_.End(number, ++now_, outcome, Seen(seen), {});
  }
  Status EndGet(size_t number, std::vector<std::string> values, const std::vector<Dot>& seen) {
    return history_.End(number, ++now_, Outcome::kOk, Seen(seen), std::move(values));
  }
  Status Put(const std::string& value, Dot dot, std::vector<Dot> brought = {}, Level level = Level::kQuorum) {
    const size_t number = BeginPut(value, brought, level);
    brought.push_back(dot);
    return EndWrite(number, brought);
  }
  Status Get(std::vector<std::string> values, const std::vector<Dot>& seen, Level level = Level::kQuorum) {
    return EndGet(BeginGet(level), std::move(values), seen);
  }
  static KeyState StateWith(const std::string& value, Dot dot) {
    KeyState state;
    state.Put({}, dot, value, 0, ConflictPolicy::kSiblings);
    return state;
  }

  Nanos now_ = 0;
  ClusterHistory history_{Options()};
};

TEST_F(ClusterHistoryTest, WhatIsRightPasses) {
  ASSERT_OK(Put("v1", A(1)));
  ASSERT_OK(Put("v2", B(1)));
  ASSERT_OK(Get({"v1", "v2"}, {A(1), B(1)}));
  ASSERT_OK(Put("v3", A(2), {A(1), B(1)}));
  ASSERT_OK(Get({"v3"}, {A(1), A(2), B(1)}, Level::kLinear));
  const size_t unknown = BeginPut("v4");
  ASSERT_OK(EndWrite(unknown, {}, Outcome::kUnknown));
  ASSERT_OK(history_.OnStored("k", StateWith("v4", B(2))));
  ASSERT_OK(Get({"v3", "v4"}, {A(1), A(2), B(1), B(2)}, Level::kLinear));
  const size_t deleted = BeginDelete({A(1), A(2), B(1), B(2)});
  ASSERT_OK(EndWrite(deleted, {A(1), A(2), A(3), B(1), B(2)}));
  ASSERT_OK(Get({}, {A(1), A(2), A(3), B(1), B(2)}));
  KeyState end;
  end.Fill([] {
    cluster::VersionVector floor;
    floor.Raise(ActorId{1}, 3);
    floor.Raise(ActorId{2}, 2);
    return floor;
  }());
  EXPECT_OK(history_.CheckFinal("k", end));
  EXPECT_EQ(history_.acknowledged(), 4u);
  EXPECT_EQ(history_.answered(), 4u);
  EXPECT_EQ(history_.Keys(), std::vector<std::string>{"k"});
}

TEST_F(ClusterHistoryTest, I1AcknowledgedWritesAreThereInTheEnd) {
  ASSERT_OK(Put("v1", A(1)));
  EXPECT_BREAKS("I1", history_.CheckFinal("k", KeyState()));
  EXPECT_OK(history_.CheckFinal("k", StateWith("v1", A(1))));
  // Known and not there, and nobody has overwritten it.
  KeyState empty;
  empty.Delete({}, A(1), 0, ConflictPolicy::kSiblings);
  EXPECT_BREAKS("I3", history_.CheckFinal("k", empty));
}

TEST_F(ClusterHistoryTest, I2ReadsSeeAcknowledgedWrites) {
  const size_t early = BeginGet();
  ASSERT_OK(Put("v1", A(1)));
  EXPECT_OK(EndGet(early, {}, {}));  // begun before
  EXPECT_BREAKS("I2", Get({}, {}));
  EXPECT_BREAKS("I2", Get({}, {}, Level::kLinear));
  EXPECT_BREAKS("I2", Get({}, {}, Level::kAll));
  EXPECT_OK(Get({}, {}, Level::kOne));
}

TEST_F(ClusterHistoryTest, I2OfOneAndAllWithoutMovesOnly) {
  ASSERT_OK(Put("v1", A(1), {}, Level::kAll));
  EXPECT_BREAKS("I2", Get({}, {}, Level::kOne));
  history_ = ClusterHistory(Options(ConflictPolicy::kSiblings, true));
  ASSERT_OK(Put("v1", A(1), {}, Level::kAll));
  EXPECT_OK(Get({}, {}, Level::kOne));
  EXPECT_BREAKS("I2", Get({}, {}));
}

TEST_F(ClusterHistoryTest, I2NotOfSloppyWrites) {
  const size_t sloppy = history_.Begin({.kind = Kind::kPut, .key = "k", .value = "v1", .sloppy = true, .begun = ++now_});
  ASSERT_OK(EndWrite(sloppy, {A(1)}));
  EXPECT_OK(Get({}, {}));
}

TEST_F(ClusterHistoryTest, I3WhatIsOverwrittenIsNotShown) {
  ASSERT_OK(Put("v1", A(1)));
  ASSERT_OK(Put("v2", B(1), {A(1)}));
  EXPECT_BREAKS("I3", Get({"v1", "v2"}, {A(1), B(1)}));
  EXPECT_BREAKS("I3", Get({"v1"}, {A(1), B(1)}));
  EXPECT_OK(Get({"v2"}, {A(1), B(1)}));
  KeyState end = StateWith("v1", A(1));
  end.Merge(StateWith("v2", B(1)), ConflictPolicy::kSiblings);
  EXPECT_BREAKS("I3", history_.CheckFinal("k", end));
}

TEST_F(ClusterHistoryTest, I3WhatNobodyOverwroteIsShown) {
  ASSERT_OK(Put("v1", A(1)));
  ASSERT_OK(Put("v2", B(1)));
  EXPECT_BREAKS("I3", Get({"v2"}, {A(1), B(1)}));
  EXPECT_OK(Get({"v2", "v1"}, {A(1), B(1)}));
  EXPECT_BREAKS("I3", Get({"v2", "v1", "v1"}, {A(1), B(1)}));
}

TEST_F(ClusterHistoryTest, I3AnOverwriterThatIsNotInTheContextDoesNotCount) {
  ASSERT_OK(Put("v1", A(1)));
  const size_t put = BeginPut("v2", {A(1)});
  ASSERT_OK(EndWrite(put, {A(1), B(1)}, Outcome::kUnknown));
  EXPECT_BREAKS("I3", Get({}, {A(1)}));
  EXPECT_OK(Get({"v1"}, {A(1)}));
  EXPECT_OK(Get({"v2"}, {A(1), B(1)}));
}

TEST_F(ClusterHistoryTest, I3AnUnknownWriteMayVanishUntilItIsSeen) {
  ASSERT_OK(EndWrite(BeginPut("v1"), {A(1)}, Outcome::kUnknown));
  EXPECT_OK(Get({}, {A(1)}));
  EXPECT_OK(Get({"v1"}, {A(1)}));
  EXPECT_BREAKS("I3", Get({}, {A(1)}));
}

TEST_F(ClusterHistoryTest, I3ADeleteOfWhichNothingIsKnownMayHaveHappened) {
  ASSERT_OK(Put("v1", A(1)));
  const size_t deleted = BeginDelete({A(1)});
  EXPECT_OK(Get({"v1"}, {A(1)}));
  EXPECT_OK(Get({}, {A(1), B(1)}));
  ASSERT_OK(EndWrite(deleted, {}, Outcome::kFailed));
  EXPECT_BREAKS("I3", Get({}, {A(1), B(1)}));
}

TEST_F(ClusterHistoryTest, I3ContextsNameWhatTheirClientsHaveSeen) {
  ASSERT_OK(Put("v1", A(1)));
  EXPECT_BREAKS("I3", EndWrite(BeginPut("v2"), {A(1), B(7)}));         // two
  EXPECT_BREAKS("I3", EndWrite(BeginPut("v4", {A(1)}), {A(1)}));       // no dot at all
  EXPECT_BREAKS("I3", EndGet(BeginGet(Level::kOne), {"v1"}, {B(1)}));  // shows what the context lacks
}

TEST_F(ClusterHistoryTest, I4ValuesBelongToTheirKeys) {
  ASSERT_OK(EndWrite(BeginPut("v1", {}, Level::kQuorum, "other"), {A(1)}));
  EXPECT_BREAKS("I4", Get({"v1"}, {A(1)}));
  EXPECT_BREAKS("I4", Get({"nobody's"}, {A(1)}));
  EXPECT_BREAKS("I4", history_.OnStored("k", StateWith("v1", A(1))));
  EXPECT_OK(history_.OnStored("other", StateWith("v1", A(1))));
}

TEST_F(ClusterHistoryTest, I5LinearReadsFormAChain) {
  const size_t first = BeginPut("v1");
  ASSERT_OK(EndWrite(first, {A(1)}, Outcome::kUnknown));
  const size_t second = BeginPut("v2");
  ASSERT_OK(EndWrite(second, {B(1)}, Outcome::kUnknown));
  const size_t beside = BeginGet(Level::kLinear);
  ASSERT_OK(Get({"v1"}, {A(1)}, Level::kLinear));
  EXPECT_BREAKS("I5", EndGet(beside, {"v2"}, {B(1)}));
  EXPECT_BREAKS("I5", Get({}, {}, Level::kLinear));  // goes back
  EXPECT_OK(Get({}, {}));                            // a quorum promises no chain
}

TEST_F(ClusterHistoryTest, I7WhatWasDeletedDoesNotComeBack) {
  ASSERT_OK(Put("v1", A(1)));
  ASSERT_OK(EndWrite(BeginDelete({A(1)}), {A(1), B(1)}));
  EXPECT_BREAKS("I3", Get({"v1"}, {A(1), B(1)}));  // beside its delete
  EXPECT_BREAKS("I2", Get({"v1"}, {A(1)}));        // the delete is forgotten
}

TEST_F(ClusterHistoryTest, I8ADotNamesOneWrite) {
  ASSERT_OK(Put("v1", A(1)));
  EXPECT_BREAKS("I8", EndWrite(BeginPut("v2", {}, Level::kQuorum, "other"), {A(1)}));
  EXPECT_BREAKS("I8", history_.OnStored("k", StateWith("v1", A(2))));  // one write, two dots
}

TEST_F(ClusterHistoryTest, I13WhatFailedIsNeverSeen) {
  const size_t first = BeginPut("v1");
  ASSERT_OK(EndWrite(first, {}, Outcome::kFailed));
  EXPECT_BREAKS("I13", history_.OnStored("k", StateWith("v1", A(1))));
  EXPECT_BREAKS("I13", Get({"v1"}, {A(1)}));
  const size_t second = BeginPut("v2");
  ASSERT_OK(history_.OnStored("k", StateWith("v2", A(2))));
  EXPECT_BREAKS("I13", EndWrite(second, {}, Outcome::kFailed));
  EXPECT_BREAKS("I13", EndWrite(second, {}, Outcome::kFailed));  // told twice
}

TEST_F(ClusterHistoryTest, WhatMayBeLost) {
  HistoryOptions options = Options();
  options.losses = true;
  history_ = ClusterHistory(options);
  ASSERT_OK(Put("v1", A(1), {}, Level::kOne));
  EXPECT_OK(Get({}, {}, Level::kAll));
  EXPECT_OK(history_.CheckFinal("k", KeyState()));
  ASSERT_OK(Put("v2", A(2)));
  EXPECT_BREAKS("I2", Get({}, {}, Level::kAll));
  EXPECT_BREAKS("I1", history_.CheckFinal("k", KeyState()));
  options.forgets = true;
  history_ = ClusterHistory(options);
  ASSERT_OK(Put("v1", A(1)));
  EXPECT_OK(Get({}, {}, Level::kAll));
  EXPECT_OK(history_.CheckFinal("k", KeyState()));
  EXPECT_BREAKS("I3", Get({}, {A(1)}));  // one may forget both, and not the value alone
}

// A replica that nobody heard was given up by a move: so much as one lost disk.
TEST_F(ClusterHistoryTest, WhatACopyThatWasGivenUpAloneHadMayBeLost) {
  ASSERT_OK(Put("v1", A(1), {}, Level::kOne));
  EXPECT_BREAKS("I1", history_.CheckFinal("k", KeyState()));
  history_.OnGivenUp(PartitionId{1});
  EXPECT_BREAKS("I1", history_.CheckFinal("k", KeyState()));  // of another partition
  history_.OnGivenUp(PartitionId{0});
  EXPECT_OK(history_.CheckFinal("k", KeyState()));
  ASSERT_OK(Put("v2", A(2), {}, Level::kOne));
  EXPECT_BREAKS("I1", history_.CheckFinal("k", KeyState()));  // made since
  history_.OnGivenUp(PartitionId{0});
  EXPECT_OK(history_.CheckFinal("k", KeyState()));
  ASSERT_OK(Put("v3", A(3)));
  history_.OnGivenUp(PartitionId{0});
  EXPECT_BREAKS("I1", history_.CheckFinal("k", KeyState()));  // by a quorum
}

TEST_F(ClusterHistoryTest, LastWriterWins) {
  history_ = ClusterHistory(Options(ConflictPolicy::kLww));
  ASSERT_OK(Put("v1", A(1)));
  const size_t second = BeginPut("v2");
  SeenContext seen = Seen({B(1)});
  seen.stamp = 7;
  ASSERT_OK(history_.End(second, ++now_, Outcome::kOk, seen, {}));
  EXPECT_OK(Get({"v2"}, {A(1), B(1)}));  // v1 has lost
  const auto state = [](const std::string& value, Dot dot, Dot other, uint64_t stamp) {
    KeyState made;
    made.Put({}, other, "older", 1, ConflictPolicy::kLww);
    KeyState latest;
    latest.Put({}, dot, value, stamp, ConflictPolicy::kLww);
    made.Merge(latest, ConflictPolicy::kLww);
    return made;
  };
  EXPECT_OK(history_.CheckFinal("k", state("v2", B(1), A(1), 7)));
  EXPECT_BREAKS("I3", history_.CheckFinal("k", state("v1", A(1), B(1), 5)));
}

// After a machine was put back dots name several writes: what was written to which key is still known.
TEST_F(ClusterHistoryTest, OfMachinesThatWerePutBackLittleIsPromised) {
  HistoryOptions options = Options();
  options.repeats = true;
  history_ = ClusterHistory(options);
  ASSERT_OK(Put("v1", A(1)));
  ASSERT_OK(Put("v2", A(1)));
  EXPECT_OK(Get({"v2"}, {A(1)}));
  EXPECT_FALSE(history_.IsStored("v3"));
  EXPECT_BREAKS("I4", Get({"v3"}, {A(1)}));
}

TEST(ClusterChecksTest, I6ReplicasAreEqualWhateverTheirFloors) {
  ReplicaView one{NodeId{1}, {}, {}, 7};
  KeyState state;
  state.Put({}, A(3), "v", 0, ConflictPolicy::kSiblings);
  one.stored["k"] = state.Encode();
  ReplicaView other = one;
  other.node = NodeId{2};
  EXPECT_OK(CheckEqual({one, other, one}));
  other.root = 8;
  EXPECT_BREAKS("I6", CheckEqual({one, other}));
  // The other has a floor, and has stripped its states of it.
  other.floor.Raise(ActorId{1}, 3);
  KeyState stripped = state;
  stripped.Fill(other.floor);
  stripped.Strip(other.floor);
  other.stored["k"] = stripped.Encode();
  EXPECT_OK(CheckEqual({one, other}));
  state.Delete({}, B(1), 0, ConflictPolicy::kSiblings);
  one.stored["k"] = state.Encode();
  EXPECT_BREAKS("I6", CheckEqual({one, other}));
  other.stored.clear();
  EXPECT_BREAKS("I6", CheckEqual({one, other}));
}

TEST(ClusterChecksTest, I9EpochsGoForwardsAndFenceAcknowledgements) {
  EpochWatch watch;
  EXPECT_OK(watch.OnFenceWritten(NodeId{1}, PartitionId{2}, Epoch{5}));
  watch.OnFenceDurable(NodeId{1}, PartitionId{2}, Epoch{5});
  watch.OnFenceDurable(NodeId{1}, PartitionId{2}, Epoch{3});  // was on its way
  EXPECT_OK(watch.OnFenceWritten(NodeId{1}, PartitionId{3}, Epoch{1}));
  EXPECT_OK(watch.OnFenceWritten(NodeId{2}, PartitionId{2}, Epoch{1}));
  EXPECT_BREAKS("I9", watch.OnFenceWritten(NodeId{1}, PartitionId{2}, Epoch{4}));
  EXPECT_OK(watch.OnAcknowledged(NodeId{1}, PartitionId{2}, Epoch{5}));
  EXPECT_BREAKS("I9", watch.OnAcknowledged(NodeId{1}, PartitionId{2}, Epoch{4}));
  EXPECT_OK(watch.OnCompared(NodeId{1}, PartitionId{2}, Epoch{5}));
  EXPECT_BREAKS("I9", watch.OnCompared(NodeId{1}, PartitionId{2}, Epoch{6}));
  EXPECT_BREAKS("I9", watch.OnCompared(NodeId{1}, PartitionId{3}, Epoch{1}));
}

TEST(ClusterChecksTest, I10TopologiesFollowEachOther) {
  cluster::TopologyChange first(cluster::NewTopology(7, 1, 1));
  ASSERT_OK(first.AddMember({.id = NodeId{1}, .address = "a"}));
  TopologyWatch watch;
  EXPECT_OK(watch.OnVersion(EncodeTopology(first.topology())));
  EXPECT_OK(watch.CheckSettled());  // it joins, and there is nothing for it
  EXPECT_BREAKS("I10", watch.OnVersion("nonsense"));
  cluster::Placement target(1, 1);
  for (const uint16_t p : {0, 1}) target.SetReplicas(PartitionId{p}, std::vector<NodeId>{NodeId{1}});
  cluster::TopologyChange second(first.topology());
  ASSERT_OK(second.SetTarget(target));
  EXPECT_OK(watch.OnVersion(EncodeTopology(second.topology())));
  EXPECT_BREAKS("I6", watch.CheckSettled());  // it has what it shall have, and still joins
  EXPECT_BREAKS("I10", watch.OnVersion(EncodeTopology(first.topology())));
  cluster::TopologyChange third(second.topology());
  ASSERT_OK(third.SetState(NodeId{1}, cluster::MemberState::kUp));
  ASSERT_OK(third.AddMember({.id = NodeId{2}, .address = "b"}));
  ASSERT_OK(third.SetState(NodeId{2}, cluster::MemberState::kUp));
  EXPECT_OK(watch.OnVersion(EncodeTopology(third.topology())));
  EXPECT_OK(watch.CheckSettled());
  cluster::TopologyChange leaves(third.topology());
  ASSERT_OK(leaves.SetState(NodeId{2}, cluster::MemberState::kLeaving));
  TopologyWatch other;
  ASSERT_OK(other.OnVersion(EncodeTopology(leaves.topology())));
  EXPECT_BREAKS("I6", other.CheckSettled());
  target.SetReplicas(PartitionId{1}, std::vector<NodeId>{NodeId{2}});
  cluster::TopologyChange moves(third.topology());
  ASSERT_OK(moves.SetTarget(target));
  ASSERT_OK(watch.OnVersion(EncodeTopology(moves.topology())));
  EXPECT_BREAKS("I6", watch.CheckSettled());  // one copy is to move
  cluster::TopologyChange fourth(moves.topology());
  ASSERT_OK(fourth.StartMove(PartitionId{1}));
  ASSERT_OK(watch.OnVersion(EncodeTopology(fourth.topology())));
  EXPECT_BREAKS("I6", watch.CheckSettled());
}

TEST(ClusterChecksTest, I11Bounds) {
  const Figures limits{1, 2, 3, 4, 5};
  EXPECT_OK(CheckBounds(limits, limits));
  EXPECT_BREAKS("I11", CheckBounds({2, 2, 3, 4, 5}, limits));
  EXPECT_BREAKS("I11", CheckBounds({1, 3, 3, 4, 5}, limits));
  EXPECT_BREAKS("I11", CheckBounds({1, 2, 4, 4, 5}, limits));
  EXPECT_BREAKS("I11", CheckBounds({1, 2, 3, 5, 5}, limits));
  EXPECT_BREAKS("I11", CheckBounds({1, 2, 3, 4, 6}, limits));
  BoundsWatch watch;
  EXPECT_OK(watch.OnFigures({.operations = 1, .siblings = 2}, limits));
  EXPECT_OK(watch.OnFigures({.siblings = 4}, limits));
  EXPECT_BREAKS("I11", watch.OnFigures({.cloud = 6}, limits));
  EXPECT_EQ(watch.highest().operations, 1u);
  EXPECT_EQ(watch.highest().siblings, 4u);
  EXPECT_EQ(watch.highest().cloud, 6u);
}

}  // namespace cluster_history_test
}  // namespace varve::sim
