// What the endpoints of a simulated cluster say to each other: requests of clients, and between servers a frame around
// what their cores say.
#ifndef VARVE_SIM_CLUSTER_WIRE_H_
#define VARVE_SIM_CLUSTER_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster/action.h"
#include "cluster/key_state.h"
#include "cluster/quorum.h"
#include "cluster/types.h"
#include "sim/cluster_history.h"
#include "sim/node.h"

namespace varve::sim {

struct ClientCall {
  uint64_t number = 0;  // of the client; comes back
  ClientOperation::Kind kind = ClientOperation::Kind::kGet;
  cluster::Level level = cluster::Level::kQuorum;
  bool sloppy = false;
  Nanos patience = 0;
  std::string key;
  std::string value;
  cluster::SeenContext brought;
};
struct ClientAnswer {
  uint64_t number = 0;
  cluster::Outcome outcome = cluster::Outcome::kUnknown;
  cluster::SeenContext seen;
  std::vector<std::string> values;
};
// From a node to a node. Without bytes it only shows that its sender lives.
struct NodeFrame {
  cluster::NodeId from = cluster::kNoNode;
  cluster::NodeId to = cluster::kNoNode;
  std::string bytes;
};
using ClusterMessage = std::variant<ClientCall, ClientAnswer, NodeFrame>;

std::string Encode(const ClusterMessage& message);
// REQUIRES: of Encode. The simulated network damages nothing.
ClusterMessage DecodeClusterMessage(std::string_view bytes);

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_WIRE_H_
