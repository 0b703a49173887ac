// ClusterHistory: what the clients of a simulated cluster asked for and were told, and whether that can be. It
// sees a cluster from outside: requests, replies and, to know which dot is which write, the states that replicas store.
//
// The numbers are those by which docs/design/0032-simulator.md names the invariants:
//   I1  what was acknowledged is there in the end, or was overwritten by who had seen it
//   I2  a read sees every write that was acknowledged before it began, where R + W > N
//   I3  siblings are exact: nothing that was overwritten is shown, nothing that nobody overwrote is left out
//   I4  what is read of a key was written to it
//   I5  linear reads of a key form a chain, in the order of time
//   I7  what was deleted or overwritten, and acknowledged, does not come back (I2 and I3 together)
//   I8  no dot names two writes
//   I13 what has failed is never seen; everybody is told once
#ifndef VARVE_SIM_CLUSTER_HISTORY_H_
#define VARVE_SIM_CLUSTER_HISTORY_H_

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cluster/action.h"
#include "cluster/key_state.h"
#include "cluster/quorum.h"
#include "cluster/types.h"
#include "sim/node.h"
#include "sim/stream.h"
#include "varve/status.h"

namespace varve::sim {

// One request of a client, and what became of it.
struct ClientOperation {
  enum class Kind : uint8_t { kGet, kPut, kDelete };
  Kind kind = Kind::kGet;
  std::string key;
  std::string value;  // of a put. No other put has it
  cluster::Level level = cluster::Level::kQuorum;
  bool sloppy = false;
  cluster::SeenContext brought;
  Nanos begun = 0;
  // Of the coordinator (OnCoordinated): how many replicas it waits for, 0: as the level says; and whether reads that wait for
  // so many are promised to see writes.
  uint32_t replicas = 0;
  bool is_promised = true;
  // From here on: of the reply, or of the client's giving up, which is kUnknown.
  bool is_ended = false;
  Nanos ended = 0;
  cluster::Outcome outcome = cluster::Outcome::kUnknown;
  cluster::SeenContext seen;
  std::vector<std::string> values;
  // The history's: its place in the order of all that has begun and ended.
  uint64_t begun_as = 0;
  uint64_t ended_as = 0;
};

struct HistoryOptions {
  uint32_t copies = 3;  // N
  // Whether copies move meanwhile. Then only reads and writes of at least a quorum are promised to meet.
  bool moves = false;
  // Whether a node may lose what it has, or copies move without regard to it. Then what one node alone has acknowledged may go.
  bool losses = false;
  // Whether dots may name two writes, as a machine was put back to an earlier state. Then I4 and I13 alone must hold.
  bool repeats = false;
  // Whether nodes forget what they acknowledge. Then nothing need last, and siblings are exact all the same.
  bool forgets = false;
  // Whether OnStored tells all that replicas store. If not, nobody knows of a put that was not acknowledged whether it has
  // taken place.
  bool sees_states = true;
  cluster::ConflictPolicy policy = cluster::ConflictPolicy::kSiblings;
  std::function<cluster::ConflictPolicy(std::string_view key)> policy_of = {};  // empty: `policy`, of all keys
  std::function<cluster::PartitionId(std::string_view key)> partition_of;
};

// Times are those of the world, and only shown. The checks return the first violation, as kCorruption. Thread-compatible.
class ClusterHistory {
 public:
  explicit ClusterHistory(HistoryOptions options) : options_(std::move(options)) {}

  // A client sends a request; returns its number.
  size_t Begin(ClientOperation operation);
  // A node coordinates it, by these numbers.
  void OnCoordinated(size_t number, uint32_t replicas, bool is_promised);
  // Its reply has come. O(writes of the key).
  Status End(size_t number, Nanos now, cluster::Outcome outcome, cluster::SeenContext seen,
             std::vector<std::string> values);
  // A replica stores this state of a key, filled or stripped.
  Status OnStored(std::string_view key, const cluster::KeyState& state);
  // A replica takes this floor: all replicas have what it covers, and tombstones below it go, with their stamps.
  void OnFloor(cluster::PartitionId partition, const cluster::VersionVector& floor);
  // A replica drops its copy, which a move gave up while nobody heard it: what it alone has acknowledged until now may go.
  void OnGivenUp(cluster::PartitionId partition);
  // The state of a key that all replicas agree upon, when all is over.
  Status CheckFinal(std::string_view key, const cluster::KeyState& state) const;
  // Whether some replica has stored this value of a put before.
  bool IsStored(std::string_view value) const;

