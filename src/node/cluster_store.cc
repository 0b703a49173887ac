#include "node/cluster_store.h"

#include <charconv>
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "cluster/placement.h"
#include "node/etcd_topology_store.h"
#include "node/file_topology_store.h"

namespace varve::node {
namespace {

constexpr std::string_view kTopology = "topology";
constexpr std::string_view kSettings = "settings";
constexpr std::string_view kPlan = "plan";

template <typename T>
bool ParseNumber(std::string_view text, T* number, int base = 10) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number, base);
  return error == std::errc() && stop == end && !text.empty();
}

std::string Hex(uint64_t number) {
  std::string digits(16, '0');
  for (size_t i = 16; i > 0; --i, number >>= 4) digits[i - 1] = "0123456789abcdef"[number & 15];
  return digits;
}

// One line of the settings. False: its value makes no sense.
Result<bool> TakeSetting(std::string_view name, std::string_view value, ClusterSettings* settings) {
  if (name == "copies") return ParseNumber(value, &settings->copies);
  if (name == "read") return ParseNumber(value, &settings->read_quorum);
  if (name == "write") return ParseNumber(value, &settings->write_quorum);
  if (name == "conflicts") {
    const bool is_lww = value == "lww";
    settings->policy = is_lww ? cluster::ConflictPolicy::kLww : cluster::ConflictPolicy::kSiblings;
    return is_lww || value == "siblings";
  }
  if (name == "secret") {
    return value.size() == 32 && ParseNumber(value.substr(0, 16), &settings->secret[0], 16) &&
           ParseNumber(value.substr(16), &settings->secret[1], 16);
  }
  return Status::NotSupported("the cluster's settings have '" + std::string(name) +
                              "', which this version does not know");
}

}  // namespace

std::string EncodeClusterSettings(const ClusterSettings& settings) {
  std::string text;
  text.append("copies ").append(std::to_string(settings.copies));
  text.append("\nread ").append(std::to_string(settings.read_quorum));
  text.append("\nwrite ").append(std::to_string(settings.write_quorum));
  text.append("\nconflicts ");
  text.append(settings.policy == cluster::ConflictPolicy::kLww ? "lww" : "siblings");
  return text.append("\nsecret ").append(Hex(settings.secret[0])).append(Hex(settings.secret[1])).append("\n");
}

Result<ClusterSettings> DecodeClusterSettings(std::string_view text) {
  ClusterSettings settings;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t space = line.find(' ');
    if (space == line.npos) return Status::Corruption("the cluster's settings: '" + std::string(line) + "'");
    VARVE_ASSIGN_OR_RETURN(const bool is_right, TakeSetting(line.substr(0, space), line.substr(space + 1), &settings));
    if (!is_right) return Status::Corruption("the cluster's settings: '" + std::string(line) + "'");
  }
  const Status status = CheckClusterSettings(settings);
  if (!status.ok()) return Status::Corruption(std::string(status.message()));
  return settings;
}

Status CheckClusterSettings(const ClusterSettings& settings) {
  if (settings.copies < 1 || settings.copies > cluster::kMaxCopies) {
    return Status::InvalidArgument("the number of copies is from 1 to " + std::to_string(cluster::kMaxCopies));
  }
  for (const uint32_t quorum : {settings.read_quorum, settings.write_quorum}) {
    if (quorum < 1 || quorum > settings.copies) {
      return Status::InvalidArgument("R and W are from 1 to the number of copies, " + std::to_string(settings.copies));
    }
  }
  return Status::Ok();
}

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

CommitResult ClusterStore::AdvanceTopology(uint64_t from_revision, const std::string& next) {
  return store_->Commit({.conditions = {{Key(kTopology), from_revision}},
                         .changes = {{Key(kTopology), next}}});
}

Status ClusterStore::ReplacePlan(const ClusterState& from, const std::string& plan) {
  if (plan.empty() && from.plan_revision == 0) return Status::Ok();
  TopologyCommit commit;
  commit.conditions = {{Key(kTopology), from.topology_revision}, {Key(kPlan), from.plan_revision}};
  commit.changes = {{Key(kPlan), plan.empty() ? std::nullopt : std::optional(plan)}};
  return Commit(commit);
}

}  // namespace varve::node
