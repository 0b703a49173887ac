// FloorRounds: raises the floors of the partitions of which this node is the first replica.
#ifndef VARVE_CLUSTER_FLOOR_ROUNDS_H_
#define VARVE_CLUSTER_FLOOR_ROUNDS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "cluster/exchange_pool.h"
#include "cluster/node_context.h"

namespace varve::cluster {

// A round: every replica says which of its own dots are durable in its state; then each pair of replicas exchanges what they
// have; then all have merged all those dots, and the floor may reach them. Only when nothing moves, every member answers and
// none keeps a hint for the partition. Whatever fails ends the round without effect, and the next comes a period later. One
// round at a time. Thread-compatible.
class FloorRounds {
 public:
  FloorRounds(NodeContext* context, ExchangePool* pool) : context_(context), pool_(pool) {}

  void OnTime(Nanos now, Actions* actions);
  // A ProgressReply; others are ignored.
  void OnMessage(const Message& reply, Nanos now, Actions* actions);
  void OnEnded(const ExchangePool::Ended& ended, Nanos now, Actions* actions);

 private:
  struct Round {
    PartitionId partition{};
    Epoch since = kNoEpoch;
    Nanos begun = 0;
    std::map<uint64_t, NodeId> waits_for;  // by request
    VersionVector floor;                   // that is to be
    std::vector<VersionVector> floors;     // that the replicas have
    std::vector<std::pair<NodeId, NodeId>> pairs;  // that have not exchanged yet
    uint64_t exchange = 0;
  };

  bool MayBegin(PartitionId partition) const;
  void Begin(PartitionId partition, Nanos now, Actions* actions);
  void GoOn(Nanos now, Actions* actions);

  NodeContext* const context_;
  ExchangePool* const pool_;
  std::map<PartitionId, Nanos> next_;  // rounds, of each partition that this node is the first replica of
  std::optional<Round> round_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_FLOOR_ROUNDS_H_
