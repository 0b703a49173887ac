// The two states of a simulated directory, and the node that names a file or a directory.
#ifndef VARVE_ENV_CRASH_DIRECTORY_H_
#define VARVE_ENV_CRASH_DIRECTORY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "env/crash_file.h"

namespace varve::crash {

struct Node;
using NodePtr = std::shared_ptr<Node>;
using Entries = std::map<std::string, NodePtr>;

// What one operation does to one directory, at once or not at all: each name comes to stand for a
// node, or, where that is null, for nothing. A rename between two directories is one in each, of
// equal id.
struct Change {
  uint64_t id;
  std::vector<std::pair<std::string, NodePtr>> sets;
};

// Thread-compatible.
class DirectoryState {
 public:
  const Entries& entries() const { return current_; }
  // Null when absent.
  NodePtr Find(const std::string& name) const;
  void Apply(Change change);
  void Sync();
  // A sync that failed: each change becomes durable or not at random, and no later sync helps those
  // that did not, until their name changes again.
  void SyncPartly(Random* random);
  // Makes `name` stand for `node` as if it always had.
  void Plant(const std::string& name, const NodePtr& node);

  // --- Clones. `copy` gives the new environment's node for an old one.
  using CopyNode = std::function<NodePtr(const NodePtr&)>;
  void CopyAfterProcessCrash(const DirectoryState& original, const CopyNode& copy);
  void CopyAfterPowerCut(const DirectoryState& original, const PowerCut& cut, const CopyNode& copy);

 private:
  Entries EntriesAfter(const PowerCut& cut) const;

  Entries current_;
  Entries durable_;
  std::vector<Change> pending_;      // from durable_ to current_, but for abandoned_
  std::set<std::string> abandoned_;  // names on which a failed sync gave up
};

struct Node {
  enum class Kind : uint8_t { kFile, kDirectory };
  explicit Node(Kind its_kind) : kind(its_kind) {}
  bool is_directory() const { return kind == Kind::kDirectory; }

  const Kind kind;
  DirectoryState directory;  // of a kDirectory
  FileState file;            // of a kFile, and so are the fields below
  uint64_t names = 0;        // current directory entries
  uint64_t handles = 0;      // open files: blocks live until both are 0
  bool locked = false;
};

}  // namespace varve::crash

#endif  // VARVE_ENV_CRASH_DIRECTORY_H_
