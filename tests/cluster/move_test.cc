// Small worlds, every interleaving: while the replicas of a partition change, a write is sent with any view to any
// replicas in any order, replicas learn of new versions whenever they do, and as soon as the write is
// acknowledged no read, with any view, may be able to collect a quorum of replicas that do not have it.
#include "cluster/move.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "cluster/quorum.h"
#include "cluster/topology_change.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"

namespace varve::cluster {
namespace move_test {

constexpr size_t kNodes = 6;
constexpr size_t kVersions = 12;
constexpr PartitionId kPartition{0};

using Set = std::vector<size_t>;  // nodes by their numbers, from 0

std::vector<NodeId> Ids(const Set& set) {
  std::vector<NodeId> ids;
  for (const size_t node : set) ids.push_back(NodeId{node + 1});
  return ids;
}
std::vector<NodeId> IdsOf(uint8_t bits) {
  std::vector<NodeId> ids;
  for (size_t node = 0; node < kNodes; ++node) {
    if (((bits >> node) & 1) != 0) ids.push_back(NodeId{node + 1});
  }
  return ids;
}
// Whether the nodes of `ids` are enough of each set. `quorum`: 0 for a majority.
bool IsReached(const std::vector<std::vector<NodeId>>& sets, const Set& nodes, size_t quorum) {
  return Quorum(sets, Level::kQuorum, static_cast<uint32_t>(quorum)).IsReachedBy([ids = Ids(nodes)](NodeId node) {
    return IsIn(node, ids);
  });
}
RequestSets RequestsOf(const ReplicaSets& sets) { return RequestSetsOf(kPartition, sets, {}); }
size_t NumberOf(NodeId id) { return Value(id) - 1; }
uint8_t Bit(size_t node) { return static_cast<uint8_t>(1u << node); }

// The versions of one partition's sets, made by the code under test.
struct History {
  std::vector<ReplicaSets> versions;
  std::vector<bool> is_aborted;  // version i was followed by an abort, which waits for nothing

  static Topology WithMembers(const Set& first) {
    Topology topology = NewTopology(1, 0, kMaxCopies);
    TopologyChange change(topology);
    for (size_t node = 0; node < kNodes; ++node) {
      Member member;
      member.id = NodeId{node + 1};
      EXPECT_OK(change.AddMember(member));
    }
    Placement placement(0, kMaxCopies);
    placement.SetReplicas(kPartition, Ids(first));
    EXPECT_OK(change.SetTarget(placement));
    return change.topology();
  }
  // Everything that a move could wait for.
  static MoveEvidence AllEvidence(const ReplicaSets& sets) {
    MoveEvidence evidence{sets.Writable(), {}};
    for (const NodeId target : sets.next) {
      for (const NodeId source : sets.current) evidence.merged.push_back({target, source});
    }
    return evidence;
  }
  // From each set to the next. An abort of the first move is asked for in the stage named, and may be refused.
  static History Of(const std::vector<Set>& sets, const MoveRules& rules,
                    std::optional<MoveStage> abort_first) {
    History history;
    Topology topology = WithMembers(sets[0]);
    const auto note = [&](bool aborted) {
      if (!history.versions.empty()) history.is_aborted.push_back(aborted);
      history.versions.push_back(topology.SetsOf(kPartition));
    };
    const auto change = [&](auto&& what) {
      TopologyChange next(topology);
      const bool done = what(&next).ok();
      if (done) topology = next.topology();
      return done;
    };
    note(false);
    for (size_t i = 1; i < sets.size(); ++i) {
      Placement target(0, kMaxCopies);
      target.SetReplicas(kPartition, Ids(sets[i]));
      if (CountIn(Ids(sets[i]), topology.placement.Replicas(kPartition)) == sets[i].size() &&
          sets[i].size() == topology.placement.Replicas(kPartition).size()) {
        continue;  // where an abort has led back to
      }
      change([&](TopologyChange* next) {
        EXPECT_OK(next->SetTarget(target));
        return next->StartMove(kPartition);
      });
      note(false);
      bool aborts = abort_first.has_value() && i == 1;
      while (!topology.moves.empty()) {
        if (aborts && topology.moves.front().stage == *abort_first) {
          aborts = false;
          if (change([&](TopologyChange* next) { return next->AbortMove(kPartition); })) {
            note(true);
            continue;
          }
        }
        const MoveEvidence evidence = AllEvidence(topology.SetsOf(kPartition));
        change(
            [&](TopologyChange* next) { return next->AdvanceMove(kPartition, rules, evidence); });
        note(false);
      }
    }
    history.is_aborted.push_back(false);
    return history;
  }
};

// Bytes only, so that it can be hashed.
struct World {
  uint8_t latest = 0;                     // version in the topology store
  std::array<uint8_t, kNodes> version{};  // that each node has made durable
  std::array<uint8_t, kNodes> merged{};   // of each node: from whom, in the latest version
  std::array<uint8_t, kVersions>
      missed{};  // of each version: who could have answered a read without the write
  uint8_t has_write = 0;
  uint8_t acked = 0;

