// NodeCore: all that one node of a cluster does, as a state machine without clock, thread, socket or file. The simulator and
// the real node drive the same object.
#ifndef VARVE_CLUSTER_NODE_CORE_H_
#define VARVE_CLUSTER_NODE_CORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/action.h"
#include "cluster/move.h"
#include "cluster/quorum.h"
#include "cluster/replica.h"
#include "cluster/topology.h"
#include "cluster/types.h"
#include "varve/status.h"

namespace varve::cluster {

// When something happens.
struct Now {
  Nanos monotonic = 0;       // never goes back
  uint64_t wall_micros = 0;  // for stamps alone; may be wrong
};

struct NodeOptions {
  NodeId self = kNoNode;
  uint64_t random_seed = 0;  // another one in each life of the node
  PolicyOf policy_of;        // the same on all nodes
  std::function<uint16_t(std::string_view key)> slot_of;  // empty: SlotOf. The same on all nodes
  // Of moves: the smallest quorums that are promised anything. The same on all nodes.
  MoveRules rules{0, 0};
  size_t max_siblings = 100;                   // Replica::Options
  size_t max_queued = 1024;                    // a partition
  size_t max_listed = 4096;                    // keys in a reply to an exchange
  uint64_t lease_size = DotSource::kLeaseSize;
  size_t max_requests = 10'000;                // of clients, under way
  size_t max_hint_bytes = size_t{256} << 20;
  size_t max_hint_bytes_of_owner = size_t{64} << 20;
  Nanos tick = 100'000'000;                    // how often it looks at what is to be done in the background
  Nanos gossip_period = 2'000'000'000;         // how often some peer is asked for a later topology
  Nanos exchange_period = 60'000'000'000;      // of anti-entropy of one partition
  Nanos exchange_patience = 60'000'000'000;    // an exchange that takes longer is given up
  size_t max_exchanges = 2;                    // at once, begun by this node, in the background
  Nanos floor_period = 600'000'000'000;        // of a round for the floor of one partition
  Nanos move_period = 200'000'000;             // how often a move's progress is asked for
  Nanos move_patience = 10'000'000'000;        // without progress for so long, the next node drives moves as well
  // How long a move that may go on waits for what replicas that leave alone have. 0: nobody takes that over.
  Nanos leaver_patience = 10'000'000'000;
  size_t moves_per_node = 8;                   // moves to one node at once
  // To this node, by moves, at most: FillPace makes it less where requests would have to wait. 0: as fast as it goes.
  uint64_t fill_bytes_per_second = uint64_t{32} << 20;
};

// What the last life left on disk.
struct PartitionDurable {
  Epoch epoch = kNoEpoch;
  ActorId actor = kNoActor;  // of the last PersistLease
  // 0: the partition was dropped, with writes of that actor that not all others may have. It makes no more there.
  uint64_t lease_end = 0;
  VersionVector floor;       // empty after DropPartition
};
struct NodeDurable {
  std::string topology;         // of the last PersistTopology; empty: none
  ActorId forsaken = kNoActor;  // of the last ForsakeActor
  std::map<PartitionId, PartitionDurable> partitions;
  std::vector<StoreHint> hints;
  // Something may be missing that this node wrote and did not sync: the power failed, or a backup was restored. Then it
  // gets a new actor. To be true again at the next start, unless OnActorForsaken was called in this life.
  bool may_have_lost_writes = false;
};

enum class SwapOutcome : uint8_t {
  kDone,
  kConflict,  // the store has another revision, of which OnTopology tells
  kUnknown,   // may have been done, or may yet be
  kRefused,   // never will be: a topology that is fixed, or no room
};

// A client's request. `level` and `replicas` as in RequestOptions.
struct ClientPut {
  std::string key;
  bool is_delete = false;
  std::string value;
  SeenContext seen;
  Level level = Level::kQuorum;
  uint32_t replicas = 0;
  bool sloppy = false;
  Nanos deadline = 0;  // on Now::monotonic
};
struct ClientGet {
  std::string key;
  Level level = Level::kQuorum;
  uint32_t replicas = 0;
  Nanos deadline = 0;
};

// For operators and tests.
struct NodeStatus {
  Epoch epoch = kNoEpoch;          // of the topology
  ActorId actor = kNoActor;        // in use; kNoActor: it makes no dots
  size_t partitions = 0;           // held
  size_t partitions_loading = 0;   // of these, not serving yet
  size_t partitions_filling = 0;   // of these, on their way here by moves
  size_t requests = 0;             // of clients, under way
  size_t hints = 0;
  size_t hint_bytes = 0;
  uint64_t hints_refused = 0;      // all from here on: since the start
  uint64_t exchanges = 0;          // that ended well
  uint64_t exchanges_failed = 0;
  uint64_t keys_merged = 0;        // by exchanges
  uint64_t bytes_filled = 0;       // by moves
  uint64_t floors_raised = 0;      // of partitions
  uint64_t topologies_swapped = 0;
  uint64_t messages_refused = 0;   // that did not decode
};

// What it does: takes the topology that the store or a peer tells, and serves each partition of which it has a copy under
// that topology once its fence is known; takes requests of clients for any key; keeps hints; compares its partitions with the
// other replicas from time to time; fills what moves bring here, and drives the moves of all together with the others;
// raises floors. `now` may be the same for several events, and never goes back.
//
// The driver: does actions in their order; those on one partition also take effect in that order. Messages may be lost, late,
// doubled and overtaken; but what was sent to a former life of a node never reaches the next (0033-transport.md). All storage events come once for each action, in any order, never from within a call. A failed Persist is tried again or
// ends the process: there is no event for it. Thread-compatible.
class NodeCore {
 public:
  // REQUIRES: options.self is not kNoNode. A topology in `durable` that does not decode counts as none.
  NodeCore(NodeOptions options, NodeDurable durable);
  ~NodeCore();
  NodeCore(const NodeCore&) = delete;
  NodeCore& operator=(const NodeCore&) = delete;

