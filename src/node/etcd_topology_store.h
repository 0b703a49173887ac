// EtcdTopologyStore: a topology store in etcd 3.4 or later, through its JSON gateway.
//
// Reads and commits go through etcd's log, so that neither is stale. Endpoints are tried in turn, but a
// commit that may have reached one is not sent to another: its outcome is unknown. A watch reads everything
// anew whenever its stream ends, for whatever reason (a cut, a compaction, another member), and every
// `reread_millis` besides, since watches of this version have been seen to lose events. Needs no leases.
#ifndef VARVE_NODE_ETCD_TOPOLOGY_STORE_H_
#define VARVE_NODE_ETCD_TOPOLOGY_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "node/backoff.h"
#include "node/http_client.h"
#include "node/topology_store.h"
#include "tls/context.h"

namespace varve::node {

struct EtcdOptions {
  std::vector<std::string> endpoints;  // "http://10.0.0.5:2379"; at least one
  tls::Files tls;                      // for https
  std::string user;                    // empty: none
  std::string password;
  uint64_t connect_millis = 2000;
  uint64_t request_millis = 5000;  // of one endpoint
  uint64_t reread_millis = 30'000;
  uint64_t least_backoff_millis = 50;
  uint64_t most_backoff_millis = 5000;
  uint64_t seed = 0;  // of the jitter
};

// Thread-safe.
class EtcdTopologyStore : public TopologyStore {
 public:
  // Borrows `env`. REQUIRES: there is an endpoint.
  EtcdTopologyStore(EtcdOptions options, Env* env);

  Result<TopologySnapshot> Read(const std::string& prefix) override;
  CommitResult Commit(const TopologyCommit& commit) override;
  std::unique_ptr<TopologyWatch> Watch(const std::string& prefix, TopologySnapshot known,
                                       TopologyWatcher* watcher) override;

 private:
  // What a request has come to.
  struct Answer {
    enum class Kind {
      kOk,
      kRefused,      // by etcd, which has not carried it out
      kUnavailable,  // nobody has received it
      kUnknown,      // somebody may have carried it out
    };
    Kind kind = Kind::kUnavailable;
    bool is_timeout = false;
    std::string text;  // kOk: the answer; else the reason
  };
  // Tries the endpoints in turn, from the one that answered last; `is_repeatable`: also after one that may
  // have received it.
  Answer Ask(HttpClient* client, const std::string& path, const std::string& body, bool is_repeatable);
  // One endpoint; gets a token when there is none or the one there is may be too old.
  Answer AskOne(HttpClient* client, size_t endpoint, const std::string& path, const std::string& body);
  Answer Post(HttpClient* client, size_t endpoint, const std::string& path, const std::string& body);
  Answer Authenticate(HttpClient* client, size_t endpoint) VARVE_EXCLUDES(mu_);
  HttpRequest RequestTo(size_t endpoint, const std::string& path, const std::string& body) VARVE_EXCLUDES(mu_);
  Result<TopologySnapshot> ReadBy(HttpClient* client, const std::string& prefix);
  size_t preferred() VARVE_EXCLUDES(mu_);
  void Prefer(size_t endpoint) VARVE_EXCLUDES(mu_);
  bool has_token() VARVE_EXCLUDES(mu_);

  const EtcdOptions options_;
  Env* const env_;
  Mutex mu_;
  size_t preferred_ VARVE_GUARDED_BY(mu_) = 0;
  std::string token_ VARVE_GUARDED_BY(mu_);
  uint64_t watches_ VARVE_GUARDED_BY(mu_) = 0;
};

}  // namespace varve::node

#endif  // VARVE_NODE_ETCD_TOPOLOGY_STORE_H_
