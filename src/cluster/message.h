// What nodes say to each other about keys. States travel as canonical bytes (KeyState::Encode), filled with
// the floor of their sender; who receives them decodes and so checks them.
#ifndef VARVE_CLUSTER_MESSAGE_H_
#define VARVE_CLUSTER_MESSAGE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cluster/dot.h"
#include "cluster/key_state.h"
#include "cluster/types.h"
#include "cluster/version_vector.h"

namespace varve::cluster {

// What became of a request. Never renumber.
enum class ReplyCode : uint8_t {
  kOk = 0,
  // Nothing was done, and nothing will be:
  kStaleEpoch = 1,        // the sender's topology is older than the replica's
  kUnknownEpoch = 2,      // it is newer; the replica has yet to learn it
  kCannotMakeDots = 3,    // the replica has no sound actor: others may take the write
  kTooManySiblings = 4,   // the key has so many that a write which settles none is refused
  kOverloaded = 5,        // the queue is full
  kMalformed = 6,         // the state does not decode
  kTooFewReplicas = 7,    // of a coordinator: fewer than asked for exist, or seem to be alive
  // It may have been done:
  kFenced = 8,            // done, but meanwhile under an old topology: must not be counted
  kStorageFailed = 9,
};
constexpr bool IsCertainlyWithoutEffect(ReplyCode code) {
  return code >= ReplyCode::kStaleEpoch && code <= ReplyCode::kTooFewReplicas;
}

// To one replica of the key: make a write. The only place where dots come from.
struct UpdateRequest {
  std::string key;
  bool is_delete = false;
  std::string value;  // of a put
  SeenContext seen;
};
struct UpdateReply {
  ReplyCode code = ReplyCode::kOk;
  Dot dot;             // of the write, as `stamp`
  uint64_t stamp = 0;
  std::string state;   // of kOk and kFenced: of the key behind the write, for the other replicas
};

// To a replica: merge this. kOk says that it is durable there.
struct MergeRequest {
  std::string key;
  std::string state;
  bool wants_state = false;  // the reply carries what the replica has then
};
struct MergeReply {
  ReplyCode code = ReplyCode::kOk;
  std::string state;
};

struct ReadRequest {
  std::string key;
};
struct ReadReply {
  ReplyCode code = ReplyCode::kOk;
  std::string state;  // of a key that is absent: the floor
};

// To a node that is no replica: keep this for `owner`, who does not answer. kOk says that it is durable.
struct HintRequest {
  NodeId owner = kNoNode;
  std::string key;
  std::string state;
};
struct HintReply {
  ReplyCode code = ReplyCode::kOk;
  NodeId owner = kNoNode;
};

// Anti-entropy: hashes of a node of the replica's hash tree (hash_tree.h), and of the keys under some leaves.
struct TreeRequest {
  uint32_t branch = 0;  // HashTree::kRoot, or the number of a branch
};
struct TreeReply {
  ReplyCode code = ReplyCode::kOk;
  std::vector<uint64_t> hashes;
};
struct KeysRequest {
  std::vector<uint32_t> leaves;  // ascending
  std::string after;             // only keys behind it, in the order of the replica; empty: from the first
};
struct KeysReply {
  struct Item {
    std::string key;
    uint64_t hash;  // of the stored bytes
  };
  ReplyCode code = ReplyCode::kOk;
  std::vector<Item> items;
  bool is_end = true;  // otherwise more keys are behind the last of `items`
};

// How far a node is with a partition: for moves and floors. Also those that hold no copy of it answer, for their hints.
struct ProgressRequest {};
struct ProgressReply {
  ReplyCode code = ReplyCode::kOk;  // kUnknownEpoch: not loaded yet; then only `hints` means anything
  bool is_replica = false;          // what follows but for `hints` means something
  Epoch durable_epoch = kNoEpoch;   // the fence that it has on disk
  Dot last;                         // Replica::LastAppliedDot
  VersionVector floor;
  std::vector<NodeId> merged;       // a move's target: from whom it has merged everything, in this stage
  uint64_t hints = 0;               // that it keeps for replicas of the partition
};
// Every current replica has merged all dots up to this one. No reply.
struct FloorRequest {
  VersionVector floor;
};

// What the receiver knows of the topology, if that is later than the sender's. Else no reply.
struct TopologyRequest {
  Epoch known = kNoEpoch;
};
struct TopologyReply {
  std::string topology;  // EncodeTopology
};

struct Message {
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  PartitionId partition{};
  Epoch epoch = kNoEpoch;  // of the topology by which the sender sends; of a reply, the replica's
  uint64_t request = 0;    // of the sender of the request; its reply carries it back
  using Body = std::variant<UpdateRequest, UpdateReply, MergeRequest, MergeReply, ReadRequest, ReadReply,
                            HintRequest, HintReply, TreeRequest, TreeReply, KeysRequest, KeysReply,
                            ProgressRequest, ProgressReply, FloorRequest, TopologyRequest, TopologyReply>;
  Body body;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_MESSAGE_H_
