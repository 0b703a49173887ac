// TopologyStore: the few records on which all nodes of a cluster must agree: who is a member, who owns
// what, which moves are under way. It is asked seldom; nodes keep on serving by what they know when it
// cannot be had.
//
// The rule for those who use it: every decision is a Commit whose conditions name the revisions that it was
// made from. Reads and watches say what was; only a commit says what is.
//
// There are three: EtcdTopologyStore for clusters; FileTopologyStore for nodes on one machine, and for a
// fixed cluster whose file nobody writes; MemoryTopologyStore for tests and simulations with threads. There
// are no leases: nodes watch each other (transport.h), and a leader is a record that the next one replaces
// by a commit, after which the former one's commits, which have its revision as a condition, fail.
#ifndef VARVE_NODE_TOPOLOGY_STORE_H_
#define VARVE_NODE_TOPOLOGY_STORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "varve/status.h"

namespace varve::node {

// Keys and values are any bytes. The limits hold for all stores.
inline constexpr size_t kMaxRecordKeyBytes = 1024;
inline constexpr size_t kMaxCommitOperations = 100;  // conditions, and changes
inline constexpr size_t kMaxCommitBytes = size_t{1} << 20;

struct Record {
  std::string value;
  // Of the commit that wrote it. Revisions grow with each commit to the store.
  uint64_t revision = 0;
  friend bool operator==(const Record&, const Record&) = default;
};

// All records under a prefix at one moment.
struct TopologySnapshot {
  uint64_t revision = 0;
  std::map<std::string, Record> records;
};

// Changes `changes` if every condition holds, else nothing.
struct TopologyCommit {
  struct Condition {
    std::string key;
    uint64_t revision = 0;  // of the record; 0: there is none
  };
  struct Change {
    std::string key;
    std::optional<std::string> value;  // std::nullopt: there is none any more
  };
  std::vector<Condition> conditions;
  std::vector<Change> changes;  // of different keys; at least one
};

// What became of a commit.
struct CommitResult {
  enum class Outcome {
    kDone,
    kConflict,     // a condition does not hold; nothing has changed
    kUnavailable,  // the store could not be asked; nothing has changed, nor will
    kUnknown,      // it may have taken place, or may still: read before you go on
    kRefused,      // it can never be: no rights, too large, a fixed topology
  };
  Outcome outcome = Outcome::kUnavailable;
  uint64_t revision = 0;  // kDone: of the changed records; kConflict: of `current`
  // kConflict: those records of the conditions' keys that exist.
  std::map<std::string, Record> current;
  std::string reason;  // for people, unless kDone
};
const char* OutcomeName(CommitResult::Outcome outcome);

// kRefused with the reason when the commit breaks the limits above or its own contract.
std::optional<CommitResult> CheckCommit(const TopologyCommit& commit);

// Hears of changes. Called in a thread of the store, one call at a time.
class TopologyWatcher {
 public:
  virtual ~TopologyWatcher() = default;
  // `changes` lead from what was last told to what the prefix held at `revision`, which never goes back.
  // std::nullopt: deleted. Several commits may come as one, in which case the last state of each key is
  // told.
  using Changes = std::map<std::string, std::optional<Record>>;
  virtual void OnChanges(uint64_t revision, const Changes& changes) = 0;
  // The store cannot be asked; it is tried again for ever. Not told again before OnChanges has been, which
  // comes when it can be asked, even if nothing has changed.
  virtual void OnTrouble(const std::string& reason) = 0;
};

// Ends the watch when it is destroyed; the watcher is not called after that. REQUIRES: not destroyed by its
// watcher.
class TopologyWatch {
 public:
  virtual ~TopologyWatch() = default;
};

// Thread-safe. Outlives its watches.
class TopologyStore {
 public:
  virtual ~TopologyStore() = default;
  // The records whose keys begin with `prefix`, as of a moment after the call. kUnavailable: try again;
  // kTimedOut: so far it has not answered; kInvalidArgument: it does not let us; kCorruption: its answer
  // makes no sense.
  virtual Result<TopologySnapshot> Read(const std::string& prefix) = 0;
  virtual CommitResult Commit(const TopologyCommit& commit) = 0;
  // Tells `watcher`, which it borrows, how the prefix differs from `known` and what happens from then on.
  // The first call comes even if nothing differs. nullptr when the system starts no thread.
  virtual std::unique_ptr<TopologyWatch> Watch(const std::string& prefix, TopologySnapshot known,
                                               TopologyWatcher* watcher) = 0;
};

// What a watcher has been told, for those who implement Watch. Thread-compatible.
class TopologyMirror {
 public:
  explicit TopologyMirror(TopologySnapshot known) : state_(std::move(known)) {}
  // The differences, after which the mirror holds `now`. std::nullopt: `now` is older than what was told,
  // and is ignored.
  std::optional<TopologyWatcher::Changes> Advance(TopologySnapshot now);
  // The same for some records that have changed by `revision`. What is not newer than what was told is left
  // out.
  TopologyWatcher::Changes Apply(uint64_t revision, std::map<std::string, std::optional<Record>> changed);
  uint64_t revision() const { return state_.revision; }

 private:
  TopologySnapshot state_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_TOPOLOGY_STORE_H_
