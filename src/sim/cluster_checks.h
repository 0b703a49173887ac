// What must hold inside a simulated cluster, besides what its clients see (cluster_history.h):
//   I6  when all faults are over, replicas become equal to the byte, and nothing is left to do
//   I9  epochs go forwards, and nobody acknowledges anything behind the fence that he has made durable; so no two
//       quorums of different versions of a partition can be complete that do not meet
//   I10 topologies make sense, each as the successor of the one before (topology_watch.h)
//   I11 queues, hints, siblings and contexts stay within their bounds
#ifndef VARVE_SIM_CLUSTER_CHECKS_H_
#define VARVE_SIM_CLUSTER_CHECKS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cluster/key_state.h"
#include "cluster/message.h"
#include "cluster/types.h"
#include "sim/stream.h"
#include "varve/status.h"

namespace varve::sim {

// A replica of a partition as it lies on disk.
struct ReplicaView {
  cluster::NodeId node = cluster::kNoNode;
  std::map<std::string, std::string, std::less<>> stored;  // key -> bytes
  cluster::VersionVector floor;
  uint64_t root = 0;  // of its hash tree
};

// I6 for one partition. Replicas with other floors store the same in other bytes: their states are compared filled.
Status CheckEqual(const std::vector<ReplicaView>& replicas);

// I9. Fed with what nodes have made durable, and with the acknowledgements that they gave. Thread-compatible.
class EpochWatch {
 public:
  // A node writes its fence for a partition, which must not be behind the one that is durable; and it is durable.
  Status OnFenceWritten(cluster::NodeId node, cluster::PartitionId partition, cluster::Epoch epoch) const;
  void OnFenceDurable(cluster::NodeId node, cluster::PartitionId partition, cluster::Epoch epoch);
  // A node acknowledges something of a partition under `epoch`: its durable fence, as last told, must not be later.
  Status OnAcknowledged(cluster::NodeId node, cluster::PartitionId partition, cluster::Epoch epoch) const;
  // A node says what its copy is under `epoch`, which an exchange takes for proof that it has that fence, durably.
  Status OnCompared(cluster::NodeId node, cluster::PartitionId partition, cluster::Epoch epoch) const;

 private:
  std::map<std::pair<cluster::NodeId, cluster::PartitionId>, cluster::Epoch> fences_;
};

// A request of a peer, by its number.
struct AskedBy {
  cluster::NodeId peer;
  uint64_t request;
  friend bool operator==(const AskedBy&, const AskedBy&) = default;
};
struct HashAskedBy {
  size_t operator()(const AskedBy& asked) const { return static_cast<size_t>(Mix(asked.request, Value(asked.peer))); }
};

// Under which epochs a node has been asked for what, so that each of its acknowledgements is held against the epoch that
// it was asked for. One request may come under several: a hint keeps its number until it has been taken, and what the
// network held up comes behind what was sent later. Each asking is answered once at most. Thread-compatible.
class EpochsAsked {
 public:
  void OnRequest(cluster::NodeId from, uint64_t request, cluster::Epoch epoch);
  // The node answers one of them: the latest, unless it says that its epoch has passed (kStaleEpoch, kFenced). kNoEpoch: it was
  // not asked.
  cluster::Epoch OnReply(cluster::NodeId to, uint64_t request, cluster::ReplyCode code);

 private:
  std::unordered_map<AskedBy, std::vector<cluster::Epoch>, HashAskedBy> asked_;  // each with one at least
};

// I11: of one node at one moment.
struct Figures {
  size_t operations = 0;  // that it coordinates
  size_t queued = 0;      // at one of its replicas
  size_t hint_bytes = 0;
  size_t siblings = 0;    // of one key
  size_t cloud = 0;       // dots beyond the vector in one context
};
Status CheckBounds(const Figures& figures, const Figures& limits);
// Each to the higher of both.
void Raise(Figures* highest, const Figures& figures);

// I11 of a run, and how near it has come. Thread-compatible.
class BoundsWatch {
 public:
  Status OnFigures(const Figures& figures, const Figures& limits);
  // Of each the highest there was.
  const Figures& highest() const { return highest_; }

 private:
  Figures highest_;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_CHECKS_H_
