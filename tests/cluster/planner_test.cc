#include "cluster/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/cluster/planner_oracle.h"
#include "tests/support/status_matchers.h"
#include "tests/support/workload.h"

namespace varve::cluster {
namespace planner_test {

using test::At;
using test::PlannerOracle;
using varve::test::Scaled;

std::vector<PlannerNode> EqualNodes(uint32_t count, uint32_t racks = 1) {
  std::vector<PlannerNode> nodes;
  for (uint32_t i = 0; i < count; ++i) {
    nodes.push_back({NodeId{i + 1}, 1, racks == 1 ? "" : "rack" + std::to_string(i % racks)});
  }
  return nodes;
}

// The plan, checked against the oracle.
Plan Checked(const Placement& before, const std::vector<PlannerNode>& nodes, uint32_t copies) {
  auto plan = MakePlan(before, nodes, copies);
  EXPECT_OK(plan);
  if (!plan.ok()) return {};
  EXPECT_EQ(PlannerOracle(before, nodes, copies).Violation(*plan), "");
  return *plan;
}

std::vector<uint32_t> Loads(const Placement& placement, const std::vector<PlannerNode>& nodes,
                            bool primaries) {
  std::vector<uint32_t> loads;
  for (const PlannerNode& node : nodes) {
    uint32_t load = 0;
    for (uint32_t p = 0; p < placement.partitions(); ++p) {
      load += (primaries ? placement.Replicas(At(p)).front() == node.id
                         : placement.IsReplica(At(p), node.id))
                  ? 1
                  : 0;
    }
    loads.push_back(load);
  }
  return loads;
}

// 768 copies on 10 nodes are 76.8 each, 256 primaries 25.6: whole numbers cannot be nearer than 77 and 26.
TEST(PlannerTest, TenEqualNodes) {
  const auto nodes = EqualNodes(10);
  const Plan plan = Checked(Placement(8, 3), nodes, 3);
  const auto loads = Loads(plan.placement, nodes, false);
  EXPECT_EQ(*std::max_element(loads.begin(), loads.end()), 77u);
  EXPECT_EQ(*std::min_element(loads.begin(), loads.end()), 76u);
  EXPECT_LE(77 / 76.8, 1.01);
  const auto primaries = Loads(plan.placement, nodes, true);
  EXPECT_EQ(*std::max_element(primaries.begin(), primaries.end()), 26u);
  EXPECT_EQ(*std::min_element(primaries.begin(), primaries.end()), 25u);
}

// The newcomer takes its least share, and nothing else moves: floor(copies * partitions / (n + 1)).
TEST(PlannerTest, JoinMovesTheLeastThereIs) {
  for (const uint32_t copies : {1u, 2u, 3u, 5u}) {
    Placement placement(7, copies);
    for (uint32_t n = 1; n <= 40; ++n) {
      const Plan plan = Checked(placement, EqualNodes(n), copies);
      if (n > copies) {
        EXPECT_EQ(plan.copies_to_make, copies * 128 / n) << copies << " copies, node " << n;
      }
      placement = plan.placement;
    }
  }
}

// What lay on the leaver, and nothing else.
TEST(PlannerTest, LeaveMovesTheLeastThereIs) {
  for (const uint32_t copies : {1u, 2u, 3u, 5u}) {
    Random random(copies);
    auto nodes = EqualNodes(30);
    Placement placement = Checked(Placement(7, copies), nodes, copies).placement;
    while (nodes.size() > copies) {
      const size_t leaver = random.Uniform(nodes.size());
      const uint32_t held = Loads(placement, {nodes[leaver]}, false).front();
      nodes.erase(nodes.begin() + static_cast<ptrdiff_t>(leaver));
      const Plan plan = Checked(placement, nodes, copies);
      EXPECT_EQ(plan.copies_to_make, held);
      placement = plan.placement;
    }
  }
}

TEST(PlannerTest, ReplacedNodeGivesItsPlacesToTheNewOne) {
  auto nodes = EqualNodes(12, 3);
  const Plan first = Checked(Placement(8, 3), nodes, 3);
  const uint32_t held = Loads(first.placement, {nodes[4]}, false).front();
  nodes[4].id = NodeId{99};
  const Plan plan = Checked(first.placement, nodes, 3);
  EXPECT_EQ(plan.copies_to_make, held);
}

TEST(PlannerTest, NothingChangesWhenNothingHasChanged) {
  for (uint32_t n = 1; n < 20; ++n) {
    const auto nodes = EqualNodes(n, 4);
    const Plan first = Checked(Placement(6, 3), nodes, 3);
    const Plan again = Checked(first.placement, nodes, 3);
    EXPECT_EQ(again.copies_to_make, 0u);
    EXPECT_EQ(again.primaries_changed, 0u);
    EXPECT_EQ(again.placement, first.placement);
  }
}

TEST(PlannerTest, WeightsAreShares) {
  auto nodes = EqualNodes(6);
  nodes[0].weight = nodes[1].weight = 2;  // 8 parts of 768
  nodes[5].weight = 0;
  nodes.push_back({NodeId{7}, 1, ""});
  const Plan plan = Checked(Placement(8, 3), nodes, 3);
  EXPECT_EQ(Loads(plan.placement, nodes, false),
            (std::vector<uint32_t>{192, 192, 96, 96, 96, 0, 96}));
  EXPECT_EQ(Loads(plan.placement, nodes, true), (std::vector<uint32_t>{64, 64, 32, 32, 32, 0, 32}));
}

// A node cannot hold two copies of a partition: what it cannot take, the others do.
TEST(PlannerTest, HugeWeightIsWorthOneCopyOfEverything) {
  auto nodes = EqualNodes(5);
  nodes[0].weight = 1'000'000'000;
  const Plan plan = Checked(Placement(8, 3), nodes, 3);
  EXPECT_EQ(Loads(plan.placement, nodes, false), (std::vector<uint32_t>{256, 128, 128, 128, 128}));
}

TEST(PlannerTest, TooFewNodesAreSaid) {
  const Plan plan = Checked(Placement(4, 3), EqualNodes(2), 3);
  EXPECT_TRUE(plan.is_short_of_nodes);
  EXPECT_EQ(plan.copies, 2u);
  const Plan more = Checked(plan.placement, EqualNodes(3), 3);
  EXPECT_FALSE(more.is_short_of_nodes);
  EXPECT_EQ(more.copies_to_make, 16u);
}

// Two nodes alone in their racks have a copy of everything; the five of the third rack share theirs.
TEST(PlannerTest, RacksComeBeforeBalance) {
  std::vector<PlannerNode> nodes = EqualNodes(7);
  for (uint32_t i = 0; i < 7; ++i) nodes[i].rack = i < 5 ? "a" : i == 5 ? "b" : "c";
  const Plan plan = Checked(Placement(6, 3), nodes, 3);
  EXPECT_EQ(plan.rack_limit, 1u);
  EXPECT_FALSE(plan.is_short_of_racks);
  EXPECT_TRUE(plan.is_bound_by_racks);
  auto loads = Loads(plan.placement, nodes, false);
  std::sort(loads.begin(), loads.end());
  EXPECT_EQ(loads, (std::vector<uint32_t>{12, 13, 13, 13, 13, 64, 64}));
}

// Four copies, and the second rack has room for one: the first must take three.
TEST(PlannerTest, RacksThatAreTooSmallAreSaid) {
  std::vector<PlannerNode> nodes = EqualNodes(6);
  for (uint32_t i = 0; i < 6; ++i) nodes[i].rack = i < 5 ? "a" : "b";
  const Plan plan = Checked(Placement(6, 4), nodes, 4);
  EXPECT_EQ(plan.rack_limit, 3u);
  EXPECT_TRUE(plan.is_short_of_racks);
}

TEST(PlannerTest, EqualRacksBindNothing) {
  for (const uint32_t racks : {1u, 2u, 3u, 4u, 5u}) {
    for (uint32_t per_rack = 1; per_rack <= 5; ++per_rack) {
      const Plan plan = Checked(Placement(6, 3), EqualNodes(racks * per_rack, racks), 3);
      EXPECT_FALSE(plan.is_bound_by_racks || plan.is_short_of_racks)
          << racks << " racks of " << per_rack;
    }
  }
}

TEST(PlannerTest, OrderOfTheNodesDoesNotMatter) {
  auto nodes = EqualNodes(11, 3);
  nodes[3].weight = 5;
  const Plan plan = Checked(Placement(7, 3), nodes, 3);
  Random random(3);
  for (int i = 0; i < 10; ++i) {
    for (size_t j = nodes.size() - 1; j > 0; --j) std::swap(nodes[j], nodes[random.Uniform(j + 1)]);
    EXPECT_EQ(Checked(Placement(7, 3), nodes, 3).placement, plan.placement);
  }
}

TEST(PlannerTest, NonsenseIsRefused) {
  const Placement empty(4, 3);
  EXPECT_STATUS(kInvalidArgument, MakePlan(empty, {}, 3));
  EXPECT_STATUS(kInvalidArgument, MakePlan(empty, {{NodeId{1}, 0, ""}}, 3));
  EXPECT_STATUS(kInvalidArgument, MakePlan(empty, {{kNoNode, 1, ""}}, 3));
  EXPECT_STATUS(kInvalidArgument, MakePlan(empty, {{NodeId{1}, 1, ""}, {NodeId{1}, 1, ""}}, 3));
  EXPECT_STATUS(kInvalidArgument, MakePlan(empty, EqualNodes(3), 0));
  EXPECT_STATUS(kInvalidArgument, MakePlan(empty, EqualNodes(3), kMaxCopies + 1));
  EXPECT_STATUS(kInvalidArgument, MakePlan(empty, EqualNodes(kMaxNodes + 1), 3));
}

// All placements of tiny clusters, one by one: none that keeps racks and balance moves less.
class Exhaustive {
 public:
  Exhaustive(const Placement& before, const PlannerOracle& oracle)
      : before_(before), oracle_(oracle) {
    const size_t nodes = oracle.nodes().size();
    for (uint32_t set = 0; set < 1u << nodes; ++set) {
      if (static_cast<uint32_t>(std::popcount(set)) != oracle.copies()) continue;
      std::vector<NodeId> list;
      for (size_t i = 0; i < nodes; ++i) {
        if (((set >> i) & 1) != 0) list.push_back(oracle.nodes()[i].id);
      }
      sets_.push_back(list);
    }
    Placement placement(before.bits(), oracle.copies());
    Try(0, &placement);
  }
  uint32_t best() const { return best_; }

