// NodeContext: what the parts of a node's core may know of it.
#ifndef VARVE_CLUSTER_NODE_CONTEXT_H_
#define VARVE_CLUSTER_NODE_CONTEXT_H_

#include <cstdint>
#include <utility>

#include "base/random.h"
#include "cluster/action.h"
#include "cluster/node_core.h"
#include "cluster/replica.h"
#include "cluster/topology.h"

namespace varve::cluster {

class NodeContext {
 public:
  virtual ~NodeContext() = default;
  virtual const NodeOptions& options() const = 0;
  // nullptr before the first.
  virtual const Topology* topology() const = 0;
  virtual bool IsSuspect(NodeId node) const = 0;
  // nullptr when this node has no copy, or has not loaded it.
  virtual Replica* FindReplica(PartitionId partition) = 0;
  virtual Random* random() = 0;
  // Numbers for requests of which the replies are told to all parts.
  virtual uint64_t NextRequest() = 0;

  NodeId self() const { return options().self; }
  // Under the fence that the topology has. REQUIRES: topology().
  uint64_t Ask(NodeId to, PartitionId partition, Message::Body body, Actions* actions) {
    const uint64_t request = NextRequest();
    actions->push_back(Send{Message{.from = self(),
                                    .to = to,
                                    .partition = partition,
                                    .epoch = topology()->since[Value(partition)],
                                    .request = request,
                                    .body = std::move(body)}});
    return request;
  }
  // NodeOptions::rules, or those that were set since.
  virtual const MoveRules& rules() const = 0;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_NODE_CONTEXT_H_
