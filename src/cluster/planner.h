// The planner: from the present placement and the nodes that shall hold the data, the placement to go to.
// A pure function: the same input gives the same plan, on every machine.
//
// What a plan keeps, in this order:
//   1 a partition has min(copies, nodes with weight) replicas, all on different nodes
//   2 racks: no rack has more than `rack_limit` copies of a partition. That is ceil(copies / racks), or as much more
//     as nodes are missing in the smaller racks
//   3 balance: every node has its share by weight, rounded up or down. None can have more than one copy of each
//     partition, and no rack more than 2 allows; what these cannot take goes to the others by weight
//   4 movement: as few copies are made as 1 to 3 allow. Not approximately: it is the minimum
//   5 primaries: of the partitions of a node the share 1 / copies, rounded up or down, with as few changes
//     of primaries as that allows
#ifndef VARVE_CLUSTER_PLANNER_H_
#define VARVE_CLUSTER_PLANNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/placement.h"
#include "cluster/types.h"
#include "varve/status.h"

namespace varve::cluster {

inline constexpr size_t kMaxNodes = 1000;

struct PlannerNode {
  NodeId id = kNoNode;
  uint32_t weight = 1;  // relative to the others; 0: shall hold nothing
  std::string rack;  // nodes of the same rack may fail together; nodes without a name are one rack
};

struct Plan {
  Placement placement;
  uint32_t copies = 0;  // of each partition; fewer than asked for when there are too few nodes
  uint32_t copies_to_make = 0;     // the movement: replicas that have to be filled
  uint32_t primaries_changed = 0;  // partitions whose first replica is another one
  uint32_t rack_limit = 0;         // copies of a partition that a rack has at most
  bool is_short_of_nodes = false;  // copies is less than was asked for
  bool is_short_of_racks =
      false;  // rack_limit is more than ceil(copies / racks): racks are too small
  bool is_bound_by_racks = false;  // shares are not by weight alone: racks are too unequal
};

// A plan for `nodes` from `current`, whose lists may be empty (a new cluster), shorter or longer than
// `copies`, and may name nodes that are not in `nodes`: those shall hold nothing.
// kInvalidArgument: no node with weight, more than kMaxNodes, a node without id or named twice, or copies
// not in [1, kMaxCopies].
// 100 nodes and 4096 partitions: figures in docs/design/0031-placement.md.
Result<Plan> MakePlan(const Placement& current, const std::vector<PlannerNode>& nodes,
                      uint32_t copies);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_PLANNER_H_
