// MemoryTopologyStore: a topology store within the process, which can be told to fail.
#ifndef VARVE_NODE_MEMORY_TOPOLOGY_STORE_H_
#define VARVE_NODE_MEMORY_TOPOLOGY_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "node/topology_store.h"

namespace varve::node {

// Thread-safe.
class MemoryTopologyStore : public TopologyStore {
 public:
  // Borrows `env`, for the threads of watches.
  explicit MemoryTopologyStore(Env* env) : env_(env) {}

  Result<TopologySnapshot> Read(const std::string& prefix) override VARVE_EXCLUDES(mu_);
  CommitResult Commit(const TopologyCommit& commit) override VARVE_EXCLUDES(mu_);
  std::unique_ptr<TopologyWatch> Watch(const std::string& prefix, TopologySnapshot known,
                                       TopologyWatcher* watcher) override;

  enum class Fault {
    kNone,
    kUnavailable,     // reads and commits; watches have trouble
    kUnknownApplied,  // commits take place, and say that it is unknown
    kUnknownLost,     // commits do not take place, and say that it is unknown
  };
  // From now on.
  void SetFault(Fault fault) VARVE_EXCLUDES(mu_);

 private:

  Env* const env_;
  Mutex mu_;
  Fault fault_ VARVE_GUARDED_BY(mu_) = Fault::kNone;
  TopologySnapshot state_ VARVE_GUARDED_BY(mu_);
};

// Carries out `commit`, which is legal, on `state`: kDone or kConflict. For stores that have everything at
// hand.
CommitResult ApplyCommit(const TopologyCommit& commit, TopologySnapshot* state);
// Of `state`, the records under `prefix`.
TopologySnapshot UnderPrefix(const TopologySnapshot& state, const std::string& prefix);

}  // namespace varve::node

#endif  // VARVE_NODE_MEMORY_TOPOLOGY_STORE_H_
