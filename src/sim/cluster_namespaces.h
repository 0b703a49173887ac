// Namespaces of a simulated cluster: what the topology store holds of them beside the topology, and what the operator
// changes. Their settings, and what follows from them, are those of real clusters (cluster/settings.h).
#ifndef VARVE_SIM_CLUSTER_NAMESPACES_H_
#define VARVE_SIM_CLUSTER_NAMESPACES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/settings.h"
#include "sim/cluster_run.h"
#include "sim/stream.h"

namespace varve::sim {

// What the store holds: one record with both, so that a change of either has the revision of both as its condition. Without
// namespaces there is the topology alone, and `settings` is empty. Views into `bytes`.
struct StoreRecord {
  std::string_view settings;
  std::string_view topology;
};
std::string EncodeRecord(const ClusterOptions& options, const StoreRecord& record);
StoreRecord SplitRecord(const ClusterOptions& options, std::string_view bytes);

// Of the cluster when it is made: without the namespaces that come later. Empty: there are none at all.
std::string FirstSettingsOf(const ClusterOptions& options);

// Makes a namespace that is yet to come. False: there is none.
bool AddMissing(const ClusterOptions& options, cluster::ClusterSettings* settings);
// Makes one of them, or gives one other quorums, as an administrator would: who waits until all nodes have
// taken the last change (`is_green`) before he changes what reads are promised. False: nothing is to be done now.
bool ChangeSettings(const ClusterOptions& options, bool is_green, Stream* random, cluster::ClusterSettings* settings);

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_NAMESPACES_H_
