// AckWatch: who has acknowledged what to whom, under which version of a partition's replicas, and whether what clients were
// told follows from that (I9 of docs/design/0032-simulator.md):
//   - of a request that is answered with ok a whole quorum of one version has acknowledged it, under that version; where it
//     is sloppy, fallbacks for some of them, each for one at most;
//   - two such quorums of one version meet, unless both have only read; and none of an older version comes about when a
//     write has already been acknowledged by one of a later version that it does not meet.
// And of I8: only replicas that are read from, and so have everything, are asked to make dots, and do.
#ifndef VARVE_SIM_CLUSTER_ACKS_H_
#define VARVE_SIM_CLUSTER_ACKS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/causal_context.h"
#include "cluster/quorum.h"
#include "cluster/replica_sets.h"
#include "cluster/topology.h"
#include "cluster/types.h"
#include "sim/node.h"
#include "varve/status.h"

namespace varve::sim {

// A reply of a replica that says ok, or of a fallback that keeps a hint.
struct Acknowledgement {
  enum class Kind : uint8_t { kRead, kWrite, kHint };
  Kind kind = Kind::kRead;
  cluster::NodeId replica = cluster::kNoNode;  // of kHint: its owner
  cluster::NodeId keeper = cluster::kNoNode;   // of kHint
  cluster::NodeId to = cluster::kNoNode;       // who coordinates
  cluster::Epoch since = cluster::kNoEpoch;    // the version under which it was asked
  Nanos at = 0;
  cluster::CausalContext context = {};  // of kWrite and kHint: what is stored now
};

// A client is told ok.
struct AnsweredRequest {
  cluster::PartitionId partition{};
  std::string key;
  cluster::NodeId coordinator = cluster::kNoNode;
  bool is_write = false;
  cluster::Level level = cluster::Level::kQuorum;
  uint32_t replicas = 0;  // by number; 0: as the level says
  bool sloppy = false;
  Nanos begun = 0;
  cluster::CausalContext written = {};  // of a write: what its client has seen now
  // What the coordinator says to its own replica is no message. Its version, if the state is there, durably.
  cluster::Epoch own_since = cluster::kNoEpoch;
};

// Thread-compatible.
class AckWatch {
 public:
  void OnTopology(const cluster::Topology& topology);
  // nullptr: of no version that was.
  const cluster::ReplicaSets* SetsAt(cluster::PartitionId partition, cluster::Epoch since) const;

  void OnAcknowledged(std::string_view key, Acknowledgement acknowledgement);
  // O(acknowledgements of the key lately + quorums of the partition).
  Status OnAnswered(const AnsweredRequest& answered, Nanos now);

  // A coordinator asks `maker` to make a dot; a replica has made one that it was asked for.
  Status OnUpdateAsked(cluster::NodeId maker, cluster::PartitionId partition, cluster::Epoch since) const;
  Status OnUpdateMade(cluster::NodeId maker, cluster::PartitionId partition, cluster::Epoch since) const;

 private:
  // A whole one that has acknowledged a request which promises something. Nodes as bits; that two share one only hides.
  struct CompleteQuorum {
    cluster::Epoch since;
    uint64_t nodes;
    bool is_write;
    Nanos ended;  // the first such request
  };
  // What is said under one version.
  struct Told {
    std::vector<cluster::NodeId> replicas;
    std::map<cluster::NodeId, std::vector<cluster::NodeId>> hints;  // owner -> keepers
  };
  std::map<cluster::Epoch, Told> Counted(const AnsweredRequest& answered) const;
  static size_t CountIn(const std::vector<cluster::NodeId>& set, const Told& told);
  bool IsComplete(const AnsweredRequest& answered, const cluster::ReplicaSets& sets, const Told& told) const;
  Status Meet(const AnsweredRequest& answered, const CompleteQuorum& quorum);

  std::map<std::pair<cluster::PartitionId, cluster::Epoch>, cluster::ReplicaSets> sets_;
  std::map<std::string, std::deque<Acknowledgement>, std::less<>> lately_;  // by key
  std::map<cluster::PartitionId, std::vector<CompleteQuorum>> quorums_;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_ACKS_H_
