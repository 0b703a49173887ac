#include "cluster/topology.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "base/random.h"
#include "cluster/planner.h"
#include "cluster/topology_change.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"

namespace varve::cluster {
namespace topology_test {

using varve::test::Scaled;

Member MemberOf(uint64_t id, std::string rack = "") {
  Member member;
  member.id = NodeId{id};
  member.rack = std::move(rack);
  member.address = "host" + std::to_string(id) + ":7379";
  return member;
}

std::vector<PlannerNode> NodesOf(const Topology& topology) {
  std::vector<PlannerNode> nodes;
  for (const Member& member : topology.members) {
    if (member.state <= MemberState::kUp) nodes.push_back({member.id, member.weight, member.rack});
  }
  return nodes;
}

// Applies one random change; returns the topology as it was when that was refused.
Topology RandomChange(const Topology& base, Random* random) {
  TopologyChange change(base);
  const NodeId any{1 + random->Uniform(12)};
  const PartitionId partition{static_cast<uint16_t>(random->Uniform(base.placement.partitions()))};
  const ReplicaSets sets = base.SetsOf(partition);
  MoveEvidence all{sets.Writable(), {}};
  for (const NodeId target : sets.next) {
    for (const NodeId source : sets.current) all.merged.push_back({target, source});
  }
  Status status;
  switch (random->Uniform(12)) {
    case 0:
      status = change.AddMember(MemberOf(Value(any), std::string(random->Uniform(5), 'r')));
      break;
    case 1: status = change.SetState(any, static_cast<MemberState>(random->Uniform(4))); break;
    case 2: status = change.SetWeight(any, static_cast<uint32_t>(random->Uniform(1000))); break;
    case 3: status = change.SetPlace(any, "rack", "somewhere:1"); break;
    case 4: status = change.GiveActor(any).status(); break;
    case 5: {
      auto plan =
          MakePlan(base.placement, NodesOf(base), static_cast<uint32_t>(1 + random->Uniform(4)));
      status = plan.ok() ? change.SetTarget(plan->placement) : plan.status();
      break;
    }
    case 6: status = random->OneIn(10) ? change.Split() : Status::Busy("not so often"); break;
    case 7:
    case 8: status = change.StartMove(partition); break;
    case 9: status = change.AbortMove(partition); break;
    default: status = change.AdvanceMove(partition, {2, 2}, all); break;
  }
  return status.ok() ? change.topology() : base;
}

// Calls check(topology before, topology after) along random lives of clusters.
template <typename Check>
void ForRandomLives(size_t lives, Check&& check) {
  for (uint64_t seed = 0; seed < Scaled(lives); ++seed) {
    Random random(seed);
    Topology topology = NewTopology(seed, static_cast<uint32_t>(random.Uniform(4)), 3);
    for (int step = 0; step < 150; ++step) {
      Topology next = RandomChange(topology, &random);
      check(topology, next, &random);
      if (::testing::Test::HasFailure()) {
        ADD_FAILURE() << "seed " << seed << " step " << step;
        return;
      }
      topology = std::move(next);
    }
  }
}

// Puts the right checksum under changed bytes.
std::string Sealed(std::string bytes) {
  bytes.resize(bytes.size() - 8);
  AppendFixed(&bytes, Hash64(bytes));
  return bytes;
}

TEST(TopologyTest, EveryChangeGivesAValidSuccessor) {
  ForRandomLives(100, [](const Topology& before, const Topology& after, Random*) {
    EXPECT_OK(Validate(after));
    EXPECT_OK(ValidateSuccession(before, after));
    if (after != before) {
      EXPECT_EQ(after.epoch, Next(before.epoch));
      EXPECT_STATUS(kCorruption, ValidateSuccession(after, before));
    }
    // Whoever's quorums change has a new fence, and nobody else.
    if (before.placement.bits() != after.placement.bits()) return;
    for (uint32_t p = 0; p < after.placement.partitions(); ++p) {
      ReplicaSets old = before.SetsOf(PartitionId{static_cast<uint16_t>(p)});
      ReplicaSets now = after.SetsOf(PartitionId{static_cast<uint16_t>(p)});
      const bool fenced = old.since != now.since;
      old.since = now.since = kNoEpoch;
      for (ReplicaSets* sets : {&old, &now}) {  // the order is no matter of quorums
        std::sort(sets->current.begin(), sets->current.end());
        std::sort(sets->next.begin(), sets->next.end());
      }
      EXPECT_EQ(fenced, old != now) << "partition " << p;
    }
  });
}

TEST(TopologyTest, BytesComeBack) {
  ForRandomLives(60, [](const Topology&, const Topology& topology, Random*) {
    const std::string bytes = EncodeTopology(topology);
    auto decoded = DecodeTopology(bytes);
    ASSERT_OK(decoded);
    EXPECT_EQ(*decoded, topology);
    EXPECT_EQ(EncodeTopology(*decoded), bytes);
  });
}

Topology Sample() {
  Random random(3);
  Topology topology = NewTopology(77, 2, 3);
  while (topology.moves.size() < 2) topology = RandomChange(topology, &random);
  return topology;
}

TEST(TopologyTest, DamageIsFound) {
  const std::string bytes = EncodeTopology(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeTopology(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(DecodeTopology(damaged).ok()) << i;
    }
  }
  EXPECT_STATUS(kCorruption, DecodeTopology("VTOQ" + bytes.substr(4)));
  EXPECT_STATUS(kNotSupported, DecodeTopology(bytes.substr(0, 4) + "\x02" + bytes.substr(5)));
}

// Whoever computes the checksum can write anything. It is refused, or is a topology in its only form.
TEST(TopologyTest, NonsenseWithTheRightChecksumIsRefused) {
  Random random(11);
  size_t accepted = 0;
  ForRandomLives(20, [&](const Topology&, const Topology& topology, Random*) {
    const std::string bytes = EncodeTopology(topology);
    for (int i = 0; i < 10; ++i) {
      std::string changed = bytes;
      for (uint64_t n = random.Uniform(3); n < 3; ++n) {
        const size_t at = 5 + random.Uniform(changed.size() - 13);
        switch (random.Uniform(3)) {
          case 0: changed[at] = static_cast<char>(random.Next()); break;
          case 1: changed.insert(at, 1, static_cast<char>(random.Uniform(4))); break;
          default: changed.erase(at, 1);
        }
        if (changed.size() < 14) return;
      }
      changed = Sealed(changed);
      auto decoded = DecodeTopology(changed);
      if (!decoded.ok()) continue;
      ++accepted;
      EXPECT_OK(Validate(*decoded));
      EXPECT_EQ(EncodeTopology(*decoded), changed);
    }
  });
  EXPECT_GT(accepted, 0u);  // a weight, for example
}

TEST(TopologyTest, LongerSpellingOfANumberIsRefused) {
  const std::string bytes = EncodeTopology(NewTopology(1, 0, 3));
  const size_t epoch = 4 + 1 + 8;
  ASSERT_EQ(bytes[epoch], 1);
  const std::string longer =
      bytes.substr(0, epoch) + std::string("\x81\x00", 2) + bytes.substr(epoch + 1);
  EXPECT_STATUS(kCorruption, DecodeTopology(Sealed(longer)));
}

TEST(TopologyTest, GoldenBytes) {
  Topology topology = NewTopology(0x0102030405060708, 1, 2);
  TopologyChange change(topology);
  ASSERT_OK(change.AddMember(MemberOf(7, "a")));
  ASSERT_OK(change.AddMember(MemberOf(3)));
  ASSERT_OK(change.GiveActor(NodeId{7}));
  Placement target(1, 2);
  target.SetReplicas(PartitionId{0}, std::vector{NodeId{7}, NodeId{3}});
  target.SetReplicas(PartitionId{1}, std::vector{NodeId{3}});
  ASSERT_OK(change.SetTarget(target));
  const std::string bytes = EncodeTopology(change.topology());
  EXPECT_EQ(bytes.substr(0, bytes.size() - 8),
            std::string("VTOP\x01\x08\x07\x06\x05\x04\x03\x02\x01\x02\x01\x01\x02\x02"
                        "\x03\x00\x00\x01\x00\x0ahost3:7379\x07\x01\x00\x01\x01"
                        "a\x0ahost7:7379\x00\x02\x01\x00\x00\x01\x00\x00\x00",
                        60));
}

TEST(TopologyTest, NoWayBack) {
  Topology topology = NewTopology(1, 2, 3);
  TopologyChange change(topology);
  ASSERT_OK(change.AddMember(MemberOf(1)));
  ASSERT_OK(change.AddMember(MemberOf(2)));
  ASSERT_OK(change.GiveActor(NodeId{1}));
  ASSERT_OK(change.SetState(NodeId{2}, MemberState::kRemoved));
  const Topology now = change.topology();
  Topology next = now;
  next.epoch = Next(now.epoch);
  EXPECT_OK(ValidateSuccession(now, next));
  next.cluster = 2;
  EXPECT_STATUS(kCorruption, ValidateSuccession(now, next));
  next = now;
  next.members[0].weight = 9;
  EXPECT_STATUS(kCorruption, ValidateSuccession(now, next));  // the same epoch
  next.epoch = Next(now.epoch);
  EXPECT_OK(ValidateSuccession(now, next));
  next.members[1].state = MemberState::kUp;
  EXPECT_STATUS(kCorruption, ValidateSuccession(now, next));
  next.members.pop_back();
  EXPECT_STATUS(kCorruption, ValidateSuccession(now, next));
}

TEST(TopologyChangeTest, MembersComeAndGo) {
  TopologyChange change(NewTopology(1, 2, 2));
  ASSERT_OK(change.AddMember(MemberOf(1)));
  ASSERT_OK(change.AddMember(MemberOf(2)));
  EXPECT_STATUS(kInvalidArgument, change.AddMember(MemberOf(2)));
  EXPECT_STATUS(kInvalidArgument, change.AddMember(MemberOf(0)));
  EXPECT_STATUS(kNotFound, change.SetState(NodeId{9}, MemberState::kUp));
  EXPECT_STATUS(kInvalidArgument, change.SetState(NodeId{1}, MemberState::kLeaving));
  auto plan = MakePlan(change.topology().placement, NodesOf(change.topology()), 2);
  ASSERT_OK(plan);
  ASSERT_OK(change.SetTarget(plan->placement));
  EXPECT_EQ(change.topology().placement, plan->placement);  // nothing was there: at once
  ASSERT_OK(change.SetState(NodeId{1}, MemberState::kUp));
  ASSERT_OK(change.SetState(NodeId{1}, MemberState::kLeaving));
  EXPECT_STATUS(kInvalidArgument,
                change.SetState(NodeId{1}, MemberState::kRemoved));    // holds copies
  EXPECT_STATUS(kInvalidArgument, change.SetTarget(plan->placement));  // names who leaves
  plan = MakePlan(change.topology().placement, NodesOf(change.topology()), 1);
  ASSERT_OK(plan);
  ASSERT_OK(change.SetTarget(plan->placement));
  for (uint16_t p = 0; p < 4; ++p) {
    ASSERT_OK(change.StartMove(PartitionId{p}));
    EXPECT_STATUS(kInvalidArgument, change.StartMove(PartitionId{p}));
    ASSERT_OK(change.AdvanceMove(PartitionId{p}, {2, 2}, {{NodeId{2}}, {}}));
    EXPECT_STATUS(kInvalidArgument, change.AbortMove(PartitionId{p}));
    EXPECT_STATUS(kUnavailable, change.AdvanceMove(PartitionId{p}, {2, 2}, {}));
    ASSERT_OK(change.AdvanceMove(PartitionId{p}, {2, 2}, {{NodeId{2}}, {}}));
    EXPECT_STATUS(kNotFound, change.AbortMove(PartitionId{p}));
  }
  EXPECT_EQ(change.topology().placement, plan->placement);
  ASSERT_OK(change.SetState(NodeId{1}, MemberState::kRemoved));
  EXPECT_STATUS(kInvalidArgument, change.GiveActor(NodeId{1}));
  EXPECT_OK(Validate(change.topology()));
}

TEST(TopologyChangeTest, ActorsAreGivenOutOnce) {
  TopologyChange change(NewTopology(1, 2, 2));
  ASSERT_OK(change.AddMember(MemberOf(1)));
  ASSERT_OK(change.AddMember(MemberOf(2)));
  EXPECT_EQ(*change.GiveActor(NodeId{1}), ActorId{1});
  EXPECT_EQ(*change.GiveActor(NodeId{2}), ActorId{2});
  EXPECT_EQ(*change.GiveActor(NodeId{1}), ActorId{3});
  EXPECT_EQ(change.topology().Find(NodeId{1})->actor, ActorId{3});
}

TEST(TopologyChangeTest, SplitWaitsForMoves) {
  TopologyChange change(NewTopology(1, 2, 1));
  ASSERT_OK(change.AddMember(MemberOf(1)));
  ASSERT_OK(change.AddMember(MemberOf(2)));
  auto plan = MakePlan(change.topology().placement, {{NodeId{1}, 1, ""}}, 1);
  ASSERT_OK(plan);
  ASSERT_OK(change.SetTarget(plan->placement));
  ASSERT_OK(change.Split());
  EXPECT_EQ(change.topology().placement.partitions(), 8u);
  plan = MakePlan(change.topology().placement, NodesOf(change.topology()), 1);
  ASSERT_OK(plan);
  ASSERT_OK(change.SetTarget(plan->placement));
  EXPECT_STATUS(kBusy, change.Split());
}

}  // namespace topology_test
}  // namespace varve::cluster