  friend bool operator==(const World&, const World&) = default;
};
static_assert(std::has_unique_object_representations_v<World>);

struct WorldHash {
  size_t operator()(const World& world) const {
    char bytes[sizeof(World)];
    std::memcpy(bytes, &world, sizeof(World));
    return Hash64(std::string_view(bytes, sizeof(bytes)));
  }
};

class Model {
 public:
  Model(History history, MoveRules rules, size_t write_version)
      : history_(std::move(history)), rules_(rules), write_version_(write_version) {
    for (const ReplicaSets& sets : history_.versions) {
      for (const NodeId node : sets.Writable()) involved_ |= Bit(NumberOf(node));
      const RequestSets& requests = requests_.emplace_back(RequestsOf(sets));
      writes_.emplace_back(requests.write, Level::kQuorum, static_cast<uint32_t>(rules.write_quorum));
      reads_.emplace_back(requests.read, Level::kQuorum, static_cast<uint32_t>(rules.read_quorum));
    }
  }

  Model(const Model&) = delete;  // quorums point to its sets

  size_t versions() const { return history_.versions.size(); }

  // All that can happen next, unless nothing can come of it. False when something must not be.
  bool Successors(const World& world, std::vector<World>* next) const {
    next->clear();
    if (!IsWritten(world) && !CanBeWritten(world)) return true;
    if (CanGoOn(world)) {
      next->push_back(world);
      ++next->back().latest;
      next->back().merged = {};
    }
    for (size_t node = 0; node < kNodes; ++node) {
      if (((involved_ >> node) & 1) == 0) continue;
      for (size_t version = world.version[node] + 1u; version <= world.latest; ++version) {
        next->push_back(world);
        next->back().version[node] = static_cast<uint8_t>(version);
      }
      AddMerges(world, node, next);
      AddWrite(world, node, next);
    }
    for (World& successor : *next) {
      if (!NoteReads(&successor)) return false;
    }
    return true;
  }

 private:
  static bool IsReached(const Quorum& quorum, uint8_t nodes) {
    return quorum.IsReachedBy([nodes](NodeId node) { return ((nodes >> NumberOf(node)) & 1) != 0; });
  }
  bool IsWritten(const World& world) const { return IsReached(writes_[write_version_], world.acked); }
  bool CanBeWritten(const World& world) const {
    uint8_t could = world.acked;
    for (size_t node = 0; node < kNodes; ++node) {
      if (world.version[node] <= write_version_) could |= Bit(node);
    }
    return IsReached(writes_[write_version_], could);
  }
  bool CanGoOn(const World& world) const {
    if (world.latest + 1u == versions()) return false;
    const ReplicaSets& sets = history_.versions[world.latest];
    if (sets.stage == MoveStage::kNone || history_.is_aborted[world.latest]) return true;
    MoveEvidence evidence;
    for (size_t node = 0; node < kNodes; ++node) {
      if (world.version[node] == world.latest) evidence.fenced.push_back(NodeId{node + 1});
      for (const NodeId source : IdsOf(world.merged[node]))
        evidence.merged.push_back({NodeId{node + 1}, source});
    }
    return CanAdvance(sets, rules_, evidence).ok();
  }
  void AddMerges(const World& world, size_t target, std::vector<World>* next) const {
    const ReplicaSets& sets = history_.versions[world.version[target]];
    if (sets.stage != MoveStage::kCopy || !IsIn(NodeId{target + 1}, sets.next)) return;
    for (const NodeId source : sets.current) {
      const size_t from = NumberOf(source);
      if (from == target || world.version[from] != world.version[target]) continue;
      World successor = world;
      if (((world.has_write >> from) & 1) != 0) successor.has_write |= Bit(target);
      if (world.version[target] == world.latest) successor.merged[target] |= Bit(from);
      if (successor != world) next->push_back(successor);
    }
  }
  void AddWrite(const World& world, size_t node, std::vector<World>* next) const {
    if (IsWritten(world) || world.version[node] != write_version_ ||
        ((world.acked >> node) & 1) != 0)
      return;
    if (!IsIn(NodeId{node + 1}, history_.versions[write_version_].Writable())) return;
    next->push_back(world);
    next->back().has_write |= Bit(node);
    next->back().acked |= Bit(node);
  }
  // A read with a view can ask each replica at another moment.
  bool NoteReads(World* world) const {
    if (!IsWritten(*world)) return true;
    for (size_t node = 0; node < kNodes; ++node) {
      if ((((involved_ & ~world->has_write) >> node) & 1) != 0)
        world->missed[world->version[node]] |= Bit(node);
    }
    for (size_t version = 0; version < versions(); ++version) {
      if (IsReached(reads_[version], world->missed[version])) return false;
    }
    return true;
  }

