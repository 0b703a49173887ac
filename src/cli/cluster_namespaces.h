// 'varve cluster namespace': those parts of a cluster's keys that have their own R, W and policy.
#ifndef VARVE_CLI_CLUSTER_NAMESPACES_H_
#define VARVE_CLI_CLUSTER_NAMESPACES_H_

#include <string>
#include <vector>

#include "cli/context.h"
#include "node/cluster_store.h"

namespace varve::cli {

// `operands`: "list" or nothing, "create NAME", "set NAME". Statuses that are returned have not been reported.
Result<int> RunClusterNamespace(const Context& context, node::ClusterStore* store, const std::vector<std::string>& operands);

}  // namespace varve::cli

#endif  // VARVE_CLI_CLUSTER_NAMESPACES_H_
