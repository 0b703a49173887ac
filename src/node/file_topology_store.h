// FileTopologyStore: a topology store in one file, for nodes on one machine; or fixed, as somebody has
// written it.
//
// Reads and commits hold a lock beside the file ("PATH.lock"), so that any number of processes can share
// it. A commit writes a new file and renames it: durable when it is done. Not for file systems of a
// network, whose locks and renames may lie.
#ifndef VARVE_NODE_FILE_TOPOLOGY_STORE_H_
#define VARVE_NODE_FILE_TOPOLOGY_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "node/topology_store.h"

namespace varve::node {

struct FileTopologyOptions {
  // The file is only read, without a lock, and must be there; commits are refused. Else a missing file is
  // an empty store.
  bool is_fixed = false;
  uint64_t lock_timeout_nanos = 5'000'000'000;
  uint64_t poll_micros = 200'000;  // of watches
};

// Thread-safe.
class FileTopologyStore : public TopologyStore {
 public:
  // Borrows `env`. `path`: "DIRECTORY/NAME".
  FileTopologyStore(std::string path, FileTopologyOptions options, Env* env)
      : path_(std::move(path)), options_(options), env_(env) {}

  Result<TopologySnapshot> Read(const std::string& prefix) override VARVE_EXCLUDES(mu_);
  CommitResult Commit(const TopologyCommit& commit) override VARVE_EXCLUDES(mu_);
  std::unique_ptr<TopologyWatch> Watch(const std::string& prefix, TopologySnapshot known,
                                       TopologyWatcher* watcher) override;

 private:
  Result<std::unique_ptr<FileLock>> Lock();
  Result<TopologySnapshot> Load();
  Status WriteNew(const TopologySnapshot& state);

  const std::string path_;
  const FileTopologyOptions options_;
  Env* const env_;
  Mutex mu_;  // one at a time of this process
};

}  // namespace varve::node

#endif  // VARVE_NODE_FILE_TOPOLOGY_STORE_H_