  const History history_;
  const MoveRules rules_;
  const size_t write_version_;
  std::deque<RequestSets> requests_;
  std::vector<Quorum> writes_;  // of each version, as coordinators have them
  std::vector<Quorum> reads_;
  uint8_t involved_ = 0;
};

struct Case {
  std::vector<Set> sets;
  MoveRules rules;  // 0: a majority
};

std::string Name(const Case& c) {
  std::string name =
      "R " + std::to_string(c.rules.read_quorum) + " W " + std::to_string(c.rules.write_quorum);
  for (const Set& set : c.sets) {
    name += set == c.sets.front() ? " " : " > ";
    for (const size_t node : set) name += static_cast<char>('A' + node);
  }
  return name;
}

const std::vector<std::optional<MoveStage>> kAborts = {std::nullopt, MoveStage::kCopy,
                                                       MoveStage::kSettle};

// The number of worlds.
size_t ExploreAll(const Case& c, const std::optional<MoveStage>& abort) {
  const History history = History::Of(c.sets, c.rules, abort);
  EXPECT_LE(history.versions.size(), kVersions);
  size_t count = 0;
  for (size_t write_version = 0; write_version < history.versions.size(); ++write_version) {
    const Model model(history, c.rules, write_version);
    std::unordered_set<World, WorldHash> seen{World{}};
    std::deque<World> open{World{}};
    std::vector<World> next;
    while (!open.empty()) {
      const World world = open.front();
      open.pop_front();
      if (!model.Successors(world, &next)) {
        ADD_FAILURE() << Name(c) << ": a read misses an acknowledged write of version "
                      << write_version;
        return count;
      }
      for (const World& successor : next) {
        if (seen.insert(successor).second) open.push_back(successor);
      }
    }
    count += seen.size();
  }
  return count;
}

TEST(MoveModelTest, NoInterleavingOfASmallMoveHidesAnAcknowledgedWrite) {
  const std::vector<std::vector<Set>> moves = {
      {{0}, {1}},       {{0}, {0, 1}},          {{0}, {0, 1, 2}},    {{0, 1}, {0, 1, 2}},
      {{0, 1}, {0, 2}}, {{0, 1}, {2, 3}},       {{0, 1, 2}, {0, 1}}, {{0, 1, 2}, {0}},
      {{0, 1, 2}, {3}}, {{0, 1, 2}, {0, 1, 3}},
  };
  size_t worlds = 0;
  for (const auto& sets : moves) {
    for (const MoveRules rules : {MoveRules{0, 0}, MoveRules{1, 3}, MoveRules{3, 1}}) {
      for (const auto& abort : kAborts) worlds += ExploreAll({sets, rules}, abort);
      if (HasFailure()) return;
    }
  }
  worlds += ExploreAll({{{0, 1, 2}, {0, 3, 4}}, {0, 0}}, std::nullopt);
  // A set that has shrunk, and moves again: what that move counts on, the one before must have left.
  for (const Set& last : std::vector<Set>{{0, 3}, {0, 1, 3}}) {
    worlds += ExploreAll({{{0, 1, 2}, {0, 1}, last}, {0, 0}}, std::nullopt);
  }
  RecordProperty("worlds", static_cast<int>(worlds));
}

// A walk at random. Moves are favoured by nothing: most steps are versions that arrive somewhere.
bool Walk(const Model& model, Random* random, size_t* steps) {
  World world;
  std::vector<World> next;
  for (int i = 0; i < 200; ++i) {
    if (!model.Successors(world, &next)) return false;
    if (next.empty()) return true;
    world = next[random->Uniform(next.size())];
    ++*steps;
  }
  return true;
}

Set RandomSet(Random* random, size_t size) {
  Set all;
  for (size_t node = 0; node < kNodes; ++node) all.push_back(node);
  for (size_t i = 0; i < size; ++i) std::swap(all[i], all[i + random->Uniform(kNodes - i)]);
  all.resize(size);
  return all;
}

// Several moves one after the other, also of five copies, to other sizes, with everybody replaced.
TEST(MoveModelTest, NoWalkThroughLongMovesHidesAnAcknowledgedWrite) {
  size_t steps = 0;
  for (uint64_t seed = 0; seed < varve::test::Scaled(3000); ++seed) {
    Random random(seed);
    const size_t copies = 2 + random.Uniform(4);
    const auto asked = [&](size_t quorum) { return quorum == copies / 2 + 1 ? 0 : quorum; };  // as nodes ask
    const size_t write_quorum = 1 + random.Uniform(copies);
    const MoveRules rules = {asked(copies + 1 - write_quorum), asked(write_quorum)};
    Case c{{}, rules};
    for (int i = 0; i < 3; ++i) {
      Set set = RandomSet(&random, random.OneIn(3) ? 1 + random.Uniform(copies) : copies);
      if (i > 0 &&
          std::is_permutation(set.begin(), set.end(), c.sets.back().begin(), c.sets.back().end()))
        continue;
      c.sets.push_back(std::move(set));
    }
    const History history = History::Of(c.sets, rules, kAborts[random.Uniform(3)]);
    ASSERT_LE(history.versions.size(), kVersions);
    const Model model(history, rules, random.Uniform(history.versions.size()));
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(Walk(model, &random, &steps)) << "seed " << seed << ": " << Name(c);
    }
  }
  RecordProperty("steps", static_cast<int>(steps));
}

ReplicaSets Sets(MoveStage stage, const Set& current, const Set& next) {
  return {Epoch{5}, stage, Ids(current), Ids(next)};
}

TEST(MoveTest, WhoIsFilledFromHowMany) {
  const ReplicaSets grows = Sets(MoveStage::kCopy, {0, 1, 2}, {0, 1, 3});
  EXPECT_EQ(TargetsToFill(grows, {2, 2}), Ids({3}));
  EXPECT_EQ(SourcesNeeded(grows, {2, 2}), 2u);
  EXPECT_EQ(SourcesNeeded(grows, {3, 1}), 3u);
  EXPECT_EQ(SourcesNeeded(grows, {1, 3}), 1u);
  EXPECT_EQ(FencesNeeded(grows, {2, 2}), 2u);
  EXPECT_EQ(FencesNeeded(grows, {1, 3}), 3u);
  // One that wrote alone may be the one that goes.
  const ReplicaSets shrinks = Sets(MoveStage::kCopy, {0, 1, 2}, {0, 1});
  EXPECT_EQ(TargetsToFill(shrinks, {1, 3}), Ids({}));
  EXPECT_EQ(TargetsToFill(shrinks, {3, 1}), Ids({0, 1}));
}

// Of two that wrote one stays: two of those that stay see it, but the next one to be filled from one of them may not.
TEST(MoveTest, WhoStaysInASmallerSetIsFilledAsTheNextMoveCountsOnIt) {
  const ReplicaSets shrinks = Sets(MoveStage::kCopy, {0, 1, 2}, {0, 1});
  for (const MoveRules rules : {MoveRules{2, 2}, MoveRules{0, 0}}) {
    EXPECT_EQ(TargetsToFill(shrinks, rules), Ids({0, 1}));
    EXPECT_EQ(SourcesNeeded(shrinks, rules), 2u);
    EXPECT_EQ(SourcesNeeded(Sets(MoveStage::kCopy, {0, 1}, {0, 3}), rules), 1u);
  }
  EXPECT_EQ(TargetsToFill(Sets(MoveStage::kCopy, {0, 1, 2, 3, 4}, {0, 1, 2, 3}), {0, 0}), Ids({0, 1, 2, 3}));
}

TEST(MoveTest, OfAMajorityEachSetHasItsOwn) {
  const ReplicaSets shrinks = Sets(MoveStage::kCopy, {0, 1, 2, 3, 4}, {0, 1, 2});  // 3 and 4 are dead
  EXPECT_EQ(SourcesNeeded(shrinks, {0, 0}), 3u);
  EXPECT_EQ(FencesNeeded(shrinks, {0, 0}), 3u);
}

TEST(MoveTest, DeadReplicaIsReplacedByTheOthers) {
  const ReplicaSets sets =
      Sets(MoveStage::kCopy, {0, 1, 2}, {0, 1, 3});  // node 3 (number 2) is dead
  MoveEvidence evidence{Ids({0, 1, 3}), {{NodeId{4}, NodeId{1}}}};
  EXPECT_STATUS(kUnavailable, CanAdvance(sets, {2, 2}, evidence));
  evidence.merged.push_back({NodeId{4}, NodeId{1}});  // twice the same
  evidence.merged.push_back({NodeId{4}, NodeId{5}});  // one that has nothing to say
  EXPECT_STATUS(kUnavailable, CanAdvance(sets, {2, 2}, evidence));
  evidence.merged.push_back({NodeId{4}, NodeId{2}});
  EXPECT_OK(CanAdvance(sets, {2, 2}, evidence));
  // Two are dead: what only they had would be lost.
  EXPECT_STATUS(kUnavailable, CanAdvance(sets, {3, 1}, evidence));
}

TEST(MoveTest, OldReplicasMustKnowThatTheyAreNotRead) {
  const ReplicaSets sets = Sets(MoveStage::kSettle, {0, 1, 2}, {0, 3, 4});
  EXPECT_STATUS(kUnavailable, CanAdvance(sets, {2, 2}, {Ids({0, 3, 4}), {}}));
  EXPECT_OK(CanAdvance(sets, {2, 2}, {Ids({0, 2}), {}}));
}

TEST(RequestSetsTest, QuorumsOfTheStages) {
  const auto is_written = [](const ReplicaSets& sets, const Set& acked) { return IsReached(RequestsOf(sets).write, acked, 2); };
  const auto is_read = [](const ReplicaSets& sets, const Set& answered) { return IsReached(RequestsOf(sets).read, answered, 2); };
  ReplicaSets sets = Sets(MoveStage::kNone, {0, 1, 2}, {});
  EXPECT_TRUE(is_written(sets, {2, 0}));
  EXPECT_FALSE(is_written(sets, {2, 4}));
  EXPECT_TRUE(is_read(sets, {1, 2}));
  sets = Sets(MoveStage::kCopy, {0, 1, 2}, {2, 3, 4});
  EXPECT_EQ(sets.Writable(), Ids({0, 1, 2, 3, 4}));
  EXPECT_FALSE(is_written(sets, {0, 1}));
  EXPECT_FALSE(is_written(sets, {3, 4, 2}));
  EXPECT_TRUE(is_written(sets, {0, 2, 4}));
  EXPECT_TRUE(is_read(sets, {0, 1}));
  EXPECT_FALSE(is_read(sets, {2, 3, 4}));
  sets.stage = MoveStage::kSettle;
  EXPECT_FALSE(is_read(sets, {0, 1, 2}));
  EXPECT_TRUE(is_read(sets, {2, 3}));
  EXPECT_FALSE(is_written(sets, {2, 3, 4}));
}

// A number says on how many disks a write is, a majority only that reads see it.
TEST(RequestSetsTest, OfFewerNodesAMajorityIsLessAndANumberIsNot) {
  const RequestSets one = RequestsOf(Sets(MoveStage::kNone, {0}, {}));
  EXPECT_TRUE(IsReached(one.write, {0}, 0));
  EXPECT_FALSE(IsReached(one.write, {0}, 2));
  EXPECT_FALSE(IsReached(one.read, {0}, 2));
}

TEST(ReplicaSetsTest, FenceServesItsOwnVersionOnly) {
  EXPECT_EQ(Admit(Epoch{4}, Epoch{4}), Admission::kServe);
  EXPECT_EQ(Admit(Epoch{3}, Epoch{4}), Admission::kSenderIsBehind);
  EXPECT_EQ(Admit(Epoch{5}, Epoch{4}), Admission::kReceiverIsBehind);
}

}  // namespace move_test
}  // namespace varve::cluster
