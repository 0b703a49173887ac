// What 'varve cluster' prints: columns for people, lines with tabs for pipes, objects with --json.
#ifndef VARVE_CLI_CLUSTER_REPORT_H_
#define VARVE_CLI_CLUSTER_REPORT_H_

#include <string>

#include "cli/cluster_plan.h"
#include "cli/cluster_status.h"
#include "cli/context.h"
#include "node/cluster_store.h"

namespace varve::cli {

void PrintNamespaces(const Context& context, const node::ClusterSettings& settings);
void PrintTopology(const Context& context, const node::ClusterState& state);
void PrintStatus(const Context& context, const node::ClusterState& state, const NodeAnswers& answers,
                 const ClusterVerdict& verdict);
void PrintPlan(const Context& context, const node::ClusterState& state, const ClusterPlan& plan,
               const PlannedTopology& planned, const NodeAnswers& answers);
void PrintNoPlan(const Context& context, const node::ClusterState& state);
void PrintCommitted(const Context& context, const node::ClusterState& now, const ClusterPlan& plan);
// `error`: empty when the node has begun.
void PrintRepair(const Context& context, const cluster::Member& member, const std::string& error);

}  // namespace varve::cli

#endif  // VARVE_CLI_CLUSTER_REPORT_H_
