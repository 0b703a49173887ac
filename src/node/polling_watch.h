// PollingWatch: a watch of a store that cannot tell of changes itself: reads again and again.
#ifndef VARVE_NODE_POLLING_WATCH_H_
#define VARVE_NODE_POLLING_WATCH_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "node/topology_store.h"

namespace varve::node {

class PollingWatch : public TopologyWatch {
 public:
  // Borrows all of it. nullptr when the system starts no thread.
  static std::unique_ptr<PollingWatch> Start(Env* env, TopologyStore* store, std::string prefix, TopologySnapshot known,
                                             TopologyWatcher* watcher, uint64_t interval_micros);
  ~PollingWatch() override;

 private:
  PollingWatch(TopologyStore* store, std::string prefix, TopologySnapshot known, TopologyWatcher* watcher,
               uint64_t interval_micros);
  void Run() VARVE_EXCLUDES(mu_);
  bool AwaitNext() VARVE_EXCLUDES(mu_);

  TopologyStore* const store_;
  const std::string prefix_;
  TopologyMirror mirror_;
  TopologyWatcher* const watcher_;
  const uint64_t interval_micros_;
  Mutex mu_;
  CondVar ends_;
  bool is_ending_ VARVE_GUARDED_BY(mu_) = false;
  std::unique_ptr<Thread> thread_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_POLLING_WATCH_H_
