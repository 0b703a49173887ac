// What an administrator wants changed in a cluster, and the topology that comes of it. Pure.
#ifndef VARVE_CLI_CLUSTER_PLAN_H_
#define VARVE_CLI_CLUSTER_PLAN_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/planner.h"
#include "cluster/topology.h"
#include "varve/status.h"

namespace varve::cli {

struct ClusterChange {
  enum class Kind {
    kJoin,     // `joins` becomes a member
    kLeave,    // `node` gives away what it has
    kReplace,  // `joins` takes what `node` has
    kRemove,   // as kLeave, and is no member any more when it has nothing; one that is dead, too
  };
  Kind kind = Kind::kJoin;
  cluster::NodeId node = cluster::kNoNode;
  cluster::Member joins;  // id, weight, rack and address
  friend bool operator==(const ClusterChange&, const ClusterChange&) = default;
};

// Changes, in their order, and the version of the topology that they were planned for.
struct ClusterPlan {
  cluster::Epoch epoch = cluster::kNoEpoch;
  std::vector<ClusterChange> changes;
  friend bool operator==(const ClusterPlan&, const ClusterPlan&) = default;
};

// Lines of text, and back. kCorruption.
std::string EncodeClusterPlan(const ClusterPlan& plan);
Result<ClusterPlan> DecodeClusterPlan(std::string_view text);
// For people: "node 4 joins at 10.0.0.4:7379/6379".
std::string DescribeChange(const ClusterChange& change);

// "ID=HOST:PORT/CLIENTS[@RACK]". kInvalidArgument.
Result<cluster::Member> ParseNewMember(std::string_view text);
// kInvalidArgument unless it is a number above 0.
Result<cluster::NodeId> ParseNodeId(std::string_view text);

struct PlannedTopology {
  cluster::Topology next;
  cluster::Plan plan;
};
// `copies`: wished for of each partition. kInvalidArgument, kNotFound: what is not allowed, and why.
Result<PlannedTopology> MakePlannedTopology(const cluster::Topology& now, const std::vector<ClusterChange>& changes,
                                            uint32_t copies);
// The first topology, of an empty cluster: all members up. REQUIRES: as Placement for `bits`.
Result<cluster::Topology> MakeFirstTopology(uint32_t bits, uint32_t copies, std::vector<cluster::Member> members);

// How many partitions each node holds by `placement`.
std::map<cluster::NodeId, uint32_t> CopiesByNode(const cluster::Placement& placement);
// Copies that still have to be made, and are: partitions whose replicas are not yet those of the target.
uint32_t PartitionsToMove(const cluster::Topology& topology);
const char* MemberStateName(cluster::MemberState state);

}  // namespace varve::cli

#endif  // VARVE_CLI_CLUSTER_PLAN_H_
