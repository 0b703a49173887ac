#include "main/cluster_node.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "node/member_address.h"

namespace varve {
namespace {

constexpr uint64_t kMilli = 1'000'000;
// How long a first start waits for the topology store, and any start for the node to have loaded what it has.
constexpr int kStoreTries = 50;
constexpr uint64_t kBetweenStoreTries = 200 * kMilli;
constexpr int kReadyTries = 500;
constexpr uint64_t kBetweenReadyTries = 10 * kMilli;

// Another one after each start of the machine; empty where the system does not say.
std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

Result<node::ClusterState> ReadPatiently(node::ClusterStore* store, Db* db, Env* env, Log* log) {
  for (int i = 1;; ++i) {
    Result<node::ClusterState> state = node::Member::ReadOrRecall(store, db);
    if (state.ok() && state->topology_revision == 0) {
      log->Warn("the topology store cannot be asked: starting by what this node knew last",
                {{"epoch", {std::to_string(Value(state->topology.epoch))}}});
    }
    const StatusCode code = state.status().code();
    const bool may_come = code == StatusCode::kUnavailable || code == StatusCode::kTimedOut;
    if (state.ok() || !may_come || i == kStoreTries) return state;
    if (i == 1) log->Warn("waiting for the topology store", {{"error", {state.status().ToString()}}});
    env->clock()->SleepNanos(kBetweenStoreTries);
  }
}

bool IsFixed(const cli::ServeRequest& request) { return request.cluster_topology.starts_with("fixed:"); }

// Nobody gives a node another name for its writes: it must have one from the start, and never forget what it wrote by it.
Status CheckFixed(const cli::ServeRequest& request, const cluster::Topology& topology) {
  if (!IsFixed(request)) {
    if (!request.is_first_start) return Status::Ok();
    return Status::InvalidArgument("--cluster-first-start is for topologies that are fixed");
  }
  if (!request.syncs) return Status::InvalidArgument("a node of a fixed topology needs --sync");
  const cluster::Member* const self = topology.Find(cluster::NodeId{request.node_id});
  if (self == nullptr || self->actor != cluster::kNoActor) return Status::Ok();
  return Status::InvalidArgument("the topology is fixed and gives this node no name for its writes: make it by "
                                 "'varve cluster init --fixed', or start the node once by file:PATH");
}

Status CheckTls(const cli::ServeRequest& request, const std::vector<std::string>& hosts) {
  const int files = (request.cluster_tls_certificate.empty() ? 0 : 1) + (request.cluster_tls_key.empty() ? 0 : 1) +
                    (request.cluster_tls_authorities.empty() ? 0 : 1);
  if (files != 0 && files != 3) {
    return Status::InvalidArgument("cluster-tls-cert, cluster-tls-key and cluster-tls-ca go together");
  }
  const bool is_local = std::all_of(hosts.begin(), hosts.end(), IsLoopback);
  if (!is_local && files == 0 && !request.is_unprotected) {
    return Status::InvalidArgument("other hosts could pass for nodes: give --cluster-tls-cert, --cluster-tls-key and "
                                   "--cluster-tls-ca, or say --unprotected");
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<ClusterNode>> ClusterNode::StartIfAsked(const cli::ServeRequest& request, Db* db, Env* env, Log* log) {
  if (request.cluster_topology.empty()) return std::unique_ptr<ClusterNode>();
  if (request.node_id == 0) return Status::InvalidArgument("a node of a cluster needs --node-id");
  std::unique_ptr<ClusterNode> node(new ClusterNode);
  VARVE_ASSIGN_OR_RETURN(node->store_, node::ClusterStore::Open(request.cluster_topology, env));
  VARVE_ASSIGN_OR_RETURN(node::ClusterState state, ReadPatiently(node->store_.get(), db, env, log));
  VARVE_RETURN_IF_ERROR(CheckFixed(request, state.topology));
  node::MemberOptions options;
  options.self = cluster::NodeId{request.node_id};
  options.syncs = request.syncs;
  // What is synced is not lost with the power: for such a node it is always the same boot.
  options.boot = IsFixed(request) && !VARVE_PLANTED_BUG("node.forgets_a_fixed_name") ? "fixed" : BootId();
  options.is_first_start = request.is_first_start;
  options.log = [log](const std::string& text) { log->Info("cluster", {{"what", {text}}}); };
  options.on_failure = [](const Status&) { ::kill(::getpid(), SIGTERM); };
  node->tls_ = {.certificate = request.cluster_tls_certificate,
                .key = request.cluster_tls_key,
                .authorities = request.cluster_tls_authorities};
  options.tls = node->tls_;
  if (request.cluster_port) options.transport.port = *request.cluster_port;
  options.transport.hosts.clear();
  if (!request.cluster_host.empty()) options.transport.hosts = {request.cluster_host};
  if (const cluster::Member* const self = state.topology.Find(options.self); self != nullptr) {
    VARVE_ASSIGN_OR_RETURN(const node::MemberAddress address, node::ParseMemberAddress(self->address));
    if (options.transport.hosts.empty()) options.transport.hosts = {address.peers.host};
    if (address.clients.port != request.port) {
      log->Warn("clients are told another port", {{"topology", {std::to_string(address.clients.port)}},
                                                  {"port", {std::to_string(request.port)}}});
    }
  }
  VARVE_RETURN_IF_ERROR(CheckTls(request, options.transport.hosts));
  Result<std::unique_ptr<node::Member>> member = node::Member::Start(std::move(options), std::move(state), node->store_.get(), db, env);
  if (!member.ok() && IsFixed(request) && !request.is_first_start) {
    return Status(member.status().code(), std::string(member.status().message()) + "; --cluster-first-start if it never had any");
  }
  VARVE_ASSIGN_OR_RETURN(node->member_, std::move(member));
  node->bridge_ = std::make_unique<ClusterBridge>(node->member_.get(), db, env, request.cluster_timeout_millis);
  for (int i = 0; i < kReadyTries && !node->bridge_->IsReady(); ++i) env->clock()->SleepNanos(kBetweenReadyTries);
  log->Info(node->bridge_->IsReady() ? "node of a cluster" : "node of a cluster, still getting ready",
            {{"node", {std::to_string(request.node_id)}},
             {"cluster_port", {std::to_string(node->member_->port())}},
             {"epoch", {std::to_string(Value(node->member_->topology()->epoch))}}});
  return node;
}

}  // namespace varve
