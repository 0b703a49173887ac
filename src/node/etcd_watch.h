// EtcdWatch: keeps a watcher told by reading, then following a stream of events until that ends, and again.
#ifndef VARVE_NODE_ETCD_WATCH_H_
#define VARVE_NODE_ETCD_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/random.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "node/backoff.h"
#include "node/etcd_codec.h"
#include "node/http_client.h"
#include "node/topology_store.h"

namespace varve::node {

class EtcdWatch : public TopologyWatch {
 public:
  // How the store is asked. Thread-safe.
  struct Source {
    std::function<Result<TopologySnapshot>(HttpClient*)> read;
    // Fills in the request of a stream that begins at a revision; returns which endpoint that is.
    std::function<size_t(uint64_t start_revision, HttpRequest*)> stream;
    std::function<void(size_t endpoint)> give_up;  // the next should be asked from now on
    Backoff backoff{1, 1};
  };
  // nullptr when the system starts no thread.
  static std::unique_ptr<EtcdWatch> Start(Env* env, Source source, TopologySnapshot known, TopologyWatcher* watcher,
                                          uint64_t seed);
  ~EtcdWatch() override;

 private:
  EtcdWatch(Source source, TopologySnapshot known, TopologyWatcher* watcher, uint64_t seed);
  void Run();
  // False: it could not, or what came is older than what is known.
  bool ReadAnew();
  // Until the stream ends. True: since it was time to read anew.
  bool Follow();
  // False: the stream is over.
  bool Take(const EtcdWatchMessage& message);
  void Trouble(const std::string& reason);
  bool is_ending() VARVE_EXCLUDES(mu_);
  void Pause(uint64_t nanos) VARVE_EXCLUDES(mu_);

  Source source_;
  TopologyMirror mirror_;
  TopologyWatcher* const watcher_;
  Random random_;
  bool must_tell_ = true;
  bool has_trouble_ = false;
  HttpClient client_;
  Mutex mu_;
  CondVar ends_;
  bool is_ending_ VARVE_GUARDED_BY(mu_) = false;
  std::unique_ptr<Thread> thread_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_ETCD_WATCH_H_