  // Once, before the first event.
  void Start(Now now, Actions* actions);

  // To be called at NextTime, or a little later. NextTime may change with each event.
  void OnTime(Now now, Actions* actions);
  Nanos NextTime() const;

  // What the store holds, now or a while ago. Errors: as DecodeTopology and ValidateSuccession; then it goes on with the
  // one that it has. An older one is ignored.
  Status OnTopology(std::string_view bytes, uint64_t revision, Now now, Actions* actions);
  // `swap`: of SwapTopology. `revision`: after kDone, the new one.
  void OnSwapped(uint64_t swap, SwapOutcome outcome, uint64_t revision, Now now, Actions* actions);

  // `from` is who has sent it, as the transport has proved. All nodes are reachable at first.
  void OnMessage(NodeId from, std::string_view bytes, Now now, Actions* actions);
  void OnReachable(NodeId peer, bool is_reachable, Now now, Actions* actions);

  // Ends with FinishPut or FinishGet, exactly once, at the latest a tick after its deadline. Numbers are not used again
  // while their requests are under way.
  void Put(uint64_t client_request, ClientPut put, Now now, Actions* actions);
  void Get(uint64_t client_request, ClientGet get, Now now, Actions* actions);

  // What became of storage actions. Those of a partition dropped meanwhile are ignored.
  void OnKeyRead(PartitionId partition, uint64_t operation, Result<std::optional<std::string>> bytes, Now now,
                 Actions* actions);
  void OnKeyWritten(PartitionId partition, uint64_t operation, const Status& status, Now now, Actions* actions);
  void OnKeysListed(PartitionId partition, uint64_t operation,
                    Result<std::vector<KeysReply::Item>> keys, Now now, Actions* actions);
  void OnLeaseDurable(PartitionId partition, ActorId actor, uint64_t end, Now now, Actions* actions);
  void OnEpochDurable(PartitionId partition, Epoch epoch, Now now, Actions* actions);
  void OnFloorDurable(PartitionId partition, const VersionVector& floor, Now now, Actions* actions);
  void OnActorForsaken(ActorId actor, Now now, Actions* actions);
  void OnHintStored(uint64_t hint, bool is_durable, Now now, Actions* actions);
  void OnKeyLoaded(PartitionId partition, std::string_view key, std::string_view bytes);
  // Not Ok: it is asked for again.
  void OnPartitionLoaded(PartitionId partition, const Status& status, Now now, Actions* actions);

  // Compares all partitions with the other replicas as soon as it can, and not only when their time comes.
  void Repair();

  // From now on, moves go by these (NodeOptions::rules). They may only become stricter, and a node that has them must have
  // the topology that was there when they came into force; who swaps must have the latest ones (0037-cluster-face.md).
  void SetRules(const MoveRules& rules);

  // nullptr before the first.
  const Topology* topology() const;
  // Of a key under that topology. REQUIRES: topology().
  PartitionId PartitionOf(std::string_view key) const;
  // nullptr when this node has no copy, or has not loaded it.
  const Replica* replica(PartitionId partition) const;
  NodeStatus status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_NODE_CORE_H_
