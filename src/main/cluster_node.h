// ClusterNode: the part of a server that makes it a node of a cluster.
#ifndef VARVE_MAIN_CLUSTER_NODE_H_
#define VARVE_MAIN_CLUSTER_NODE_H_

#include <memory>

#include "cli/serve.h"
#include "env/env.h"
#include "main/cluster_bridge.h"
#include "main/log.h"
#include "node/cluster_store.h"
#include "node/member.h"
#include "tls/context.h"
#include "varve/db.h"

namespace varve {

// For one thread.
class ClusterNode {
 public:
  // Asks the topology store, for which it waits if this node has never been a member, and waits a little for this node to
  // have loaded what it has. nullptr when the request asks
  // for no cluster. Borrows `db`, `env` and `log`. kInvalidArgument: the settings, or the node, do not fit the cluster.
  static Result<std::unique_ptr<ClusterNode>> StartIfAsked(const cli::ServeRequest& request, Db* db, Env* env, Log* log);
  ~ClusterNode() { Stop(); }

  server::ClusterFace* face() { return bridge_.get(); }
  // Whether nodes show each other certificates; they are read again, for connections that begin from then on. What is wrong
  // with the new ones leaves the old ones in use. kInvalidArgument.
  bool has_certificates() const { return !tls_.certificate.empty(); }
  Status ReloadCertificates() { return member_->UseTls(tls_); }
  // No request is answered any more. Idempotent.
  void Stop() {
    if (member_ != nullptr) member_->Stop();
  }

 private:
  ClusterNode() = default;

  tls::Files tls_;
  std::unique_ptr<node::ClusterStore> store_;
  std::unique_ptr<node::Member> member_;
  std::unique_ptr<ClusterBridge> bridge_;
};

}  // namespace varve

#endif  // VARVE_MAIN_CLUSTER_NODE_H_