 private:
  void Try(uint32_t partition, Placement* placement) {
    if (partition == before_.partitions()) {
      if (!oracle_.IsBalanced(*placement) || oracle_.Excess(*placement) > 0) return;
      best_ = std::min(best_, CopiesToMake(before_, *placement));
      return;
    }
    for (const auto& set : sets_) {
      placement->SetReplicas(At(partition), set);
      Try(partition + 1, placement);
    }
  }
  const Placement& before_;
  const PlannerOracle& oracle_;
  std::vector<std::vector<NodeId>> sets_;
  uint32_t best_ = ~0u;
};

std::vector<PlannerNode> RandomNodes(Random* random, uint32_t most) {
  std::vector<PlannerNode> nodes;
  const uint64_t racks = 1 + random->Uniform(4);
  const bool equal = random->OneIn(2);
  for (uint64_t i = 0, n = 1 + random->Uniform(most); i < n; ++i) {
    nodes.push_back({NodeId{i + 1}, equal ? 1 : static_cast<uint32_t>(1 + random->Uniform(4)),
                     racks == 1 ? "" : std::to_string(random->Uniform(racks))});
  }
  return nodes;
}

TEST(PlannerTest, NoPlacementOfTinyClustersIsBetter) {
  for (uint64_t seed = 0; seed < Scaled(400); ++seed) {
    Random random(seed);
    const auto nodes = RandomNodes(&random, 4);
    const auto copies = static_cast<uint32_t>(1 + random.Uniform(3));
    Placement before(static_cast<uint32_t>(random.Uniform(3)), copies);
    for (uint32_t p = 0; p < before.partitions(); ++p) {  // anything, also from nodes that are gone
      std::vector<NodeId> list;
      for (uint64_t node = 1; node <= 6 && list.size() < copies; ++node) {
        if (random.OneIn(2)) list.push_back(NodeId{node});
      }
      before.SetReplicas(At(p), list);
    }
    const Plan plan = Checked(before, nodes, copies);
    const PlannerOracle oracle(before, nodes, copies);
    EXPECT_EQ(plan.copies_to_make, Exhaustive(before, oracle).best()) << "seed " << seed;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// A cluster's life: joins, leaves, replacements, changes of weights, racks and copies, several at once. Each plan must be the
// cheapest there is from where the one before has led.
void ChangeNodes(Random* random, std::vector<PlannerNode>* nodes, uint64_t* next_id,
                 uint32_t* copies) {
  const auto any = [&] {
    return nodes->begin() + static_cast<ptrdiff_t>(random->Uniform(nodes->size()));
  };
  switch (random->Uniform(12)) {
    case 0: any()->weight = static_cast<uint32_t>(random->Uniform(5)); break;
    case 1: any()->rack = std::to_string(random->Uniform(4)); break;
    case 2: *copies = static_cast<uint32_t>(1 + random->Uniform(5)); break;
    case 3:
    case 4: any()->id = NodeId{(*next_id)++}; break;
    case 5:
    case 6:
    case 7:
      if (nodes->size() > 1) nodes->erase(any());
      break;
    default: {
      PlannerNode node = *any();
      node.id = NodeId{(*next_id)++};
      nodes->push_back(node);
    }
  }
  if (std::none_of(nodes->begin(), nodes->end(),
                   [](const PlannerNode& node) { return node.weight > 0; })) {
    nodes->front().weight = 1;
  }
}

TEST(PlannerTest, EveryPlanOfRandomHistoriesIsTheCheapest) {
  const char* only = std::getenv("VARVE_TEST_SEED");
  const uint64_t first = only == nullptr ? 0 : std::strtoull(only, nullptr, 10);
  const uint64_t last = only == nullptr ? Scaled(1000) : first + 1;
  size_t plans = 0;
  size_t at_the_bound = 0;
  for (uint64_t seed = first; seed < last; ++seed) {
    Random random(seed);
    auto nodes = RandomNodes(&random, 9);
    uint64_t next_id = 100;
    auto copies = static_cast<uint32_t>(1 + random.Uniform(4));
    Placement placement(static_cast<uint32_t>(random.Uniform(6)), copies);
    for (int step = 0; step < 8; ++step) {
      const Plan plan = Checked(placement, nodes, copies);
      ASSERT_FALSE(HasFailure()) << "seed " << seed << " step " << step;
      at_the_bound +=
          plan.copies_to_make == PlannerOracle(placement, nodes, copies).LeastMovement() ? 1 : 0;
      ++plans;
      placement = plan.placement;
      for (uint64_t i = random.Uniform(3); i <= 2; ++i)
        ChangeNodes(&random, &nodes, &next_id, &copies);
    }
  }
  RecordProperty("plans", static_cast<int>(plans));
  RecordProperty("plans_at_the_bound_by_counting", static_cast<int>(at_the_bound));
}

TEST(PlacementTest, SplitMovesNothing) {
  const Placement placement = Checked(Placement(5, 3), EqualNodes(7), 3).placement;
  const Placement halves = placement.Split();
  EXPECT_EQ(halves.partitions(), 64u);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const auto s = static_cast<uint16_t>(slot);
    const auto before = placement.Replicas(placement.PartitionOfSlot(s));
    const auto after = halves.Replicas(halves.PartitionOfSlot(s));
    EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin(), after.end()));
  }
}

TEST(PlacementTest, SlotsOfAPartition) {
  for (uint32_t bits = 0; bits <= kMaxPartitionBits; ++bits) {
    const Placement placement(bits, 1);
    for (uint32_t p = 0; p < placement.partitions(); ++p) {
      const uint16_t first = placement.FirstSlot(At(p));
      EXPECT_EQ(placement.PartitionOfSlot(first), At(p));
      const auto last = static_cast<uint16_t>(first + placement.SlotsPerPartition() - 1);
      EXPECT_EQ(placement.PartitionOfSlot(last), At(p));
    }
  }
}

}  // namespace planner_test
}  // namespace varve::cluster
