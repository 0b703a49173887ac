// What 'varve cluster status' makes of a topology and of what the nodes say: green, yellow or red, and why. Pure.
#ifndef VARVE_CLI_CLUSTER_STATUS_H_
#define VARVE_CLI_CLUSTER_STATUS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/server_info.h"
#include "cluster/topology.h"
#include "node/cluster_store.h"

namespace varve::cli {

// What a node said to CLUSTER INFO.
struct NodeAnswer {
  std::string error;  // not empty: it gave no answer
  ServerInfo info{""};

  bool is_there() const { return error.empty(); }
  // std::nullopt when it did not say so.
  std::optional<uint64_t> Number(std::string_view name) const { return WholeNumber(info.Text(name)); }
};

using NodeAnswers = std::map<cluster::NodeId, NodeAnswer>;

struct ClusterVerdict {
  enum class Color { kGreen, kYellow, kRed };
  Color color = Color::kGreen;
  std::vector<std::string> reasons;  // the grave ones first; empty: green
};
const char* ColorName(ClusterVerdict::Color color);

// `answers`: of every member that is not removed, or nothing when nodes were not asked.
//
//   red     some partition has fewer replicas that answer than a read or a write needs
//   yellow  all can be read and written, but something is on its way, or one more failure weighs more than it should
//   green   as it shall be
ClusterVerdict Judge(const node::ClusterState& state, const NodeAnswers& answers);

// How many bytes the copy of one partition has, on average of the nodes that say so; std::nullopt when none does.
std::optional<double> BytesOfACopy(const node::ClusterState& state, const NodeAnswers& answers);

}  // namespace varve::cli

#endif  // VARVE_CLI_CLUSTER_STATUS_H_
