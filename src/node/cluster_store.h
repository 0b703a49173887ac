// ClusterStore: the records of one cluster in a topology store.
//
//   PREFIXtopology   cluster::EncodeTopology; its epoch grows by one with each commit
//   PREFIXsettings   ClusterSettings
//   PREFIXplan       what an administrator has planned and not committed; text, his own business
#ifndef VARVE_NODE_CLUSTER_STORE_H_
#define VARVE_NODE_CLUSTER_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/settings.h"
#include "cluster/topology.h"
#include "env/env.h"
#include "node/topology_store.h"
#include "varve/status.h"

namespace varve::node {

using cluster::AddNamespace;
using cluster::CheckClusterSettings;
using cluster::ClusterNamespace;
using cluster::ClusterSettings;
using cluster::DecodeClusterSettings;
using cluster::EncodeClusterSettings;
using cluster::MoveRulesOf;
using cluster::PolicyName;
using cluster::SetNamespaceQuorums;

// What the store held at one moment.
struct ClusterState {
  cluster::Topology topology;
  ClusterSettings settings;
  std::string plan;  // empty: none
  uint64_t topology_revision = 0;
  uint64_t settings_revision = 0;
  uint64_t plan_revision = 0;  // 0: there is none
};

// Thread-safe.
class ClusterStore {
 public:
  // Borrows `env`.
  ClusterStore(std::unique_ptr<TopologyStore> store, std::string prefix, Env* env)
      : store_(std::move(store)), prefix_(std::move(prefix)), env_(env) {}

  // "file:PATH", "fixed:PATH" (never written), "etcd:URL[,URL...]"; the last with "#NAME" for one of several
  // clusters. kInvalidArgument.
  static Result<std::unique_ptr<ClusterStore>> Open(const std::string& address, Env* env);

  // kNotFound: there is no cluster yet; kCorruption; what TopologyStore::Read returns.
  Result<ClusterState> Read();
  // From the records under prefix(), as Read and watches have them.
  Result<ClusterState> Parse(const TopologySnapshot& snapshot) const;

  // The first topology of a cluster, with a secret and a number of its own. kConflict: there is one already.
  Status Create(cluster::Topology topology, ClusterSettings settings);
  // Only if topology and plan are still those of `from`; the plan is dropped when the topology changes. kConflict:
  // they are not, and nothing has changed; kUnknown outcomes are kTimedOut: read what came of it.
  Status ReplaceTopology(const ClusterState& from, const cluster::Topology& next);
  // A change by a node, which leaves the plan alone, and by the settings that moves are made by. `next`:
  // cluster::EncodeTopology.
  CommitResult AdvanceTopology(uint64_t from_revision, uint64_t settings_revision, const std::string& next);
  // Only if the settings are still those of `from`; outcomes as of ReplaceTopology.
  Status ReplaceSettings(const ClusterState& from, const ClusterSettings& next);
  Status ReplacePlan(const ClusterState& from, const std::string& plan);

  const std::string& prefix() const { return prefix_; }
  std::string topology_key() const;
  std::string settings_key() const;
  TopologyStore* store() { return store_.get(); }

 private:
  Status Commit(const TopologyCommit& commit);
  std::string Key(std::string_view name) const { return prefix_ + std::string(name); }

  const std::unique_ptr<TopologyStore> store_;
  const std::string prefix_;
  Env* const env_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_CLUSTER_STORE_H_
