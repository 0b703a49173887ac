#include "node/cluster_store.h"

#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "node/etcd_topology_store.h"
#include "node/file_topology_store.h"

namespace varve::node {
namespace {

constexpr std::string_view kTopology = "topology";
constexpr std::string_view kSettings = "settings";
constexpr std::string_view kPlan = "plan";

}  // namespace

Result<std::unique_ptr<ClusterStore>> ClusterStore::Open(const std::string& address, Env* env) {
  const size_t colon = address.find(':');
  const std::string kind = address.substr(0, colon);
  std::string rest = colon == address.npos ? "" : address.substr(colon + 1);
  std::string name = "default";
  if (const size_t hash = rest.rfind('#'); hash != rest.npos) {
    name = rest.substr(hash + 1);
    rest.resize(hash);
  }
  if (rest.empty() || name.empty()) {
    return Status::InvalidArgument("a topology is file:PATH, fixed:PATH or etcd:URL,URL, not '" + address + "'");
  }
  const std::string prefix = "varve/" + name + "/";
  if (kind == "file" || kind == "fixed") {
    if (rest.find('/') == rest.npos) rest.insert(0, "./");
    FileTopologyOptions options;
    options.is_fixed = kind == "fixed";
    return std::make_unique<ClusterStore>(std::make_unique<FileTopologyStore>(rest, options, env), prefix, env);
  }
  if (kind != "etcd") {
    return Status::InvalidArgument("a topology is file:PATH, fixed:PATH or etcd:URL,URL, not '" + address + "'");
  }
  EtcdOptions options;
  options.seed = env->RandomSeed();
  for (size_t begin = 0; begin <= rest.size();) {
    const size_t comma = std::min(rest.find(',', begin), rest.size());
    if (comma > begin) options.endpoints.push_back(rest.substr(begin, comma - begin));
    begin = comma + 1;
  }
  if (options.endpoints.empty()) return Status::InvalidArgument("etcd: names no endpoint");
  return std::make_unique<ClusterStore>(std::make_unique<EtcdTopologyStore>(options, env), prefix, env);
}

std::string ClusterStore::topology_key() const { return Key(kTopology); }
std::string ClusterStore::settings_key() const { return Key(kSettings); }

Result<ClusterState> ClusterStore::Read() {
  VARVE_ASSIGN_OR_RETURN(const TopologySnapshot snapshot, store_->Read(prefix_));
  return Parse(snapshot);
}

Result<ClusterState> ClusterStore::Parse(const TopologySnapshot& snapshot) const {
  ClusterState state;
  const auto topology = snapshot.records.find(Key(kTopology));
  const auto settings = snapshot.records.find(Key(kSettings));
  if (topology == snapshot.records.end() && settings == snapshot.records.end()) {
    return Status::NotFound("there is no cluster yet");
  }
  if (topology == snapshot.records.end() || settings == snapshot.records.end()) {
    return Status::Corruption("the topology store has only one of topology and settings");
  }
  VARVE_ASSIGN_OR_RETURN(state.topology, cluster::DecodeTopology(topology->second.value));
  VARVE_ASSIGN_OR_RETURN(state.settings, DecodeClusterSettings(settings->second.value));
  state.topology_revision = topology->second.revision;
  state.settings_revision = settings->second.revision;
  if (const auto plan = snapshot.records.find(Key(kPlan)); plan != snapshot.records.end()) {
    state.plan = plan->second.value;
    state.plan_revision = plan->second.revision;
  }
  return state;
}

Status ClusterStore::Commit(const TopologyCommit& commit) {
  const CommitResult result = store_->Commit(commit);
  switch (result.outcome) {
    case CommitResult::Outcome::kDone: return Status::Ok();
    case CommitResult::Outcome::kConflict:
      return Status(StatusCode::kConflict, "somebody else has changed the cluster meanwhile; nothing has changed");
    case CommitResult::Outcome::kUnavailable:
      return Status(StatusCode::kUnavailable, "the topology store cannot be asked; nothing has changed: " + result.reason);
    case CommitResult::Outcome::kUnknown:
      return Status(StatusCode::kTimedOut, "whether it has changed is not known; look again: " + result.reason);
    case CommitResult::Outcome::kRefused: break;
  }
  return Status::InvalidArgument("the topology store refuses: " + result.reason);
}

Status ClusterStore::Create(cluster::Topology topology, ClusterSettings settings) {
  VARVE_RETURN_IF_ERROR(CheckClusterSettings(settings));
  topology.cluster = env_->RandomSeed() | 1;
  settings.secret = {env_->RandomSeed(), env_->RandomSeed()};
  VARVE_RETURN_IF_ERROR(cluster::Validate(topology));
  return Commit({.conditions = {{Key(kTopology), 0}, {Key(kSettings), 0}},
                 .changes = {{Key(kTopology), cluster::EncodeTopology(topology)},
                             {Key(kSettings), EncodeClusterSettings(settings)}}});
}

Status ClusterStore::ReplaceTopology(const ClusterState& from, const cluster::Topology& next) {
  TopologyCommit commit;
  commit.conditions = {{Key(kTopology), from.topology_revision},
                       {Key(kSettings), from.settings_revision},
                       {Key(kPlan), from.plan_revision}};
  if (VARVE_PLANTED_BUG("cluster.commits_without_conditions")) commit.conditions.clear();
  commit.changes = {{Key(kTopology), cluster::EncodeTopology(next)}};
  if (from.plan_revision != 0) commit.changes.push_back({Key(kPlan), std::nullopt});
  return Commit(commit);
}

CommitResult ClusterStore::AdvanceTopology(uint64_t from_revision, uint64_t settings_revision, const std::string& next) {
  TopologyCommit commit{.conditions = {{Key(kTopology), from_revision}}, .changes = {{Key(kTopology), next}}};
  if (!VARVE_PLANTED_BUG("cluster.moves_by_old_settings")) commit.conditions.push_back({Key(kSettings), settings_revision});
  return store_->Commit(commit);
}

Status ClusterStore::ReplaceSettings(const ClusterState& from, const ClusterSettings& next) {
  VARVE_RETURN_IF_ERROR(CheckClusterSettings(next));
  return Commit({.conditions = {{Key(kSettings), from.settings_revision}},
                 .changes = {{Key(kSettings), EncodeClusterSettings(next)}}});
}

Status ClusterStore::ReplacePlan(const ClusterState& from, const std::string& plan) {
  if (plan.empty() && from.plan_revision == 0) return Status::Ok();
  TopologyCommit commit;
  commit.conditions = {{Key(kTopology), from.topology_revision}, {Key(kPlan), from.plan_revision}};
  commit.changes = {{Key(kPlan), plan.empty() ? std::nullopt : std::optional(plan)}};
  return Commit(commit);
}

}  // namespace varve::node