  const std::vector<ClientOperation>& operations() const { return operations_; }
  // Keys that were ever written to or read.
  std::vector<std::string> Keys() const;
  size_t acknowledged() const { return acknowledged_; }  // writes
  size_t answered() const { return answered_; }          // reads

 private:
  // What the checks of each read look at, close together.
  struct Write {
    size_t number = 0;                    // of its operation
    std::optional<cluster::Dot> dot = {};  // once it is known
    uint64_t acknowledged_as = 0;         // its end in the order of all; 0: not acknowledged
    uint64_t stamp = 0;                   // of an acknowledged one
    uint64_t stored_as = 0;               // when a replica first had it, in the order of all; 0: of a put that none has
    // Acknowledged, or shown to somebody. Others may vanish, as if they had never been.
    bool has_shown = false;
    bool has_failed = false;
    bool is_put = false;
    std::vector<uint32_t> overwriters = {};  // writes of the key that brought a context with that dot
    mutable uint32_t overwriter = 0;         // the place of one of them that was in a context: the first to be tried
  };
  // A delete of the last writer, as replicas store it.
  struct Tombstone {
    uint64_t stamp = 0;
    uint64_t forgotten_as = 0;  // when the first replica could forget it; 0: not yet
  };
  struct Key {
    std::vector<Write> writes;
    std::vector<size_t> linear_reads;
    std::map<cluster::Dot, Tombstone> tombstones;
  };
  // The key of an operation, and of a write its place there.
  struct Place {
    Key* key;
    uint32_t write;
  };
  struct DotName {
    cluster::PartitionId partition;
    cluster::Dot dot;
    friend bool operator==(const DotName&, const DotName&) = default;
  };
  struct HashDotName {
    size_t operator()(const DotName& name) const {
      return static_cast<size_t>(Mix(name.dot.counter, uint64_t{Value(name.partition)} << 32 | Value(name.dot.actor)));
    }
  };
  struct HashText {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  Key& KeyNamed(std::string_view name);
  Write& WriteOf(size_t number) { return places_[number].key->writes[places_[number].write]; }
  const Write& WriteOf(size_t number) const { return places_[number].key->writes[places_[number].write]; }
  bool HasLostToTheForgotten(const Write& write, const Key& key, const cluster::KeyState& state) const;
  bool MustLast(const ClientOperation& write) const;
  bool MustMeet(const ClientOperation& read, const ClientOperation& write) const;
  uint32_t CountOf(const ClientOperation& operation) const;
  bool IsLww(std::string_view key) const;
  Status BindDot(size_t number, cluster::Dot dot);
  Status EndOfWrite(size_t number);
  Status EndOfRead(size_t number);
  Status CheckValues(size_t read) const;
  Status CheckAcknowledged(size_t read) const;
  Status CheckChain(size_t read);
  // I3: what a state with these values and this context shows and leaves out.
  Status CheckExact(std::string_view where, std::string_view key, const std::vector<std::string>& values,
                    const cluster::CausalContext& context) const;
  Status CheckNotOverwritten(std::string_view where, const Key& key, const Write& write,
                             const cluster::CausalContext& context) const;
  bool MayBeOverwritten(const Key& key, const Write& write, const cluster::CausalContext& context) const;
  static bool IsEffective(const Write& write, const cluster::CausalContext& context);
  std::string Name(size_t number) const;

  HistoryOptions options_;
  std::vector<ClientOperation> operations_;
  std::vector<Place> places_;  // by operation
  std::map<std::string, Key, std::less<>> keys_;
  std::unordered_map<std::string, size_t, HashText, std::equal_to<>> writer_of_;  // value -> put
  std::unordered_map<DotName, size_t, HashDotName> bearer_of_;
  std::map<cluster::PartitionId, uint64_t> given_up_;  // when last, in the order of all
  uint64_t order_ = 0;
  size_t acknowledged_ = 0;
  size_t answered_ = 0;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_HISTORY_H_
